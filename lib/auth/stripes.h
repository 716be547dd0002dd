/* stripes.h: locks that keep changes of one thing apart without a lock for each thing: the name chooses one of 64. Two names may
 * share one: whoever holds one takes no second of the same set. Workers only. */
#ifndef BULLA_AUTH_STRIPES_H
#define BULLA_AUTH_STRIPES_H

#include <pthread.h>

#include "bulla/bytes.h"

#define STRIPES_COUNT 64

struct stripes {
	pthread_rwlock_t locks[STRIPES_COUNT];
};

void stripes_init(struct stripes *stripes);
void stripes_clear(struct stripes *stripes);
/* To be given back with stripes_release. */
pthread_rwlock_t *stripes_lock(struct stripes *stripes, const uint8_t uuid[16], struct bulla_bytes name) __attribute__((warn_unused_result));
pthread_rwlock_t *stripes_share(struct stripes *stripes, const uint8_t uuid[16], struct bulla_bytes name) __attribute__((warn_unused_result));
void stripes_release(pthread_rwlock_t *lock);

#endif
