/* guard.c: owns the check of callers. Read-only after guard_init: any thread of the server. */
#define _GNU_SOURCE
#include "guard.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "settings.h"
#include "wipe.h"

static void hash(const char *token, size_t n, unsigned char out[GUARD_HASH_BYTES])
{
	crypto_generichash(out, GUARD_HASH_BYTES, (const unsigned char *)token, n, NULL, 0);
}

enum card_err guard_init(struct guard *guard, const char *token_file)
{
	char token[SECRET_SIZE];

	guard->open = token_file == NULL;
	if (guard->open)
		return CARD_OK;
	TRY(settings_secret(token_file, token));
	hash(token, strlen(token), guard->hash);
	wipe(token, sizeof token);
	return CARD_OK;
}

static bool is_token(const struct guard *guard, const char *token, size_t n)
{
	unsigned char other[GUARD_HASH_BYTES];

	hash(token, n, other);
	return sodium_memcmp(other, guard->hash, sizeof other) == 0;
}

static bool is_password(const struct guard *guard, const char *base64)
{
	char pair[2 * SECRET_SIZE];
	size_t n = 0;

	if (sodium_base642bin((unsigned char *)pair, sizeof pair, base64, strlen(base64), NULL, &n, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		return false;
	const char *colon = memchr(pair, ':', n);
	bool good = colon != NULL && is_token(guard, colon + 1, n - (size_t)(colon + 1 - pair));

	wipe(pair, sizeof pair);
	return good;
}

bool guard_knows(const struct guard *guard, const struct request *request)
{
	const char *shown = http_header(request, "Authorization");

	if (guard->open)
		return true;
	if (shown == NULL)
		return false;
	if (strncasecmp(shown, "Bearer ", 7) == 0)
		return is_token(guard, shown + 7, strlen(shown + 7));
	return strncasecmp(shown, "Basic ", 6) == 0 && is_password(guard, shown + 6);
}

bool guard_is_foreign(const struct request *request)
{
	const char *site = http_header(request, "Sec-Fetch-Site"), *origin = http_header(request, "Origin");
	const char *host = http_header(request, "Host");

	if (site != NULL)
		return strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
	if (origin == NULL)
		return false;
	const char *authority = strstr(origin, "://");

	return authority == NULL || host == NULL || strcasecmp(authority + 3, host) != 0;
}
