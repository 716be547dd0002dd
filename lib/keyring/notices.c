/* notices.c: owns what the keyring has to tell the log: it writes none itself, the engine fetches it. Any thread; one lock, held
 * shortly. */
#include "keyring/internal.h"

#include <stdarg.h>
#include <stdio.h>

void notices_add(struct notices *notices, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	pthread_mutex_lock(&notices->lock);
	if (notices->count < NOTICES)
		(void)vsnprintf(notices->texts[notices->count++], NOTICE_BYTES, format, args);
	else
		notices->dropped++;
	pthread_mutex_unlock(&notices->lock);
	va_end(args);
}

static enum bulla_err take(struct notices *notices, struct bulla_call *call)
{
	for (size_t i = 0; i < notices->count; i++)
		TRY(bulla_warn(call, "%s", notices->texts[i]));
	if (notices->dropped > 0)
		TRY(bulla_warn(call, "%zu further notices of this kind were dropped", notices->dropped));
	notices->count = notices->dropped = 0;
	return BULLA_OK;
}

enum bulla_err notices_take(struct notices *notices, struct bulla_call *call)
{
	pthread_mutex_lock(&notices->lock);
	enum bulla_err err = take(notices, call);

	pthread_mutex_unlock(&notices->lock);
	return err;
}
