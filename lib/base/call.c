/* call.c: owns what a call carries beside its result (the error's detail, the warnings) and its turns among others. One thread at a time. */
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

enum bulla_err bulla_fail_quoting(struct bulla_call *call, enum bulla_err err, const char *before, struct bulla_bytes text, const char *after)
{
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, text);

	return quoted.ptr == NULL ? BULLA_E_NO_MEMORY
				  : bulla_fail(call, err, "%s%.*s%s", before, (int)quoted.len, (const char *)quoted.ptr, after);
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

/* ---- its turns --------------------------------------------------------------------------------------------------------------------- */

#define REMOTE_AGAIN_S 2

static enum bulla_err enter(struct bulla_call *call, enum bulla_work work, uint64_t key)
{
	if (!call->may_block) {
		call->needs = work;
		return BULLA_E_MUST_BLOCK;
	}
	enum bulla_err err = call->turn != NULL ? call->turn->enter(call->turn, work, key) : BULLA_OK;

	if (err == BULLA_E_BUSY)
		call->retry_after_s = work == BULLA_WORK_REMOTE ? REMOTE_AGAIN_S : 1;
	return err;
}

enum bulla_err bulla_work(struct bulla_call *call, enum bulla_work work)
{
	return enter(call, work, 0);
}

enum bulla_err bulla_work_remote(struct bulla_call *call, uint64_t key)
{
	return enter(call, BULLA_WORK_REMOTE, key);
}

enum bulla_err bulla_yield(struct bulla_call *call)
{
	return call->turn != NULL ? call->turn->yield(call->turn) : BULLA_OK;
}
