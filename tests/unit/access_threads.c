/* Many threads at once on tokens and mounts, under ThreadSanitizer: a use is never counted twice, what was revoked stays revoked,
 * and whoever holds a snapshot may read it to the end, sealing included. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "engine_unit.h"

#define THREADS 4

static const struct bulla_bytes policy_default = { (const uint8_t *)"default", 7 };
static const struct bulla_bytes policy_root = { (const uint8_t *)"root", 4 };

static atomic_bool stop;
static atomic_int granted;
static char shared[64];

static void run(void *(*fn)(void *), unsigned count, pthread_t threads[])
{
	for (unsigned i = 0; i < count; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, fn, (void *)(uintptr_t)i), 0);
}

static void join(unsigned count, pthread_t threads[])
{
	for (unsigned i = 0; i < count; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

static void make(struct bulla_call *c, const struct bulla_bytes *policy, int64_t num_uses, char out[64])
{
	const struct bulla_token_create_args args = { .policies = policy, .policy_count = 1, .num_uses = num_uses, .ttl_s = 3600,
						      .renewable = true, .path = bulla_str("auth/token/create") };
	struct bulla_auth auth;

	ck_assert_ok(bulla_token_create(engine, c, &args, &auth));
	memset(out, 0, 64);
	memcpy(out, auth.client_token.ptr, auth.client_token.len);
	bulla_token_put(auth.token);
}

/* ---- uses ------------------------------------------------------------------ */

static void *take_uses(void *unused)
{
	for (int i = 0; i < 20; i++) {
		struct bulla_call c = call_begin();
		enum bulla_err err = bulla_authenticate(engine, &c, bulla_str(shared));

		ck_assert(err == BULLA_OK || err == BULLA_E_NO_TOKEN);
		granted += err == BULLA_OK;
		call_done(&c);
	}
	return unused;
}

START_TEST(uses_are_exact)
{
	pthread_t threads[THREADS];

	make(&call, &policy_default, 37, shared);
	granted = 0;
	run(take_uses, THREADS, threads);
	join(THREADS, threads);
	ck_assert_int_eq(granted, 37);
}
END_TEST

/* ---- revoking what is read ------------------------------------------------- */

static void *read_shared(void *unused)
{
	bool gone = false;

	for (bool last = false; !last;) {
		last = stop; /* one more look after the revocation is done */
		struct bulla_call c = call_begin();
		enum bulla_err err = bulla_authenticate(engine, &c, bulla_str(shared));

		if (err == BULLA_OK) {
			ck_assert(!gone); /* it never comes back */
			ck_assert_bytes(c.token->policies[0], "default");
			(void)bulla_capabilities(engine, c.token, bulla_str("cubbyhole/x"));
		}
		gone = gone || err == BULLA_E_NO_TOKEN;
		ck_assert(err == BULLA_OK || err == BULLA_E_NO_TOKEN);
		call_done(&c);
	}
	ck_assert(gone);
	return unused;
}

static void *renew_shared(void *unused)
{
	while (!stop) {
		struct bulla_call c = call_begin();
		struct bulla_auth auth = { 0 };
		enum bulla_err err = bulla_token_renew(engine, &c, bulla_str(shared), 100, &auth);

		ck_assert(err == BULLA_OK || err == BULLA_E_INVALID); /* "token not found" */
		bulla_token_put(auth.token);
		call_done(&c);
	}
	return unused;
}

START_TEST(revoked_while_read)
{
	pthread_t readers[THREADS], renewer;
	struct bulla_call parent;
	char parent_text[64];

	make(&call, &policy_root, 0, parent_text);
	parent = call_as(parent_text);
	make(&parent, &policy_default, 0, shared);
	call_done(&parent);
	stop = false;
	run(read_shared, THREADS, readers);
	run(renew_shared, 1, &renewer);
	for (int i = 0; i < 30; i++) { /* others come and go meanwhile */
		char other[64];

		make(&call, &policy_default, 0, other);
		ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(other)));
	}
	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(_i == 0 ? shared : parent_text)));
	struct bulla_call c = call_begin();

	ck_assert_err(bulla_authenticate(engine, &c, bulla_str(shared)), BULLA_E_NO_TOKEN);
	call_end(&c);
	for (int i = 0; i < 20; i++) {
		c = call_begin();
		ck_assert_err(bulla_authenticate(engine, &c, bulla_str(shared)), BULLA_E_NO_TOKEN);
		call_end(&c);
	}
	usleep(20000); /* so that each reader asks once more */
	stop = true;
	join(THREADS, readers);
	join(1, &renewer);
}
END_TEST

/* ---- children of a parent that is revoked ---------------------------------- */

static char parent_text[64], children[THREADS * 20][640];

static void *make_children(void *unused)
{
	struct bulla_call c = call_begin();

	if (bulla_authenticate(engine, &c, bulla_str(parent_text)) == BULLA_OK) {
		for (int i = 0; i < 20; i++) {
			const struct bulla_token_create_args args = { .policies = &policy_default, .policy_count = 1, .ttl_s = 60,
								      .type = bulla_str(i % 3 == 0 ? "batch" : "service"),
								      .path = bulla_str("auth/token/create") };
			struct bulla_call child = call_begin();
			struct bulla_auth auth;

			if (bulla_token_create(engine, &c, &args, &auth) == BULLA_OK) {
				(void)!bulla_authenticate(engine, &child, auth.client_token);
				bulla_token_put(auth.token);
				/* kept for the check after all is over */
				int n = atomic_fetch_add(&granted, 1);

				ck_assert_uint_lt(auth.client_token.len, sizeof children[n]);
				memset(children[n], 0, sizeof children[n]);
				memcpy(children[n], auth.client_token.ptr, auth.client_token.len);
			}
			call_done(&child);
		}
	}
	call_done(&c);
	return unused;
}

START_TEST(no_child_outlives_its_parent)
{
	pthread_t threads[THREADS];

	make(&call, &policy_root, 0, parent_text);
	granted = 0;
	run(make_children, THREADS, threads);
	usleep(3000 * (unsigned)_i);
	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(parent_text)));
	join(THREADS, threads);
	for (int i = 0; i < granted; i++) {
		struct bulla_call c = call_begin();

		ck_assert_err(bulla_authenticate(engine, &c, bulla_str(children[i])), BULLA_E_NO_TOKEN);
		call_end(&c);
	}
}
END_TEST

/* ---- the clock goes on ------------------------------------------------------- */

static _Atomic int64_t now_ns;

static int64_t clock_ns(void)
{
	return now_ns;
}

#define TTL_S 600

/* Between two ticks no more are made than one has removed before long, however seldom it gets the processor. */
#define MADE_A_TICK 200
static atomic_int made;

/* Whoever still has time is let in, whatever is being removed around it; whoever has none is not. */
static void *live_on(void *unused)
{
	while (!stop) {
		if (made++ >= MADE_A_TICK) {
			sched_yield();
			continue;
		}
		int64_t made_ns = now_ns;
		char text[64];
		struct bulla_call root = call_as(root_token);
		const struct bulla_token_create_args args = { .policies = &policy_default, .policy_count = 1, .ttl_s = TTL_S,
							      .renewable = true, .path = bulla_str("auth/token/create") };
		struct bulla_auth auth;

		ck_assert_ok(bulla_token_create(engine, &root, &args, &auth));
		memset(text, 0, sizeof text);
		memcpy(text, auth.client_token.ptr, auth.client_token.len);
		bulla_token_put(auth.token);
		for (int i = 0; i < 3; i++) {
			struct bulla_call c = call_begin();
			int64_t asked_ns = now_ns;
			enum bulla_err err = bulla_token_renew(engine, &c, bulla_str(text), 0, &auth);

			if (err == BULLA_OK) {
				made_ns = asked_ns; /* at the earliest */
				bulla_token_put(auth.token);
			}
			bool over = now_ns - made_ns >= TTL_S * INT64_C(1000000000);

			ck_assert(err == BULLA_OK || (err == BULLA_E_INVALID && over));
			call_end(&c);
			c = call_begin();
			err = bulla_authenticate(engine, &c, bulla_str(text));
			over = now_ns - made_ns >= TTL_S * INT64_C(1000000000);
			ck_assert(err == BULLA_OK || (err == BULLA_E_NO_TOKEN && over));
			call_done(&c);
		}
		call_done(&root);
		granted++;
	}
	return unused;
}

START_TEST(removed_while_others_live)
{
	pthread_t threads[THREADS];
	struct bulla_bytes *list;
	bool begun;
	size_t count;

	stop = false;
	granted = made = 0;
	run(live_on, THREADS, threads);
	for (int i = 0; i < 60 || granted < 4 * THREADS; i++) {
		now_ns += INT64_C(150) * 1000000000;
		bulla_token_tidy(engine, &begun);
		struct bulla_call c = call_begin();

		ck_assert_ok(bulla_tick(engine, &c));
		call_end(&c);
		made = 0;
	}
	stop = true;
	join(THREADS, threads);
	now_ns += INT64_C(3600) * 1000000000;
	ck_assert_ok(bulla_tick(engine, &call));
	ck_assert_ok(bulla_token_accessors(engine, &call, &list, &count));
	ck_assert_uint_eq(count, 1); /* root's */
}
END_TEST

static void clocked_setup(void)
{
	now_ns = INT64_C(1800000000) * 1000000000;
	bulla_clock_replace(clock_ns, clock_ns);
	engine_setup();
}

/* ---- mounts ---------------------------------------------------------------- */

static void *find_mounts(void *unused)
{
	while (!stop) {
		struct bulla_bytes rest;
		const struct bulla_mount *m = bulla_mount_find(engine, bulla_str("team/x/keys/k"), &rest);

		if (m != NULL) {
			ck_assert_bytes(m->path, "team/x/");
			ck_assert_bytes(rest, "keys/k");
			ck_assert_uint_eq(m->description.len % 3, 0);
		}
		bulla_mount_put(m);
		granted += m != NULL;
	}
	return unused;
}

START_TEST(mounts_change_while_found)
{
	const struct bulla_mount_settings none = { 0 };
	struct bulla_mount_settings tuned = { .set = BULLA_MOUNT_DESCRIPTION, .values.description = bulla_str("abc") };
	pthread_t threads[THREADS];

	stop = false;
	granted = 0;
	run(find_mounts, THREADS, threads);
	for (int i = 0; i < 30; i++) {
		ck_assert_ok(bulla_mount_enable(engine, &call, bulla_str("team/x"), bulla_str("transit"), &none));
		ck_assert_ok(bulla_mount_tune(engine, &call, bulla_str("team/x"), &tuned));
		ck_assert_ok(bulla_mount_disable(engine, &call, bulla_str("team/x")));
	}
	ck_assert_ok(bulla_mount_enable(engine, &call, bulla_str("team/x"), bulla_str("transit"), &none));
	for (int before = granted; granted == before;)
		usleep(1000);
	stop = true;
	join(THREADS, threads);
}
END_TEST

/* ---- seal ------------------------------------------------------------------ */

static void *use_anything(void *unused)
{
	while (!stop) {
		struct bulla_call c = call_begin();
		struct bulla_bytes rest;
		enum bulla_err err = bulla_authenticate(engine, &c, bulla_str(shared));
		const struct bulla_mount *m = bulla_mount_find(engine, bulla_str("sys/x"), &rest);

		ck_assert(err == BULLA_OK || err == BULLA_E_SEALED);
		if (m != NULL)
			ck_assert_bytes(m->path, "sys/");
		bulla_mount_put(m);
		call_done(&c);
	}
	return unused;
}

START_TEST(sealed_while_used)
{
	pthread_t threads[THREADS];

	make(&call, &policy_default, 0, shared);
	stop = false;
	run(use_anything, THREADS, threads);
	for (int i = 0; i < 20; i++) {
		ck_assert_ok(bulla_seal(engine, &call));
		ck_assert_ok(bulla_unseal_auto(engine, &call));
	}
	stop = true;
	join(THREADS, threads);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access and mount/threads");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, engine_setup, engine_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, uses_are_exact);
	tcase_add_loop_test(tc, revoked_while_read, 0, 2);
	tcase_add_loop_test(tc, no_child_outlives_its_parent, 0, 5);
	tcase_add_test(tc, mounts_change_while_found);
	tcase_add_test(tc, sealed_while_used);
	suite_add_tcase(suite, tc);
	tc = tcase_create("clock");
	tcase_add_checked_fixture(tc, clocked_setup, engine_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, removed_while_others_live);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
