/* What only the file has: a disk that the kernel calls full, a log that is emptied, and bytes that are gone. */
#include "store_cases.h"

#include <signal.h>
#include <sys/resource.h>

/* The kernel refuses to let the log grow. */
START_TEST(full_by_kernel)
{
	struct rlimit old, limit;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){ 400000, old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fill();
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	recover();
	store_close(store);
	ck_assert_ok(open_at(file, 0, &store));
	ck_assert_str_eq(text_of(store, id_of(1, 0), NULL), "changed");
}
END_TEST

/* The log may not grow, but it can be emptied into the file: one record that is written again and again never fills the disk. */
START_TEST(full_log_is_emptied)
{
	struct rlimit old, limit;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){ 100000, old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned i = 0; i < 200; i++)
		ck_assert_ok(commit_one(store, put(id_of(1, 1), i, "text")));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
}
END_TEST

/* ---- what was deleted is in no file ------------------------------------------------ */

static bool file_holds(const char *suffix, const char *needle)
{
	char path[128];
	static uint8_t bytes[1 << 20];

	snprintf(path, sizeof path, "%s%s", file, suffix);
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		return false;
	size_t n = fread(bytes, 1, sizeof bytes, f);

	fclose(f);
	for (size_t i = 0; i + strlen(needle) <= n; i++)
		if (memcmp(bytes + i, needle, strlen(needle)) == 0)
			return true;
	return false;
}

START_TEST(scrub)
{
	static const char needle[] = "a needle that nothing else contains";
	struct bulla_call call = call_begin();

	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, needle)));
	ck_assert_ok(commit_one(store, put(id_of(1, 2), 0, "stays")));
	ck_assert(file_holds("", needle) || file_holds("-wal", needle));
	ck_assert_ok(store_scrub(store, &call));
	ck_assert(file_holds("", needle));
	ck_assert_ok(commit_one(store, del(id_of(1, 1), 1)));
	ck_assert_ok(store_scrub(store, &call));
	ck_assert(!file_holds("", needle) && !file_holds("-wal", needle));
	ck_assert_str_eq(text_of(store, id_of(1, 2), NULL), "stays");
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/sqlite_commit");
	TCase *tc = tcase_create("on a file");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, set_up_file, tear_down);
	tcase_add_test(tc, full_by_kernel);
	tcase_add_test(tc, full_log_is_emptied);
	tcase_add_test(tc, scrub);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
