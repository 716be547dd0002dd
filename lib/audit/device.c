/* device.c: owns a device: its thread, and its queue. The thread takes all that is queued, gives each line its place in the chain
 * and writes them in one piece; then it tells each group how that went. Where a write takes no time to speak of and nobody else is
 * at it, whoever submits does the thread's part himself: waking it would take longer. One at a time writes (busy).
 *
 * Any thread submits. A write that does not end is given up by those who wait (device_expire), while the thread stays in it. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/audit_private.h"

#define NS_PER_S INT64_C(1000000000)
#define ARENA_BYTES 2048
#define KEEP_BATCH_BYTES (1 << 20)

enum share_state { SHARE_IDLE, SHARE_QUEUED, SHARE_TAKEN };

/* ---- what goes on ---------------------------------------------------------------------------------------------------- */

static void log_line(const struct device *device, const char *level, const char *what, const char *trouble)
{
	char text[512];

	if (device->config->log == NULL)
		return;
	(void)snprintf(text, sizeof text, "audit device %.*s (%.*s) %s%s%s", (int)device->path.len, (const char *)device->path.ptr,
		       (int)device->type.len, (const char *)device->type.ptr, what, trouble[0] != 0 ? ": " : "", trouble);
	device->config->log(device->config->log_context, level, text);
}

/* Told once, however long it lasts. */
static void note_failure(struct device *device, const char *trouble)
{
	pthread_mutex_lock(&device->lock);
	bool first = !device->failed;

	device->failed = true;
	device->lost_groups++;
	if (first)
		device->failed_since_ns = bulla_now_ns();
	(void)snprintf(device->trouble, sizeof device->trouble, "%s", trouble);
	pthread_mutex_unlock(&device->lock);
	if (first)
		log_line(device, "error", "does not record", trouble);
}

static void note_success(struct device *device, const struct chain *chain)
{
	char text[64] = "";

	pthread_mutex_lock(&device->lock);
	bool was_failed = device->failed;

	if (was_failed)
		(void)snprintf(text, sizeof text, "%llu groups of requests were lost to it", (unsigned long long)device->lost_groups);
	device->failed = false;
	device->lost_groups = 0;
	device->trouble[0] = 0;
	device->chain = *chain;
	pthread_mutex_unlock(&device->lock);
	if (was_failed)
		log_line(device, "warn", "records again", text);
}

/* ---- shares of groups ------------------------------------------------------------------------------------------------ */

void share_done(struct bulla_audit_share *share, bool recorded)
{
	struct bulla_audit_group *group = share->group;

	if (recorded)
		atomic_store_explicit(&group->any, true, memory_order_relaxed);
	if (atomic_fetch_sub_explicit(&group->left, 1, memory_order_acq_rel) != 1)
		return;
	group->recorded = atomic_load_explicit(&group->any, memory_order_relaxed);
	group->done(group);
}

static size_t share_bytes(const struct bulla_audit_share *share)
{
	size_t index = (size_t)(share - share->group->shares), n = 0;

	for (const struct bulla_audit_lines *l = share->group->lines; l != NULL; l = l->next)
		n += l->of[index].len;
	return n;
}

static bool record(struct device *device, const char *event);

/* By the submitter. Called with the lock held, which is released. */
static void write_at_once(struct device *device, struct bulla_audit_share *share)
{
	share->device = device;
	share->state = SHARE_TAKEN;
	share->next = NULL;
	device->taken = share;
	device->busy = true;
	bool idle = device->chain.records == device->chain.signed_records;

	pthread_mutex_unlock(&device->lock);
	(void)record(device, NULL);
	pthread_mutex_lock(&device->lock);
	device->busy = false;
	idle = idle && device->chain.records != device->chain.signed_records; /* from now on the thread has a checkpoint to wait for */
	if (device->queue != NULL || device->wanted || idle)
		pthread_cond_signal(&device->wake);
	pthread_mutex_unlock(&device->lock);
}

void device_submit(struct device *device, struct bulla_audit_share *share, size_t index)
{
	size_t bytes = share_bytes(share);

	(void)index;
	pthread_mutex_lock(&device->lock);
	enum device_end end = device->end;
	bool stuck = device->writing && bulla_now_ns() - device->writing_since_ns > BULLA_AUDIT_WAIT_S * NS_PER_S;
	bool full = device->queued_bytes > 0 && device->queued_bytes + bytes > (size_t)device->options.max_queue_bytes;

	/* the sink belongs to whoever is busy: it may be looked at when nobody is */
	if (end == DEVICE_ON && !device->busy && device->queue == NULL && !device->failed && device->sink.local) {
		write_at_once(device, share);
		return;
	}
	if (end == DEVICE_ON && !stuck && !full) {
		bool was_empty = device->queue == NULL;

		share->device = device;
		share->state = SHARE_QUEUED;
		share->next = NULL;
		*device->queue_end = share;
		device->queue_end = &share->next;
		device->queued_bytes += bytes;
		if (was_empty && !device->writing)
			pthread_cond_signal(&device->wake);
		pthread_mutex_unlock(&device->lock);
		return;
	}
	pthread_mutex_unlock(&device->lock);
	if (end == DEVICE_ON)
		note_failure(device, stuck ? "a write does not end" : "too much is waiting to be written");
	share_done(share, end == DEVICE_DISABLED); /* nobody wants it any more */
}

static bool take_out(struct bulla_audit_share **list, const struct bulla_audit_share *share)
{
	for (struct bulla_audit_share **at = list; *at != NULL; at = &(*at)->next)
		if (*at == share) {
			*at = share->next;
			return true;
		}
	return false;
}

/* While the thread is in a write it does not look at the groups, so that they can be taken from it. */
void device_expire(struct device *device, struct bulla_audit_group *group)
{
	struct bulla_audit_share *found = NULL;

	pthread_mutex_lock(&device->lock);
	for (unsigned i = 0; device->writing && i < group->share_count && found == NULL; i++) {
		struct bulla_audit_share *share = &group->shares[i];

		if (share->device != device)
			continue;
		if (share->state == SHARE_TAKEN && take_out(&device->taken, share))
			found = share;
		if (found == NULL && share->state == SHARE_QUEUED && take_out(&device->queue, share)) {
			found = share;
			device->queued_bytes -= share_bytes(share);
			device->queue_end = &device->queue;
			while (*device->queue_end != NULL)
				device->queue_end = &(*device->queue_end)->next;
		}
	}
	if (found != NULL)
		found->state = SHARE_IDLE;
	pthread_mutex_unlock(&device->lock);
	if (found == NULL)
		return;
	note_failure(device, "a write does not end");
	share_done(found, false);
}

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

static bool checkpoint_is_due(const struct device *device, const struct chain *chain, int64_t now_ns)
{
	if (chain->records == chain->signed_records)
		return false;
	return chain->records - chain->signed_records >= (uint64_t)device->options.checkpoint_records ||
	       now_ns - chain->signed_ns >= device->options.checkpoint_s * NS_PER_S;
}

/* Writes the batch; opens what was closed, and once more what does not work. */
static bool write_batch(struct device *device)
{
	struct bulla_bytes lines = bulla_mem(device->batch.ptr, device->batch.len);
	bool was_open = device->sink.fd >= 0;

	if (!sink_open(&device->sink, &device->options))
		return false;
	if (sink_write(&device->sink, &device->options, lines))
		return true;
	sink_close(&device->sink);
	return was_open && sink_open(&device->sink, &device->options) && sink_write(&device->sink, &device->options, lines);
}

static void set_writing(struct device *device, bool writing)
{
	pthread_mutex_lock(&device->lock);
	device->writing = writing;
	device->writing_since_ns = bulla_now_ns();
	pthread_mutex_unlock(&device->lock);
}

/* Lines of all groups taken, and a checkpoint where one is due or event says so. */
static void build(struct device *device, const struct bulla_audit_share *taken, const char *event, struct chain *chain)
{
	if (device->batch.cap > KEEP_BATCH_BYTES || device->batch.failed)
		out_clear(&device->batch);
	device->batch.len = 0; /* not wiped: it was written to the log */
	for (const struct bulla_audit_share *share = taken; share != NULL; share = share->next) {
		size_t index = (size_t)(share - share->group->shares);

		for (const struct bulla_audit_lines *l = share->group->lines; l != NULL; l = l->next)
			chain_lines(chain, bulla_mem(l->of[index].ptr, l->of[index].len), &device->batch);
	}
	if (event == NULL && checkpoint_is_due(device, chain, bulla_now_ns()))
		event = "time";
	if (event != NULL)
		chain_checkpoint(chain, device, event, &device->batch);
}

/* What the device has taken was written, or was not. */
static void finish(struct device *device, bool recorded)
{
	for (;;) {
		pthread_mutex_lock(&device->lock);
		struct bulla_audit_share *share = device->taken;

		if (share != NULL) {
			device->taken = share->next;
			share->state = SHARE_IDLE;
		}
		pthread_mutex_unlock(&device->lock);
		if (share == NULL)
			return;
		share_done(share, recorded);
	}
}

/* One batch of what was taken. */
static bool record(struct device *device, const char *event)
{
	struct chain chain = device->chain;

	build(device, device->taken, event, &chain);
	if (device->batch.len == 0 && !device->batch.failed) {
		finish(device, true);
		return true;
	}
	set_writing(device, true);
	bool good = !device->batch.failed && write_batch(device);

	set_writing(device, false);
	if (good)
		note_success(device, &chain);
	else
		note_failure(device, device->batch.failed ? "out of memory" : device->sink.trouble);
	finish(device, good);
	return good;
}

/* Until there is something to do, or a checkpoint is due. */
static void wait_for_work(struct device *device)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += device->options.checkpoint_s;
	while (device->queue == NULL && !device->stop && !device->reopen) {
		if (device->chain.records == device->chain.signed_records) {
			pthread_cond_wait(&device->wake, &device->lock);
			continue;
		}
		if (pthread_cond_timedwait(&device->wake, &device->lock, &until) == ETIMEDOUT)
			return;
	}
}

/* With busy set. The old file ends with a checkpoint by now; the new one begins with one. */
static void change_file(struct device *device)
{
	sink_close(&device->sink);
	(void)record(device, "rotate");
}

static void *run(void *context)
{
	struct device *device = context;
	bool stop = false;

	while (!stop) {
		pthread_mutex_lock(&device->lock);
		wait_for_work(device);
		while (device->busy) {
			device->wanted = true;
			pthread_cond_wait(&device->wake, &device->lock);
		}
		device->wanted = false;
		device->busy = true;
		bool reopen = device->reopen;

		device->taken = device->queue;
		for (struct bulla_audit_share *s = device->taken; s != NULL; s = s->next)
			s->state = SHARE_TAKEN;
		device->queue = NULL;
		device->queue_end = &device->queue;
		device->queued_bytes = 0;
		device->reopen = false;
		stop = device->stop && device->taken == NULL;
		pthread_mutex_unlock(&device->lock);
		(void)record(device, stop ? "close" : reopen ? "rotate" : NULL);
		if (reopen && !stop)
			change_file(device);
		pthread_mutex_lock(&device->lock);
		device->busy = false;
		pthread_mutex_unlock(&device->lock);
	}
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
	device->revision = args->revision;
	device->sink = (struct sink){ .kind = device->kind, .fd = -1 };
	return BULLA_OK;
}

static enum bulla_err start(struct device *device)
{
	pthread_condattr_t monotonic;
	sigset_t all, before;

	if (pthread_condattr_init(&monotonic) != 0)
		return BULLA_E_NO_MEMORY;
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	int failed = pthread_cond_init(&device->wake, &monotonic);

	(void)pthread_condattr_destroy(&monotonic);
	if (failed != 0)
		return BULLA_E_NO_MEMORY;
	sigfillset(&all); /* signals are for the thread that waits for them; and a pipe that is closed is an error, no signal */
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&device->thread, NULL, run, device);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0) {
		(void)pthread_cond_destroy(&device->wake);
		return BULLA_E_NO_MEMORY;
	}
	device->started = true;
	(void)pthread_setname_np(device->thread, "audit");
	return BULLA_OK;
}

/* The first line says that the device was opened: after a crash it explains a line that was cut off. */
static enum bulla_err first_record(struct bulla_call *call, struct device *device, bool must_work)
{
	if (device->kind == SINK_FILE && !device->options.to_stdout && !device->options.discard)
		tail_read(device->options.file_path, &device->chain, &device->sink.torn);
	device->chain.signed_records = device->chain.records;
	if (!sink_open(&device->sink, &device->options)) {
		if (must_work && device->kind == SINK_FILE)
			return bulla_fail(call, BULLA_E_INVALID, "sanity check failed; unable to open \"%s\" for writing: %s",
					  device->options.file_path, device->sink.trouble);
		if (must_work && !device->options.skip_test)
			return bulla_fail(call, BULLA_E_INVALID, "audit backend failed test message: %s", device->sink.trouble);
	}
	if (must_work && device->options.skip_test)
		return BULLA_OK;
	if (!record(device, "open") && must_work)
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
	bulla_secret_free(device->secrets, sizeof *device->secrets);
	bulla_arena_free(device->arena);
	pthread_mutex_destroy(&device->lock);
	free(device);
}

void device_end(struct device *device, enum device_end end)
{
	pthread_mutex_lock(&device->lock);
	bool wait = device->started;

	device->end = end;
	device->stop = true;
	device->started = false;
	pthread_cond_signal(&device->wake);
	pthread_mutex_unlock(&device->lock);
	if (!wait)
		return;
	(void)pthread_join(device->thread, NULL);
	(void)pthread_cond_destroy(&device->wake);
	sink_close(&device->sink);
}

void device_reopen(struct device *device)
{
	pthread_mutex_lock(&device->lock);
	device->reopen = true;
	if (device->started)
		pthread_cond_signal(&device->wake);
	pthread_mutex_unlock(&device->lock);
}

void device_hash(const struct device *device, struct bulla_bytes text, char out[HASH_TEXT])
{
	uint8_t sum[SHA256_BYTES];

	mac_key_sum(&device->secrets->salt_key, text, sum);
	memcpy(out, "hmac-sha256:", 12);
	bulla_hex_encode(bulla_mem(sum, sizeof sum), out + 12);
}
