/* input.h: a card as a caller sends it, in JSON or as a form, checked strictly. */
#ifndef CARD_INPUT_H
#define CARD_INPUT_H

#include "card.h"

#define KEY_SIZE 256 /* of an idempotency key, with NUL */

struct input {
	char name[NAME_SIZE];
	char pan[PAN_SIZE];
	char key[KEY_SIZE]; /* empty: none came */
};

/* What is wrong with each field; NULL: nothing. Static texts: none repeats what was sent. */
struct input_errors {
	const char *body, *name, *pan, *key;
};

enum input_kind { INPUT_JSON, INPUT_FORM };

/* Reads {"name", "pan"} or name=&pan=&idempotency_key=. INVALID: errors says what; out is wiped then. Wipe out when it has served.
 * key: of the Idempotency-Key header, or NULL; it goes before the form's field. */
MUST_USE enum card_err input_read(enum input_kind kind, const char *body, size_t len, const char *key, struct input *out,
				  struct input_errors *errors);

#endif
