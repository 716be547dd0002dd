/* ui_headers.h: headers for the pages of a user interface, as OpenBao keeps them: sys/config/ui/headers. There is no
 * such interface here: they are kept for the tools that set them, and sent by nobody. */
#ifndef BULLA_UI_HEADERS_H
#define BULLA_UI_HEADERS_H

#include "call.h"

BULLA_DECLS_BEGIN

struct bulla;

/* All of them block, and take names in any case: "x-frame-options" is kept as "X-Frame-Options". */

/* In the arena. NOT_FOUND. */
BULLA_MUST_USE enum bulla_err bulla_ui_header_read(struct bulla *engine, struct bulla_call *call,
						   struct bulla_bytes name, const struct bulla_bytes **values, size_t *count);
/* count is not 0. INVALID: more than 100 headers, or 64 KiB of names and values in all. */
BULLA_MUST_USE enum bulla_err bulla_ui_header_write(struct bulla *engine, struct bulla_call *call,
						    struct bulla_bytes name, const struct bulla_bytes *values,
						    size_t count);
/* Fine where it is not there. */
BULLA_MUST_USE enum bulla_err bulla_ui_header_delete(struct bulla *engine, struct bulla_call *call,
						     struct bulla_bytes name);
/* Sorted by bytes, in the arena. NOT_FOUND: there are none. */
BULLA_MUST_USE enum bulla_err bulla_ui_header_list(struct bulla *engine, struct bulla_call *call,
						   struct bulla_bytes **names, size_t *count);

BULLA_DECLS_END

#endif
