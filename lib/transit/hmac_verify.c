/* hmac_verify.c: owns the verification of HMACs. Any thread. */
#include "bulla/encode.h"
#include "bulla/sign.h"
#include "access/grant.h"
#include "transit/transit.h"

/* The version that an HMAC names, and its bytes in the arena; in the peer's order of refusals. */
static enum bulla_err parse(struct bulla_call *call, struct bulla_bytes proof, int64_t *number, struct bulla_bytes *mac)
{
	static const char *const wrong[] = {
		[TAGGED_NO_PREFIX] = "invalid HMAC to verify: no prefix",
		[TAGGED_NO_FIELDS] = "invalid HMAC: wrong number of fields",
		[TAGGED_NO_NUMBER] = "invalid HMAC: version number could not be decoded",
	};
	struct bulla_bytes text;
	enum tagged tagged = tagged_parse(proof, number, &text);
	size_t len, bad_at;

	if (tagged != TAGGED_OK)
		return bulla_fail(call, BULLA_E_INVALID, "%s", wrong[tagged]);
	uint8_t *bytes = bulla_arena_raw(call->arena, BULLA_BASE64_MAX_DECODED(text.len));

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	if (bulla_base64_decode(text, bytes, &len, &bad_at) != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID,
				  "unable to decode verification HMAC as base64: illegal base64 data at input byte %zu", bad_at);
	*mac = bulla_mem(bytes, len);
	return BULLA_OK;
}

static enum bulla_err find_version(struct bulla_call *call, const struct key *key, int64_t number, const struct key_version **out)
{
	if (number > key_latest(key))
		return transit_too_new(call, key, "invalid HMAC: version is too new");
	if (number < 1 || number < key_min_decryption(key))
		return bulla_fail(call, BULLA_E_INVALID, "cannot verify HMAC: version is too old (disallowed by policy)");
	TRY(transit_usable(call, key));
	return transit_use_version(call, key, (uint32_t)number, out);
}

static enum bulla_err verify_item(struct bulla_call *call, const struct key *key, enum digest digest,
				  const struct bulla_sign_item *item, bool *valid)
{
	const struct key_version *version;
	uint8_t mine[DIGEST_MAX_BYTES];
	struct bulla_bytes mac;
	int64_t number;

	TRY(parse(call, item->proof, &number, &mac));
	TRY(find_version(call, key, number, &version));
	TRY(digest_hmac(digest, bulla_mem(version->hmac_key, version->hmac_key_len), item->input, mine));
	*valid = bulla_equal_secret(bulla_mem(mine, digest_bytes(digest)), mac);
	bulla_wipe(mine, sizeof mine); /* it would make the input pass as signed */
	return BULLA_OK;
}

/* A slice, from the item at on. */
static enum bulla_err verify_some(struct bulla *engine, struct bulla_call *call, const struct bulla_hmac_args *args, size_t bytes,
				  enum digest digest, struct bulla_verdict *results, size_t *at)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	struct transit_slice slice = { 0 };
	bool over = false;

	TRY(transit_begin_heavy(engine, call, args->mount, args->name, TRANSIT_MAC, args->count, bytes, &key));
	if (digest == DIGEST_NONE)
		return bulla_fail(call, BULLA_E_INVALID, "algorithm cannot be none");
	for (; !over && *at < args->count; ++*at) {
		const struct bulla_sign_item *item = &args->items[*at];
		struct bulla_verdict *result = &results[*at];

		*result = (struct bulla_verdict){ .err = item->err, .error = item->error };
		if (item->err == BULLA_OK)
			TRY(transit_settle_as(call, grant_check_index(call, *at), &result->err, &result->error));
		if (result->err == BULLA_OK)
			TRY(transit_settle_as(call, verify_item(call, key, digest, item, &result->valid), &result->err,
					      &result->error));
		over = transit_slice_ends(call, &slice, transit_weight(NULL, TRANSIT_MAC, 1, item->input.len + item->proof.len));
	}
	return BULLA_OK;
}

static enum bulla_err verify_all(struct bulla *engine, struct bulla_call *call, const struct bulla_hmac_args *args,
				 struct bulla_verdict *results)
{
	size_t bytes = transit_sign_bytes(args->items, args->count), at = 0;
	enum digest digest;

	if (!digest_by_name(args->algorithm, &digest))
		return transit_bad_hash(call, args->algorithm);
	TRY(verify_some(engine, call, args, bytes, digest, results, &at));
	while (at < args->count) {
		TRY(transit_yield(engine, call));
		TRY(verify_some(engine, call, args, bytes, digest, results, &at));
	}
	return BULLA_OK;
}

enum bulla_err bulla_hmac_verify(struct bulla *engine, struct bulla_call *call, const struct bulla_hmac_args *args,
				 struct bulla_verdict *results)
{
	enum bulla_err err;

	do
		err = verify_all(engine, call, args, results);
	while (transit_again(engine, call, args->mount, args->name, &err));
	return err;
}
