/* heredoc.h: HCL's text of several lines, as the peers' parser reads it:
 *
 *     <<EOF        the anchor: letters, digits and underscores, with nothing behind
 *     ...
 *     EOF          alone on its line but for blanks before it, and with a line end
 *
 * With <<- the blanks before the last anchor, of which there must be some, are taken away from all lines, if all begin
 * with them. Stateless: any thread. */
#ifndef BULLA_BASE_HEREDOC_H
#define BULLA_BASE_HEREDOC_H

#include "bulla/call.h"

struct heredoc {
	size_t len;       /* bytes from << to behind the last line's end */
	size_t body, end; /* where the lines begin, and where the last one does */
	size_t indent;    /* blanks before the last anchor */
	bool unindents;   /* <<- */
};

/* text begins with '<' and goes on behind the heredoc. NULL: it is one; else what is wrong with it, a literal. */
const char *heredoc_find(struct bulla_bytes text, struct heredoc *out);

/* What it says, at most text.len bytes, without NUL; CR LF becomes LF. Before the last anchor's blanks without <<-, as at the
 * peers. False: a control character is in it, of which *len is the place in text. */
bool heredoc_value(struct bulla_bytes text, const struct heredoc *heredoc, uint8_t *to, size_t *len);

#endif
