/* store_inmem.h: what the files of the backend in memory share. Only lib/store/store_inmem*.c include it.
 *
 * The records are in one place, struct inmem, which each handle (struct inmem_store, a writer) holds: so several engines in one process
 * stand to each other as nodes over one database do. One lock for all; nothing waits for a disk. */
#ifndef BULLA_STORE_INMEM_H
#define BULLA_STORE_INMEM_H

#include <pthread.h>

#include "store/inmem_records.h"
#include "store/store_ops.h"

#define INMEM_WRITERS 16
#define INMEM_LEASES 16
/* So many changes are kept for those who have not asked; who is further behind has lost them. */
#define INMEM_CHANGES 8192

struct inmem_change {
	struct store_id id;
	enum store_news news;
	struct store_stamp stamp;
};

struct inmem_lease {
	char name[STORE_LEASE_NAME + 1]; /* "": free */
	uint64_t holder, fence;          /* holder: a writer */
	int64_t until_ns;                /* elapsed */
};

/* What a writer has left of its account, also when its handle is closed. */
struct inmem_digest {
	struct store_stamp stamp;
	size_t len;
	uint8_t bytes[STORE_DIGEST_MAX];
};

struct inmem {
	pthread_mutex_t lock;
	pthread_cond_t applied; /* somebody has applied changes, or has gone */
	struct inmem_records records;
	uint64_t used_bytes, max_bytes; /* max: 0: no limit */
	struct inmem_store *sharers[INMEM_WRITERS]; /* NULL: free */
	uint64_t last_writer;
	/* The last INMEM_CHANGES changes, of all writers, by their place: change n is at [n % INMEM_CHANGES]. NULL until somebody shares. */
	struct inmem_change *changes;
	uint64_t change_count;
	struct inmem_digest *digests; /* as many as there are writers that keep one */
	size_t digest_count;
	struct inmem_lease leases[INMEM_LEASES];
};

struct inmem_store {
	struct store base;
	struct inmem *shared;
	uint64_t told;    /* all before it has been told of; of the thread that asks */
	uint64_t applied; /* all before it has been applied here; with the lock */
};

static inline struct inmem_store *inmem_store(const struct store *base)
{
	return (struct inmem_store *)(uintptr_t)base;
}

/* ---- store_inmem_changes.c: of struct store_ops, and what a commit does for them -------------------------------------------- */

/* With the lock: what the commit changed, for the others. The room is there since the store is shared. */
void inmem_note(struct inmem *shared, const struct store_write *write, struct store_stamp stamp);
enum bulla_err store_inmem_changes(struct store *base, struct bulla_call *call, store_changed *changed, void *context);
void store_inmem_applied(struct store *base);
bool store_inmem_is_applied(const struct store *base, const struct store_stamp *stamp);
enum bulla_err store_inmem_await(struct store *base, struct bulla_call *call, const struct store_stamp *stamp, int64_t timeout_ms);
enum bulla_err store_inmem_lease(struct store *base, struct bulla_call *call, const char *name, int ttl_s, uint64_t *fence);

#endif
