/* time_print.c: owns the text of dates. Stateless: any thread. */
#include <stdint.h>

#include "bulla/clock.h"

#define NS_PER_S INT64_C(1000000000)

/* Two digits. */
static char *put_two(char *to, unsigned value)
{
	to[0] = (char)('0' + value / 10);
	to[1] = (char)('0' + value % 10);
	return to + 2;
}

/* Days since 1970 as a date of the Gregorian calendar, by its cycles of 400 years, which begin in March. strftime would ask for the
 * time zone; log lines and replies need this often. */
static char *put_date(char *to, int64_t days)
{
	int64_t shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	unsigned day = (unsigned)(shifted - era * 146097);
	unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	unsigned of_year = day - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
	unsigned full = (unsigned)(era * 400) + year + (month >= 10);

	to = put_two(put_two(to, full / 100), full % 100);
	*to++ = '-';
	to = put_two(to, month < 10 ? month + 3 : month - 9);
	*to++ = '-';
	return put_two(to, of_year - (153 * month + 2) / 5 + 1);
}

int bulla_time_print(int64_t ns, char out[BULLA_TIME_TEXT])
{
	int64_t s = ns / NS_PER_S, frac = ns % NS_PER_S;

	if (frac < 0)
		frac += NS_PER_S, s -= 1;
	int64_t days = s / 86400, rest = s % 86400;

	if (rest < 0)
		rest += 86400, days -= 1;
	char *to = put_date(out, days);

	*to++ = 'T';
	to = put_two(to, (unsigned)(rest / 3600));
	*to++ = ':';
	to = put_two(to, (unsigned)(rest / 60 % 60));
	*to++ = ':';
	to = put_two(to, (unsigned)(rest % 60));
	if (frac > 0) {
		uint32_t left = (uint32_t)frac;

		*to++ = '.';
		for (int i = 8; i >= 0; i--, left /= 10)
			to[i] = (char)('0' + left % 10);
		to += 9;
		while (to[-1] == '0')
			to--;
	}
	*to++ = 'Z';
	*to = 0;
	return (int)(to - out);
}
