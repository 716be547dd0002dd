/* import_version.c: owns further versions of imported keys, and private keys for versions that are public keys alone. Workers. */
#include "transit/import.h"

struct import {
	struct bulla_bytes name;
	const int64_t *wanted; /* NULL: not said */
	const struct alg *alg; /* of the key that the material was read for */
	struct incoming incoming;
	struct material material;
	struct pkey *pkey;     /* NULL: symmetric */
	enum bulla_err parsed; /* what incoming_parse said, and */
	struct bulla_bytes why;
	uint8_t hmac_key[KEY_HMAC_BYTES];
};

static void import_clear(struct import *import)
{
	incoming_clear(&import->incoming);
	material_clear(&import->material);
	pkey_put(import->pkey);
	bulla_wipe(import->hmac_key, sizeof import->hmac_key);
}

static enum bulla_err refuse(struct bulla_call *call, const char *why)
{
	return bulla_fail(call, BULLA_E_INVALID_500, "%s", why);
}

static enum bulla_err check_key(struct bulla_call *call, const struct key *key, struct bulla_bytes name)
{
	if (key == NULL)
		return bulla_fail(call, BULLA_E_INVALID_500, "no key found with name %.*s; to import a new key, use the import/ endpoint",
				  (int)name.len, (const char *)name.ptr);
	if (!key_facts(key).imported)
		return refuse(call, "the import_version endpoint can only be used with an imported key");
	if (key_convergent(key))
		return refuse(call, "import_version cannot be used on keys with convergent encryption enabled");
	return BULLA_OK;
}

/* Whether a private key belongs to the public one of a version. */
static bool belongs(const struct pkey *private, const struct key_version *version)
{
	BULLA_CLEANUP(pkey_release) struct pkey *public = NULL;

	return private != NULL && pkey_open(pkey_alg(private), bulla_mem(version->key, version->key_len), &public) == BULLA_OK &&
	       pkey_same_public(private, public);
}

/* The private key in the place of the public one; all else stays. */
static void complete(const struct import *import, const struct key_version *version, struct key_edit *edit)
{
	edit->version = *version;
	edit->version.key = import->material.ptr;
	edit->version.key_len = import->material.len;
	edit->version.public_only = false;
}

/* A version that was named: it can only be completed. */
static enum bulla_err edit_wanted(struct bulla_call *call, const struct key *key, const struct import *import, struct key_edit *edit)
{
	int64_t wanted = *import->wanted;
	const struct key_version *version = NULL;

	if (wanted < key_min_decryption(key) || wanted > key_latest(key))
		return refuse(call, "no such key version");
	TRY(key_version_use(key, (uint32_t)wanted, call, &version));
	if ((import->alg->can & ALG_PKEY) == 0)
		return refuse(call, "provided type does not support importing key versions");
	if (version->public_only && !import->incoming.private)
		return refuse(call, "cannot add a public key to a key version that already has a public key set");
	if (!version->public_only)
		return refuse(call, "private key imported, key version cannot be updated");
	if (key_soft_deleted(key))
		return BULLA_E_KEY_SOFT_DELETED;
	if (import->parsed != BULLA_OK) {
		call->detail = import->why;
		return import->parsed;
	}
	if (!belongs(import->pkey, version))
		return refuse(call, "cannot import key, key pair does not match");
	complete(import, version, edit);
	return BULLA_OK;
}

static enum bulla_err edit_key(struct bulla_call *call, const struct key *key, void *context, struct key_edit *edit)
{
	struct import *import = context;
	const struct key_version *latest = NULL;

	TRY(check_key(call, key, import->name));
	if (key_alg(key) != import->alg)
		return bulla_fail(call, BULLA_E_CONFLICT, "the key was replaced at the same time; try again");
	if (import->wanted != NULL)
		return edit_wanted(call, key, import, edit);
	if (key_soft_deleted(key))
		return BULLA_E_KEY_SOFT_DELETED;
	if (import->parsed != BULLA_OK) {
		call->detail = import->why;
		return import->parsed;
	}
	if (key_derived(key) && !import->incoming.private)
		return refuse(call, "unable to import only public key for derived Ed25519 key");
	TRY(key_version_use(key, key_latest(key), call, &latest));
	if (latest->public_only && import->incoming.private && belongs(import->pkey, latest)) {
		complete(import, latest, edit);
		return BULLA_OK;
	}
	edit->imported = true;
	return incoming_version(&import->material, !import->incoming.private, import->hmac_key, &edit->version);
}

/* Its type tells how the material is read. */
static enum bulla_err find_key(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			       struct bulla_bytes name, const struct alg **alg)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	enum bulla_err err = keyring_begin(engine->keyring, call, mount, name, &key);

	if (err != BULLA_E_NOT_FOUND)
		TRY(err);
	TRY(check_key(call, err == BULLA_OK ? key : NULL, name));
	*alg = key_alg(key);
	return BULLA_OK;
}

enum bulla_err bulla_key_import_version(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					struct bulla_bytes name, const struct bulla_import_source *source, const int64_t *version)
{
	BULLA_CLEANUP(import_clear) struct import import = { .name = name, .wanted = version };

	TRY(bulla_work(call, BULLA_WORK_CPU));
	TRY(find_key(engine, call, mount, name, &import.alg));
	TRY(incoming_read(engine, call, mount, source, import.alg, &import.incoming));
	import.parsed = incoming_parse(call, &import.incoming, import.alg, &import.material, &import.pkey);
	import.why = call->detail;
	call->detail = (struct bulla_bytes){ 0 };
	return keyring_edit(engine->keyring, call, mount, name, edit_key, &import, NULL);
}
