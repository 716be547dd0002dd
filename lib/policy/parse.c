/* parse.c: from a policy's text to its stanzas, as the peer reads them; stricter where a mistake would pass for a rule. Scratch is
 * in the call's arena, what stays in the policy's. Any thread. */
#include <errno.h>
#include <stdlib.h>

#include "bulla/clock.h"
#include "bulla/duration.h"
#include "policy/policy_private.h"

/* ---- values ------------------------------------------------------------------------------------------------------------ */

enum bulla_err stanza_fail(const struct stanza *s, const struct hcl *at, const char *format, ...)
{
	struct bulla_bytes path = bulla_arena_quote(s->call->arena, bulla_str(s->path));
	va_list args;

	va_start(args, format);
	struct bulla_bytes text = bulla_arena_vprintf(s->call->arena, format, args);

	va_end(args);
	if (path.ptr == NULL || text.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return bulla_fail(s->call, BULLA_E_INVALID, "At %u:%u: path %.*s: %.*s", at->line, at->column, (int)path.len,
			  (const char *)path.ptr, (int)text.len, (const char *)text.ptr);
}

enum bulla_err stanza_text(const struct stanza *s, const char *text, struct bulla_bytes *out)
{
	struct bulla_bytes copy = bulla_arena_copy(s->arena, bulla_str(text));

	if (copy.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	*out = copy;
	return BULLA_OK;
}

size_t hcl_count(const struct hcl *parent)
{
	size_t n = 0;

	for (const struct hcl *h = parent->first; h != NULL; h = h->next)
		n++;
	return n;
}

enum bulla_err stanza_strings(const struct stanza *s, const struct hcl *h, struct bulla_bytes **out, size_t *count)
{
	size_t n = 0;

	if (h->kind != HCL_LIST)
		return stanza_fail(s, h, "%s must be a list of strings", h->name);
	struct bulla_bytes *list = bulla_arena_alloc(s->arena, hcl_count(h) * sizeof *list);

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	for (const struct hcl *e = h->first; e != NULL; e = e->next) {
		if (e->kind != HCL_STRING)
			return stanza_fail(s, e, "%s must be a list of strings", h->name);
		TRY(stanza_text(s, e->text, &list[n++]));
	}
	*out = list;
	*count = n;
	return BULLA_OK;
}

enum bulla_err stanza_number(const struct stanza *s, const struct hcl *h, int64_t least, int64_t *out)
{
	char *end = NULL;

	errno = 0;
	long long v = h->kind == HCL_NUMBER || h->kind == HCL_STRING ? strtoll(h->text, &end, 10) : 0;

	if (end == NULL || end == h->text || *end != '\0' || errno != 0 || v < least || v > INT32_MAX)
		return stanza_fail(s, h, "%s must be a whole number, at least %lld", h->name, (long long)least);
	*out = v;
	return BULLA_OK;
}

static enum bulla_err need_string(const struct stanza *s, const struct hcl *h)
{
	return h->kind == HCL_STRING ? BULLA_OK : stanza_fail(s, h, "%s must be a string", h->name);
}

/* ---- the attributes of a stanza ---------------------------------------------------------------------------------------- */

static enum bulla_err add_capability(const struct stanza *s, const struct hcl *at, const char *text)
{
	static const struct {
		const char *name;
		unsigned can;
	} known[] = {
		{ "deny", POLICY_CAN_DENY }, { "create", POLICY_CAN_CREATE }, { "read", POLICY_CAN_READ },
		{ "update", POLICY_CAN_UPDATE }, { "delete", POLICY_CAN_DELETE }, { "list", POLICY_CAN_LIST },
		{ "sudo", POLICY_CAN_SUDO }, { "patch", POLICY_CAN_PATCH }, { "scan", POLICY_CAN_SCAN },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(text, known[i].name) == 0) {
			s->rule->base.can |= known[i].can;
			return BULLA_OK;
		}
	struct bulla_bytes quoted = bulla_arena_quote(s->call->arena, bulla_str(text));

	return quoted.ptr == NULL ? BULLA_E_NO_MEMORY : stanza_fail(s, at, "invalid capability %s", (const char *)quoted.ptr);
}

static enum bulla_err read_capabilities(const struct stanza *s, const struct hcl *h)
{
	if (h->kind != HCL_LIST)
		return stanza_fail(s, h, "%s must be a list of strings", h->name);
	for (const struct hcl *e = h->first; e != NULL; e = e->next) {
		if (e->kind != HCL_STRING)
			return stanza_fail(s, e, "%s must be a list of strings", h->name);
		TRY(add_capability(s, e, e->text));
	}
	return BULLA_OK;
}

/* The words from before there were capabilities. */
static enum bulla_err read_old_policy(const struct stanza *s, const struct hcl *h)
{
	static const unsigned read = POLICY_CAN_READ | POLICY_CAN_LIST;
	static const unsigned write = POLICY_CAN_READ | POLICY_CAN_LIST | POLICY_CAN_CREATE | POLICY_CAN_UPDATE | POLICY_CAN_DELETE;
	static const struct {
		const char *name;
		unsigned can;
	} known[] = { { "", 0 }, { "deny", POLICY_CAN_DENY }, { "read", read }, { "write", write }, { "sudo", write | POLICY_CAN_SUDO } };

	TRY(need_string(s, h));
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(h->text, known[i].name) == 0) {
			s->rule->base.can |= known[i].can;
			return BULLA_OK;
		}
	return stanza_fail(s, h, "invalid policy \"%s\"", h->text);
}

static enum bulla_err read_allowed(const struct stanza *s, const struct hcl *h)
{
	return stanza_parameters(s, h, &s->rule->base.allowed, &s->rule->base.allowed_count);
}

static enum bulla_err read_denied(const struct stanza *s, const struct hcl *h)
{
	return stanza_parameters(s, h, &s->rule->base.denied, &s->rule->base.denied_count);
}

static enum bulla_err read_required(const struct stanza *s, const struct hcl *h)
{
	struct bulla_bytes *list;

	TRY(stanza_strings(s, h, &list, &s->rule->base.required_count));
	for (size_t i = 0; i < s->rule->base.required_count; i++)
		text_lower((uint8_t *)(uintptr_t)list[i].ptr, list[i].len);
	s->rule->base.required = list;
	return BULLA_OK;
}

static enum bulla_err read_seconds(const struct stanza *s, const struct hcl *h, int64_t *out)
{
	int64_t seconds = 0;

	if (h->kind != HCL_STRING && h->kind != HCL_NUMBER)
		return stanza_fail(s, h, "%s must be a duration", h->name);
	if (duration_parse(s->call, bulla_str(h->text), &seconds) != BULLA_OK) {
		struct bulla_bytes why = s->call->detail;

		return stanza_fail(s, h, "error parsing %s: %.*s", h->name, (int)why.len, (const char *)why.ptr);
	}
	if (seconds < 0)
		return stanza_fail(s, h, "%s must not be negative", h->name);
	*out = seconds;
	return BULLA_OK;
}

static enum bulla_err read_min_wrap(const struct stanza *s, const struct hcl *h)
{
	return read_seconds(s, h, &s->rule->base.min_wrap_ttl_s);
}

static enum bulla_err read_max_wrap(const struct stanza *s, const struct hcl *h)
{
	return read_seconds(s, h, &s->rule->base.max_wrap_ttl_s);
}

static enum bulla_err read_expiration(const struct stanza *s, const struct hcl *h)
{
	int64_t ns = 0;

	TRY(need_string(s, h));
	if (bulla_time_parse(bulla_str(h->text), &ns) != BULLA_OK || ns <= 0)
		return stanza_fail(s, h, "invalid expiration time: it must be as in \"2030-01-31T12:00:00Z\"");
	s->rule->expires_date_ns = ns;
	return BULLA_OK;
}

static enum bulla_err read_page_limit(const struct stanza *s, const struct hcl *h)
{
	return stanza_number(s, h, 0, &s->rule->base.page_limit);
}

static enum bulla_err read_batch(const struct stanza *s, const struct hcl *h)
{
	return stanza_number(s, h, 1, &s->rule->max_batch_items);
}

/* What would restrict the peer's rule and cannot be kept here is refused, not ignored. */
static enum bulla_err read_unsupported(const struct stanza *s, const struct hcl *h)
{
	return stanza_fail(s, h, "%s is not supported", h->name);
}

static const struct attribute {
	const char *name;
	enum bulla_err (*read)(const struct stanza *s, const struct hcl *h);
	bool repeats;
} attributes[] = {
	{ "capabilities", read_capabilities, true },
	{ "policy", read_old_policy, false },
	{ "comment", need_string, true },
	{ "allowed_parameters", read_allowed, false },
	{ "denied_parameters", read_denied, false },
	{ "required_parameters", read_required, false },
	{ "min_wrapping_ttl", read_min_wrap, false },
	{ "max_wrapping_ttl", read_max_wrap, false },
	{ "expiration", read_expiration, false },
	{ "pagination_limit", read_page_limit, false },
	{ "required_encryption_context", stanza_context, false },
	{ "max_batch_items", read_batch, false },
	{ "budget", stanza_budget, false },
	{ "budget_per", stanza_budget_per, false },
	{ "mfa_methods", read_unsupported, false },
	{ "control_group", read_unsupported, false },
	{ "list_scan_response_keys_filter_path", read_unsupported, false },
};

#define ATTRIBUTES (sizeof attributes / sizeof attributes[0])

static enum bulla_err read_attributes(const struct stanza *s, const struct hcl *block)
{
	bool seen[ATTRIBUTES] = { false };

	for (const struct hcl *h = block->first; h != NULL; h = h->next) {
		size_t i = 0;

		while (i < ATTRIBUTES && strcmp(attributes[i].name, h->name) != 0)
			i++;
		if (i == ATTRIBUTES)
			return stanza_fail(s, h, "invalid key \"%s\"", h->name);
		if (h->label != NULL)
			return stanza_fail(s, h, "%s takes no label", h->name);
		if (seen[i] && !attributes[i].repeats)
			return stanza_fail(s, h, "%s is given twice", h->name);
		seen[i] = true;
		TRY(attributes[i].read(s, h));
	}
	return BULLA_OK;
}

static enum bulla_err check_attributes(const struct stanza *s, const struct hcl *at)
{
	const struct policy_rule *r = s->rule;

	if (r->base.max_wrap_ttl_s > 0 && r->base.max_wrap_ttl_s < r->base.min_wrap_ttl_s)
		return stanza_fail(s, at, "max_wrapping_ttl cannot be less than min_wrapping_ttl");
	if (r->budget_per_policy && r->budget_count == 0)
		return stanza_fail(s, at, "budget_per without a budget");
	return BULLA_OK;
}

/* ---- the path ---------------------------------------------------------------------------------------------------------- */

/* {{identity...}}: there are no identities here, so that such a path is of nobody. */
static enum bulla_err find_template(const struct stanza *s, const struct hcl *at, bool *found)
{
	const char *p = s->path;

	*found = false;
	while ((p = strstr(p, "{{")) != NULL) {
		p = strstr(p + 2, "}}");
		if (p == NULL)
			return stanza_fail(s, at, "failed to validate policy templating: unbalanced templating characters");
		*found = true;
		p += 2;
	}
	return BULLA_OK;
}

/* A + that stands for a segment; the peer looks only at what is before it. */
static bool has_wildcards(const char *path)
{
	return strcmp(path, "+") == 0 || strncmp(path, "+/", 2) == 0 || strstr(path, "/+") != NULL;
}

static enum bulla_err read_path(const struct stanza *s, const struct hcl *at)
{
	struct bulla_acl_rule *base = &s->rule->base;
	const char *path = s->path + (s->path[0] == '/');

	if (strstr(path, "+*") != NULL)
		return stanza_fail(s, at, "invalid use of wildcards ('+*' is forbidden)");
	TRY(stanza_text(s, path, &base->pattern));
	if (has_wildcards(path)) {
		base->kind = BULLA_PATTERN_SEGMENTS;
		return BULLA_OK;
	}
	if (base->pattern.len == 0 || base->pattern.ptr[base->pattern.len - 1] != '*')
		return BULLA_OK;
	base->kind = BULLA_PATTERN_PREFIX;
	base->pattern.len--;
	return BULLA_OK;
}

/* ---- stanzas ----------------------------------------------------------------------------------------------------------- */

struct reader {
	struct bulla_call *call;
	struct policy *policy;
	struct policy_rule *rules;
	size_t count;
};

static enum bulla_err read_stanza(struct reader *r, const char *path, const struct hcl *block)
{
	struct policy_rule rule = { .policy = r->policy };
	struct stanza s = { .call = r->call, .arena = r->policy->arena, .path = path, .rule = &rule };
	bool template;

	if (block->kind != HCL_BLOCK)
		return stanza_fail(&s, block, "it must be a block");
	TRY(find_template(&s, block, &template));
	TRY(read_path(&s, block));
	TRY(read_attributes(&s, block));
	TRY(check_attributes(&s, block));
	if (!template)
		r->rules[r->count++] = rule;
	return BULLA_OK;
}

/* The paths of an item "path": path "x" { }, or, in JSON, "path": { "x": { } } or a list of such. */
static enum bulla_err read_item(struct reader *r, const struct hcl *h)
{
	if (h->label2 != NULL)
		return bulla_fail(r->call, BULLA_E_INVALID, "At %u:%u: a path has one name", h->line, h->column);
	if (h->label != NULL)
		return read_stanza(r, h->label, h);
	if (h->kind == HCL_LIST) {
		for (const struct hcl *e = h->first; e != NULL; e = e->next)
			TRY(e->kind == HCL_BLOCK ? read_item(r, e)
				: bulla_fail(r->call, BULLA_E_INVALID, "At %u:%u: path must be a block", e->line, e->column));
		return BULLA_OK;
	}
	if (h->kind != HCL_BLOCK)
		return bulla_fail(r->call, BULLA_E_INVALID, "At %u:%u: path must be a block", h->line, h->column);
	for (const struct hcl *e = h->first; e != NULL; e = e->next) {
		if (e->label != NULL)
			return bulla_fail(r->call, BULLA_E_INVALID, "At %u:%u: a path has one name", e->line, e->column);
		TRY(read_stanza(r, e->name, e));
	}
	return BULLA_OK;
}

/* At most how many stanzas there are. */
static size_t count_stanzas(const struct hcl *h)
{
	size_t n = 1;

	for (const struct hcl *e = h->first; e != NULL; e = e->next)
		n += e->kind == HCL_BLOCK ? 1 + hcl_count(e) : 1;
	return n;
}

static enum bulla_err read_root(struct reader *r, const struct hcl *root)
{
	size_t room = 0;

	for (const struct hcl *h = root->first; h != NULL; h = h->next)
		room += count_stanzas(h);
	r->rules = bulla_arena_alloc(r->call->arena, room * sizeof *r->rules);
	if (r->rules == NULL)
		return BULLA_E_NO_MEMORY;
	for (const struct hcl *h = root->first; h != NULL; h = h->next) {
		if (strcmp(h->name, "path") == 0)
			TRY(read_item(r, h));
		else if (strcmp(h->name, "name") != 0)
			return bulla_fail(r->call, BULLA_E_INVALID, "At %u:%u: invalid key \"%s\"", h->line, h->column, h->name);
	}
	return BULLA_OK;
}

enum bulla_err policy_parse(struct bulla_call *call, struct policy *policy, struct bulla_bytes text)
{
	struct reader r = { .call = call, .policy = policy };
	struct hcl *root;
	enum bulla_err err = hcl_parse(call, NULL, text, &root);

	if (err == BULLA_E_CONFIG)
		return BULLA_E_INVALID; /* with its detail */
	TRY(err);
	TRY(read_root(&r, root));
	struct policy_rule *rules = bulla_arena_alloc(policy->arena, r.count * sizeof *rules);

	if (rules == NULL)
		return BULLA_E_NO_MEMORY;
	if (r.count > 0)
		memcpy(rules, r.rules, r.count * sizeof *rules);
	policy->rules = rules;
	policy->count = r.count;
	return BULLA_OK;
}
