/* httpd_internal.h: what the httpd*.c files share, and nobody else.
 *   httpd.c          starts and stops, opens listeners
 *   httpd_loop.c     a loop's turn: wait, accept, run, resume, sweep
 *   httpd_conn.c     connections: limits, deadlines, balance
 *   httpd_lobby.c    connections to TLS listeners, until their handshakes are done; those with a PROXY header, until it is
 *   httpd_proxied.c  what such headers say
 *   shares.c         who gives way when connections are scarce
 *   drain.c          stops: refuses, finishes, closes
 *   httpd_ends.c     how they end: half-closed ones, lingering
 *   httpd_transport.c  what they send, through the framing machine
 *   httpd_heads.c    what their heads say, until the requests begin
 *   httpd_request.c  gathers a request, has it served
 *   httpd_header.c   what its headers say
 *   httpd_body.c     its body, within limits
 *   httpd_reply.c    sends a reply
 *   httpd_audit.c    holds replies until their records are written
 * Everything of a loop is touched by that loop's thread only, except what is marked shared. */
#ifndef BULLA_HTTP_HTTPD_INTERNAL_H
#define BULLA_HTTP_HTTPD_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "http/clients.h"
#include "http/framing.h"
#include "http/hello.h"
#include "http/httpd.h"
#include "http/listen.h"
#include "http/tls.h"
#include "http/tls_record.h"
#include "sched/sched.h"

#define FIRST_HEADER_S 30  /* at most, from accept (with the TLS handshake) to the end of the first request line */
#define IDLE_S 300         /* between two requests, as the peer's http_idle_timeout */
#define REPLY_GRACE_S 30   /* at least this long to fetch the reply of a request that waited for a worker */
#define SMALL_BODY 16384   /* a task keeps a body buffer up to this size */
#define SMALL_REQUEST 65536/* larger bodies are in the memory account, and come from callers with a token only */
#define FIRST_STEP 262144  /* so much of a declared length is believed */
#define MAPPED_BODY 262144 /* larger buffers are mapped */
#define MEMORY_SHARES 1024
#define SLOW_AFTER_MS 5000
#define SLOW_BYTES_PER_S (256 << 10)

#define LINGERS 64         /* closed connections of a loop whose unread bytes are still read and dropped */

struct loop;

/* What a loop's epoll tells of: a member of each thing that has a descriptor in it. Nothing is freed while a turn's
 * events are handled, so that what one of them ends is still there for the next. */
struct watched {
	void (*ready)(struct loop *loop, struct watched *self, uint32_t events);
};

/* A listener's headers of replies. */
struct own_headers {
	struct reply_headers *rules; /* owned */
	struct own_headers *older;   /* of the retired */
	int64_t retired_ns;
};

/* One bound socket. */
struct endpoint {
	struct watched watched; /* first */
	const struct listener *listener;
	int fd;
	dev_t device;     /* of a unix socket's file */
	ino_t inode;
	unsigned port;
	unsigned daemon;  /* index in each loop's daemons */
	struct tls *tls;  /* NULL: plain */
	_Atomic(struct own_headers *) headers; /* NULL: none */
	struct own_headers *retired; /* those before, which a reply may still be reading */
};

/* Bytes on their way to libmicrohttpd that do not stand in its own buffer: ready ones at at, and behind them the rest of an
 * incomplete head or line. */
struct held {
	uint8_t *bytes;           /* NULL: none */
	size_t cap, at, ready, rest;
};

/* What the heads say whose requests have not begun, in one buffer: see httpd_heads.c. */
struct heads {
	uint8_t *bytes;           /* NULL: nothing */
	size_t cap, at, begun, len;
};

/* One connection: made when it has been accepted, or by libmicrohttpd's notification; freed by that, or in the lobby. */
struct conn {
	struct watched watched;   /* first: the client's end */
	struct conn *prev, *next; /* of the loop */
	struct loop *loop;
	struct guest *guest;      /* not NULL: it is in the lobby */
	const struct endpoint *endpoint;
	struct task *task;        /* the request under way, NULL: idle */
	int fd;
	int64_t deadline_ms;
	int64_t quiet_since_ms;   /* no request is under way since then */
	uint64_t fetched;         /* of the reply, when the server stops */
	int64_t moved_ms;         /* when that was last another number */
	bool settled;             /* all that had come by then has been answered, or was the handshake */
	bool refused;             /* has more than its part, or is one too many: is told so and closed (shares.c) */
	bool evicted;             /* closed, because its address has more than its share */
	bool is_proxy;            /* one that is trusted to name its clients */
	bool named;               /* remote is what a header of the PROXY protocol says */
	struct client *client;    /* counted there; NULL: not at all */
	bool denied;              /* its handshake has failed: no request is taken from it */
	struct framing framing;
	struct held held;
	struct heads heads;
	uint64_t done;            /* requests that libmicrohttpd has completed */
	LIST_ENTRY(conn) half;    /* of the loop's half-closed ones */
	bool half_closed;         /* is among them: the client has shut down its sending side, or so it seems */
	bool ended;               /* all that the client sent has been read */
	bool nudged;              /* libmicrohttpd has been made to see that end */
	bool killed;
	bool reads_records;       /* GnuTLS reads for gnutls_record_recv() */
	char remote[ADDRESS_TEXT];
};

/* REFUSED: the answer is made, and sent once the rest of the body has been read and dropped. RECORDING: it is made,
 * and its records go out at the end of the turn; libmicrohttpd asks again. FLYING: they have been handed over, and
 * nothing is known of them yet. WORKING: the connection is suspended. */
enum task_state { TASK_NEW, TASK_RECEIVING, TASK_REFUSED, TASK_RECORDING, TASK_FLYING, TASK_WORKING, TASK_ANSWERED };

/* One request: made when its request line has been read, recycled when libmicrohttpd has completed it. */
struct task {
	struct sched_job job;
	struct task *next;        /* in the loop's spare list, its done list, or of those whose records are held or fly */
	struct conn *conn;
	struct MHD_Connection *mhd;
	struct bulla_arena *arena;
	struct bulla_call call;
	struct request request;
	struct reply reply;
	enum task_state state;
	int64_t began_ms;
	struct client *asker;     /* counted there; NULL: not at all */
	uint8_t *body;            /* what request.body borrows */
	size_t body_len, body_cap;
	struct bulla_bytes forwarded_for; /* X-Forwarded-For; ptr NULL: not there, or nobody asks */
	uint64_t declared_len;    /* Content-Length; 0: none or chunked */
	uint64_t discarded;
	size_t charged, working;  /* in the accounts of httpd_memory.c */
	uint64_t caller;          /* whose share it is: a hash of the token, or of the address */
	int64_t started_ms;
	bool head_checked;        /* whether it may send much is settled, or a worker has to */
	bool closes;              /* the connection ends with the reply */
	bool has_length, chunked, expects, malformed, saw_token, saw_bearer;
	struct bulla_audit_header *headers; /* in the arena */
};

/* What a loop's turn has handed to the audit devices: the requests go on, as one group, when it is written. */
struct recording {
	struct bulla_audit_group group; /* first */
	struct loop *loop;
	struct task *tasks;             /* whose answers wait for it */
	struct recording *next;         /* of those that are done */
	struct recording *flying;       /* of those that are not */
	int64_t since_ms;
	bool submitting, written;       /* by the loop itself; its own */
};

struct daemon {
	struct watched watched; /* first */
	struct MHD_Daemon *mhd;
	int epoll_fd;
	bool due;
};

/* What large requests hold, and that by caller. */
struct memory_account {
	atomic_size_t used;
	atomic_size_t shares[MEMORY_SHARES];
};

/* An accepted connection on its way to its loop. */
struct arrival {
	struct arrival *next;
	const struct endpoint *endpoint;
	int fd;
	socklen_t address_len;
	struct sockaddr_storage address;
};

/* A connection that libmicrohttpd has closed; fd < 0: none. */
struct lingering {
	struct watched watched;   /* first */
	int fd;
	int64_t end_ms, quiet_ms; /* it ends at either */
	int64_t left;             /* bytes it may still send */
};

/* Guests that wait for their turn, first come, first served. */
STAILQ_HEAD(guests, guest);

struct loop {
	struct httpd *httpd;
	pthread_t thread;
	bool started;
	int epoll_fd, wake_fd;
	struct watched wake;
	struct daemon *daemons;         /* 0: all plain listeners; then one for each TLS listener */
	struct conn *conns, *oldest;    /* the youngest first */
	unsigned evicted;               /* connections that are closed, but not gone yet */
	int64_t relieve_ms;
	LIST_HEAD(, conn) half_closed;
	struct conn **by_fd;            /* by_fd_count of them; NULL: not a connection of this loop */
	size_t by_fd_count;
	struct lingering lingers[LINGERS];
	struct heads spare_heads;
	unsigned lingering;
	struct task *spare;
	unsigned spare_count, suspended;
	struct bulla_audit_lines *lines; /* records of this turn's requests; may be empty */
	struct recording *spare_recording;
	struct task *recorded;          /* those requests; and those that have lines of their own */
	unsigned turn_records, records_before; /* how many requests with records this turn has had so far, and the last one that had any */
	struct recording *flying;
	const struct arrival *adding;   /* while MHD_add_connection runs */
	struct conn *adding_conn;       /* and what it is, if it was known before; NULL once it is libmicrohttpd's */
	struct guests come, go_on;      /* in the lobby: those whose first bytes are there; those in a handshake */
	int64_t now_ms, sweep_ms, accept_again_ms;
	int64_t due_ms;           /* no connection is late before */
	int64_t stop_ms, unfinished_ms; /* while it drains: when all ends, and when what is not whole does */
	int64_t drain_ms;               /* the next look */
	bool accepting, draining;
	atomic_uint conn_count;         /* shared: read by the other loops to balance */
	atomic_uint answered;           /* shared: httpd->asked, when it last turned */
	_Atomic(struct task *) done;    /* shared: pushed by workers */
	_Atomic(struct recording *) written; /* shared: pushed by audit devices */
	atomic_uint waking;             /* shared: how many of them are at it */
	pthread_mutex_t inbox_lock;
	struct arrival *inbox;          /* shared, under inbox_lock */
};

/* LISTENING: the loops are told. EMPTYING: new connections are refused, those that wait are handed to the loops.
 * CLOSED: there is no listening socket any more. */
enum stop_phase { STOP_NOT, STOP_LISTENING, STOP_EMPTYING, STOP_CLOSED };

struct httpd {
	struct httpd_config config;     /* defaults filled in */
	const struct service *service;
	struct sched *sched;
	struct endpoint *endpoints;
	size_t endpoint_count;
	unsigned daemon_count;
	struct loop *loops;
	atomic_uint connections;        /* of all loops */
	atomic_uint asked;              /* whether they live: a number, which they repeat */
	unsigned share_limit;           /* so many connections are not scarce */
	struct clients *clients;        /* by their connections */
	struct clients *askers;         /* by their requests in flight, while connections are scarce */
	struct memory_account receiving, working; /* shared: large bodies under way, and large requests that are served */
	_Atomic(enum stop_phase) phase;
	atomic_uint deaf_loops;         /* that do not touch the listening sockets any more */
	atomic_uint ended_loops;
	atomic_bool cut;                /* all connections, at once */
	int64_t refused_ms;             /* the stopping thread's: since when new connections are refused */
};

/* httpd_loop.c */
BULLA_MUST_USE enum bulla_err loop_init(struct loop *loop, struct httpd *httpd, struct bulla_call *call);
void loop_clear(struct loop *loop);     /* after its thread ended, or if it never started */
void *loop_main(void *loop);
void loop_wake(struct loop *loop);      /* any thread */
void loop_stop_accepting(struct loop *loop);
int64_t clock_ms(void);
bool loop_watch(struct loop *loop, int fd, struct watched *watched, uint32_t events);  /* from now on; EPOLLIN ... */
bool loop_change(struct loop *loop, int fd, struct watched *watched, uint32_t events); /* other events, or a one-shot anew */
void loop_forget(struct loop *loop, int fd); /* before it is closed, or given to another */
void endpoint_ready(struct loop *loop, struct watched *endpoint, uint32_t events);

/* httpd_conn.c */
void conn_accept(struct loop *loop, const struct endpoint *endpoint);
void conn_take_arrivals(struct loop *loop);
void conn_notify(void *loop, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code);
void conn_due(struct conn *conn, int64_t deadline_ms); /* sets its deadline */
void conn_sweep(struct loop *loop);     /* shuts down what is past its deadline */
bool conn_hand_over(struct httpd *httpd, const struct endpoint *endpoint); /* any thread: accepts one for a loop; false: errno */
void conn_kill(struct conn *conn);
void conn_count(struct loop *loop, int change); /* of open connections, lingering ones among them */
struct conn *conn_new(struct loop *loop, const struct arrival *arrival); /* NULL: no memory */
void conn_free(struct conn *conn);      /* its socket is closed, or somebody else's to close */

/* httpd_proxied.c */
struct proxied {
	size_t left;         /* bytes of the header that are still to be read away */
	int64_t deadline_ms; /* of the connection, when the header is done; 0: as it is */
};
enum proxied_at { PROXIED_WAITS, PROXIED_DONE, PROXIED_LEFT };
bool proxied_expects(const struct endpoint *endpoint); /* whether a connection may begin with a header */
bool proxied_turn_away(struct httpd *httpd, const struct arrival *arrival); /* true: closed, for it may not connect. Any thread */
bool proxied_is_proxy(const struct conn *conn); /* of those that are authorized, and no client is named yet */
/* When the socket has something to say, until it is DONE: what follows the header, if there was one, is unread. LEFT: it is to be
 * closed. */
enum proxied_at proxied_step(struct proxied *p, struct conn *conn, uint32_t events);

/* httpd_lobby.c */
void lobby_init(struct loop *loop);
void lobby_enter(struct loop *loop, const struct arrival *arrival); /* takes over the socket */
bool lobby_waits(const struct loop *loop); /* there is something to do without an event */
void lobby_turn(struct loop *loop);     /* does some of it: the share of handshakes in a turn */
void lobby_clear(struct loop *loop);    /* the loop has ended */
void lobby_introduced(struct conn *conn, struct MHD_Connection *mhd); /* libmicrohttpd has it now */
void lobby_forget(struct conn *conn);   /* it is being freed */

/* shares.c */
void shares_enter(struct conn *conn, const struct sockaddr *address); /* counts it */
void shares_judge(struct conn *conn);   /* may refuse it */
void shares_leave(struct conn *conn);
bool shares_turn_away(struct httpd *httpd, const struct arrival *arrival); /* true: closed, with an answer. Any thread */
void shares_relieve(struct loop *loop); /* in each turn: closes what is too much */
bool shares_admit(struct task *task);   /* false: its client has too many requests in flight */
void shares_done(struct task *task);

/* drain.c; by the stopping thread: */
bool drain_step(struct httpd *httpd);   /* true: all loops have ended */
void drain_cut(struct httpd *httpd);
/* by the loops: */
bool drain_loop(struct loop *loop);     /* after each turn. True: the loop ends */
void drain_end(struct loop *loop);      /* it has ended */
int drain_wait_ms(void);

/* httpd_transport.c */
void transport_bind(struct loop *loop); /* this thread is the loop's */
bool transport_open(struct conn *conn); /* its bytes go through its framing from now on. False: no memory */
void transport_close(struct conn *conn);
bool transport_check(void);             /* whether libmicrohttpd reads through here; call once, before anything is read */
struct conn *transport_conn(const struct loop *loop, int fd); /* NULL: not one of the loop's */

/* Reads at most len > 0 bytes; as recv(), but TRANSPORT_AGAIN or TRANSPORT_LOST instead of -1 */
typedef ssize_t transport_source(struct conn *conn, void *context, void *buf, size_t len);

/* httpd_heads.c: the machine's callbacks; context is the connection */
enum framing_taken heads_take(void *conn, struct bulla_bytes name, struct bulla_bytes value);
void heads_end(void *conn, bool refused);
bool heads_begin(struct conn *conn, struct task *task); /* gives the next head to a task. False: no memory */
void heads_drop(struct conn *conn);
void heads_free_spare(struct loop *loop);

/* httpd_ends.c */
bool conn_watch(struct conn *conn);     /* for its client's end. False: no memory */
bool conn_in_work(const struct conn *conn);    /* a request of it is whole, and not yet answered */
bool conn_is_last(const struct conn *conn);    /* the request in work is its last one: no more can come */
void conn_half_closed(struct conn *conn);
void conn_forget_half(struct conn *conn);
void conn_end_halves(struct loop *loop);       /* at the end of a turn */
bool conn_linger(struct conn *conn);    /* when it is closed: true, if its socket lives on, still counted */
void linger_init(struct loop *loop);
void linger_sweep(struct loop *loop, bool all);

/* httpd_request.c: libmicrohttpd's callbacks; context is the loop */
void *request_line(void *loop, const char *target, struct MHD_Connection *mhd);
enum MHD_Result request_access(void *loop, struct MHD_Connection *mhd, const char *url, const char *method,
			       const char *version, const char *data, size_t *size, void **context);
void request_completed(void *loop, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode code);
void task_free_spares(struct loop *loop);
bool request_may_send(struct task *task); /* a body over SMALL_REQUEST; false: the answer is made */

/* httpd_audit.c */
bool audit_record(struct task *task);   /* of a request that was served here. True: its records are written, or its reply now says that
					   they are not. False: it is held */
void audit_hold(struct task *task);     /* keeps a task until its records are written */
void audit_forget(struct task *task);   /* it ends; if that is before its records are written, its connection is gone */
bool audit_ended(struct loop *loop);    /* no records are held, and no device has any of this loop's */
bool audit_end_turn(struct loop *loop); /* true: there was something to hand over */
void audit_resume(struct loop *loop);   /* lets those go on whose records others have written */
void audit_sweep(struct loop *loop);    /* gives up what does not end */
void audit_free_spares(struct loop *loop);

/* httpd_header.c */
enum method header_method(const char *text);
void header_take(struct task *task, struct bulla_bytes name, struct bulla_bytes value); /* copies; marks the task malformed if the
											   header is not to be believed */
bool header_wanted(struct bulla_bytes name);  /* whether header_take() reads it */
void wipe_in_place(struct bulla_bytes bytes); /* in libmicrohttpd's buffer */

/* httpd_body.c */
void body_receive(struct task *task, struct bulla_bytes data); /* copies; the caller wipes data */
void body_free(struct task *task);
void body_drop(struct task *task);                     /* and gives back what it was charged */
void body_sweep(struct task *task, int64_t now_ms); /* once a second */

/* httpd_memory.c */
BULLA_MUST_USE bool memory_charge_body(struct task *task, size_t bytes); /* so much has arrived; false: there is no room for it now */
BULLA_MUST_USE bool memory_charge_work(struct task *task, size_t bytes); /* the body included, once; false: not now */
void memory_give_back(struct task *task, size_t left);              /* all but that */
bool memory_is_short(const struct httpd *httpd);                    /* half of the room for bodies under way is taken */
size_t memory_estimate(const struct request *request);             /* what it takes until its answer is sent, its body included */
uint8_t *memory_body_grow(uint8_t *body, size_t used, size_t cap, size_t want); /* NULL: no memory, and body is as it was */
void memory_body_free(uint8_t *body, size_t cap);

/* httpd_own_headers.c */
BULLA_MUST_USE enum bulla_err own_headers_open(struct endpoint *endpoint);
void own_headers_close(struct endpoint *endpoint);

/* httpd_reply.c */
enum MHD_Result reply_send(struct task *task);
void reply_refuse_because(struct task *task, enum bulla_err err, struct bulla_bytes text);
void reply_refuse_framing(struct task *task); /* what the framing machine refused; the connection ends with it */
void reply_refuse(struct task *task, enum bulla_err err); /* makes the reply for what serve() never sees */
void resume_task(struct loop *loop, struct task *task);   /* httpd_loop.c: a suspended one goes on, to be answered */

#endif
