/* Random bytes: nothing twice, nothing kept, nothing shared with a forked child, and an answer when the kernel refuses. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scan.h"
#include "unit.h"

/* From here on this process (a test's own) gets EIO from getrandom. */
static void forbid_getrandom(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof code[0], code };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

START_TEST(refusal_is_an_answer)
{
	uint8_t out[32], shares[3 * 33] = { 0xA5 };
	char uuid[UUID_TEXT];

	forbid_getrandom();
	ck_assert_err(random_bytes(out, sizeof out), BULLA_E_NO_RANDOM);
	ck_assert_err(random_nonce(out, 12), BULLA_E_NO_RANDOM);
	ck_assert_err(random_uuid(uuid), BULLA_E_NO_RANDOM);
	ck_assert_err(shamir_split(bulla_mem(out, 32), 3, 2, shares), BULLA_E_NO_RANDOM);
	for (size_t i = 0; i < sizeof shares; i++)
		ck_assert_uint_eq(shares[i], 0); /* no half of a sharing */
}
END_TEST

/* A refusal must not leave a store that looks filled. */
START_TEST(refusal_when_the_store_runs_out)
{
	uint8_t out[512];
	int got = 0;

	ck_assert_ok(random_nonce(out, sizeof out));
	forbid_getrandom();
	while (random_nonce(out, sizeof out) == BULLA_OK)
		ck_assert_int_lt(++got, 8);
	ck_assert_int_eq(got, 7);
	ck_assert_err(random_nonce(out, sizeof out), BULLA_E_NO_RANDOM);
	ck_assert_err(random_nonce(out, 1), BULLA_E_NO_RANDOM);
}
END_TEST

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 12);
}

START_TEST(nothing_twice)
{
	enum { COUNT = 100000 };
	static uint8_t nonces[COUNT][12];

	for (size_t i = 0; i < COUNT; i++)
		ck_assert_ok(random_nonce(nonces[i], 12));
	qsort(nonces, COUNT, 12, by_bytes);
	for (size_t i = 1; i < COUNT; i++)
		ck_assert_int_ne(memcmp(nonces[i - 1], nonces[i], 12), 0);
}
END_TEST

START_TEST(sizes)
{
	uint8_t out[10000] = { 0 }, none = 0xA5;

	ck_assert_ok(random_nonce(&none, 0));
	ck_assert_ok(random_bytes(&none, 0));
	ck_assert_uint_eq(none, 0xA5);
	for (size_t n = 1; n <= 5000; n += 83) {
		memset(out, 0, sizeof out);
		ck_assert_ok(n % 2 ? random_nonce(out, n) : random_bytes(out, n));
		for (size_t i = n; i < sizeof out; i++)
			ck_assert_uint_eq(out[i], 0);
		if (n > 16) {
			uint8_t any = 0;

			for (size_t i = n - 16; i < n; i++)
				any |= out[i];
			ck_assert_uint_ne(any, 0);
		}
	}
}
END_TEST

START_TEST(uuid_shape)
{
	char a[UUID_TEXT + 1] = { 0 }, b[UUID_TEXT];

	a[UUID_TEXT] = '!';
	ck_assert_ok(random_uuid(a));
	ck_assert_ok(random_uuid(b));
	ck_assert_int_ne(memcmp(a, b, UUID_TEXT), 0);
	ck_assert_int_eq(a[UUID_TEXT], '!');
	for (size_t i = 0; i < UUID_TEXT; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		ck_assert(dash ? a[i] == '-' : strchr("0123456789abcdef", a[i]) != NULL);
	}
}
END_TEST

/* What the child draws first, after the parent had filled its store. */
static void child_draws(uint8_t out[64])
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		uint8_t drawn[64];
		bool ok = random_nonce(drawn, sizeof drawn) == BULLA_OK && write(ends[1], drawn, sizeof drawn) == 64;

		_exit(ok ? 0 : 1);
	}
	int status = -1;

	ck_assert_int_eq(read(ends[0], out, 64), 64);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	close(ends[0]);
	close(ends[1]);
}

START_TEST(fork_shares_nothing)
{
	uint8_t first[16], child[64], second_child[64], parent[64];

	ck_assert_ok(random_nonce(first, sizeof first));
	child_draws(child);
	child_draws(second_child);
	ck_assert_ok(random_nonce(parent, sizeof parent));
	ck_assert_int_ne(memcmp(child, parent, 64), 0);
	ck_assert_int_ne(memcmp(child, second_child, 64), 0);
	ck_assert_int_ne(memcmp(second_child, parent, 64), 0);
}
END_TEST

static void *draw(void *out)
{
	return random_nonce(out, 64) == BULLA_OK ? out : NULL;
}

START_TEST(threads)
{
	enum { COUNT = 8 };
	uint8_t drawn[COUNT][64];
	pthread_t ids[COUNT];

	for (size_t i = 0; i < COUNT; i++)
		ck_assert_int_eq(pthread_create(&ids[i], NULL, draw, drawn[i]), 0);
	for (size_t i = 0; i < COUNT; i++) {
		void *result = NULL;

		ck_assert_int_eq(pthread_join(ids[i], &result), 0);
		ck_assert_ptr_nonnull(result);
		for (size_t j = 0; j < i; j++)
			ck_assert_int_ne(memcmp(drawn[i], drawn[j], 64), 0);
	}
}
END_TEST

#ifndef BULLA_SANITIZER

__attribute__((noinline)) static struct scan_needle draw_masked(void)
{
	uint8_t out[SCAN_BYTES];

	ck_assert_ok(random_nonce(out, sizeof out));
	struct scan_needle needle = scan_mask(out);

	ck_assert_uint_ge(scan_count(&needle), 1); /* our own copy: the search works */
	bulla_wipe(out, sizeof out);
	return needle;
}

START_TEST(what_was_handed_out_is_gone)
{
	struct scan_needle needle = draw_masked();

	ck_assert_uint_eq(scan_count(&needle), 0);
}
END_TEST

#endif

int main(void)
{
	Suite *suite = suite_create("crypto/random");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, refusal_is_an_answer);
	tcase_add_test(tc, refusal_when_the_store_runs_out);
	tcase_add_test(tc, nothing_twice);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, uuid_shape);
	tcase_add_test(tc, fork_shares_nothing);
	tcase_add_test(tc, threads);
#ifndef BULLA_SANITIZER
	tcase_add_test(tc, what_was_handed_out_is_gone);
#endif
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
