/* binding.c: owns the form of a card's binding. Stateless: any thread. */
#define _GNU_SOURCE
#include "binding.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define AAD_SIZE 128
#define TIME_BYTES 6

void binding_new_id(char out[CARD_ID_SIZE])
{
	unsigned char raw[(CARD_ID_SIZE - 1) / 2];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;

	for (int i = 0; i < TIME_BYTES; i++)
		raw[i] = (unsigned char)(ms >> 8 * (TIME_BYTES - 1 - i));
	randombytes_buf(raw + TIME_BYTES, sizeof raw - TIME_BYTES);
	sodium_bin2hex(out, CARD_ID_SIZE, raw, sizeof raw);
}

bool binding_is_id(const char *text)
{
	return strspn(text, "0123456789abcdef") == CARD_ID_SIZE - 1 && text[CARD_ID_SIZE - 1] == '\0';
}

static json_t *canonical(const char *id, const char *purpose)
{
	char aad[AAD_SIZE], text[sodium_base64_ENCODED_LEN(AAD_SIZE, sodium_base64_VARIANT_ORIGINAL)];
	int n = snprintf(aad, sizeof aad, "card-binding:v1:card_id=%s:purpose=%s", id, purpose);

	if (n < 0 || n >= (int)sizeof aad)
		return NULL;
	return json_string(sodium_bin2base64(text, sizeof text, (const unsigned char *)aad, (size_t)n, sodium_base64_VARIANT_ORIGINAL));
}

bool binding_add(json_t *item, const char *prefix, enum binding binding, const char *id, const char *purpose)
{
	bool context = binding == BINDING_CONTEXT;
	char name[64];

	snprintf(name, sizeof name, "%s%s", prefix, context ? "encryption_context" : "associated_data");
	json_t *value = context ? json_pack("{ss,ss}", "card_id", id, "purpose", purpose) : canonical(id, purpose);

	return value != NULL && json_object_set_new(item, name, value) == 0;
}
