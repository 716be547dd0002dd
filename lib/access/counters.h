/* counters.h: counts by key in windows of time: of budgets and of rate limits. Bounded: what a window's end has made useless goes
 * first. Any thread; nothing waits under a lock but for another's few instructions. */
#ifndef BULLA_ACCESS_COUNTERS_H
#define BULLA_ACCESS_COUNTERS_H

#include "bulla/bytes.h"
#include "bulla/error.h"

#define COUNTER_KEY 32

/* Under the lock of its stripe from counters_get to counters_put. Zeros when it is new. */
struct counter {
	uint8_t key[COUNTER_KEY];
	int64_t window;       /* which one it counts: the time in units of the window's length, or whatever its owner says */
	int64_t used;
	int64_t left;         /* durable budgets, in the place of used: of the blocks that this process has reserved */
	int64_t reserved;     /* durable budgets: how far the record on disk was seen to reach, blocks of other nodes included */
	int64_t until_ns;     /* rate limits: nobody is let through before; and by when the whole may be forgotten */
	bool loaded;          /* budgets: reserved is what the disk says */
	struct counter *next;
};

struct counters;

/* max: how many there may be. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err counters_new(size_t max, struct counters **out);
void counters_free(struct counters *counters); /* NULL is fine */
void counters_empty(struct counters *counters);

/* The counter of key, made if need be. expires_ns: by when it may be forgotten if it is made now. NULL: there is no room, or no
 * memory: the caller refuses. */
struct counter *counters_get(struct counters *counters, const uint8_t key[COUNTER_KEY], int64_t now_ns, int64_t expires_ns);
void counters_put(struct counters *counters, struct counter *counter);

#endif
