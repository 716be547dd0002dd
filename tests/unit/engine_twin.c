/* Two engines over one store, as two nodes over one database: what each does meanwhile, the other may not lose, double or revive. */
#include <pthread.h>
#include <stdatomic.h>

#include "twin_unit.h"

#include "access/access_private.h"
#include "store/store_ops.h"

/* ---- keys --------------------------------------------------------------------------------------------------------------------- */

static void make_key(struct bulla *node)
{
	const struct bulla_key_create_args args = { .type = bulla_str("aes256-gcm96") };
	const struct bulla_mount *mount = transit_of(node);
	struct bulla_call c = call_to(node);
	struct bulla_key_info info;
	bool created;

	ck_assert_ok(bulla_key_create(node, &c, mount, bulla_str("k"), &args, &info, &created));
	ck_assert(created);
	bulla_mount_put(mount);
	call_done(&c);
}

static void delete_key(struct bulla *node)
{
	const struct bulla_key_config_args config = { .set = BULLA_KEY_DELETION_ALLOWED, .deletion_allowed = true };
	const struct bulla_mount *mount = transit_of(node);
	struct bulla_call c = call_to(node);
	struct bulla_key_info info;

	ck_assert_ok(bulla_key_config(node, &c, mount, bulla_str("k"), &config, &info));
	ck_assert_ok(bulla_key_delete(node, &c, mount, bulla_str("k")));
	bulla_mount_put(mount);
	call_done(&c);
}

static uint32_t rotate_key(struct bulla *node)
{
	const struct bulla_mount *mount = transit_of(node);
	struct bulla_call c = call_to(node);
	struct bulla_key_info info;

	ck_assert_ok(bulla_key_rotate(node, &c, mount, bulla_str("k"), &info));
	uint32_t latest = info.latest;

	bulla_mount_put(mount);
	call_done(&c);
	return latest;
}

static void encrypt(struct bulla *node, char out[128])
{
	const struct bulla_mount *mount = transit_of(node);
	const struct bulla_encrypt_item item = { .plaintext = bulla_str("a secret") };
	const struct bulla_encrypt_args args = { .mount = mount, .name = bulla_str("k"), .items = &item, .count = 1 };
	struct bulla_item_result result = { 0 };
	struct bulla_call c = call_to(node);

	ck_assert_ok(bulla_encrypt(node, &c, &args, &result));
	ck_assert_ok(result.err);
	memset(out, 0, 128);
	ck_assert_uint_lt(bulla_ciphertext_len(result.key_version, result.bytes.len), 128);
	bulla_ciphertext_print(result.key_version, result.bytes, out);
	bulla_mount_put(mount);
	call_done(&c);
}

static void check_opens(struct bulla *node, const char *ciphertext)
{
	const struct bulla_mount *mount = transit_of(node);
	const struct bulla_decrypt_item item = { .ciphertext = bulla_str(ciphertext) };
	const struct bulla_decrypt_args args = { .mount = mount, .name = bulla_str("k"), .items = &item, .count = 1 };
	struct bulla_item_result result = { 0 };
	struct bulla_call c = call_to(node);

	ck_assert_ok(bulla_decrypt(node, &c, &args, &result));
	ck_assert_ok(result.err);
	ck_assert_bytes(result.bytes, "a secret");
	bulla_mount_put(mount);
	call_done(&c);
}

/* One has a key in memory that the other deletes and makes again, and changes as often: its next change is not one of the old key. */
START_TEST(key_that_comes_again)
{
	char old[128], new[128];

	make_key(engine);
	encrypt(twin, old);
	delete_key(engine);
	make_key(engine);
	encrypt(engine, new);
	ck_assert_uint_eq(rotate_key(twin), 2);
	check_opens(twin, new);
	restart_twin();
	check_opens(twin, new);
}
END_TEST

/* What the twin has made of the key's newest version is known here, though nobody has told: A1 of the study. */
enum proof { PROOF_DECRYPT, PROOF_REWRAP, PROOF_SIGNATURE, PROOF_HMAC, PROOFS };

static void make_signing_key(void)
{
	const struct bulla_key_create_args args = { .type = bulla_str("ed25519") };
	const struct bulla_mount *mount = transit_of(engine);
	struct bulla_call c = call_to(engine);
	struct bulla_key_info info;
	bool created;

	ck_assert_ok(bulla_key_create(engine, &c, mount, bulla_str("k"), &args, &info, &created));
	bulla_mount_put(mount);
	call_done(&c);
}

/* On the twin: out, as text. */
static void sign(struct bulla_call *c, const struct bulla_mount *mount, const struct bulla_sign_item *item, char out[512])
{
	const struct bulla_sign_args args = { .mount = mount, .name = bulla_str("k"), .hash = bulla_str("sha2-256"), .marshaling = bulla_str("asn1"), .salt_length = bulla_str("auto"),
					      .items = item, .count = 1 };
	struct bulla_signature signature = { 0 };

	ck_assert_ok(bulla_sign(twin, c, &args, &signature));
	ck_assert_ok(signature.err);
	memcpy(out, signature.text.ptr, signature.text.len);
}

static void make_hmac(struct bulla_call *c, const struct bulla_mount *mount, const struct bulla_sign_item *item, char out[512])
{
	const struct bulla_hmac_args args = { .mount = mount, .name = bulla_str("k"), .items = item, .count = 1, .algorithm = bulla_str("sha2-256") };
	struct bulla_item_result result = { 0 };

	ck_assert_ok(bulla_hmac(twin, c, &args, &result));
	ck_assert_ok(result.err);
	bulla_ciphertext_print(result.key_version, result.bytes, out);
}

static void prove(enum proof proof, char out[512])
{
	const struct bulla_mount *mount = transit_of(twin);
	const struct bulla_sign_item item = { .input = bulla_str("a text") };
	struct bulla_call c = call_to(twin);

	memset(out, 0, 512);
	if (proof == PROOF_SIGNATURE)
		sign(&c, mount, &item, out);
	else
		make_hmac(&c, mount, &item, out);
	bulla_mount_put(mount);
	call_done(&c);
}

static enum bulla_err verify_here(enum proof proof, struct bulla_call *c, const char *text)
{
	const struct bulla_mount *mount = transit_of(engine);
	const struct bulla_sign_item item = { .input = bulla_str("a text"), .proof = bulla_str(text) };
	const struct bulla_sign_args sign = { .mount = mount, .name = bulla_str("k"), .hash = bulla_str("sha2-256"), .marshaling = bulla_str("asn1"), .salt_length = bulla_str("auto"),
					      .items = &item, .count = 1 };
	const struct bulla_hmac_args hmac = { .mount = mount, .name = bulla_str("k"), .items = &item, .count = 1, .algorithm = bulla_str("sha2-256") };
	struct bulla_verdict verdict = { 0 };
	enum bulla_err err = proof == PROOF_SIGNATURE ? bulla_verify(engine, c, &sign, &verdict) : bulla_hmac_verify(engine, c, &hmac, &verdict);

	bulla_mount_put(mount);
	if (err == BULLA_OK && verdict.err == BULLA_OK)
		ck_assert(verdict.valid);
	return err != BULLA_OK ? err : verdict.err;
}

static enum bulla_err open_here(enum proof proof, struct bulla_call *c, const char *text)
{
	const struct bulla_mount *mount = transit_of(engine);
	const struct bulla_decrypt_item item = { .ciphertext = bulla_str(text) };
	const struct bulla_rewrap_item old = { .ciphertext = bulla_str(text) };
	const struct bulla_decrypt_args decrypt = { .mount = mount, .name = bulla_str("k"), .items = &item, .count = 1 };
	const struct bulla_rewrap_args rewrap = { .mount = mount, .name = bulla_str("k"), .items = &old, .count = 1 };
	struct bulla_item_result result = { 0 };
	enum bulla_err err = proof == PROOF_DECRYPT ? bulla_decrypt(engine, c, &decrypt, &result) : bulla_rewrap(engine, c, &rewrap, &result);

	bulla_mount_put(mount);
	return err != BULLA_OK ? err : result.err;
}

static enum bulla_err try_here(enum proof proof, const char *text, bool may_block)
{
	struct bulla_call c = call_to(engine);

	c.may_block = may_block;
	enum bulla_err err = proof == PROOF_DECRYPT || proof == PROOF_REWRAP ? open_here(proof, &c, text) : verify_here(proof, &c, text);

	if (err == BULLA_E_INVALID)
		ck_assert(strstr((const char *)bulla_call_text(&c, err).ptr, "invalid") != NULL);
	call_done(&c);
	return err;
}

START_TEST(version_that_is_new)
{
	enum proof proof = (enum proof)_i;
	char text[512], *number;

	if (proof == PROOF_SIGNATURE)
		make_signing_key();
	else
		make_key(engine);
	ck_assert_uint_eq(rotate_key(twin), 2);
	if (proof == PROOF_DECRYPT || proof == PROOF_REWRAP)
		encrypt(twin, text);
	else
		prove(proof, text);
	ck_assert_err(try_here(proof, text, false), BULLA_E_MUST_BLOCK); /* a loop does not look */
	ck_assert_ok(try_here(proof, text, true));
	number = strchr(text, '2');
	ck_assert_ptr_nonnull(number);
	*number = '3'; /* one that nobody has made */
	uint64_t reads = store_counts(engine->store).reads;

	ck_assert_err(try_here(proof, text, true), BULLA_E_INVALID);
	ck_assert_uint_le(store_counts(engine->store).reads, reads + 2); /* the key's head, not all of its versions */
}
END_TEST

static void encrypt_many(struct bulla *node, size_t count)
{
	const struct bulla_mount *mount = transit_of(node);
	struct bulla_encrypt_item *items = calloc(count, sizeof *items);
	struct bulla_item_result *results = calloc(count, sizeof *results);
	const struct bulla_encrypt_args args = { .mount = mount, .name = bulla_str("k"), .items = items, .count = count };
	struct bulla_call c = call_to(node);

	ck_assert(items != NULL && results != NULL);
	for (size_t i = 0; i < count; i++)
		items[i].plaintext = bulla_str("a");
	ck_assert_ok(bulla_encrypt(node, &c, &args, results));
	for (size_t i = 0; i < count; i++)
		ck_assert_ok(results[i].err);
	bulla_mount_put(mount);
	call_done(&c);
	free(items);
	free(results);
}

/* A11: a key that both use much is counted in blocks that grow on both, whoever writes the record between. */
START_TEST(counted_on_both)
{
	make_key(engine);
	encrypt_many(engine, 1);
	encrypt_many(twin, 1);
	uint64_t before = store_counts(engine->store).batches + store_counts(twin->store).batches;

	for (int i = 0; i < 100; i++) {
		encrypt_many(engine, 1000);
		encrypt_many(twin, 1000);
	}
	ck_assert_uint_le(store_counts(engine->store).batches + store_counts(twin->store).batches - before, 16);
}
END_TEST

/* ---- tokens ------------------------------------------------------------------------------------------------------------------- */

/* A token of the policy p. */
static void make_token(int64_t num_uses, char out[64])
{
	const struct bulla_bytes policies[] = { bulla_str("p") };
	const struct bulla_token_create_args args = { .policies = policies, .policy_count = 1, .no_default_policy = true, .num_uses = num_uses, .renewable = true,
						      .path = bulla_str("auth/token/create") };
	struct bulla_call c = call_to(engine);
	struct bulla_auth auth;

	ck_assert_ok(bulla_token_create(engine, &c, &args, &auth));
	memset(out, 0, 64);
	memcpy(out, auth.client_token.ptr, auth.client_token.len);
	bulla_token_put(auth.token);
	call_done(&c);
}

#define THREADS 4

static char token[64];
static atomic_int served;

/* Uses the token until it has ended. */
static void *use_token(void *node)
{
	enum bulla_err err;

	do {
		struct bulla_call c = call_begin();

		err = bulla_authenticate(node, &c, bulla_str(token));
		if (err == BULLA_OK)
			served++;
		call_done(&c);
	} while (err == BULLA_OK || err == BULLA_E_CONFLICT);
	ck_assert_err(err, BULLA_E_NO_TOKEN);
	return NULL;
}

static void on_both(void *(*run)(void *))
{
	pthread_t threads[THREADS];

	served = 0;
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run, i % 2 ? twin : engine), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

/* A token of so many uses has as many, wherever they are made, and does not end before. */
START_TEST(limited_token)
{
	make_token(200, token);
	on_both(use_token);
	ck_assert_int_eq(served, 200);
}
END_TEST

/* A renewal here and a use there do not end it. */
static void *renew_token(void *node)
{
	for (int i = 0; i < 50; i++) {
		struct bulla_call c = call_to(node);
		struct bulla_auth auth;

		ck_assert_ok(bulla_token_renew(node, &c, bulla_str(token), 3600, &auth));
		bulla_token_put(auth.token);
		call_done(&c);
	}
	return NULL;
}

START_TEST(renewed_on_both)
{
	make_token(0, token);
	on_both(renew_token);
}
END_TEST

/* ---- budgets ------------------------------------------------------------------------------------------------------------------ */

static void *spend(void *node)
{
	const struct bulla_ask ask = { .need = BULLA_CAN_UPDATE, .path = bulla_str("transit/encrypt/k") };
	enum bulla_err err;

	do {
		struct bulla_call c = call_begin();

		ck_assert_ok(bulla_authenticate(node, &c, bulla_str(token)));
		ck_assert_ok(bulla_authorise(node, &c, &ask));
		err = bulla_take_items(node, &c, 1);
		if (err == BULLA_OK)
			served++;
		bulla_grant_put(c.grant);
		call_done(&c);
	} while (err != BULLA_E_BUDGET);
	return NULL;
}

/* What one has reserved the other does not spend. */
START_TEST(budget)
{
	static const char text[] = "path \"transit/encrypt/k\" { capabilities = [\"update\"] budget = \"2000/day\" }";
	const struct bulla_policy_put_args args = { .name = bulla_str("p"), .text = bulla_str(text) };
	struct bulla_call c = call_to(engine);

	ck_assert_ok(bulla_policy_put(engine, &c, &args));
	call_done(&c);
	restart_twin(); /* it knows the policy then */
	make_token(0, token);
	on_both(spend);
	ck_assert_int_le(served, 2000);
	ck_assert_int_ge(served, 2000 - 21); /* of what a node has reserved, a block at most is not spent */
}
END_TEST

/* ---- mounts ------------------------------------------------------------------------------------------------------------------- */

static size_t count_mounts(struct bulla *node, const char *prefix)
{
	const struct bulla_mount **list;
	struct bulla_call c = call_to(node);
	size_t count, found = 0;

	ck_assert_ok(bulla_mount_list(node, &c, &list, &count));
	for (size_t i = 0; i < count; i++) {
		found += bulla_begins(list[i]->path, prefix);
		bulla_mount_put(list[i]);
	}
	call_done(&c);
	return found;
}

static const char *wanted[2]; /* what each node enables */

static void *enable(void *node)
{
	const struct bulla_mount_settings settings = { 0 };
	struct bulla_call c = call_to(node);
	enum bulla_err err = bulla_mount_enable(node, &c, bulla_str(wanted[node == twin]), bulla_str("transit"), &settings);

	if (err == BULLA_OK)
		served++;
	else
		ck_assert_err(err, BULLA_E_INVALID);
	call_done(&c);
	return NULL;
}

/* One path, and paths of which one is within the other, are given once. */
START_TEST(mounted_on_both)
{
	static const char *const pairs[][2] = { { "a/b", "a/b" }, { "c", "c/d" }, { "e/f", "e" } };

	for (size_t i = 0; i < 3; i++) {
		wanted[0] = pairs[i][0];
		wanted[1] = pairs[i][1];
		on_both(enable);
		ck_assert_int_eq(served, 1);
	}
	wanted[0] = "g/1";
	wanted[1] = "g/2";
	on_both(enable);
	ck_assert_int_eq(served, 2);
	struct bulla_call c = call_to(twin);

	ck_assert_ok(bulla_mount_disable(twin, &c, bulla_str("a/b"))); /* whoever has made it */
	ck_assert_ok(bulla_mount_enable(twin, &c, bulla_str("a"), bulla_str("transit"), &(struct bulla_mount_settings){ 0 }));
	call_done(&c);
	ck_assert_uint_eq(count_mounts(twin, "a/"), 1);
	ck_assert_uint_eq(count_mounts(twin, "g/"), 2);
	ck_assert_uint_eq(count_mounts(twin, "sys/"), 1);
}
END_TEST

/* What one has disabled the other makes nothing in, though it knows of nothing yet. */
START_TEST(no_key_in_a_mount_that_is_gone)
{
	const struct bulla_key_create_args args = { .type = bulla_str("aes256-gcm96") };
	const struct bulla_mount *mount = transit_of(twin);
	struct bulla_call c = call_to(engine);
	struct bulla_key_info info;
	bool created;

	ck_assert_ok(bulla_mount_disable(engine, &c, bulla_str("transit")));
	call_done(&c);
	c = call_to(twin);
	ck_assert_err(bulla_key_create(twin, &c, mount, bulla_str("ghost"), &args, &info, &created), BULLA_E_CONFLICT);
	bulla_mount_put(mount);
	call_done(&c);
}
END_TEST

/* Each tunes what the other has tuned: nothing is taken back. */
START_TEST(tuned_on_both)
{
	struct bulla_call c = call_to(engine);
	struct bulla_mount_settings text = { .set = BULLA_MOUNT_DESCRIPTION, .values.description = bulla_str("a text") },
				    upsert = { .set = BULLA_MOUNT_DISABLE_UPSERT, .values.disable_upsert = true };

	ck_assert_ok(bulla_mount_tune(engine, &c, bulla_str("transit"), &text));
	call_done(&c);
	c = call_to(twin);
	ck_assert_ok(bulla_mount_tune(twin, &c, bulla_str("transit"), &upsert));
	call_done(&c);
	const struct bulla_mount *mount = transit_of(twin);

	ck_assert_bytes(mount->description, "a text");
	ck_assert(mount->disable_upsert);
	bulla_mount_put(mount);
}
END_TEST

/* ---- the barrier -------------------------------------------------------------------------------------------------------------- */

static uint32_t rotate_barrier(struct bulla *node)
{
	struct bulla_call c = call_to(node);
	struct bulla_barrier_status status;

	ck_assert_ok(bulla_barrier_rotate(node, &c));
	ck_assert_ok(bulla_barrier_status(node, &c, &status));
	call_done(&c);
	return status.term;
}

/* The keys that one adds do not keep the other from adding more, nor from counting what it seals. */
START_TEST(barrier_rotated_on_both)
{
	for (uint32_t term = 2; term < 8; term++)
		ck_assert_uint_eq(rotate_barrier(term % 3 ? engine : twin), term);
	make_token(200, token);
	on_both(use_token);
	ck_assert_int_eq(served, 200);
}
END_TEST

/* Between the reading of a key's head on engine and that of what belongs to it, the twin changes the key: by a thread of its own, for who reads may
 * not call the store. */
static const struct store_ops *real_ops;
static struct store_ops hooked_ops;
static void (*meanwhile)(void);

static void *run_meanwhile(void *unused)
{
	void (*change)(void) = meanwhile;

	(void)unused;
	meanwhile = NULL;
	change();
	return NULL;
}

static enum bulla_err read_after(struct store *store, struct bulla_call *c, const struct store_span *spans, size_t count, store_visit *visit,
				 void *context)
{
	pthread_t thread;

	if (meanwhile != NULL) {
		ck_assert_int_eq(pthread_create(&thread, NULL, run_meanwhile, NULL), 0);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
	}
	return real_ops->read(store, c, spans, count, visit, context);
}

static void hook_reads(void (*change)(void))
{
	real_ops = engine->store->ops;
	hooked_ops = *real_ops;
	hooked_ops.read = read_after;
	meanwhile = change;
	engine->store->ops = &hooked_ops;
}

static void trim_on_twin(void)
{
	const struct bulla_key_config_args config = { .set = BULLA_KEY_MIN_DECRYPTION | BULLA_KEY_MIN_ENCRYPTION,
						      .min_decryption = 2, .min_encryption = 2 };
	const struct bulla_mount *mount = transit_of(twin);
	struct bulla_call c = call_to(twin);
	struct bulla_key_info info;

	ck_assert_ok(bulla_key_config(twin, &c, mount, bulla_str("k"), &config, &info));
	ck_assert_ok(bulla_key_trim(twin, &c, mount, bulla_str("k"), &(int64_t){ 2 }, &info));
	bulla_mount_put(mount);
	call_done(&c);
}

static void rotate_on_twin(void)
{
	ck_assert_uint_eq(rotate_key(twin), 3);
}

static void delete_on_twin(void)
{
	delete_key(twin);
	make_key(twin);
}

static void (*const changes_meanwhile[])(void) = { rotate_on_twin, trim_on_twin, delete_on_twin };

/* S2 of the study: a key is read as of one moment, so that no version of it is missed that is there, and none is there that is gone. */
START_TEST(read_while_it_changes)
{
	char one[128], two[128];

	make_key(twin);
	encrypt(twin, one);
	ck_assert_uint_eq(rotate_key(twin), 2);
	encrypt(twin, two);
	hook_reads(changes_meanwhile[_i]);
	const struct bulla_mount *mount = transit_of(engine);
	struct bulla_call c = call_to(engine);
	struct bulla_key_info info;

	ck_assert_ok(bulla_key_read(engine, &c, mount, bulla_str("k"), &info));
	ck_assert_ptr_null(meanwhile);
	engine->store->ops = real_ops;
	ck_assert_ptr_null(c.warnings); /* none that a version is damaged */
	ck_assert_uint_eq(info.latest, _i == 0 ? 3 : _i == 1 ? 2 : 1);
	if (_i < 2)
		check_opens(engine, two);
	encrypt(engine, one);
	check_opens(twin, one);
	bulla_mount_put(mount);
	call_done(&c);
}
END_TEST

static void rotate_and_mount(const char *path)
{
	struct bulla_call c = call_to(engine);

	ck_assert_ok(bulla_barrier_rotate(engine, &c));
	ck_assert_ok(bulla_mount_enable(engine, &c, bulla_str(path), bulla_str("transit"), &(struct bulla_mount_settings){ 0 }));
	call_done(&c);
}

/* What one has written under a new key of the barrier is no damage to the other, wherever it comes upon it first. */
START_TEST(learns_of_a_new_term)
{
	struct bulla_call c = call_to(twin);
	struct bulla_bytes *accessors;
	size_t before, count = 0;

	rotate_and_mount("one");
	ck_assert_ok(bulla_mount_enable(twin, &c, bulla_str("two"), bulla_str("transit"), &(struct bulla_mount_settings){ 0 }));
	ck_assert_uint_eq(count_mounts(twin, "one/"), 1);
	ck_assert_ok(bulla_token_accessors(twin, &c, &accessors, &before));
	rotate_and_mount("three");
	make_token(0, token);
	enum bulla_err err = bulla_token_accessors(twin, &c, &accessors, &count); /* a scan, in which the store cannot be asked */

	if (err == BULLA_E_BUSY)
		err = bulla_token_accessors(twin, &c, &accessors, &count);
	ck_assert_ok(err);
	ck_assert_uint_eq(count, before + 1);
	call_done(&c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine/twin");
	TCase *tc = tcase_create("twin");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, twin_setup, twin_teardown);
	tcase_add_test(tc, key_that_comes_again);
	tcase_add_loop_test(tc, version_that_is_new, 0, PROOFS);
	tcase_add_test(tc, counted_on_both);
	tcase_add_test(tc, limited_token);
	tcase_add_test(tc, renewed_on_both);
	tcase_add_test(tc, budget);
	tcase_add_test(tc, mounted_on_both);
	tcase_add_test(tc, tuned_on_both);
	tcase_add_test(tc, no_key_in_a_mount_that_is_gone);
	tcase_add_test(tc, barrier_rotated_on_both);
	tcase_add_test(tc, learns_of_a_new_term);
	tcase_add_loop_test(tc, read_while_it_changes, 0, 3);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
