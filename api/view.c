/* view.c: owns the form of JSON answers. Stateless: any thread. */
#define _GNU_SOURCE
#include "view.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utc.h"

#define ESCAPED_MAX 6      /* a byte as \u0001 */
#define FIXED_MAX_BYTES 256 /* of a card: names of fields, time, numbers */
#define CARD_TEXT_SIZE (ESCAPED_MAX * sizeof(struct card) + FIXED_MAX_BYTES)

/* RFC 8259 section 7; what is in the database is UTF-8, or the shop's own trouble. */
static char *put_text(char *at, const char *name, const char *text)
{
	*at++ = '"';
	at = stpcpy(stpcpy(at, name), "\":\"");
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			*at++ = '\\';
		if ((unsigned char)*text < 0x20)
			at += sprintf(at, "\\u%04x", (unsigned)*text);
		else
			*at++ = *text;
	}
	return stpcpy(at, "\",");
}

/* Printed by hand: it is what each stored card costs. */
static char *put_card(char *at, const struct card *card)
{
	char created[UTC_SIZE];

	utc_print(created, card->created_s);
	*at++ = '{';
	at = put_text(at, "id", card->id);
	at = put_text(at, "name", card->name);
	at = put_text(at, "pan", card->ciphertext);
	at = put_text(at, "brand", card->brand);
	at = put_text(at, "last_four", card->last_four);
	at = put_text(at, "binding", card->binding == BINDING_AAD ? "associated_data" : "encryption_context");
	at = put_text(at, "created", created);
	return at + sprintf(at, "\"key_version\":%d}", card->key_version);
}

/* What is freed is wiped: no more is taken than this card can need. */
char *view_card(const struct card *card)
{
	size_t n = strlen(card->id) + strlen(card->name) + strlen(card->ciphertext) + strlen(card->brand) + strlen(card->last_four);
	char *text = malloc(ESCAPED_MAX * n + FIXED_MAX_BYTES);

	if (text != NULL)
		put_card(text, card);
	return text;
}

char *view_list(const struct card *cards, size_t count, bool more)
{
	char *text = malloc((count + 1) * CARD_TEXT_SIZE), *at = text;

	if (text == NULL)
		return NULL;
	at = stpcpy(at, "{\"cards\":[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*at++ = ',';
		at = put_card(at, &cards[i]);
	}
	if (more)
		sprintf(at, "],\"next\":%lld}", (long long)cards[count - 1].seq);
	else
		strcpy(at, "],\"next\":null}");
	return text;
}

static char *print(json_t *document)
{
	char *text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;

	json_decref(document);
	return text;
}

static bool add_text(json_t *object, const char *name, const char *text)
{
	return text == NULL || json_object_set_new(object, name, json_string(text)) == 0;
}

char *view_error(const char *text, const struct input_errors *errors, const char *id)
{
	json_t *object = json_pack("{ss}", "error", text), *fields = errors != NULL ? json_object() : NULL;
	bool good = object != NULL && add_text(object, "id", id);

	if (good && fields != NULL) {
		good = add_text(fields, "body", errors->body) && add_text(fields, "name", errors->name) &&
		       add_text(fields, "pan", errors->pan) && add_text(fields, "idempotency_key", errors->key);
		good = json_object_set(object, "fields", fields) == 0 && good;
	}
	json_decref(fields);
	if (good)
		return print(object);
	json_decref(object);
	return NULL;
}
