/* utc.c: owns the form of times. Stateless: any thread. By hand, because gmtime_r takes a lock and looks for a time zone, for each card. */
#include "utc.h"

#define DAY_S 86400
#define YEAR_9999_S 253402300799 /* 9999-12-31T23:59:59Z */
#define DAYS_BEFORE_1970 719468  /* since 0000-03-01: a year that begins in March has its leap day at the end */
#define DAYS_OF_400_YEARS 146097

static char *put(char *at, unsigned number, unsigned digits, char end)
{
	for (unsigned i = digits; i > 0; i--, number /= 10)
		at[i - 1] = (char)('0' + number % 10);
	at[digits] = end;
	return at + digits + 1;
}

/* The proleptic Gregorian calendar. */
static char *put_date(char *at, unsigned days)
{
	unsigned era = days / DAYS_OF_400_YEARS, day = days % DAYS_OF_400_YEARS;
	unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;

	day -= 365 * year + year / 4 - year / 100;
	unsigned month = (5 * day + 2) / 153; /* 0: March; 153 days in any five months from there */

	day -= (153 * month + 2) / 5;
	at = put(at, year + 400 * era + (month >= 10 ? 1 : 0), 4, '-');
	at = put(at, month < 10 ? month + 3 : month - 9, 2, '-');
	return put(at, day + 1, 2, 'T');
}

void utc_print(char out[UTC_SIZE], int64_t s)
{
	if (s < 0)
		s = 0;
	if (s > YEAR_9999_S)
		s = YEAR_9999_S;
	unsigned rest = (unsigned)(s % DAY_S);
	char *at = put_date(out, (unsigned)(s / DAY_S) + DAYS_BEFORE_1970);

	at = put(at, rest / 3600, 2, ':');
	at = put(at, rest / 60 % 60, 2, ':');
	*put(at, rest % 60, 2, 'Z') = '\0';
}
