/* view.c: owns the form of JSON answers. Stateless: any thread. */
#define _GNU_SOURCE
#include "view.h"

#include <jansson.h>
#include <time.h>

static json_t *card_object(const struct card *card)
{
	char created[32];
	time_t at = (time_t)card->created_s;
	struct tm utc;

	gmtime_r(&at, &utc);
	strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_pack("{ss,ss,ss,ss,ss,si,ss,ss}", "id", card->id, "name", card->name, "pan", card->ciphertext, "brand", card->brand,
			 "last_four", card->last_four, "key_version", card->key_version, "binding",
			 card->binding == BINDING_AAD ? "associated_data" : "encryption_context", "created", created);
}

static char *print(json_t *document)
{
	char *text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;

	json_decref(document);
	return text;
}

char *view_card(const struct card *card)
{
	return print(card_object(card));
}

char *view_list(const struct card *cards, size_t count, bool more)
{
	json_t *list = json_array();
	bool good = list != NULL;

	for (size_t i = 0; i < count && good; i++)
		good = json_array_append_new(list, card_object(&cards[i])) == 0;
	json_t *next = more ? json_integer(cards[count - 1].seq) : json_null();

	return print(json_pack("{so,so}", "cards", list, "next", next));
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
