/* parameters.c: owns allowed_parameters, denied_parameters and required_parameters: how they are read, and whether a request's
 * document is within them. Any thread. */
#include "config.h" /* memmem */

#include "policy/policy_private.h"

#define MAX_PARAMETERS 1000 /* each is compared with those before it */

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

void text_lower(uint8_t *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] += 'a' - 'A';
}

static enum bulla_err read_value(const struct stanza *s, const struct hcl *h, struct bulla_policy_value *out)
{
	const char *text = h->text;

	if (h->kind == HCL_LIST || h->kind == HCL_BLOCK)
		return stanza_fail(s, h, "the values of parameters are strings, numbers, true or false");
	out->kind = h->kind == HCL_NUMBER ? BULLA_VALUE_NUMBER : h->kind == HCL_BOOL ? BULLA_VALUE_BOOL : BULLA_VALUE_STRING;
	return stanza_text(s, text, &out->text);
}

static enum bulla_err read_parameter(const struct stanza *s, const struct hcl *h, struct bulla_policy_parameter *out)
{
	struct bulla_policy_value *values = bulla_arena_alloc(s->arena, hcl_count(h) * sizeof *values);
	size_t n = 0;

	if (values == NULL)
		return BULLA_E_NO_MEMORY;
	if (h->kind != HCL_LIST)
		return stanza_fail(s, h, "the values of a parameter must be a list");
	TRY(stanza_text(s, h->name, &out->name));
	text_lower((uint8_t *)(uintptr_t)out->name.ptr, out->name.len);
	for (const struct hcl *e = h->first; e != NULL; e = e->next)
		TRY(read_value(s, e, &values[n++]));
	out->values = values;
	out->count = n;
	return BULLA_OK;
}

enum bulla_err stanza_parameters(const struct stanza *s, const struct hcl *h, const struct bulla_policy_parameter **out, size_t *count)
{
	struct bulla_policy_parameter *list = bulla_arena_alloc(s->arena, hcl_count(h) * sizeof *list);
	size_t n = 0;

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	if (h->kind != HCL_BLOCK || hcl_count(h) > MAX_PARAMETERS)
		return stanza_fail(s, h, "%s must be an object of at most %d lists", h->name, MAX_PARAMETERS);
	for (const struct hcl *e = h->first; e != NULL; e = e->next) {
		TRY(read_parameter(s, e, &list[n]));
		for (size_t i = 0; i < n; i++)
			if (bulla_equal(list[i].name, list[n].name))
				return stanza_fail(s, e, "\"%s\" is given twice", e->name);
		n++;
	}
	*out = list;
	*count = n;
	return BULLA_OK;
}

/* ---- comparing --------------------------------------------------------------------------------------------------------- */

static bool begins(struct bulla_bytes text, struct bulla_bytes with)
{
	return text.len >= with.len && (with.len == 0 || memcmp(text.ptr, with.ptr, with.len) == 0);
}

static bool ends(struct bulla_bytes text, struct bulla_bytes with)
{
	return text.len >= with.len && begins(bulla_mem(text.ptr + (text.len - with.len), with.len), with);
}

static bool holds(struct bulla_bytes text, struct bulla_bytes part)
{
	return part.len == 0 || (text.len > 0 && memmem(text.ptr, text.len, part.ptr, part.len) != NULL);
}

/* A star at either end stands for anything; one alone for itself, as at the peer. */
static bool glob(struct bulla_bytes pattern, struct bulla_bytes text)
{
	if (pattern.len < 2)
		return bulla_equal(pattern, text);
	bool open_start = pattern.ptr[0] == '*', open_end = pattern.ptr[pattern.len - 1] == '*';
	struct bulla_bytes middle = bulla_mem(pattern.ptr + open_start, pattern.len - open_start - open_end);

	if (open_start && open_end)
		return holds(text, middle);
	if (open_start)
		return ends(text, middle);
	return open_end ? begins(text, middle) : bulla_equal(pattern, text);
}

/* What allows is compared by kind, and a number in a request is never what a list holds: so it is at the peer. */
static bool is_allowed_value(const struct bulla_policy_value *value, const struct json *given)
{
	if (value->kind == BULLA_VALUE_STRING)
		return given->type == JSON_STRING && glob(value->text, given->text);
	return value->kind == BULLA_VALUE_BOOL && given->type == JSON_BOOL && given->boolean == bulla_is(value->text, "true");
}

static bool is_one_of(struct bulla_bytes text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bulla_is(text, words[i]))
			return true;
	return false;
}

static unsigned digit_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;
}

/* The base that text names by its beginning, as in Go: 0x, 0o, 0b, 0; that is skipped. */
static unsigned skip_base(struct bulla_bytes *text)
{
	uint8_t c = text->len > 1 && text->ptr[0] == '0' ? text->ptr[1] | 0x20 : 0;
	unsigned base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : c != 0 ? 8 : 10;
	size_t skip = c == 0 ? 0 : c == 'x' || c == 'o' || c == 'b' ? 2 : 1;

	*text = bulla_mem(text->ptr + skip, text->len - skip);
	return base;
}

/* The number that a weakly typed parameter's text is, in whatever spelling a handler takes; the words for yes and no are 1 and 0.
 * false: it is none. */
static bool read_weakly(struct bulla_bytes text, int64_t *out)
{
	static const char *const yes[] = { "t", "T", "true", "TRUE", "True" }, *const no[] = { "f", "F", "false", "FALSE", "False" };
	bool is_yes = is_one_of(text, yes, 5), negative = text.len > 0 && text.ptr[0] == '-', any = false;
	int64_t v = 0;

	*out = is_yes;
	if (is_yes || is_one_of(text, no, 5))
		return true;
	if (negative || (text.len > 0 && text.ptr[0] == '+'))
		text = bulla_mem(text.ptr + 1, text.len - 1);
	unsigned base = skip_base(&text);

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '_')
			continue;
		unsigned d = digit_value(text.ptr[i]);

		if (d >= base || __builtin_mul_overflow(v, (int64_t)base, &v) || __builtin_add_overflow(v, (int64_t)d, &v))
			return false;
		any = true;
	}
	*out = negative ? -v : v;
	return any;
}

/* What is given empty, or as null, is read as 0 and as no. */
static bool same_weakly(struct bulla_bytes denied, struct bulla_bytes given)
{
	int64_t a, b = 0;

	return read_weakly(denied, &a) && (given.len == 0 || read_weakly(given, &b)) && a == b;
}

/* What denies is compared as text, whatever the kind, and within lists: parameters are weakly typed, and a denial that 5 and "5"
 * tell apart, or true and "1", denies nothing. */
static bool is_denied_value(const struct bulla_policy_value *value, const struct json *given)
{
	struct bulla_bytes text = given->type == JSON_BOOL ? bulla_str(given->boolean ? "true" : "false") : given->text;

	if (given->type == JSON_ARRAY) {
		for (const struct json *e = given->first; e != NULL; e = e->next)
			if (e->type != JSON_ARRAY && is_denied_value(value, e))
				return true;
		return false;
	}
	if (given->type == JSON_OBJECT)
		return false;
	if (same_weakly(value->text, text))
		return true;
	if (given->type == JSON_NULL)
		return false;
	return value->kind == BULLA_VALUE_STRING ? glob(value->text, text) : bulla_equal(value->text, text);
}

static bool same_folded(struct bulla_bytes lower, struct bulla_bytes name)
{
	if (lower.len != name.len)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.ptr[i];

		text_lower(&c, 1);
		if (c != lower.ptr[i])
			return false;
	}
	return true;
}

static const struct bulla_policy_parameter *find(const struct bulla_policy_parameter *list, size_t count, struct bulla_bytes name)
{
	for (size_t i = 0; i < count; i++)
		if (same_folded(list[i].name, name))
			return &list[i];
	return NULL;
}

static bool any_value(const struct bulla_policy_parameter *p, const struct json *given,
		      bool (*is)(const struct bulla_policy_value *, const struct json *))
{
	for (size_t i = 0; i < p->count; i++)
		if (is(&p->values[i], given))
			return true;
	return p->count == 0;
}

static bool has_required(const struct bulla_acl_rule *rule, const struct json *doc)
{
	for (size_t i = 0; i < rule->required_count; i++) {
		const struct json *m = doc != NULL ? doc->first : NULL;

		while (m != NULL && !bulla_equal(m->name, rule->required[i]))
			m = m->next;
		if (m == NULL)
			return false;
	}
	return true;
}

static bool denies(const struct bulla_acl_rule *rule, const struct json *doc)
{
	if (find(rule->denied, rule->denied_count, bulla_str("*")) != NULL)
		return true;
	for (const struct json *m = doc->first; m != NULL; m = m->next) {
		const struct bulla_policy_parameter *p = find(rule->denied, rule->denied_count, m->name);

		if (p != NULL && any_value(p, m, is_denied_value))
			return true;
	}
	return false;
}

static bool admits(const struct bulla_acl_rule *rule, const struct json *doc)
{
	bool others = find(rule->allowed, rule->allowed_count, bulla_str("*")) != NULL;

	if (rule->allowed_count == 0 || (others && rule->allowed_count == 1))
		return true;
	for (const struct json *m = doc->first; m != NULL; m = m->next) {
		const struct bulla_policy_parameter *p = find(rule->allowed, rule->allowed_count, m->name);

		if (p == NULL ? !others : !any_value(p, m, is_allowed_value))
			return false;
	}
	return true;
}

bool parameters_allow(const struct bulla_acl_rule *rule, const struct json *doc)
{
	if (!has_required(rule, doc))
		return false;
	if (doc == NULL || doc->first == NULL)
		return true;
	return !denies(rule, doc) && admits(rule, doc);
}
