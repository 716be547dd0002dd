/* signature.c: owns how the parameters of a signature are read, with the peer's refusals in the peer's order. Any thread. */

#include "bulla/sign.h"
#include "transit/transit.h"

/* ---- ahead of the key ------------------------------------------------------------------------------------------------------ */

static enum bulla_err read_marshaling(struct bulla_call *call, struct bulla_bytes text, enum pkey_marshal *out)
{
	if (bulla_is(text, "asn1") || bulla_is(text, "jws")) {
		*out = bulla_is(text, "jws") ? PKEY_JWS : PKEY_ASN1;
		return BULLA_OK;
	}
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, text);

	if (quoted.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return bulla_fail(call, BULLA_E_INVALID, "invalid marshaling type %.*s", (int)quoted.len, (const char *)quoted.ptr);
}

/* As Go's Atoi reads it. */
static bool read_number(struct bulla_bytes text, int64_t *out)
{
	bool negative = text.len > 0 && text.ptr[0] == '-';
	size_t i = negative || (text.len > 0 && text.ptr[0] == '+');
	int64_t v = 0;

	if (i == text.len)
		return false;
	for (; i < text.len; i++) {
		int digit = text.ptr[i] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, negative ? -digit : digit, &v))
			return false;
	}
	*out = v;
	return true;
}

static enum bulla_err read_salt(struct bulla_call *call, struct bulla_bytes text, int64_t *out)
{
	if (bulla_is_nocase(text, "auto") || bulla_is_nocase(text, "hash")) {
		*out = bulla_is_nocase(text, "auto") ? 0 : -1;
		return BULLA_OK;
	}
	if (!read_number(text, out))
		return bulla_fail(call, BULLA_E_INVALID, "salt length neither 'auto', 'hash', nor an int: %.*s", (int)text.len,
				  (const char *)text.ptr);
	if (*out < -1)
		return bulla_fail(call, BULLA_E_INVALID, "salt length is invalid: %lld", (long long)*out);
	return BULLA_OK;
}

enum bulla_err signing_read(struct bulla_call *call, const struct bulla_sign_args *args, struct signing *out)
{
	struct signing s = { .args = args, .params = { .prehashed = args->prehashed } };

	TRY(read_marshaling(call, args->marshaling, &s.params.marshal));
	TRY(read_salt(call, args->salt_length, &s.salt));
	s.params.padding = bulla_is(args->signature_algorithm, "pkcs1v15") ? PKEY_PKCS1V15 : PKEY_PSS;
	s.unknown_padding = s.params.padding == PKEY_PSS && args->signature_algorithm.len > 0 &&
			    !bulla_is(args->signature_algorithm, "pss");
	*out = s;
	return BULLA_OK;
}

/* ---- with the key ---------------------------------------------------------------------------------------------------------- */

enum bulla_err signing_check(struct bulla_call *call, const struct key *key, const char *doing, struct signing *s)
{
	const struct alg *alg = key_alg(key);

	if ((alg->can & ALG_SIGN) == 0)
		return bulla_fail(call, BULLA_E_INVALID, "key type %s does not support %s", alg->name, doing);
	if (!digest_by_name(s->args->hash, &s->params.digest))
		return transit_bad_hash(call, s->args->hash);
	if (s->params.digest == DIGEST_NONE && alg != &alg_ed25519 && (!s->params.prehashed || s->params.padding != PKEY_PKCS1V15))
		return bulla_fail(call, BULLA_E_INVALID,
				  "hash_algorithm=none requires both prehashed=true and signature_algorithm=pkcs1v15");
	return BULLA_OK;
}

enum bulla_err signing_check_rsa(struct bulla_call *call, const struct pkey *pkey, struct signing *s)
{
	int64_t modulus = (int64_t)pkey_modulus_bytes(pkey), most = modulus - 2 - (int64_t)digest_bytes(s->params.digest);

	if (modulus == 0)
		return BULLA_OK;
	if (s->unknown_padding)
		return bulla_fail(call, BULLA_E_INVALID_500, "unsupported rsa signature algorithm %.*s",
				  (int)s->args->signature_algorithm.len, (const char *)s->args->signature_algorithm.ptr);
	if (s->params.padding == PKEY_PSS && s->salt > most)
		return bulla_fail(call, BULLA_E_INVALID, "requested salt length %lld is invalid", (long long)s->salt);
	if (s->params.padding == PKEY_PSS)
		s->params.salt_bytes = s->salt == 0 ? PKEY_SALT_AUTO : s->salt == -1 ? PKEY_SALT_HASH : (int)s->salt;
	return BULLA_OK;
}

enum bulla_err signing_pkey(struct bulla_call *call, bool derived, struct pkey *base, struct bulla_bytes context, struct pkey **out)
{
	if (derived && context.len == 0)
		return bulla_fail(call, BULLA_E_INVALID_500, "error deriving key: %s", DERIVE_MISSING_CONTEXT);
	if (derived)
		return pkey_derive(base, context, out);
	*out = pkey_hold(base);
	return BULLA_OK;
}
