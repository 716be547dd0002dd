/* device_write.c: writes what a device has taken from its queue: gives each line its place in the chain, writes all in one piece, and
 * tells each group how that went. One thread at a time, who has made the device busy: its own, or a submitter (device.c). */
#include <stdio.h>

#include "audit/audit_private.h"

#define NS_PER_S INT64_C(1000000000)
#define KEEP_BATCH_BYTES (1 << 20)
#define LOOK_NS NS_PER_S        /* how often the file's path is looked at */
#define MOVED_NS (5 * NS_PER_S) /* a rotation that moves a file away says so by then */

/* ---- how it goes ------------------------------------------------------------------------------------------------------- */

void device_log(const struct device *device, const char *level, const char *what, const char *trouble)
{
	char text[512];

	if (device->config->log == NULL)
		return;
	(void)snprintf(text, sizeof text, "audit device %.*s (%.*s) %s%s%s", (int)device->path.len, (const char *)device->path.ptr,
		       (int)device->type.len, (const char *)device->type.ptr, what, trouble[0] != 0 ? ": " : "", trouble);
	device->config->log(device->config->log_context, level, text);
}

/* With the lock held. True: it is news. */
static bool is_first_failure(struct device *device, const char *trouble, int64_t took_ns)
{
	bool first = !device->failed;

	device->failed = true;
	if (first)
		device->apart.lost_since = 0;
	(void)snprintf(device->trouble, sizeof device->trouble, "%s", trouble);
	apart_failed(device, took_ns);
	return first;
}

/* With the lock held. True: it had failed. */
static bool end_failure(struct device *device, int64_t took_ns)
{
	bool failed = device->failed;

	device->failed = false;
	device->trouble[0] = 0;
	apart_works(device, took_ns);
	return failed;
}

static void log_success(const struct device *device, uint64_t lost)
{
	char text[64];

	(void)snprintf(text, sizeof text, "%llu records were lost to it", (unsigned long long)lost);
	device_log(device, "warn", "records again", text);
}

void device_failed(struct device *device, const char *trouble)
{
	pthread_mutex_lock(&device->lock);
	bool first = is_first_failure(device, trouble, INT64_MAX);

	pthread_mutex_unlock(&device->lock);
	if (first)
		device_log(device, "error", "does not record", trouble);
}

/* ---- a batch ------------------------------------------------------------------------------------------------------------- */

static bool checkpoint_is_due(const struct device *device, const struct chain *chain, int64_t now_ns)
{
	if (chain->records == chain->signed_records)
		return false;
	return chain->records - chain->signed_records >= (uint64_t)device->options.checkpoint_records ||
	       now_ns - chain->signed_ns >= device->options.checkpoint_s * NS_PER_S;
}

static bool write_lines(struct device *device)
{
	return sink_open(&device->sink, &device->options) &&
	       sink_write(&device->sink, &device->options, bulla_mem(device->batch.ptr, device->batch.len));
}

/* The file was deleted, with what was just written to it: once more, into a new one, which says so. */
static bool write_anew(struct device *device, struct chain *chain)
{
	if (atomic_load_explicit(&device->abandoned, memory_order_acquire))
		return false;
	device_log(device, "warn", "was deleted while it was written to; opened anew", device->options.file_path);
	sink_close(&device->sink);
	chain_checkpoint(chain, device, "deleted", &device->batch);
	if (device->batch.failed || !write_lines(device))
		return false;
	if (!device->sink.deleted)
		return true;
	sink_close(&device->sink);
	(void)snprintf(device->sink.trouble, sizeof device->sink.trouble, "%.*s is deleted again and again", 100, device->options.file_path);
	return false;
}

/* Writes the batch; opens what was closed. A connection that has broken down since the last write is made anew, once, if nothing of the
 * batch can have gone out over it: else the lines would stand there twice. */
static bool write_batch(struct device *device, struct chain *chain)
{
	struct sink *sink = &device->sink;
	bool was_open = sink->fd >= 0;
	int64_t since = device_now_ns();

	sink->sent = 0;
	bool good = write_lines(device);

	if (!good) {
		sink_close(sink);
		if (was_open && sink->sent == 0 && device_now_ns() - since < NS_PER_S / 10)
			good = write_lines(device);
	}
	if (good && sink->deleted)
		good = write_anew(device, chain);
	if (!good)
		sink_close(sink);
	return good;
}

/* Puts in what is held, and the lines of all groups taken, between what a gap demands and a checkpoint where one is due or event says
 * so. */
static void build(struct device *device, const char *event, struct chain *chain)
{
	const struct apart *apart = &device->apart;

	if (device->batch.cap > KEEP_BATCH_BYTES || device->batch.failed)
		out_clear(&device->batch);
	device->batch.len = 0; /* not wiped: it was written to the log */
	if (apart->told > 0 || apart->unsure)
		chain_gap(chain, device, apart->told, apart->unsure ? apart->sure : chain->records, &device->batch);
	if (apart->writing != NULL)
		chain_lines(chain, bulla_mem(apart->writing->bytes, apart->writing->len), &device->batch);
	for (const struct bulla_audit_share *share = device->taken; share != NULL; share = share->next) {
		size_t index = (size_t)(share - share->group->shares);

		for (const struct bulla_audit_lines *l = share->group->lines; l != NULL; l = l->next)
			chain_lines(chain, bulla_mem(l->of[index].ptr, l->of[index].len), &device->batch);
	}
	if (event == NULL && checkpoint_is_due(device, chain, bulla_elapsed_ns()))
		event = "time";
	if (event != NULL)
		chain_checkpoint(chain, device, event, &device->batch);
}

/* Gives back what was taken: whether it was written. */
static void give_back(struct bulla_audit_share *taken, bool recorded, enum device_end end)
{
	for (struct bulla_audit_share *share = taken, *next; share != NULL; share = next) {
		next = share->next; /* the group may be gone with its last share */
		share_closed(share, end);
		share_done(share, recorded);
	}
}

/* Nobody waits for the write any more; what was taken and not given up meanwhile. With the lock held. */
static struct bulla_audit_share *end_write(struct device *device)
{
	struct bulla_audit_share *taken = device->taken;

	atomic_store_explicit(&device->writing, false, memory_order_relaxed);
	device->taken = NULL;
	for (struct bulla_audit_share *share = taken; share != NULL; share = share->next)
		share->state = SHARE_IDLE;
	return taken;
}

/* What was built was not written, or not all of it. Its numbers are used up where some of it may have arrived. With the lock held. */
static void note_failure(struct device *device, const struct chain *chain, const struct bulla_audit_share *taken)
{
	struct apart *apart = &device->apart;

	for (const struct bulla_audit_share *share = taken; share != NULL; share = share->next)
		if (apart->alone)
			apart_lose(device, share);
		else
			apart_hold(device, share);
	apart_written(device, false);
	if (device->sink.sent == 0 || device->batch.failed)
		return;
	if (!apart->unsure)
		apart->sure = device->chain.records;
	apart->unsure = true;
	device->chain = *chain;
}

/* Another file stands at the path, or none, for longer than a rotation takes to say so: as if it had been said. */
static void look_at_path(struct device *device)
{
	int64_t now_ns = device->writing_since_ns;

	if (!device->sink.regular || now_ns - device->looked_ns < LOOK_NS)
		return;
	device->looked_ns = now_ns;
	if (!file_moved(&device->sink, &device->options)) {
		device->moved_ns = 0;
		return;
	}
	if (device->moved_ns == 0)
		device->moved_ns = now_ns;
	if (now_ns - device->moved_ns < MOVED_NS)
		return;
	device->moved_ns = 0;
	device_log(device, "warn", "is no longer the file at its path; opened anew", device->options.file_path);
	device_reopen(device);
}

void device_drop(struct device *device)
{
	pthread_mutex_lock(&device->lock);
	struct bulla_audit_share *taken = end_write(device);
	enum device_end end = device->end;

	atomic_store_explicit(&device->busy, false, memory_order_relaxed);
	pthread_mutex_unlock(&device->lock);
	give_back(taken, false, end);
}

bool device_write(struct device *device, const char *event)
{
	struct chain chain = device->chain;
	bool news = false, again = false;
	uint64_t lost = 0;

	build(device, event, &chain);
	bool nothing = device->batch.len == 0 && !device->batch.failed, good = !device->batch.failed;

	/* from here on the groups are not looked at, and can be taken away */
	atomic_store_explicit(&device->writing, true, memory_order_release);
	if (good && !nothing)
		good = write_batch(device, &chain);
	const char *trouble = device->batch.failed ? "out of memory" : device->sink.trouble;
	int64_t took_ns = device_now_ns() - device->writing_since_ns;

	pthread_mutex_lock(&device->lock);
	struct bulla_audit_share *taken = end_write(device);

	if (good && !nothing) {
		lost = device->apart.lost_since;
		apart_written(device, true);
		again = end_failure(device, took_ns);
		device->chain = chain;
	}
	if (!good) {
		news = is_first_failure(device, trouble, took_ns);
		note_failure(device, &chain, taken);
	}
	enum device_end end = device->end;
	bool abandoned = device->abandoned; /* then only the device itself is there */

	pthread_mutex_unlock(&device->lock);
	if (again && !abandoned)
		log_success(device, lost);
	if (news && !abandoned)
		device_log(device, "error", "does not record", trouble);
	give_back(taken, good, end);
	if (good && !nothing && !abandoned)
		look_at_path(device);
	return good;
}
