/* view.h: cards as callers see them: JSON, and the page. All texts are malloc'ed and the caller's; NULL: no memory. */
#ifndef CARD_VIEW_H
#define CARD_VIEW_H

#include "input.h"

/* {"id", "name", "pan": the ciphertext, "brand", "last_four", "key_version", "binding", "created"} */
char *view_card(const struct card *card) MUST_USE;

/* {"cards": [...], "next": the "after" of the next page, or null} */
char *view_list(const struct card *cards, size_t count, bool more) MUST_USE;

/* {"error": text, "fields": {...}, "id": ...}; errors and id may be NULL */
char *view_error(const char *text, const struct input_errors *errors, const char *id) MUST_USE;

/* The page: a form, what is wrong with what was sent (texts of our own; may be NULL), and the cards. */
char *view_page(const struct card *cards, size_t count, bool more, const char *error, const struct input_errors *errors) MUST_USE;

/* Its style sheet; static. */
extern const char view_style[];

#endif
