/* twin_unit.h: two engines over one store, as two nodes over one database: engine_unit.h's, and its twin. */
#ifndef TESTS_TWIN_UNIT_H
#define TESTS_TWIN_UNIT_H

#include "engine_unit.h"

#include "engine_private.h"

static struct bulla *twin;

static inline void open_twin(void)
{
	struct bulla_config config = config_static();
	struct bulla_call c = call_begin();
	struct store *shared;

	ck_assert_ok(store_share(engine->store, &c, &shared));
	ck_assert_ok(engine_open_on(&config, shared, &c, &twin));
	ck_assert_ok(bulla_unseal_auto(twin, &c));
	call_end(&c);
}

static inline void twin_setup(void)
{
	const struct bulla_mount_settings settings = { 0 };

	engine_setup();
	ck_assert_ok(bulla_mount_enable(engine, &call, bulla_str("transit"), bulla_str("transit"), &settings));
	open_twin();
}

/* What it had in memory is forgotten. */
static inline void restart_twin(void)
{
	bulla_close(twin);
	open_twin();
}

static inline void twin_teardown(void)
{
	bulla_close(twin);
	engine_teardown();
}

/* A call of root's to one of them. */
static inline struct bulla_call call_to(struct bulla *node)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(bulla_authenticate(node, &c, bulla_str(root_token)));
	return c;
}

/* The mount that both have. */
static inline const struct bulla_mount *transit_of(struct bulla *node)
{
	struct bulla_bytes rest;
	const struct bulla_mount *mount = bulla_mount_find(node, bulla_str("transit/keys/k"), &rest);

	ck_assert_ptr_nonnull(mount);
	return mount;
}

#endif
