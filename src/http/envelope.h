/* envelope.h: the JSON around what handlers print, and around errors. */
#ifndef BULLA_HTTP_ENVELOPE_H
#define BULLA_HTTP_ENVELOPE_H

#include "request/exchange.h"

/* Prints everything up to the value of "data", which is printed next (or nothing is: envelope_end makes it null). */
void envelope_begin(struct out *body, const char id[36]);

struct envelope {
	const struct out *auth;                /* as it was printed; empty is null */
	const struct bulla_warning *warnings;
	const char *mount_type;                /* which Vault tells and OpenBao does not; NULL: it is not told */
	bool mirror;                           /* the members of data stand at the top, too */
};

/* What stands behind data. data_at: body->len as envelope_begin left it. */
void envelope_end(struct out *body, size_t data_at, const struct envelope *envelope);

/* The whole body of a reply that waits in a wrapping. wrapped_accessor: of the token or the secret id in it; empty: there is none. */
void envelope_wrapping(struct out *body, const struct bulla_wrapping *wrapping, struct bulla_bytes wrapped_accessor, const char *mount_type);

/* The body of an error reply: {"errors":[...]}, by the style of its row. STYLE_NOBODY prints nothing. */
void envelope_error(struct out *body, const struct bulla_err_row *row, struct bulla_bytes text);

/* The body of a redirect for GET and HEAD, as Go's http package has it. */
void envelope_redirect(struct out *body, struct bulla_bytes location);

#endif
