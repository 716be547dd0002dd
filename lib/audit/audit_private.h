/* audit_private.h: what the files of lib/audit share. Nobody else includes it.
 *   audit.c      the set of devices that are on; loading, closing
 *   groups.c     groups of lines: to the devices, and waiting for them
 *   manage.c     enabling, disabling, listing; the configuration
 *   stored.c     what is stored of a device, and of its chain
 *   options.c    what a device's options say
 *   device.c     a device's queue: who submits, who writes
 *   device_write.c  writes what was taken from it
 *   device_apart.c  a device that requests do not wait for: lines held for it, back-off
 *   device_thread.c a device's thread; its opening and its end
 *   chain.c      the hash chain and its checkpoints, as lines
 *   tail.c       where a file's chain ends
 *   sink_*.c     where lines go: file, socket, syslog
 *   format*.c    the two records; who calls, kept from one to the next
 *   hashing.c    JSON with hashed strings, in one pass
 *   headers.c    which request headers are recorded
 *   verify*.c    what became of a log afterwards */
#ifndef BULLA_AUDIT_AUDIT_PRIVATE_H
#define BULLA_AUDIT_AUDIT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "audit/audit_internal.h"
#include "base/rcu.h"
#include "bulla/clock.h"
#include "bulla/encode.h"
#include "bulla/json.h"
#include "crypto/crypto.h"

#define SALT_BYTES 36            /* a UUID as text: the key of the HMACs, as the peer has it */
#define MAX_LINE_TAIL 160        /* what the chain adds to a line, at most */
#define HASH_TEXT (12 + 64)      /* "hmac-sha256:" and hex */

/* ---- options.c ---- */

enum sink_kind { SINK_FILE, SINK_SOCKET, SINK_SYSLOG };

struct audit_options {
	bool log_raw, hmac_accessor, elide_list, sync, skip_test;
	struct bulla_bytes prefix;
	/* file */
	const char *file_path;       /* NUL-terminated */
	bool to_stdout, discard;
	unsigned mode;               /* 0: it stays as it is */
	/* socket */
	const char *address, *socket_type;
	int64_t write_timeout_ms;
	/* syslog */
	int facility;
	const char *tag;
	/* ours */
	int64_t checkpoint_records, checkpoint_s, max_queue_bytes;
};

/* Texts are copies in the arena. INVALID with the peer's texts. */
BULLA_MUST_USE enum bulla_err options_read(struct bulla_call *call, const struct bulla_audit_spec *spec, enum sink_kind *kind,
					   struct audit_options *out);

/* ---- chain.c ---- */

struct chain {
	uint64_t records;            /* written so far: the next line's number is one more */
	uint8_t head[SHA256_BYTES];  /* of the last line, without its end of line; zeros before the first */
	uint64_t signed_records;     /* the last checkpoint's number */
	int64_t signed_ns;           /* by bulla_elapsed_ns */
};

struct device_secrets {
	char salt[SALT_BYTES];
	struct mac_key salt_key;
	uint8_t seed[SIGNING_SEED_BYTES], sign_key[SIGNING_SECRET_BYTES];
};

struct device;

/* Appends lines (each "{...}\n") with their places in the chain. */
void chain_lines(struct chain *chain, struct bulla_bytes lines, struct out *out);
/* Appends a checkpoint; event: "open", "time", "rotate" (the last of one file and the first of the next), "deleted" (of a new file: the one
 * before it was), "close". */
void chain_checkpoint(struct chain *chain, const struct device *device, const char *event, struct out *out);
/* The same after a device that failed: lost records never went to it, and those after number sure may not have arrived. */
void chain_gap(struct chain *chain, const struct device *device, uint64_t lost, uint64_t sure, struct out *out);

/* Takes the place in the chain off the end of a line (without its end of line). False: it has none. */
bool chain_read(struct bulla_bytes line, uint64_t *number, uint8_t previous[SHA256_BYTES]);

/* ---- sink_*.c: where lines go; a device's thread only ---- */

struct sink {
	enum sink_kind kind;
	int fd;                      /* -1: closed */
	bool local;                  /* a regular file of this machine's own disk or memory: writing to it takes no time to speak of */
	bool torn;                   /* the last line may be cut off: the next write begins with an end of line */
	bool regular;                /* a regular file with a path of its own */
	bool deleted;                /* it was deleted: what was last written is in no file */
	size_t sent;                 /* of a write that failed: so much of it may have arrived */
	char trouble[160];           /* why the last operation failed */
};

/* Opens, unless it is open. False: trouble says why. */
bool sink_open(struct sink *sink, const struct audit_options *options);
/* Writes all of it, or says in trouble why not. */
bool sink_write(struct sink *sink, const struct audit_options *options, struct bulla_bytes lines);
void sink_close(struct sink *sink);

bool file_open(struct sink *sink, const struct audit_options *options);
/* After a write that succeeded, look at deleted. */
bool file_write(struct sink *sink, const struct audit_options *options, struct bulla_bytes lines);
/* Whether another file, or none, stands at the open file's path. */
bool file_moved(const struct sink *sink, const struct audit_options *options);
bool socket_open(struct sink *sink, const struct audit_options *options);
bool socket_write(struct sink *sink, const struct audit_options *options, struct bulla_bytes lines);
bool syslog_open(struct sink *sink, const struct audit_options *options);
bool syslog_write(struct sink *sink, const struct audit_options *options, struct bulla_bytes lines);
/* Sets trouble from errno; false. */
bool sink_trouble(struct sink *sink, const char *what, const char *where);
/* All of it to fd, which may be non-blocking, within timeout_ms between two steps; *done gets how much went out. */
bool sink_write_all(int fd, struct bulla_bytes bytes, int64_t timeout_ms, size_t *done);

/* ---- tail.c ---- */

/* The last complete line's place in the chain, and its hash: if it is beyond chain, takes it over. torn: the file does not end
 * with an end of line. A file that is not there, or no regular file, has none. */
void tail_read(const char *path, struct chain *chain, bool *torn);

/* ---- device*.c ---- */

enum share_state { SHARE_IDLE, SHARE_QUEUED, SHARE_TAKEN };

enum device_end { DEVICE_ON, DEVICE_DISABLED, DEVICE_CLOSED };

/* What was not written when its requests were answered: lines in order, of which each part goes out in a write of its own. */
struct held {
	struct held *next;
	size_t len, room;
	uint8_t bytes[];
};

/* Of a device that failed, or lags: requests do not wait for it, as long as another device records (device_apart.c). By its lock. */
struct apart {
	atomic_bool on;              /* any of what follows; read without the lock */
	bool lags;                   /* a write takes its time */
	bool slow;                   /* the last failure took its time */
	bool alone;                  /* no other device recorded when it was last asked */
	struct held *held, **held_end, *writing; /* writing: of who is busy */
	size_t held_bytes;
	int64_t retry_ns, backoff_ns; /* when it is tried again */
	int64_t steady_ns;           /* until then it is not relied on; 0: it is */
	uint64_t lost, told;         /* records that were not held; so many of them are told in what is being written */
	uint64_t lost_since;         /* it failed: for the server's log */
	uint64_t released;           /* records in the write whose requests no longer wait for it */
	bool unsure;                 /* records after number sure may not have arrived */
	uint64_t sure;
};

struct device {
	/* const once it is on */
	struct bulla_bytes path, type, description;
	bool local, from_config;
	const struct bulla_pair *option_list;
	size_t option_count;
	char id[UUID_TEXT + 1];
	enum sink_kind kind;
	struct audit_options options;
	uint8_t public_key[SIGNING_PUBLIC_BYTES];
	struct device_secrets *secrets; /* locked */
	struct bulla_arena *arena;      /* holds the above */
	const struct audit_config *config;
	atomic_uint refs;
	pthread_t thread;
	/* of whoever is busy */
	struct sink sink;
	struct out batch;
	/* by lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct bulla_audit_share *queue, **queue_end, *taken;
	size_t queued_bytes;
	bool started, stop, reopen;
	bool wakes;                  /* wake is made, and so is left */
	pthread_cond_t left;         /* the thread has nothing more to do: gone */
	bool gone;
	atomic_bool abandoned;       /* it ended while its thread was in a write, which is not waited for; set with the lock held */
	bool failed;
	atomic_bool busy;            /* someone writes, the thread or a submitter; changed with the lock held */
	bool brief, wanted;          /* it is a submitter; the thread waits for that to end */
	atomic_bool writing;         /* who is busy is in a write, and does not look at what was taken; ends with the lock held */
	enum device_end end;
	int64_t writing_since_ns;    /* by device_now_ns */
	int64_t looked_ns, moved_ns; /* of who is busy: when the file's path was last looked at; since when another stands there; 0: never */
	struct apart apart;
	char trouble[160];
	struct chain chain;          /* written by whoever is busy, with the lock held */
	uint64_t stored_records;     /* as the store has it; of audit.c */
};

/* Takes over the arena of spec's texts. The chain goes on after *chain. Tries to write a first checkpoint: must_work: if that
 * fails, there is no device (INVALID). NO_MEMORY. */
struct device_new {
	const struct bulla_audit_spec *spec;
	const char *id;
	bool from_config, must_work;
	const struct device_secrets *secrets; /* copied */
	struct chain chain;
	const struct audit_config *config;
};
BULLA_MUST_USE enum bulla_err device_open(struct bulla_call *call, const struct device_new *args, struct device **out);
struct device *device_hold(struct device *device);
void device_put(struct device *device); /* the last one frees; it has ended by then */
/* Ends the thread after what is queued was written, with a last checkpoint: device_stop says so, device_end waits for it, but not for a
 * write that does not end (END_WAIT_S). */
void device_stop(struct device *device, enum device_end end);
void device_end(struct device *device, enum device_end end);
/* others: another device that is relied on has the same group; apart: as device_apart said just before. */
void device_submit(struct device *device, struct bulla_audit_share *share, bool others, bool apart);
/* Gives the group up, or (held) lets its requests go while its lines are still to be written. */
void device_expire(struct device *device, struct bulla_audit_group *group, bool held);
void device_reopen(struct device *device);
/* Makes the device busy with what is queued. With the lock held, by who will write: brief: no thread of its own. */
void device_take(struct device *device, bool brief);
/* Writes what was taken, with a checkpoint where one is due or event says so. False: it could not be. By who is busy, without the lock. */
bool device_write(struct device *device, const char *event);
/* In the place of a write: gives back what was taken, unwritten. By who is busy, who is not then. */
void device_drop(struct device *device);
/* A line to the server's log: "audit device PATH (TYPE) WHAT: TROUBLE". */
void device_log(const struct device *device, const char *level, const char *what, const char *trouble);
/* Told once, however long it lasts. */
void device_failed(struct device *device, const char *trouble);
void share_done(struct bulla_audit_share *share, bool recorded);
/* Before share_done: if end is so, the server is being sealed. */
void share_closed(struct bulla_audit_share *share, enum device_end end);
size_t share_bytes(const struct bulla_audit_share *share);
/* Nanoseconds of a clock that is never set. */
int64_t device_now_ns(void);

/* ---- device_apart.c: all but device_apart with the lock held ---- */

/* Whether requests should not wait for it. Any thread. */
bool device_apart(struct device *device);
void apart_clear(struct device *device);
/* Keeps the share's lines to be written later; counts those that do not fit. */
void apart_hold(struct device *device, const struct bulla_audit_share *share);
void apart_lose(struct device *device, const struct bulla_audit_share *share);
/* It is in the write; its request no longer waits. */
void apart_release(struct device *device, const struct bulla_audit_share *share);
/* Whether a group that no other device records is refused at once: it was tried, and that took its time. */
bool apart_refuses(struct device *device);
/* The next part of what is held is going to be written; it was, or (false) is to be written again. */
void apart_take(struct device *device);
void apart_written(struct device *device, bool good);
/* It failed, after so long; it works again. */
void apart_failed(struct device *device, int64_t took_ns);
void apart_works(struct device *device, int64_t took_ns);

/* ---- audit.c ---- */

/* The devices that are on. Immutable, counted. */
struct audit_set {
	atomic_uint refs;
	struct rcu_later later;
	size_t count;
	struct device *devices[BULLA_AUDIT_MAX_DEVICES];
	pthread_mutex_t lock;         /* of the spares */
	struct bulla_audit_lines *spares; /* of workers, whose buffers have grown; hold no reference */
	unsigned spare_count;
};

enum mount_place { MOUNT_ASKED, MOUNT_ANSWERED, MOUNT_PLACES }; /* in "request", in "response" */

/* How the last caller of these lines was written, and the last mount: mostly they are the same again. Holds nothing that is not in the
 * log. */
struct kept {
	char key[256];               /* what makes a caller the same: see format_caller.c; key_len 0: nobody yet */
	size_t key_len;
	char token[HASH_TEXT + 2], accessor[HASH_TEXT + 2], client_id[44];
	struct out auth, shown;      /* "auth":{...} and "client_token":... */
	struct out mount_key, mount[MOUNT_PLACES];
};

struct bulla_audit_lines {
	struct audit_set *set;
	struct kept kept[BULLA_AUDIT_MAX_DEVICES];
	struct bulla_audit_lines *next; /* of a group */
	struct out of[BULLA_AUDIT_MAX_DEVICES];
};

struct header_rules {
	struct rcu_later later;
	size_t count;
	struct bulla_audit_header_rule rules[]; /* names behind them */
};

struct audit {
	struct records records;      /* devices, how far they came, which headers are recorded */
	struct audit_config config;
	uint8_t node[BULLA_MAX_NODE]; /* config.node's */
	struct bulla_arena *config_arena;
	struct audit_set *set;       /* published; NULL: none is on */
	bool closing;                /* published with it: records are refused */
	struct header_rules *headers; /* published; NULL: none */
	pthread_mutex_t lock;        /* of changes */
	bool loaded;                 /* by lock: the devices are on, and the seal is open until it is taken back */
	pthread_mutex_t heads;       /* of what is stored of how far devices came: held over disk work, taken after lock */
};

/* Copies what the configuration wants in place of what it wanted, with lock held. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err audit_keep_specs(struct audit *audit, const struct bulla_audit_spec *specs, size_t count);
/* With a reference; NULL: none is on. */
struct audit_set *set_get(const struct audit *audit);
void set_put(struct audit_set *set);
/* Publishes a set of these devices (references are taken), with lock held. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err set_replace(struct audit *audit, struct device *const *devices, size_t count);

/* ---- manage.c ---- */
BULLA_MUST_USE enum bulla_err manage_load(struct audit *audit, struct bulla_call *call);

/* ---- stored.c ---- */
struct stored_device {
	struct bulla_audit_spec spec; /* path with its slash; options sorted */
	bool from_config;
	struct bulla_bytes node; /* from_config: whose configuration; else empty: it is everybody's */
	char id[UUID_TEXT + 1];
	struct device_secrets secrets; /* salt and seed; the rest is empty */
};
/* Whether the configuration (spec) has the device as it was made. CONFIG, with a text that says what differs and what to do; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err spec_agrees(struct bulla_call *call, const struct bulla_audit_spec *made, bool from_config,
					  const struct bulla_audit_spec *spec);
/* A new one. INVALID: there is one at this path, which another node has enabled. */
BULLA_MUST_USE enum bulla_err stored_put(struct audit *audit, struct bulla_call *call, struct stored_device *device);
/* The device of this node's configuration, or everybody's, with how far it came, here or on all nodes. */
BULLA_MUST_USE enum bulla_err stored_remove(struct audit *audit, struct bulla_call *call, struct bulla_bytes path, bool from_config,
					    const char *id);
/* All, other nodes' as well, sorted by path; in the arena. */
BULLA_MUST_USE enum bulla_err stored_list(struct audit *audit, struct bulla_call *call, struct stored_device **list, size_t *count);
/* How far it came on this node. */
BULLA_MUST_USE enum bulla_err stored_head_get(struct audit *audit, struct bulla_call *call, const char *id, struct chain *out);
BULLA_MUST_USE enum bulla_err stored_head_put(struct audit *audit, struct bulla_call *call, const char *id,
					      const struct chain *chain);

/* ---- headers.c ---- */
BULLA_MUST_USE enum bulla_err headers_load(struct audit *audit, struct bulla_call *call);
void headers_drop(struct audit *audit);

/* ---- hashing.c ---- */

/* How a device would write text: HASH_TEXT characters. */
void device_hash(const struct device *device, struct bulla_bytes text, char out[HASH_TEXT]);

/* How strings are written: hashed, in clear where log_raw or a key says so. */
struct hashing {
	const struct mac_key *key;   /* NULL: all in clear */
	const struct bulla_bytes *clear_keys; /* members with these names are in clear */
	size_t clear_count;
	bool clear_context;          /* the strings of an object "encryption_context" too */
	bool elide;                  /* "keys" and "key_info" at the top are counted */
};

void hashing_string(const struct hashing *how, struct out *out, struct bulla_bytes text);
void hashing_value(const struct hashing *how, struct out *out, const struct json *value);
/* JSON that json_print.c has printed. */
void hashing_text(const struct hashing *how, struct out *out, struct bulla_bytes json);

/* ---- tokens.c ---- */
/* Whether a piece of text has the form of a token; *out is the first that has. */
bool token_find(struct bulla_bytes text, struct bulla_bytes *out);
/* text, or a copy in the arena with hashes in the place of tokens. */
struct bulla_bytes tokens_hide(const struct device *device, struct bulla_call *call, struct bulla_bytes text);

/* ---- format.c ---- */
void format_entry(const struct audit *audit, const struct device *device, const struct bulla_audit_entry *entry,
		  enum bulla_audit_which which, struct bulla_call *call, struct kept *kept, struct out *out);

/* ---- format_caller.c ---- */
void format_forget(struct kept *kept); /* frees what it holds */

#endif
