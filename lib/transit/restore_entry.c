/* restore_entry.c: owns one version of a key in a backup, as it is read: strictly, for it comes from outside. What it gives is
 * in the call's arena. Stateless. */
#include <stdlib.h>

#include "base/decimal.h"
#include "bulla/clock.h"
#include "bulla/encode.h"
#include "crypto/crypto.h"
#include "crypto/pkey.h"
#include "transit/document.h"

/* ---- single values --------------------------------------------------------------------------------------------------------- */

static enum bulla_err wrong(struct bulla_call *call, const char *name)
{
	return bulla_fail(call, BULLA_E_INVALID_500, "the backup's \"%s\" is not valid", name);
}

/* NULL: absent or null. */
static const struct json *given(const struct json *object, const char *name)
{
	const struct json *value = json_get(object, name);

	return value == NULL || value->type == JSON_NULL ? NULL : value;
}

enum bulla_err document_int(struct bulla_call *call, const struct json *object, const char *name, int64_t *out)
{
	const struct json *value = given(object, name);
	char text[24] = { 0 };
	char *end;

	*out = 0;
	if (value == NULL)
		return BULLA_OK;
	if (value->type != JSON_NUMBER || value->text.len > 19)
		return wrong(call, name);
	memcpy(text, value->text.ptr, value->text.len);
	*out = strtoll(text, &end, 10);
	return *end == 0 ? BULLA_OK : wrong(call, name);
}

enum bulla_err document_bool(struct bulla_call *call, const struct json *object, const char *name, bool *out)
{
	const struct json *value = given(object, name);

	if (value != NULL && value->type != JSON_BOOL)
		return wrong(call, name);
	*out = value != NULL && value->boolean;
	return BULLA_OK;
}

enum bulla_err document_text(struct bulla_call *call, const struct json *object, const char *name, struct bulla_bytes *out)
{
	const struct json *value = given(object, name);

	if (value != NULL && value->type != JSON_STRING)
		return wrong(call, name);
	*out = value != NULL ? value->text : bulla_str("");
	return BULLA_OK;
}

enum bulla_err document_time(struct bulla_call *call, const struct json *object, const char *name, int64_t *ns)
{
	struct bulla_bytes text;

	TRY(document_text(call, object, name, &text));
	*ns = 0;
	if (text.len > 0 && bulla_time_parse(text, ns) != BULLA_OK)
		return wrong(call, name);
	return BULLA_OK;
}

static enum bulla_err decode(struct bulla_call *call, const char *name, struct bulla_bytes text, struct bulla_bytes *out)
{
	uint8_t *bytes = bulla_arena_alloc(call->arena, BULLA_BASE64_MAX_DECODED(text.len));
	size_t len, bad_at;

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	if (bulla_base64_decode(text, bytes, &len, &bad_at) != BULLA_OK)
		return wrong(call, name);
	*out = bulla_mem(bytes, len);
	return BULLA_OK;
}

enum bulla_err document_base64(struct bulla_call *call, const struct json *object, const char *name, struct bulla_bytes *out)
{
	struct bulla_bytes text;

	TRY(document_text(call, object, name, &text));
	return decode(call, name, text, out);
}

/* A big number, big-endian; empty: absent. */
static enum bulla_err big_value(struct bulla_call *call, const struct json *value, const char *name, struct bulla_bytes *out)
{
	uint8_t *bytes;
	size_t len;

	*out = bulla_mem(NULL, 0);
	if (value == NULL || value->type == JSON_NULL)
		return BULLA_OK;
	bytes = bulla_arena_alloc(call->arena, DECIMAL_MAX_BYTES);
	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	if (value->type != JSON_NUMBER || decimal_parse(value->text, bytes, &len) != BULLA_OK)
		return wrong(call, name);
	*out = bulla_mem(bytes, len);
	return BULLA_OK;
}

static enum bulla_err big(struct bulla_call *call, const struct json *object, const char *name, struct bulla_bytes *out)
{
	return big_value(call, given(object, name), name, out);
}

/* ---- asymmetric material ----------------------------------------------------------------------------------------------------- */

static bool is_kind(const struct alg *alg, const char *prefix)
{
	return strncmp(alg->name, prefix, strlen(prefix)) == 0;
}

static enum bulla_err read_ec(struct bulla_call *call, const struct json *entry, struct pkey_numbers *numbers)
{
	TRY(big(call, entry, "ec_x", &numbers->x));
	TRY(big(call, entry, "ec_y", &numbers->y));
	return big(call, entry, "ec_d", &numbers->d);
}

static enum bulla_err read_rsa(struct bulla_call *call, const struct json *entry, struct pkey_numbers *numbers)
{
	const struct json *key = given(entry, "rsa_key");

	if (key == NULL)
		key = given(entry, "rsa_public_key");
	TRY(big(call, key, "N", &numbers->n));
	TRY(big(call, key, "E", &numbers->e));
	TRY(big(call, key, "D", &numbers->d));
	const struct json *primes = given(key, "Primes");

	if (primes == NULL)
		return BULLA_OK;
	if (primes->type != JSON_ARRAY || primes->count != 2)
		return wrong(call, "Primes");
	TRY(big_value(call, primes->first, "Primes", &numbers->p));
	return big_value(call, primes->first->next, "Primes", &numbers->q);
}

static enum bulla_err read_ed25519(struct bulla_call *call, const struct json *entry, struct pkey_numbers *numbers)
{
	TRY(document_base64(call, entry, "key", &numbers->ed25519));
	return document_base64(call, entry, "public_key", &numbers->public_key);
}

static enum bulla_err read_pkey(struct bulla_call *call, const struct json *entry, const struct key_facts *facts,
				struct key_version *out)
{
	BULLA_CLEANUP(material_clear) struct material material = { 0 };
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;
	struct pkey_numbers numbers = { 0 };

	if (is_kind(facts->alg, "ecdsa-"))
		TRY(read_ec(call, entry, &numbers));
	else if (is_kind(facts->alg, "rsa-"))
		TRY(read_rsa(call, entry, &numbers));
	else
		TRY(read_ed25519(call, entry, &numbers));
	enum bulla_err err = pkey_build(facts->alg, &numbers, &material);

	if (err == BULLA_OK)
		err = pkey_open(facts->alg, material_bytes(&material), &pkey);
	if (err == BULLA_OK)
		err = pkey_check(pkey);
	if (err == BULLA_E_BAD_KEY_MATERIAL)
		return bulla_fail(call, BULLA_E_INVALID_500, "the backup's key material is not valid for type %s", facts->alg->name);
	TRY(err);
	out->public_only = !pkey_is_private(pkey);
	if (out->public_only && facts->derived)
		return bulla_fail(call, BULLA_E_INVALID_500, "the backup holds a derived key without its private part");
	struct bulla_bytes copy = bulla_arena_copy(call->arena, material_bytes(&material));

	out->key = copy.ptr;
	out->key_len = copy.len;
	return copy.ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* ---- the entry --------------------------------------------------------------------------------------------------------------- */

static enum bulla_err read_symmetric(struct bulla_call *call, const struct json *entry, const struct key_facts *facts,
				     struct key_version *out)
{
	struct bulla_bytes key;

	TRY(document_base64(call, entry, "key", &key));
	if (!alg_fits(facts->alg, key.len))
		return bulla_fail(call, BULLA_E_INVALID_500, "the backup's key material is not valid for type %s", facts->alg->name);
	out->key = key.ptr;
	out->key_len = key.len;
	return BULLA_OK;
}

/* One that is missing (the peer has made them for a few years only) is made; that of an hmac key is the key itself. */
static enum bulla_err read_hmac_key(struct bulla_call *call, const struct json *entry, const struct alg *alg, struct key_version *out)
{
	struct bulla_bytes key = { 0 };

	if ((alg->can & ALG_HMAC) == 0)
		TRY(document_base64(call, entry, "hmac_key", &key));
	if (key.len != 0 && key.len != KEY_HMAC_BYTES)
		return wrong(call, "hmac_key");
	if (key.len == 0) {
		uint8_t *made = bulla_arena_alloc(call->arena, KEY_HMAC_BYTES);

		if (made == NULL)
			return BULLA_E_NO_MEMORY;
		TRY(random_bytes(made, KEY_HMAC_BYTES));
		key.ptr = made;
	}
	out->hmac_key = key.ptr;
	return BULLA_OK;
}

static enum bulla_err read_chain(struct bulla_call *call, const struct json *entry, struct key_version *out)
{
	const struct json *list = given(entry, "certificate_chain");
	struct bulla_bytes rest, one;
	size_t len = 0;

	if (list == NULL)
		return BULLA_OK;
	uint8_t *chain = bulla_arena_alloc(call->arena, KEY_CHAIN_MAX);

	if (chain == NULL)
		return BULLA_E_NO_MEMORY;
	if (list->type != JSON_ARRAY)
		return wrong(call, "certificate_chain");
	for (const struct json *item = list->first; item != NULL; item = item->next) {
		if (item->type != JSON_STRING)
			return wrong(call, "certificate_chain");
		TRY(decode(call, "certificate_chain", item->text, &one));
		rest = one;
		if (!document_next_certificate(&rest, &one) || rest.len > 0 || one.len > KEY_CHAIN_MAX - len)
			return wrong(call, "certificate_chain");
		memcpy(chain + len, one.ptr, one.len);
		len += one.len;
	}
	out->chain = bulla_mem(chain, len);
	return BULLA_OK;
}

static enum bulla_err read_times(struct bulla_call *call, const struct json *entry, struct key_version *out)
{
	int64_t seconds;

	TRY(document_int(call, entry, "creation_time", &seconds));
	TRY(document_time(call, entry, "time", &out->created_date_ns));
	if (out->created_date_ns == 0 && seconds > 0 && seconds < INT64_C(4102444800))
		out->created_date_ns = seconds * 1000000000;
	return BULLA_OK;
}

enum bulla_err document_read_entry(struct bulla_call *call, const struct json *entry, const struct key_facts *facts,
				   struct key_version *out)
{
	struct key_version version = { .version = out->version };
	int64_t convergent;

	TRY(document_int(call, entry, "convergent_version", &convergent));
	if (facts->convergent && convergent != 3)
		return bulla_fail(call, BULLA_E_INVALID_500, "convergent encryption of version %lld is not supported",
				  (long long)convergent);
	version.convergent_version = facts->convergent ? 3 : 0;
	TRY(read_times(call, entry, &version));
	TRY((facts->alg->can & ALG_PKEY) != 0 ? read_pkey(call, entry, facts, &version)
					      : read_symmetric(call, entry, facts, &version));
	TRY(read_hmac_key(call, entry, facts->alg, &version));
	TRY(read_chain(call, entry, &version));
	*out = version;
	return BULLA_OK;
}
