/* token_* parameters: what is refused, which of an old and a new name counts, and that they come out of a document as they went in. */
#include "unit.h"

#include "auth/params.h"

static struct bulla_call call;

static void set_up(void)
{
	call = call_begin();
}

static void tear_down(void)
{
	call_end(&call);
}

static struct bulla_bytes list[8];

static size_t fill(const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		list[i] = bulla_str(texts[i]);
	return n;
}

#define LIST(...) fill((const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void ck_refused(const struct bulla_role_params_change *change, const char *text)
{
	struct bulla_role_params params = { .values = { .ttl_s = 7 } };

	ck_assert_err(params_change(&call, change, &params), BULLA_E_INVALID);
	ck_assert_bytes(call.detail, text);
	ck_assert_int_eq(params.values.ttl_s, 7);
}

START_TEST(refused)
{
	struct bulla_role_params_change c = { .set = BULLA_PARAM_TTL | BULLA_PARAM_MAX_TTL, .values = { .ttl_s = 2, .max_ttl_s = 1 } };

	ck_refused(&c, "'token_ttl' cannot be greater than 'token_max_ttl'");
	c = (struct bulla_role_params_change){ .set = BULLA_PARAM_NUM_USES, .values = { .num_uses = -1 } };
	ck_refused(&c, "'token_num_uses' cannot be negative");
	c = (struct bulla_role_params_change){ .set = BULLA_PARAM_NUM_USES, .values = { .num_uses = INT64_C(1) << 31 } };
	ck_refused(&c, "'token_num_uses' cannot be more than 2147483647");
	c = (struct bulla_role_params_change){ .set = BULLA_PARAM_TYPE, .values = { .type = bulla_str("weird") } };
	ck_refused(&c, "invalid 'token_type' value \"weird\"");
	c = (struct bulla_role_params_change){ .set = BULLA_PARAM_TYPE | BULLA_PARAM_PERIOD,
					       .values = { .type = bulla_str("batch"), .period_s = 1 } };
	ck_refused(&c, "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens");
	c = (struct bulla_role_params_change){ .set = BULLA_PARAM_TYPE | BULLA_PARAM_NUM_USES,
					       .values = { .type = bulla_str("batch"), .num_uses = 1 } };
	ck_refused(&c, "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count");
	LIST("zz");
	c = (struct bulla_role_params_change){ .set = BULLA_PARAM_BOUND_CIDRS, .values = { .bound_cidrs = list, .bound_cidr_count = 1 } };
	ck_refused(&c, "error parsing address \"zz\": Unable to convert \"zz\" to an IPv4 or IPv6 address, or a UNIX Socket");
	LIST("10.0.0.0/33");
	ck_assert_err(params_change(&call, &c, &(struct bulla_role_params){ 0 }), BULLA_E_INVALID);
	LIST("10.0.0.0/8");
	c.set |= BULLA_PARAM_STRICTLY_BIND_IP;
	c.values.strictly_bind_ip = true;
	ck_refused(&c, "'token_strictly_bind_ip' conflicts with 'token_bound_cidrs'; set only one");
}
END_TEST

START_TEST(old_names)
{
	struct bulla_role_params params = { 0 };
	struct bulla_role_params_change c = { .set_old = BULLA_PARAM_TTL, .old = { .ttl_s = 60 } };

	ck_assert_ok(params_change(&call, &c, &params));
	ck_assert_int_eq(params.values.ttl_s, 60);
	ck_assert_uint_eq(params.old_names, BULLA_PARAM_TTL);
	c = (struct bulla_role_params_change){ .set = BULLA_PARAM_PERIOD, .values = { .period_s = 3 } }; /* leaves the other alone */
	ck_assert_ok(params_change(&call, &c, &params));
	ck_assert_uint_eq(params.old_names, BULLA_PARAM_TTL);
	c = (struct bulla_role_params_change){ .set = BULLA_PARAM_TTL, .set_old = BULLA_PARAM_TTL, .values = { .ttl_s = 5 }, .old = { .ttl_s = 6 } };
	ck_assert_ok(params_change(&call, &c, &params)); /* the new name counts */
	ck_assert_int_eq(params.values.ttl_s, 5);
	ck_assert_uint_eq(params.old_names, BULLA_PARAM_TTL);
	c = (struct bulla_role_params_change){ .set = BULLA_PARAM_TTL, .values = { .ttl_s = 9 } };
	ck_assert_ok(params_change(&call, &c, &params));
	ck_assert_int_eq(params.values.ttl_s, 9);
	ck_assert_uint_eq(params.old_names, 0);
}
END_TEST

START_TEST(cleaned)
{
	const struct bulla_bytes *clean;
	size_t n = LIST(" b", "A", "", "a ", "Default"), count;

	ck_assert_ok(params_clean_policies(&call, list, n, &clean, &count));
	ck_assert_uint_eq(count, 3);
	ck_assert_bytes(clean[0], "a");
	ck_assert_bytes(clean[1], "b");
	ck_assert_bytes(clean[2], "default");
	n = LIST("a", "ROOT", "b");
	ck_assert_ok(params_clean_policies(&call, list, n, &clean, &count));
	ck_assert_uint_eq(count, 1);
	ck_assert_bytes(clean[0], "root");
	ck_assert_ok(params_clean_policies(&call, NULL, 0, &clean, &count));
	ck_assert_uint_eq(count, 0);
	/* by the new name they are kept as they came, by the old one cleaned */
	struct bulla_role_params params = { 0 };
	struct bulla_role_params_change c = { .set = BULLA_PARAM_POLICIES, .values = { .policies = list } };

	c.values.policy_count = LIST("b", "A");
	ck_assert_ok(params_change(&call, &c, &params));
	ck_assert_bytes(params.values.policies[0], "b");
	ck_assert_bytes(params.values.policies[1], "A");
	c = (struct bulla_role_params_change){ .set_old = BULLA_PARAM_POLICIES, .old = { .policies = list, .policy_count = 2 } };
	ck_assert_ok(params_change(&call, &c, &params));
	ck_assert_bytes(params.values.policies[0], "a");
}
END_TEST

START_TEST(packed)
{
	struct bulla_bytes policies[] = { bulla_str("a"), bulla_str("") }, text;
	struct bulla_role_params params = { .values = { .policies = policies, .policy_count = 2, .ttl_s = 1, .max_ttl_s = 2, .period_s = 3,
		.explicit_max_ttl_s = 4, .num_uses = 5, .strictly_bind_ip = true, .type = bulla_str("service") }, .old_names = 9 }, out;
	struct pack pack = { .arena = call.arena };

	params_pack(&pack, &params);
	ck_assert_ok(pack_finish(&pack, &text));
	struct unpack in = { .ptr = text.ptr, .left = text.len };

	ck_assert_ok(params_unpack(&call, &in, &out));
	ck_assert_ok(unpack_finish(&in));
	ck_assert_uint_eq(out.values.policy_count, 2);
	ck_assert_bytes(out.values.policies[0], "a");
	ck_assert_bytes(out.values.policies[1], "");
	ck_assert_int_eq(out.values.ttl_s, 1);
	ck_assert_int_eq(out.values.max_ttl_s, 2);
	ck_assert_int_eq(out.values.period_s, 3);
	ck_assert_int_eq(out.values.explicit_max_ttl_s, 4);
	ck_assert_int_eq(out.values.num_uses, 5);
	ck_assert(out.values.strictly_bind_ip && !out.values.no_default_policy);
	ck_assert_bytes(out.values.type, "service");
	ck_assert_uint_eq(out.old_names, 9);
	for (size_t len = 0; len < text.len; len++) { /* cut anywhere: it shows */
		in = (struct unpack){ .ptr = text.ptr, .left = len };
		ck_assert_ok(params_unpack(&call, &in, &out));
		ck_assert_err(unpack_finish(&in), BULLA_E_STORE_DAMAGED);
	}
	((uint8_t *)(uintptr_t)text.ptr)[0] |= 0x80; /* a flag from the future */
	in = (struct unpack){ .ptr = text.ptr, .left = text.len };
	ck_assert_ok(params_unpack(&call, &in, &out));
	ck_assert_err(unpack_finish(&in), BULLA_E_STORE_DAMAGED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_params");
	TCase *tc = tcase_create("params");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, old_names);
	tcase_add_test(tc, cleaned);
	tcase_add_test(tc, packed);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
