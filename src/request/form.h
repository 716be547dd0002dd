/* form.h: "a=b&c=d" as a document: queries, and bodies of application/x-www-form-urlencoded. */
#ifndef BULLA_REQUEST_FORM_H
#define BULLA_REQUEST_FORM_H

#include "request/json.h"

#define FORM_MAX_PAIRS 1000

/* An object of strings, in the arena; of a list of strings where a name comes more than once, in order. *out is NULL when
 * there are none. As Go does for a query, pairs with a bad escape or a semicolon are left out; with strict they are refused.
 * BAD_REQUEST: refused, or more than FORM_MAX_PAIRS. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err form_parse(struct bulla_call *call, struct bulla_bytes text, bool strict, struct json **out);

/* Decodes %XX, and + as a space where plus is set. Text without either is borrowed. BAD_REQUEST: a bad escape. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err percent_decode(struct bulla_call *call, struct bulla_bytes text, bool plus, struct bulla_bytes *out);

#endif
