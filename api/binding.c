/* binding.c: owns the form of a card's binding. Stateless: any thread. */
#define _GNU_SOURCE
#include "binding.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define AAD_SIZE 128
#define TIME_BYTES 6

_Static_assert(2 * (TIME_BYTES + BINDING_RANDOM_BYTES) + 1 == CARD_ID_SIZE, "an id is time and randomness in hex");

void binding_make_id(char out[CARD_ID_SIZE], const unsigned char random[BINDING_RANDOM_BYTES])
{
	unsigned char raw[TIME_BYTES + BINDING_RANDOM_BYTES];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;

	for (int i = 0; i < TIME_BYTES; i++)
		raw[i] = (unsigned char)(ms >> 8 * (TIME_BYTES - 1 - i));
	memcpy(raw + TIME_BYTES, random, BINDING_RANDOM_BYTES);
	sodium_bin2hex(out, CARD_ID_SIZE, raw, sizeof raw);
}

void binding_new_id(char out[CARD_ID_SIZE])
{
	unsigned char random[BINDING_RANDOM_BYTES];

	randombytes_buf(random, sizeof random);
	binding_make_id(out, random);
}

bool binding_is_id(const char *text)
{
	return strspn(text, "0123456789abcdef") == CARD_ID_SIZE - 1 && text[CARD_ID_SIZE - 1] == '\0';
}

const char *binding_known_id(const char *text)
{
	return binding_is_id(text) ? text : "malformed";
}

int binding_print(char *out, size_t size, const char *prefix, enum binding binding, const char *id, const char *purpose)
{
	char aad[AAD_SIZE], text[sodium_base64_ENCODED_LEN(AAD_SIZE, sodium_base64_VARIANT_ORIGINAL)];

	if (binding == BINDING_CONTEXT)
		return snprintf(out, size, "\"%sencryption_context\":{\"card_id\":\"%s\",\"purpose\":\"%s\"}", prefix, id, purpose);
	int n = snprintf(aad, sizeof aad, "card-binding:v1:card_id=%s:purpose=%s", id, purpose);

	sodium_bin2base64(text, sizeof text, (const unsigned char *)aad, (size_t)n, sodium_base64_VARIANT_ORIGINAL);
	return snprintf(out, size, "\"%sassociated_data\":\"%s\"", prefix, text);
}
