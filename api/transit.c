/* transit.c: owns the requests to transit: batches out, results in. One thread a vault. */
#include "transit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "log.h"
#include "wipe.h"

#define BASE64 sodium_base64_VARIANT_ORIGINAL
#define PATH_SIZE 256

/* The index key is never rotated: under another version the same PAN would have another HMAC, and a duplicate would not be found. */
#define HMAC_KEY_VERSION 1

/* Fills one element of batch_input, and takes one element of batch_results. False: no memory; makes no sense. */
struct operation {
	const char *name;
	bool (*give)(json_t *element, const struct transit_item *item);
	bool (*take)(const json_t *result, struct transit_item *item);
};

static bool set_base64(json_t *element, const char *name, const char *plain)
{
	char text[sodium_base64_ENCODED_LEN(PAN_SIZE, BASE64)];

	sodium_bin2base64(text, sizeof text, (const unsigned char *)plain, strlen(plain), BASE64);
	bool good = json_object_set_new(element, name, json_string(text)) == 0;

	wipe(text, sizeof text);
	return good;
}

static bool copy_text(char *out, size_t size, const char *text)
{
	size_t n = text != NULL ? strlen(text) : size;

	if (n == 0 || n >= size)
		return false;
	memcpy(out, text, n + 1);
	return true;
}

static bool give_plain(json_t *element, const struct transit_item *item)
{
	return set_base64(element, "plaintext", item->plain) && binding_add(element, "", item->binding, item->id, item->purpose);
}

static bool give_cipher(json_t *element, const struct transit_item *item)
{
	return json_object_set_new(element, "ciphertext", json_string(item->cipher)) == 0 &&
	       binding_add(element, "", item->binding, item->id, item->purpose);
}

/* Bulla alone: opened as it is bound, bound by context. */
static bool give_rewrap(json_t *element, const struct transit_item *item)
{
	return json_object_set_new(element, "ciphertext", json_string(item->cipher)) == 0 &&
	       binding_add(element, "decrypt_", item->binding, item->id, item->purpose) &&
	       binding_add(element, "", BINDING_CONTEXT, item->id, item->purpose);
}

static bool give_input(json_t *element, const struct transit_item *item)
{
	return set_base64(element, "input", item->plain);
}

/* vault:v<N>:...: the version is in the ciphertext. */
static bool take_cipher(const json_t *result, struct transit_item *item)
{
	if (!copy_text(item->cipher, sizeof item->cipher, json_string_value(json_object_get(result, "ciphertext"))))
		return false;
	return sscanf(item->cipher, "vault:v%9d:", &item->key_version) == 1 && item->key_version > 0;
}

static bool take_plain(const json_t *result, struct transit_item *item)
{
	const char *text = json_string_value(json_object_get(result, "plaintext"));
	size_t n = 0;

	if (text == NULL || sodium_base642bin((unsigned char *)item->plain, PAN_MAX_DIGITS, text, strlen(text), NULL, &n, NULL, BASE64) != 0)
		return false;
	item->plain[n] = '\0';
	return n > 0;
}

static bool take_hmac(const json_t *result, struct transit_item *item)
{
	return copy_text(item->hmac, sizeof item->hmac, json_string_value(json_object_get(result, "hmac")));
}

static const struct operation encrypt = { "encrypt", give_plain, take_cipher };
static const struct operation decrypt = { "decrypt", give_cipher, take_plain };
static const struct operation rewrap = { "rewrap", give_rewrap, take_cipher };
static const struct operation hmac = { "hmac", give_input, take_hmac };

static json_t *make_body(const struct operation *operation, const struct transit_item *items, size_t n)
{
	json_t *batch = json_array(), *body = json_pack("{so}", "batch_input", batch);
	bool good = body != NULL;

	for (size_t i = 0; good && i < n; i++) {
		json_t *element = json_object();

		good = operation->give(element, &items[i]);
		good = json_array_append_new(batch, element) == 0 && good;
	}
	if (good && operation == &hmac)
		good = json_object_set_new(body, "key_version", json_integer(HMAC_KEY_VERSION)) == 0;
	/* one bad item must not make the whole batch look refused */
	if (good && operation == &decrypt)
		good = json_object_set_new(body, "partial_failure_response_code", json_integer(200)) == 0;
	if (good)
		return body;
	json_decref(body);
	return NULL;
}

static enum card_err take_results(const struct operation *operation, const json_t *answer, struct transit_item *items, size_t n)
{
	const json_t *results = json_object_get(json_object_get(answer, "data"), "batch_results");

	if (json_array_size(results) != n)
		return CARD_E_REFUSED;
	for (size_t i = 0; i < n; i++) {
		const json_t *result = json_array_get(results, i), *error = json_object_get(result, "error");
		bool refused = json_is_string(error) && json_string_length(error) > 0;

		items[i].failed = refused || !operation->take(result, &items[i]);
	}
	return CARD_OK;
}

/* When every item is refused, the peers answer a whole batch with 400. */
static enum card_err run(struct vault *vault, const struct settings *settings, const char *key, const struct operation *operation,
			 struct transit_item *items, size_t n)
{
	char path[PATH_SIZE];
	json_t *body = make_body(operation, items, n), *answer = NULL;

	if (body == NULL)
		return CARD_E_MEMORY;
	if (snprintf(path, sizeof path, "%s/%s/%s", settings->transit_mount, operation->name, key) >= (int)sizeof path) {
		json_decref(body);
		return CARD_E_CONFIG;
	}
	enum card_err err = vault_call(vault, "POST", path, body, &answer);

	json_decref(body);
	if (err == CARD_OK)
		err = take_results(operation, answer, items, n);
	json_decref(answer);
	return err;
}

enum card_err transit_encrypt(struct vault *vault, const struct settings *settings, const char *key, struct transit_item *items, size_t n)
{
	return run(vault, settings, key, &encrypt, items, n);
}

enum card_err transit_decrypt(struct vault *vault, const struct settings *settings, const char *key, struct transit_item *items, size_t n)
{
	return run(vault, settings, key, &decrypt, items, n);
}

enum card_err transit_hmac(struct vault *vault, const struct settings *settings, struct transit_item *items, size_t n)
{
	return run(vault, settings, settings->hmac_key, &hmac, items, n);
}

static void keep_failures(struct transit_item *items, const bool *failed, size_t n)
{
	for (size_t i = 0; i < n; i++)
		items[i].failed = items[i].failed || failed[i];
}

/* The plaintexts are here for as long as two requests take. */
static enum card_err decrypt_and_encrypt(struct vault *vault, const struct settings *settings, struct transit_item *items, size_t n)
{
	bool failed[TRANSIT_BATCH_MAX];
	enum card_err err = run(vault, settings, settings->key, &decrypt, items, n);

	for (size_t i = 0; i < n; i++) {
		failed[i] = items[i].failed;
		items[i].binding = BINDING_AAD;
		if (failed[i])
			strcpy(items[i].plain, "0"); /* never stored: the item has failed */
	}
	if (err == CARD_OK)
		err = run(vault, settings, settings->key, &encrypt, items, n);
	keep_failures(items, failed, n);
	for (size_t i = 0; i < n; i++)
		wipe(items[i].plain, sizeof items[i].plain);
	return err;
}

enum card_err transit_rewrap(struct vault *vault, const struct settings *settings, enum binding server, struct transit_item *items, size_t n)
{
	if (server == BINDING_AAD)
		return decrypt_and_encrypt(vault, settings, items, n);
	TRY(run(vault, settings, settings->key, &rewrap, items, n));
	for (size_t i = 0; i < n; i++)
		items[i].binding = BINDING_CONTEXT;
	return CARD_OK;
}

enum card_err transit_latest_version(struct vault *vault, const struct settings *settings, int *out)
{
	char path[PATH_SIZE];
	json_t *answer = NULL;

	if (snprintf(path, sizeof path, "%s/keys/%s", settings->transit_mount, settings->key) >= (int)sizeof path)
		return CARD_E_CONFIG;
	TRY(vault_call(vault, "GET", path, NULL, &answer));
	int version = (int)json_integer_value(json_object_get(json_object_get(answer, "data"), "latest_version"));

	json_decref(answer);
	if (version <= 0)
		return CARD_E_REFUSED;
	*out = version;
	return CARD_OK;
}
