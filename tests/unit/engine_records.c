/* Two engines over one store, whose requests write the same record at the same time: none is answered with CONFLICT, and of what each
 * changes nothing is lost. */
#include <pthread.h>
#include <stdatomic.h>

#include "twin_unit.h"

#define WRITERS 4 /* every other one by the twin */
#define ROUNDS 25

static struct bulla *node_of(int who)
{
	return who % 2 == 0 ? engine : twin;
}

static void setup(void)
{
	static const char *const methods[] = { "userpass", "approle", "jwt", "cert" };
	const struct bulla_mount_settings none = { 0 };

	engine_setup();
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		ck_assert_ok(bulla_auth_enable(engine, &call, bulla_str(methods[i]), bulla_str(methods[i]), &none));
	open_twin();
}

static const struct bulla_mount *mount_of(struct bulla *node, const char *path)
{
	struct bulla_bytes rest;
	const struct bulla_mount *mount = bulla_mount_find(node, bulla_str(path), &rest);

	ck_assert_ptr_nonnull(mount);
	return mount;
}

/* ---- each writer has a field of its own: all of them hold in the end --------------------------------------------------------- */

static struct bulla_role_params_change token_param(int who, int64_t value)
{
	static const unsigned bits[WRITERS] = { BULLA_PARAM_TTL, BULLA_PARAM_NUM_USES, BULLA_PARAM_EXPLICIT_MAX_TTL, BULLA_PARAM_PERIOD };

	return (struct bulla_role_params_change){ .set = bits[who], .values = { .ttl_s = value, .num_uses = value, .explicit_max_ttl_s = value,
										.period_s = value } };
}

static int64_t param_of(const struct bulla_role_params *params, int who)
{
	const struct bulla_token_params *p = &params->values;
	const int64_t values[WRITERS] = { p->ttl_s, p->num_uses, p->explicit_max_ttl_s, p->period_s };

	return values[who];
}

/* With the hash of a password each time: who comes first makes the user. */
static enum bulla_err write_user(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	const struct bulla_user_change change = { .token = token_param(who, value),
						  .password_hash = bulla_str("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW") };
	const struct bulla_mount *mount = mount_of(node, "auth/userpass/login");
	enum bulla_err err = bulla_user_write(node, c, mount, bulla_str("alice"), &change);

	bulla_mount_put(mount);
	return err;
}

static int64_t read_user(struct bulla *node, struct bulla_call *c, int who)
{
	const struct bulla_mount *mount = mount_of(node, "auth/userpass/login");
	struct bulla_role_params params;

	ck_assert_ok(bulla_user_read(node, c, mount, bulla_str("alice"), &params));
	bulla_mount_put(mount);
	return param_of(&params, who);
}

/* The role's id is made by whoever comes first, and stays. */
static enum bulla_err write_approle(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	const struct bulla_approle_change change = { .token = token_param(who, value) };
	const struct bulla_mount *mount = mount_of(node, "auth/approle/login");
	enum bulla_err err = bulla_approle_write(node, c, mount, bulla_str("web"), &change);

	bulla_mount_put(mount);
	return err;
}

static int64_t read_approle(struct bulla *node, struct bulla_call *c, int who)
{
	const struct bulla_mount *mount = mount_of(node, "auth/approle/login");
	struct bulla_approle role;

	ck_assert_ok(bulla_approle_read(node, c, mount, bulla_str("web"), &role));
	bulla_mount_put(mount);
	return param_of(&role.token, who);
}

static enum bulla_err merge_role(struct bulla_call *c, struct bulla_jwt_role *role, const void *given)
{
	(void)c;
	(void)given;
	role->user_claim = role->subject = bulla_str("sub");
	role->browser.callback_mode = bulla_str("client");
	return BULLA_OK;
}

static enum bulla_err write_jwt_role(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	const struct bulla_role_params_change change = token_param(who, value);
	const struct bulla_mount *mount = mount_of(node, "auth/jwt/login");
	enum bulla_err err = bulla_jwt_role_write(node, c, mount, bulla_str("web"), &change, merge_role, NULL);

	bulla_mount_put(mount);
	return err;
}

static int64_t read_jwt_role(struct bulla *node, struct bulla_call *c, int who)
{
	const struct bulla_mount *mount = mount_of(node, "auth/jwt/login");
	struct bulla_jwt_role role;

	ck_assert_ok(bulla_jwt_role_read(node, c, mount, bulla_str("web"), &role));
	bulla_mount_put(mount);
	return param_of(&role.params, who);
}

/* That of tests/pipeline/cert.c. */
static enum bulla_err merge_entry(struct bulla_call *c, struct bulla_cert_entry *entry, const void *given)
{
	(void)c;
	(void)given;
	entry->certificate = bulla_str(
		"-----BEGIN CERTIFICATE-----\n"
		"MIIBhDCCASugAwIBAgIUE5jDR0VlJouBHjMXEnlkM2c/H1EwCgYIKoZIzj0EAwIwDjEMMAoGA1UEAwwDYXBwMCAXDTI2MTEyMTIzMjQxMFoYDz"
		"IxMjYxMDI4MjMyNDEwWjAOMQwwCgYDVQQDDANhcHAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATgIx+1WdaNPAMKkQdAsohcliCvjmCkAoXu"
		"gj26OovxIiADc+Z/m95bzrTB4JbF2a9vrjFiUVuag9IoJiJwnwplo2UwYzAdBgNVHQ4EFgQU5RYiJ0hvNmPRRyP+h4tVG8p9PXQwHwYDVR0jBB"
		"gwFoAU5RYiJ0hvNmPRRyP+h4tVG8p9PXQwEwYDVR0lBAwwCgYIKwYBBQUHAwIwDAYDVR0TAQH/BAIwADAKBggqhkjOPQQDAgNHADBEAiBV00Em"
		"rlMjCfA45gnMzWNuUYhNurti8oIVW8ZNzM+5nAIgW/WBs6NOQhB/CIkl9GOKp+5i3yN3k9x+oUsjhpPwFVY=\n"
		"-----END CERTIFICATE-----\n");
	return BULLA_OK;
}

static enum bulla_err write_entry(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	const struct bulla_role_params_change change = token_param(who, value);
	const struct bulla_mount *mount = mount_of(node, "auth/cert/login");
	enum bulla_err err = bulla_cert_write(node, c, mount, bulla_str("app"), &change, merge_entry, NULL);

	bulla_mount_put(mount);
	return err;
}

static int64_t read_entry(struct bulla *node, struct bulla_call *c, int who)
{
	const struct bulla_mount *mount = mount_of(node, "auth/cert/login");
	struct bulla_cert_entry entry;

	ck_assert_ok(bulla_cert_read(node, c, mount, bulla_str("app"), &entry));
	bulla_mount_put(mount);
	return param_of(&entry.params, who);
}

static enum bulla_err write_token_role(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	static const unsigned bits[WRITERS] = { BULLA_TOKEN_ROLE_PERIOD, BULLA_TOKEN_ROLE_MAX_TTL, BULLA_TOKEN_ROLE_USES, BULLA_TOKEN_ROLE_SUFFIX };
	const struct bulla_token_role_change change = {
		.set = bits[who],
		.values = { .period_s = value, .explicit_max_ttl_s = value, .num_uses = value,
			    .path_suffix = bulla_arena_printf(c->arena, "suffix%lld", (long long)value) },
	};

	return bulla_token_role_put(node, c, bulla_str("web"), &change);
}

static int64_t number_behind(struct bulla_call *c, const char *start, struct bulla_bytes text)
{
	ck_assert_uint_gt(text.len, strlen(start));
	return strtoll((const char *)bulla_arena_copy(c->arena, text).ptr + strlen(start), NULL, 10);
}

static int64_t read_token_role(struct bulla *node, struct bulla_call *c, int who)
{
	struct bulla_token_role role;

	ck_assert_ok(bulla_token_role_get(node, c, bulla_str("web"), &role));
	const int64_t values[WRITERS] = { role.period_s, role.explicit_max_ttl_s, role.num_uses, number_behind(c, "suffix", role.path_suffix) };

	return values[who];
}

static struct bulla_bytes own_name(struct bulla_call *c, const char *start, int who)
{
	return bulla_arena_printf(c->arena, "%s%d", start, who);
}

static enum bulla_err write_ui_header(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	const struct bulla_bytes text = bulla_arena_printf(c->arena, "v%lld", (long long)value);

	return bulla_ui_header_write(node, c, own_name(c, "X-", who), &text, 1);
}

static int64_t read_ui_header(struct bulla *node, struct bulla_call *c, int who)
{
	const struct bulla_bytes *values;
	size_t count;

	ck_assert_ok(bulla_ui_header_read(node, c, own_name(c, "X-", who), &values, &count));
	ck_assert_uint_eq(count, 1);
	return number_behind(c, "v", values[0]);
}

/* Of a header nothing is kept but whether it is hashed: the last round's is, and no other. */
static enum bulla_err write_audit_header(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	return bulla_audit_header_set(node, c, own_name(c, "x-", who), value == ROUNDS, false);
}

static int64_t read_audit_header(struct bulla *node, struct bulla_call *c, int who)
{
	struct bulla_audit_header_rule *list;
	size_t count;

	ck_assert_ok(bulla_audit_headers(node, c, &list, &count));
	ck_assert_uint_eq(count, WRITERS);
	ck_assert(bulla_equal(list[who].name, own_name(c, "x-", who)));
	return list[who].hmac ? ROUNDS : 0;
}

static enum bulla_err write_rule(struct bulla *node, struct bulla_call *c, struct bulla_bytes name, struct bulla_bytes path, int64_t value)
{
	const struct bulla_rate_limit limit = { .name = name, .path = path, .rate = (double)value };

	return bulla_rate_limit_write(node, c, &limit);
}

static int64_t read_rule(struct bulla *node, struct bulla_call *c, struct bulla_bytes name)
{
	struct bulla_rate_limit limit;

	ck_assert_ok(bulla_rate_limit_read(node, c, name, &limit));
	return (int64_t)limit.rate;
}

static enum bulla_err write_own_rule(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	return write_rule(node, c, own_name(c, "own", who), own_name(c, "auth/userpass/login/", who), value);
}

static int64_t read_own_rule(struct bulla *node, struct bulla_call *c, int who)
{
	struct bulla_bytes *names;
	size_t count;

	ck_assert_ok(bulla_rate_limit_list(node, c, &names, &count));
	ck_assert_uint_eq(count, WRITERS);
	return read_rule(node, c, own_name(c, "own", who));
}

/* ---- each writes the whole: one of the last holds in the end, on both nodes --------------------------------------------------- */

static enum bulla_err write_shared_rule(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	(void)who;
	return write_rule(node, c, bulla_str("shared"), (struct bulla_bytes){ 0 }, value);
}

static int64_t read_shared_rule(struct bulla *node, struct bulla_call *c, int who)
{
	(void)who;
	return read_rule(node, c, bulla_str("shared"));
}

static enum bulla_err write_quota_config(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	const struct bulla_bytes path = bulla_arena_printf(c->arena, "p%lld", (long long)value);
	const struct bulla_quota_config config = { .exempt_paths = &path, .exempt_count = 1 };

	(void)who;
	return bulla_quota_config_write(node, c, &config);
}

static int64_t read_quota_config(struct bulla *node, struct bulla_call *c, int who)
{
	struct bulla_quota_config config;

	(void)who;
	ck_assert_ok(bulla_quota_config_read(node, c, &config));
	ck_assert_uint_eq(config.exempt_count, 1);
	return number_behind(c, "p", config.exempt_paths[0]);
}

static enum bulla_err write_cors(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	const struct bulla_bytes origin = bulla_arena_printf(c->arena, "https://v%lld", (long long)value);
	const struct bulla_cors_config config = { .enabled = true, .origins = &origin, .origin_count = 1 };

	(void)who;
	return bulla_cors_enable(node, c, &config);
}

static int64_t read_cors(struct bulla *node, struct bulla_call *c, int who)
{
	struct bulla_cors_config config;

	(void)who;
	ck_assert_ok(bulla_cors_read(node, c, &config));
	ck_assert_uint_eq(config.origin_count, 1);
	return number_behind(c, "https://v", config.origins[0]);
}

/* The key of RFC 8410, section 10.1. */
static enum bulla_err write_jwt_config(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	const struct bulla_bytes key = bulla_str("-----BEGIN PUBLIC KEY-----\n"
						 "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
						 "-----END PUBLIC KEY-----\n");
	const struct bulla_jwt_config config = { .public_keys = &key, .public_key_count = 1, .keep_namespace = true,
						 .bound_issuer = bulla_arena_printf(c->arena, "i%lld", (long long)value) };
	const struct bulla_mount *mount = mount_of(node, "auth/jwt/login");
	enum bulla_err err = bulla_jwt_config_write(node, c, mount, &config);

	(void)who;
	bulla_mount_put(mount);
	return err;
}

static int64_t read_jwt_config(struct bulla *node, struct bulla_call *c, int who)
{
	const struct bulla_mount *mount = mount_of(node, "auth/jwt/login");
	struct bulla_jwt_config config;

	(void)who;
	ck_assert_ok(bulla_jwt_config_read(node, c, mount, &config));
	ck_assert(config.namespace_in_state); /* as it is where nobody has said it */
	bulla_mount_put(mount);
	return number_behind(c, "i", config.bound_issuer);
}

static enum bulla_err put_policy(struct bulla *node, struct bulla_call *c, int64_t value, bool only_new)
{
	const struct bulla_policy_put_args args = {
		.name = bulla_str("p"), .cas_set = only_new, .cas = -1,
		.text = bulla_arena_printf(c->arena, "path \"v%lld\" { capabilities = [\"read\"] }", (long long)value),
	};

	return bulla_policy_put(node, c, &args);
}

static enum bulla_err write_policy(struct bulla *node, struct bulla_call *c, int who, int64_t value)
{
	(void)who;
	return put_policy(node, c, value, false);
}

/* Its version counts each change. */
static int64_t read_policy(struct bulla *node, struct bulla_call *c, int who)
{
	struct bulla_policy_info info;

	(void)who;
	ck_assert_ok(bulla_policy_get(node, c, bulla_str("p"), &info));
	ck_assert_int_eq(info.version, WRITERS * ROUNDS);
	return number_behind(c, "path \"v", info.text);
}

/* ---- the writers -------------------------------------------------------------------------------------------------------------- */

static const struct kind {
	const char *name;
	enum bulla_err (*write)(struct bulla *node, struct bulla_call *c, int who, int64_t value);
	int64_t (*read)(struct bulla *node, struct bulla_call *c, int who);
	bool whole;
} kinds[] = {
	{ "user", write_user, read_user, false },
	{ "role of approle", write_approle, read_approle, false },
	{ "role of jwt", write_jwt_role, read_jwt_role, false },
	{ "entry of cert", write_entry, read_entry, false },
	{ "role of tokens", write_token_role, read_token_role, false },
	{ "header for pages", write_ui_header, read_ui_header, false },
	{ "header on record", write_audit_header, read_audit_header, false },
	{ "rate limits", write_own_rule, read_own_rule, false },
	{ "rate limit", write_shared_rule, read_shared_rule, true },
	{ "settings of rate limits", write_quota_config, read_quota_config, true },
	{ "CORS", write_cors, read_cors, true },
	{ "settings of jwt", write_jwt_config, read_jwt_config, true },
	{ "policy", write_policy, read_policy, true },
};

struct writer {
	const struct kind *kind;
	int who;
	pthread_t thread;
	enum bulla_err err; /* the first */
};

/* Of the whole, whose write it is must be seen. */
static int64_t value_of(const struct kind *kind, int who, int round)
{
	return kind->whole ? (who + 1) * 1000 + round : round;
}

static void *keep_writing(void *context)
{
	struct writer *writer = context;
	struct bulla *node = node_of(writer->who);

	for (int round = 1; round <= ROUNDS && writer->err == BULLA_OK; round++) {
		struct bulla_call c = call_to(node);

		writer->err = writer->kind->write(node, &c, writer->who, value_of(writer->kind, writer->who, round));
		call_done(&c);
	}
	return NULL;
}

static void follow(struct bulla *node)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(engine_follow(node, &c));
	call_end(&c);
}

static int64_t read_at(struct bulla *node, const struct kind *kind, int who)
{
	struct bulla_call c = call_to(node);
	int64_t value = kind->read(node, &c, who);

	call_done(&c);
	return value;
}

START_TEST(at_the_same_time)
{
	const struct kind *kind = &kinds[_i];
	struct writer writers[WRITERS];

	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .kind = kind, .who = i };
		ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, keep_writing, &writers[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_join(writers[i].thread, NULL), 0);
	for (int i = 0; i < WRITERS; i++)
		ck_assert_msg(writers[i].err == BULLA_OK, "%s: error %d", kind->name, (int)writers[i].err);
	follow(engine);
	follow(twin);
	for (int i = 0; i < WRITERS; i++) {
		int64_t one = read_at(engine, kind, i), other = read_at(twin, kind, i);

		ck_assert_msg(one == other, "%s: %lld and %lld", kind->name, (long long)one, (long long)other);
		ck_assert_msg(one % 1000 == ROUNDS, "%s: of writer %d, %lld", kind->name, i, (long long)one);
	}
}
END_TEST

/* ---- what only one may do ----------------------------------------------------------------------------------------------------- */

static atomic_int made, refused;

static void *make_policy(void *context)
{
	struct writer *writer = context;
	struct bulla *node = node_of(writer->who);
	struct bulla_call c = call_to(node);
	enum bulla_err err = put_policy(node, &c, 1, true);

	atomic_fetch_add(err == BULLA_OK ? &made : &refused, 1);
	writer->err = err == BULLA_E_INVALID ? BULLA_OK : err;
	call_done(&c);
	return NULL;
}

/* There must be none yet: one makes it, and the others are told so. */
START_TEST(by_check_and_set)
{
	struct writer writers[WRITERS];

	made = refused = 0;
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .who = i };
		ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, make_policy, &writers[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++) {
		ck_assert_int_eq(pthread_join(writers[i].thread, NULL), 0);
		ck_assert_ok(writers[i].err);
	}
	ck_assert_int_eq(made, 1);
	ck_assert_int_eq(refused, WRITERS - 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine/records");
	TCase *tc = tcase_create("two nodes");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, twin_teardown);
	tcase_add_loop_test(tc, at_the_same_time, 0, sizeof kinds / sizeof kinds[0]);
	tcase_add_test(tc, by_check_and_set);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
