/* engine.h: open and close the engine. struct bulla is opaque; it is thread-safe once open. */
#ifndef BULLA_ENGINE_H
#define BULLA_ENGINE_H

#include "fetch.h"
#include "audit.h"
#include "seal.h"

BULLA_DECLS_BEGIN

#define BULLA_DEFAULT_LEASE_S INT64_C(2764800) /* 768 h, the peer's */

struct bulla_config {
	const char *storage_path;      /* NULL: in memory */
	struct bulla_seal_config seal;
	int64_t default_lease_ttl_s;   /* 0: 768 h, as the peer */
	int64_t max_lease_ttl_s;       /* 0: 768 h */
	size_t max_cached_bytes;       /* of named keys; 0: 64 MiB */
	bulla_fetch *fetch;            /* gets documents from elsewhere (key sets of auth/jwt); NULL: nothing is got */
	void *fetch_context;           /* for it */
	const struct bulla_audit_spec *audit_devices; /* that the configuration wants; copied */
	size_t audit_device_count;
	bool allow_audit_prefix;       /* the option "prefix" of audit devices */
	/* one line an event, for the server's log; NULL: nobody listens. Any thread; holds no secret */
	void (*log)(void *context, const char *level, const char *text);
	void *log_context;
	const char *version, *build_date; /* of the program, for the history of versions; NULL: none is kept; borrowed until bulla_close */
	struct bulla_bytes node;       /* this server's name among those that share the store: letters, digits, '.', '_', '-'; at most
					  BULLA_MAX_NODE; copied; empty: it has the store for itself */
	bool clock_from_wall;          /* lifetimes and periods go on from the system's clock, whatever the store has reached */
};

/* Opens the store (not unsealed: bulla_unseal_auto does that for a static seal). bulla_memory_init must have been called.
 * Errors of the store and CONFIG; the call's detail says which file and why. */
BULLA_MUST_USE enum bulla_err bulla_open(const struct bulla_config *config, struct bulla_call *call, struct bulla **out);

/* Seals, closes the store, frees. No call may be under way. NULL is fine. */
void bulla_close(struct bulla *engine);

/* What is due by time: rotates the keys whose auto_rotate_period has passed, removes tokens that have ended, keeps the clock. To be called every few seconds, by one thread at a
 * time, which may block. What the log should hear of comes as warnings of the call: rotations that failed (they are tried again),
 * keys that have encrypted very many messages. SEALED; STORE*, NO_MEMORY: the next call goes on. */
BULLA_MUST_USE enum bulla_err bulla_tick(struct bulla *engine, struct bulla_call *call);

/* "sqlite" or "inmem". */
const char *bulla_storage_kind(const struct bulla *engine);

/* A version of the program that has opened the store. */
struct bulla_version {
	struct bulla_bytes version, build_date;
	int64_t installed_date_ns; /* when it first did; whole seconds */
};
/* All of them, the oldest first; in the arena. MUST_BLOCK, SEALED, STORE*, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_version_history(struct bulla *engine, struct bulla_call *call, struct bulla_version **versions,
						    size_t *count);

/* n random bytes, and an identifier in the form of a UUID (36 characters, no NUL): for request ids and the like. */
BULLA_MUST_USE enum bulla_err bulla_random(void *out, size_t n);
BULLA_MUST_USE enum bulla_err bulla_uuid(char out[36]);

BULLA_DECLS_END

#endif
