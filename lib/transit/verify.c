/* verify.c: owns the verification of signatures. Any thread.
 * The items' keys are collected within the keyring's read section and used behind it: a batch may take long. */
#include "bulla/encode.h"
#include "bulla/sign.h"
#include "access/grant.h"
#include "transit/transit.h"

/* An item whose form is good. */
struct pending {
	struct pkey *pkey; /* NULL: there is an error already */
	struct bulla_bytes signature;
};

struct pendings {
	struct pending *list;
	size_t count;
	bool derived;
	uint64_t weight; /* of each */
};

/* What is prepared within one read section, so that others may go by. */
#define AT_ONCE 64

static void pendings_clear(struct pendings *pendings)
{
	for (size_t i = 0; i < pendings->count; i++)
		pkey_put(pendings->list[i].pkey);
}

/* ---- the text ------------------------------------------------------------------------------------------------------------ */

static enum bulla_err decode(struct bulla_call *call, struct bulla_bytes text, enum pkey_marshal marshal, struct bulla_bytes *out)
{
	uint8_t *bytes = bulla_arena_raw(call->arena, BULLA_BASE64_MAX_DECODED(text.len));
	size_t len, bad_at;

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = marshal == PKEY_JWS ? bulla_base64url_decode(text, bytes, &len, &bad_at)
						 : bulla_base64_decode(text, bytes, &len, &bad_at);

	if (err != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID, "invalid base64 signature value");
	*out = bulla_mem(bytes, len);
	return BULLA_OK;
}

/* The version that a signature names, and its bytes; in the peer's order of refusals. */
static enum bulla_err parse(struct bulla_call *call, const struct key *key, enum pkey_marshal marshal, struct bulla_bytes proof,
			    int64_t *number, struct bulla_bytes *signature)
{
	static const char *const wrong[] = {
		[TAGGED_NO_PREFIX] = "invalid signature: no prefix",
		[TAGGED_NO_FIELDS] = "invalid signature: wrong number of fields",
		[TAGGED_NO_NUMBER] = "invalid signature: version number could not be decoded",
	};
	struct bulla_bytes text;
	enum tagged tagged = tagged_parse(proof, number, &text);

	if (tagged != TAGGED_OK)
		return bulla_fail(call, BULLA_E_INVALID, "%s", wrong[tagged]);
	if (*number > key_latest(key))
		return transit_too_new(call, key, "invalid signature: version is too new");
	if (*number < 1 || *number < key_min_decryption(key))
		return bulla_fail(call, BULLA_E_INVALID, "ciphertext or signature version is disallowed by policy (too old)");
	return decode(call, text, marshal, signature);
}

/* ECDSA: what the peer refuses is refused; halves of other lengths become those that pkey.h takes, or nothing. */
static enum bulla_err check_form(struct bulla_call *call, const struct alg *alg, enum pkey_marshal marshal,
				 struct bulla_bytes *signature)
{
	size_t n = (alg->bits + 7) / 8;

	if (alg->group == NULL)
		return BULLA_OK;
	if (marshal == PKEY_JWS) {
		uint8_t *padded = bulla_arena_alloc(call->arena, 2 * n);

		if (padded == NULL)
			return BULLA_E_NO_MEMORY;
		*signature = bulla_mem(padded, signature_pad(*signature, n, padded) ? 2 * n : 0);
		return BULLA_OK;
	}
	switch (signature_form(*signature)) {
	case FORM_BAD:
		return bulla_fail(call, BULLA_E_INVALID, "supplied signature is invalid");
	case FORM_EXTRA:
		return bulla_fail(call, BULLA_E_INVALID, "supplied signature contains extra data");
	case FORM_GOOD:
		break;
	}
	return BULLA_OK;
}

/* ---- the items ----------------------------------------------------------------------------------------------------------- */

/* Within the key's read section. */
static enum bulla_err prepare(struct bulla_call *call, const struct key *key, const struct signing *s,
			      const struct bulla_sign_item *item, struct pending *out)
{
	const struct key_version *version;
	struct bulla_bytes signature;
	int64_t number;

	TRY(transit_usable(call, key));
	TRY(parse(call, key, s->params.marshal, item->proof, &number, &signature));
	TRY(check_form(call, key_alg(key), s->params.marshal, &signature));
	TRY(transit_use_version(call, key, (uint32_t)number, &version));
	TRY(keyring_pkey(key, version, &out->pkey));
	out->signature = signature;
	return BULLA_OK;
}

static enum bulla_err check(struct bulla_call *call, bool derived, const struct pending *pending, struct signing *s,
			    const struct bulla_sign_item *item, bool *valid)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;

	TRY(signing_pkey(call, derived, pending->pkey, item->context, &pkey));
	TRY(signing_check_rsa(call, pkey, s));
	struct pkey_params params = s->params;

	if (pkey_alg(pkey)->group != NULL && params.prehashed)
		params.digest = DIGEST_NONE; /* any length; see sign.c */
	enum bulla_err err = pkey_verify(pkey, &params, item->input, pending->signature, valid);

	if (err != BULLA_E_BAD_FIELD)
		return err;
	*valid = false; /* no digest has that length, so it was not signed */
	return BULLA_OK;
}

/* The items from first to last. */
static enum bulla_err prepare_some(struct bulla *engine, struct bulla_call *call, struct signing *s, struct pendings *pendings,
				   size_t first, size_t last, struct bulla_verdict *results)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	enum bulla_err err = transit_begin_heavy(engine, call, s->args->mount, s->args->name, TRANSIT_VERIFY, s->args->count,
						 transit_sign_bytes(s->args->items, s->args->count), &key);

	if (err == BULLA_E_KEY_NOT_FOUND)
		return bulla_fail(call, err, "signature verification key not found");
	TRY(err);
	TRY(signing_check(call, key, "verification", s));
	pendings->derived = key_derived(key);
	pendings->weight = transit_weight(key_alg(key), TRANSIT_VERIFY, 1, 0);
	for (size_t i = first; i < last; i++) {
		const struct bulla_sign_item *item = &s->args->items[i];

		results[i] = (struct bulla_verdict){ .err = item->err, .error = item->error };
		if (item->err == BULLA_OK)
			TRY(transit_settle_as(call, grant_check_index(call, i), &results[i].err, &results[i].error));
		if (results[i].err == BULLA_OK)
			TRY(transit_settle_as(call, prepare(call, key, s, item, &pendings->list[i - first]), &results[i].err,
					      &results[i].error));
	}
	return BULLA_OK;
}

static enum bulla_err verify_some(struct bulla *engine, struct bulla_call *call, struct signing *s, size_t first, size_t last,
				  struct bulla_verdict *results)
{
	BULLA_CLEANUP(pendings_clear) struct pendings pendings = { 0 };
	struct transit_slice slice = { 0 };

	pendings.list = bulla_arena_alloc(call->arena, (last - first) * sizeof *pendings.list);
	if (pendings.list == NULL)
		return BULLA_E_NO_MEMORY;
	pendings.count = last - first;
	TRY(prepare_some(engine, call, s, &pendings, first, last, results));
	for (size_t i = first; i < last; i++) {
		if (results[i].err == BULLA_OK)
			TRY(transit_settle_as(call, check(call, pendings.derived, &pendings.list[i - first], s, &s->args->items[i],
							  &results[i].valid),
					      &results[i].err, &results[i].error));
		if (transit_slice_ends(call, &slice, pendings.weight))
			TRY(transit_yield(engine, call));
	}
	return BULLA_OK;
}

static enum bulla_err verify_all(struct bulla *engine, struct bulla_call *call, const struct bulla_sign_args *args,
				 struct bulla_verdict *results)
{
	struct signing s;
	size_t at = 0;

	TRY(signing_read(call, args, &s));
	do { /* also without items: whether they could have been verified */
		size_t last = call->turn == NULL || args->count - at < AT_ONCE ? args->count : at + AT_ONCE;

		TRY(verify_some(engine, call, &s, at, last, results));
		at = last;
	} while (at < args->count);
	return BULLA_OK;
}

enum bulla_err bulla_verify(struct bulla *engine, struct bulla_call *call, const struct bulla_sign_args *args,
			    struct bulla_verdict *results)
{
	enum bulla_err err;

	do
		err = verify_all(engine, call, args, results);
	while (transit_again(engine, call, args->mount, args->name, &err));
	return err;
}
