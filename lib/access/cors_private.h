/* cors_private.h: what the files of CORS share: cors.c, cors_change.c. Nobody else includes it. */
#ifndef BULLA_ACCESS_CORS_PRIVATE_H
#define BULLA_ACCESS_CORS_PRIVATE_H

#include <pthread.h>

#include "access/cors.h"
#include "base/rcu.h"

#define CORS_MAX_ORIGIN 1024

/* Const once it is published. */
struct cors_rules {
	struct rcu_later later;     /* first */
	struct bulla_arena *arena;  /* owned: all texts */
	struct bulla_cors_config config;
	struct bulla_bytes headers; /* as a reply says them */
	bool damaged;               /* what is stored cannot be read: off */
};

struct cors {
	struct records *records;   /* borrowed */
	pthread_mutex_t lock;      /* one writer; held over its commit */
	struct cors_rules *rules;  /* rcu; NULL: off */
};

/* A copy with the standard headers before the others. config NULL: a damaged one. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err cors_rules_make(const struct bulla_cors_config *config, struct cors_rules **out);
void cors_rules_free(struct cors_rules *rules); /* one that was not published; NULL is fine */
/* Takes it over. Under the lock. */
void cors_publish(struct cors *cors, struct cors_rules *rules);

extern const struct record_name cors_name;
/* What is stored, headers without the standard ones, in the arena. NOT_FOUND: it is off. Errors of record_read. */
BULLA_MUST_USE enum bulla_err cors_get(const struct cors *cors, struct bulla_call *call, struct bulla_cors_config *out);

#endif
