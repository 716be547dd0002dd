/* watch.c: the server's main thread while the others serve: signals, the clock, spare memory. */
#define _GNU_SOURCE
#include "commands/watch.h"

#include <malloc.h>
#include <time.h>

#include "commands/log.h"
#include "commands/server_config.h"

#define CLOCK_STEP_NS INT64_C(1000000000)
#define SPARE_BYTES ((size_t)4 << 20)
#define GIVE_BACK_S 30
#define DAY_NS (INT64_C(86400) * 1000000000)

/* As OpenBao: of all that the configuration says, the headers of replies. */
static void reload_headers(struct httpd *httpd, const char *config_file)
{
	struct bulla_call call = { .arena = bulla_arena_new(16384), .may_block = true };
	struct server_config config = { 0 };

	if (call.arena == NULL)
		return;
	enum bulla_err err = server_config_read(config_file, &call, &config);

	bulla_wipe((void *)(uintptr_t)config.seal.key.ptr, config.seal.key.len); /* the engine has had it */
	if (err == BULLA_OK)
		err = httpd_set_headers(httpd, config.listeners, config.listener_count);
	for (const struct header_warning *w = err == BULLA_OK ? config.header_warnings : NULL; w != NULL; w = w->next)
		log_write(LOG_LEVEL_WARN, "%s", w->text);
	if (err == BULLA_OK)
		log_write(LOG_LEVEL_INFO, "reloaded the headers of replies");
	else
		log_write(LOG_LEVEL_ERROR, "the headers of replies stay as they are: %s", (const char *)bulla_call_text(&call, err).ptr);
	bulla_arena_free(call.arena);
}

static void reload(struct httpd *httpd, struct bulla *engine, const char *config_file)
{
	struct bulla_call call = { .arena = bulla_arena_new(4096), .may_block = true };

	if (call.arena == NULL)
		return;
	if (log_reopen(&call) != BULLA_OK)
		log_write(LOG_LEVEL_ERROR, "the log stays where it is: %s", (const char *)call.detail.ptr);
	bulla_audit_reopen(engine);
	if (httpd_reload(httpd, &call) == BULLA_OK)
		log_write(LOG_LEVEL_INFO, "reloaded certificates, authorities for clients, log file and audit devices");
	else
		log_write(LOG_LEVEL_ERROR, "the certificates stay as they are: %s", (const char *)call.detail.ptr);
	httpd_warn_of_certificates(httpd);
	bulla_arena_free(call.arena);
	if (config_file != NULL)
		reload_headers(httpd, config_file);
}

/* Dates follow a step of the system's clock at once, everything else does not: the log gives its size. */
static void watch_clock(void)
{
	int64_t step_ns = bulla_wall_step_ns(CLOCK_STEP_NS);

	if (step_ns != 0)
		log_write(LOG_LEVEL_WARN, "the system's clock was set %s by %.1f s: dates follow, lifetimes and periods do not",
			  step_ns > 0 ? "forward" : "back", (double)(step_ns > 0 ? step_ns : -step_ns) / 1e9);
}

/* At start and once a day: of certificates that end soon. */
static void watch_certificates(struct httpd *httpd)
{
	static int64_t again_ns;
	int64_t now_ns = bulla_elapsed_ns();

	if (now_ns < again_ns)
		return;
	again_ns = now_ns + DAY_NS;
	httpd_warn_of_certificates(httpd);
}

/* After a wave of connections their memory is free but still ours: gives it back when there is much of it. */
static void give_back_memory(void)
{
	if (mallinfo2().fordblks > SPARE_BYTES)
		(void)malloc_trim(0);
}

int watch_until_end(struct httpd *httpd, struct bulla *engine, const char *config_file, const sigset_t *signals)
{
	const struct timespec second = { 1, 0 };

	watch_clock(); /* steps are told from here on */
	for (unsigned turns = 0;;) {
		watch_certificates(httpd);
		int signal = sigtimedwait(signals, NULL, &second);

		if (signal == SIGHUP)
			reload(httpd, engine, config_file);
		if (signal == SIGTERM || signal == SIGINT)
			return signal;
		watch_clock();
		if (++turns % GIVE_BACK_S == 0)
			give_back_memory();
	}
}
