/* hmac.c: owns HMACs under a named key. Any thread. */
#include "bulla/sign.h"
#include "access/grant.h"
#include "transit/transit.h"

/* The version that a request asks for, in the peer's order of refusals. */
static enum bulla_err choose_version(struct bulla_call *call, const struct key *key, int64_t wanted, const struct key_version **out)
{
	uint32_t latest = key_latest(key), least = key_min_encryption(key);

	if (wanted != 0 && wanted != latest && least > 0 && wanted < least)
		return bulla_fail(call, BULLA_E_INVALID, "cannot generate HMAC: version is too old (disallowed by policy)");
	TRY(transit_usable(call, key));
	if (wanted < 0)
		return bulla_fail(call, BULLA_E_INVALID, "key version does not exist (cannot be negative)");
	if (wanted > latest)
		return bulla_fail(call, BULLA_E_INVALID, "key version does not exist; latest key version is %u", (unsigned)latest);
	return transit_use_version(call, key, wanted == 0 ? latest : (uint32_t)wanted, out);
}

/* The peer names no algorithm here. */
static enum bulla_err parse_algorithm(struct bulla_call *call, struct bulla_bytes name, enum digest *out)
{
	if (!digest_by_name(name, out))
		return bulla_fail(call, BULLA_E_INVALID, "unsupported algorithm '\\x00'");
	if (*out == DIGEST_NONE)
		return bulla_fail(call, BULLA_E_INVALID, "algorithm cannot be none");
	return BULLA_OK;
}

static enum bulla_err make(struct bulla_call *call, enum digest digest, struct bulla_bytes secret, struct bulla_bytes input,
			   struct bulla_bytes *out)
{
	uint8_t *mac = bulla_arena_alloc(call->arena, digest_bytes(digest));

	if (mac == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(digest_hmac(digest, secret, input, mac));
	*out = bulla_mem(mac, digest_bytes(digest));
	return BULLA_OK;
}

static enum bulla_err hmac_item(struct bulla_call *call, enum digest digest, const struct key_version *version, size_t at,
				const struct bulla_sign_item *item, struct bulla_item_result *result)
{
	*result = (struct bulla_item_result){ .err = item->err, .error = item->error };
	if (item->err == BULLA_OK)
		TRY(transit_settle(call, grant_check_index(call, at), result));
	if (result->err != BULLA_OK)
		return BULLA_OK;
	TRY(make(call, digest, bulla_mem(version->hmac_key, version->hmac_key_len), item->input, &result->bytes));
	result->key_version = version->version;
	return BULLA_OK;
}

/* A slice, from the item at on. */
static enum bulla_err hmac_some(struct bulla *engine, struct bulla_call *call, const struct bulla_hmac_args *args, size_t bytes,
				struct bulla_item_result *results, size_t *at)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	const struct key_version *version;
	struct transit_slice slice = { 0 };
	enum digest digest;
	bool over = false;

	TRY(transit_begin_heavy(engine, call, args->mount, args->name, TRANSIT_MAC, args->count, bytes, &key));
	TRY(choose_version(call, key, args->key_version, &version));
	TRY(parse_algorithm(call, args->algorithm, &digest));
	for (; !over && *at < args->count; ++*at) {
		const struct bulla_sign_item *item = &args->items[*at];

		TRY(hmac_item(call, digest, version, *at, item, &results[*at]));
		over = transit_slice_ends(call, &slice, transit_weight(NULL, TRANSIT_MAC, 1, item->input.len));
	}
	return BULLA_OK;
}

enum bulla_err bulla_hmac(struct bulla *engine, struct bulla_call *call, const struct bulla_hmac_args *args,
			  struct bulla_item_result *results)
{
	size_t bytes = transit_sign_bytes(args->items, args->count), at = 0;

	TRY(hmac_some(engine, call, args, bytes, results, &at));
	while (at < args->count) {
		TRY(transit_yield(engine, call));
		TRY(hmac_some(engine, call, args, bytes, results, &at));
	}
	return BULLA_OK;
}
