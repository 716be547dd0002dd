/* groups.c: hands groups of lines to the devices that are on, and waits for them, for who may wait; says which devices are waited for.
 * Any thread. */
#define _GNU_SOURCE /* pthread_cond_clockwait */
#include <errno.h>
#include <time.h>

#include "audit/audit_private.h"

void bulla_audit_submit(struct bulla_audit_group *group)
{
	struct audit_set *set = group->lines->set; /* all lines of a group are of one set */

	atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed); /* the group may be gone before the last share is given */
	group->share_count = (unsigned)set->count;
	__atomic_store_n(&group->left, group->share_count, __ATOMIC_RELAXED);
	__atomic_store_n(&group->any, false, __ATOMIC_RELAXED);
	__atomic_store_n(&group->closed, false, __ATOMIC_RELAXED);
	__atomic_store_n(&group->missed, false, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < group->share_count; i++)
		group->shares[i] = (struct bulla_audit_share){ .group = group };
	bool apart[BULLA_AUDIT_MAX_DEVICES] = { false };
	size_t count = set->count, relied_on = count;

	for (size_t i = 0; count > 1 && i < count; i++) {
		apart[i] = device_apart(set->devices[i]);
		relied_on -= apart[i];
	}
	for (size_t i = 0; i < count; i++) {
		bool others = relied_on > (apart[i] ? 0u : 1u);

		device_submit(set->devices[i], &group->shares[i], others, apart[i]);
	}
	set_put(set);
}

static void expire(struct bulla_audit_group *group, int64_t waited_ms, int64_t wait_ms)
{
	struct device *devices[BULLA_AUDIT_MAX_DEVICES];
	unsigned count = group->share_count;
	bool late = waited_ms > wait_ms;

	if (!late && (waited_ms < BULLA_AUDIT_LAG_MS || !__atomic_load_n(&group->any, __ATOMIC_RELAXED)))
		return;

	/* the last one given up ends the group */
	for (unsigned i = 0; i < count; i++) {
		devices[i] = group->shares[i].device;
		if (devices[i] != NULL)
			device_hold(devices[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		if (devices[i] != NULL)
			device_expire(devices[i], group, !late);
		device_put(devices[i]);
	}
}

void bulla_audit_expire(struct bulla_audit_group *group, int64_t waited_ms)
{
	expire(group, waited_ms, BULLA_AUDIT_WAIT_S * 1000);
}

struct waiter {
	struct bulla_audit_group group; /* first */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool done;
};

static void wake_waiter(struct bulla_audit_group *group)
{
	struct waiter *waiter = (struct waiter *)(void *)group;

	pthread_mutex_lock(&waiter->lock);
	waiter->done = true;
	pthread_cond_signal(&waiter->wake);
	pthread_mutex_unlock(&waiter->lock);
}

static struct timespec after_ms(int64_t ms)
{
	int64_t at = device_now_ns() + ms * 1000000;

	return (struct timespec){ .tv_sec = at / 1000000000, .tv_nsec = at % 1000000000 };
}

enum bulla_err bulla_audit_commit(struct bulla_call *call, struct bulla_audit_lines *lines)
{
	return bulla_audit_commit_within(call, lines, BULLA_AUDIT_WAIT_S * 1000);
}

enum bulla_err bulla_audit_commit_within(struct bulla_call *call, struct bulla_audit_lines *lines, int64_t wait_ms)
{
	struct waiter waiter = { .group = { .lines = lines, .done = wake_waiter } };

	(void)call;
	if (lines == NULL)
		return BULLA_OK;
	pthread_mutex_init(&waiter.lock, NULL);
	pthread_cond_init(&waiter.wake, NULL);
	int64_t since = device_now_ns();

	bulla_audit_submit(&waiter.group);
	struct timespec until = after_ms(BULLA_AUDIT_LAG_MS);

	pthread_mutex_lock(&waiter.lock);
	while (!waiter.done)
		if (pthread_cond_clockwait(&waiter.wake, &waiter.lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT) {
			pthread_mutex_unlock(&waiter.lock);
			expire(&waiter.group, (device_now_ns() - since) / 1000000, wait_ms);
			until = after_ms(BULLA_AUDIT_LAG_MS);
			pthread_mutex_lock(&waiter.lock);
		}
	pthread_mutex_unlock(&waiter.lock);
	pthread_cond_destroy(&waiter.wake);
	pthread_mutex_destroy(&waiter.lock);
	bulla_audit_lines_free(lines);
	return waiter.group.recorded ? BULLA_OK : bulla_audit_refusal(&waiter.group);
}
