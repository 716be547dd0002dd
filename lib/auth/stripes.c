/* stripes.c: see stripes.h. */
#include "auth/stripes.h"

void stripes_init(struct stripes *stripes)
{
	for (size_t i = 0; i < STRIPES_COUNT; i++)
		pthread_rwlock_init(&stripes->locks[i], NULL);
}

void stripes_clear(struct stripes *stripes)
{
	for (size_t i = 0; i < STRIPES_COUNT; i++)
		pthread_rwlock_destroy(&stripes->locks[i]);
}

/* FNV-1a: whoever chooses names that collide waits for himself. */
static uint64_t mix(uint64_t hash, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001B3);
	return hash;
}

static pthread_rwlock_t *find(struct stripes *stripes, const uint8_t uuid[16], struct bulla_bytes name)
{
	uint64_t hash = mix(mix(UINT64_C(0xCBF29CE484222325), uuid, 16), name.ptr, name.len);

	return &stripes->locks[(hash ^ hash >> 32) % STRIPES_COUNT];
}

pthread_rwlock_t *stripes_lock(struct stripes *stripes, const uint8_t uuid[16], struct bulla_bytes name)
{
	pthread_rwlock_t *lock = find(stripes, uuid, name);

	pthread_rwlock_wrlock(lock);
	return lock;
}

pthread_rwlock_t *stripes_share(struct stripes *stripes, const uint8_t uuid[16], struct bulla_bytes name)
{
	pthread_rwlock_t *lock = find(stripes, uuid, name);

	pthread_rwlock_rdlock(lock);
	return lock;
}

void stripes_release(pthread_rwlock_t *lock)
{
	pthread_rwlock_unlock(lock);
}
