/* clock.c: owns the process's idea of now: the monotonic clock plus an offset set at first use. Any thread. */
#include "bulla/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

static _Atomic(int64_t) offset_ns; /* wall minus monotonic at the anchor, then slewed; 0: not anchored yet */
static int64_t (*_Atomic replacement)(void);
static __thread int64_t latest_ns; /* what this thread was told last */

static int64_t read_clock(clockid_t id)
{
	struct timespec t = { 0 };

	(void)clock_gettime(id, &t); /* these two clocks cannot fail on Linux */
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t anchor(void)
{
	int64_t expected = 0, now = read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC);

	if (atomic_compare_exchange_strong(&offset_ns, &expected, now))
		return now;
	return expected;
}

int64_t bulla_now_ns(void)
{
	int64_t (*fixed)(void) = atomic_load_explicit(&replacement, memory_order_relaxed);

	if (fixed != NULL)
		return fixed();
	int64_t offset = atomic_load_explicit(&offset_ns, memory_order_relaxed);
	int64_t now = read_clock(CLOCK_MONOTONIC) + (offset != 0 ? offset : anchor());

	if (now > latest_ns)
		latest_ns = now;
	return latest_ns; /* stands still while a slew backwards is made up for */
}

int64_t bulla_now_s(void)
{
	return bulla_now_ns() / NS_PER_S;
}

int64_t bulla_clock_drift_ns(void)
{
	int64_t offset = atomic_load(&offset_ns);

	return read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC) - (offset != 0 ? offset : anchor());
}

void bulla_clock_slew(int64_t max_ns)
{
	int64_t drift = bulla_clock_drift_ns();

	if (drift > max_ns)
		drift = max_ns;
	if (drift < -max_ns)
		drift = -max_ns;
	atomic_fetch_add(&offset_ns, drift);
}

void bulla_clock_replace(int64_t (*now_ns)(void))
{
	atomic_store(&replacement, now_ns);
}

int bulla_time_print(int64_t ns, char out[BULLA_TIME_TEXT])
{
	int64_t s = ns / NS_PER_S, frac = ns % NS_PER_S;

	if (frac < 0)
		frac += NS_PER_S, s -= 1;
	time_t t = (time_t)s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		return snprintf(out, BULLA_TIME_TEXT, "0001-01-01T00:00:00Z");
	int n = (int)strftime(out, BULLA_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);

	if (frac > 0) {
		n += snprintf(out + n, (size_t)(BULLA_TIME_TEXT - n), ".%09d", (int)frac);
		while (out[n - 1] == '0')
			n--;
	}
	return n + snprintf(out + n, (size_t)(BULLA_TIME_TEXT - n), "Z");
}
