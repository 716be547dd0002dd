/* cache.c: owns what the cache of snapshots (state/snapshots.h) is told of keys. Workers only. */
#include "keyring/internal.h"

void cache_publish(struct keyring *keyring, struct key *key, const struct key_id *id)
{
	key->snapshot.bytes = key_charge(key);
	key->snapshot.locked = key_locked_charge(key);
	snapshots_publish(&keyring->cache, &key->snapshot, id->hash, id);
}

static bool is_of(const struct snapshot *snapshot, const void *mount)
{
	return memcmp(rcu_entry(snapshot, const struct key, snapshot)->mount, mount, MOUNT_UUID) == 0;
}

void cache_forget(struct keyring *keyring, const uint8_t *mount)
{
	snapshots_forget(&keyring->cache, mount == NULL ? NULL : is_of, mount);
	rcu_drain();
}

void cache_shrink(struct keyring *keyring)
{
	snapshots_shrink(&keyring->cache);
	rcu_drain();
}
