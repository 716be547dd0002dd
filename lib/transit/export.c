/* export.c: owns the export of key material, for keys that allow it. Any thread. */
#include "transit/import.h"

enum kind { ENCRYPTION_KEY, SIGNING_KEY, HMAC_KEY, PUBLIC_KEY, CERTIFICATE_CHAIN, KINDS };

static const char *const kind_names[KINDS] = { "encryption-key", "signing-key", "hmac-key", "public-key", "certificate-chain" };
static const char *const formats[] = { "", "raw", "der", "pem" };

static enum bulla_err parse_kind(struct bulla_call *call, struct bulla_bytes text, enum kind *out)
{
	for (int i = 0; i < KINDS; i++)
		if (bulla_is(text, kind_names[i])) {
			*out = (enum kind)i;
			return BULLA_OK;
		}
	return bulla_fail(call, BULLA_E_INVALID, "invalid export type: %.*s", (int)text.len,
			  (const char *)text.ptr);
}

static enum bulla_err check_format(struct bulla_call *call, struct bulla_bytes text)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (bulla_is(text, formats[i]))
			return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "invalid format: %.*s", (int)text.len, (const char *)text.ptr);
}

/* What the key allows and can have at all, in the peer's order. */
static enum bulla_err check_key(struct bulla_call *call, const struct key *key, enum kind kind)
{
	unsigned can = key_alg(key)->can;

	if (kind != PUBLIC_KEY && kind != CERTIFICATE_CHAIN && !key_exportable(key))
		return bulla_fail(call, BULLA_E_INVALID, "private key material is not exportable");
	if (key_soft_deleted(key))
		return BULLA_E_KEY_SOFT_DELETED;
	if (kind == ENCRYPTION_KEY && (can & ALG_ENCRYPT) == 0)
		return bulla_fail(call, BULLA_E_INVALID, "encryption not supported for the key");
	if (kind == SIGNING_KEY && (can & ALG_SIGN) == 0)
		return bulla_fail(call, BULLA_E_INVALID, "signing not supported for the key");
	if (kind == CERTIFICATE_CHAIN && (can & ALG_SIGN) == 0)
		return bulla_fail(call, BULLA_E_INVALID, "certificate chain not supported for keys that do not support signing");
	return BULLA_OK;
}

/* As Go's Atoi reads it: a sign, then decimal digits. */
static bool parse_number(struct bulla_bytes text, int64_t *out)
{
	bool negative = text.len > 0 && text.ptr[0] == '-';
	size_t i = negative || (text.len > 0 && text.ptr[0] == '+');
	int64_t v = 0;

	if (i == text.len)
		return false;
	for (; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9' || __builtin_mul_overflow(v, (int64_t)10, &v) ||
		    __builtin_add_overflow(v, (int64_t)(text.ptr[i] - '0'), &v))
			return false;
	*out = negative ? -v : v;
	return true;
}

enum bulla_err export_range(struct bulla_call *call, const struct key *key, struct bulla_bytes text, uint32_t *first, uint32_t *last)
{
	uint32_t latest = key_latest(key), least = key_min_decryption(key);
	int64_t v = 0;

	if (text.len == 0 || bulla_is(text, "latest")) {
		*last = latest;
		*first = text.len > 0 ? latest : least > 1 ? least : 1;
		return BULLA_OK;
	}
	if (text.ptr[0] == 'v')
		text = bulla_mem(text.ptr + 1, text.len - 1);
	if (!parse_number(text, &v))
		return bulla_fail(call, BULLA_E_INVALID, "invalid key version");
	if (v < 1 || v < least)
		return bulla_fail(call, BULLA_E_INVALID, "version for export is below minimum decryption version");
	if (v > latest)
		return bulla_fail(call, BULLA_E_INVALID, "version does not exist or cannot be found");
	*first = *last = (uint32_t)v;
	return BULLA_OK;
}

/* The one format of symmetric material and HMAC keys. The peer says so in these words for both. */
static enum bulla_err print_raw(struct bulla_call *call, struct bulla_bytes format, struct bulla_bytes material,
				struct bulla_bytes *out)
{
	if (format.len > 0 && !bulla_is(format, "raw"))
		return bulla_fail(call, BULLA_E_INVALID_500, "unknown format for HMAC key; supported values are `` or `raw`");
	return export_base64(call, material, out);
}

static enum bulla_err print_asymmetric(struct bulla_call *call, const struct key *key, enum kind kind,
				       const struct key_version *version, struct bulla_bytes format, struct bulla_bytes *out)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;

	TRY(keyring_pkey(key, version, &pkey));
	return kind == PUBLIC_KEY ? export_public(call, pkey, format, out) : export_private(call, pkey, format, out);
}

static enum bulla_err export_version(struct bulla_call *call, const struct key *key, enum kind kind, uint32_t number,
				     struct bulla_bytes format, struct bulla_export_entry *out)
{
	bool asymmetric = (key_alg(key)->can & ALG_PKEY) != 0;
	const struct key_version *version;
	enum bulla_err err = key_version_use(key, number, call, &version);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, "version does not exist or cannot be found");
	TRY(err);
	out->version = number;
	if (kind == HMAC_KEY)
		return print_raw(call, format, bulla_mem(version->hmac_key, version->hmac_key_len), &out->material);
	if (kind == CERTIFICATE_CHAIN)
		return export_chain(call, version->chain, &out->material);
	if (asymmetric)
		return print_asymmetric(call, key, kind, version, format, &out->material);
	if (kind == PUBLIC_KEY)
		return bulla_fail(call, BULLA_E_INVALID_500, "unknown key type %s for export type public-key", key_alg(key)->name);
	return print_raw(call, format, bulla_mem(version->key, version->key_len), &out->material);
}

/* How far an export is. */
struct progress {
	enum kind kind;
	const struct bulla_export_args *args;
	struct bulla_export_result result; /* entries NULL: it has not begun */
	uint32_t first;
	size_t done;
};

static enum transit_op op_of(const struct key *key, enum kind kind)
{
	bool encodes = (key_alg(key)->can & ALG_PKEY) != 0 && (kind == ENCRYPTION_KEY || kind == SIGNING_KEY || kind == PUBLIC_KEY);

	return encodes ? TRANSIT_OPEN : TRANSIT_MAC;
}

/* Within the key's read section: what is to be exported. *ns: how long it takes. */
static enum bulla_err begin_export(struct bulla_call *call, const struct key *key, struct progress *p, uint64_t *ns)
{
	uint32_t last;

	TRY(check_key(call, key, p->kind));
	TRY(export_range(call, key, p->args->version, &p->first, &last));
	p->result = (struct bulla_export_result){ .type = key_alg(key)->name, .count = last - p->first + 1 };
	*ns = transit_weight(key_alg(key), op_of(key, p->kind), p->result.count, 0);
	p->result.entries = bulla_arena_alloc(call->arena, p->result.count * sizeof *p->result.entries);
	return p->result.entries == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* Within the key's read section: a slice of it. */
static enum bulla_err export_some(struct bulla_call *call, const struct key *key, struct progress *p)
{
	uint64_t ns = transit_weight(key_alg(key), op_of(key, p->kind), 1, 0);
	struct transit_slice slice = { 0 };
	bool over = false;

	TRY(check_key(call, key, p->kind));
	for (; !over && p->done < p->result.count; p->done++) {
		TRY(export_version(call, key, p->kind, p->first + (uint32_t)p->done, p->args->format, &p->result.entries[p->done]));
		over = transit_slice_ends(call, &slice, ns);
	}
	return BULLA_OK;
}

/* begin_export or export_some, with the key. */
static enum bulla_err with_key(struct bulla *engine, struct bulla_call *call, struct progress *p, uint64_t *ns)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;

	TRY(keyring_begin(engine->keyring, call, p->args->mount, p->args->name, &key));
	return p->result.entries == NULL ? begin_export(call, key, p, ns) : export_some(call, key, p);
}

enum bulla_err bulla_export(struct bulla *engine, struct bulla_call *call, const struct bulla_export_args *args,
			    struct bulla_export_result *out)
{
	struct progress progress = { .args = args };
	uint64_t ns = 0;

	TRY(parse_kind(call, args->kind, &progress.kind));
	TRY(check_format(call, args->format));
	TRY(with_key(engine, call, &progress, &ns));
	TRY(transit_weigh(call, ns));
	while (progress.done < progress.result.count) {
		TRY(with_key(engine, call, &progress, &ns));
		TRY(transit_yield(engine, call));
	}
	*out = progress.result;
	return BULLA_OK;
}
