/* transit.c: owns the requests to transit: batches out, results in. One thread a vault. */
#define _GNU_SOURCE
#include "transit.h"

#include <jansson.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "log.h"
#include "results.h"
#include "wipe.h"

#define BASE64 sodium_base64_VARIANT_ORIGINAL
#define PATH_SIZE 256
#define ELEMENT_SIZE 1024 /* more than a ciphertext and two bindings take */

/* The index key is never rotated: under another version the same PAN would have another HMAC, and a duplicate would not be found. */
#define HMAC_KEY_VERSION "1"

/* give prints one element of batch_input without its braces, and returns its length; take reads one of batch_results. */
struct operation {
	const char *name;
	const char *more; /* further parameters of the request */
	int (*give)(char *out, const struct transit_item *item);
	bool (*take)(const struct results_item *result, struct transit_item *item);
};

static int print_base64(char *out, const char *name, const char *plain)
{
	char text[sodium_base64_ENCODED_LEN(PAN_SIZE, BASE64)];

	sodium_bin2base64(text, sizeof text, (const unsigned char *)plain, strlen(plain), BASE64);
	int n = snprintf(out, ELEMENT_SIZE, "\"%s\":\"%s\"", name, text);

	wipe(text, sizeof text);
	return n;
}

static const char cipher_signs[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=:";

/* What somebody wrote into the database must not become a parameter of the request. */
static int print_cipher(char *out, const char *cipher)
{
	return snprintf(out, ELEMENT_SIZE, "\"ciphertext\":\"%s\"", cipher[strspn(cipher, cipher_signs)] == '\0' ? cipher : "malformed");
}

/* A binding behind what is there. */
static int add_binding(char *out, int n, const char *prefix, enum binding binding, const struct transit_item *item)
{
	out[n++] = ',';
	return n + binding_print(out + n, ELEMENT_SIZE - (size_t)n, prefix, binding, item->id, item->purpose);
}

/* False: there is none, it is too long, or it has a sign that no ciphertext has. */
static bool copy_text(char *out, size_t size, struct results_text text)
{
	if (text.len == 0 || text.len >= size)
		return false;
	memcpy(out, text.at, text.len);
	out[text.len] = '\0';
	return strspn(out, cipher_signs) == text.len;
}

/* The server gives it back with the result: one that is another card's, whatever has mixed them up, is not taken. */
static int add_reference(char *out, int n, const struct transit_item *item)
{
	return n + snprintf(out + n, ELEMENT_SIZE - (size_t)n, ",\"reference\":\"%s\"", item->id);
}

static bool is_of(const struct results_item *result, const struct transit_item *item)
{
	struct results_text reference = result->reference;

	/* empty: of an operation that sends none, or of a server that does not know of it */
	return reference.len == 0 || (reference.len == strlen(item->id) && memcmp(reference.at, item->id, reference.len) == 0);
}

static int give_plain(char *out, const struct transit_item *item)
{
	return add_reference(out, add_binding(out, print_base64(out, "plaintext", item->plain), "", item->binding, item), item);
}

static int give_cipher(char *out, const struct transit_item *item)
{
	return add_binding(out, print_cipher(out, item->cipher), "", item->binding, item);
}

/* Bulla alone: opened as it is bound, bound by context. */
static int give_rewrap(char *out, const struct transit_item *item)
{
	int n = add_binding(out, print_cipher(out, item->cipher), "decrypt_", item->binding, item);

	return add_binding(out, n, "", BINDING_CONTEXT, item);
}

static int give_input(char *out, const struct transit_item *item)
{
	return add_reference(out, print_base64(out, "input", item->plain), item);
}

/* vault:v<N>:...: the version is in the ciphertext. */
static bool take_cipher(const struct results_item *result, struct transit_item *item)
{
	static const char prefix[] = "vault:v";
	char *digits = item->cipher + strlen(prefix), *end;

	if (!copy_text(item->cipher, sizeof item->cipher, result->ciphertext) || strncmp(item->cipher, prefix, strlen(prefix)) != 0)
		return false;
	long version = strtol(digits, &end, 10);

	if (*end != ':' || version <= 0 || version > INT_MAX)
		return false;
	item->key_version = (int)version;
	return true;
}

static bool take_plain(const struct results_item *result, struct transit_item *item)
{
	struct results_text text = result->plaintext;
	size_t n = 0;

	if (text.at == NULL || sodium_base642bin((unsigned char *)item->plain, PAN_MAX_DIGITS, text.at, text.len, NULL, &n, NULL, BASE64) != 0)
		return false;
	item->plain[n] = '\0';
	return n > 0;
}

static bool take_hmac(const struct results_item *result, struct transit_item *item)
{
	return copy_text(item->hmac, sizeof item->hmac, result->hmac);
}

/* One bad item must not make the whole batch look refused. */
#define PARTIAL ",\"partial_failure_response_code\":200"

static const struct operation encrypt = { "encrypt", "", give_plain, take_cipher };
static const struct operation decrypt = { "decrypt", PARTIAL, give_cipher, take_plain };
static const struct operation rewrap = { "rewrap", "", give_rewrap, take_cipher };
static const struct operation hmac = { "hmac", ",\"key_version\":" HMAC_KEY_VERSION, give_input, take_hmac };

/* Nothing in a request needs escaping: ids, base64 and ciphertexts. */
static char *make_body(const struct operation *operation, const struct transit_item *items, size_t n)
{
	char *body = malloc((n + 1) * (ELEMENT_SIZE + 4)), *at = body;

	if (body == NULL)
		return NULL;
	at = stpcpy(at, "{\"batch_input\":[");
	for (size_t i = 0; i < n; i++) {
		*at++ = i == 0 ? '{' : ',';
		if (i > 0)
			*at++ = '{';
		at += operation->give(at, &items[i]);
		*at++ = '}';
	}
	at = stpcpy(at, "]");
	at = stpcpy(at, operation->more);
	strcpy(at, "}");
	return body;
}

/* Where the results of a batch go. */
struct taking {
	const struct operation *operation;
	struct transit_item *items;
	size_t n;
	bool mixed_up;
};

static void take_result(void *cls, size_t i, const struct results_item *result)
{
	struct taking *taking = cls;

	if (i >= taking->n || !is_of(result, &taking->items[i]))
		taking->mixed_up = true;
	else
		taking->items[i].failed = result->error.len > 0 || !taking->operation->take(result, &taking->items[i]);
}

static enum card_err take_results(const struct operation *operation, const struct client_answer *answer, struct transit_item *items, size_t n)
{
	struct taking taking = { .operation = operation, .items = items, .n = n };
	size_t count;
	bool good = results_read(answer->body, answer->len, take_result, &taking, &count) && count == n && !taking.mixed_up;

	return good ? CARD_OK : CARD_E_REFUSED;
}

static enum card_err print_path(char out[PATH_SIZE], const struct settings *settings, const char *name, const char *key)
{
	return snprintf(out, PATH_SIZE, "%s/%s/%s", settings->transit_mount, name, key) < PATH_SIZE ? CARD_OK : CARD_E_CONFIG;
}

static enum card_err run(struct vault *vault, const struct settings *settings, const char *key, const struct operation *operation,
			 struct transit_item *items, size_t n)
{
	char path[PATH_SIZE];

	TRY(print_path(path, settings, operation->name, key));
	char *body CLEANUP(wipe_free_text) = make_body(operation, items, n);
	struct client_answer answer;

	if (body == NULL)
		return CARD_E_MEMORY;
	TRY(vault_call(vault, "POST", path, body, &answer));
	return take_results(operation, &answer, items, n);
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

bool transit_any_failed(const struct transit_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (items[i].failed)
			return true;
	return false;
}

static enum card_err take_all(const struct operation *operation, const struct client_answer *answer, struct transit_item *items, size_t n)
{
	TRY(take_results(operation, answer, items, n));
	return transit_any_failed(items, n) ? CARD_E_REFUSED : CARD_OK;
}

enum card_err transit_index_and_encrypt(struct vault *vault, const struct settings *settings, struct transit_item *items, size_t n)
{
	char hmac_path[PATH_SIZE], encrypt_path[PATH_SIZE];
	struct client_answer answers[2];

	TRY(print_path(hmac_path, settings, hmac.name, settings->hmac_key));
	TRY(print_path(encrypt_path, settings, encrypt.name, settings->key));
	char *inputs CLEANUP(wipe_free_text) = make_body(&hmac, items, n), *plaintexts CLEANUP(wipe_free_text) = make_body(&encrypt, items, n);

	if (inputs == NULL || plaintexts == NULL)
		return CARD_E_MEMORY;
	TRY(vault_call_both(vault, (const struct vault_post[]){ { hmac_path, inputs }, { encrypt_path, plaintexts } }, answers));
	TRY(take_all(&hmac, &answers[0], items, n));
	return take_all(&encrypt, &answers[1], items, n);
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
	struct client_answer answer;

	TRY(print_path(path, settings, "keys", settings->key));
	TRY(vault_call(vault, "GET", path, NULL, &answer));
	json_t *document = json_loadb(answer.body, answer.len, JSON_REJECT_DUPLICATES, NULL);
	int version = (int)json_integer_value(json_object_get(json_object_get(document, "data"), "latest_version"));

	json_decref(document);
	if (version <= 0)
		return CARD_E_REFUSED;
	*out = version;
	return CARD_OK;
}
