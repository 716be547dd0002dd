/* engine.c: owns the parts of struct bulla, opens them from the bottom up and closes them from the top down.
 * bulla_open and bulla_close: one thread, nothing else under way. */
#include "engine_private.h"

#include <stdlib.h>

#include "access/login.h"
#include "base/rcu.h"
#include "bulla/clock.h"
#include "bulla/root_token.h"
#include "crypto/crypto.h"

#define DEFAULT_CACHE_BYTES (64u << 20)

static pthread_once_t crypto_once = PTHREAD_ONCE_INIT;
static enum bulla_err crypto_err;

static void start_crypto(void)
{
	crypto_err = crypto_init();
}

static bool is_node_name(struct bulla_bytes name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!bulla_is_word(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '.')
			return false;
	return name.len <= BULLA_MAX_NODE;
}

static enum bulla_err open_parts(const struct bulla_config *config, struct bulla_call *call, struct bulla *parts)
{
	int64_t default_s = config->default_lease_ttl_s > 0 ? config->default_lease_ttl_s : BULLA_DEFAULT_LEASE_S;
	int64_t max_s = config->max_lease_ttl_s > 0 ? config->max_lease_ttl_s : BULLA_DEFAULT_LEASE_S;

	if (!is_node_name(config->node))
		return bulla_fail(call, BULLA_E_CONFIG, "a node's name has up to %d letters, digits, '.', '_' and '-'", BULLA_MAX_NODE);
	if (default_s > max_s)
		return bulla_fail(call, BULLA_E_CONFIG, "default_lease_ttl is longer than max_lease_ttl");
	TRY(seal_new(parts->store, &config->seal, call, &parts->seal));
	TRY(mounts_new(parts->store, parts->seal, &parts->mounts));
	TRY(keyring_new(parts->store, parts->seal, config->max_cached_bytes ? config->max_cached_bytes : DEFAULT_CACHE_BYTES,
			&parts->keyring));
	TRY(access_new(parts->store, parts->seal, default_s, max_s, &parts->access));
	TRY(auth_new(parts->store, parts->seal, parts->access, &parts->auth));
	access_set_renewer(parts->access, auth_renew, parts->auth);
	parts->auth->fetch = config->fetch;
	parts->auth->fetch_context = config->fetch_context;
	const struct audit_config audit = { .specs = config->audit_devices, .spec_count = config->audit_device_count,
					    .allow_prefix = config->allow_audit_prefix, .node = config->node, .log = config->log,
					    .log_context = config->log_context };

	return audit_new(parts->store, parts->seal, &audit, &parts->audit);
}

static enum bulla_err open_store(const struct bulla_config *config, struct bulla_call *call, struct store **out)
{
	const struct store_options options = { .path = config->storage_path };

	pthread_once(&crypto_once, start_crypto);
	TRY(crypto_err);
	return store_open(&options, call, out);
}

enum bulla_err bulla_open(const struct bulla_config *config, struct bulla_call *call, struct bulla **out)
{
	struct store *store;

	TRY(open_store(config, call, &store));
	return engine_open_on(config, store, call, out);
}

enum bulla_err engine_open_on(const struct bulla_config *config, struct store *store, struct bulla_call *call, struct bulla **out)
{
	struct engine *engine = calloc(1, sizeof *engine);

	if (engine == NULL) {
		store_close(store);
		return BULLA_E_NO_MEMORY;
	}
	engine->parts.store = store;
	pthread_mutex_init(&engine->lock, NULL);
	pthread_cond_init(&engine->sealed, NULL);
	engine->version = config->version != NULL ? config->version : "";
	engine->build_date = config->build_date != NULL ? config->build_date : "";
	engine->log = config->log;
	engine->log_context = config->log_context;
	pthread_mutex_init(&engine->root.lock, NULL);
	pthread_mutex_init(&engine->clock.lock, NULL);
	engine->clock.from_wall = config->clock_from_wall;
	engine->clock.opened_ns = bulla_elapsed_ns();
	enum bulla_err err = open_parts(config, call, &engine->parts);

	if (err == BULLA_OK)
		err = engine_follow_init(engine);
	if (err != BULLA_OK) {
		bulla_close(&engine->parts);
		return err;
	}
	*out = &engine->parts;
	return BULLA_OK;
}

/* If it fails, a restart goes on from the point that was kept last. */
static void keep_clock(struct bulla *engine)
{
	struct bulla_call call = { .arena = bulla_arena_new(1024), .may_block = true };

	if (call.arena == NULL)
		return;
	enum bulla_err err = engine_clock_keep(engine, &call, true);

	if (err != BULLA_OK && err != BULLA_E_SEALED)
		audit_log(engine->audit, "warn", "the store was not told how far its time has come: %.*s",
			  (int)bulla_call_text(&call, err).len, (const char *)bulla_call_text(&call, err).ptr);
	bulla_arena_free(call.arena);
}

void engine_empty(struct bulla *engine)
{
	keyring_empty(engine->keyring);
	auth_empty(engine->auth);
	access_empty(engine->access);
	mounts_empty(engine->mounts);
	rcu_drain();
	seal_forget(engine->seal);
}

static void seal_quietly(struct bulla *engine)
{
	keep_clock(engine);
	audit_close(engine->audit);
	bulla_root_cancel(engine);
	if (seal_close(engine->seal) == BULLA_OK) /* else sealed already */
		engine_empty(engine);
}

void bulla_close(struct bulla *bulla)
{
	if (bulla == NULL)
		return;
	struct engine *engine = engine_of(bulla);

	engine_seal_finish(engine);
	if (bulla->audit != NULL) /* all parts are there */
		seal_quietly(bulla);
	engine_follow_end(engine);
	audit_free(bulla->audit);
	auth_free(bulla->auth);
	access_free(bulla->access);
	if (bulla->keyring != NULL)
		keyring_free(bulla->keyring);
	mounts_free(bulla->mounts);
	seal_free(bulla->seal);
	store_close(bulla->store);
	pthread_cond_destroy(&engine->sealed);
	pthread_mutex_destroy(&engine->lock);
	pthread_mutex_destroy(&engine->root.lock);
	pthread_mutex_destroy(&engine->clock.lock);
	free(engine);
}

enum bulla_err bulla_tick(struct bulla *engine, struct bulla_call *call)
{
	if (seal_is_sealed(engine->seal))
		return BULLA_E_SEALED;
	/* each does its part, whatever becomes of the others */
	enum bulla_err others = engine_follow(engine, call), keys = keyring_tick(engine->keyring, call), tokens = access_tick(engine->access, call),
		       logins = auth_tick(engine, call), audit = audit_tick(engine->audit, call),
		       clock = engine_clock_keep(engine, call, false);
	const enum bulla_err all[] = { others, keys, tokens, logins, audit, clock };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		TRY(all[i]);
	return BULLA_OK;
}

const char *bulla_storage_kind(const struct bulla *engine)
{
	return store_kind(engine->store);
}

enum bulla_err bulla_random(void *out, size_t n)
{
	return random_bytes(out, n);
}

enum bulla_err bulla_uuid(char out[36])
{
	return random_uuid(out);
}
