/* device_apart.c: owns what becomes of a device that failed or lags. As long as another device records, no request waits for it: lines are
 * held for it, up to max_queue_bytes, and its thread writes them when it can; it is tried again after pauses that grow. Where no other
 * records, its failure is an answer: at once, if trying takes its time. What is neither written nor held is counted, and told in the
 * chain. Any thread, with the device's lock held. */
#include <stdlib.h>

#include "audit/audit_private.h"

#define NS_PER_MS INT64_C(1000000)
#define LAG_NS (200 * NS_PER_MS)    /* a write that takes longer keeps nobody waiting whose records another device has */
#define QUICK_NS (100 * NS_PER_MS)  /* a failure that took less may be tried again for each request */
#define FIRST_PAUSE_NS (250 * NS_PER_MS)
#define MOST_PAUSE_NS (2000 * NS_PER_MS)  /* a try costs next to nothing ... */
#define SLOW_PAUSE_NS (30000 * NS_PER_MS) /* ... or may keep a thread, and a collector's buffers */
#define ALONE_PAUSE_NS (1000 * NS_PER_MS) /* nothing is served meanwhile */
#define STEADY_NS (30000 * NS_PER_MS) /* after a failure or a lag it is relied on again when it has worked for so long */
#define CHUNK_BYTES ((size_t)1 << 18)

/* ---- whether --------------------------------------------------------------------------------------------------------------- */

static void settle(struct device *device)
{
	struct apart *a = &device->apart;

	if (a->steady_ns != 0 && device_now_ns() >= a->steady_ns)
		a->steady_ns = a->backoff_ns = 0;
	atomic_store_explicit(&a->on, device->failed || a->lags || a->held != NULL || a->writing != NULL || a->steady_ns != 0,
			      memory_order_relaxed);
}

static bool writes_for(const struct device *device, int64_t ns)
{
	return atomic_load_explicit(&device->writing, memory_order_relaxed) && device_now_ns() - device->writing_since_ns > ns;
}

bool device_apart(struct device *device)
{
	bool on = atomic_load_explicit(&device->apart.on, memory_order_relaxed);

	if (!on && !atomic_load_explicit(&device->writing, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&device->lock);
	if (writes_for(device, LAG_NS))
		device->apart.lags = true;
	settle(device);
	on = atomic_load_explicit(&device->apart.on, memory_order_relaxed);
	pthread_mutex_unlock(&device->lock);
	return on;
}

bool apart_refuses(struct device *device)
{
	struct apart *a = &device->apart;

	if (!device->failed)
		return false;
	int64_t soon = device_now_ns() + ALONE_PAUSE_NS;

	if (a->retry_ns > soon) {
		a->retry_ns = soon;
		pthread_cond_signal(&device->wake);
	}
	return a->slow || writes_for(device, QUICK_NS);
}

/* ---- lines ----------------------------------------------------------------------------------------------------------------- */

static uint64_t count_records(const struct bulla_audit_share *share)
{
	size_t index = (size_t)(share - share->group->shares);
	uint64_t n = 0;

	for (const struct bulla_audit_lines *l = share->group->lines; l != NULL; l = l->next)
		for (size_t i = 0; i < l->of[index].len; i++)
			n += l->of[index].ptr[i] == '\n';
	return n;
}

void apart_lose(struct device *device, const struct bulla_audit_share *share)
{
	uint64_t n = count_records(share);

	device->apart.lost += n;
	device->apart.lost_since += n;
}

void apart_release(struct device *device, const struct bulla_audit_share *share)
{
	device->apart.lags = true;
	device->apart.released += count_records(share);
	settle(device);
}

/* Room for n bytes at the end of what is held; NULL: there is none. */
static struct held *make_room(struct apart *a, size_t n)
{
	struct held *last = a->held;
	size_t room = n > CHUNK_BYTES ? n : CHUNK_BYTES;

	while (last != NULL && last->next != NULL)
		last = last->next;
	if (last != NULL && last->room - last->len >= n)
		return last;
	struct held *held = malloc(sizeof *held + room);

	if (held == NULL)
		return NULL;
	*held = (struct held){ .room = room };
	if (last == NULL)
		a->held = held;
	else
		last->next = held;
	return held;
}

void apart_hold(struct device *device, const struct bulla_audit_share *share)
{
	struct apart *a = &device->apart;
	size_t index = (size_t)(share - share->group->shares), bytes = share_bytes(share);
	bool fits = a->held_bytes + bytes <= (size_t)device->options.max_queue_bytes;
	struct held *held = fits ? make_room(a, bytes) : NULL;

	if (held == NULL) {
		apart_lose(device, share);
		return;
	}
	for (const struct bulla_audit_lines *l = share->group->lines; l != NULL; l = l->next) {
		if (l->of[index].len > 0)
			memcpy(held->bytes + held->len, l->of[index].ptr, l->of[index].len);
		held->len += l->of[index].len;
	}
	a->held_bytes += bytes;
	settle(device);
}

void apart_take(struct device *device)
{
	struct apart *a = &device->apart;

	a->told = a->lost;
	a->released = 0;
	a->writing = a->held;
	if (a->writing == NULL)
		return;
	a->held = a->writing->next;
	a->writing->next = NULL;
}

void apart_written(struct device *device, bool good)
{
	struct apart *a = &device->apart;
	struct held *held = a->writing;

	a->writing = NULL;
	if (good) {
		a->lost -= a->told;
		a->unsure = false;
	} else {
		a->lost += a->released;
		a->lost_since += a->released;
	}
	a->released = a->told = 0;
	if (held == NULL)
		return;
	if (good) {
		a->held_bytes -= held->len;
		free(held);
		return;
	}
	held->next = a->held;
	a->held = held;
}

void apart_clear(struct device *device)
{
	for (struct held *held = device->apart.held, *next; held != NULL; held = next) {
		next = held->next;
		free(held);
	}
	free(device->apart.writing);
	device->apart.held = device->apart.writing = NULL;
}

/* ---- failing and working again --------------------------------------------------------------------------------------------- */

void apart_failed(struct device *device, int64_t took_ns)
{
	struct apart *a = &device->apart;

	a->slow = took_ns > QUICK_NS;
	int64_t most = a->alone ? ALONE_PAUSE_NS : a->slow ? SLOW_PAUSE_NS : MOST_PAUSE_NS;

	a->backoff_ns = a->backoff_ns == 0 ? FIRST_PAUSE_NS : 2 * a->backoff_ns;
	a->backoff_ns = a->backoff_ns > most ? most : a->backoff_ns;
	a->retry_ns = device_now_ns() + a->backoff_ns;
	a->steady_ns = INT64_MAX;
	settle(device);
	if (device->started) /* it was a submitter who found out: the thread waits for something else, and longer */
		pthread_cond_signal(&device->wake);
}

/* A short failure that is over, as a log daemon's restart, is forgotten like a long one: when it has worked for a while. */
void apart_works(struct device *device, int64_t took_ns)
{
	struct apart *a = &device->apart;

	if (!atomic_load_explicit(&a->on, memory_order_relaxed) && took_ns <= LAG_NS)
		return;
	if (a->steady_ns == INT64_MAX || took_ns > LAG_NS)
		a->steady_ns = device_now_ns() + STEADY_NS;
	a->lags = false;
	a->slow = false;
	settle(device);
}
