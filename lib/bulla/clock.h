/* clock.h: what time it is, on two clocks (docs/DECISIONS.md, "Time"). Which one a number is of, its name or comment says: points of
 * the clock are called *_ns or *_s, dates *_date_ns. Threads: any.
 *
 *   the clock   for lifetimes, periods and windows. It never goes back, and no step of the system's clock moves it: it advances with
 *               CLOCK_BOOTTIME, and the engine goes on with it over restarts (lib/engine_clock.c). Only differences of its points mean
 *               anything; in a store that was never stepped they are about equal to dates.
 *   dates       the system's clock, at once, wherever it is set: what other parties' dates are compared with, and what is shown.
 *   elapsed     since the machine was started: for waits and pauses that end with the process. */
#ifndef BULLA_CLOCK_H
#define BULLA_CLOCK_H

#include <time.h>

#include "bytes.h"
#include "error.h"

BULLA_DECLS_BEGIN

/* Before the first unsealing the clock is the system's at start, and provisional: nothing that is kept may depend on it. */
int64_t bulla_clock_ns(void);
int64_t bulla_clock_s(void);

int64_t bulla_wall_ns(void);
int64_t bulla_wall_s(void);

int64_t bulla_elapsed_ns(void);
/* A point of CLOCK_MONOTONIC, ns from now: for pthread_cond_clockwait. */
struct timespec bulla_until(int64_t ns);

/* What this thread has computed. */
int64_t bulla_thread_cpu_ns(void);

/* A point of the clock as a date, and the way back, by how far both are apart now. The same point gives the same date, to the
 * nanosecond, until the system's clock is stepped by more than a millisecond. INT64_MAX and 0 stay what they are. */
int64_t bulla_date_of(int64_t clock_ns);
int64_t bulla_clock_of(int64_t date_ns);

/* How far the system's clock was stepped since this was asked last, or since start, if by at least least_ns; else 0, and what is less
 * adds up. One thread at a time: for the log. */
int64_t bulla_wall_step_ns(int64_t least_ns);

/* ---- something ends at a point of the clock, or at a date that somebody has named ------------------------------------------ */

struct bulla_end {
	int64_t ns;                /* 0: never */
	bool by_date;
};
struct bulla_now {
	int64_t clock_ns, date_ns;
};
struct bulla_now bulla_now(void);
bool bulla_end_is_over(struct bulla_end end, const struct bulla_now *now);
/* The end as a date; 0: never. */
int64_t bulla_end_date_ns(struct bulla_end end);

/* ---- going on with the clock of a store ------------------------------------------------------------------------------------- */

/* No later point is kept or taken over (it is in 2150): whatever is added to it fits 64 bits. */
#define BULLA_CLOCK_LAST_NS (INT64_C(5680281600) * 1000000000)
/* The system's clock is believed to have been right while the store was closed if that was no longer than this: 31 days. */
#define BULLA_CLOCK_MAX_PAUSE_NS (INT64_C(31) * 86400 * 1000000000)

enum bulla_clock_resumed {
	BULLA_CLOCK_IS_WALL,       /* it is the system's, which is the later and plausible */
	BULLA_CLOCK_IS_AHEAD,      /* the system's clock is behind the store's, which goes on from where it was */
	BULLA_CLOCK_IS_FAR_BEHIND, /* the system's is too far ahead to be believed: the same */
};
/* Where the clock of a store goes on. kept_ns: the point that it has reached for certain; 0: it has none. date_ns: the system's date.
 * waited_ns: what this process has seen pass since it opened the store. Pure. */
enum bulla_clock_resumed bulla_clock_resume_at(int64_t kept_ns, int64_t date_ns, int64_t waited_ns, int64_t *clock_ns);

/* Sets the clock the first time, and after that only forward. True: it was the first time. */
bool bulla_clock_settle(int64_t clock_ns);
bool bulla_clock_is_settled(void);

/* ---- for tests --------------------------------------------------------------------------------------------------------------- */

/* Other sources for what passes and for the date (NULL: the real ones), and all of the above as in a process that has just begun.
 * One function for both is a clock that is never stepped. */
void bulla_clock_replace(int64_t (*elapsed_ns)(void), int64_t (*wall_ns)(void));

/* ---- as text ------------------------------------------------------------------------------------------------------------------ */

/* RFC 3339 in UTC with nanoseconds, trailing zeros dropped as Go does ("2026-11-21T19:05:40.725475082Z").
 * out has room for BULLA_TIME_TEXT; returns the length, no NUL counted but one written. */
#define BULLA_TIME_TEXT 40
int bulla_time_print(int64_t ns, char out[BULLA_TIME_TEXT]);

/* The way back, any offset, any number of digits behind the point (those beyond nanoseconds are dropped). Years that 64 bits of
 * nanoseconds do not reach (Go's zero time is of the year 1) give 0. BAD_FIELD: it is no such time. */
BULLA_MUST_USE enum bulla_err bulla_time_parse(struct bulla_bytes text, int64_t *ns);

BULLA_DECLS_END

#endif
