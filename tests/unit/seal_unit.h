/* seal_unit.h: what the seal's tests share: seals of each kind over a store in memory. */
#ifndef TESTS_SEAL_UNIT_H
#define TESTS_SEAL_UNIT_H

#include "config.h"

#include "crypto/crypto.h"
#include "seal/seal.h"
#include "store_unit.h"

static const uint8_t static_key[33] = "0123456789abcdef0123456789ABCDEF";

static inline struct bulla_seal_config shamir_config(void)
{
	return (struct bulla_seal_config){ .kind = BULLA_SEAL_SHAMIR };
}

static inline struct bulla_seal_config static_config(const char *id)
{
	return (struct bulla_seal_config){ .kind = BULLA_SEAL_STATIC, .key_id = bulla_str(id), .key = bulla_mem(static_key, 32) };
}

static inline struct bulla_init_args shamir_args(int shares, int threshold)
{
	return (struct bulla_init_args){ .secret_shares = shares, .secret_threshold = threshold };
}

static inline struct bulla_init_args static_args(int shares, int threshold)
{
	return (struct bulla_init_args){ .recovery_shares = shares, .recovery_threshold = threshold };
}

/* Both steps of initialising, as the engine makes them. */
static inline enum bulla_err init_seal(struct seal *seal, struct bulla_call *call, const struct bulla_init_args *args,
				       struct bulla_init_result *out)
{
	TRY(seal_initialise(seal, call, args, out));
	return seal_settle(seal, call);
}

/* A store (path NULL: in memory) that is initialised and open under the seal of config. */
static inline void begin_sealed(const char *path, uint64_t max_bytes, const struct bulla_seal_config *config, struct bulla_call *call,
				struct store **store, struct seal **seal)
{
	struct bulla_init_args args = static_args(0, 0);
	struct bulla_init_result init;

	ck_assert_ok(crypto_init());
	ck_assert_ok(open_at(path, max_bytes, store));
	*call = call_begin();
	ck_assert_ok(seal_new(*store, config, call, seal));
	ck_assert_ok(init_seal(*seal, call, &args, &init));
}

static inline void end_sealed(struct bulla_call *call, struct store *store, struct seal *seal)
{
	seal_free(seal);
	call_end(call);
	store_close(store);
}

/* The detail of the last call as a string. */
#define ck_assert_detail(call, text) ck_assert_str_eq((const char *)bulla_call_text(&(call), BULLA_E_INTERNAL).ptr, (text))

static inline void close_and_forget(struct seal *seal)
{
	ck_assert_ok(seal_close(seal));
	seal_forget(seal);
}

static inline struct bulla_seal_status status_of(struct seal *seal)
{
	struct bulla_seal_status status;

	seal_status(seal, &status);
	return status;
}

#endif
