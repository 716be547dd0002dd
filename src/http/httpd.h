/* httpd.h: the HTTP server. httpd.c is the only file that knows libmicrohttpd, tls.c the only one that knows GnuTLS. */
#ifndef BULLA_HTTP_HTTPD_H
#define BULLA_HTTP_HTTPD_H

#include "http/reply_headers.h"
#include "http/serve.h"

/* How to know a client behind a proxy: by X-Forwarded-For, believed only where authorized says so. */
struct forwarding {
	const struct bulla_bytes *authorized; /* addresses and CIDRs of proxies */
	size_t authorized_count;              /* 0: the header is never looked at */
	int64_t hop_skips;                    /* how many of the last addresses are proxies', too */
	bool reject_not_present, reject_not_authorized;
};

/* Whose headers of the PROXY protocol are believed. ALWAYS: anybody's. ALLOW: those of authorized; of others they are read and count
 * for nothing. DENY: those of authorized, and others may not connect. */
enum proxying_behavior { PROXYING_NEVER, PROXYING_ALWAYS, PROXYING_ALLOW, PROXYING_DENY };

struct proxying {
	enum proxying_behavior behavior;
	const struct bulla_bytes *authorized; /* addresses and CIDRs of proxies */
	size_t authorized_count;
};

/* A user or group; if none is given, the server's. */
struct socket_owner {
	bool given;
	uint32_t id;
};

struct listener {
	bool is_unix;
	const char *address;        /* "127.0.0.1:8200", "[::1]:8200", or the socket's path */
	unsigned socket_mode;       /* unix: 0600 ... */
	struct socket_owner user, group; /* unix: whose it is */
	bool tls;
	const char *cert_file, *key_file, *client_ca_file; /* PEM; NULL: none */
	const char *tls_min_version; /* "tls12", "tls13" */
	unsigned tls_suites;        /* of TLS 1.2; 0: all */
	bool demands_client_cert;   /* of the authorities in client_ca_file, or of the system's */
	bool no_client_certs;       /* clients are not asked for a certificate (which auth/cert needs) */
	bool may_generate_root;      /* without a token: sys/generate-root */
	struct proxying proxying;    /* of TCP: before TLS, and before HTTP without it */
	struct forwarding forwarding;
	const struct reply_headers *headers; /* NULL: none of its own */
};

#define MOST_CONNECTIONS 16384

struct httpd_config {
	const struct listener *listeners;
	size_t listener_count;
	unsigned loops;             /* 0: one a core */
	unsigned workers;           /* threads for the disk; 0: max(4, cores) */
	size_t max_queue;           /* requests of a class (sched.h) that wait for a thread; 0: 1024 */
	size_t max_request_bytes;   /* 0: 32 MiB */
	size_t max_request_memory;  /* of all requests with large bodies together; 0: 256 MiB, or 8 max_request_bytes */
	unsigned max_request_s;     /* 0: 90 */
	unsigned max_connections;   /* 0: from RLIMIT_NOFILE */
	unsigned share_percent;     /* of them, beyond which each client address may have a share only; 0: 80; 100: never */
	unsigned unfinished_s;      /* for a head, a body or a handshake that is not whole when the server stops; 0: 2 */
};

struct httpd;

/* Reads the certificates. The service is borrowed, and need not be filled in before the start. CONFIG: the detail says
 * which certificate and why. */
BULLA_MUST_USE enum bulla_err httpd_open(const struct httpd_config *config, const struct service *service, struct bulla_call *call,
					 struct httpd **out);
/* Binds: from now on connections wait to be accepted. CONFIG: an address; ADDRESS_IN_USE: call it again, or give up
 * with httpd_stop. */
BULLA_MUST_USE enum bulla_err httpd_bind(struct httpd *httpd, struct bulla_call *call);
/* Starts the workers and the loops. NO_MEMORY, CONFIG; stop it then, too. */
BULLA_MUST_USE enum bulla_err httpd_start(struct httpd *httpd, struct bulla_call *call);
/* Whether all loops have turned since it was asked last; has them turn. One thread, from httpd_start until it stops. */
bool httpd_is_alive(struct httpd *httpd);
/* One step of stopping, which takes no time: to be called every few milliseconds until it is true. New connections are
 * refused; what is in flight is finished (within max_request_s), what is not whole within unfinished_s. */
bool httpd_stop_step(struct httpd *httpd);
/* From now on nothing is finished but what a worker is at: connections are cut. */
void httpd_cut(struct httpd *httpd);
/* Stops, if httpd_stop_step has not done it, and ends the loops' threads: no request is left. */
void httpd_stop(struct httpd *httpd);
/* What runs the requests that a loop must not; after httpd_start, until httpd_free. */
struct sched *httpd_sched(const struct httpd *httpd);
/* httpd_stop, if that has not been done; frees. */
void httpd_free(struct httpd *httpd);
/* Reads the certificates and the authorities for clients again; on failure the old ones stay. CONFIG. */
BULLA_MUST_USE enum bulla_err httpd_reload(struct httpd *httpd, struct bulla_call *call);
/* Writes warnings to the service's log: of certificates that end within 30 days, or have ended. */
void httpd_warn_of_certificates(struct httpd *httpd);
/* Puts the headers of these listeners in the place of those that the ones with the same address have. NO_MEMORY: some may be as they
 * were. One thread, not while it stops. */
BULLA_MUST_USE enum bulla_err httpd_set_headers(struct httpd *httpd, const struct listener *listeners, size_t count);
/* Whether replies of some listener have a header of that name by its settings. Any thread. */
bool httpd_sends_header(const void *httpd, struct bulla_bytes name);
/* The port that a listener with port 0 got. */
unsigned httpd_port(const struct httpd *httpd, size_t listener);

#endif
