/* answers.h: fills in replies. One table says which error is which status. */
#ifndef CARD_ANSWERS_H
#define CARD_ANSWERS_H

#include "http.h"
#include "input.h"

int answer_status(enum card_err err);

/* body is malloc'ed and taken over; NULL (no memory) becomes 500. */
void answer_text(struct request *request, int status, char *body);

/* {"error": text}; text is static. */
void answer_error(struct request *request, int status, const char *text);

/* The error's status and text; Retry-After with 503. */
void answer_failure(struct request *request, enum card_err err);

void answer_invalid(struct request *request, const struct input_errors *errors); /* 400 */
void answer_duplicate(struct request *request, const char *id);                  /* 409 */
void answer_unknown(struct request *request);                                    /* 401 */

#endif
