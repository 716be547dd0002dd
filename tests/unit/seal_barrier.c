/* Records that were moved, changed or put back are refused; rotation keeps what was written readable; sealings are counted. */
#include "seal_unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "bulla/encode.h"

static struct store *store;
static struct seal *seal;
static struct bulla_call call;

static void set_up(void)
{
	struct bulla_seal_config config = static_config("a");

	begin_sealed(NULL, 0, &config, &call, &store, &seal);
}

static void tear_down(void)
{
	end_sealed(&call, store, seal);
}

static struct store_record sealed(struct store_id id, uint64_t revision, const char *text)
{
	struct store_record record = { .id = id, .revision = revision };

	ck_assert_ok(barrier_seal(seal, &call, &id, revision, bulla_str(text), &record.bytes));
	return record;
}

static enum bulla_err opens(const struct store_record *record)
{
	struct bulla_bytes text = bulla_str("untouched");
	enum bulla_err err = barrier_open(seal, &call, record, &text);

	if (err != BULLA_OK)
		ck_assert_bytes(text, "untouched");
	return err;
}

START_TEST(round_trip)
{
	struct store_record record = sealed(id_of(1, 1), 7, "some plaintext"), again = sealed(id_of(1, 1), 7, "some plaintext");
	struct bulla_bytes text;

	ck_assert_uint_eq(record.bytes.len, strlen("some plaintext") + BARRIER_OVERHEAD);
	ck_assert_uint_eq(record.bytes.ptr[0], 1);
	ck_assert_uint_eq(bulla_get_u32(record.bytes.ptr + 1), 1);
	ck_assert(!bulla_equal(record.bytes, again.bytes)); /* a fresh nonce */
	ck_assert_ptr_null(memmem(record.bytes.ptr, record.bytes.len, "plaintext", 9));
	ck_assert_ok(barrier_open(seal, &call, &record, &text));
	ck_assert_bytes(text, "some plaintext");
	record = sealed(id_of(1, 1), 1, "");
	ck_assert_ok(barrier_open(seal, &call, &record, &text));
	ck_assert_uint_eq(text.len, 0);
}
END_TEST

START_TEST(every_bit)
{
	struct store_record record = sealed(id_of(1, 1), 7, "text"), copy = record;

	for (size_t bit = 0; bit < 8 * record.bytes.len; bit++) {
		struct bulla_bytes bytes = bulla_arena_copy(call.arena, record.bytes);

		((uint8_t *)(uintptr_t)bytes.ptr)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		copy.bytes = bytes;
		ck_assert_err(opens(&copy), BULLA_E_STORE_DAMAGED);
	}
	for (size_t n = 0; n < record.bytes.len; n++) {
		copy.bytes = bulla_mem(record.bytes.ptr, n);
		ck_assert_err(opens(&copy), BULLA_E_STORE_DAMAGED);
	}
	ck_assert_ok(opens(&record));
}
END_TEST

START_TEST(moved)
{
	struct store_record a = sealed(id_of(1, 1), 7, "a"), b = sealed(id_of(1, 2), 7, "b"), x = a;

	x.id = b.id;
	ck_assert_err(opens(&x), BULLA_E_STORE_DAMAGED);
	ck_assert_detail(call, "the stored record 0100000000000000000000000000000000000000000000000000000000000002 is damaged");
	x = b, x.id = a.id;
	ck_assert_err(opens(&x), BULLA_E_STORE_DAMAGED);
	x = a, x.revision = 8;
	ck_assert_err(opens(&x), BULLA_E_STORE_DAMAGED);
	x = a, x.revision = 6;
	ck_assert_err(opens(&x), BULLA_E_STORE_DAMAGED);
	for (unsigned bit = 0; bit < 256; bit++) {
		x = a, x.id.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_err(opens(&x), BULLA_E_STORE_DAMAGED);
	}
}
END_TEST

START_TEST(data_keys)
{
	uint8_t key[32] = "a data key", other[32] = "another";
	struct store_record record = { .id = id_of(1, 1), .revision = 3 }, barrier = sealed(id_of(1, 1), 3, "text"), x;
	struct bulla_bytes text = bulla_str("untouched");

	ck_assert_ok(record_seal(key, &call, &record.id, 3, bulla_str("material"), &record.bytes));
	ck_assert_uint_eq(bulla_get_u32(record.bytes.ptr + 1), 0);
	ck_assert_err(record_open(other, &call, &record, &text), BULLA_E_STORE_DAMAGED);
	ck_assert_err(record_open(key, &call, &barrier, &text), BULLA_E_STORE_DAMAGED);
	ck_assert_err(opens(&record), BULLA_E_STORE_DAMAGED); /* nor does the barrier open what a data key sealed */
	x = record, x.revision = 2;
	ck_assert_err(record_open(key, &call, &x, &text), BULLA_E_STORE_DAMAGED);
	x = record, x.id = id_of(1, 2);
	ck_assert_err(record_open(key, &call, &x, &text), BULLA_E_STORE_DAMAGED);
	x = record, x.bytes.len = 32;
	ck_assert_err(record_open(key, &call, &x, &text), BULLA_E_STORE_DAMAGED);
	ck_assert_bytes(text, "untouched");
	ck_assert_ok(record_open(key, &call, &record, &text));
	ck_assert_bytes(text, "material");
}
END_TEST

/* ---- slots -------------------------------------------------------------------------- */

static struct store_id slot(const char *kind, const char *scope, const char *scope2, const char *item)
{
	struct barrier_name name = { kind, bulla_str(scope), bulla_str(scope2), bulla_str(item) };
	struct store_id id;

	ck_assert_ok(barrier_slot(seal, &name, &id));
	return id;
}

static bool same_collection(struct store_id a, struct store_id b)
{
	return memcmp(a.bytes, b.bytes, STORE_COLLECTION) == 0;
}

static bool same(struct store_id a, struct store_id b)
{
	return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

START_TEST(slots)
{
	struct store_id a = slot("key", "mount", "", "cards");
	char longer[3000];

	ck_assert(same(a, slot("key", "mount", "", "cards")));
	ck_assert(same_collection(a, slot("key", "mount", "", "other")));
	ck_assert(!same(a, slot("key", "mount", "", "other")));
	ck_assert(!same_collection(a, slot("version", "mount", "", "cards")));
	ck_assert(!same_collection(a, slot("key", "moun", "t", "cards")));
	ck_assert(!same_collection(slot("key", "ab", "c", "x"), slot("key", "a", "bc", "x")));
	ck_assert(!same_collection(slot("key", "ab", "", "x"), slot("keya", "b", "", "x")));
	ck_assert(!same(slot("key", "", "", "x"), slot("key", "", "x", "")));
	ck_assert(memcmp(a.bytes, a.bytes + STORE_COLLECTION, STORE_COLLECTION) != 0);
	/* what separators would take for the same, lengths do not */
	struct barrier_name one = { "key", bulla_mem("a\0\0\0\0b", 6), bulla_str("c"), bulla_str("x") };
	struct barrier_name two = { "key", bulla_str("a"), bulla_mem("b\0\0\0\0c", 6), bulla_str("x") };
	struct store_id id_one, id_two;

	ck_assert_ok(barrier_slot(seal, &one, &id_one));
	ck_assert_ok(barrier_slot(seal, &two, &id_two));
	ck_assert(!same_collection(id_one, id_two));
	memset(longer, 'n', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	struct store_id b = slot("key", "mount", "", longer);

	longer[sizeof longer - 2] = 'm';
	ck_assert(same_collection(b, slot("key", "mount", "", longer)));
	ck_assert(!same(b, slot("key", "mount", "", longer)));
}
END_TEST

/* Slots must be found again after a restart and after rotations, and be others in another database. */
START_TEST(slots_stay)
{
	struct store_id before = slot("key", "mount", "", "cards");
	struct bulla_seal_config config = static_config("a");
	struct bulla_init_args args = static_args(0, 0);
	struct bulla_init_result init;
	struct store *second;

	ck_assert_ok(seal_rotate(seal, &call));
	close_and_forget(seal);
	ck_assert_ok(seal_unseal_auto(seal, &call));
	ck_assert(same(before, slot("key", "mount", "", "cards")));
	struct seal *first = seal;

	ck_assert_ok(open_at(NULL, 0, &second));
	ck_assert_ok(seal_new(second, &config, &call, &seal));
	ck_assert_ok(init_seal(seal, &call, &args, &init));
	ck_assert(!same_collection(before, slot("key", "mount", "", "cards")));
	seal_free(seal);
	store_close(second);
	seal = first;
}
END_TEST

/* ---- rotation and counting -------------------------------------------------------------- */

static struct bulla_barrier_status barrier_status(void)
{
	struct bulla_barrier_status status;

	ck_assert_ok(seal_barrier_status(seal, &call, &status));
	return status;
}

START_TEST(rotation)
{
	struct store_record records[4];

	ck_assert_uint_eq(barrier_status().term, 1);
	ck_assert_int_gt(barrier_status().installed_date_ns, INT64_C(1500000000) * 1000000000);
	for (unsigned i = 0; i < 4; i++) {
		records[i] = sealed(id_of(1, i), 1, "text");
		ck_assert_uint_eq(bulla_get_u32(records[i].bytes.ptr + 1), i + 1);
		ck_assert_ok(seal_rotate(seal, &call));
		ck_assert_uint_eq(barrier_status().term, i + 2);
		ck_assert_uint_eq(barrier_status().encryptions, 0);
	}
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 4; i++)
			ck_assert_ok(opens(&records[i]));
		close_and_forget(seal);
		ck_assert_err(opens(&records[0]), BULLA_E_SEALED);
		ck_assert_err(seal_rotate(seal, &call), BULLA_E_SEALED);
		ck_assert_ok(seal_unseal_auto(seal, &call));
		ck_assert_uint_eq(barrier_status().term, 5);
	}
	/* a term that never was, and one that is not the record's */
	struct bulla_bytes bytes = bulla_arena_copy(call.arena, records[0].bytes);

	for (uint32_t term = 2; term < 8; term++) {
		bulla_put_u32((uint8_t *)(uintptr_t)bytes.ptr + 1, term);
		records[0].bytes = bytes;
		ck_assert_err(opens(&records[0]), BULLA_E_STORE_DAMAGED);
	}
}
END_TEST

START_TEST(rotation_on_full_disk)
{
	struct store_record record = sealed(id_of(1, 1), 1, "text");
	static uint8_t kilobytes[60000];
	struct store *tiny;
	struct seal *full;
	struct bulla_seal_config config = static_config("a");
	struct bulla_init_args args = static_args(0, 0);
	struct bulla_init_result init;
	struct bulla_barrier_status status;
	enum bulla_err err = BULLA_OK;

	ck_assert_ok(opens(&record));
	ck_assert_ok(open_at(NULL, 100000, &tiny));
	ck_assert_ok(seal_new(tiny, &config, &call, &full));
	ck_assert_ok(init_seal(full, &call, &args, &init));
	for (unsigned i = 0; err == BULLA_OK; i++) {
		struct store_write write = { .id = id_of(1, i), .change = STORE_PUT, .expected = 0, .bytes = bulla_mem(kilobytes, 3000) };

		err = store_commit(tiny, &call, &write, 1, NULL);
	}
	uint32_t term = 1;

	for (unsigned i = 0; (err = seal_rotate(full, &call)) == BULLA_OK; i++)
		term++;
	ck_assert_err(err, BULLA_E_STORE_FULL);
	ck_assert_ok(seal_barrier_status(full, &call, &status));
	ck_assert_uint_eq(status.term, term); /* not one that is not in the store */
	struct bulla_bytes out;

	ck_assert_ok(barrier_seal(full, &call, &record.id, 1, bulla_str("x"), &out));
	seal_free(full);
	store_close(tiny);
}
END_TEST

#define BLOCK 65536

static void seal_many(unsigned n)
{
	struct bulla_bytes out;
	struct store_id id = id_of(1, 1);
	struct bulla_call own = call_begin();

	for (unsigned i = 0; i < n; i++) {
		ck_assert_ok(barrier_seal(seal, &own, &id, 1, bulla_str("x"), &out));
		if (i % 64 == 0)
			bulla_arena_reset(own.arena);
	}
	call_end(&own);
}

/* The count in the store is never behind, crash or not: an opening goes on where the last block ended. */
START_TEST(counted)
{
	struct bulla_bytes out;
	struct store_id id = id_of(1, 1);
	uint64_t before = 0;

	seal_many(10);
	ck_assert_uint_eq(barrier_status().encryptions, 10);
	for (unsigned i = 1; i < 4; i++) {
		close_and_forget(seal);
		uint64_t transactions = store_counts(store).transactions;

		ck_assert_ok(seal_unseal_auto(seal, &call));
		ck_assert_uint_ge(barrier_status().encryptions, before + BLOCK);
		before = barrier_status().encryptions;
		ck_assert_uint_eq(store_counts(store).transactions, transactions); /* reading needs no room on the disk */
		call.may_block = false;
		ck_assert_err(barrier_seal(seal, &call, &id, 1, bulla_str("x"), &out), BULLA_E_MUST_BLOCK);
		call.may_block = true;
		seal_many(1);
		ck_assert_uint_eq(store_counts(store).transactions, transactions + 1);
		ck_assert_uint_ge(barrier_status().encryptions, before + 1);
	}
	uint64_t transactions = store_counts(store).transactions;

	seal_many(BLOCK);
	ck_assert_uint_eq(store_counts(store).transactions, transactions + 1);
	ck_assert_uint_eq(barrier_status().term, 1);
}
END_TEST

/* What cannot be counted durably is not sealed; what was written stays readable. */
START_TEST(not_counted_not_sealed)
{
	struct bulla_seal_config config = static_config("a");
	struct bulla_init_args args = static_args(0, 0);
	struct bulla_init_result init;
	struct rlimit old, none;
	struct store *on_disk;
	struct store_record record = { .id = id_of(1, 1), .revision = 1 };
	struct bulla_bytes out;
	struct seal *first = seal;

	folder_make();
	ck_assert_ok(open_at(file, 0, &on_disk));
	ck_assert_ok(seal_new(on_disk, &config, &call, &seal));
	ck_assert_ok(init_seal(seal, &call, &args, &init));
	ck_assert_ok(barrier_seal(seal, &call, &record.id, 1, bulla_str("text"), &record.bytes));
	close_and_forget(seal);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	none = (struct rlimit){ 1, old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	ck_assert_ok(seal_unseal_auto(seal, &call));
	for (unsigned i = 0; i < 3; i++)
		ck_assert_err(barrier_seal(seal, &call, &record.id, 2, bulla_str("x"), &out), BULLA_E_STORE_FULL);
	ck_assert_ok(opens(&record));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_ok(barrier_seal(seal, &call, &record.id, 2, bulla_str("x"), &out));
	seal_free(seal);
	store_close(on_disk);
	folder_remove();
	seal = first;
}
END_TEST

START_TEST(rotates_by_itself)
{
	seal_limit_set(seal, 1000);
	struct store_record record = sealed(id_of(1, 1), 1, "old");

	seal_many(BLOCK - 1);
	ck_assert_uint_eq(barrier_status().term, 1);
	seal_many(1);
	ck_assert_uint_eq(barrier_status().term, 2);
	ck_assert_uint_eq(barrier_status().encryptions, 1);
	ck_assert_ok(opens(&record));
}
END_TEST

static atomic_bool stop;
static struct store_record shared_record;

/* Readers and sealers take no lock: a rotation under way must not disturb them. SEALED is the only thing they may meet. */
static void *worker(void *context)
{
	struct bulla_call own = call_begin();
	bool met_seal = false;

	(void)context;
	while (!stop) {
		struct bulla_bytes text, out;
		struct store_record mine = { .id = id_of(2, 2), .revision = 1 };
		enum bulla_err err = barrier_open(seal, &own, &shared_record, &text);

		ck_assert(err == BULLA_OK || err == BULLA_E_SEALED);
		met_seal |= err == BULLA_E_SEALED;
		err = barrier_seal(seal, &own, &mine.id, 1, bulla_str("mine"), &out);
		ck_assert(err == BULLA_OK || err == BULLA_E_SEALED);
		mine.bytes = out;
		if (err == BULLA_OK)
			err = barrier_open(seal, &own, &mine, &text);
		ck_assert(err == BULLA_OK || err == BULLA_E_SEALED);
		bulla_arena_reset(own.arena);
	}
	call_end(&own);
	return met_seal ? &stop : NULL;
}

START_TEST(many_threads)
{
	pthread_t threads[4];

	stop = false;
	shared_record = sealed(id_of(1, 1), 1, "shared");
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, worker, NULL), 0);
	for (unsigned i = 0; i < 30; i++) {
		ck_assert_ok(seal_rotate(seal, &call));
		if (i % 10 == 9) {
			close_and_forget(seal);
			usleep(2000);
			ck_assert_ok(seal_unseal_auto(seal, &call));
		}
		usleep(500);
	}
	stop = true;
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(barrier_status().term, 31);
}
END_TEST

START_TEST(too_many_terms)
{
	enum bulla_err err = BULLA_OK;

	while (err == BULLA_OK) {
		err = seal_rotate(seal, &call);
		if (err == BULLA_OK)
			bulla_arena_reset(call.arena);
	}
	ck_assert_err(err, BULLA_E_INVALID);
	ck_assert_uint_eq(barrier_status().term, 1024);
	close_and_forget(seal);
	ck_assert_ok(seal_unseal_auto(seal, &call));
	ck_assert_uint_eq(barrier_status().term, 1024);
	seal_limit_set(seal, 1);
	seal_many(2); /* no term can be added: it counts on under the last one */
	ck_assert_uint_eq(barrier_status().term, 1024);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal/barrier");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, every_bit);
	tcase_add_test(tc, moved);
	tcase_add_test(tc, data_keys);
	tcase_add_test(tc, slots);
	tcase_add_test(tc, slots_stay);
	tcase_add_test(tc, rotation);
	tcase_add_test(tc, rotation_on_full_disk);
	tcase_add_test(tc, counted);
	tcase_add_test(tc, not_counted_not_sealed);
	tcase_add_test(tc, rotates_by_itself);
	tcase_add_test(tc, many_threads);
	tcase_add_test(tc, too_many_terms);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
