/* conditions.c: owns what the peers' policies do not have: required_encryption_context and budgets: how they are read, and whether
 * an item's context is one that is required. Any thread. */
#include "config.h" /* memmem */

#include <stdlib.h>

#include "policy/policy_private.h"

/* ---- templates: {{token.display_name}}, {{token.meta.KEY}} ------------------------------------------------------------- */

static const char display_name[] = "token.display_name", meta[] = "token.meta.";

/* The piece of text before the next template, and the template's name; name.ptr NULL: there is none. false: it does not end. */
static bool next_piece(struct bulla_bytes *rest, struct bulla_bytes *literal, struct bulla_bytes *name)
{
	const uint8_t *open = rest->len > 0 ? memmem(rest->ptr, rest->len, "{{", 2) : NULL;

	*name = (struct bulla_bytes){ 0 };
	*literal = open != NULL ? bulla_mem(rest->ptr, (size_t)(open - rest->ptr)) : *rest;
	if (open == NULL) {
		rest->len = 0;
		return true;
	}
	size_t left = rest->len - literal->len - 2;
	const uint8_t *close = left > 0 ? memmem(open + 2, left, "}}", 2) : NULL;

	if (close == NULL)
		return false;
	*name = bulla_mem(open + 2, (size_t)(close - open) - 2);
	*rest = bulla_mem(close + 2, left - name->len - 2);
	return true;
}

static bool is_known(struct bulla_bytes name)
{
	size_t n = sizeof meta - 1;

	return bulla_is(name, display_name) || (name.len > n && memcmp(name.ptr, meta, n) == 0);
}

static bool template_is_sound(struct bulla_bytes text)
{
	struct bulla_bytes literal, name;

	do {
		if (!next_piece(&text, &literal, &name) || (name.ptr != NULL && !is_known(name)))
			return false;
	} while (name.ptr != NULL);
	return true;
}

/* Empty: the caller has no such value. */
static struct bulla_bytes value_of(const struct acl_caller *caller, struct bulla_bytes name)
{
	if (bulla_is(name, display_name))
		return caller->display_name;
	struct bulla_bytes key = bulla_mem(name.ptr + (sizeof meta - 1), name.len - (sizeof meta - 1));

	for (size_t i = 0; i < caller->meta_count; i++)
		if (bulla_equal(caller->meta[i].key, key))
			return caller->meta[i].value;
	return (struct bulla_bytes){ 0 };
}

static bool take(struct bulla_bytes *text, struct bulla_bytes begin)
{
	if (text->len < begin.len || (begin.len > 0 && memcmp(text->ptr, begin.ptr, begin.len) != 0))
		return false;
	*text = bulla_mem(text->ptr + begin.len, text->len - begin.len);
	return true;
}

/* Whether text is what pattern becomes for this caller. A value that he has not, or that is empty, is nobody's. */
static bool fits(struct bulla_bytes pattern, const struct acl_caller *caller, struct bulla_bytes text)
{
	struct bulla_bytes literal, name;

	if (bulla_is(pattern, "*"))
		return text.len > 0;
	do {
		if (!next_piece(&pattern, &literal, &name) || !take(&text, literal))
			return false;
		struct bulla_bytes value = name.ptr != NULL ? value_of(caller, name) : (struct bulla_bytes){ 0 };

		if (name.ptr != NULL && (value.len == 0 || !take(&text, value)))
			return false;
	} while (name.ptr != NULL);
	return text.len == 0;
}

/* ---- required_encryption_context --------------------------------------------------------------------------------------- */

#define MAX_DEMANDS 64

static enum bulla_err read_demand(const struct stanza *s, const struct hcl *h, struct policy_demand *out)
{
	struct bulla_bytes *values;
	size_t count = 1;

	if (h->kind == HCL_LIST)
		TRY(stanza_strings(s, h, &values, &count));
	if (h->kind != HCL_LIST) {
		values = bulla_arena_alloc(s->arena, sizeof *values);
		if (values == NULL)
			return BULLA_E_NO_MEMORY;
		if (h->kind != HCL_STRING)
			return stanza_fail(s, h, "\"%s\" must be a string or a list of strings", h->name);
		TRY(stanza_text(s, h->text, values));
	}
	if (h->name[0] == '\0' || count == 0)
		return stanza_fail(s, h, "\"%s\" names nothing that could be given", h->name);
	for (size_t i = 0; i < count; i++)
		if (!template_is_sound(values[i]))
			return stanza_fail(s, h, "\"%s\": templates are {{token.display_name}} and {{token.meta.KEY}}", h->name);
	out->values = values;
	out->count = count;
	return stanza_text(s, h->name, &out->key);
}

enum bulla_err stanza_context(const struct stanza *s, const struct hcl *h)
{
	struct policy_demand *list = bulla_arena_alloc(s->arena, hcl_count(h) * sizeof *list);
	size_t n = 0;

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	if (h->kind != HCL_BLOCK || h->first == NULL || hcl_count(h) > MAX_DEMANDS)
		return stanza_fail(s, h, "%s must be an object with 1 to %d keys", h->name, MAX_DEMANDS);
	for (const struct hcl *e = h->first; e != NULL; e = e->next) {
		for (const struct hcl *before = h->first; before != e; before = before->next)
			if (strcmp(before->name, e->name) == 0)
				return stanza_fail(s, e, "\"%s\" is given twice", e->name);
		TRY(read_demand(s, e, &list[n++]));
	}
	s->rule->demands = list;
	s->rule->demand_count = n;
	return BULLA_OK;
}

static const struct bulla_pair *find_pair(struct bulla_bytes key, const struct bulla_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bulla_equal(pairs[i].key, key))
			return &pairs[i];
	return NULL;
}

static bool demand_fits(const struct policy_demand *d, const struct acl_caller *caller, const struct bulla_pair *pairs, size_t count)
{
	const struct bulla_pair *pair = find_pair(d->key, pairs, count);

	for (size_t v = 0; pair != NULL && v < d->count; v++)
		if (fits(d->values[v], caller, pair->value))
			return true;
	return false;
}

static bool part_fits(const struct policy_rule *part, const struct acl_caller *caller, const struct bulla_pair *pairs, size_t count)
{
	for (size_t i = 0; i < part->demand_count; i++)
		if (!demand_fits(&part->demands[i], caller, pairs, count))
			return false;
	return true;
}

/* Of two contexts that both fit. */
static bool part_keeps(const struct policy_rule *part, const struct bulla_pair *old, size_t old_count, const struct bulla_pair *new,
		       size_t new_count)
{
	for (size_t i = 0; i < part->demand_count; i++) {
		const struct bulla_pair *before = find_pair(part->demands[i].key, old, old_count);
		const struct bulla_pair *after = find_pair(part->demands[i].key, new, new_count);

		if (before == NULL || after == NULL || !bulla_equal(before->value, after->value))
			return false;
	}
	return true;
}

bool acl_contexts_fit(const struct acl_rule *rule, unsigned need, const struct acl_caller *caller, const struct bulla_pair *old,
		      size_t old_count, const struct bulla_pair *new, size_t new_count)
{
	bool demanded = false;

	for (size_t i = 0; i < rule->part_count; i++) {
		const struct policy_rule *part = rule->parts[i];

		if (part->demand_count == 0 || (part->base.can & need) == 0)
			continue;
		if (part_fits(part, caller, old, old_count) && part_fits(part, caller, new, new_count) &&
		    part_keeps(part, old, old_count, new, new_count))
			return true;
		demanded = true;
	}
	return !demanded;
}

bool acl_context_fits(const struct acl_rule *rule, unsigned need, const struct acl_caller *caller, const struct bulla_pair *pairs,
		      size_t count)
{
	bool demanded = false;

	for (size_t i = 0; i < rule->part_count; i++) {
		const struct policy_rule *part = rule->parts[i];

		if (part->demand_count == 0 || (part->base.can & need) == 0)
			continue;
		if (part_fits(part, caller, pairs, count))
			return true;
		demanded = true;
	}
	return !demanded;
}

/* ---- budgets ----------------------------------------------------------------------------------------------------------- */

/* "1000/day" */
static bool read_window(const char *text, struct policy_budget *out)
{
	static const struct {
		const char *name;
		int64_t s;
	} units[] = {
		{ "s", 1 }, { "second", 1 }, { "min", 60 }, { "minute", 60 }, { "h", 3600 }, { "hour", 3600 }, { "day", 86400 },
	};
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 12 || text[0] == '0' || text[digits] != '/')
		return false;
	out->items = strtoll(text, NULL, 10);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strcmp(text + digits + 1, units[i].name) == 0) {
			out->window_s = units[i].s;
			return true;
		}
	return false;
}

static enum bulla_err add_budget(const struct stanza *s, const struct hcl *h)
{
	struct policy_budget budget;
	struct policy_rule *rule = s->rule;

	if (h->kind != HCL_STRING || !read_window(h->text, &budget))
		return stanza_fail(s, h, "a budget is as in \"10/s\", \"600/min\", \"5000/hour\", \"1000/day\"");
	for (size_t i = 0; i < rule->budget_count; i++)
		if (rule->budgets[i].window_s == budget.window_s)
			return stanza_fail(s, h, "two budgets for the same time");
	if (rule->budget_count == POLICY_MAX_BUDGETS)
		return stanza_fail(s, h, "at most %d budgets", POLICY_MAX_BUDGETS);
	rule->budgets[rule->budget_count++] = budget;
	return BULLA_OK;
}

enum bulla_err stanza_budget(const struct stanza *s, const struct hcl *h)
{
	if (h->kind == HCL_STRING)
		return add_budget(s, h);
	if (h->kind != HCL_LIST || h->first == NULL)
		return stanza_fail(s, h, "%s must be a string or a list of strings", h->name);
	for (const struct hcl *e = h->first; e != NULL; e = e->next)
		TRY(add_budget(s, e));
	return BULLA_OK;
}

enum bulla_err stanza_budget_per(const struct stanza *s, const struct hcl *h)
{
	s->rule->budget_per_policy = h->kind == HCL_STRING && strcmp(h->text, "policy") == 0;
	if (!s->rule->budget_per_policy && (h->kind != HCL_STRING || strcmp(h->text, "token") != 0))
		return stanza_fail(s, h, "%s is \"token\" or \"policy\"", h->name);
	return BULLA_OK;
}
