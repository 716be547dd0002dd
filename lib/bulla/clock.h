/* clock.h: what time it is. TTLs run on a monotonic clock that was anchored to the wall clock at start, so a step of the
 * wall clock neither expires nor revives anything. Tests replace the clock. Threads: any. */
#ifndef BULLA_CLOCK_H
#define BULLA_CLOCK_H

#include "bytes.h"
#include "error.h"

/* Nanoseconds since 1970, never running backwards within a thread (between threads by what a slew takes off at most). */
int64_t bulla_now_ns(void);

/* The same in seconds. */
int64_t bulla_now_s(void);

/* How far the wall clock has stepped away from our clock, in ns: the server logs it and slews (bulla_clock_slew). */
int64_t bulla_clock_drift_ns(void);

/* Moves our clock towards the wall clock by at most max_ns. */
void bulla_clock_slew(int64_t max_ns);

/* For tests: a fixed source (NULL: the real one). */
void bulla_clock_replace(int64_t (*now_ns)(void));

/* RFC 3339 in UTC with nanoseconds, trailing zeros dropped as Go does ("2026-11-21T19:05:40.725475082Z").
 * out has room for BULLA_TIME_TEXT; returns the length, no NUL counted but one written. */
#define BULLA_TIME_TEXT 40
int bulla_time_print(int64_t ns, char out[BULLA_TIME_TEXT]);

/* The way back, any offset, any number of digits behind the point (those beyond nanoseconds are dropped). Years that 64 bits of
 * nanoseconds do not reach (Go's zero time is of the year 1) give 0. BAD_FIELD: it is no such time. */
BULLA_MUST_USE enum bulla_err bulla_time_parse(struct bulla_bytes text, int64_t *ns);

#endif
