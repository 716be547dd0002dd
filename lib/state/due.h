/* due.h: queues of records that have a time. Each is filed under the minute of that time: a small sealed entry in a collection of the
 * minute, which the owner writes in the commit that makes or changes the record. A run looks only into the minutes since the last one,
 * so that neither the number of records nor a restart matters; how far it came is a record of its own (docs/FORMATS.md). A further kind
 * of record with a time is a row and what is to be done with its entries. */
#ifndef BULLA_STATE_DUE_H
#define BULLA_STATE_DUE_H

#include <pthread.h>

#include "seal/barrier.h"

#define DUE_AT_ONCE 64

struct due_entry {
	struct store_id id;
	struct bulla_bytes content; /* len 0: it does not open; good only during the call */
};

/* A kind of queue: a constant of its owner. */
struct due_kind {
	const char *entry, *from; /* kinds of the records: an entry, scope its minute; how far one has come */
	bool present;             /* the minute that is not over is looked into as well: entries may come due while it lasts */
	size_t most;              /* entries of one run, about; the next run goes on. 0: no bound */
	/* Does what is due, for 1 to DUE_AT_ONCE entries of one minute, and deletes or moves them; what stays is seen again as long as the
	 * minute is looked into. owner as in struct due; call has an arena of its own and the turn of due_run's. An error ends the run,
	 * which begins with this minute the next time. The queue's lock is held, the seal is not. */
	enum bulla_err (*handle)(void *owner, struct bulla_call *call, const struct due_entry *entries, size_t count);
};

/* Borrowed parts, but for the rest, which is by lock. */
struct due {
	const struct due_kind *kind;
	struct store *store;
	struct seal *seal;
	void *owner;
	pthread_mutex_t lock; /* one run at a time */
	bool loaded;          /* what follows was read from the store */
	uint64_t from;        /* the first minute that was not looked into */
	uint64_t stored;      /* the same as the store has it */
	uint64_t revision;    /* of the record that says so; 0: there is none */
};

/* NO_MEMORY. To be ended by due_end, once. */
BULLA_MUST_USE enum bulla_err due_init(struct due *due, const struct due_kind *kind, struct store *store, struct seal *seal,
				       void *owner);
void due_end(struct due *due);

uint64_t due_minute(int64_t time_s);

/* Of the entry with that content; the collection is the minute's alone. SEALED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err due_slot(const struct due_kind *kind, struct seal *seal, uint64_t minute, struct bulla_bytes content,
				       struct store_id *out);
/* The entry as a write of a commit: there must be none yet; what it borrows is in the arena. Errors of barrier_seal. */
BULLA_MUST_USE enum bulla_err due_filing(const struct due_kind *kind, struct seal *seal, struct bulla_call *call, uint64_t minute,
					 struct bulla_bytes content, struct store_write *out);
/* Its deletion: that it is there is not asked. SEALED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err due_removal(const struct due_kind *kind, struct seal *seal, uint64_t minute, struct bulla_bytes content,
					  struct store_write *out);

/* The lock is held for both. Handles what is due at now_s; the first run of all begins with the minute of now_s. STORE*, SEALED,
 * NO_MEMORY; handle's, with its detail. */
BULLA_MUST_USE enum bulla_err due_run(struct due *due, struct bulla_call *call, int64_t now_s);
/* Writes down how far it came, once an hour: there a restart begins. Where another node wrote it meanwhile, that is read by the next
 * run. STORE*, SEALED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err due_store(struct due *due, struct bulla_call *call);

/* The store may be another's afterwards: the next run reads anew. Takes the lock. */
void due_forget(struct due *due);

#endif
