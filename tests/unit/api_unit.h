/* api_unit.h: the main of the unit tests of api/. */
#ifndef TESTS_API_UNIT_H
#define TESTS_API_UNIT_H

#include <check.h>
#include <sodium.h>
#include <stdlib.h>

static inline int api_unit_main(TCase *cases, const char *name)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);

	if (sodium_init() < 0)
		return 99;
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
