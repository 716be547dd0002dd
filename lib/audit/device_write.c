/* device_write.c: writes what a device has taken from its queue: gives each line its place in the chain, writes all in one piece, and
 * tells each group how that went. One thread at a time, who has made the device busy: its own, or a submitter (device.c). */
#include <stdio.h>

#include "audit/audit_private.h"

#define NS_PER_S INT64_C(1000000000)
#define KEEP_BATCH_BYTES (1 << 20)

/* ---- how it goes ------------------------------------------------------------------------------------------------------- */

static void log_line(const struct device *device, const char *level, const char *what, const char *trouble)
{
	char text[512];

	if (device->config->log == NULL)
		return;
	(void)snprintf(text, sizeof text, "audit device %.*s (%.*s) %s%s%s", (int)device->path.len, (const char *)device->path.ptr,
		       (int)device->type.len, (const char *)device->type.ptr, what, trouble[0] != 0 ? ": " : "", trouble);
	device->config->log(device->config->log_context, level, text);
}

/* With the lock held. True: it is news. */
static bool is_first_failure(struct device *device, const char *trouble)
{
	bool first = !device->failed;

	device->failed = true;
	device->lost_groups++;
	if (first)
		device->failed_since_ns = bulla_elapsed_ns();
	(void)snprintf(device->trouble, sizeof device->trouble, "%s", trouble);
	return first;
}

/* With the lock held. How many groups were lost before; 0: it has not failed. */
static uint64_t end_failure(struct device *device)
{
	uint64_t lost = device->failed ? device->lost_groups : 0;

	device->failed = false;
	device->lost_groups = 0;
	device->trouble[0] = 0;
	return lost;
}

static void log_success(const struct device *device, uint64_t lost)
{
	char text[64];

	(void)snprintf(text, sizeof text, "%llu groups of requests were lost to it", (unsigned long long)lost);
	log_line(device, "warn", "records again", text);
}

void device_failed(struct device *device, const char *trouble)
{
	pthread_mutex_lock(&device->lock);
	bool first = is_first_failure(device, trouble);

	pthread_mutex_unlock(&device->lock);
	if (first)
		log_line(device, "error", "does not record", trouble);
}

/* ---- a batch ------------------------------------------------------------------------------------------------------------- */

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
	if (event == NULL && checkpoint_is_due(device, chain, device->writing_since_ns))
		event = "time";
	if (event != NULL)
		chain_checkpoint(chain, device, event, &device->batch);
}

/* Gives back what was taken: whether it was written. */
static void give_back(struct bulla_audit_share *taken, bool recorded)
{
	for (struct bulla_audit_share *share = taken, *next; share != NULL; share = next) {
		next = share->next; /* the group may be gone with its last share */
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

bool device_write(struct device *device, const char *event)
{
	struct chain chain = device->chain;
	uint64_t lost = 0;
	bool news = false;

	build(device, device->taken, event, &chain);
	bool nothing = device->batch.len == 0 && !device->batch.failed, good = !device->batch.failed;

	/* from here on the groups are not looked at, and can be taken away */
	atomic_store_explicit(&device->writing, true, memory_order_release);
	if (good && !nothing)
		good = write_batch(device);
	const char *trouble = device->batch.failed ? "out of memory" : device->sink.trouble;

	pthread_mutex_lock(&device->lock);
	struct bulla_audit_share *taken = end_write(device);

	if (good && !nothing) {
		lost = end_failure(device);
		device->chain = chain;
	}
	if (!good)
		news = is_first_failure(device, trouble);
	pthread_mutex_unlock(&device->lock);
	if (lost > 0)
		log_success(device, lost);
	if (news)
		log_line(device, "error", "does not record", trouble);
	give_back(taken, good);
	return good;
}
