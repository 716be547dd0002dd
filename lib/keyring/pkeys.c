/* pkeys.c: owns the opened keys of versions: opening costs more than most of what is done with them. Any thread. */
#include "keyring/internal.h"

#include <stdlib.h>

static struct version *owner(const struct key_version *version)
{
	return rcu_entry((struct key_version *)(uintptr_t)version, struct version, pub);
}

static enum bulla_err open_version(const struct key *key, const struct key_version *version, struct pkey **out)
{
	enum bulla_err err = pkey_open(key_alg(key), bulla_mem(version->key, version->key_len), out);

	return err == BULLA_E_BAD_KEY_MATERIAL ? BULLA_E_STORE_DAMAGED : err;
}

enum bulla_err keyring_pkey(const struct key *key, const struct key_version *version, struct pkey **out)
{
	struct version *mine = owner(version);
	struct pkey *pkey = atomic_load_explicit(&mine->opened, memory_order_acquire), *other = NULL;

	if (pkey == NULL) {
		TRY(open_version(key, version, &pkey));
		if (!pkey_keep_open()) {
			*out = pkey; /* the caller's alone */
			return BULLA_OK;
		}
		if (!atomic_compare_exchange_strong(&mine->opened, &other, pkey)) {
			pkey_put(pkey);
			pkey = other;
		}
	}
	*out = pkey_hold(pkey);
	return BULLA_OK;
}

static enum bulla_err make_public(const struct key *key, const struct key_version *version, struct public_key **out)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;
	BULLA_CLEANUP(material_clear) struct material der = { 0 };

	TRY(open_version(key, version, &pkey));
	TRY(pkey_encode(pkey, PKEY_PUBLIC, &der));
	struct public_key *public = malloc(sizeof *public + der.len);

	if (public == NULL)
		return BULLA_E_NO_MEMORY;
	public->len = der.len;
	memcpy(public->der, der.ptr, der.len);
	*out = public;
	return BULLA_OK;
}

enum bulla_err version_public(const struct key *key, const struct key_version *version, struct bulla_bytes *der)
{
	struct version *mine = owner(version);
	struct public_key *public = atomic_load_explicit(&mine->public, memory_order_acquire), *other = NULL;

	if (public == NULL) {
		TRY(make_public(key, version, &public));
		if (!atomic_compare_exchange_strong(&mine->public, &other, public)) {
			free(public);
			public = other;
		}
	}
	*der = bulla_mem(public->der, public->len);
	return BULLA_OK;
}

bool version_public_known(const struct key_version *version)
{
	return atomic_load_explicit(&owner(version)->public, memory_order_relaxed) != NULL;
}

void version_close(struct version *version)
{
	pkey_put(atomic_load_explicit(&version->opened, memory_order_relaxed));
	free(atomic_load_explicit(&version->public, memory_order_relaxed));
}
