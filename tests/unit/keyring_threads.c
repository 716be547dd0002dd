/* Many threads on the same keys: nobody sees half a change, no rotation is lost, no secret outlives its key. To be run under
 * ThreadSanitizer too. */
#include "keyring_unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define THREADS 8
#define ROTATIONS 50
#define ROUNDS 300

struct worker {
	pthread_t thread;
	struct bulla *engine;
	int number;
	int failures; /* Check's assertions are for the main thread */
	atomic_int done;
};

static void run_all(struct rig *rig, void *(*fn)(void *), struct worker workers[THREADS])
{
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .engine = &rig->engine, .number = i };
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, fn, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
		ck_assert_int_eq(workers[i].failures, 0);
	}
}

static void reset(struct bulla_call *call)
{
	bulla_arena_reset(call->arena);
	*call = (struct bulla_call){ .arena = call->arena, .may_block = true };
}

/* Whether every version that a snapshot promises is there. */
static bool is_whole(const struct key *key)
{
	for (uint32_t n = key_first(key); n <= key_latest(key); n++) {
		const struct key_version *version = key_version(key, n);

		if (version == NULL || version->version != n || version->key == NULL)
			return false;
	}
	return key_version(key, key_latest(key) + 1) == NULL;
}

static void *rotates(void *arg)
{
	struct worker *worker = arg;
	struct bulla_call call = { .arena = bulla_arena_new(4096), .may_block = true };
	struct bulla_key_info info;
	uint32_t last = 0;

	for (int i = 0; i < ROTATIONS; i++) {
		reset(&call);
		if (bulla_key_rotate(worker->engine, &call, &mount_a, bulla_str("k"), &info) != BULLA_OK || info.latest <= last)
			worker->failures++;
		last = info.latest;
		const struct key *key;

		if (keyring_begin(worker->engine->keyring, &call, &mount_a, bulla_str("k"), &key) != BULLA_OK) {
			worker->failures++;
			continue;
		}
		if (key_latest(key) < last || !is_whole(key))
			worker->failures++;
		keyring_end(key);
	}
	bulla_arena_free(call.arena);
	return NULL;
}

START_TEST(rotations_all_count)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct worker workers[THREADS];

	make(&rig, "k");
	run_all(&rig, rotates, workers);
	ck_assert_uint_eq(look(&rig, "k").latest, 1 + THREADS * ROTATIONS);
	ck_assert_uint_eq(stored_versions(&rig, "k"), 1 + THREADS * ROTATIONS);
	rig_close(&rig);
}
END_TEST

/* One step of a thread that does everything to a few keys. Only what can happen may happen. */
static bool any_step(struct worker *worker, struct bulla_call *call, int round)
{
	char text[8];
	struct bulla_bytes name = bulla_mem(text, (size_t)snprintf(text, sizeof text, "k%d", (round / 7 + worker->number) % 3));
	const struct bulla_key_create_args args = { 0 };
	const struct bulla_key_config_args deletable = { .set = BULLA_KEY_DELETION_ALLOWED, .deletion_allowed = true };
	const struct bulla_key_config_args minimum = { .set = BULLA_KEY_MIN_DECRYPTION | BULLA_KEY_MIN_ENCRYPTION,
						       .min_decryption = 2, .min_encryption = 2 };
	const int64_t two = 2;
	struct bulla_key_info info;
	struct bulla_bytes *names;
	const struct key *key;
	enum bulla_err err;
	size_t count;
	bool flag;

	switch ((round + worker->number) % 8) {
	case 0: err = bulla_key_create(worker->engine, call, &mount_a, name, &args, &info, &flag); return err == BULLA_OK;
	case 1: err = bulla_key_rotate(worker->engine, call, &mount_a, name, &info); break;
	case 2: err = bulla_key_config(worker->engine, call, &mount_a, name, &minimum, &info); break;
	case 3: err = bulla_key_trim(worker->engine, call, &mount_a, name, &two, &info); break;
	case 4: err = bulla_key_config(worker->engine, call, &mount_a, name, &deletable, &info); break;
	case 5: err = round % 3 ? BULLA_OK : bulla_key_delete(worker->engine, call, &mount_a, name); break;
	case 6: return bulla_key_list(worker->engine, call, &mount_a, bulla_str(""), 0, &names, &count) == BULLA_OK;
	default:
		err = keyring_begin(worker->engine->keyring, call, &mount_a, name, &key);
		if (err != BULLA_OK)
			return err == BULLA_E_NOT_FOUND;
		flag = is_whole(key);
		keyring_end(key);
		return flag;
	}
	worker->done += err == BULLA_OK;
	return err == BULLA_OK || err == BULLA_E_INVALID;
}

static void *does_anything(void *arg)
{
	struct worker *worker = arg;
	struct bulla_call call = { .arena = bulla_arena_new(4096), .may_block = true };

	for (int round = 0; round < ROUNDS; round++) {
		reset(&call);
		worker->failures += !any_step(worker, &call, round);
	}
	bulla_arena_free(call.arena);
	return NULL;
}

/* _i: with a cache that holds all, and with one that evicts at every step. */
START_TEST(anything_goes)
{
	struct rig rig = rig_open(NULL, _i ? 0 : 1 << 20);
	struct worker workers[THREADS];
	struct bulla_bytes *names;
	size_t count, heads;
	int done = 0;

	run_all(&rig, does_anything, workers);
	for (int i = 0; i < THREADS; i++)
		done += workers[i].done;
	ck_assert_int_gt(done, THREADS * 10);
	heads = stored_heads(&rig, &mount_a);
	ck_assert_ok(bulla_key_list(&rig.engine, fresh(&rig), &mount_a, bulla_str(""), 0, &names, &count));
	ck_assert_uint_eq(count, heads);
	for (int k = 0; k < 3; k++) {
		char name[8];
		bool exists;

		snprintf(name, sizeof name, "k%d", k);
		ck_assert_ok(bulla_key_exists(&rig.engine, fresh(&rig), &mount_a, bulla_str(name), &exists));
		if (!exists) {
			ck_assert_uint_eq(stored_versions(&rig, name), 0);
			continue;
		}
		struct bulla_key_info info = look(&rig, name);
		uint32_t first = info.min_available > 1 ? info.min_available : 1;

		ck_assert_uint_eq(stored_versions(&rig, name), info.latest - first + 1);
	}
	rig_close(&rig);
}
END_TEST

static void *creates(void *arg)
{
	struct worker *worker = arg;
	struct bulla_call call = { .arena = bulla_arena_new(4096), .may_block = true };
	const struct bulla_key_create_args args = { 0 };
	struct bulla_key_info info;
	char name[8];
	bool created;

	for (int i = 0; i < ROTATIONS; i++) {
		reset(&call);
		struct bulla_bytes bytes = bulla_mem(name, (size_t)snprintf(name, sizeof name, "k%d", i));

		worker->failures += bulla_key_create(worker->engine, &call, &mount_a, bytes, &args, &info, &created) != BULLA_OK;
		worker->failures += info.latest != 1;
		worker->done += created;
	}
	bulla_arena_free(call.arena);
	return NULL;
}

START_TEST(one_creates)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct worker workers[THREADS];
	int created = 0;

	run_all(&rig, creates, workers);
	for (int i = 0; i < THREADS; i++)
		created += workers[i].done;
	ck_assert_int_eq(created, ROTATIONS);
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), ROTATIONS);
	rig_close(&rig);
}
END_TEST

static void *reads(void *arg)
{
	struct worker *worker = arg;
	struct bulla_call call = { .arena = bulla_arena_new(4096), .may_block = true };
	const struct key *key;

	for (;;) {
		reset(&call);
		enum bulla_err err = keyring_begin(worker->engine->keyring, &call, &mount_a, bulla_str("k"), &key);

		if (err == BULLA_E_SEALED)
			break;
		if (err != BULLA_OK) {
			worker->failures++;
			break;
		}
		worker->failures += !is_whole(key);
		worker->done++;
		keyring_end(key);
		usleep(100); /* under ThreadSanitizer sections are a lock that readers must leave now and then */
	}
	bulla_arena_free(call.arena);
	return NULL;
}

START_TEST(sealing_under_load)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct worker workers[THREADS];

	make(&rig, "k");
	for (int n = 0; n < 10; n++)
		rotate(&rig, "k");
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .engine = &rig.engine, .number = i };
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, reads, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		while (workers[i].done == 0)
			usleep(1000);
	ck_assert_ok(seal_close(rig.engine.seal));
	keyring_empty(rig.engine.keyring);
	ck_assert_uint_eq(bulla_secret_in_use(), rig.secrets); /* readers or not */
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
		ck_assert_int_eq(workers[i].failures, 0);
	}
	seal_forget(rig.engine.seal);
	rig.secrets = bulla_secret_in_use();
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring/threads");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, rotations_all_count);
	tcase_add_loop_test(tc, anything_goes, 0, 2);
	tcase_add_test(tc, one_creates);
	tcase_add_test(tc, sealing_under_load);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
