/* acl_check.c: owns whether a rule grants what is asked. Any thread. */
#include <stdlib.h>

#include "policy/policy_private.h"

/* Who must have his reply wrapped cannot ask for it bare; bounds that contradict each other (two policies' together) let nobody. */
static bool wrapping_fits(const struct bulla_acl_rule *rule, int64_t wrap_ttl_s)
{
	if (rule->max_wrap_ttl_s > 0 && (wrap_ttl_s == 0 || wrap_ttl_s > rule->max_wrap_ttl_s))
		return false;
	return rule->min_wrap_ttl_s == 0 || (wrap_ttl_s > 0 && wrap_ttl_s >= rule->min_wrap_ttl_s);
}

/* Where a context is demanded, operations that have none to show are not granted. */
static bool demands_context(const struct acl_rule *rule, unsigned need)
{
	for (size_t i = 0; i < rule->part_count; i++)
		if (rule->parts[i]->demand_count > 0 && (rule->parts[i]->base.can & need) != 0)
			return true;
	return false;
}

static bool requires(const struct bulla_acl_rule *rule, const char *name)
{
	for (size_t i = 0; i < rule->required_count; i++)
		if (bulla_is(rule->required[i], name))
			return true;
	return false;
}

/* A whole number, as text or as a number. */
static bool read_limit(const struct json *given, int64_t *out)
{
	char text[24], *end;
	size_t n = given->text.len;

	if ((given->type != JSON_STRING && given->type != JSON_NUMBER) || n == 0 || n >= sizeof text)
		return false;
	memcpy(text, given->text.ptr, n);
	text[n] = '\0';
	*out = strtoll(text, &end, 10);
	return *end == '\0' && text[0] != ' ' && text[0] != '+';
}

/* The caller may ask for pages that are smaller; who asks for none gets the largest, unless the policy wants him to ask. */
static bool page_fits(const struct bulla_acl_rule *rule, const struct json *doc, int64_t *page_limit)
{
	const struct json *given = json_get(doc, "limit");
	int64_t limit = 0;

	if (rule->page_limit == 0)
		return true;
	if (given == NULL && requires(rule, "limit"))
		return false;
	if (given != NULL && !(given->type == JSON_STRING && bulla_is(given->text, "max")) && !read_limit(given, &limit))
		return false;
	if (limit < 0 || limit > rule->page_limit)
		return false;
	*page_limit = limit > 0 ? limit : rule->page_limit;
	return true;
}

bool acl_allows(const struct acl_rule *rule, const struct acl_ask *ask, int64_t *page_limit)
{
	static const unsigned with_parameters = POLICY_CAN_READ | POLICY_CAN_UPDATE | POLICY_CAN_CREATE | POLICY_CAN_PATCH;
	static const unsigned lists = POLICY_CAN_LIST | POLICY_CAN_SCAN;
	int64_t limit = 0;

	if ((rule->base.can & POLICY_CAN_DENY) != 0 || (rule->base.can & ask->need) == 0)
		return false;
	if (!wrapping_fits(&rule->base, ask->wrap_ttl_s))
		return false;
	if (!ask->takes_context && demands_context(rule, ask->need))
		return false;
	if ((ask->need & with_parameters) != 0 && !parameters_allow(&rule->base, ask->doc))
		return false;
	if ((ask->need & lists) != 0 && !page_fits(&rule->base, ask->doc, &limit))
		return false;
	*page_limit = limit;
	return true;
}
