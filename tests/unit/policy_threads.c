/* Many threads ask what they may do while policies change, under ThreadSanitizer: an answer is that of a policy that was there, a
 * change counts for whoever asks after it, and a grant that is held may be read to the end. */
#include <pthread.h>
#include <stdatomic.h>

#include "access/grant.h"
#include "engine_unit.h"

#define READERS 3
#define CHANGES 200

static const struct bulla_bytes names[] = { { (const uint8_t *)"a", 1 }, { (const uint8_t *)"b", 1 }, { (const uint8_t *)"default", 7 } };
static const struct bulla_pair tenant[] = { { { (const uint8_t *)"t", 1 }, { (const uint8_t *)"x", 1 } } };

static atomic_int changed; /* how many changes are acknowledged: odd: read is granted, even: update is */
static atomic_bool stop;

static unsigned can_now(const struct bulla_token *token)
{
	return bulla_capabilities(engine, token, bulla_str("x/y"));
}

/* What is granted is what the last acknowledged change says, or a later one. */
static void *read_on(void *context)
{
	size_t number = (size_t)(uintptr_t)context;
	struct bulla_token token = { .policies = names, .policy_count = 1 + number % 3 };

	while (!stop) {
		int before = changed;
		unsigned can = can_now(&token);

		ck_assert(can == BULLA_CAN_READ || can == BULLA_CAN_UPDATE);
		if (changed == before && changed == CHANGES)
			ck_assert_uint_eq(can, BULLA_CAN_UPDATE);
	}
	ck_assert_uint_eq(can_now(&token), BULLA_CAN_UPDATE);
	return NULL;
}

static void *hold_grants(void *unused)
{
	const struct bulla_token token = { .policies = names, .policy_count = 1 };
	const struct bulla_ask ask = { .need = BULLA_CAN_UPDATE, .takes_context = true, .path = bulla_str("x/y") };
	struct grant_budget budget;

	while (!stop) {
		struct bulla_call c = call_begin();

		c.token = &token;
		if (bulla_authorise(engine, &c, &ask) == BULLA_OK) {
			ck_assert_ok(grant_check_context(&c, tenant, 1));
			ck_assert_err(grant_check_context(&c, NULL, 0), BULLA_E_DENIED);
			ck_assert(grant_budget(c.grant, 0, &budget) && budget.windows[0].items == 5);
			bulla_grant_put(c.grant);
		}
		c.grant = NULL;
		c.token = NULL;
		call_end(&c);
	}
	return unused;
}

static void change(int number)
{
	const char *text = number % 2 == 1 ? "path \"x/*\" { capabilities = [\"read\"] }" :
		"path \"x/*\" { capabilities = [\"update\"] required_encryption_context = { t = \"x\" } budget = \"5/s\" }";
	struct bulla_call c = call_begin();

	c.token = call.token;
	ck_assert_ok(bulla_policy_put(engine, &c, &(struct bulla_policy_put_args){ .name = names[0], .text = bulla_str(text) }));
	c.token = NULL;
	call_end(&c);
}

START_TEST(changed_while_read)
{
	pthread_t readers[READERS], holder;

	stop = false;
	changed = 0;
	change(0);
	for (size_t i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, read_on, (void *)(uintptr_t)i), 0);
	ck_assert_int_eq(pthread_create(&holder, NULL, hold_grants, NULL), 0);
	for (int i = 1; i <= CHANGES; i++) {
		change(i);
		changed = i;
	}
	stop = true;
	for (size_t i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
	ck_assert_int_eq(pthread_join(holder, NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy/threads");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, engine_setup, engine_teardown);
	tcase_add_test(tc, changed_while_read);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
