/* lease.c: how long a token's lease runs, and how durations are printed in warnings. Any thread. */
#include <stdio.h>

#include "access/access_private.h"

#define NS_PER_S INT64_C(1000000000)

void bulla_lease_defaults(const struct bulla *engine, int64_t *default_ttl_s, int64_t *max_ttl_s)
{
	*default_ttl_s = engine->access->default_ttl_s;
	*max_ttl_s = engine->access->max_ttl_s;
}

void bulla_duration_print(int64_t seconds, char out[BULLA_DURATION_TEXT])
{
	long long h = seconds / 3600, m = seconds / 60 % 60, s = seconds % 60;

	if (h != 0 && s != 0)
		snprintf(out, BULLA_DURATION_TEXT, "%lldh%lldm%llds", h, m, s);
	else if (h != 0 && m != 0)
		snprintf(out, BULLA_DURATION_TEXT, "%lldh%lldm", h, m);
	else if (h != 0)
		snprintf(out, BULLA_DURATION_TEXT, "%lldh", h);
	else if (m != 0 && s != 0)
		snprintf(out, BULLA_DURATION_TEXT, "%lldm%llds", m, s);
	else if (m != 0)
		snprintf(out, BULLA_DURATION_TEXT, "%lldm", m);
	else
		snprintf(out, BULLA_DURATION_TEXT, "%llds", s);
}

static enum bulla_err warn_cut(struct bulla_call *call, const char *what, const char *value, int64_t wished_s, int64_t max_s)
{
	char wished[BULLA_DURATION_TEXT], max[BULLA_DURATION_TEXT];

	bulla_duration_print(wished_s, wished);
	bulla_duration_print(max_s, max);
	return bulla_warn(call, "%s of \"%s\" exceeded the effective max_ttl of \"%s\"; %s value is capped accordingly", what,
			  wished, max, value);
}

static int64_t least_set(int64_t a, int64_t b)
{
	return b > 0 && b < a ? b : a;
}

/* A mount may be given more time than the server gives. */
static int64_t most(const struct access *access, const struct lease_wish *wish)
{
	return wish->mount != NULL && wish->mount->max_lease_ttl_s > 0 ? wish->mount->max_lease_ttl_s : access->max_ttl_s;
}

static int64_t usual(const struct access *access, const struct lease_wish *wish)
{
	bool own = wish->mount != NULL && wish->mount->default_lease_ttl_s > 0;

	return own ? wish->mount->default_lease_ttl_s : access->default_ttl_s;
}

enum bulla_err lease_calculate(const struct access *access, struct bulla_call *call, const struct lease_wish *wish,
			       int64_t *ttl_s)
{
	int64_t max_s = least_set(least_set(most(access, wish), wish->max_s), wish->explicit_max_s);
	int64_t ttl = wish->increment_s > 0 ? wish->increment_s : wish->ttl_s > 0 ? wish->ttl_s : usual(access, wish);
	int64_t limit_s = max_s; /* from the issue on */

	if (wish->period_s > 0) { /* periodic: only an explicit maximum ends it */
		ttl = wish->period_s;
		limit_s = wish->explicit_max_s;
		if (ttl > max_s) {
			TRY(warn_cut(call, "period", "period", ttl, max_s));
			ttl = max_s;
		}
	}
	if (limit_s > 0) {
		/* both cut to whole seconds, as the peer does it */
		int64_t left_s = wish->issued_ns / NS_PER_S + limit_s - wish->now_ns / NS_PER_S;

		if (left_s <= 0)
			return bulla_fail(call, BULLA_E_INVALID, "past the max TTL, cannot renew");
		if (ttl > left_s) {
			TRY(warn_cut(call, "TTL", "TTL", ttl, left_s));
			ttl = left_s;
		}
	}
	*ttl_s = ttl;
	return BULLA_OK;
}
