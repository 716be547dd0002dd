/* policy_acl.c: which stanza counts for a path, and what several stanzas together allow: by hand, and beside a slow and obvious
 * matcher on random policies and paths. */
#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"
#include "unit.h"

#define C POLICY_CAN_CREATE
#define R POLICY_CAN_READ
#define U POLICY_CAN_UPDATE
#define L POLICY_CAN_LIST
#define D POLICY_CAN_DENY

static struct acl *acl_of(const char *const *texts, size_t count)
{
	struct bulla_call call = call_begin();
	struct policy *policies[4] = { NULL };

	for (size_t i = 0; i < count; i++)
		ck_assert_msg(policy_new(&call, bulla_str("p"), bulla_str(texts[i]), (struct bulla_end){ 0 }, &policies[i]) == BULLA_OK, "%s: %s", texts[i],
			      (const char *)call.detail.ptr);
	struct acl *acl = acl_new(policies, count, &(struct bulla_now){ 1000, 1000 });

	ck_assert_ptr_nonnull(acl);
	for (size_t i = 0; i < count; i++)
		policy_put(policies[i]);
	call_end(&call);
	return acl;
}

static unsigned can(const struct acl *acl, const char *path, bool lists)
{
	const struct acl_rule *rule = acl_find(acl, bulla_str(path), lists);

	return rule != NULL ? rule->base.can : 0;
}

/* ---- by hand ---- */

#define P(path, caps) "path \"" path "\" { capabilities = [" caps "] }\n"
#define CREATE "\"create\""
#define READ "\"read\""
#define UPDATE "\"update\""
#define LIST "\"list\""
#define DENY "\"deny\""

static const struct {
	const char *text, *path;
	bool lists;
	unsigned can;
} finds[] = {
	{ "", "", false, 0 }, { "", "a", false, 0 }, { P("a", READ), "a", false, R }, { P("a", READ), "ab", false, 0 }, { P("a", READ), "a/", false, 0 },
	{ P("/a", READ), "a", false, R }, { P("a", READ), "//a", false, R }, { P("//a", READ), "a", false, 0 }, { P("", READ), "", false, R },
	{ P("*", READ), "", false, R }, { P("*", READ), "x/y", false, R }, { P("a*", READ), "a", false, R }, { P("a*", READ), "ab/c", false, R },
	{ P("a/*", READ), "a", false, 0 }, { P("a/*", READ), "a/", false, R }, { P("a*b", READ), "axb", false, 0 }, { P("a*b", READ), "a*b", false, R },
	/* the longest */
	{ P("a*", READ) P("ab*", UPDATE), "abc", false, U }, { P("a*", READ) P("ab*", UPDATE), "ac", false, R }, { P("ab*", READ) P("abc*", UPDATE) P("abd*", LIST), "abe", false, R },
	{ P("a*", READ) P("abc*", UPDATE) P("abd*", LIST), "abb", false, R }, { P("b*", READ) P("abc*", UPDATE), "abb", false, 0 }, { P("a*", READ) P("a", UPDATE), "a", false, U },
	/* segments */
	{ P("+", READ), "a", false, R }, { P("+", READ), "", false, R }, { P("+", READ), "a/b", false, 0 }, { P("a/+", READ), "a/b", false, R }, { P("a/+", READ), "a/", false, R },
	{ P("a/+", READ), "a", false, 0 }, { P("a/+", READ), "a/b/c", false, 0 }, { P("a/+/c", READ), "a/b/c", false, R }, { P("a/+/c", READ), "a/b/d", false, 0 }, { P("a/+/c", READ), "a//c", false, R },
	{ P("+/b", READ), "a/b", false, R }, { P("a+", READ), "ab", false, 0 }, { P("a+", READ), "a+", false, R }, { P("a/+b/+", READ), "a/xb/c", false, 0 }, { P("a/+b/+", READ), "a/+b/c", false, R },
	{ P("a/+/c*", READ), "a/b/c", false, R }, { P("a/+/c*", READ), "a/b/cd/e", false, R }, { P("a/+/c*", READ), "a/b/d", false, 0 }, { P("a/+/*", READ), "a/b/", false, R }, { P("a/+/*", READ), "a/b", false, 0 },
	/* priorities */
	{ P("a/+", READ) P("a/b*", UPDATE), "a/b", false, U }, { P("a/+", READ) P("a/*", UPDATE), "a/b", false, R }, { P("a/+/c", READ) P("+/b/c", UPDATE), "a/b/c", false, R },
	{ P("a/+/+", READ) P("a/+/c", UPDATE), "a/b/c", false, U }, { P("a/+/c*", READ) P("a/+/c", UPDATE), "a/b/c", false, U }, { P("a/+/c*", READ) P("a/+/cd*", UPDATE), "a/b/cde", false, U },
	{ P("a/*", READ) P("a/+/x*", UPDATE), "a/b/xy", false, R }, /* as many stars, but a + more */
	{ P("a/+/+", READ) P("a/+/c*", UPDATE), "a/b/c", false, R }, { P("a/b", DENY) P("a/*", READ), "a/b", false, D }, { P("a/*", DENY) P("a/b", READ), "a/b", false, R },
	/* lists */
	{ P("a/", LIST), "a/", true, L }, { P("a", LIST), "a/", true, L }, { P("a", LIST) P("a/", READ), "a/", true, R }, { P("a", LIST) P("a/*", READ), "a/", true, L },
	{ P("a", LIST), "a", true, L }, { P("a/", LIST), "a", true, 0 }, { P("+", LIST), "a/", true, L }, { P("+", LIST) P("a/*", READ), "a/", true, R }, { P("b*", LIST), "b/", true, L },
	/* several about one */
	{ P("a", READ) P("a", UPDATE), "a", false, R | U }, { P("a*", READ) P("a*", DENY) P("a*", UPDATE), "a", false, D }, { P("+/b", READ) P("+/b", CREATE), "a/b", false, R | C },
	{ "path \"a\" { capabilities = [\"read\"] capabilities = [\"update\"] }", "a", false, R | U }, { "path \"a\" {}", "a", false, 0 },
	{ "path \"a\" { capabilities = [\"read\"] expiration = \"1970-01-01T00:00:00.000001Z\" }", "a", false, 0 }, /* acl_new's now */
	{ "path \"a\" { capabilities = [\"read\"] expiration = \"1970-01-01T00:00:00.000001001Z\" }", "a", false, R },
	{ "path \"a/{{identity.entity.id}}\" { capabilities = [\"read\"] }", "a/{{identity.entity.id}}", false, 0 },
};

START_TEST(finds_by_hand)
{
	struct acl *acl = acl_of(&finds[_i].text, 1);

	ck_assert_msg(can(acl, finds[_i].path, finds[_i].lists) == finds[_i].can, "%s| %s: %x", finds[_i].text, finds[_i].path,
		      can(acl, finds[_i].path, finds[_i].lists));
	acl_put(acl);
}
END_TEST

static const struct {
	const char *text, *mount;
	bool reaches;
} reach[] = {
	{ "", "t/", false }, { P("t/*", READ), "t/", true }, { P("t/a", READ), "t/", true }, { P("t", READ), "t/", true }, { P("ta", READ), "t/", false },
	{ P("*", READ), "t/", true }, { P("*", DENY), "t/", false }, { P("*", DENY) P("t/a/b", READ), "t/", true }, { P("t/a", DENY), "t/", false }, { P("t/a*", READ), "t/", true },
	{ P("+/a", READ), "t/", true }, { P("+/a", DENY), "t/", false }, { P("t/+/a", READ), "t/", true }, { P("u/+/a", READ), "t/", false }, { P("u/t*", READ), "t/", false },
	{ P("a/+/c", READ), "a/b/", true }, { P("a/+/c", READ), "b/b/", false }, { P("a/+/c", READ), "a/b/c/d/", false }, { P("a/+/c*", READ), "a/b/c/d/", true }, { "path \"t/a\" {}", "t/", false },
};

START_TEST(reaches_by_hand)
{
	struct acl *acl = acl_of(&reach[_i].text, 1);

	ck_assert_msg(acl_reaches(acl, bulla_str(reach[_i].mount)) == reach[_i].reaches, "%s| %s", reach[_i].text, reach[_i].mount);
	acl_put(acl);
}
END_TEST

/* ---- several policies ---- */

#define A(more) "path \"a\" { capabilities = [\"read\", \"update\", \"list\"] " more " }"

static const struct {
	const char *one, *two, *doc;
	unsigned need;
	int64_t wrap_s;
	bool allows;
} together[] = {
	/* wrapping: the lesser of both bounds */
	{ A("min_wrapping_ttl = 10"), A(""), NULL, R, 0, false }, { A("min_wrapping_ttl = 10"), A(""), NULL, R, 9, false }, { A("min_wrapping_ttl = 10"), A("min_wrapping_ttl = 5"), NULL, R, 5, true },
	{ A("max_wrapping_ttl = \"1m\""), A(""), NULL, R, 61, false }, { A("max_wrapping_ttl = \"1m\""), A("max_wrapping_ttl = \"2m\""), NULL, R, 60, true }, { A("max_wrapping_ttl = \"1m\""), A(""), NULL, R, 0, false },
	{ A("min_wrapping_ttl = 10"), A("max_wrapping_ttl = 5"), NULL, R, 7, false }, { A("min_wrapping_ttl = 10"), A("max_wrapping_ttl = 5"), NULL, R, 10, false },
	/* parameters */
	{ A("allowed_parameters = { x = [] }"), A(""), "{\"y\":1}", U, 0, false }, { A("allowed_parameters = { x = [] }"), A("allowed_parameters = { Y = [] }"), "{\"y\":1,\"X\":2}", U, 0, true },
	{ A("allowed_parameters = { x = [\"a\"] }"), A("allowed_parameters = { x = [\"b\"] }"), "{\"x\":\"b\"}", U, 0, true }, { A("allowed_parameters = { x = [\"a\"] }"), A("allowed_parameters = { x = [\"b\"] }"), "{\"x\":\"c\"}", U, 0, false },
	{ A("allowed_parameters = { x = [\"a\"] }"), A("allowed_parameters = { x = [] }"), "{\"x\":\"c\"}", U, 0, true }, { A("allowed_parameters = { \"*\" = [] }"), A("allowed_parameters = { x = [\"a\"] }"), "{\"z\":1,\"x\":\"a\"}", U, 0, true },
	{ A("allowed_parameters = { \"*\" = [] }"), A("allowed_parameters = { x = [\"a\"] }"), "{\"x\":\"b\"}", U, 0, false }, { A("allowed_parameters = { x = [] }"), A(""), "{}", U, 0, true }, { A("allowed_parameters = { x = [] }"), A(""), NULL, U, 0, true },
	{ A("allowed_parameters = { x = [] }"), A(""), "{\"y\":1}", R, 0, false }, { A("allowed_parameters = { x = [] }"), A(""), "{\"y\":1}", L, 0, true },
	{ A("denied_parameters = { x = [\"a\"] }"), A("denied_parameters = { x = [\"b\"] }"), "{\"x\":\"b\"}", U, 0, false }, { A("denied_parameters = { x = [\"a\"] }"), A("denied_parameters = { x = [] }"), "{\"x\":\"c\"}", U, 0, false },
	{ A("denied_parameters = { x = [\"a\"] }"), A(""), "{\"x\":\"b\"}", U, 0, true }, { A("denied_parameters = { \"*\" = [] }"), A(""), "{\"x\":\"b\"}", U, 0, false }, { A("denied_parameters = { \"*\" = [] }"), A(""), "{}", U, 0, true },
	{ A("required_parameters = [\"X\"]"), A("required_parameters = [\"y\"]"), "{\"x\":1}", U, 0, false }, { A("required_parameters = [\"X\"]"), A("required_parameters = [\"y\"]"), "{\"x\":1,\"y\":null}", U, 0, true },
	{ A("required_parameters = [\"X\"]"), A(""), "{\"X\":1}", U, 0, false }, { A("required_parameters = [\"x\"]"), A(""), NULL, U, 0, false }, { A("required_parameters = [\"x\"]"), A(""), NULL, L, 0, true },
	/* kinds of values: what allows is strict, what denies is not */
	{ A("allowed_parameters = { x = [1, true] }"), A(""), "{\"x\":1}", U, 0, false }, { A("allowed_parameters = { x = [1, true] }"), A(""), "{\"x\":true}", U, 0, true }, { A("allowed_parameters = { x = [\"1\"] }"), A(""), "{\"x\":1}", U, 0, false },
	{ A("allowed_parameters = { x = [true] }"), A(""), "{\"x\":\"true\"}", U, 0, false }, { A("allowed_parameters = { x = [\"a\"] }"), A(""), "{\"x\":[\"a\"]}", U, 0, false }, { A("allowed_parameters = { x = [\"a\"] }"), A(""), "{\"x\":null}", U, 0, false },
	{ A("denied_parameters = { x = [1] }"), A(""), "{\"x\":1}", U, 0, false }, { A("denied_parameters = { x = [1] }"), A(""), "{\"x\":\"1\"}", U, 0, false }, { A("denied_parameters = { x = [\"1\"] }"), A(""), "{\"x\":1}", U, 0, false },
	/* however it is spelt: handlers read all of these as true, and as 16 */
	{ A("denied_parameters = { x = [true] }"), A(""), "{\"x\":\"1\"}", U, 0, false }, { A("denied_parameters = { x = [true] }"), A(""), "{\"x\":1}", U, 0, false }, { A("denied_parameters = { x = [\"true\"] }"), A(""), "{\"x\":\"T\"}", U, 0, false },
	{ A("denied_parameters = { x = [false] }"), A(""), "{\"x\":null}", U, 0, false }, { A("denied_parameters = { x = [false] }"), A(""), "{\"x\":\"\"}", U, 0, false }, { A("denied_parameters = { x = [1] }"), A(""), "{\"x\":true}", U, 0, false },
	{ A("denied_parameters = { x = [16] }"), A(""), "{\"x\":\"0x10\"}", U, 0, false }, { A("denied_parameters = { x = [16] }"), A(""), "{\"x\":\"+1_6\"}", U, 0, false }, { A("denied_parameters = { x = [16] }"), A(""), "{\"x\":\"0o20\"}", U, 0, false },
	{ A("denied_parameters = { x = [16] }"), A(""), "{\"x\":\"020\"}", U, 0, false }, { A("denied_parameters = { x = [16] }"), A(""), "{\"x\":\"0b10000\"}", U, 0, false }, { A("denied_parameters = { x = [16] }"), A(""), "{\"x\":\"-16\"}", U, 0, true },
	{ A("denied_parameters = { x = [true] }"), A(""), "{\"x\":false}", U, 0, true }, { A("denied_parameters = { x = [true] }"), A(""), "{\"x\":\"\"}", U, 0, true }, { A("denied_parameters = { x = [\"\"] }"), A(""), "{\"x\":\"0\"}", U, 0, true },
	{ A("denied_parameters = { x = [16] }"), A(""), "{\"x\":\"0x1000000000000000000000010\"}", U, 0, true }, { A("denied_parameters = { x = [\"a\"] }"), A(""), "{\"x\":\"10\"}", U, 0, true },
	{ A("denied_parameters = { x = [true] }"), A(""), "{\"X\":\"true\"}", U, 0, false }, { A("denied_parameters = { x = [\"a\"] }"), A(""), "{\"x\":[\"b\",\"a\"]}", U, 0, false }, { A("denied_parameters = { x = [1] }"), A(""), "{\"x\":2}", U, 0, true },
	/* stars */
	{ A("allowed_parameters = { x = [\"a*\"] }"), A(""), "{\"x\":\"ab\"}", U, 0, true }, { A("allowed_parameters = { x = [\"*a\"] }"), A(""), "{\"x\":\"ba\"}", U, 0, true }, { A("allowed_parameters = { x = [\"*a\"] }"), A(""), "{\"x\":\"ab\"}", U, 0, false },
	{ A("allowed_parameters = { x = [\"*a*\"] }"), A(""), "{\"x\":\"bab\"}", U, 0, true }, { A("allowed_parameters = { x = [\"*\"] }"), A(""), "{\"x\":\"b\"}", U, 0, false }, { A("allowed_parameters = { x = [\"**\"] }"), A(""), "{\"x\":\"b\"}", U, 0, true },
	{ A("allowed_parameters = { x = [\"a*b\"] }"), A(""), "{\"x\":\"axb\"}", U, 0, false }, { A("allowed_parameters = { x = [\"\"] }"), A(""), "{\"x\":\"\"}", U, 0, true },
	/* lists of pages */
	{ A("pagination_limit = 5"), A("pagination_limit = 3"), "{\"limit\":\"4\"}", L, 0, false }, { A("pagination_limit = 5"), A("pagination_limit = 3"), "{\"limit\":\"3\"}", L, 0, true }, { A("pagination_limit = 5"), A(""), "{\"limit\":\"x\"}", L, 0, false },
	{ A("pagination_limit = 5 required_parameters = [\"limit\"]"), A(""), NULL, L, 0, false }, { A("pagination_limit = 5"), A(""), "{\"limit\":[\"1\",\"2\"]}", L, 0, false },
	/* capabilities */
	{ A(""), "path \"a\" { policy = \"deny\" }", NULL, R, 0, false }, { A(""), A(""), NULL, C, 0, false }, { A(""), "path \"a\" { capabilities = [\"create\"] }", NULL, C, 0, true },
	/* a demand is not lifted, and is of what it grants alone */
	{ A("required_encryption_context = { t = \"x\" }"), A(""), NULL, U, 0, false }, { "path \"a\" { capabilities = [\"create\"] required_encryption_context = { t = \"x\" } }", A(""), NULL, U, 0, true },
};

START_TEST(allows_together)
{
	const char *texts[] = { together[_i].one, together[_i].two };
	struct bulla_call call = call_begin();
	struct json *doc = NULL;
	int64_t page = 0;

	if (together[_i].doc != NULL)
		ck_assert_ok(json_parse(&call, (const uint8_t *)together[_i].doc, strlen(together[_i].doc), &doc));
	for (int swapped = 0; swapped < 2; swapped++) { /* the order of policies does not matter */
		struct acl *acl = acl_of(swapped ? (const char *const[]){ texts[1], texts[0] } : texts, 2);
		const struct acl_ask ask = { .need = together[_i].need, .doc = doc, .wrap_ttl_s = together[_i].wrap_s };

		ck_assert_msg(acl_allows(acl_find(acl, bulla_str("a"), false), &ask, &page) == together[_i].allows, "%s %s %s", texts[0],
			      texts[1], together[_i].doc);
		acl_put(acl);
	}
	call_end(&call);
}
END_TEST

/* ---- contexts ---- */

#define DEMAND(context) "path \"a\" { capabilities = [\"update\"] required_encryption_context = { " context " } }"
#define PAIR(k, v) { { (const uint8_t *)k, sizeof k - 1 }, { (const uint8_t *)v, sizeof v - 1 } }

static const struct bulla_pair meta[] = { PAIR("t", "acme"), PAIR("star", "*"), PAIR("none", "") };

static const struct {
	const char *one, *two;
	struct bulla_pair pairs[3];
	size_t count;
	bool fits;
} fitting[] = {
	{ DEMAND("t = \"x\""), NULL, { PAIR("t", "x") }, 1, true }, { DEMAND("t = \"x\""), NULL, { PAIR("t", "y") }, 1, false }, { DEMAND("t = \"x\""), NULL, { PAIR("T", "x") }, 1, false }, { DEMAND("t = \"x\""), NULL, { PAIR("", "") }, 0, false },
	{ DEMAND("t = \"x\""), NULL, { PAIR("t", "xx") }, 1, false }, { DEMAND("t = \"x\""), NULL, { PAIR("t", "") }, 1, false }, { DEMAND("t = \"x\""), NULL, { PAIR("u", "x"), PAIR("t", "x") }, 2, true },
	{ DEMAND("t = \"x\" u = [\"1\", \"2\"]"), NULL, { PAIR("t", "x"), PAIR("u", "2") }, 2, true }, { DEMAND("t = \"x\" u = [\"1\", \"2\"]"), NULL, { PAIR("t", "x"), PAIR("u", "3") }, 2, false }, { DEMAND("t = \"x\" u = [\"1\", \"2\"]"), NULL, { PAIR("t", "x") }, 1, false },
	{ DEMAND("t = \"*\""), NULL, { PAIR("t", "any") }, 1, true }, { DEMAND("t = \"*\""), NULL, { PAIR("t", "") }, 1, false }, { DEMAND("t = \"x*\""), NULL, { PAIR("t", "xy") }, 1, false }, { DEMAND("t = \"\""), NULL, { PAIR("t", "") }, 1, true },
	/* templates */
	{ DEMAND("t = \"{{token.meta.t}}\""), NULL, { PAIR("t", "acme") }, 1, true }, { DEMAND("t = \"{{token.meta.t}}\""), NULL, { PAIR("t", "acm") }, 1, false }, { DEMAND("t = \"{{token.meta.t}}\""), NULL, { PAIR("t", "{{token.meta.t}}") }, 1, false },
	{ DEMAND("t = \"a-{{token.meta.t}}-{{token.display_name}}!\""), NULL, { PAIR("t", "a-acme-web!") }, 1, true }, { DEMAND("t = \"a-{{token.meta.t}}-{{token.display_name}}!\""), NULL, { PAIR("t", "a-acme-web") }, 1, false },
	{ DEMAND("t = \"{{token.meta.no}}\""), NULL, { PAIR("t", "") }, 1, false }, { DEMAND("t = \"{{token.meta.none}}\""), NULL, { PAIR("t", "") }, 1, false }, { DEMAND("t = \"x{{token.meta.no}}\""), NULL, { PAIR("t", "x") }, 1, false },
	{ DEMAND("t = \"{{token.meta.star}}\""), NULL, { PAIR("t", "any") }, 1, false }, { DEMAND("t = \"{{token.meta.star}}\""), NULL, { PAIR("t", "*") }, 1, true }, { DEMAND("t = [\"{{token.meta.no}}\", \"y\"]"), NULL, { PAIR("t", "y") }, 1, true },
	/* several */
	{ DEMAND("t = \"x\""), DEMAND("t = \"y\""), { PAIR("t", "y") }, 1, true }, { DEMAND("t = \"x\""), DEMAND("u = \"y\""), { PAIR("u", "y") }, 1, true }, { DEMAND("t = \"x\" u = \"1\""), DEMAND("t = \"y\" u = \"2\""), { PAIR("t", "x"), PAIR("u", "2") }, 2, false },
	{ DEMAND("t = \"x\""), "path \"a\" { capabilities = [\"update\"] }", { PAIR("u", "y") }, 1, false }, { DEMAND("t = \"x\""), "path \"a\" { capabilities = [\"read\"] required_encryption_context = { u = \"y\" } }", { PAIR("u", "y") }, 1, false },
	{ "path \"a\" { capabilities = [\"read\"] required_encryption_context = { u = \"y\" } }", "path \"a\" { capabilities = [\"update\"] }", { PAIR("", "") }, 0, true },
};

START_TEST(fits_contexts)
{
	const struct acl_caller caller = { .display_name = bulla_str("web"), .meta = meta, .meta_count = 3 };
	const char *texts[] = { fitting[_i].one, fitting[_i].two };
	struct acl *acl = acl_of(texts, fitting[_i].two != NULL ? 2 : 1);

	ck_assert_msg(acl_context_fits(acl_find(acl, bulla_str("a"), false), U, &caller, fitting[_i].pairs, fitting[_i].count) == fitting[_i].fits,
		      "%s %s", fitting[_i].one, fitting[_i].two);
	acl_put(acl);
}
END_TEST

START_TEST(strictest_batch)
{
	static const char *const texts[] = { "path \"a\" { max_batch_items = 7 }", "path \"a\" { max_batch_items = 5 }", "path \"a\" { capabilities = [\"read\"] }" };
	struct acl *acl = acl_of(texts, 3);
	const struct acl_rule *rule = acl_find(acl, bulla_str("a"), false);

	ck_assert_int_eq(rule->max_batch_items, 5);
	ck_assert(rule->conditional);
	acl_put(acl);
}
END_TEST

/* ---- the slow and obvious one ------------------------------------------------------------------------------------------------ */

#define MOST_PARTS 12
#define STANZAS 14

struct stanza_text {
	char path[64];
	unsigned can;
};

static uint64_t state;

static unsigned below(unsigned limit)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(state >> 33) % limit;
}

/* "a/b" is "a" and "b"; "" is one empty part. */
static size_t split(const char *text, char parts[MOST_PARTS][64])
{
	size_t n = 0, len = 0;

	for (;; text++) {
		if (*text != '/' && *text != '\0') {
			parts[n][len++] = *text;
			continue;
		}
		parts[n++][len] = '\0';
		len = 0;
		if (*text == '\0')
			return n;
	}
}

static bool is_plus_pattern(const char *p)
{
	return strcmp(p, "+") == 0 || strncmp(p, "+/", 2) == 0 || strstr(p, "/+") != NULL;
}

static bool ends_with_star(const char *p)
{
	return *p != '\0' && p[strlen(p) - 1] == '*';
}

static bool is_exact(const char *p)
{
	return !is_plus_pattern(p) && !ends_with_star(p);
}

static bool plain_match(const char *pattern, const char *path)
{
	char want[MOST_PARTS][64], have[MOST_PARTS][64], cut[64];
	bool open = ends_with_star(pattern);

	snprintf(cut, sizeof cut, "%.*s", (int)(strlen(pattern) - open), pattern);
	if (!is_plus_pattern(pattern))
		return open ? strncmp(path, cut, strlen(cut)) == 0 : strcmp(path, cut) == 0;
	size_t wants = split(cut, want), haves = split(path, have);

	if (haves < wants || (!open && haves != wants))
		return false;
	for (size_t i = 0; i < wants; i++) {
		bool last_open = open && i == wants - 1;

		if (strcmp(want[i], "+") == 0 && !last_open)
			continue;
		if (last_open ? strncmp(have[i], want[i], strlen(want[i])) != 0 : strcmp(have[i], want[i]) != 0)
			return false;
	}
	return true;
}

static size_t plus_parts(const char *pattern)
{
	char parts[MOST_PARTS][64];
	size_t n = split(pattern, parts), pluses = 0;

	for (size_t i = 0; i < n; i++)
		pluses += strcmp(parts[i], "+") == 0;
	return pluses;
}

/* Whether a goes before b: the rules of docs/POLICIES.md, one after another. */
static bool before(const char *a, const char *b)
{
	size_t first_a = strcspn(a, is_plus_pattern(a) ? "+" : ""), first_b = strcspn(b, is_plus_pattern(b) ? "+" : "");
	size_t len_a = strlen(a) - ends_with_star(a), len_b = strlen(b) - ends_with_star(b);

	first_a = is_plus_pattern(a) ? first_a : len_a;
	first_b = is_plus_pattern(b) ? first_b : len_b;
	if (first_a != first_b)
		return first_a > first_b;
	if (ends_with_star(a) != ends_with_star(b))
		return ends_with_star(b);
	if (plus_parts(a) != plus_parts(b))
		return plus_parts(a) < plus_parts(b);
	if (len_a != len_b)
		return len_a > len_b;
	return strncmp(a, b, len_a) > 0;
}

static const char *best(const struct stanza_text *stanzas, size_t count, const char *path, bool exact)
{
	const char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *pattern = stanzas[i].path + (stanzas[i].path[0] == '/');

		if (is_exact(pattern) == exact && plain_match(pattern, path) && (found == NULL || before(pattern, found)))
			found = pattern;
	}
	return found;
}

static unsigned slow_can(const struct stanza_text *stanzas, size_t count, const char *path, bool lists)
{
	char bare[128];
	const char *pattern;
	unsigned all = 0;

	while (*path == '/')
		path++;
	snprintf(bare, sizeof bare, "%.*s", (int)(strlen(path) - (lists && *path != '\0' && path[strlen(path) - 1] == '/')), path);
	pattern = best(stanzas, count, path, true);
	if (pattern == NULL)
		pattern = best(stanzas, count, bare, true);
	if (pattern == NULL)
		pattern = best(stanzas, count, path, false);
	if (pattern == NULL)
		pattern = best(stanzas, count, bare, false);
	for (size_t i = 0; pattern != NULL && i < count; i++)
		if (strcmp(stanzas[i].path + (stanzas[i].path[0] == '/'), pattern) == 0)
			all |= stanzas[i].can;
	return (all & D) != 0 ? D : all;
}

/* Few letters, so that much matches. */
static void random_path(char *out, bool pattern)
{
	static const char *const parts[] = { "a", "b", "ab", "", "a+", "abc", "+b" };
	size_t n = 0;

	for (unsigned i = below(4) + 1; i > 0; i--)
		n += (size_t)sprintf(out + n, "%s%s", pattern && below(3) == 0 ? "+" : parts[below(7)], i > 1 ? "/" : "");
	if (pattern && below(3) == 0 && (n == 0 || out[n - 1] != '+'))
		sprintf(out + n, "*");
	else if (!pattern && below(4) == 0)
		sprintf(out + n, "/");
}

static unsigned random_can(void)
{
	static const unsigned some[] = { R, U, L, R | U, C, 0, D };

	return some[below(7)];
}

static void random_policy(struct stanza_text *stanzas, size_t count, char *text)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		struct stanza_text *s = &stanzas[i];

		random_path(s->path, true);
		s->can = random_can();
		n += (size_t)sprintf(text + n, "path \"%s\" { capabilities = [%s%s%s%s%s] }\n", s->path, s->can & R ? "\"read\"," : "", s->can & U ? "\"update\"," : "",
				     s->can & L ? "\"list\"," : "", s->can & C ? "\"create\"," : "", s->can & D ? "\"deny\"" : "");
	}
}

START_TEST(beside_the_slow_one)
{
	struct stanza_text stanzas[STANZAS];
	char text[2][STANZAS * 128], path[128];
	unsigned matched = 0;

	state = 20261121u + (unsigned)_i;
	for (int round = 0; round < 2000; round++) {
		const char *texts[] = { text[0], text[1] };
		size_t first = below(STANZAS), count = first + below((unsigned)(STANZAS - first)) + 1;

		random_policy(stanzas, first, text[0]);
		random_policy(stanzas + first, count - first, text[1]);
		struct acl *acl = acl_of(texts, 2);

		for (int i = 0; i < 40; i++) {
			bool lists = below(2) == 0;

			random_path(path, false);
			unsigned slow = slow_can(stanzas, count, path, lists), fast = can(acl, path, lists);

			ck_assert_msg(slow == fast, "seed %d, round %d: %s (%s): %x, not %x\n%s%s", _i, round, path, lists ? "list" : "", fast, slow, text[0], text[1]);
			matched += slow != 0;
		}
		acl_put(acl);
	}
	ck_assert_uint_gt(matched, 10000); /* it was about something */
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void)
{
	Suite *suite = suite_create("policy/acl");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, finds_by_hand, 0, COUNT(finds));
	tcase_add_loop_test(tc, reaches_by_hand, 0, COUNT(reach));
	tcase_add_loop_test(tc, allows_together, 0, COUNT(together));
	tcase_add_loop_test(tc, fits_contexts, 0, COUNT(fitting));
	tcase_add_test(tc, strictest_batch);
	tcase_add_loop_test(tc, beside_the_slow_one, 0, 4);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
