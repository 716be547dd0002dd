/* jwt_verify.c: the signature of a JSON Web Token in the compact form (RFC 7515). The header decides nothing but which of the
 * allowed algorithms is meant, and that must be one of the key's own. Any thread. */
#include "auth/jwt.h"
#include "bulla/encode.h"

static const struct row {
	const char *name;
	struct pkey_params params;
	const struct alg *only; /* an ECDSA algorithm belongs to a curve (RFC 7518 section 3.4); NULL: any RSA key */
} rows[] = {
	{ "RS256", { .digest = DIGEST_SHA2_256, .padding = PKEY_PKCS1V15 }, NULL },
	{ "RS384", { .digest = DIGEST_SHA2_384, .padding = PKEY_PKCS1V15 }, NULL },
	{ "RS512", { .digest = DIGEST_SHA2_512, .padding = PKEY_PKCS1V15 }, NULL },
	{ "ES256", { .digest = DIGEST_SHA2_256, .marshal = PKEY_JWS }, &alg_ecdsa_p256 },
	{ "ES384", { .digest = DIGEST_SHA2_384, .marshal = PKEY_JWS }, &alg_ecdsa_p384 },
	{ "ES512", { .digest = DIGEST_SHA2_512, .marshal = PKEY_JWS }, &alg_ecdsa_p521 },
	{ "PS256", { .digest = DIGEST_SHA2_256, .padding = PKEY_PSS, .salt_bytes = PKEY_SALT_HASH }, NULL },
	{ "PS384", { .digest = DIGEST_SHA2_384, .padding = PKEY_PSS, .salt_bytes = PKEY_SALT_HASH }, NULL },
	{ "PS512", { .digest = DIGEST_SHA2_512, .padding = PKEY_PSS, .salt_bytes = PKEY_SALT_HASH }, NULL },
	{ "EdDSA", { .digest = DIGEST_NONE }, &alg_ed25519 },
};
#define ROWS (sizeof rows / sizeof rows[0])
_Static_assert(JWT_ALL_ALGS == (1u << ROWS) - 1, "a bit for each row");

unsigned jwt_alg(struct bulla_bytes name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (bulla_is(name, rows[i].name))
			return 1u << i;
	return 0;
}

struct parts {
	struct bulla_bytes signed_text, signature; /* text; decoded */
	const struct json *header, *claims;
};

static enum bulla_err refuse(struct bulla_call *call, const char *why)
{
	return bulla_fail(call, BULLA_E_INVALID, "error verifying token signature: %s", why);
}

static enum bulla_err decode(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	uint8_t *bytes = bulla_arena_alloc(call->arena, BULLA_BASE64_MAX_DECODED(text.len));
	size_t len, bad_at;

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	for (bad_at = 0; bad_at < text.len && text.ptr[bad_at] != '\n' && text.ptr[bad_at] != '\r';)
		bad_at++; /* the decoder passes over line breaks */
	if (bad_at < text.len || bulla_base64url_decode(text, bytes, &len, &bad_at) != BULLA_OK)
		return bulla_fail(call, BULLA_E_BAD_BASE64, "illegal base64 data at input byte %zu", bad_at);
	*out = bulla_mem(bytes, len);
	return BULLA_OK;
}

static enum bulla_err decode_object(struct bulla_call *call, struct bulla_bytes text, const struct json **out)
{
	struct bulla_bytes bytes;
	struct json *value;

	TRY(decode(call, text, &bytes));
	TRY(json_parse(call, bytes.ptr, bytes.len, &value));
	if (value->type != JSON_OBJECT)
		return BULLA_E_BAD_FIELD;
	*out = value;
	return BULLA_OK;
}

/* header.claims.signature: none of them empty, and no more of them. */
static enum bulla_err split(struct bulla_call *call, struct bulla_bytes token, struct parts *out)
{
	const uint8_t *end = token.ptr + token.len;
	const uint8_t *first = token.len > 0 ? memchr(token.ptr, '.', token.len) : NULL;
	const uint8_t *second = first != NULL ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;

	if (token.len > JWT_MAX_BYTES || second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL)
		return BULLA_E_BAD_FIELD;
	if (first == token.ptr || second == first + 1 || second + 1 == end)
		return BULLA_E_BAD_FIELD;
	out->signed_text = bulla_mem(token.ptr, (size_t)(second - token.ptr));
	TRY(decode_object(call, bulla_mem(token.ptr, (size_t)(first - token.ptr)), &out->header));
	TRY(decode_object(call, bulla_mem(first + 1, (size_t)(second - first - 1)), &out->claims));
	return decode(call, bulla_mem(second + 1, (size_t)(end - second - 1)), &out->signature);
}

static bool fits(const struct row *row, const struct pkey *pkey)
{
	return row->only != NULL ? pkey_alg(pkey) == row->only : pkey_modulus_bytes(pkey) > 0;
}

static enum bulla_err verify_by(const struct jwt_key *key, const struct row *row, const struct parts *parts, bool *valid)
{
	*valid = false;
	if (!fits(row, key->pkey))
		return BULLA_OK;
	return pkey_verify(key->pkey, &row->params, parts->signed_text, parts->signature, valid);
}

enum bulla_err jwt_verify(struct bulla_call *call, const struct jwt_keys *keys, struct bulla_bytes token, unsigned algs,
			  const struct json **claims, bool *unknown_kid)
{
	struct parts parts = { 0 };
	bool named = false, valid = false;
	enum bulla_err err = split(call, token, &parts);

	if (unknown_kid != NULL)
		*unknown_kid = false;
	if (err == BULLA_E_NO_MEMORY)
		return err;
	if (err == BULLA_E_BAD_BASE64)
		return refuse(call, (const char *)call->detail.ptr);
	if (err != BULLA_OK)
		return refuse(call, "go-jose/go-jose: compact JWS format must have three parts");
	if (json_get(parts.header, "crit") != NULL) /* RFC 7515 section 4.1.11: none is understood here */
		return refuse(call, "go-jose/go-jose: unsupported crit header");
	unsigned alg = jwt_alg(jwt_text(parts.header, "alg"));
	struct bulla_bytes kid = jwt_text(parts.header, "kid");

	if (alg == 0)
		return refuse(call, "no known key successfully validated the token signature");
	for (size_t i = 0; kid.len > 0 && i < keys->count; i++)
		named |= bulla_equal(keys->keys[i].kid, kid);
	for (size_t i = 0; !valid && i < keys->count; i++)
		if (!named || bulla_equal(keys->keys[i].kid, kid)) {
			TRY(bulla_yield(call)); /* they may be many, and of a large curve */
			TRY(verify_by(&keys->keys[i], &rows[__builtin_ctz(alg)], &parts, &valid));
		}
	if (!valid && unknown_kid != NULL)
		*unknown_kid = !named;
	if (!valid)
		return refuse(call, "no known key successfully validated the token signature");
	if ((alg & algs) == 0)
		return bulla_fail(call, BULLA_E_INVALID,
				  "invalid algorithm (alg) header parameter: token signed with unexpected algorithm");
	*claims = parts.claims;
	return BULLA_OK;
}
