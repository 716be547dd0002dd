/* snapshot.c: owns struct key: an immutable picture of one key at one revision, counted by its holders and read without a
 * lock. Any thread reads; who makes one has it alone until it is published. */
#include "keyring/internal.h"

#include <stdlib.h>

const struct alg *key_alg(const struct key *key) { return key->head.alg; }
struct bulla_bytes key_name(const struct key *key) { return bulla_mem(key->name, key->name_len); }
bool key_soft_deleted(const struct key *key) { return key->head.flags & KEY_SOFT_DELETED; }
bool key_exportable(const struct key *key) { return key->head.flags & KEY_EXPORTABLE; }
bool key_plaintext_backup(const struct key *key) { return key->head.flags & KEY_BACKUP; }
bool key_derived(const struct key *key) { return key->head.flags & KEY_DERIVED; }
bool key_counter_kdf(const struct key *key) { return key->head.flags & KEY_COUNTER_KDF; }
bool key_convergent(const struct key *key) { return key->head.flags & KEY_CONVERGENT; }
uint32_t key_latest(const struct key *key) { return key->head.latest; }
uint32_t key_min_decryption(const struct key *key) { return key->head.min_decryption; }
uint32_t key_min_encryption(const struct key *key) { return key->head.min_encryption; }
uint32_t key_min_available(const struct key *key) { return key->head.min_available; }

uint32_t key_first(const struct key *key)
{
	return key->head.min_available > 1 ? key->head.min_available : 1;
}

const struct key_version *key_version(const struct key *key, uint32_t version)
{
	const struct version *found = key->newest;

	if (found == NULL || found->pub.version != version)
		found = versions_get(&key->versions, version);
	return found == NULL ? NULL : &found->pub;
}

enum bulla_err key_version_use(const struct key *key, uint32_t version, struct bulla_call *call,
			       const struct key_version **out)
{
	const struct key_version *found = key_version(key, version);

	if (found == NULL)
		return BULLA_E_NOT_FOUND;
	if (found->key == NULL)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the stored record of version %u of key %.*s is damaged",
				  version, (int)key->name_len, (const char *)key->name);
	*out = found;
	return BULLA_OK;
}

struct key *key_new(const struct key_id *id, const struct key_head *head)
{
	struct key *key = calloc(1, sizeof *key + id->name.len);

	if (key == NULL)
		return NULL;
	key->data_key = bulla_secret_alloc(DATA_KEY_BYTES);
	if (key->data_key == NULL) {
		free(key);
		return NULL;
	}
	atomic_init(&key->snapshot.refs, 1);
	key->head = *head;
	memcpy(key->mount, id->mount, MOUNT_UUID);
	key->name_len = id->name.len;
	memcpy(key->name, id->name.ptr, id->name.len);
	return key;
}

struct key *key_next(const struct key *key)
{
	struct key_id id = { .mount = key->mount, .name = key_name(key) };
	struct key *next = key_new(&id, &key->head);

	if (next == NULL)
		return NULL;
	memcpy(next->data_key, key->data_key, DATA_KEY_BYTES);
	next->versions = versions_share(&key->versions);
	next->newest = key->newest;
	return next;
}

static void take_tree(struct key *key, struct version_tree tree)
{
	versions_put(&key->versions);
	key->versions = tree;
	key->newest = versions_get(&tree, key->head.latest);
}

size_t key_size(const struct key *key)
{
	return key->head.alg->max_key_size == 0 || key->newest == NULL ? 0 : key->newest->pub.key_len;
}

enum bulla_err key_add(struct key *key, struct version *version)
{
	struct version_tree tree;

	if (key->head.alg->can & ALG_HMAC && version->pub.key != NULL) { /* as the peer has it */
		version->pub.hmac_key = version->pub.key;
		version->pub.hmac_key_len = version->pub.key_len;
	}
	enum bulla_err err = versions_with(&key->versions, version, &tree);

	if (err != BULLA_OK) {
		version_put(version);
		return err;
	}
	take_tree(key, tree);
	return BULLA_OK;
}

enum bulla_err key_drop_below(struct key *key, uint32_t min)
{
	struct version_tree tree;

	TRY(versions_from(&key->versions, min, &tree));
	take_tree(key, tree);
	return BULLA_OK;
}

struct key *key_hold(struct key *key)
{
	snapshot_hold(&key->snapshot);
	return key;
}

void key_put(struct key *key)
{
	if (key == NULL || !snapshot_release(&key->snapshot))
		return;
	versions_put(&key->versions);
	bulla_secret_free(key->data_key, DATA_KEY_BYTES);
	free(key);
}

static size_t live_versions(const struct key *key)
{
	return key->head.latest - key_first(key) + 1;
}

size_t key_locked_charge(const struct key *key)
{
	size_t cell = 32; /* as secret memory is handed out */
	size_t bytes = key->newest == NULL ? KEY_HMAC_BYTES + key->head.alg->key_bytes : key->newest->cell_bytes;

	while (cell < bytes)
		cell *= 2;
	return DATA_KEY_BYTES + live_versions(key) * cell;
}

size_t key_charge(const struct key *key)
{
	return sizeof *key + key->name_len + live_versions(key) * (sizeof(struct version) + sizeof(void *)) +
	       key_locked_charge(key);
}
