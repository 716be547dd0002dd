/* list_page.h: lists of names that a client may ask for in parts. */
#ifndef BULLA_HANDLERS_LIST_PAGE_H
#define BULLA_HANDLERS_LIST_PAGE_H

#include "request/exchange.h"

/* The parameters after and limit. */
extern const struct field list_page_fields[];

/* Prints {"keys": [...]}: of names, which are sorted, those behind "after", at most "limit" of them. NOT_FOUND: there are none. */
BULLA_MUST_USE enum bulla_err list_page_print(struct exchange *x, const struct bulla_bytes *names, size_t count);

#endif
