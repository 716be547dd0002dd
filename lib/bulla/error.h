/* error.h: the one error type. 0 is success; every other value is a row of errors.def.
 * Errors are returned, never kept in thread-local state; a text that says more travels in struct bulla_call. */
#ifndef BULLA_ERROR_H
#define BULLA_ERROR_H

#include "decls.h"

BULLA_DECLS_BEGIN

enum bulla_err {
	BULLA_OK = 0,
#pragma push_macro("ROW") /* others may have one */
#undef ROW
#define ROW(name, class, status, style, text) BULLA_E_##name,
#include "errors.def"
#pragma pop_macro("ROW")
	BULLA_E_COUNT
};

/* Must be looked at: the compiler warns where a result is dropped. */
#define BULLA_MUST_USE __attribute__((warn_unused_result))

enum bulla_err_class { BULLA_CLASS_CALLER, BULLA_CLASS_BUSY, BULLA_CLASS_FAULT };
enum bulla_err_style { BULLA_STYLE_PLAIN, BULLA_STYLE_LISTED, BULLA_STYLE_EMPTY, BULLA_STYLE_NOBODY };

/* A row of errors.def. name is the identifier without its prefix ("AUTH_FAILED"). */
struct bulla_err_row {
	const char *name;
	enum bulla_err_class kind;
	int status; /* HTTP */
	enum bulla_err_style style;
	const char *text; /* never NULL, may be "" */
};

/* The row of err, static storage. An unknown value gives the row of INTERNAL; BULLA_OK must not be asked for. */
const struct bulla_err_row *bulla_err_row(enum bulla_err err);

#ifdef BULLA_INSIDE /* what is built with Bulla: others have a TRY of their own */
/* Return early with the error of expr. The only macro that changes the flow of control. */
#define TRY(expr)                                  \
	do {                                       \
		enum bulla_err try_err_ = (expr);       \
		if (try_err_ != BULLA_OK)          \
			return try_err_;           \
	} while (0)
#endif

BULLA_DECLS_END

#endif
