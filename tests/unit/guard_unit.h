/* guard_unit.h: two engines over one store, and tokens that one of them revokes while the other still has them. */
#ifndef TESTS_GUARD_UNIT_H
#define TESTS_GUARD_UNIT_H

#include "twin_unit.h"

#include "bulla/cubbyhole.h"

static const struct bulla_mount *transit; /* of the twin */

static inline void make_keys(void)
{
	const struct bulla_key_create_args args = { .type = bulla_str("aes256-gcm96") };
	const struct bulla_key_config_args config = { .set = BULLA_KEY_DELETION_ALLOWED, .deletion_allowed = true };
	const struct bulla_mount *mount = transit_of(engine);
	struct bulla_key_info info;
	bool created;

	ck_assert_ok(bulla_key_create(engine, &call, mount, bulla_str("k"), &args, &info, &created));
	ck_assert_ok(bulla_key_config(engine, &call, mount, bulla_str("k"), &config, &info));
	bulla_mount_put(mount);
}

static inline void guard_setup(void)
{
	const struct bulla_mount_settings none = { 0 };

	twin_setup();
	ck_assert_ok(bulla_auth_enable(engine, &call, bulla_str("people"), bulla_str("userpass"), &none));
	ck_assert_ok(bulla_mount_enable(engine, &call, bulla_str("spare"), bulla_str("transit"), &none));
	make_keys();
	restart_twin(); /* it knows of all of them then, and has nothing in its caches */
	transit = transit_of(twin);
	struct bulla_call c = call_to(twin);

	ck_assert_ok(bulla_cubbyhole_put(twin, &c, bulla_str("x"), bulla_str("it has keys to seal with"))); /* a commit of its own */
	call_done(&c);
}

static inline void guard_teardown(void)
{
	bulla_mount_put(transit);
	twin_teardown();
}

/* ---- tokens ------------------------------------------------------------------------------------------------------------------- */

struct made {
	char text[512];
};

static inline enum bulla_err try_create(struct bulla *node, struct bulla_call *c, const struct bulla_token_create_args *args, struct made *out)
{
	struct bulla_auth auth;

	TRY(bulla_token_create(node, c, args, &auth));
	ck_assert_uint_lt(auth.client_token.len, sizeof out->text);
	memset(out->text, 0, sizeof out->text);
	memcpy(out->text, auth.client_token.ptr, auth.client_token.len);
	bulla_token_put(auth.token);
	return BULLA_OK;
}

static const struct bulla_bytes root_policy[] = { { (const uint8_t *)"root", 4 } }, p_policy[] = { { (const uint8_t *)"p", 1 } };

/* A token below the caller's, that may do anything. */
static inline struct made make_below(struct bulla_call *c)
{
	const struct bulla_token_create_args args = { .policies = root_policy, .policy_count = 1, .ttl_s = 3600, .path = bulla_str("auth/token/create") };
	struct made made;

	ck_assert_ok(try_create(engine, c, &args, &made));
	return made;
}

static inline struct made make_typed(struct bulla_call *c, const char *type, int64_t num_uses, bool orphan)
{
	const struct bulla_token_create_args args = { .policies = p_policy, .policy_count = 1, .no_default_policy = true, .ttl_s = 3600, .renewable = true,
						      .type = bulla_str(type), .num_uses = num_uses, .no_parent = orphan,
						      .path = bulla_str("auth/token/create") };
	struct made made;

	ck_assert_ok(try_create(engine, c, &args, &made));
	return made;
}

static inline struct bulla_call call_of(struct bulla *node, const struct made *made)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(bulla_authenticate(node, &c, bulla_str(made->text)));
	return c;
}

/* So that it is in the node's cache. */
static inline void show(struct bulla *node, const struct made *made)
{
	struct bulla_call c = call_of(node, made);

	call_done(&c);
}

static inline void revoke(struct bulla *node, const struct made *made)
{
	struct bulla_call c = call_to(node);

	ck_assert_ok(bulla_token_revoke(node, &c, bulla_str(made->text)));
	call_done(&c);
}

static inline enum bulla_err count_one(const struct store_record *record, void *context)
{
	(void)record;
	++*(unsigned *)context;
	return BULLA_OK;
}

/* Records in the store. */
static inline unsigned count_records(void)
{
	struct bulla_call c = call_begin();
	struct store_span all = { .first = { { 0 } } };
	unsigned count = 0;

	memset(all.last.bytes, 0xff, sizeof all.last.bytes);
	ck_assert_ok(store_read(engine->store, &c, &all, 1, count_one, &count));
	call_end(&c);
	return count;
}

/* ---- what is refused ---------------------------------------------------------------------------------------------------------- */

static inline enum bulla_err create_child(struct bulla_call *c)
{
	const struct bulla_token_create_args args = { .policies = p_policy, .policy_count = 1, .path = bulla_str("auth/token/create") };
	struct made made;

	return try_create(twin, c, &args, &made);
}

static inline enum bulla_err create_key(struct bulla_call *c)
{
	const struct bulla_key_create_args args = { .type = bulla_str("aes256-gcm96") };
	struct bulla_key_info info;
	bool created;

	return bulla_key_create(twin, c, transit, bulla_str("new"), &args, &info, &created);
}

static inline enum bulla_err write_cubbyhole(struct bulla_call *c)
{
	return bulla_cubbyhole_put(twin, c, bulla_str("x"), bulla_str("y"));
}

static inline void check_refused(enum bulla_err (*attempt)(struct bulla_call *), const struct made *made)
{
	struct bulla_call c = call_of(twin, made); /* it is still in the cache */
	struct store_stamp before = store_last(twin->store);

	ck_assert_err(attempt(&c), BULLA_E_REVOKED);
	ck_assert_bytes(bulla_call_text(&c, BULLA_E_REVOKED), "permission denied");
	ck_assert_uint_eq(store_last(twin->store).sequence, before.sequence);
	call_done(&c);
}

#endif
