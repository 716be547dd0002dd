/* byok.c: owns the export of keys under another server's wrapping key. Workers. */
#include "transit/import.h"

static enum bulla_err refuse(struct bulla_call *call, const char *why)
{
	return bulla_fail(call, BULLA_E_INVALID_500, "%s", why);
}

/* What was found at the destination: a key, or why it will not do, which counts only when all is well with the source. */
struct destination {
	struct pkey *pkey;
	enum bulla_err err;
	struct bulla_bytes why;
};

static void destination_clear(struct destination *destination)
{
	pkey_put(destination->pkey);
}

static enum bulla_err open_pkey(struct bulla_call *call, const struct key *key, struct pkey **out)
{
	const struct key_version *version;

	if ((key_alg(key)->can & ALG_SIGN) == 0)
		return bulla_fail(call, BULLA_E_INVALID_500, "key wrapping (requring message signing) is not supported for key type %s",
				  key_alg(key)->name);
	TRY(key_version_use(key, key_latest(key), call, &version));
	TRY(keyring_pkey(key, version, out));
	if (pkey_modulus_bytes(*out) == 0)
		return refuse(call, "unsupported key type in use; must be a rsa key");
	return BULLA_OK;
}

static enum bulla_err begin(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			    const char *missing, const struct key **out)
{
	enum bulla_err err = keyring_begin(engine->keyring, call, mount, name, out);

	return err == BULLA_E_NOT_FOUND ? refuse(call, missing) : err;
}

static enum bulla_err find_destination(struct bulla *engine, struct bulla_call *call, const struct bulla_byok_args *args,
				       struct destination *out)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;

	TRY(begin(engine, call, args->mount, args->destination, "no such destination key to export to", &key));
	if (key_soft_deleted(key))
		return refuse(call, "for destination key: refusing to use soft-deleted key");
	out->err = open_pkey(call, key, &out->pkey);
	out->why = call->detail;
	call->detail = (struct bulla_bytes){ 0 };
	return BULLA_OK;
}

/* What travels: symmetric bytes, or PKCS#8. */
static enum bulla_err wrap_version(struct bulla_call *call, const struct key *key, uint32_t number, const struct pkey *under,
				   enum digest hash, struct bulla_export_entry *out)
{
	const struct key_version *version;
	enum bulla_err err = key_version_use(key, number, call, &version);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, "version does not exist or cannot be found");
	TRY(err);
	if (version->public_only)
		return refuse(call, "failed to wrap target key for import: the private key is missing");
	out->version = number;
	return wrapping_seal(call, under, hash, bulla_mem(version->key, version->key_len), &out->material);
}

/* Within the source's read section. */
static enum bulla_err wrap_all(struct bulla_call *call, const struct key *source, const struct destination *destination,
			       const struct bulla_byok_args *args, struct bulla_export_result *out)
{
	uint32_t first = 0, last = 0;
	enum digest hash;

	TRY(export_range(call, source, args->version, &first, &last));
	if (!wrapping_hash(args->hash, &hash))
		return bulla_fail(call, BULLA_E_INVALID_500, "unknown hash function: %.*s", (int)args->hash.len,
				  (const char *)args->hash.ptr);
	if (destination->err != BULLA_OK) {
		call->detail = destination->why;
		return destination->err;
	}
	size_t count = last - first + 1;
	struct bulla_export_entry *entries = bulla_arena_alloc(call->arena, count * sizeof *entries);

	if (entries == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		TRY(wrap_version(call, source, first + (uint32_t)i, destination->pkey, hash, &entries[i]));
	*out = (struct bulla_export_result){ .type = key_alg(source)->name, .entries = entries, .count = count };
	return BULLA_OK;
}

enum bulla_err bulla_byok_export(struct bulla *engine, struct bulla_call *call, const struct bulla_byok_args *args,
				 struct bulla_export_result *out)
{
	BULLA_CLEANUP(destination_clear) struct destination destination = { 0 };
	BULLA_CLEANUP(transit_end) const struct key *source = NULL;

	if (!call->may_block)
		return BULLA_E_MUST_BLOCK;
	TRY(find_destination(engine, call, args, &destination));
	TRY(begin(engine, call, args->mount, args->source, "no such source key for export", &source));
	if (!key_exportable(source))
		return bulla_fail(call, BULLA_E_INVALID, "key is not exportable");
	if (key_soft_deleted(source))
		return refuse(call, "for source key: refusing to use soft-deleted key");
	return wrap_all(call, source, &destination, args, out);
}
