/* auth_print.h: how replies show tokens. Any thread. */
#ifndef HANDLERS_AUTH_PRINT_H
#define HANDLERS_AUTH_PRINT_H

#include "request/exchange.h"

/* The reply's "auth", of a login, a creation or a renewal: print it to x->auth. */
void auth_print(struct out *out, const struct bulla_auth *auth);

/* null where none was given. */
void auth_print_meta(struct out *out, const char *name, const struct bulla_token *token);

const char *auth_type_name(enum bulla_token_type type); /* "service", "batch" */

#endif
