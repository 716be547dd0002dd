/* clock.c: owns the process's clocks (bulla/clock.h): where the clock stands beside CLOCK_BOOTTIME, and dates beside the clock.
 * Reading is one clock_gettime, in the vDSO since Linux 5.3 for CLOCK_BOOTTIME too, as cheap as CLOCK_MONOTONIC. Any thread. */
#include "bulla/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define UNSET INT64_MIN
#define SAME_NS INT64_C(1000000) /* less than a step */
#define TRIES 4

static _Atomic int64_t clock_offset = UNSET; /* the clock less what has elapsed */
static _Atomic int64_t date_offset = UNSET;  /* dates less what has elapsed */
static atomic_bool settled;
static int64_t told_offset = UNSET;          /* date_offset as bulla_wall_step_ns knew it; of its caller */
static int64_t (*_Atomic elapsed_source)(void);
static int64_t (*_Atomic wall_source)(void);

static int64_t read_clock(clockid_t id)
{
	struct timespec t = { 0 };

	(void)clock_gettime(id, &t); /* the clocks that are asked here cannot fail on Linux */
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

struct timespec bulla_until(int64_t ns)
{
	int64_t until_ns = read_clock(CLOCK_MONOTONIC) + ns;

	return (struct timespec){ .tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S };
}

int64_t bulla_thread_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int64_t bulla_elapsed_ns(void)
{
	int64_t (*source)(void) = atomic_load_explicit(&elapsed_source, memory_order_relaxed);

	return source != NULL ? source() : read_clock(CLOCK_BOOTTIME);
}

int64_t bulla_wall_ns(void)
{
	int64_t (*source)(void) = atomic_load_explicit(&wall_source, memory_order_relaxed);

	return source != NULL ? source() : read_clock(CLOCK_REALTIME);
}

int64_t bulla_wall_s(void)
{
	return bulla_wall_ns() / NS_PER_S;
}

/* ---- the clock ------------------------------------------------------------------------------------------------------------- */

/* The first who asks decides where it stands until the store is known. */
static int64_t begin(void)
{
	int64_t expected = UNSET, now = bulla_wall_ns() - bulla_elapsed_ns();

	return atomic_compare_exchange_strong(&clock_offset, &expected, now) ? now : expected;
}

int64_t bulla_clock_ns(void)
{
	int64_t offset = atomic_load_explicit(&clock_offset, memory_order_relaxed);

	if (offset == UNSET)
		offset = begin();
	return bulla_elapsed_ns() + offset;
}

int64_t bulla_clock_s(void)
{
	return bulla_clock_ns() / NS_PER_S;
}

bool bulla_clock_is_settled(void)
{
	return atomic_load(&settled);
}

bool bulla_clock_settle(int64_t clock_ns)
{
	int64_t wanted = clock_ns - bulla_elapsed_ns(), before = atomic_load(&clock_offset);

	if (!atomic_exchange(&settled, true)) {
		atomic_store(&clock_offset, wanted);
		return true;
	}
	while (wanted > before && !atomic_compare_exchange_weak(&clock_offset, &before, wanted))
		;
	return false;
}

enum bulla_clock_resumed bulla_clock_resume_at(int64_t kept_ns, int64_t date_ns, int64_t waited_ns, int64_t *clock_ns)
{
	if (date_ns < 1)
		date_ns = 1;
	if (date_ns > BULLA_CLOCK_LAST_NS)
		date_ns = BULLA_CLOCK_LAST_NS;
	*clock_ns = kept_ns == 0 ? date_ns : kept_ns + waited_ns;
	if (date_ns < *clock_ns)
		return BULLA_CLOCK_IS_AHEAD;
	if (date_ns - *clock_ns > BULLA_CLOCK_MAX_PAUSE_NS)
		return BULLA_CLOCK_IS_FAR_BEHIND;
	*clock_ns = date_ns;
	return BULLA_CLOCK_IS_WALL;
}

/* ---- dates ------------------------------------------------------------------------------------------------------------------- */

/* How far dates are from what has elapsed. A thread may be held up between reading both clocks: the offset lies between two bounds
 * then, and stays what it was if it is between them. */
static int64_t measure(void)
{
	int64_t known = atomic_load_explicit(&date_offset, memory_order_relaxed), low = 0;

	for (int i = 0; i < TRIES; i++) {
		int64_t before = bulla_elapsed_ns(), date = bulla_wall_ns(), after = bulla_elapsed_ns();

		low = date - after;
		if (known != UNSET && known > low - SAME_NS && known < date - before + SAME_NS)
			return known;
		if (after - before < SAME_NS)
			break;
	}
	if (known == UNSET && !atomic_compare_exchange_strong(&date_offset, &known, low))
		return known; /* whoever was first */
	atomic_store_explicit(&date_offset, low, memory_order_relaxed);
	return low;
}

static int64_t moved(int64_t ns, int64_t by)
{
	int64_t sum;

	if (ns == 0 || ns == INT64_MAX)
		return ns;
	if (__builtin_add_overflow(ns, by, &sum))
		return by > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

/* Dates less the clock. */
static int64_t difference(void)
{
	int64_t offset = atomic_load_explicit(&clock_offset, memory_order_relaxed);

	if (offset == UNSET)
		offset = begin();
	return measure() - offset;
}

int64_t bulla_date_of(int64_t clock_ns)
{
	return moved(clock_ns, difference());
}

int64_t bulla_clock_of(int64_t date_ns)
{
	return moved(date_ns, -difference());
}

int64_t bulla_wall_step_ns(int64_t least_ns)
{
	int64_t now = measure(), step = told_offset != UNSET ? now - told_offset : 0;

	if (told_offset != UNSET && step < least_ns && step > -least_ns)
		return 0;
	told_offset = now;
	return step;
}

/* ---- ends -------------------------------------------------------------------------------------------------------------------- */

struct bulla_now bulla_now(void)
{
	return (struct bulla_now){ bulla_clock_ns(), bulla_wall_ns() };
}

bool bulla_end_is_over(struct bulla_end end, const struct bulla_now *now)
{
	return end.ns != 0 && end.ns <= (end.by_date ? now->date_ns : now->clock_ns);
}

int64_t bulla_end_date_ns(struct bulla_end end)
{
	return end.by_date ? end.ns : bulla_date_of(end.ns);
}

void bulla_clock_replace(int64_t (*elapsed_ns)(void), int64_t (*wall_ns)(void))
{
	atomic_store(&elapsed_source, elapsed_ns);
	atomic_store(&wall_source, wall_ns);
	atomic_store(&clock_offset, UNSET);
	atomic_store(&date_offset, UNSET);
	atomic_store(&settled, false);
	told_offset = UNSET;
}
