/* framing_internal.h: what framing.c and framing_head.c share. */
#ifndef BULLA_HTTP_FRAMING_INTERNAL_H
#define BULLA_HTTP_FRAMING_INTERNAL_H

#include "http/framing.h"

/* One line of a head, without its line end: checked, and what it says about framing is noted in f. keep: how many
 * bytes of it go on, 0: none. False: f was refused. The empty line is the caller's. */
bool framing_request_line(struct framing *f, struct bulla_bytes line); /* notes its method's length */
bool framing_header_line(struct framing *f, struct bulla_bytes line, size_t *keep);

/* Whether the lines of a head, all noted, make a request; f is refused if not. */
bool framing_head_ends(struct framing *f);

/* Whether a trailer's line is a header line; its name, and its value without the white space around it. */
bool framing_is_field(struct bulla_bytes line, struct bulla_bytes *name, struct bulla_bytes *value);

bool framing_is_token(uint8_t byte);

/* Whether text has no control characters but tabs (RFC 9110 section 5.5). */
bool framing_is_text(struct bulla_bytes text);

#endif
