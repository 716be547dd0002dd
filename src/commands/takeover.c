/* takeover.c: owns the waiting at start and at the end, and the pid file. */
#define _GNU_SOURCE
#include "commands/takeover.h"

#include <bulla/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "commands/log.h"

#define TRY_AGAIN_NS 10000000 /* connections are refused as long, between the old server and the new one */
#define STEP_NS 5000000
#define CUT_MS 1000
#define TRY_ARENA 4096

static int64_t now_ms(void)
{
	return bulla_elapsed_ns() / 1000000;
}

/* A signal that came within the time; 0: none. */
static int pause_ns(const sigset_t *signals, long ns)
{
	const struct timespec span = { 0, ns };
	int signal = sigtimedwait(signals, NULL, &span);

	return signal < 0 ? 0 : signal;
}

/* ---- at the start ------------------------------------------------------------------ */

static void tell(struct takeover *t, struct bulla_bytes text)
{
	if (!t->told)
		log_write(LOG_LEVEL_WARN, "%.*s: waiting up to %llds for it", (int)text.len, (const char *)text.ptr,
			  (long long)t->wait_s);
	t->told = true;
}

/* Waits a little. False: no longer. */
static bool wait_again(struct takeover *t, struct bulla_bytes why)
{
	if (t->until_ms == 0)
		t->until_ms = now_ms() + t->wait_s * 1000;
	if (now_ms() >= t->until_ms)
		return false;
	tell(t, why);
	int signal = pause_ns(t->signals, TRY_AGAIN_NS);

	t->ended = signal == SIGTERM || signal == SIGINT; /* SIGHUP: nothing is open yet that could be opened anew */
	return true;
}

enum bulla_err takeover_try(struct takeover *t, struct bulla_call *call,
			    enum bulla_err (*attempt)(void *, struct bulla_call *), void *context)
{
	struct bulla_call own = { .arena = bulla_arena_new(TRY_ARENA), .may_block = true };
	enum bulla_err err = BULLA_E_NO_MEMORY;

	while (own.arena != NULL && !t->ended) {
		own.detail = (struct bulla_bytes){ 0 };
		err = attempt(context, &own);
		bool taken = err == BULLA_E_STORE_LOCKED || err == BULLA_E_ADDRESS_IN_USE;

		if (!taken || !wait_again(t, bulla_call_text(&own, err)))
			break;
		bulla_arena_reset(own.arena);
	}
	if (t->ended)
		err = BULLA_E_SHUTTING_DOWN;
	else if (err != BULLA_OK && own.detail.len > 0)
		err = bulla_fail(call, err, "%.*s", (int)own.detail.len, (const char *)own.detail.ptr);
	bulla_arena_free(own.arena);
	return err;
}

/* ---- at the end --------------------------------------------------------------------- */

static const char *name_of(int signal)
{
	return signal == SIGTERM ? "SIGTERM" : "SIGINT";
}

/* The same signal again: Ctrl-C reaches a script and the server alike, and the script may pass it on as SIGTERM. */
bool takeover_leave(struct httpd *httpd, const sigset_t *signals, int first)
{
	int64_t cut_ms = INT64_MAX;

	log_write(LOG_LEVEL_INFO, "%s: stopping", name_of(first));
	while (!httpd_stop_step(httpd)) {
		if (pause_ns(signals, STEP_NS) == first && cut_ms == INT64_MAX) {
			log_write(LOG_LEVEL_WARN, "%s again: stopping at once", name_of(first));
			httpd_cut(httpd);
			cut_ms = now_ms() + CUT_MS;
		}
		if (now_ms() >= cut_ms) {
			log_write(LOG_LEVEL_WARN, "ended while requests were worked on");
			return false;
		}
	}
	return true;
}

/* ---- the pid file -------------------------------------------------------------------- */

enum bulla_err pid_file_write(const char *path, struct bulla_call *call)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	bool wrote = fd >= 0 && write(fd, text, (size_t)n) == n;

	if (fd >= 0)
		close(fd);
	if (!wrote)
		return bulla_fail(call, BULLA_E_CONFIG, "pid_file %s: %s", path, strerror(errno));
	return BULLA_OK;
}

void pid_file_remove(const char *path)
{
	char text[24] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool ours = fd >= 0 && read(fd, text, sizeof text - 1) > 0 && strtol(text, NULL, 10) == (long)getpid();

	if (fd >= 0)
		close(fd);
	if (ours)
		(void)unlink(path);
}
