/* duration.c: durations as the peer reads them: whole seconds, days ("2d"), or Go's time.ParseDuration ("1h30m", "1.5h").
 * Stateless: any thread. */
#include "bulla/duration.h"

#define NS_PER_S 1000000000ll

/* "quoted" as Go's time package does in its errors. */
static const char *quoted(struct bulla_call *call, struct bulla_bytes text)
{
	static const char hex[] = "0123456789abcdef";
	size_t cut = text.len < 100 ? text.len : 100, n = 0;
	char *to = bulla_arena_alloc(call->arena, 4 * cut + 3);

	if (to == NULL)
		return "\"\"";
	to[n++] = '"';
	for (size_t i = 0; i < cut; i++) {
		uint8_t c = text.ptr[i];

		if (c < 0x20 || c >= 0x80) {
			to[n++] = '\\', to[n++] = 'x', to[n++] = hex[c >> 4], to[n++] = hex[c & 15];
			continue;
		}
		if (c == '"' || c == '\\')
			to[n++] = '\\';
		to[n++] = (char)c;
	}
	to[n++] = '"';
	to[n] = 0;
	return to;
}

static enum bulla_err overflow(struct bulla_call *call)
{
	return bulla_fail(call, BULLA_E_BAD_FIELD,
			  "multiplication of durations resulted in overflow, one operand may be too large");
}

static enum bulla_err invalid(struct bulla_call *call, struct bulla_bytes text)
{
	return bulla_fail(call, BULLA_E_BAD_FIELD, "time: invalid duration %s", quoted(call, text));
}

/* A decimal integer with an optional sign, all of text. */
static bool whole_number(struct bulla_bytes text, int64_t *out)
{
	bool negative = text.len > 0 && text.ptr[0] == '-';
	size_t i = negative || (text.len > 0 && text.ptr[0] == '+');
	int64_t v = 0;

	if (i == text.len)
		return false;
	for (; i < text.len; i++) {
		int digit = text.ptr[i] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v))
			return false; /* counted downwards, for there is one number more below 0 */
	}
	if (!negative && v == INT64_MIN)
		return false;
	*out = negative ? v : -v;
	return true;
}

static enum bulla_err times(struct bulla_call *call, int64_t count, int64_t seconds_each, int64_t *seconds)
{
	int64_t total, ns;

	if (__builtin_mul_overflow(count, seconds_each, &total) || __builtin_mul_overflow(total, NS_PER_S, &ns))
		return overflow(call);
	*seconds = total;
	return BULLA_OK;
}

static int64_t unit_ns(struct bulla_bytes unit)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{ "s", NS_PER_S }, { "m", 60 * NS_PER_S }, { "h", 3600 * NS_PER_S }, { "ms", 1000000 },
		{ "us", 1000 }, { "\xC2\xB5s", 1000 }, { "\xCE\xBCs", 1000 }, { "ns", 1 },
	};

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (bulla_is(unit, units[i].name))
			return units[i].ns;
	return 0;
}

struct scan {
	const uint8_t *p, *end;
};

static bool at_digit(const struct scan *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

/* Digits behind the point: *fraction of *scale; what is beyond 18 digits does not count. */
static bool read_fraction(struct scan *s, uint64_t *fraction, double *scale)
{
	const uint8_t *start = s->p;

	*fraction = 0;
	*scale = 1;
	for (; at_digit(s); s->p++)
		if (s->p - start < 18) {
			*fraction = *fraction * 10 + (uint64_t)(*s->p - '0');
			*scale *= 10;
		}
	return s->p > start;
}

/* One part, "1.5h". BAD_FIELD without a detail: no duration at all. */
static enum bulla_err part(struct bulla_call *call, struct bulla_bytes all, struct scan *s, uint64_t *ns)
{
	uint64_t v = 0, fraction = 0;
	double scale = 1;
	const uint8_t *start = s->p;

	for (; at_digit(s); s->p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*s->p - '0'), &v))
			return invalid(call, all);
	bool digits = s->p > start;

	if (s->p < s->end && *s->p == '.') {
		s->p++;
		digits |= read_fraction(s, &fraction, &scale);
	}
	if (!digits)
		return invalid(call, all);
	start = s->p;
	while (s->p < s->end && *s->p != '.' && !at_digit(s))
		s->p++;
	struct bulla_bytes unit = bulla_mem(start, (size_t)(s->p - start));

	if (unit.len == 0)
		return bulla_fail(call, BULLA_E_BAD_FIELD, "time: missing unit in duration %s", quoted(call, all));
	int64_t each = unit_ns(unit);

	if (each == 0)
		return bulla_fail(call, BULLA_E_BAD_FIELD, "time: unknown unit %s in duration %s", quoted(call, unit),
				  quoted(call, all));
	if (__builtin_mul_overflow(v, (uint64_t)each, &v) ||
	    __builtin_add_overflow(v, (uint64_t)((double)fraction * ((double)each / scale)), &v) ||
	    __builtin_add_overflow(*ns, v, ns) || *ns > (uint64_t)INT64_MAX)
		return invalid(call, all);
	return BULLA_OK;
}

static enum bulla_err go_duration(struct bulla_call *call, struct bulla_bytes text, int64_t *seconds)
{
	struct scan s = { text.ptr, text.ptr + text.len };
	bool negative = *s.p == '-';
	uint64_t ns = 0;

	if (negative || *s.p == '+')
		s.p++;
	if (s.p == s.end)
		return invalid(call, text);
	while (s.p < s.end)
		TRY(part(call, text, &s, &ns));
	int64_t whole = (int64_t)(ns / NS_PER_S);

	*seconds = negative ? -whole : whole;
	return BULLA_OK;
}

enum bulla_err duration_parse(struct bulla_call *call, struct bulla_bytes text, int64_t *seconds)
{
	int64_t count;

	if (text.len == 0) {
		*seconds = 0;
		return BULLA_OK;
	}
	if (whole_number(text, &count))
		return times(call, count, 1, seconds);
	if (text.ptr[text.len - 1] != 'd')
		return go_duration(call, text, seconds);
	struct bulla_bytes days = bulla_mem(text.ptr, text.len - 1);

	if (!whole_number(days, &count))
		return bulla_fail(call, BULLA_E_BAD_FIELD, "strconv.ParseInt: parsing %s: invalid syntax", quoted(call, days));
	return times(call, count, 86400, seconds);
}
