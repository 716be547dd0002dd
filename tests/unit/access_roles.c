/* Token roles: which policies they let through, that damage is named, and that changes at the same time are all kept. */
#include <pthread.h>
#include <sys/resource.h>

#include "engine_unit.h"

#include "access/access_private.h"
#include "seal/documents.h"

/* ---- globs --------------------------------------------------------------------- */

/* The obvious way: a star is nothing, or one character and a star. */
static bool slow(const char *glob, const char *name)
{
	if (*glob == 0)
		return *name == 0;
	if (*glob == '*')
		return slow(glob + 1, name) || (*name != 0 && slow(glob, name + 1));
	return *glob == *name && slow(glob + 1, name + 1);
}

/* The number-th text of len letters. */
static void spell(const char *letters, unsigned number, unsigned len, char *out)
{
	unsigned base = (unsigned)strlen(letters);

	for (unsigned i = 0; i < len; i++, number /= base)
		out[i] = letters[number % base];
	out[len] = 0;
}

/* All globs of up to five letters against all names of up to six. */
START_TEST(globs_match)
{
	unsigned matched = 0;

	for (unsigned g = 0; g < 6 * 243; g++) { /* shorter ones several times */
		char glob[6], name[7];

		spell("ab*", g % 243, g / 243, glob);
		for (unsigned len = 0; len <= 6; len++)
			for (unsigned n = 0; n < 1u << len; n++) {
				struct bulla_bytes item = bulla_str(glob);
				const struct bulla_names list = { &item, 1 };

				spell("ab", n, len, name);
				ck_assert_msg(policies_match(&list, bulla_str(name)) == slow(glob, name), "%s against %s", name, glob);
				matched += slow(glob, name);
			}
	}
	ck_assert_uint_gt(matched, 1000);
	ck_assert(!policies_match(&(struct bulla_names){ 0 }, bulla_str("")));
}
END_TEST

/* ---- roles ---------------------------------------------------------------------- */

static struct bulla_bytes words[] = { { (const uint8_t *)"b", 1 }, { (const uint8_t *)"A", 1 }, { (const uint8_t *)"b", 1 } };

static enum bulla_err put(struct bulla_call *c, const struct bulla_token_role_change *change)
{
	return bulla_token_role_put(engine, c, bulla_str("r"), change);
}

static long peak_kib(void)
{
	struct rusage usage;

	ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

#define WISHES 6000

/* What is refused is named in full, however much it is: by memory that grows with it, not with its square. */
START_TEST(many_wishes)
{
	static struct bulla_bytes wishes[WISHES];
	static char names[WISHES][16];
	struct bulla_bytes allowed = bulla_str("a");
	const struct bulla_token_role_change change = { .set = BULLA_TOKEN_ROLE_ALLOWED, .values = { .allowed_policies = { &allowed, 1 } } };
	const struct bulla_token_create_args args = { .policies = wishes, .policy_count = WISHES, .role = bulla_str("r"),
						      .path = bulla_str("auth/token/create/r") };
	struct bulla_auth auth;

	for (int i = 0; i < WISHES; i++) {
		snprintf(names[i], sizeof names[i], "wish-%06d", i);
		wishes[i] = bulla_str(names[i]);
	}
	ck_assert_ok(put(&call, &change));
	long before = peak_kib();

	ck_assert_err(bulla_token_create(engine, &call, &args, &auth), BULLA_E_INVALID);
	ck_assert(call.detail.len > WISHES * 14);
	ck_assert_int_lt(peak_kib() - before, 64 * 1024);
}
END_TEST

START_TEST(keeps_everything)
{
	const struct bulla_names list = { words, 3 };
	const struct bulla_bytes block = bulla_str("10.0.0.1/32");
	const struct bulla_token_role_change change = {
		.set = (1u << 17) - 1,
		.values = { .allowed_policies = list, .allowed_globs = list, .disallowed_policies = list, .disallowed_globs = list,
			    .entity_aliases = list, .bound_cidrs = { &block, 1 }, .old_bound_cidrs = { &block, 1 }, .period_s = 60,
			    .explicit_max_ttl_s = 70, .num_uses = 80, .old_period_s = 1, .old_explicit_max_ttl_s = 2, .orphan = true,
			    .renewable = false, .no_default_policy = true, .path_suffix = bulla_str("v-1"),
			    .type = bulla_str("default-batch") },
	};
	struct bulla_token_role role;
	struct bulla_bytes *names;
	size_t count;

	ck_assert_ok(put(&call, &change));
	ck_assert_ok(bulla_token_role_get(engine, &call, bulla_str("r"), &role));
	ck_assert_uint_eq(role.allowed_policies.count, 2);
	ck_assert_bytes(role.disallowed_globs.items[0], "a");
	ck_assert_bytes(role.entity_aliases.items[1], "b");
	ck_assert_bytes(role.bound_cidrs.items[0], "10.0.0.1");
	ck_assert_uint_eq(role.old_bound_cidrs.count, 0); /* the newer names won */
	ck_assert_int_eq(role.period_s + role.explicit_max_ttl_s + role.num_uses, 210);
	ck_assert_int_eq(role.old_period_s + role.old_explicit_max_ttl_s, 0);
	ck_assert(role.orphan && !role.renewable && role.no_default_policy && !role.entity_aliases_null);
	ck_assert_bytes(role.path_suffix, "v-1");
	ck_assert_bytes(role.type, "default-batch");
	ck_assert_ok(bulla_token_role_list(engine, &call, &names, &count));
	ck_assert_uint_eq(count, 1);
	ck_assert_ok(bulla_token_role_delete(engine, &call, bulla_str("r")));
	ck_assert_err(bulla_token_role_get(engine, &call, bulla_str("r"), &role), BULLA_E_NOT_FOUND);
}
END_TEST

static const char *const damages[] = { "", "\2", "\1\x10\0", "\1\0\4" };

START_TEST(damaged)
{
	const struct documents documents = { engine->store, engine->seal };
	const struct document_name name = { .kind = "token-role", .item = bulla_str("r") };
	const struct bulla_token_create_args args = { .role = bulla_str("r"), .path = bulla_str("auth/token/create/r") };
	struct bulla_token_role role;
	struct bulla_auth auth;

	ck_assert_ok(document_put(&documents, &call, &name, 0, bulla_mem(damages[_i], _i == 0 ? 0 : _i == 1 ? 1 : 3)));
	ck_assert_err(bulla_token_role_get(engine, &call, bulla_str("r"), &role), BULLA_E_STORE_DAMAGED);
	ck_assert_err(bulla_token_create(engine, &call, &args, &auth), BULLA_E_STORE_DAMAGED);
	ck_assert_ok(bulla_token_role_delete(engine, &call, bulla_str("r"))); /* it is not in the way */
}
END_TEST

/* Each thread sets a parameter of its own; all of them are there in the end. */
static void *change_one(void *number)
{
	static const struct bulla_token_role_change changes[] = {
		{ .set = BULLA_TOKEN_ROLE_PERIOD, .values.period_s = 5 }, { .set = BULLA_TOKEN_ROLE_USES, .values.num_uses = 6 },
		{ .set = BULLA_TOKEN_ROLE_ORPHAN, .values.orphan = true },
	};

	for (int i = 0; i < 20; i++) {
		struct bulla_call c = call_begin();
		enum bulla_err err;

		do
			err = put(&c, &changes[(uintptr_t)number]);
		while (err == BULLA_E_CONFLICT);
		ck_assert_ok(err);
		call_end(&c);
	}
	return NULL;
}

START_TEST(changed_at_once)
{
	struct bulla_token_role role;
	pthread_t threads[3];

	for (uintptr_t i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, change_one, (void *)i), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_ok(bulla_token_role_get(engine, &call, bulla_str("r"), &role));
	ck_assert(role.period_s == 5 && role.num_uses == 6 && role.orphan && role.renewable);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access/roles");
	TCase *tc = tcase_create("roles");

	tcase_add_checked_fixture(tc, engine_setup, engine_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, globs_match);
	tcase_add_test(tc, many_wishes);
	tcase_add_test(tc, keeps_everything);
	tcase_add_loop_test(tc, damaged, 0, (int)(sizeof damages / sizeof damages[0]));
	tcase_add_test(tc, changed_at_once);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
