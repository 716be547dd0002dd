/* Locked memory: what it refuses, that secrets neither overlap nor stay, that it is locked and guarded. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "scan.h"
#include "unit.h"

#define NOBODY 65534

START_TEST(sizes_refused)
{
	ck_assert_ptr_null(bulla_secret_alloc(0));
	ck_assert_ptr_null(bulla_secret_alloc(65537));
	ck_assert_ptr_null(bulla_secret_alloc(SIZE_MAX));
	ck_assert_uint_eq(bulla_secret_in_use(), 0);
	bulla_secret_free(NULL, 32);
	bulla_wipe(NULL, 0);
}
END_TEST

START_TEST(secrets_stand)
{
	enum { COUNT = 3000 };
	static uint8_t *secrets[COUNT];
	size_t wrong = 0;

	for (size_t i = 0; i < COUNT; i++) {
		size_t n = i * i % 300 + 1;

		secrets[i] = bulla_secret_alloc(n);
		ck_assert_ptr_nonnull(secrets[i]);
		ck_assert_uint_eq((uintptr_t)secrets[i] % 16, 0);
		for (size_t at = 0; at < n; at++)
			wrong += secrets[i][at] != 0;
		memset(secrets[i], (int)(i % 255) + 1, n);
	}
	for (size_t i = 0; i < COUNT; i++) {
		size_t n = i * i % 300 + 1;

		for (size_t at = 0; at < n; at++)
			wrong += secrets[i][at] != (uint8_t)(i % 255 + 1);
		bulla_secret_free(secrets[i], n);
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(bulla_secret_in_use(), 0);
	uint8_t *again = bulla_secret_alloc(300);

	for (size_t at = 0; at < 300; at++)
		wrong += again[at] != 0;
	ck_assert_uint_eq(wrong, 0);
	bulla_secret_free(again, 300);
}
END_TEST

START_TEST(counts)
{
	void *a = bulla_secret_alloc(1), *b = bulla_secret_alloc(33), *c = bulla_secret_alloc(65536);

	ck_assert_uint_eq(bulla_secret_in_use(), 32 + 64 + 65536);
	bulla_secret_free(b, 33);
	ck_assert_uint_eq(bulla_secret_in_use(), 32 + 65536);
	bulla_secret_free(a, 1);
	bulla_secret_free(c, 65536);
	ck_assert_uint_eq(bulla_secret_in_use(), 0);
}
END_TEST

static char fine; /* what a thread returns when all went well */

static void *churn(void *unused)
{
	(void)unused;
	for (size_t round = 0; round < 3000; round++) {
		size_t n = round % 200 + 1;
		uint8_t *p = bulla_secret_alloc(n);

		if (p == NULL || p[0] != 0 || p[n - 1] != 0)
			return NULL;
		memset(p, 0xFF, n);
		bulla_secret_free(p, n);
	}
	return &fine;
}

START_TEST(threads)
{
	pthread_t ids[4];

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&ids[i], NULL, churn, NULL), 0);
	for (size_t i = 0; i < 4; i++) {
		void *result = NULL;

		ck_assert_int_eq(pthread_join(ids[i], &result), 0);
		ck_assert_ptr_nonnull(result);
	}
	ck_assert_uint_eq(bulla_secret_in_use(), 0);
}
END_TEST

START_TEST(wiping_allocators)
{
	char *p = bulla_wiping_realloc(NULL, 10);

	memcpy(p, "123456789", 10);
	p = bulla_wiping_realloc(p, 100000);
	ck_assert_str_eq(p, "123456789");
	p = bulla_wiping_realloc(p, 10);
	ck_assert_str_eq(p, "123456789");
	p = bulla_wiping_realloc(p, 0);
	bulla_wiping_free(p);
	bulla_wiping_free(NULL);
	bulla_wiping_free(bulla_wiping_malloc(0));
}
END_TEST

#ifndef BULLA_SANITIZER /* sanitizers make mlock do nothing, and stop at what cannot be allocated */

/* Where pages cannot be locked and locking is demanded, there is no memory; where it is not demanded, there is. */
START_TEST(lock_refused)
{
	struct rlimit none = { 0, 0 };

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	if (geteuid() == 0) /* root may lock past the limit */
		ck_assert_int_eq(setuid(NOBODY), 0);
	void *unlocked = bulla_secret_alloc(4096);

	ck_assert_ptr_nonnull(unlocked);
	bulla_secret_free(unlocked, 4096);
	ck_assert_err(bulla_memory_init(true), BULLA_E_NO_MEMORY); /* though pages are free that were made before */
	ck_assert_ptr_null(bulla_secret_alloc(65536));
	ck_assert_ptr_null(bulla_secret_alloc(20000));
}
END_TEST

START_TEST(realloc_refused)
{
	char *p = bulla_wiping_malloc(10);

	memcpy(p, "123456789", 10);
	ck_assert_ptr_null(bulla_wiping_realloc(p, SIZE_MAX));
	ck_assert_str_eq(p, "123456789");
	bulla_wiping_free(p);
}
END_TEST

START_TEST(no_core_dumps)
{
	struct rlimit core = { 1, 1 };

	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &core), 0);
	ck_assert_uint_eq(core.rlim_max, 0);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
}
END_TEST

/* The kernel's own word on the pages of p: in its mapping, all that is there is locked. */
static unsigned long locked_kib(const void *p)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	char line[512];
	unsigned long from, to, kib = 0, locked = 0;
	bool inside = false;

	ck_assert_ptr_nonnull(smaps);
	while (fgets(line, sizeof line, smaps) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (inside && sscanf(line, "Locked: %lu kB", &kib) == 1)
			locked = kib;
	}
	fclose(smaps);
	return locked;
}

/* Root in a container may be bound by the limit, too: only trying tells. */
static bool may_lock(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	bool locked = mlock(p, bytes) == 0;

	ck_assert_int_eq(munmap(p, bytes), 0);
	return locked;
}

START_TEST(is_locked)
{
	if (!may_lock(262144))
		return; /* this machine does not let us */
	ck_assert_ok(bulla_memory_init(true));
	void *p = bulla_secret_alloc(65536);

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_ge(locked_kib(p), 64);
	bulla_secret_free(p, 65536);
}
END_TEST

START_TEST(guarded_above)
{
	volatile uint8_t *p = bulla_secret_alloc(65536);

	p[65535] = 1;
	p[65536] = 1; /* dies here */
}
END_TEST

__attribute__((noinline)) static void hide(const struct scan_needle *needle)
{
	uint8_t *secret = bulla_secret_alloc(100), *heap = bulla_wiping_malloc(100), *moved;

	scan_unmask(needle, secret + 50);
	scan_unmask(needle, heap + 50);
	ck_assert_uint_eq(scan_count(needle), 2);
	moved = bulla_wiping_realloc(heap, 100000);
	ck_assert_uint_eq(scan_count(needle), 2); /* not in the old place too */
	bulla_wiping_free(moved);
	ck_assert_uint_eq(scan_count(needle), 1);
	bulla_secret_free(secret, 100);
}

START_TEST(nothing_is_left)
{
	struct scan_needle needle;

	ck_assert_ok(random_bytes(&needle, sizeof needle));
	hide(&needle);
	ck_assert_uint_eq(scan_count(&needle), 0);
}
END_TEST

#endif

int main(void)
{
	Suite *suite = suite_create("base/secret");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, sizes_refused);
	tcase_add_test(tc, secrets_stand);
	tcase_add_test(tc, counts);
	tcase_add_test(tc, threads);
	tcase_add_test(tc, wiping_allocators);
#ifndef BULLA_SANITIZER
	tcase_add_test(tc, lock_refused);
	tcase_add_test(tc, realloc_refused);
	tcase_add_test(tc, no_core_dumps);
	tcase_add_test(tc, is_locked);
	tcase_add_test_raise_signal(tc, guarded_above, SIGSEGV);
	tcase_add_test(tc, nothing_is_left);
#endif
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
