/* list_page.h: lists of names that a client may ask for in parts. */
#ifndef BULLA_HANDLERS_LIST_PAGE_H
#define BULLA_HANDLERS_LIST_PAGE_H

#include "request/exchange.h"

struct list_page {
	struct bulla_bytes after;
	int64_t limit; /* 0 or less: all */
};
extern const struct field list_page_fields[]; /* of a struct list_page */

/* Prints {"keys": [...]}: of all names. NOT_FOUND: there are none. */
BULLA_MUST_USE enum bulla_err list_print(struct exchange *x, const struct bulla_bytes *names, size_t count);

/* The same of names that are sorted, by what the request asks for: those behind "after", at most "limit" of them. */
BULLA_MUST_USE enum bulla_err list_page_print(struct exchange *x, const struct bulla_bytes *names, size_t count);

#endif
