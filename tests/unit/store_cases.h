/* store_cases.h: the store that each case of a test begins with, on a file or in memory; and how one is filled. */
#ifndef TESTS_STORE_CASES_H
#define TESTS_STORE_CASES_H

#include "store_unit.h"

static struct store *store;

__attribute__((unused)) static void set_up_file(void)
{
	folder_make();
	ck_assert_ok(open_at(file, 0, &store));
}

__attribute__((unused)) static void set_up_memory(void)
{
	folder_make();
	ck_assert_ok(open_at(NULL, 0, &store));
}

__attribute__((unused)) static void tear_down(void)
{
	store_close(store);
	folder_remove();
}

__attribute__((unused)) static char kilobytes[16385];

/* Writes until it is full, and checks that all the rest works. */
__attribute__((unused)) static void fill(void)
{
	unsigned i = 1;
	enum bulla_err err = BULLA_OK;
	struct bulla_call call = call_begin();

	memset(kilobytes, 'k', sizeof kilobytes - 1);
	ck_assert_ok(commit_one(store, put(id_of(1, 0), 0, "first")));
	while (err == BULLA_OK && i < 1000)
		err = commit_one(store, put(id_of(2, i++), 0, kilobytes));
	ck_assert_err(err, BULLA_E_STORE_FULL);
	i--;
	ck_assert_uint_gt(i, 3);
	for (unsigned again = 0; again < 3; again++) {
		struct store_write pair[] = { put(id_of(1, 0), 1, "changed"), put(id_of(2, i), 0, kilobytes) };

		ck_assert_err(store_commit(store, &call, pair, 2, NULL), BULLA_E_STORE_FULL);
		ck_assert_str_eq(text_of(store, id_of(1, 0), NULL), "first");
		ck_assert_ptr_null(text_of(store, id_of(2, i), NULL));
	}
	call_end(&call);
}

__attribute__((unused)) static void recover(void)
{
	struct bulla_call call = call_begin();

	for (unsigned i = 1; i < 4; i++)
		ck_assert_ok(commit_one(store, del(id_of(2, i), 1)));
	ck_assert_ok(store_scrub(store, &call));
	ck_assert_ok(commit_one(store, put(id_of(2, 1), 0, kilobytes)));
	ck_assert_ok(commit_one(store, put(id_of(1, 0), 1, "changed")));
	call_end(&call);
}

#endif
