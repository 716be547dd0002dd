/* Runs every suite in one process, and then asks whether every route has been answered by one of them. */
#include <stdlib.h>

#include "pipeline.h"

START_TEST(every_row_has_a_case)
{
	char missing[128];
	size_t rows, good = pipeline_rows_answered(&rows, missing);

	ck_assert_uint_gt(rows, 0);
	ck_assert_msg(good == rows, "%zu of %zu routes; none answers %s", good, rows, missing);
}
END_TEST

static Suite *last_suite(void)
{
	Suite *suite = suite_create("pipeline/rows");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, every_row_has_a_case);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	if (bulla_memory_init(false) != BULLA_OK)
		return 99;
	SRunner *runner = srunner_create(gates_suite());

	srunner_add_suite(runner, audit_suite());
	srunner_add_suite(runner, transit_suite());
	srunner_add_suite(runner, moving_suite());
	srunner_add_suite(runner, sys_suite());
	srunner_add_suite(runner, token_suite());
	srunner_add_suite(runner, approle_suite());
	srunner_add_suite(runner, userpass_suite());
	srunner_add_suite(runner, signing_suite());
	srunner_add_suite(runner, wrapping_suite());
	srunner_add_suite(runner, quota_suite());
	srunner_add_suite(runner, cert_suite());
	srunner_add_suite(runner, jwt_suite());
	srunner_add_suite(runner, cubbyhole_suite());
	srunner_add_suite(runner, leases_suite());
	srunner_add_suite(runner, policies_suite());
	srunner_add_suite(runner, walk_suite());
	srunner_add_suite(runner, last_suite());
	/* one process: the rows that were answered are counted over all suites */
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
