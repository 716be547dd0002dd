/* Initialise, unseal, seal: who is let in, what is refused with which words (the peer's), and what is left in memory. */
#include "seal_unit.h"

#include <pthread.h>
#include <stdatomic.h>

static struct store *store;
static struct bulla_call call;
static size_t secrets_before;

static void set_up(void)
{
	ck_assert_ok(crypto_init());
	secrets_before = bulla_secret_in_use();
	ck_assert_ok(open_at(NULL, 0, &store));
	call = call_begin();
}

static void tear_down(void)
{
	call_end(&call);
	store_close(store);
	ck_assert_uint_eq(bulla_secret_in_use(), secrets_before);
}

static struct seal *seal_with(struct bulla_seal_config config)
{
	struct seal *seal = NULL;

	ck_assert_ok(seal_new(store, &config, &call, &seal));
	return seal;
}

/* ---- initialise ------------------------------------------------------------------ */
#define BAD "invalid seal configuration: "
#define BAD_RECOVERY "invalid recovery configuration: "

static const struct {
	bool is_static;
	struct bulla_init_args args;
	const char *text;
} refused[] = {
	{ false, { 0, 0, 0, 0, { 0 } }, BAD "shares must be at least one" },
	{ false, { 0, 1, 0, 0, { 0 } }, BAD "shares must be at least one" },
	{ false, { -1, -1, 0, 0, { 0 } }, BAD "shares must be at least one" },
	{ false, { 1, 0, 0, 0, { 0 } }, BAD "threshold must be at least one" },
	{ false, { 2, 1, 0, 0, { 0 } }, BAD "threshold must be greater than one for multiple shares" },
	{ false, { 256, 256, 0, 0, { 0 } }, BAD "shares must be less than 256" },
	{ false, { 3, 300, 0, 0, { 0 } }, BAD "threshold must be less than 256" },
	{ false, { 1, 2, 0, 0, { 0 } }, BAD "threshold cannot be larger than shares" },
	{ false, { 1, 1, 1, 1, { 0 } }, "parameters recovery_shares,recovery_threshold not applicable to seal type shamir" },
	{ true, { 1, 1, 1, 1, { 0 } }, "parameters secret_shares,secret_threshold not applicable to seal type static" },
	{ true, { 1, 0, 1, 1, { 0 } }, "parameters secret_shares not applicable to seal type static" },
	{ true, { 0, 1, 1, 1, { 0 } }, "parameters secret_threshold not applicable to seal type static" },
	{ true, { 0, 0, 2, 1, { 0 } }, BAD_RECOVERY "threshold must be greater than one for multiple shares" },
	{ true, { 0, 0, 2, 0, { 0 } }, BAD_RECOVERY "threshold must be greater than one for multiple shares" },
	{ true, { 0, 0, 300, 2, { 0 } }, BAD_RECOVERY "shares must be less than 256" },
	{ true, { 0, 0, 3, 300, { 0 } }, BAD_RECOVERY "threshold must be less than 256" },
	{ true, { 0, 0, 0, 1, { 0 } }, BAD_RECOVERY "threshold cannot be larger than shares" },
	{ true, { 0, 0, 1, 2, { 0 } }, BAD_RECOVERY "threshold cannot be larger than shares" },
};

START_TEST(init_refused)
{
	struct seal *seal = seal_with(refused[_i].is_static ? static_config("a") : shamir_config());
	struct bulla_init_result out = { 0 };

	ck_assert_err(seal_initialise(seal, &call, &refused[_i].args, &out), BULLA_E_INVALID);
	ck_assert_detail(call, refused[_i].text);
	ck_assert(!seal_is_initialised(seal) && seal_is_sealed(seal));
	ck_assert_uint_eq(out.share_count, 0);
	seal_free(seal);
	seal = seal_with(shamir_config()); /* nothing was stored */
	ck_assert(!seal_is_initialised(seal));
	seal_free(seal);
}
END_TEST

START_TEST(uninitialised)
{
	struct seal *seal = seal_with(static_config("a"));
	struct bulla_barrier_status barrier;
	struct barrier_name name = { .kind = "key" };
	struct bulla_bytes out;
	struct store_id id = { { 0 } };
	bool opened = true;

	ck_assert_err(seal_unseal(seal, &call, bulla_mem(static_key, 32), &opened), BULLA_E_NOT_INITIALISED);
	ck_assert_err(seal_unseal_auto(seal, &call), BULLA_E_NOT_INITIALISED);
	ck_assert(opened);
	ck_assert_err(seal_close(seal), BULLA_E_SEALED);
	ck_assert_err(seal_hold(seal), BULLA_E_SEALED);
	ck_assert_err(seal_rotate(seal, &call), BULLA_E_SEALED);
	ck_assert_err(seal_barrier_status(seal, &call, &barrier), BULLA_E_SEALED);
	ck_assert_err(barrier_slot(seal, &name, &id), BULLA_E_SEALED);
	ck_assert_err(barrier_seal(seal, &call, &id, 1, bulla_str("x"), &out), BULLA_E_SEALED);
	seal_admit(seal);
	ck_assert(seal_is_sealed(seal));
	call.may_block = false;
	struct bulla_init_args args = static_args(0, 0);
	struct bulla_init_result result;

	ck_assert_err(seal_initialise(seal, &call, &args, &result), BULLA_E_MUST_BLOCK);
	ck_assert_err(seal_unseal(seal, &call, bulla_mem(static_key, 32), &opened), BULLA_E_MUST_BLOCK);
	ck_assert_err(seal_unseal_auto(seal, &call), BULLA_E_MUST_BLOCK);
	ck_assert_err(seal_rotate(seal, &call), BULLA_E_MUST_BLOCK);
	struct bulla_seal_status status = status_of(seal);

	ck_assert(!status.initialised && status.sealed && status.recovery_seal);
	ck_assert_uint_eq(status.shares + status.threshold + status.progress, 0);
	ck_assert_str_eq(status.nonce, "");
	ck_assert_uint_eq(strlen(status.cluster_id), 36);
	seal_free(seal);
	seal_free(NULL);
}
END_TEST

START_TEST(bad_config)
{
	struct bulla_seal_config config = static_config("a");
	struct seal *seal = NULL;

	config.key.len = 31;
	ck_assert_err(seal_new(store, &config, &call, &seal), BULLA_E_CONFIG);
	config = static_config("");
	ck_assert_err(seal_new(store, &config, &call, &seal), BULLA_E_CONFIG);
	ck_assert_ptr_null(seal);
}
END_TEST

START_TEST(another_kind)
{
	struct seal *seal = seal_with(shamir_config()), *other = NULL;
	struct bulla_init_args args = shamir_args(1, 1);
	struct bulla_seal_config config = static_config("a");
	struct bulla_init_result out;

	ck_assert_ok(init_seal(seal, &call, &args, &out));
	ck_assert_err(seal_unseal_auto(seal, &call), BULLA_E_CONFIG);
	ck_assert_err(seal_new(store, &config, &call, &other), BULLA_E_CONFIG);
	ck_assert_detail(call, "the database was initialised with the seal \"shamir\", not \"static\"");
	ck_assert_err(seal_initialise(seal, &call, &args, &out), BULLA_E_ALREADY_INITIALISED);
	args.secret_shares = 0; /* bad numbers come first, as at the peer */
	ck_assert_err(seal_initialise(seal, &call, &args, &out), BULLA_E_INVALID);
	seal_free(seal);
}
END_TEST

/* ---- shares ------------------------------------------------------------------------ */

/* An initialised, sealed seal with its shares in the call's arena. */
static struct seal *sealed_with(int shares, int threshold, struct bulla_init_result *out)
{
	struct seal *seal = seal_with(shamir_config());
	struct bulla_init_args args = shamir_args(shares, threshold);

	ck_assert_ok(init_seal(seal, &call, &args, out));
	ck_assert_uint_eq(out->share_count, (size_t)shares);
	ck_assert(!out->recovery);
	close_and_forget(seal);
	return seal;
}

#define COMBINED "invalid key: failed to compute combined key: "
#define WRONG_SET                                                                                  \
	"unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: " \
	"cipher: message authentication failed"

START_TEST(shares_k_of_n)
{
	struct bulla_init_result init;
	struct seal *seal = sealed_with(5, 3, &init);
	bool opened = true;

	ck_assert_ok(seal_unseal(seal, &call, init.shares[4], &opened));
	ck_assert(!opened);
	struct bulla_seal_status first = status_of(seal);

	ck_assert(first.initialised && first.sealed && !first.recovery_seal);
	ck_assert_uint_eq(first.progress, 1);
	ck_assert_uint_eq(first.threshold, 3);
	ck_assert_uint_eq(first.shares, 5);
	ck_assert_uint_eq(strlen(first.nonce), 36);
	ck_assert_ok(seal_unseal(seal, &call, init.shares[4], &opened)); /* the same again is ignored */
	ck_assert_uint_eq(status_of(seal).progress, 1);
	ck_assert_ok(seal_unseal(seal, &call, init.shares[0], &opened));
	ck_assert_uint_eq(status_of(seal).progress, 2);
	ck_assert_str_eq(status_of(seal).nonce, first.nonce);
	ck_assert(!opened && seal_is_sealed(seal));
	ck_assert_err(seal_hold(seal), BULLA_E_SEALED);
	ck_assert_ok(seal_unseal(seal, &call, init.shares[2], &opened));
	ck_assert(opened);
	ck_assert_uint_eq(status_of(seal).progress, 0);
	ck_assert_str_eq(status_of(seal).nonce, "");
	ck_assert(seal_is_sealed(seal)); /* not before it is admitted */
	ck_assert_ok(seal_hold(seal));
	seal_release(seal);
	seal_admit(seal);
	ck_assert(!seal_is_sealed(seal));
	ck_assert_ok(seal_unseal(seal, &call, bulla_str("anything"), &opened));
	ck_assert(!opened);
	close_and_forget(seal);
	ck_assert(seal_is_sealed(seal));
	ck_assert_err(seal_close(seal), BULLA_E_SEALED);
	seal_free(seal);
}
END_TEST

START_TEST(shares_reset)
{
	struct bulla_init_result init;
	struct seal *seal = sealed_with(3, 2, &init);
	char nonce[37];
	bool opened;

	ck_assert_ok(seal_unseal(seal, &call, init.shares[0], &opened));
	strcpy(nonce, status_of(seal).nonce);
	seal_reset(seal);
	ck_assert_uint_eq(status_of(seal).progress, 0);
	ck_assert_str_eq(status_of(seal).nonce, "");
	ck_assert_ok(seal_unseal(seal, &call, init.shares[1], &opened));
	ck_assert_str_ne(status_of(seal).nonce, nonce);
	ck_assert(!opened);
	ck_assert_ok(seal_unseal(seal, &call, init.shares[2], &opened));
	ck_assert(opened);
	seal_free(seal); /* open: it closes and forgets by itself */
}
END_TEST

static struct bulla_bytes changed(struct bulla_bytes share, size_t at)
{
	struct bulla_bytes copy = bulla_arena_copy(call.arena, share);

	((uint8_t *)(uintptr_t)copy.ptr)[at] ^= 1;
	return copy;
}

START_TEST(shares_wrong)
{
	struct bulla_init_result init;
	struct seal *seal = sealed_with(3, 2, &init);
	uint8_t zeros[34] = { 0 };
	bool opened = false;
	struct {
		struct bulla_bytes first, second;
		const char *text;
	} cases[] = {
		{ init.shares[0], changed(init.shares[1], 5), WRONG_SET },
		{ init.shares[0], changed(init.shares[0], 5), COMBINED "duplicate part detected" },
		{ init.shares[0], bulla_mem(init.shares[1].ptr, 32), COMBINED "all parts must be the same length" },
		{ init.shares[0], bulla_mem(zeros, 33), WRONG_SET }, /* x = 0 */
		{ bulla_mem(init.shares[0].ptr, 20), bulla_mem(init.shares[1].ptr, 20),
		  "invalid key: failed to setup unseal key: crypto/aes: invalid key size 19" },
		{ bulla_mem("0123456789abcdeF\1", 17), bulla_mem("0123456789abcdeF\2", 17), WRONG_SET },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ck_assert_ok(seal_unseal(seal, &call, cases[i].first, &opened));
		ck_assert_uint_eq(status_of(seal).progress, 1);
		ck_assert_err(seal_unseal(seal, &call, cases[i].second, &opened), BULLA_E_BAD_SHARE);
		ck_assert_detail(call, cases[i].text);
		ck_assert_uint_eq(status_of(seal).progress, 0);
		ck_assert_str_eq(status_of(seal).nonce, "");
	}
	ck_assert_ok(seal_unseal(seal, &call, init.shares[0], &opened));
	ck_assert_err(seal_unseal(seal, &call, bulla_mem(zeros, 34), &opened), BULLA_E_BAD_SHARE);
	ck_assert_detail(call, "invalid key: key is longer than maximum 33 bytes");
	ck_assert_err(seal_unseal(seal, &call, bulla_mem(zeros, 15), &opened), BULLA_E_BAD_SHARE);
	ck_assert_detail(call, "invalid key: key is shorter than minimum 16 bytes");
	ck_assert_uint_eq(status_of(seal).progress, 1); /* malformed ones do not reset */
	ck_assert(!opened);
	seal_free(seal);
}
END_TEST

START_TEST(one_of_one)
{
	struct bulla_init_result init;
	struct seal *seal = sealed_with(1, 1, &init);
	bool opened = false;
	static const size_t odd[] = { 17, 31, 33 };
	uint8_t zeros[33] = { 0 };

	ck_assert_uint_eq(init.shares[0].len, 32);
	for (size_t i = 0; i < 3; i++) {
		char text[96];

		ck_assert_err(seal_unseal(seal, &call, bulla_mem(zeros, odd[i]), &opened), BULLA_E_BAD_SHARE);
		snprintf(text, sizeof text, "invalid key: failed to setup unseal key: crypto/aes: invalid key size %zu", odd[i]);
		ck_assert_detail(call, text);
	}
	for (size_t n = 16; n <= 32; n += 8) {
		ck_assert_err(seal_unseal(seal, &call, bulla_mem(zeros, n), &opened), BULLA_E_BAD_SHARE);
		ck_assert_detail(call, WRONG_SET);
	}
	ck_assert_uint_eq(status_of(seal).progress, 0);
	ck_assert_ok(seal_unseal(seal, &call, init.shares[0], &opened));
	ck_assert(opened);
	seal_free(seal);
}
END_TEST

/* The largest numbers, and every share but one. */
START_TEST(many_shares)
{
	struct bulla_init_result init;
	struct seal *seal = sealed_with(255, 254, &init);
	bool opened = false;

	for (unsigned i = 0; i < 254; i++)
		ck_assert_ok(seal_unseal(seal, &call, init.shares[254 - i], &opened));
	ck_assert(opened);
	seal_free(seal);
}
END_TEST

/* ---- static -------------------------------------------------------------------------- */

START_TEST(static_opens_again)
{
	struct seal *seal = seal_with(static_config("a"));
	struct bulla_init_args args = static_args(0, 0);
	struct bulla_init_result init;

	ck_assert_ok(init_seal(seal, &call, &args, &init));
	ck_assert(init.recovery);
	ck_assert_uint_eq(init.share_count, 0);
	ck_assert(seal_is_sealed(seal));
	seal_admit(seal);
	ck_assert(!seal_is_sealed(seal));
	seal_free(seal);
	seal = seal_with(static_config("a"));
	ck_assert(seal_is_initialised(seal) && seal_is_sealed(seal));
	ck_assert_ok(seal_unseal_auto(seal, &call));
	ck_assert_ok(seal_unseal_auto(seal, &call));
	close_and_forget(seal);
	bool opened = false;

	ck_assert_err(seal_unseal(seal, &call, bulla_mem(static_key, 32), &opened), BULLA_E_BAD_SHARE);
	ck_assert_detail(call, COMBINED "less than two parts cannot be used to reconstruct the secret");
	seal_free(seal);
}
END_TEST

START_TEST(static_wrong_key)
{
	struct seal *seal = seal_with(static_config("key-2025"));
	struct bulla_init_args args = static_args(0, 0);
	struct bulla_init_result init;
	struct bulla_seal_config config = static_config("key-2026");

	ck_assert_ok(init_seal(seal, &call, &args, &init));
	seal_free(seal);
	seal = seal_with(config);
	ck_assert_err(seal_unseal_auto(seal, &call), BULLA_E_SEAL_KEY_MISMATCH);
	ck_assert_detail(call, "the configured seal key \"key-2026\" does not open this database: it was sealed with the key \"key-2025\"");
	ck_assert_err(seal_hold(seal), BULLA_E_SEALED);
	seal_free(seal);
	config = static_config("key-2025");
	config.key = bulla_str("another key that has 32 bytes...");
	seal = seal_with(config);
	ck_assert_err(seal_unseal_auto(seal, &call), BULLA_E_SEAL_KEY_MISMATCH);
	ck_assert_detail(call, "the configured seal key \"key-2025\" does not open this database: it was sealed with the key "
			       "\"key-2025\" of the same name and another value");
	seal_free(seal);
}
END_TEST

START_TEST(recovery_keys)
{
	struct seal *seal = seal_with(static_config("a"));
	struct bulla_init_args args = static_args(3, 2);
	struct bulla_init_result init;
	bool opened = false;

	ck_assert_ok(init_seal(seal, &call, &args, &init));
	ck_assert_uint_eq(init.share_count, 3);
	ck_assert_uint_eq(init.shares[0].len, 33);
	ck_assert_uint_eq(status_of(seal).threshold, 2);
	ck_assert_uint_eq(status_of(seal).shares, 3);
	close_and_forget(seal);
	ck_assert_ok(seal_unseal(seal, &call, init.shares[0], &opened));
	ck_assert_err(seal_unseal(seal, &call, changed(init.shares[1], 0), &opened), BULLA_E_BAD_SHARE);
	ck_assert_detail(call, "invalid key: failed to verify recovery key: recovery key does not match submitted values");
	ck_assert_ok(seal_unseal(seal, &call, init.shares[0], &opened));
	ck_assert(!opened);
	ck_assert_ok(seal_unseal(seal, &call, init.shares[2], &opened));
	ck_assert(opened);
	seal_free(seal);
}
END_TEST

START_TEST(recovery_one_of_one)
{
	struct seal *seal = seal_with(static_config("a"));
	struct bulla_init_args args = static_args(1, 1);
	struct bulla_init_result init;
	bool opened = false;
	uint8_t zeros[33] = { 0 };

	ck_assert_ok(init_seal(seal, &call, &args, &init));
	ck_assert_uint_eq(init.shares[0].len, 32);
	close_and_forget(seal);
	for (size_t n = 16; n <= 33; n++)
		ck_assert_err(seal_unseal(seal, &call, bulla_mem(zeros, n), &opened), BULLA_E_BAD_SHARE);
	ck_assert_ok(seal_unseal(seal, &call, init.shares[0], &opened));
	ck_assert(opened);
	seal_free(seal);
}
END_TEST

/* ---- the seal record, changed in the store --------------------------------------------- */

static const uint8_t record_id[32] = { [31] = 1 };

/* Every single bit of it: either it is no record, or the key does not open any more. */
START_TEST(record_changed)
{
	struct seal *seal = seal_with(static_config("a"));
	struct bulla_init_args args = static_args(1, 1);
	struct bulla_init_result init;
	struct store_id id;
	struct store_record record;

	memcpy(id.bytes, record_id, 32);
	ck_assert_ok(init_seal(seal, &call, &args, &init));
	seal_free(seal);
	ck_assert_ok(store_get(store, &call, &id, &record));
	ck_assert_uint_eq(record.bytes.len, 6 + 1 + 60 + 60);
	for (size_t bit = 0; bit < 8 * (record.bytes.len - 60); bit++) { /* the recovery key's part is not used to open */
		struct bulla_bytes bytes = changed(record.bytes, bit / 8);

		((uint8_t *)(uintptr_t)bytes.ptr)[bit / 8] ^= (uint8_t)(1 ^ 1 << bit % 8);
		struct store_write write = { .id = id, .change = STORE_PUT, .expected = record.revision + bit, .bytes = bytes };
		struct bulla_seal_config config = static_config("a");

		ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
		seal = NULL;
		enum bulla_err err = seal_new(store, &config, &call, &seal);

		if (err == BULLA_OK)
			err = seal_unseal_auto(seal, &call);
		ck_assert_msg(err == BULLA_E_STORE_DAMAGED || err == BULLA_E_SEAL_KEY_MISMATCH || err == BULLA_E_CONFIG,
			      "bit %zu: %d", bit, err);
		seal_free(seal);
	}
	struct store_write gone = { .id = id, .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	struct store_write cut = { .id = id, .change = STORE_PUT, .expected = record.revision + 8 * (record.bytes.len - 60), .bytes = { record.bytes.ptr, 5 } };
	struct bulla_seal_config config = static_config("a");

	ck_assert_ok(store_commit(store, &call, &cut, 1, NULL));
	ck_assert_err(seal_new(store, &config, &call, &seal), BULLA_E_STORE_DAMAGED);
	ck_assert_ok(store_commit(store, &call, &gone, 1, NULL));
	ck_assert_err(seal_new(store, &config, &call, &seal), BULLA_E_STORE_DAMAGED);
	ck_assert_detail(call, "the seal record is missing");
}
END_TEST

/* The right key, but the seal record of one database put into another. */
START_TEST(record_of_another_cluster)
{
	struct seal *seal = seal_with(static_config("a"));
	struct bulla_init_args args = static_args(0, 0);
	struct bulla_init_result init;
	struct store *other;
	struct store_id ids[2];

	ck_assert_ok(init_seal(seal, &call, &args, &init));
	seal_free(seal);
	ck_assert_ok(open_at(NULL, 0, &other));
	for (unsigned i = 0; i < 2; i++) {
		struct store_record record;

		memcpy(ids[i].bytes, record_id, 32);
		ids[i].bytes[31] = (uint8_t)(i + 1);
		ck_assert_ok(store_get(store, &call, &ids[i], &record));
		struct store_write write = { .id = ids[i], .change = STORE_PUT, .expected = 0, .bytes = record.bytes };

		ck_assert_ok(store_commit(other, &call, &write, 1, NULL));
	}
	struct bulla_seal_config config = static_config("a");

	ck_assert_ok(seal_new(other, &config, &call, &seal));
	ck_assert_err(seal_unseal_auto(seal, &call), BULLA_E_SEAL_KEY_MISMATCH);
	seal_free(seal);
	store_close(other);
}
END_TEST

START_TEST(keyring_damaged)
{
	struct seal *seal = seal_with(static_config("a"));
	struct bulla_init_args args = static_args(0, 0);
	struct bulla_init_result init;
	struct store_id id = { { [31] = 2 } };
	struct store_record record;

	ck_assert_ok(init_seal(seal, &call, &args, &init));
	seal_free(seal);
	ck_assert_ok(store_get(store, &call, &id, &record));
	static const size_t flips[] = { 0, 1, 4, 5, 16, 17, 40, 100 };

	for (size_t i = 0; i < 8; i++) {
		struct store_write write = { .id = id, .change = STORE_PUT, .expected = record.revision + i, .bytes = changed(record.bytes, flips[i]) };

		ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
		seal = seal_with(static_config("a"));
		ck_assert_err(seal_unseal_auto(seal, &call), BULLA_E_STORE_DAMAGED);
		ck_assert_detail(call, "the barrier's keyring is damaged");
		seal_free(seal);
	}
	struct store_write gone = { .id = id, .change = STORE_DELETE, .expected = STORE_ANY_REVISION };

	ck_assert_ok(store_commit(store, &call, &gone, 1, NULL));
	seal = seal_with(static_config("a"));
	ck_assert_err(seal_unseal_auto(seal, &call), BULLA_E_STORE_DAMAGED);
	ck_assert_detail(call, "the barrier's keyring is missing");
	seal_free(seal);
}
END_TEST

/* Not settled: a crash, or whatever else the engine meets, leaves a store that can be initialised. */
START_TEST(init_given_up)
{
	struct bulla_init_args args = shamir_args(1, 1);
	struct bulla_init_result first, second;
	struct seal *seal = seal_with(shamir_config());
	bool opened = false;

	ck_assert_err(seal_settle(seal, &call), BULLA_E_SEALED);
	ck_assert_ok(seal_initialise(seal, &call, &args, &first));
	ck_assert(!seal_is_initialised(seal));
	ck_assert_err(seal_initialise(seal, &call, &args, &second), BULLA_E_ALREADY_INITIALISED);
	call.may_block = false;
	ck_assert_err(seal_settle(seal, &call), BULLA_E_MUST_BLOCK);
	call.may_block = true;
	seal_free(seal);
	seal = seal_with(shamir_config());
	ck_assert(!seal_is_initialised(seal));
	ck_assert_err(seal_unseal(seal, &call, first.shares[0], &opened), BULLA_E_NOT_INITIALISED);
	ck_assert_ok(init_seal(seal, &call, &args, &second));
	ck_assert_err(seal_settle(seal, &call), BULLA_E_ALREADY_INITIALISED);
	close_and_forget(seal);
	ck_assert_err(seal_unseal(seal, &call, first.shares[0], &opened), BULLA_E_BAD_SHARE);
	ck_assert_ok(seal_unseal(seal, &call, second.shares[0], &opened));
	ck_assert(opened);
	seal_free(seal);
}
END_TEST

/* A store that refuses the write leaves nothing initialised. */
START_TEST(init_on_full_disk)
{
	struct store *tiny;
	struct seal *seal = NULL;
	struct bulla_seal_config config = static_config("a");
	struct bulla_init_args args = static_args(1, 1);
	struct bulla_init_result init = { 0 };
	enum bulla_err err = BULLA_OK;
	static uint8_t kilobyte[1024];

	ck_assert_ok(open_at(NULL, 40000, &tiny));
	for (unsigned i = 0; err == BULLA_OK; i++) {
		struct store_write write = { .id = id_of(1, i), .change = STORE_PUT, .expected = 0, .bytes = bulla_mem(kilobyte, 1024) };

		err = store_commit(tiny, &call, &write, 1, NULL);
	}
	for (unsigned i = 1000; (err = commit_one(tiny, put(id_of(1, i), 0, "x"))) == BULLA_OK; i++)
		;
	ck_assert_err(err, BULLA_E_STORE_FULL);
	ck_assert_ok(seal_new(tiny, &config, &call, &seal));
	ck_assert_err(init_seal(seal, &call, &args, &init), BULLA_E_STORE_FULL);
	ck_assert(!seal_is_initialised(seal));
	seal_free(seal);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_ok(commit_one(tiny, del(id_of(1, i), STORE_ANY_REVISION)));
	ck_assert_ok(seal_new(tiny, &config, &call, &seal));
	ck_assert_ok(init_seal(seal, &call, &args, &init));
	seal_free(seal);
	store_close(tiny);
}
END_TEST

/* ---- holders ------------------------------------------------------------------------------ */

static struct seal *held;
static atomic_int inside;
static atomic_bool closed;

static void *holder(void *unused)
{
	(void)unused;
	while (seal_hold(held) == BULLA_OK) {
		atomic_fetch_add(&inside, 1);
		ck_assert(!atomic_load(&closed));
		usleep(500);
		atomic_fetch_sub(&inside, 1);
		seal_release(held);
	}
	return NULL;
}

START_TEST(close_waits_for_holders)
{
	struct bulla_init_args args = static_args(0, 0);
	struct bulla_init_result init;
	pthread_t threads[4];

	held = seal_with(static_config("a"));
	ck_assert_ok(init_seal(held, &call, &args, &init));
	closed = false;
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, holder, NULL), 0);
	while (atomic_load(&inside) == 0)
		usleep(100);
	ck_assert_ok(seal_close(held));
	closed = true;
	ck_assert_int_eq(atomic_load(&inside), 0);
	seal_forget(held);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	seal_free(held);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal/state");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, init_refused, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(tc, uninitialised);
	tcase_add_test(tc, bad_config);
	tcase_add_test(tc, another_kind);
	tcase_add_test(tc, shares_k_of_n);
	tcase_add_test(tc, shares_reset);
	tcase_add_test(tc, shares_wrong);
	tcase_add_test(tc, one_of_one);
	tcase_add_test(tc, many_shares);
	tcase_add_test(tc, static_opens_again);
	tcase_add_test(tc, static_wrong_key);
	tcase_add_test(tc, recovery_keys);
	tcase_add_test(tc, recovery_one_of_one);
	tcase_add_test(tc, record_changed);
	tcase_add_test(tc, record_of_another_cluster);
	tcase_add_test(tc, keyring_damaged);
	tcase_add_test(tc, init_given_up);
	tcase_add_test(tc, init_on_full_disk);
	tcase_add_test(tc, close_waits_for_holders);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
