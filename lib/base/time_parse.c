/* time_parse.c: owns the reading of RFC 3339 times. Stateless: any thread. */
#include "bulla/clock.h"

struct reader {
	struct bulla_bytes rest;
	bool bad;
};

static uint8_t take(struct reader *r)
{
	if (r->rest.len == 0) {
		r->bad = true;
		return 0;
	}
	r->rest.len--;
	return *r->rest.ptr++;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* n digits, a number from least to most. */
static int take_number(struct reader *r, int n, int least, int most)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		uint8_t c = take(r);

		r->bad |= !is_digit(c);
		v = v * 10 + (c - '0');
	}
	r->bad |= v < least || v > most;
	return v;
}

static void take_char(struct reader *r, uint8_t c)
{
	r->bad |= take(r) != c;
}

static int64_t take_fraction(struct reader *r)
{
	int64_t ns = 0, scale = 100000000;

	if (r->rest.len == 0 || r->rest.ptr[0] != '.')
		return 0;
	(void)take(r);
	r->bad |= r->rest.len == 0 || !is_digit(r->rest.ptr[0]);
	for (; r->rest.len > 0 && is_digit(r->rest.ptr[0]); scale /= 10)
		ns += (take(r) - '0') * scale;
	return ns;
}

/* Seconds east of UTC. */
static int64_t take_offset(struct reader *r)
{
	uint8_t sign = take(r);

	if (sign == 'Z')
		return 0;
	r->bad |= sign != '+' && sign != '-';
	int64_t s = take_number(r, 2, 0, 23) * 3600;

	take_char(r, ':');
	s += take_number(r, 2, 0, 59) * 60;
	return sign == '-' ? -s : s;
}

/* Days since 1970 of a date of the Gregorian calendar: years are counted from March, so that the leap day is a year's last. */
static int64_t days(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1, era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month)
{
	static const int of[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return of[month - 1] + (month == 2 && leap);
}

enum bulla_err bulla_time_parse(struct bulla_bytes text, int64_t *ns)
{
	struct reader r = { .rest = text };
	int year = take_number(&r, 4, 1, 9999);

	take_char(&r, '-');
	int month = take_number(&r, 2, 1, 12);

	take_char(&r, '-');
	int day = take_number(&r, 2, 1, 31);

	take_char(&r, 'T');
	int64_t s = take_number(&r, 2, 0, 23) * 3600;

	take_char(&r, ':');
	s += take_number(&r, 2, 0, 59) * 60;
	take_char(&r, ':');
	s += take_number(&r, 2, 0, 60); /* a leap second */
	int64_t fraction = take_fraction(&r);

	s -= take_offset(&r);
	if (r.bad || r.rest.len > 0 || day > days_in(year, month))
		return BULLA_E_BAD_FIELD;
	s += days(year, month, day) * 86400;
	*ns = year < 1700 || year > 2200 ? 0 : s * 1000000000 + fraction;
	return BULLA_OK;
}
