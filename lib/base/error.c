/* error.c: owns the table behind enum bulla_err. Read-only: any thread. */
#include "bulla/error.h"

#define CALLER BULLA_CLASS_CALLER
#define BUSY BULLA_CLASS_BUSY
#define FAULT BULLA_CLASS_FAULT
#define PLAIN BULLA_STYLE_PLAIN
#define LISTED BULLA_STYLE_LISTED
#define EMPTY BULLA_STYLE_EMPTY
#define NOBODY BULLA_STYLE_NOBODY

static const struct bulla_err_row rows[BULLA_E_COUNT] = {
#define ROW(name, class, status, style, text) [BULLA_E_##name] = { #name, class, status, style, text },
#include "bulla/errors.def"
#undef ROW
};

const struct bulla_err_row *bulla_err_row(enum bulla_err err)
{
	if (err <= BULLA_OK || err >= BULLA_E_COUNT)
		return &rows[BULLA_E_INTERNAL];
	return &rows[err];
}
