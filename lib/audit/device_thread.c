/* device_thread.c: a device from its opening to its end; and its thread, which writes what no submitter has written himself, signs the
 * chain's end when nothing more comes, and opens files anew. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "audit/audit_private.h"

#define NS_PER_S INT64_C(1000000000)
#define ARENA_BYTES 2048
#define END_WAIT_S 3 /* a little more than a socket's write_timeout */

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

static struct timespec at_ns(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}

static bool has_work(const struct device *device)
{
	if (device->stop || device->reopen || device->queue != NULL)
		return true;
	return device->failed ? device_now_ns() >= device->apart.retry_ns : device->apart.held != NULL;
}

/* Until there is something to do, or a checkpoint is due, or a device that failed is to be tried again. */
static void wait_for_work(struct device *device)
{
	int64_t due_ns = device_now_ns() + device->options.checkpoint_s * NS_PER_S;

	while (!has_work(device)) {
		if (!device->failed && device->chain.records == device->chain.signed_records) {
			pthread_cond_wait(&device->wake, &device->lock);
			continue;
		}
		struct timespec until = at_ns(device->failed ? device->apart.retry_ns : due_ns);
		bool late = pthread_cond_clockwait(&device->wake, &device->lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT;

		if (late && !device->failed)
			return;
	}
}

/* With busy set. The old file ends with a checkpoint by now; the new one begins with one. */
static void change_file(struct device *device)
{
	sink_close(&device->sink);
	pthread_mutex_lock(&device->lock);
	device->writing_since_ns = device_now_ns();
	pthread_mutex_unlock(&device->lock);
	(void)device_write(device, "rotate");
}

/* What the thread writes beside what is there to be written: a device that failed is tried with something. */
static const char *event_of(const struct device *device, bool last, bool reopen)
{
	if (last)
		return "close";
	return reopen ? "rotate" : device->failed ? "time" : NULL;
}

/* Makes the device busy. With the lock held. */
static void become_busy(struct device *device)
{
	while (atomic_load_explicit(&device->busy, memory_order_relaxed)) {
		device->wanted = true;
		pthread_cond_wait(&device->wake, &device->lock);
	}
	device->wanted = false;
	device_take(device, false);
}

/* One write. False: it was the last. */
static bool work(struct device *device)
{
	pthread_mutex_lock(&device->lock);
	wait_for_work(device);
	become_busy(device);
	bool reopen = device->reopen, stop = device->stop, rest = device->taken != NULL || device->apart.writing != NULL;
	bool last = stop && !rest;
	const char *event = event_of(device, last, reopen);

	device->reopen = false;
	pthread_mutex_unlock(&device->lock);
	if (atomic_load_explicit(&device->abandoned, memory_order_acquire)) {
		device_drop(device); /* it was a submitter's write that did not end: nothing is there any more to sign or number with */
		return false;
	}
	bool good = device_write(device, event);

	if (atomic_load_explicit(&device->abandoned, memory_order_acquire))
		return false;
	if (reopen && !stop)
		change_file(device);
	pthread_mutex_lock(&device->lock);
	atomic_store_explicit(&device->busy, false, memory_order_relaxed);
	pthread_mutex_unlock(&device->lock);
	return !last && (good || !stop);
}

static void *run(void *context)
{
	struct device *device = context;

	while (work(device))
		;
	pthread_mutex_lock(&device->lock);
	device->gone = true;
	pthread_cond_signal(&device->left);
	pthread_mutex_unlock(&device->lock);
	device_put(device); /* the thread's own reference */
	return NULL;
}

/* ---- opening and ending ------------------------------------------------------------------------------------------------ */

static enum bulla_err copy_spec(struct device *device, const struct bulla_audit_spec *spec)
{
	struct bulla_pair *list = bulla_arena_alloc(device->arena, spec->option_count * sizeof *list);
	bool failed = list == NULL;

	device->path = bulla_arena_copy(device->arena, spec->path);
	device->type = bulla_arena_copy(device->arena, spec->type);
	device->description = bulla_arena_copy(device->arena, spec->description);
	failed |= device->path.ptr == NULL || device->type.ptr == NULL || device->description.ptr == NULL;
	for (size_t i = 0; !failed && i < spec->option_count; i++) {
		list[i].key = bulla_arena_copy(device->arena, spec->options[i].key);
		list[i].value = bulla_arena_copy(device->arena, spec->options[i].value);
		failed = list[i].key.ptr == NULL || list[i].value.ptr == NULL;
	}
	device->local = spec->local;
	device->option_list = list;
	device->option_count = spec->option_count;
	return failed ? BULLA_E_NO_MEMORY : BULLA_OK;
}

static enum bulla_err fill(struct bulla_call *call, struct device *device, const struct device_new *args)
{
	struct bulla_call own = { .arena = device->arena, .may_block = true };

	TRY(copy_spec(device, args->spec));
	enum bulla_err err = options_read(&own, args->spec, &device->kind, &device->options);

	if (err != BULLA_OK && own.detail.len > 0)
		return bulla_fail(call, err, "%.*s", (int)own.detail.len, (const char *)own.detail.ptr);
	TRY(err);
	struct device_secrets *secrets = bulla_secret_alloc(sizeof *secrets);

	if (secrets == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(secrets, args->secrets, sizeof *secrets);
	mac_key_init(&secrets->salt_key, bulla_mem(secrets->salt, SALT_BYTES));
	signing_key(secrets->seed, secrets->sign_key, device->public_key);
	device->secrets = secrets;
	memcpy(device->id, args->id, sizeof device->id);
	device->from_config = args->from_config;
	device->config = args->config;
	device->chain = args->chain;
	device->sink = (struct sink){ .kind = device->kind, .fd = -1 };
	return BULLA_OK;
}

static enum bulla_err start(struct device *device)
{
	sigset_t all, before;
	int failed = pthread_cond_init(&device->wake, NULL);

	if (failed == 0 && (failed = pthread_cond_init(&device->left, NULL)) != 0)
		(void)pthread_cond_destroy(&device->wake);
	if (failed != 0)
		return BULLA_E_NO_MEMORY;
	device->wakes = true;
	sigfillset(&all); /* signals are for the thread that waits for them; and a pipe that is closed is an error, no signal */
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&device->thread, NULL, run, device_hold(device));
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0) {
		device_put(device);
		return BULLA_E_NO_MEMORY;
	}
	pthread_mutex_lock(&device->lock);
	device->started = true;
	pthread_mutex_unlock(&device->lock);
	(void)pthread_setname_np(device->thread, "audit");
	return BULLA_OK;
}

/* The first line says that the device was opened: after a crash it explains a line that was cut off. */
static enum bulla_err first_record(struct bulla_call *call, struct device *device, bool must_work)
{
	if (device->kind == SINK_FILE && !device->options.to_stdout && !device->options.discard)
		tail_read(device->options.file_path, &device->chain, &device->sink.torn);
	device->chain.signed_records = device->chain.records;
	device->writing_since_ns = device_now_ns();
	if (!sink_open(&device->sink, &device->options)) {
		if (must_work && device->kind == SINK_FILE)
			return bulla_fail(call, BULLA_E_INVALID, "sanity check failed; unable to open \"%s\" for writing: %s",
					  device->options.file_path, device->sink.trouble);
		if (must_work && !device->options.skip_test)
			return bulla_fail(call, BULLA_E_INVALID, "audit backend failed test message: %s", device->sink.trouble);
	}
	if (must_work && device->options.skip_test)
		return BULLA_OK;
	if (!device_write(device, "open") && must_work)
		return bulla_fail(call, BULLA_E_INVALID, "audit backend failed test message: %s", device->trouble);
	return BULLA_OK;
}

enum bulla_err device_open(struct bulla_call *call, const struct device_new *args, struct device **out)
{
	struct device *device = calloc(1, sizeof *device);

	if (device == NULL)
		return BULLA_E_NO_MEMORY;
	atomic_init(&device->refs, 1);
	pthread_mutex_init(&device->lock, NULL);
	device->queue_end = &device->queue;
	device->sink.fd = -1;
	device->arena = bulla_arena_new(ARENA_BYTES);
	enum bulla_err err = device->arena == NULL ? BULLA_E_NO_MEMORY : fill(call, device, args);

	if (err == BULLA_OK)
		err = first_record(call, device, args->must_work);
	if (err == BULLA_OK)
		err = start(device);
	if (err != BULLA_OK) {
		device_put(device);
		return err;
	}
	*out = device;
	return BULLA_OK;
}

struct device *device_hold(struct device *device)
{
	atomic_fetch_add_explicit(&device->refs, 1, memory_order_relaxed);
	return device;
}

void device_put(struct device *device)
{
	if (device == NULL || atomic_fetch_sub_explicit(&device->refs, 1, memory_order_acq_rel) != 1)
		return;
	sink_close(&device->sink);
	out_clear(&device->batch);
	apart_clear(device);
	if (device->wakes) {
		(void)pthread_cond_destroy(&device->left);
		(void)pthread_cond_destroy(&device->wake);
	}
	bulla_secret_free(device->secrets, sizeof *device->secrets);
	bulla_arena_free(device->arena);
	pthread_mutex_destroy(&device->lock);
	free(device);
}

void device_stop(struct device *device, enum device_end end)
{
	pthread_mutex_lock(&device->lock);
	device->end = end;
	device->stop = true;
	if (device->started)
		pthread_cond_signal(&device->wake);
	pthread_mutex_unlock(&device->lock);
}

/* The thread is in a write that does not end, in which it looks at nothing but the batch: it goes when it comes out. What it could sign
 * with is wiped now. False: it has come out meanwhile. */
static bool abandon(struct device *device)
{
	pthread_mutex_lock(&device->lock);
	bool writing = atomic_load_explicit(&device->writing, memory_order_relaxed);

	if (writing) {
		device->abandoned = true;
		bulla_wipe(device->secrets, sizeof *device->secrets);
	}
	pthread_mutex_unlock(&device->lock);
	return writing;
}

/* False: not by then. (pthread_clockjoin_np would do; ThreadSanitizer does not see that it joins.) */
static bool thread_is_gone(struct device *device, const struct timespec *until)
{
	int rc = 0;

	pthread_mutex_lock(&device->lock);
	while (!device->gone && rc == 0)
		rc = pthread_cond_clockwait(&device->left, &device->lock, CLOCK_MONOTONIC, until);
	bool gone = device->gone;

	pthread_mutex_unlock(&device->lock);
	return gone;
}

void device_end(struct device *device, enum device_end end)
{
	struct timespec until = at_ns(device_now_ns() + END_WAIT_S * NS_PER_S);

	device_stop(device, end);
	pthread_mutex_lock(&device->lock);
	bool wait = device->started;

	device->started = false;
	pthread_mutex_unlock(&device->lock);
	if (!wait)
		return;
	while (!thread_is_gone(device, &until)) {
		if (abandon(device)) {
			(void)pthread_detach(device->thread);
			device_log(device, "error", "is left with what was not written", "a write does not end");
			return;
		}
		until.tv_sec++;
	}
	(void)pthread_join(device->thread, NULL);
	sink_close(&device->sink);
	if (device->apart.held != NULL)
		device_log(device, "error", "is left with what was not written", device->trouble);
}

void device_reopen(struct device *device)
{
	pthread_mutex_lock(&device->lock);
	device->reopen = true;
	if (device->started)
		pthread_cond_signal(&device->wake);
	pthread_mutex_unlock(&device->lock);
}
