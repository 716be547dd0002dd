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

/* How far it is. */
struct progress {
	uint32_t first;
	enum digest hash;
	struct bulla_export_result result; /* entries NULL: it has not begun */
	size_t done;
};

/* Within the source's read section. */
static enum bulla_err begin_wrapping(struct bulla_call *call, const struct key *source, const struct destination *destination,
				     const struct bulla_byok_args *args, struct progress *p)
{
	uint32_t last = 0;

	TRY(export_range(call, source, args->version, &p->first, &last));
	if (!wrapping_hash(args->hash, &p->hash))
		return bulla_fail(call, BULLA_E_INVALID_500, "unknown hash function: %.*s", (int)args->hash.len,
				  (const char *)args->hash.ptr);
	if (destination->err != BULLA_OK) {
		call->detail = destination->why;
		return destination->err;
	}
	p->result = (struct bulla_export_result){ .type = key_alg(source)->name, .count = last - p->first + 1 };
	p->result.entries = bulla_arena_alloc(call->arena, p->result.count * sizeof *p->result.entries);
	return p->result.entries == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* Within a read section of the source of its own: a slice. */
static enum bulla_err wrap_some(struct bulla *engine, struct bulla_call *call, const struct destination *destination,
				const struct bulla_byok_args *args, struct progress *p)
{
	BULLA_CLEANUP(transit_end) const struct key *source = NULL;
	struct transit_slice slice = { 0 };
	bool over = false;

	TRY(begin(engine, call, args->mount, args->source, "no such source key for export", &source));
	if (!key_exportable(source))
		return bulla_fail(call, BULLA_E_INVALID, "key is not exportable");
	if (key_soft_deleted(source))
		return refuse(call, "for source key: refusing to use soft-deleted key");
	if (p->result.entries == NULL)
		return begin_wrapping(call, source, destination, args, p);
	uint64_t ns = transit_weight(pkey_alg(destination->pkey), TRANSIT_ENCRYPT, 1, 0);

	for (; !over && p->done < p->result.count; p->done++) {
		TRY(wrap_version(call, source, p->first + (uint32_t)p->done, destination->pkey, p->hash, &p->result.entries[p->done]));
		over = transit_slice_ends(call, &slice, ns);
	}
	return BULLA_OK;
}

enum bulla_err bulla_byok_export(struct bulla *engine, struct bulla_call *call, const struct bulla_byok_args *args,
				 struct bulla_export_result *out)
{
	BULLA_CLEANUP(destination_clear) struct destination destination = { 0 };
	struct progress progress = { 0 };

	TRY(bulla_work(call, BULLA_WORK_CPU));
	TRY(find_destination(engine, call, args, &destination));
	TRY(wrap_some(engine, call, &destination, args, &progress));
	TRY(bulla_work(call, BULLA_WORK_CPU)); /* the keys may have come from the disk */
	while (progress.done < progress.result.count) {
		TRY(wrap_some(engine, call, &destination, args, &progress));
		TRY(transit_yield(engine, call));
	}
	*out = progress.result;
	return BULLA_OK;
}
