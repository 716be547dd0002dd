/* jwt_keys.c: public keys that sign JSON Web Tokens, from PEM and from key sets. Any thread. */
#include "auth/jwt.h"
#include "bulla/encode.h"
#include "crypto/x509.h"

void jwt_keys_clear(struct jwt_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		pkey_put(keys->keys[i].pkey);
	bulla_arena_free(keys->arena);
	*keys = (struct jwt_keys){ 0 };
}

/* pkey is taken over, also on failure. */
static enum bulla_err add(struct bulla_call *call, struct jwt_keys *keys, struct bulla_bytes kid, struct pkey *take_pkey)
{
	enum bulla_err err = BULLA_OK;

	if (keys->arena == NULL)
		keys->arena = bulla_arena_new(1024);
	struct bulla_bytes copy = keys->arena != NULL ? bulla_arena_copy(keys->arena, kid) : (struct bulla_bytes){ 0 };

	if (copy.ptr == NULL)
		err = BULLA_E_NO_MEMORY;
	else if (keys->count == JWT_MAX_KEYS)
		err = bulla_fail(call, BULLA_E_INVALID, "there are more than %d keys", JWT_MAX_KEYS);
	if (err != BULLA_OK) {
		pkey_put(take_pkey);
		return err;
	}
	keys->keys[keys->count++] = (struct jwt_key){ copy, take_pkey };
	return BULLA_OK;
}

/* ---- PEM ------------------------------------------------------------------------------------------------------------------- */

/* SubjectPublicKeyInfo of any type that can verify. */
static enum bulla_err open_public(struct bulla_bytes der, struct pkey **out)
{
	const struct alg *alg;

	for (size_t i = 0; (alg = alg_at(i)) != NULL; i++) {
		if ((alg->can & ALG_PKEY) == 0 || (alg->can & ALG_SIGN) == 0)
			continue;
		enum bulla_err err = pkey_open(alg, der, out);

		if (err != BULLA_E_BAD_KEY_MATERIAL)
			return err;
	}
	return BULLA_E_BAD_KEY_MATERIAL;
}

static enum bulla_err open_pem(struct bulla_bytes pem, struct pkey **out)
{
	BULLA_CLEANUP(material_clear) struct material der = { 0 };
	struct x509_facts facts = { 0 };
	char label[PEM_LABEL];

	TRY(pem_read(pem, label, &der, NULL));
	if (strcmp(label, "PUBLIC KEY") == 0)
		return open_public(material_bytes(&der), out);
	if (strcmp(label, "CERTIFICATE") != 0)
		return BULLA_E_BAD_FIELD;
	TRY(x509_certificate(material_bytes(&der), &facts));
	enum bulla_err err = open_public(material_bytes(&facts.public), out);

	material_clear(&facts.public);
	return err;
}

enum bulla_err jwt_keys_add_pem(struct bulla_call *call, struct jwt_keys *keys, struct bulla_bytes pem)
{
	struct pkey *pkey = NULL;
	enum bulla_err err = open_pem(pem, &pkey);

	if (err == BULLA_E_NO_MEMORY)
		return err;
	if (err == BULLA_OK && pkey_is_private(pkey)) {
		pkey_put(pkey);
		err = BULLA_E_BAD_FIELD;
	}
	if (err != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID,
				  "error parsing public key: data does not contain any valid public keys");
	return add(call, keys, (struct bulla_bytes){ 0 }, pkey);
}

/* ---- key sets -------------------------------------------------------------------------------------------------------------- */

/* A member in unpadded base64url; empty: absent or spoilt. */
static struct bulla_bytes number(struct bulla_call *call, const struct json *key, const char *name)
{
	const struct json *value = json_get(key, name);
	size_t len, bad_at;

	if (value == NULL || value->type != JSON_STRING)
		return (struct bulla_bytes){ 0 };
	uint8_t *bytes = bulla_arena_alloc(call->arena, BULLA_BASE64_MAX_DECODED(value->text.len));

	if (bytes == NULL || bulla_base64url_decode(value->text, bytes, &len, &bad_at) != BULLA_OK)
		return (struct bulla_bytes){ 0 };
	while (len > 0 && *bytes == 0)
		bytes++, len--;
	return bulla_mem(bytes, len);
}

static const struct alg *rsa_of(struct bulla_bytes n)
{
	static const struct alg *const sizes[] = { &alg_rsa_2048, &alg_rsa_3072, &alg_rsa_4096 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		if (n.len == sizes[i]->bits / 8)
			return sizes[i];
	return NULL;
}

static const struct alg *curve_of(struct bulla_bytes name)
{
	static const struct {
		const char *name;
		const struct alg *alg;
	} curves[] = { { "P-256", &alg_ecdsa_p256 }, { "P-384", &alg_ecdsa_p384 }, { "P-521", &alg_ecdsa_p521 } };

	for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
		if (bulla_is(name, curves[i].name))
			return curves[i].alg;
	return NULL;
}

/* RFC 7518 section 6, RFC 8037 section 2. NULL: of no type that verifies here. */
static const struct alg *read_numbers(struct bulla_call *call, const struct json *key, struct pkey_numbers *out)
{
	struct bulla_bytes type = jwt_text(key, "kty"), curve = jwt_text(key, "crv");

	if (bulla_is(type, "RSA")) {
		out->n = number(call, key, "n"), out->e = number(call, key, "e");
		return rsa_of(out->n);
	}
	if (bulla_is(type, "EC")) {
		out->x = number(call, key, "x"), out->y = number(call, key, "y");
		return curve_of(curve);
	}
	if (!bulla_is(type, "OKP") || !bulla_is(curve, "Ed25519"))
		return NULL;
	const struct json *x = json_get(key, "x");
	uint8_t *bytes = bulla_arena_alloc(call->arena, 64);
	size_t len, bad_at;

	if (bytes == NULL || x == NULL || x->type != JSON_STRING || x->text.len != 43 ||
	    bulla_base64url_decode(x->text, bytes, &len, &bad_at) != BULLA_OK)
		return NULL;
	out->public_key = bulla_mem(bytes, len);
	return &alg_ed25519;
}

static enum bulla_err open_key(const struct alg *alg, const struct pkey_numbers *numbers, struct pkey **out)
{
	BULLA_CLEANUP(material_clear) struct material material = { 0 };

	TRY(pkey_build(alg, numbers, &material));
	return pkey_open(alg, material_bytes(&material), out);
}

enum bulla_err jwt_keys_add_set(struct bulla_call *call, struct jwt_keys *keys, struct bulla_bytes text)
{
	struct json *set = NULL;
	enum bulla_err err = json_parse(call, text.ptr, text.len, &set);
	const struct json *list = err == BULLA_OK ? json_get(set, "keys") : NULL;

	if (err == BULLA_E_NO_MEMORY)
		return err;
	if (list == NULL || list->type != JSON_ARRAY)
		return bulla_fail(call, BULLA_E_INVALID, "it is no JSON Web Key Set");
	for (const struct json *key = list->first; key != NULL; key = key->next) {
		struct bulla_bytes use = jwt_text(key, "use");
		struct pkey_numbers numbers = { 0 };
		const struct alg *alg = read_numbers(call, key, &numbers);
		struct pkey *pkey;

		if (alg == NULL || (use.len > 0 && !bulla_is(use, "sig")))
			continue;
		err = open_key(alg, &numbers, &pkey);
		if (err == BULLA_E_NO_MEMORY)
			return err;
		if (err == BULLA_OK)
			TRY(add(call, keys, jwt_text(key, "kid"), pkey));
	}
	return BULLA_OK;
}
