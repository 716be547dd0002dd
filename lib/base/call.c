/* call.c: owns the texts a call carries beside its result: the error's detail and the warnings. One thread at a time. */
#include "bulla/call.h"

#include <stdarg.h>

enum bulla_err bulla_fail(struct bulla_call *call, enum bulla_err err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	call->detail = bulla_arena_vprintf(call->arena, format, args);
	va_end(args);
	return err;
}

enum bulla_err bulla_warn(struct bulla_call *call, const char *format, ...)
{
	struct bulla_warning *w = bulla_arena_alloc(call->arena, sizeof *w);
	struct bulla_warning **end = &call->warnings;
	va_list args;

	if (w == NULL)
		return BULLA_E_NO_MEMORY;
	va_start(args, format);
	w->text = bulla_arena_vprintf(call->arena, format, args);
	va_end(args);
	if (w->text.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	while (*end != NULL)
		end = &(*end)->next;
	*end = w;
	return BULLA_OK;
}

struct bulla_bytes bulla_call_text(const struct bulla_call *call, enum bulla_err err)
{
	if (call != NULL && call->detail.len > 0)
		return call->detail;
	return bulla_str(bulla_err_row(err)->text);
}
