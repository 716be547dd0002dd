/* acl.c: owns what several policies allow together: one rule for each pattern, found by the path in the peer's order. Immutable
 * once made: any thread.
 *
 * Exact paths and prefixes are sorted, and found by halving. Of the prefixes of a path that are in the sorted table, the longest
 * is the entry before the place where the path itself would be, or one that this entry begins with: each entry knows the longest
 * other that it begins with. Patterns with + segments are few, and are tried one after another in the order of priority. */
#include "policy/policy_private.h"

#include <stdlib.h>

/* ---- the order of patterns --------------------------------------------------------------------------------------------- */

static struct bulla_bytes without_star(const struct acl_rule *r)
{
	return bulla_mem(r->base.pattern.ptr, r->base.pattern.len - r->open_end);
}

/* <0: a comes before b, if both match. The peer's: what has its first wildcard later; what is not open at the end; what has
 * fewer wildcards; what is longer; what sorts later. */
static int by_priority(const struct acl_rule *a, const struct acl_rule *b)
{
	struct bulla_bytes text_a = without_star(a), text_b = without_star(b);

	if (a->first_wildcard != b->first_wildcard)
		return a->first_wildcard > b->first_wildcard ? -1 : 1;
	if (a->open_end != b->open_end)
		return b->open_end ? -1 : 1;
	if (a->wildcards != b->wildcards)
		return a->wildcards < b->wildcards ? -1 : 1;
	if (text_a.len != text_b.len)
		return text_a.len > text_b.len ? -1 : 1;
	return bulla_compare(text_b, text_a);
}

static int by_kind(const void *a, const void *b)
{
	const struct bulla_acl_rule *x = &(*(const struct policy_rule *const *)a)->base;
	const struct bulla_acl_rule *y = &(*(const struct policy_rule *const *)b)->base;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return bulla_compare(x->pattern, y->pattern);
}

static int by_segments(const void *a, const void *b)
{
	return by_priority(a, b);
}

static void measure(struct acl_rule *rule)
{
	struct bulla_bytes p = rule->base.pattern;

	rule->shorter = SIZE_MAX;
	if (rule->base.kind == BULLA_PATTERN_PREFIX)
		rule->first_wildcard = p.len;
	if (rule->base.kind != BULLA_PATTERN_SEGMENTS)
		return;
	rule->first_wildcard = (size_t)((const uint8_t *)memchr(p.ptr, '+', p.len) - p.ptr);
	rule->open_end = p.ptr[p.len - 1] == '*';
	for (size_t i = 0; i < p.len; i++)
		rule->wildcards += p.ptr[i] == '+' && (i == 0 || p.ptr[i - 1] == '/') && (i + 1 == p.len || p.ptr[i + 1] == '/');
}

/* ---- making ------------------------------------------------------------------------------------------------------------ */

static bool begins(struct bulla_bytes text, struct bulla_bytes with)
{
	return text.len >= with.len && (with.len == 0 || memcmp(text.ptr, with.ptr, with.len) == 0);
}

static void link_prefixes(struct acl *acl)
{
	for (size_t i = acl->exact; i < acl->prefixes; i++) {
		size_t at = i > acl->exact ? i - 1 : SIZE_MAX;

		while (at != SIZE_MAX && !begins(acl->rules[i].base.pattern, acl->rules[at].base.pattern))
			at = acl->rules[at].shorter;
		acl->rules[i].shorter = at;
	}
}

/* An end that is still to come makes all of it end. false: it has come. */
static bool note_end(struct acl *acl, struct bulla_end end, const struct bulla_now *now)
{
	int64_t *earliest_ns = end.by_date ? &acl->expires_date_ns : &acl->expires_ns;

	if (end.ns == 0)
		return true;
	if (bulla_end_is_over(end, now)) {
		if (end.by_date && end.ns > acl->over_date_ns)
			acl->over_date_ns = end.ns;
		return false;
	}
	if (*earliest_ns == 0 || end.ns < *earliest_ns)
		*earliest_ns = end.ns;
	return true;
}

/* All stanzas that have not ended, sorted, in a block to be freed. */
static enum bulla_err gather(struct acl *acl, const struct bulla_now *now, const struct policy_rule ***out, size_t *count)
{
	size_t room = 1, n = 0;

	for (size_t i = 0; i < acl->policy_count; i++)
		room += acl->policies[i]->count;
	const struct policy_rule **list = calloc(room, sizeof(struct policy_rule *));

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < acl->policy_count; i++) {
		const struct policy *policy = acl->policies[i];

		acl->broken |= policy->broken;
		if (!note_end(acl, policy->end, now))
			continue;
		for (size_t r = 0; r < policy->count; r++)
			if (note_end(acl, (struct bulla_end){ policy->rules[r].expires_date_ns, true }, now))
				list[n++] = &policy->rules[r];
	}
	qsort(list, n, sizeof *list, by_kind);
	*out = list;
	*count = n;
	return BULLA_OK;
}

static enum bulla_err merge_all(struct acl *acl, const struct policy_rule **list, size_t count)
{
	acl->rules = bulla_arena_alloc(acl->arena, count * sizeof *acl->rules);
	const struct policy_rule **parts = bulla_arena_alloc(acl->arena, count * sizeof *parts);

	if (acl->rules == NULL || parts == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		struct acl_rule *rule = &acl->rules[acl->count];

		if (i == 0 || by_kind(&list[i - 1], &list[i]) != 0) {
			acl->count++;
			acl->exact += list[i]->base.kind == BULLA_PATTERN_EXACT;
			acl->prefixes += list[i]->base.kind != BULLA_PATTERN_SEGMENTS;
			*rule = (struct acl_rule){ .base = { .kind = list[i]->base.kind, .pattern = list[i]->base.pattern },
						   .parts = parts + i };
			measure(rule);
		} else {
			rule--;
		}
		TRY(acl_merge(acl->arena, rule, list[i]));
	}
	if (acl->count > acl->prefixes)
		qsort(acl->rules + acl->prefixes, acl->count - acl->prefixes, sizeof *acl->rules, by_segments);
	link_prefixes(acl);
	return BULLA_OK;
}

static struct acl *acl_empty(size_t policies)
{
	struct bulla_arena *arena = bulla_arena_new(4096);
	struct acl *acl = arena != NULL ? bulla_arena_alloc(arena, sizeof *acl) : NULL;

	if (acl != NULL) {
		acl->arena = arena;
		acl->policies = bulla_arena_alloc(arena, policies * sizeof(struct policy *));
		atomic_init(&acl->refs, 1);
	}
	if (acl != NULL && acl->policies != NULL)
		return acl;
	bulla_arena_free(arena);
	return NULL;
}

struct acl *acl_new(struct policy *const *policies, size_t count, const struct bulla_now *now)
{
	struct acl *acl = acl_empty(count);
	const struct policy_rule **list;
	size_t rules;

	if (acl == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		acl->policies[acl->policy_count++] = policy_hold(policies[i]);
	enum bulla_err err = gather(acl, now, &list, &rules);

	if (err == BULLA_OK) {
		err = merge_all(acl, list, rules);
		free(list);
	}
	if (err == BULLA_OK)
		return acl;
	acl_put(acl);
	return NULL;
}

struct acl *acl_hold(struct acl *acl)
{
	atomic_fetch_add_explicit(&acl->refs, 1, memory_order_relaxed);
	return acl;
}

void acl_put(struct acl *acl)
{
	if (acl == NULL || atomic_fetch_sub_explicit(&acl->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < acl->policy_count; i++)
		policy_put(acl->policies[i]);
	bulla_arena_free(acl->arena);
}

/* ---- finding ----------------------------------------------------------------------------------------------------------- */

/* The first rule of [low, high) whose pattern is not before text. */
static size_t lower_bound(const struct acl *acl, size_t low, size_t high, struct bulla_bytes text)
{
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bulla_compare(acl->rules[middle].base.pattern, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct acl_rule *find_exact(const struct acl *acl, struct bulla_bytes path)
{
	size_t at = lower_bound(acl, 0, acl->exact, path);

	return at < acl->exact && bulla_equal(acl->rules[at].base.pattern, path) ? &acl->rules[at] : NULL;
}

static const struct acl_rule *find_prefix(const struct acl *acl, struct bulla_bytes path)
{
	size_t at = lower_bound(acl, acl->exact, acl->prefixes, path);

	if (at < acl->prefixes && bulla_equal(acl->rules[at].base.pattern, path))
		return &acl->rules[at];
	at = at > acl->exact ? at - 1 : SIZE_MAX;
	while (at != SIZE_MAX && !begins(path, acl->rules[at].base.pattern))
		at = acl->rules[at].shorter;
	return at != SIZE_MAX ? &acl->rules[at] : NULL;
}

/* The text up to the next slash, which goes with it; *last: there was none. */
static struct bulla_bytes next_segment(struct bulla_bytes *rest, bool *last)
{
	const uint8_t *slash = rest->len > 0 ? memchr(rest->ptr, '/', rest->len) : NULL;
	struct bulla_bytes segment = *rest;

	*last = slash == NULL;
	if (slash != NULL)
		segment.len = (size_t)(slash - rest->ptr);
	*rest = bulla_mem(rest->ptr + segment.len + !*last, rest->len - segment.len - !*last);
	return segment;
}

/* Segment by segment; + is any one, also an empty one. A star at the end leaves the rest of its segment and all others open. */
static bool segments_match(const struct acl_rule *rule, struct bulla_bytes path)
{
	struct bulla_bytes pattern = without_star(rule);
	bool last_wanted, last;

	do {
		struct bulla_bytes wanted = next_segment(&pattern, &last_wanted), segment = next_segment(&path, &last);

		if (last_wanted && rule->open_end)
			return begins(segment, wanted);
		if (!bulla_is(wanted, "+") && !bulla_equal(wanted, segment))
			return false;
	} while (!last_wanted && !last);
	return last_wanted && last;
}

/* Whether a rule with segments comes before a prefix, by the same order: the prefix is open at its end and has no +. */
static bool beats_prefix(const struct acl_rule *rule, const struct acl_rule *prefix)
{
	if (rule->first_wildcard != prefix->first_wildcard)
		return rule->first_wildcard > prefix->first_wildcard;
	return !rule->open_end || rule->wildcards == 0; /* it is longer, too */
}

static const struct acl_rule *find_open(const struct acl *acl, struct bulla_bytes path)
{
	const struct acl_rule *prefix = find_prefix(acl, path);

	for (size_t i = acl->prefixes; i < acl->count; i++)
		if (segments_match(&acl->rules[i], path))
			return prefix == NULL || beats_prefix(&acl->rules[i], prefix) ? &acl->rules[i] : prefix;
	return prefix;
}

const struct acl_rule *acl_find(const struct acl *acl, struct bulla_bytes path, bool lists)
{
	while (path.len > 0 && path.ptr[0] == '/')
		path = bulla_mem(path.ptr + 1, path.len - 1);
	bool slash = lists && path.len > 0 && path.ptr[path.len - 1] == '/';
	struct bulla_bytes bare = bulla_mem(path.ptr, path.len - slash);
	const struct acl_rule *rule = find_exact(acl, path);

	if (rule == NULL && slash)
		rule = find_exact(acl, bare);
	if (rule == NULL)
		rule = find_open(acl, path);
	if (rule == NULL && slash)
		rule = find_open(acl, bare);
	return rule;
}

/* ---- what a caller may know of ----------------------------------------------------------------------------------------- */

static bool grants(const struct acl_rule *rule)
{
	return rule->base.can != 0 && (rule->base.can & POLICY_CAN_DENY) == 0;
}

/* Whether the pattern may match something below the mount, of which it needs to have all segments or be open before. */
static bool segments_reach(const struct acl_rule *rule, struct bulla_bytes mount_path)
{
	struct bulla_bytes pattern = without_star(rule), rest = bulla_mem(mount_path.ptr, mount_path.len - 1);
	bool last_wanted, last;

	do {
		struct bulla_bytes wanted = next_segment(&pattern, &last_wanted), segment = next_segment(&rest, &last);

		if (last_wanted && rule->open_end)
			return begins(segment, wanted);
		if (!bulla_is(wanted, "+") && !bulla_equal(wanted, segment))
			return false;
	} while (!last_wanted && !last);
	return last && !last_wanted;
}

bool acl_reaches(const struct acl *acl, struct bulla_bytes mount_path)
{
	const struct acl_rule *itself = acl_find(acl, mount_path, true);

	if (acl->broken)
		return false;
	if (itself != NULL && grants(itself))
		return true;
	for (size_t i = 0; i < acl->prefixes; i++)
		if (begins(acl->rules[i].base.pattern, mount_path) && grants(&acl->rules[i]))
			return true;
	for (size_t i = acl->prefixes; i < acl->count; i++)
		if (grants(&acl->rules[i]) && segments_reach(&acl->rules[i], mount_path))
			return true;
	return false;
}
