/* Tokens: what is refused, what expires, what a use costs, and what a revocation takes along. The clock is ours. */
#include "engine_unit.h"

#include "access/access_private.h"

static int64_t now_ns;

static int64_t clock_ns(void)
{
	return now_ns;
}

static void later(double seconds)
{
	now_ns += (int64_t)(seconds * 1e9);
}

static void setup(void)
{
	now_ns = INT64_C(1800000000123456789);
	bulla_clock_replace(clock_ns, clock_ns);
	engine_setup();
}

static const struct bulla_bytes policy_root = { (const uint8_t *)"root", 4 };
static const struct bulla_bytes policy_default = { (const uint8_t *)"default", 7 };

/* Arguments as the endpoint gives them, of a token of the default policy. */
static struct bulla_token_create_args wish(const struct bulla_bytes *policy)
{
	return (struct bulla_token_create_args){ .policies = policy, .policy_count = policy != NULL, .renewable = true,
						 .path = bulla_str("auth/token/create") };
}

struct made {
	char token[600], accessor[32];
};

static struct made make_as(struct bulla_call *c, const struct bulla_token_create_args *args)
{
	struct bulla_auth auth;
	struct made made = { 0 };

	ck_assert_ok(bulla_token_create(engine, c, args, &auth));
	memcpy(made.token, auth.client_token.ptr, auth.client_token.len);
	memcpy(made.accessor, auth.token->accessor.ptr, auth.token->accessor.len);
	bulla_token_put(auth.token);
	return made;
}

static struct made make(const struct bulla_token_create_args *args)
{
	return make_as(&call, args);
}

static struct made make_ttl(const struct bulla_bytes *policy, int64_t ttl_s)
{
	struct bulla_token_create_args args = wish(policy);

	args.ttl_s = ttl_s;
	return make(&args);
}

static enum bulla_err try_token(const char *text)
{
	struct bulla_call c = call_begin();
	enum bulla_err err = bulla_authenticate(engine, &c, bulla_str(text));

	call_done(&c);
	return err;
}

static enum bulla_err try_create(const struct bulla_token_create_args *args)
{
	struct bulla_auth auth = { 0 };
	enum bulla_err err = bulla_token_create(engine, &call, args, &auth);

	bulla_token_put(auth.token);
	return err;
}

/* ---- refusals -------------------------------------------------------------- */

START_TEST(unknown)
{
	char longer[700];

	memset(longer, 'a', sizeof longer);
	longer[699] = 0;
	ck_assert_err(try_token(""), BULLA_E_NO_TOKEN);
	ck_assert_err(try_token("nope"), BULLA_E_NO_TOKEN);
	ck_assert_err(try_token("s.AAAAAAAAAAAAAAAAAAAAAAAA"), BULLA_E_NO_TOKEN);
	ck_assert_err(try_token(longer), BULLA_E_NO_TOKEN);
	root_token[5] ^= 1;
	ck_assert_err(try_token(root_token), BULLA_E_NO_TOKEN);
	root_token[5] ^= 1;
	ck_assert_ok(try_token(root_token));
	root_token[25] = 0; /* a prefix */
	ck_assert_err(try_token(root_token), BULLA_E_NO_TOKEN);
}
END_TEST

START_TEST(loop_asks_for_a_worker)
{
	struct made t = make_ttl(&policy_default, 60);
	struct bulla_call c = call_begin();

	c.may_block = false;
	ck_assert_err(bulla_authenticate(engine, &c, bulla_str(t.token)), BULLA_E_MUST_BLOCK);
	ck_assert_ptr_null(c.token);
	ck_assert_ok(try_token(t.token)); /* a worker loads it */
	ck_assert_ok(bulla_authenticate(engine, &c, bulla_str(t.token)));
	call_done(&c);
}
END_TEST

/* With room for a few, what was touched stays longest; what was dropped is loaded again; unknown ones take no room. */
START_TEST(cache_is_bounded)
{
	struct made t[40], favourite = make_ttl(&policy_default, 600);
	struct bulla_call loop = call_begin();

	for (int i = 0; i < 40; i++)
		t[i] = make_ttl(&policy_default, 600);
	engine->access->cache.max_bytes = 8000;
	for (int i = 0; i < 40; i++) {
		ck_assert_ok(try_token(favourite.token));
		ck_assert_ok(try_token(t[i].token));
		ck_assert_uint_le(engine->access->cache.bytes, 8000);
	}
	size_t held = engine->access->cache.bytes, count = rcu_table_count(engine->access->cache.by_name);

	ck_assert_uint_gt(count, 1);
	ck_assert_uint_lt(count, 20);
	ck_assert_uint_eq(count, rcu_table_count(engine->access->cache.by_id));
	for (int i = 0; i < 100; i++) {
		char nobody[27] = "s.AAAAAAAAAAAAAAAAAAAAAA00";

		nobody[24] += (char)(i / 10), nobody[25] += (char)(i % 10);
		ck_assert_err(try_token(nobody), BULLA_E_NO_TOKEN);
	}
	ck_assert_uint_eq(engine->access->cache.bytes, held);
	loop.may_block = false;
	ck_assert_ok(bulla_authenticate(engine, &loop, bulla_str(favourite.token)));
	bulla_token_put(loop.token);
	loop.token = NULL;
	ck_assert_err(bulla_authenticate(engine, &loop, bulla_str(t[0].token)), BULLA_E_MUST_BLOCK);
	call_end(&loop);
	ck_assert_ok(try_token(t[0].token));
}
END_TEST

START_TEST(create_refused)
{
	struct bulla_token_create_args args = wish(&policy_default);

	args.ttl_s = -1;
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "ttl must be positive");
	args = wish(&policy_default), args.period_s = -1;
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "period must be positive");
	args = wish(&policy_default), args.explicit_max_ttl_s = -1;
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "explicit_max_ttl must be positive");
	args = wish(&policy_default), args.num_uses = -1;
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "number of uses cannot be negative");
	args = wish(&policy_default), args.num_uses = INT64_C(1) << 40;
	ck_assert_err(try_create(&args), BULLA_E_INVALID);
	call.detail.len = 0;
	args = wish(&policy_default), args.type = bulla_str("weird");
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "invalid 'token_type' value");
	args = wish(&policy_root), args.type = bulla_str("batch");
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "batch tokens cannot be root tokens");
	args = wish(&policy_default), args.type = bulla_str("batch"), args.period_s = 5;
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "batch tokens cannot have \"period\" set");
	args = wish(&policy_default), args.type = bulla_str("batch"), args.num_uses = 5;
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "batch tokens cannot have \"num_uses\" set");
	args = wish(&policy_default), args.entity_alias = bulla_str("x");
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "'entity_alias' is only allowed in combination with token role");
	struct bulla_bytes wrapping = bulla_str("response-wrapping");

	args = wish(&wrapping);
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "cannot assign policy \"response-wrapping\"");
}
END_TEST

START_TEST(id_refused)
{
	static const struct {
		const char *id, *text;
	} bad[] = {
		{ "s.abc", "custom token ID cannot have the 's.' prefix" },
		{ "hvs.abc", "custom token ID cannot have the 'hvs.' prefix" },
		{ "a.b", "custom token ID cannot have a '.' in the value" },
	};
	struct bulla_token_create_args args = wish(NULL);

	for (size_t i = 0; i < 3; i++) {
		args.id = bulla_str(bad[i].id);
		ck_assert_fails(try_create(&args), BULLA_E_INVALID, bad[i].text);
	}
	args.id = bulla_str("mine");
	args.ttl_s = 10;
	struct made t = make(&args);

	ck_assert_str_eq(t.token, "mine");
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "cannot create a token with a duplicate ID");
	later(11);
	(void)make(&args); /* the one before has ended */
	ck_assert_ok(try_token("mine"));
}
END_TEST

START_TEST(too_large)
{
	struct bulla_token_create_args args = wish(&policy_default);
	char *value = malloc(70000);
	struct bulla_pair meta = { bulla_str("k"), bulla_mem(value, 70000) };

	memset(value, 'v', 70000);
	args.meta = &meta;
	args.meta_count = 1;
	args.meta_set = true;
	ck_assert_err(try_create(&args), BULLA_E_INVALID);
	free(value);
}
END_TEST

/* Without sudo: no way up. Nothing lets such a caller reach the endpoint yet; the library must hold all the same. */
START_TEST(no_way_up)
{
	struct made t = make_ttl(&policy_default, 600);
	struct bulla_call root = call;
	struct bulla_bytes other = bulla_str("other");
	struct bulla_token_create_args args;

	call = call_as(t.token);
	args = wish(&policy_root);
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "child policies must be subset of parent");
	args = wish(&other);
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "child policies must be subset of parent");
	args = wish(&policy_default), args.no_parent = true;
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "root or sudo privileges required to create orphan token");
	args = wish(&policy_default), args.period_s = 5;
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "root or sudo privileges required to create periodic token");
	args = wish(&policy_default), args.id = bulla_str("mine");
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "root or sudo privileges required to specify token id");
	ck_assert_fails(bulla_token_revoke_orphan(engine, &call, bulla_str(root_token)), BULLA_E_INVALID,
			"root or sudo privileges required to revoke and orphan");
	call_done(&call);
	call = root;
}
END_TEST

START_TEST(expiring_root_stays_expiring)
{
	struct made t = make_ttl(&policy_root, 600);
	struct bulla_call root = call;
	struct bulla_token_create_args args = wish(NULL);

	call = call_as(t.token);
	ck_assert_fails(try_create(&args), BULLA_E_INVALID, "expiring root tokens cannot create non-expiring root tokens");
	call_done(&call);
	call = root;
}
END_TEST

/* ---- what is made ---------------------------------------------------------- */

START_TEST(policies_are_tidied)
{
	const struct bulla_bytes names[] = { bulla_str(" Web "), bulla_str("DEFAULT"), bulla_str(""), bulla_str("web"), bulla_str("app") };
	const struct bulla_bytes with_root[] = { bulla_str("web"), bulla_str("ROOT") };
	struct bulla_token_create_args args = wish(names);
	struct bulla_auth auth;

	args.policy_count = 5;
	ck_assert_ok(bulla_token_create(engine, &call, &args, &auth));
	ck_assert_uint_eq(auth.token->policy_count, 3);
	ck_assert_bytes(auth.token->policies[0], "app");
	ck_assert_bytes(auth.token->policies[1], "default");
	ck_assert_bytes(auth.token->policies[2], "web");
	ck_assert_bytes(call.warnings->text, "Policy \"app\" does not exist");
	ck_assert_bytes(call.warnings->next->text, "Policy \"web\" does not exist");
	bulla_token_put(auth.token);

	args.no_default_policy = true;
	ck_assert_ok(bulla_token_create(engine, &call, &args, &auth));
	ck_assert_uint_eq(auth.token->policy_count, 2);
	bulla_token_put(auth.token);

	args = wish(with_root);
	args.policy_count = 2;
	ck_assert_ok(bulla_token_create(engine, &call, &args, &auth));
	ck_assert_uint_eq(auth.token->policy_count, 1);
	ck_assert(auth.token->root && !auth.token->renewable && auth.lease_s == 0);
	bulla_token_put(auth.token);
}
END_TEST

START_TEST(survives_a_reload)
{
	const struct bulla_pair meta[] = { { bulla_str("a"), bulla_str("b") }, { bulla_str("c"), bulla_str("") } };
	struct bulla_token_create_args args = wish(&policy_default);
	const struct bulla_token *t;

	args.display_name = bulla_str("web server 1!");
	args.meta = meta;
	args.meta_count = 2;
	args.meta_set = true;
	args.ttl_s = 600;
	args.explicit_max_ttl_s = 900;
	struct made made = make(&args);

	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_err(try_token(made.token), BULLA_E_SEALED);
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_ok(bulla_token_lookup(engine, &call, bulla_str(made.token), &t));
	ck_assert_bytes(t->display_name, "token-web-server-1");
	ck_assert_bytes(t->path, "auth/token/create");
	ck_assert_uint_eq(t->meta_count, 2);
	ck_assert_bytes(t->meta[1].key, "c");
	ck_assert_uint_eq(t->meta[1].value.len, 0);
	ck_assert_bytes(t->accessor, made.accessor);
	ck_assert_int_eq(t->creation_ttl_s, 600);
	ck_assert_int_eq(t->explicit_max_ttl_s, 900);
	ck_assert_int_eq(t->created_date_ns, now_ns);
	ck_assert(!t->orphan && !t->root && t->renewable && !t->meta_null);
	later(1);
	ck_assert_int_eq(bulla_token_ttl_s(t), 599);
	bulla_token_put(t);
}
END_TEST

/* What a request writes: nothing for a plain token, one batch for a limited one, also where it is refused. */
START_TEST(writes_of_a_use)
{
	struct bulla_token_create_args args = wish(&policy_default);
	struct made plain = make(&args);

	args.num_uses = 3;
	struct made limited = make(&args);

	ck_assert_ok(try_token(plain.token));
	uint64_t batches = store_counts(engine->store).batches, reads = store_counts(engine->store).reads;

	for (int i = 0; i < 100; i++)
		ck_assert_ok(try_token(plain.token));
	ck_assert_uint_eq(store_counts(engine->store).batches, batches);
	ck_assert_uint_eq(store_counts(engine->store).reads, reads);
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_ok(try_token(limited.token));
		ck_assert_uint_eq(store_counts(engine->store).batches, batches + i);
	}
	ck_assert_err(try_token(limited.token), BULLA_E_NO_TOKEN);
}
END_TEST

/* ---- the record ------------------------------------------------------------ */

/* docs/FORMATS.md */
static const char example[] =
	"0202" "1111111111111111111111111111111111111111111111111111111111111111" "18fae27693b40000" "18fae27693b40000"
	"0000000000000000" "0000000000000e10" "0000000000000e10" "0000000000000000" "0000000000000000" "00000000" "00000018"
	"37394a6f5253484f445239763046556e3039357673626a7a" "00000005746f6b656e" "00000011617574682f746f6b656e2f637265617465"
	"00000001" "0000000764656661756c74" "00000000" "00" "00000000" "00000000" "00000000";
#define OLD_BYTES (EXAMPLE_BYTES - 13) /* of format 1 */
#define EXAMPLE_BYTES ((sizeof example - 1) / 2)

START_TEST(format)
{
	struct store_id slot = { { 1 } };
	struct bulla_bytes packed;
	struct token *token;
	uint8_t bytes[EXAMPLE_BYTES];

	ck_assert_ok(bulla_hex_decode(bulla_str(example), bytes));
	ck_assert_ok(token_unpack(bulla_mem(bytes, sizeof bytes), &slot, 1, &token));
	ck_assert_bytes(token->public.accessor, "79JoRSHODR9v0FUn095vsbjz");
	ck_assert_bytes(token->public.policies[0], "default");
	ck_assert_int_eq(token->public.created_date_ns, INT64_C(1800000000000000000));
	ck_assert_int_eq(token->end_ns, INT64_C(1800003600000000000));
	ck_assert(token->public.renewable && !token->public.orphan && token_has_parent(token));
	ck_assert_ok(token_pack(&call, &token->public, &token->parent, &packed));
	ck_assert(bulla_equal(packed, bulla_mem(bytes, sizeof bytes)));
	token_put(token);
}
END_TEST

/* What was written before logins and roles existed. */
START_TEST(old_format)
{
	struct store_id slot = { { 1 } };
	struct token *token;
	uint8_t bytes[EXAMPLE_BYTES];

	ck_assert_ok(bulla_hex_decode(bulla_str(example), bytes));
	bytes[0] = 1;
	ck_assert_err(token_unpack(bulla_mem(bytes, sizeof bytes), &slot, 1, &token), BULLA_E_STORE_DAMAGED);
	ck_assert_err(token_unpack(bulla_mem(bytes, OLD_BYTES - 1), &slot, 1, &token), BULLA_E_STORE_DAMAGED);
	ck_assert_ok(token_unpack(bulla_mem(bytes, OLD_BYTES), &slot, 1, &token));
	ck_assert_bytes(token->public.policies[0], "default");
	ck_assert_int_eq(token->public.type, BULLA_TOKEN_SERVICE);
	ck_assert_uint_eq(token->public.bound_cidr_count + token->public.role.len + token->public.login_name.len, 0);
	token_put(token);
}
END_TEST

START_TEST(format_in_full)
{
	static const struct bulla_bytes words[] = { { (const uint8_t *)"a", 1 }, { (const uint8_t *)"10.0.0.0/8", 10 },
						    { (const uint8_t *)"::1", 3 } };
	const struct bulla_pair pairs[] = { { words[0], words[1] }, { words[2], words[0] } };
	const struct bulla_token given = {
		.policies = words, .policy_count = 1, .meta = pairs, .meta_count = 2, .bound_cidrs = words + 1,
		.bound_cidr_count = 2, .role = words[0], .login_name = words[2], .type = BULLA_TOKEN_BATCH, .num_uses = -1,
	};
	const struct store_id slot = { { 1 } }, parent = { { 2 } };
	struct bulla_bytes packed, again;
	struct token *token;

	ck_assert_ok(token_pack(&call, &given, &parent, &packed));
	ck_assert_ok(token_unpack(packed, &slot, 1, &token));
	ck_assert_bytes(token->public.meta[1].key, "::1");
	ck_assert_bytes(token->public.bound_cidrs[1], "::1");
	ck_assert_bytes(token->public.login_name, "::1");
	ck_assert_bytes(token->public.role, "a");
	ck_assert_int_eq(token->public.type, BULLA_TOKEN_BATCH);
	ck_assert_ok(token_pack(&call, &token->public, &token->parent, &again));
	ck_assert(bulla_equal(packed, again));
	token_put(token);
}
END_TEST

START_TEST(format_refused)
{
	struct store_id slot = { { 1 } };
	struct token *token;
	uint8_t bytes[EXAMPLE_BYTES + 1];

	ck_assert_ok(bulla_hex_decode(bulla_str(example), bytes));
	bytes[EXAMPLE_BYTES] = 0;
	for (size_t n = 0; n <= sizeof bytes; n++)
		if (n != EXAMPLE_BYTES)
			ck_assert_err(token_unpack(bulla_mem(bytes, n), &slot, 1, &token), BULLA_E_STORE_DAMAGED);
	bytes[0] = 3;
	ck_assert_err(token_unpack(bulla_mem(bytes, EXAMPLE_BYTES), &slot, 1, &token), BULLA_E_STORE_DAMAGED);
	bytes[0] = 2, bytes[OLD_BYTES] = 2; /* a type that does not exist */
	ck_assert_err(token_unpack(bulla_mem(bytes, EXAMPLE_BYTES), &slot, 1, &token), BULLA_E_STORE_DAMAGED);
	bytes[OLD_BYTES] = 0, bytes[1] = 0x10;
	ck_assert_err(token_unpack(bulla_mem(bytes, EXAMPLE_BYTES), &slot, 1, &token), BULLA_E_STORE_DAMAGED);
	bytes[1] = 2, bytes[66] = 0x80; /* a negative time to live */
	ck_assert_err(token_unpack(bulla_mem(bytes, EXAMPLE_BYTES), &slot, 1, &token), BULLA_E_STORE_DAMAGED);
}
END_TEST

/* ---- the end --------------------------------------------------------------- */

START_TEST(expires)
{
	struct made t = make_ttl(&policy_default, 10);
	const struct bulla_token *found;
	struct bulla_bytes *list;
	size_t before, after;

	ck_assert_ok(bulla_token_accessors(engine, &call, &list, &before));
	later(9.9);
	ck_assert_ok(try_token(t.token));
	later(0.2);
	ck_assert_err(try_token(t.token), BULLA_E_NO_TOKEN); /* from the cache */
	ck_assert_err(try_token(t.token), BULLA_E_NO_TOKEN); /* from the store, and cleared away */
	ck_assert_err(bulla_token_lookup(engine, &call, bulla_str(t.token), &found), BULLA_E_BAD_TOKEN);
	ck_assert_err(bulla_token_lookup_accessor(engine, &call, bulla_str(t.accessor), &found), BULLA_E_BAD_ACCESSOR);
	ck_assert_ok(bulla_token_accessors(engine, &call, &list, &after));
	ck_assert_uint_eq(after, before - 1);
}
END_TEST

START_TEST(children_end_with_their_parent)
{
	struct made parent = make_ttl(&policy_root, 10);
	struct bulla_call as_parent = call_as(parent.token);
	struct bulla_token_create_args args = wish(&policy_default);

	args.ttl_s = 1000;
	struct made child = make_as(&as_parent, &args);

	call_done(&as_parent);
	ck_assert_ok(try_token(child.token));
	later(11);
	ck_assert_err(try_token(child.token), BULLA_E_NO_TOKEN);
	ck_assert_err(try_token(child.token), BULLA_E_NO_TOKEN);
}
END_TEST

START_TEST(renewing_the_parent_keeps_its_child)
{
	struct made parent = make_ttl(&policy_root, 10);
	struct bulla_call as_parent = call_as(parent.token);
	struct bulla_token_create_args args = wish(&policy_default);
	struct bulla_auth auth;

	args.ttl_s = 1000;
	struct made child = make_as(&as_parent, &args);

	call_done(&as_parent);
	ck_assert_ok(try_token(child.token));
	ck_assert_ok(bulla_token_renew(engine, &call, bulla_str(parent.token), 100, &auth));
	bulla_token_put(auth.token);
	later(50);
	ck_assert_ok(try_token(child.token));
	/* and cut short, it takes the child with it, cached or not */
	ck_assert_ok(bulla_token_renew(engine, &call, bulla_str(parent.token), 5, &auth));
	bulla_token_put(auth.token);
	ck_assert_ok(try_token(child.token));
	later(6);
	ck_assert_err(try_token(child.token), BULLA_E_NO_TOKEN);
}
END_TEST

START_TEST(uses)
{
	struct bulla_token_create_args args = wish(&policy_default);

	args.num_uses = 2;
	struct made t = make(&args);
	const struct bulla_token *found;
	struct bulla_call c = call_as(t.token);

	ck_assert_int_eq(c.token->num_uses, 1);
	/* a lookup takes none */
	ck_assert_ok(bulla_token_lookup_accessor(engine, &call, bulla_str(t.accessor), &found));
	ck_assert_int_eq(found->num_uses, 1);
	bulla_token_put(found);
	struct bulla_auth auth;

	ck_assert_err(bulla_token_create(engine, &c, &args, &auth), BULLA_E_INVALID);
	ck_assert_bytes(c.detail, "restricted use token cannot generate child tokens");
	call_done(&c);

	c = call_as(t.token);
	ck_assert_int_eq(c.token->num_uses, -1);
	call_done(&c);
	ck_assert_err(try_token(t.token), BULLA_E_NO_TOKEN);
	ck_assert_err(bulla_token_lookup_accessor(engine, &call, bulla_str(t.accessor), &found), BULLA_E_BAD_ACCESSOR);
}
END_TEST

START_TEST(uses_are_durable)
{
	struct bulla_token_create_args args = wish(&policy_default);

	args.num_uses = 2;
	struct made t = make(&args);

	ck_assert_ok(try_token(t.token));
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_ok(try_token(t.token));
	ck_assert_err(try_token(t.token), BULLA_E_NO_TOKEN);
}
END_TEST

START_TEST(loop_takes_no_use)
{
	struct bulla_token_create_args args = wish(&policy_default);

	args.num_uses = 1;
	struct made t = make(&args);
	struct bulla_call c = call_begin();

	c.may_block = false;
	ck_assert_err(bulla_authenticate(engine, &c, bulla_str(t.token)), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_authenticate(engine, &c, bulla_str(t.token)), BULLA_E_MUST_BLOCK);
	call_end(&c);
	ck_assert_ok(try_token(t.token));
}
END_TEST

/* ---- renew ----------------------------------------------------------------- */

START_TEST(renew_refused)
{
	struct bulla_token_create_args args = wish(&policy_default);
	struct bulla_auth auth;

	args.renewable = false;
	struct made t = make(&args);

	ck_assert_fails(bulla_token_renew(engine, &call, bulla_str(t.token), 0, &auth), BULLA_E_INVALID, "lease is not renewable");
	ck_assert_fails(bulla_token_renew(engine, &call, bulla_str(root_token), 0, &auth), BULLA_E_INVALID, "invalid lease ID");
	ck_assert_fails(bulla_token_renew(engine, &call, bulla_str("bad"), 0, &auth), BULLA_E_INVALID, "token not found");
	ck_assert_fails(bulla_token_renew(engine, &call, bulla_str(""), 0, &auth), BULLA_E_INVALID, "missing token ID");
	ck_assert_fails(bulla_token_renew_accessor(engine, &call, bulla_str("bad"), 0, &auth), BULLA_E_BAD_ACCESSOR, "invalid accessor");
	ck_assert_fails(bulla_token_renew_accessor(engine, &call, bulla_str(""), 0, &auth), BULLA_E_INVALID_LISTED, "missing accessor");
}
END_TEST

START_TEST(renews)
{
	struct made t = make_ttl(&policy_default, 3);
	struct bulla_auth auth;
	const struct bulla_token *found;

	later(1.5);
	ck_assert_ok(bulla_token_renew(engine, &call, bulla_str(t.token), 10, &auth));
	ck_assert_int_eq(auth.lease_s, 10);
	ck_assert_bytes(auth.client_token, t.token);
	bulla_token_put(auth.token);
	later(9);
	ck_assert_ok(try_token(t.token));
	ck_assert_ok(bulla_token_renew_accessor(engine, &call, bulla_str(t.accessor), 0, &auth));
	ck_assert_int_eq(auth.lease_s, 10); /* as before */
	ck_assert_uint_eq(auth.client_token.len, 0);
	bulla_token_put(auth.token);
	ck_assert_ok(bulla_token_lookup(engine, &call, bulla_str(t.token), &found));
	ck_assert_int_eq(found->creation_ttl_s, 3);
	ck_assert_int_eq(found->last_renewal_ns, now_ns);
	bulla_token_put(found);
	later(10);
	ck_assert_err(try_token(t.token), BULLA_E_NO_TOKEN);
}
END_TEST

/* ---- revoke ---------------------------------------------------------------- */

START_TEST(revoke_unknown)
{
	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str("bad")));
	ck_assert_ptr_null(call.warnings);
	ck_assert_ok(bulla_token_revoke_accessor(engine, &call, bulla_str("bad")));
	ck_assert_bytes(call.warnings->text, "No token found with this accessor");
	ck_assert_fails(bulla_token_revoke(engine, &call, bulla_str("")), BULLA_E_INVALID, "missing token ID");
	ck_assert_fails(bulla_token_revoke_accessor(engine, &call, bulla_str("")), BULLA_E_INVALID_LISTED, "missing accessor");
	ck_assert_fails(bulla_token_revoke_orphan(engine, &call, bulla_str("")), BULLA_E_INVALID, "missing token ID");
	ck_assert_fails(bulla_token_revoke_orphan(engine, &call, bulla_str("bad")), BULLA_E_INVALID, "token to revoke not found");
}
END_TEST

START_TEST(revokes_itself)
{
	struct made t = make_ttl(&policy_default, 60);
	struct bulla_call c = call_as(t.token);

	ck_assert_ok(bulla_token_revoke_self(engine, &c));
	ck_assert_err(try_token(t.token), BULLA_E_NO_TOKEN);
	call_done(&c);
}
END_TEST

/* A tree of width children at each of depth levels; all tokens used once, so that they are cached. */
struct tree {
	struct made all[200];
	size_t count;
};

static void grow(struct tree *tree, const char *parent, unsigned depth, unsigned width)
{
	struct bulla_call c = call_as(parent);
	struct bulla_token_create_args args = wish(&policy_root);

	args.ttl_s = 1000;
	for (unsigned i = 0; i < width; i++) {
		struct made *made = &tree->all[tree->count++];

		*made = make_as(&c, &args);
		ck_assert_ok(try_token(made->token));
		if (depth > 1)
			grow(tree, made->token, depth - 1, width);
	}
	call_done(&c);
}

START_TEST(revokes_a_tree)
{
	static struct tree tree;
	struct made parent = make_ttl(&policy_root, 1000), beside = make_ttl(&policy_default, 1000);
	struct bulla_bytes *list;
	size_t before, after;

	ck_assert_ok(bulla_token_accessors(engine, &call, &list, &before));
	tree.count = 0;
	grow(&tree, parent.token, 3, 5); /* 155: more than one commit */
	if (_i == 0)
		ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(parent.token)));
	else
		ck_assert_ok(bulla_token_revoke_accessor(engine, &call, bulla_str(parent.accessor)));
	ck_assert_err(try_token(parent.token), BULLA_E_NO_TOKEN);
	for (size_t i = 0; i < tree.count; i++)
		ck_assert_err(try_token(tree.all[i].token), BULLA_E_NO_TOKEN);
	ck_assert_ok(try_token(beside.token));
	ck_assert_ok(bulla_token_accessors(engine, &call, &list, &after));
	ck_assert_uint_eq(after, before - 1);
}
END_TEST

/* ---- damage ---------------------------------------------------------------- */

static void damage(const struct store_id *id)
{
	struct store_record record;

	ck_assert_ok(store_get(engine->store, &call, id, &record));
	struct store_write write = { .id = *id, .change = STORE_PUT, .expected = record.revision, .bytes = record.bytes };

	((uint8_t *)(uintptr_t)record.bytes.ptr)[record.bytes.len / 2] ^= 1;
	ck_assert_ok(store_commit(engine->store, &call, &write, 1, NULL));
}

static struct store_id slot_of(const char *token)
{
	struct store_id slot;

	ck_assert_ok(token_slot(engine->access, bulla_str(token), &slot));
	return slot;
}

/* A damaged token does not work and says so; it stops neither the list nor its own or its parent's end. */
START_TEST(damaged_records)
{
	struct made parent = make_ttl(&policy_root, 1000), other = make_ttl(&policy_default, 1000);
	struct bulla_call c = call_as(parent.token);
	struct bulla_token_create_args args = wish(&policy_default);
	struct made first = make_as(&c, &args), second = make_as(&c, &args);
	struct store_id id = slot_of(first.token), parent_id = slot_of(parent.token), entry;
	struct bulla_bytes *list;
	size_t count;

	call_done(&c);
	damage(&id);
	ck_assert_err(try_token(first.token), BULLA_E_STORE_DAMAGED);
	ck_assert_ok(try_token(second.token));
	ck_assert_ok(try_token(other.token));
	ck_assert_ok(bulla_token_accessors(engine, &call, &list, &count));
	ck_assert_uint_eq(count, 4); /* root, parent, other, second */
	ck_assert_bytes(call.warnings->text, "1 damaged records were left out");
	id = slot_of(second.token);
	ck_assert_ok(child_slot(engine->access, &parent_id, &id, &entry));
	damage(&entry);
	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(parent.token)));
	ck_assert_err(try_token(parent.token), BULLA_E_NO_TOKEN);
	ck_assert_err(try_token(first.token), BULLA_E_NO_TOKEN);
	ck_assert_err(try_token(second.token), BULLA_E_NO_TOKEN);
	id = slot_of(other.token);
	damage(&id);
	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(other.token)));
	ck_assert_err(try_token(other.token), BULLA_E_NO_TOKEN);
}
END_TEST

/* ---- a revocation that fails in the middle ------------------------------------ */

extern enum bulla_err __real_store_commit(struct store *store, struct bulla_call *c, const struct store_write *writes, size_t count,
					  struct store_stamp *stamp);
enum bulla_err __wrap_store_commit(struct store *store, struct bulla_call *c, const struct store_write *writes, size_t count,
				   struct store_stamp *stamp);
static unsigned commits_left; /* until one fails; 0: none does */

/* Of the library's own calls (tests/Makefile.inc). */
enum bulla_err __wrap_store_commit(struct store *store, struct bulla_call *c, const struct store_write *writes, size_t count,
				   struct store_stamp *stamp)
{
	if (commits_left > 0 && --commits_left == 0)
		return bulla_fail(c, BULLA_E_STORE, "the disk is gone");
	return __real_store_commit(store, c, writes, count, stamp);
}

/* A child of whom its parent's list says nothing is not found, and so not dropped from the cache. When its parent has gone, but
 * not all above that, it must not work any more. */
START_TEST(half_revoked)
{
	struct bulla_token_create_args args = wish(&policy_root);
	struct made top = make_ttl(&policy_root, 1000), middle, leaf, last;
	struct bulla_call c = call_as(top.token);
	struct store_id parent, child, entry;

	args.ttl_s = 1000;
	middle = make_as(&c, &args);
	call_done(&c);
	c = call_as(middle.token);
	for (int i = 0; i < 64; i++) /* one commit's */
		last = make_as(&c, &args);
	call_done(&c);
	c = call_as(last.token);
	leaf = make_as(&c, &args);
	call_done(&c);
	parent = slot_of(last.token);
	child = slot_of(leaf.token);
	ck_assert_ok(child_slot(engine->access, &parent, &child, &entry));
	damage(&entry);
	ck_assert_ok(try_token(leaf.token));
	commits_left = 2;
	ck_assert_err(bulla_token_revoke(engine, &call, bulla_str(top.token)), BULLA_E_STORE);
	ck_assert_uint_eq(commits_left, 0);
	ck_assert_ok(try_token(top.token));
	ck_assert_ok(try_token(middle.token));
	ck_assert_err(try_token(last.token), BULLA_E_NO_TOKEN);
	ck_assert_err(try_token(leaf.token), BULLA_E_NO_TOKEN);
	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(top.token))); /* the rest */
	ck_assert_err(try_token(middle.token), BULLA_E_NO_TOKEN);
}
END_TEST

START_TEST(orphans_live_on)
{
	struct made parent = make_ttl(&policy_root, 1000);
	struct bulla_call c = call_as(parent.token);
	struct bulla_token_create_args args = wish(&policy_default);
	const struct bulla_token *found;

	struct made child = make_as(&c, &args);

	args.no_parent = true;
	struct made born = make_as(&c, &args);

	args = wish(&policy_default);
	args.orphan = true;
	args.path = bulla_str("auth/token/create-orphan");
	struct made by_endpoint = make_as(&c, &args);

	call_done(&c);
	ck_assert_ok(try_token(child.token));
	ck_assert_ok(bulla_token_revoke_orphan(engine, &call, bulla_str(parent.token)));
	ck_assert_err(try_token(parent.token), BULLA_E_NO_TOKEN);
	ck_assert_ok(try_token(child.token));
	ck_assert_ok(try_token(born.token));
	ck_assert_ok(try_token(by_endpoint.token));
	ck_assert_ok(bulla_token_lookup(engine, &call, bulla_str(child.token), &found));
	ck_assert(found->orphan);
	bulla_token_put(found);
}
END_TEST

START_TEST(accessors_are_sorted)
{
	struct bulla_bytes *list;
	size_t count;

	for (int i = 0; i < 20; i++)
		(void)make_ttl(&policy_default, 60);
	ck_assert_ok(bulla_token_accessors(engine, &call, &list, &count));
	ck_assert_uint_eq(count, 21);
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(list[i].len, 24);
		ck_assert(i == 0 || bulla_compare(list[i - 1], list[i]) < 0);
	}
}
END_TEST

static unsigned yields;

static enum bulla_err may_enter(struct bulla_turn *turn, enum bulla_work work, uint64_t key)
{
	(void)turn;
	(void)work;
	(void)key;
	return BULLA_OK;
}

/* Nobody waits for the third part. */
static enum bulla_err count_yields(struct bulla_turn *turn)
{
	(void)turn;
	return ++yields == 3 ? BULLA_E_CANCELLED : BULLA_OK;
}

#define COUNTED 8200 /* of three parts */

START_TEST(counts)
{
	struct bulla_token_create_args args = wish(&policy_default);
	struct bulla_turn turn = { may_enter, count_yields };
	struct made last = { 0 };
	uint64_t count = 7;

	call.may_block = false;
	ck_assert_err(bulla_token_count(engine, &call, &count), BULLA_E_MUST_BLOCK);
	call.may_block = true;
	ck_assert_ok(bulla_token_count(engine, &call, &count));
	ck_assert_uint_eq(count, 1); /* the root token */
	args.type = bulla_str("batch");
	(void)make(&args);
	args.type = bulla_str("service");
	for (int i = 1; i < COUNTED; i++) {
		struct bulla_call c = call_begin();

		c.token = call.token;
		last = make_as(&c, &args);
		c.token = NULL;
		call_done(&c);
	}
	ck_assert_ok(bulla_token_count(engine, &call, &count));
	ck_assert_uint_eq(count, COUNTED);
	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(last.token)));
	yields = 0;
	call.turn = &turn;
	ck_assert_err(bulla_token_count(engine, &call, &count), BULLA_E_CANCELLED);
	ck_assert_uint_eq(count, COUNTED);
	ck_assert_ok(bulla_token_count(engine, &call, &count));
	ck_assert_uint_eq(count, COUNTED - 1);
	ck_assert_uint_eq(yields, 6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access/token");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, engine_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, unknown);
	tcase_add_test(tc, loop_asks_for_a_worker);
	tcase_add_test(tc, cache_is_bounded);
	tcase_add_test(tc, create_refused);
	tcase_add_test(tc, id_refused);
	tcase_add_test(tc, too_large);
	tcase_add_test(tc, no_way_up);
	tcase_add_test(tc, expiring_root_stays_expiring);
	tcase_add_test(tc, policies_are_tidied);
	tcase_add_test(tc, survives_a_reload);
	tcase_add_test(tc, writes_of_a_use);
	tcase_add_test(tc, old_format);
	tcase_add_test(tc, format_in_full);
	tcase_add_test(tc, format_refused);
	tcase_add_test(tc, format);
	tcase_add_test(tc, expires);
	tcase_add_test(tc, children_end_with_their_parent);
	tcase_add_test(tc, renewing_the_parent_keeps_its_child);
	tcase_add_test(tc, uses);
	tcase_add_test(tc, uses_are_durable);
	tcase_add_test(tc, loop_takes_no_use);
	tcase_add_test(tc, renew_refused);
	tcase_add_test(tc, renews);
	tcase_add_test(tc, revoke_unknown);
	tcase_add_test(tc, revokes_itself);
	tcase_add_loop_test(tc, revokes_a_tree, 0, 2);
	tcase_add_test(tc, damaged_records);
	tcase_add_test(tc, half_revoked);
	tcase_add_test(tc, orphans_live_on);
	tcase_add_test(tc, accessors_are_sorted);
	tcase_add_test(tc, counts);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
