/* store_cases.h: the store that each case of a test begins with, on a file or in memory. */
#ifndef TESTS_STORE_CASES_H
#define TESTS_STORE_CASES_H

#include "store_unit.h"

static struct store *store;

static void set_up_file(void)
{
	folder_make();
	ck_assert_ok(open_at(file, 0, &store));
}

static void set_up_memory(void)
{
	folder_make();
	ck_assert_ok(open_at(NULL, 0, &store));
}

static void tear_down(void)
{
	store_close(store);
	folder_remove();
}

#endif
