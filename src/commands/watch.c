/* watch.c: the server's main thread while the others serve: signals, the clock, spare memory. */
#define _GNU_SOURCE
#include "commands/watch.h"

#include <malloc.h>
#include <time.h>

#include "commands/log.h"
#include "commands/notify.h"
#include "commands/server_config.h"

#define SECOND_NS INT64_C(1000000000)
#define SPARE_BYTES ((size_t)4 << 20)
#define GIVE_BACK_NS (INT64_C(30) * 1000000000)
#define PROBES 4 /* within the time that the service manager gives */
#define DAY_NS (INT64_C(86400) * 1000000000)

void log_findings(const struct config_finding *findings)
{
	for (; findings != NULL; findings = findings->next)
		log_write(findings->is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "%s", findings->text);
}

static void tell(struct bulla_call *call, enum bulla_err err, const char *good, const char *bad)
{
	if (err == BULLA_OK)
		log_write(LOG_LEVEL_INFO, "%s", good);
	else
		log_write(LOG_LEVEL_ERROR, "%s: %s", bad, (const char *)bulla_call_text(call, err).ptr);
}

/* As OpenBao: of all that the configuration says, the headers of replies, the log's level and the audit devices. */
static void apply(const struct watched *w, struct bulla_call *call, const struct server_config *config)
{
	enum bulla_err err = httpd_set_headers(w->httpd, config->listeners, config->listener_count);

	tell(call, err, "reloaded the headers of replies", "the headers of replies stay as they are");
	log_set_level(config->log_level);
	call->detail.len = 0;
	err = bulla_audit_configure(w->engine, call, config->audit, config->audit_count, config->allow_audit_log_prefixing);
	tell(call, err, "the audit devices are as the configuration says", "audit devices");
}

static void reload_config(const struct watched *w)
{
	struct bulla_call call = { .arena = bulla_arena_new(16384), .may_block = true };
	const struct config_finding *findings = NULL;
	struct server_config config = { 0 };

	if (call.arena == NULL)
		return;
	enum bulla_err err = server_config_read(w->config_paths, w->config_path_count, &call, &config, &findings);

	bulla_wipe((void *)(uintptr_t)config.seal.key.ptr, config.seal.key.len); /* the engine has had it */
	log_findings(findings);
	if (err == BULLA_OK)
		err = log_options_apply(w->log, &call, &config);
	if (err == BULLA_OK)
		apply(w, &call, &config);
	else
		log_write(LOG_LEVEL_ERROR, "the headers of replies stay as they are, as do the log's level and the audit devices: %s",
			  err == BULLA_E_CONFIG ? "the configuration has errors" : bulla_err_row(err)->text);
	bulla_arena_free(call.arena);
}

static void reload_all(const struct watched *w)
{
	struct bulla_call call = { .arena = bulla_arena_new(4096), .may_block = true };

	if (call.arena == NULL)
		return;
	if (log_reopen(&call) != BULLA_OK)
		log_write(LOG_LEVEL_ERROR, "the log stays where it is: %s", (const char *)call.detail.ptr);
	bulla_audit_reopen(w->engine);
	tell(&call, httpd_reload(w->httpd, &call), "reloaded certificates, authorities for clients, log file and audit devices",
	     "the certificates stay as they are");
	httpd_warn_of_certificates(w->httpd);
	bulla_arena_free(call.arena);
	if (w->config_path_count > 0)
		reload_config(w);
}

static void reload(const struct watched *w)
{
	notify_reloading();
	reload_all(w);
	notify_ready();
}

/* Dates follow a step of the system's clock at once, everything else does not: the log gives its size. */
static void watch_clock(void)
{
	int64_t step_ns = bulla_wall_step_ns(SECOND_NS);

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
	static int64_t again_ns;
	int64_t now_ns = bulla_elapsed_ns();

	if (now_ns < again_ns)
		return;
	again_ns = now_ns + GIVE_BACK_NS;
	if (mallinfo2().fordblks > SPARE_BYTES)
		(void)malloc_trim(0);
}

/* How long to wait for a signal: a second, or less where the service manager wants to hear more often that the server lives. */
static struct timespec step_of(int64_t watchdog_ns)
{
	int64_t ns = watchdog_ns > 0 && watchdog_ns / PROBES < SECOND_NS ? watchdog_ns / PROBES : SECOND_NS - 1;

	return (struct timespec){ .tv_nsec = (long)ns };
}

/* Only if all loops have turned since the last time: a server that answers nobody is to be ended. */
static void tell_alive(struct httpd *httpd)
{
	if (notify_watchdog_ns() > 0 && httpd_is_alive(httpd))
		notify_alive();
}

int watch_until_end(const struct watched *w, const sigset_t *signals)
{
	const struct timespec step = step_of(notify_watchdog_ns());

	watch_clock(); /* steps are told from here on */
	for (;;) {
		watch_certificates(w->httpd);
		int signal = sigtimedwait(signals, NULL, &step);

		if (signal == SIGHUP)
			reload(w);
		if (signal == SIGTERM || signal == SIGINT)
			return signal;
		watch_clock();
		tell_alive(w->httpd);
		give_back_memory();
	}
}
