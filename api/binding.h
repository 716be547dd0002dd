/* binding.h: what a ciphertext is bound to: its card and its purpose. Copied to another row, it does not decrypt. */
#ifndef CARD_BINDING_H
#define CARD_BINDING_H

#include "card.h"

#define BINDING_RANDOM_BYTES 10

/* A new card id: 48 bits of time, so that new rows stand together in the database's index, and 80 random bits. */
void binding_new_id(char out[CARD_ID_SIZE]);

/* The same of random bits that were drawn for many ids at once: each draw is a call of the system. */
void binding_make_id(char out[CARD_ID_SIZE], const unsigned char random[BINDING_RANDOM_BYTES]);

/* 32 hex digits in lower case, as binding_new_id makes them. */
bool binding_is_id(const char *text);

/* text if it is an id, otherwise a word that is none: what somebody wrote into the database becomes no other part of a request or of the log. */
const char *binding_known_id(const char *text);

/* Prints the binding as a parameter of one transit operation (JSON, without a comma).
 *   CONTEXT  "encryption_context": {"card_id": id, "purpose": purpose}
 *   AAD      "associated_data": base64 of the same in one canonical form: card-binding:v1:card_id=<id>:purpose=<purpose>
 *            (an id is 32 hex digits, a purpose lower-case letters: no two bindings have the same form, and nothing needs escaping)
 * prefix: "" or "decrypt_", of the field's name. Returns what snprintf would. */
int binding_print(char *out, size_t size, const char *prefix, enum binding binding, const char *id, const char *purpose);

#endif
