/* What is deleted is in no file, however SQLite moves records from page to page meanwhile; and what is there stays. */
#include "store_unit.h"

#include <stdlib.h>

#define LIVE 64    /* places */
#define ROUNDS 200
#define AT_ONCE 8  /* writes of a commit */
#define GONE 512   /* of those that are gone, the last ones */
#define MARK 16    /* bytes that each record begins with, and no other has */
#define MAX_BYTES 6000

static struct store *store;
static unsigned random_state, made;
static uint64_t revisions[LIVE];
static uint8_t live[LIVE][MARK], gone[GONE][MARK], bytes[AT_ONCE][MAX_BYTES];
static size_t gone_count;

static unsigned any(unsigned below)
{
	random_state = random_state * 1103515245 + 12345;
	return random_state / 65536 % 32768 % below;
}

static struct store_id place(unsigned i)
{
	struct store_id id = { { 0 } };

	for (size_t b = 0; b < sizeof id.bytes; b++)
		id.bytes[b] = (uint8_t)(i * 2654435761u >> (b % 4 * 8));
	return id;
}

/* Mostly small ones, as records are; some take pages of their own. */
static size_t fill(uint8_t *out)
{
	static const size_t sizes[] = { 46, 46, 60, 130, 130, 200, 900, MAX_BYTES };
	size_t n = sizes[any(sizeof sizes / sizeof *sizes)];

	memset(out, 0xa5, n);
	snprintf((char *)out, MARK, "mark %010u", made++);
	return n;
}

/* Another record at the place, or none. */
static struct store_write write_at(unsigned i, uint8_t *room)
{
	struct store_write write = { .id = place(i), .expected = revisions[i], .change = STORE_DELETE };

	if (revisions[i] != 0)
		memcpy(gone[gone_count++ % GONE], live[i], MARK);
	if (revisions[i] == 0 || any(3) == 0) {
		write.change = STORE_PUT;
		write.bytes = bulla_mem(room, fill(room));
		memcpy(live[i], room, MARK);
		revisions[i]++;
	} else {
		revisions[i] = 0;
	}
	return write;
}

static void change_some(void)
{
	struct bulla_call call = call_begin();
	struct store_write writes[AT_ONCE];
	unsigned first = any(LIVE);

	for (unsigned i = 0; i < AT_ONCE; i++)
		writes[i] = write_at((first + i * 7) % LIVE, bytes[i]);
	ck_assert_ok(store_commit(store, &call, writes, AT_ONCE, NULL));
	ck_assert_ok(store_scrub(store, &call));
	call_end(&call);
}

static uint8_t *whole_file(size_t *n)
{
	static uint8_t whole[4 << 20];
	FILE *f = fopen(file, "rb");

	ck_assert_ptr_nonnull(f);
	*n = fread(whole, 1, sizeof whole, f);
	ck_assert_uint_lt(*n, sizeof whole);
	fclose(f);
	return whole;
}

static void assert_gone(void)
{
	size_t n;
	const uint8_t *whole = whole_file(&n);

	for (size_t i = 0; i < gone_count && i < GONE; i++)
		ck_assert_msg(memmem(whole, n, gone[i], MARK) == NULL, "%s is there still", (const char *)gone[i]);
}

static void assert_live(void)
{
	for (unsigned i = 0; i < LIVE; i++) {
		struct bulla_call call = call_begin();
		const struct store_id id = place(i);
		struct store_record record;
		enum bulla_err err = store_get(store, &call, &id, &record);

		ck_assert_int_eq(err, revisions[i] != 0 ? BULLA_OK : BULLA_E_NOT_FOUND);
		if (err == BULLA_OK) {
			ck_assert_int_eq(memcmp(record.bytes.ptr, live[i], MARK), 0);
			for (size_t at = MARK; at < record.bytes.len; at++)
				ck_assert_uint_eq(record.bytes.ptr[at], 0xa5);
		}
		call_end(&call);
	}
}

START_TEST(nothing_is_left)
{
	random_state = (unsigned)_i;
	gone_count = 0;
	memset(revisions, 0, sizeof revisions);
	for (unsigned i = 0; i < ROUNDS; i++) {
		change_some();
		assert_gone();
	}
	assert_live();
	store_close(store);
	ck_assert_ok(open_at(file, 0, &store));
	assert_live();
}
END_TEST

static void setup(void)
{
	folder_make();
	ck_assert_ok(open_at(file, 0, &store));
}

static void teardown(void)
{
	store_close(store);
	folder_remove();
}

int main(void)
{
	Suite *suite = suite_create("store/sqlite_vfs");
	TCase *tc = tcase_create("pages");

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, nothing_is_left, 0, 3);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
