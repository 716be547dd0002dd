/* device.c: owns a device's queue. Its thread takes all that is queued and writes it (device_thread.c, device_write.c). Where a write
 * takes no time to speak of and nobody else is at it, whoever submits does the thread's part himself: waking it would take longer. One
 * at a time writes (busy).
 *
 * Any thread submits. A write that does not end is given up by those who wait (device_expire), while the writer stays in it. */
#include <time.h>

#include "audit/audit_private.h"

#define NS_PER_S INT64_C(1000000000)

int64_t device_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- shares of groups ------------------------------------------------------------------------------------------------ */

static void share_end(struct bulla_audit_group *group)
{
	if (__atomic_sub_fetch(&group->left, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	/* where every device was disabled meanwhile, nobody wants it */
	group->recorded = __atomic_load_n(&group->any, __ATOMIC_RELAXED) || !__atomic_load_n(&group->missed, __ATOMIC_RELAXED);
	group->sealed = __atomic_load_n(&group->closed, __ATOMIC_RELAXED);
	group->done(group);
}

void share_done(struct bulla_audit_share *share, bool recorded)
{
	__atomic_store_n(recorded ? &share->group->any : &share->group->missed, true, __ATOMIC_RELAXED);
	share_end(share->group);
}

/* Whoever was not recorded is told that the server is sealed, if that is why. */
void share_closed(struct bulla_audit_share *share, enum device_end end)
{
	if (end == DEVICE_CLOSED)
		__atomic_store_n(&share->group->closed, true, __ATOMIC_RELAXED);
}

size_t share_bytes(const struct bulla_audit_share *share)
{
	size_t index = (size_t)(share - share->group->shares), n = 0;

	for (const struct bulla_audit_lines *l = share->group->lines; l != NULL; l = l->next)
		n += l->of[index].len;
	return n;
}

/* ---- submitting ---------------------------------------------------------------------------------------------------------- */

#define PAUSES 100 /* some microseconds */
#define ROUNDS 2

static void processor_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Another submitter is done sooner than this thread would sleep and be woken. Lets go of the lock meanwhile. */
static void let_finish(struct device *device)
{
	if (!device->brief || !atomic_load_explicit(&device->busy, memory_order_relaxed))
		return;
	pthread_mutex_unlock(&device->lock);
	for (unsigned i = 0; i < PAUSES && atomic_load_explicit(&device->busy, memory_order_relaxed); i++)
		processor_pause();
	pthread_mutex_lock(&device->lock);
}

static void put_in(struct device *device, struct bulla_audit_share *share, size_t bytes)
{
	share->device = device;
	share->state = SHARE_QUEUED;
	share->next = NULL;
	*device->queue_end = share;
	device->queue_end = &share->next;
	device->queued_bytes += bytes;
}

void device_take(struct device *device, bool brief)
{
	atomic_store_explicit(&device->busy, true, memory_order_relaxed);
	device->brief = brief;
	device->writing_since_ns = device_now_ns();
	device->taken = device->queue;
	for (struct bulla_audit_share *s = device->taken; s != NULL; s = s->next)
		s->state = SHARE_TAKEN;
	device->queue = NULL;
	device->queue_end = &device->queue;
	device->queued_bytes = 0;
	apart_take(device);
}

/* By the submitter: what is queued, and once more what came meanwhile. With the lock held, which is released. */
static void write_queue(struct device *device)
{
	bool idle = device->chain.records == device->chain.signed_records;

	for (unsigned i = 0; i < ROUNDS && device->queue != NULL && !device->wanted && !device->failed; i++) {
		device_take(device, true);
		pthread_mutex_unlock(&device->lock);
		(void)device_write(device, NULL);
		pthread_mutex_lock(&device->lock);
		atomic_store_explicit(&device->busy, false, memory_order_relaxed);
	}
	idle = idle && device->chain.records != device->chain.signed_records; /* from now on the thread has a checkpoint to wait for */
	if (device->queue != NULL || device->wanted || idle || device->apart.held != NULL)
		pthread_cond_signal(&device->wake);
	pthread_mutex_unlock(&device->lock);
}

static bool is_stuck(const struct device *device)
{
	return atomic_load_explicit(&device->writing, memory_order_relaxed) &&
	       device_now_ns() - device->writing_since_ns > BULLA_AUDIT_WAIT_S * NS_PER_S;
}

/* Queues the share, or writes it. With the lock held, which is released. */
static void accept_share(struct device *device, struct bulla_audit_share *share, size_t bytes)
{
	bool was_empty = device->queue == NULL, busy = atomic_load_explicit(&device->busy, memory_order_relaxed);

	put_in(device, share, bytes);
	/* the sink belongs to whoever is busy: it may be looked at when nobody is */
	if (!busy && !device->wanted && !device->failed && device->sink.local && device->apart.held == NULL) {
		write_queue(device);
		return;
	}
	if (was_empty && !busy) /* who is busy looks at the queue afterwards */
		pthread_cond_signal(&device->wake);
	pthread_mutex_unlock(&device->lock);
}

/* It is written by the device's own thread, and no request waits for that. With the lock held, which is released. */
static void hold(struct device *device, struct bulla_audit_share *share)
{
	apart_hold(device, share);
	if (!device->failed && !atomic_load_explicit(&device->busy, memory_order_relaxed))
		pthread_cond_signal(&device->wake);
	pthread_mutex_unlock(&device->lock);
	share_done(share, false);
}

void device_submit(struct device *device, struct bulla_audit_share *share, bool others, bool apart)
{
	size_t bytes = share_bytes(share);

	pthread_mutex_lock(&device->lock);
	let_finish(device);
	enum device_end end = device->end;

	device->apart.alone = !others;
	if (end == DEVICE_ON && others && apart) {
		hold(device, share);
		return;
	}
	bool refused = device->failed && !others && apart_refuses(device), stuck = is_stuck(device);
	bool full = device->queued_bytes > 0 && device->queued_bytes + bytes > (size_t)device->options.max_queue_bytes;

	if (end == DEVICE_ON && !stuck && !full && !refused) {
		accept_share(device, share, bytes);
		return;
	}
	if (end == DEVICE_ON)
		apart_lose(device, share);
	pthread_mutex_unlock(&device->lock);
	if (end == DEVICE_ON && !refused)
		device_failed(device, stuck ? "a write does not end" : "too much is waiting to be written");
	share_closed(share, end);
	if (end == DEVICE_DISABLED)
		share_end(share->group); /* nobody wants it any more: that speaks neither for the request nor against it */
	else
		share_done(share, false);
}

/* ---- giving up ------------------------------------------------------------------------------------------------------------ */

static bool take_out(struct bulla_audit_share **list, const struct bulla_audit_share *share)
{
	for (struct bulla_audit_share **at = list; *at != NULL; at = &(*at)->next)
		if (*at == share) {
			*at = share->next;
			return true;
		}
	return false;
}

/* Takes a share of the group out of what is queued or being written. While a writer is in a write, it does not look at the groups. */
static struct bulla_audit_share *take_share(struct device *device, struct bulla_audit_group *group)
{
	for (unsigned i = 0; i < group->share_count; i++) {
		struct bulla_audit_share *share = &group->shares[i];

		if (share->device != device)
			continue;
		if (share->state == SHARE_TAKEN && take_out(&device->taken, share))
			return share;
		if (share->state != SHARE_QUEUED || !take_out(&device->queue, share))
			continue;
		device->queued_bytes -= share_bytes(share);
		device->queue_end = &device->queue;
		while (*device->queue_end != NULL)
			device->queue_end = &(*device->queue_end)->next;
		return share;
	}
	return NULL;
}

void device_expire(struct device *device, struct bulla_audit_group *group, bool held)
{
	pthread_mutex_lock(&device->lock);
	bool writing = atomic_load_explicit(&device->writing, memory_order_acquire);
	struct bulla_audit_share *found = writing ? take_share(device, group) : NULL;

	if (found != NULL && found->state == SHARE_TAKEN)
		apart_release(device, found);
	else if (found != NULL && held)
		apart_hold(device, found);
	else if (found != NULL)
		apart_lose(device, found);
	enum device_end end = device->end;

	if (found != NULL)
		found->state = SHARE_IDLE;
	pthread_mutex_unlock(&device->lock);
	if (found == NULL)
		return;
	share_closed(found, end);
	if (!held)
		device_failed(device, "a write does not end");
	share_done(found, false);
}
