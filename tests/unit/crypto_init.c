/* crypto_init: it refuses to start where OpenSSL already holds memory that nobody would wipe. Before it, nothing encrypts. */
#include <openssl/crypto.h>

#include "crypto/alg.h"
#include "crypto/evp.h"
#include "unit.h"

static const uint8_t key[32], nonce[24];

START_TEST(too_late)
{
	uint8_t out[16] = { 0xA5 };
	struct bulla_bytes none = { NULL, 0 };

	void *held = OPENSSL_malloc(16);

	ck_assert_ptr_nonnull(held);
	ck_assert_err(crypto_init(), BULLA_E_CRYPTO);
	ck_assert_err(crypto_init(), BULLA_E_CRYPTO);
	ck_assert_err(alg_aes128_gcm96.seal(&alg_aes128_gcm96, key, nonce, none, none, out), BULLA_E_CRYPTO);
	ck_assert_err(alg_aes128_gcm96.open(&alg_aes128_gcm96, key, nonce, none, bulla_mem(out, 16), out), BULLA_E_CRYPTO);
	ck_assert_uint_eq(out[0], 0xA5);
	OPENSSL_free(held);
}
END_TEST

START_TEST(again)
{
	uint8_t out[16];
	struct bulla_bytes none = { NULL, 0 };

	ck_assert_ok(crypto_init());
	ck_assert_ok(crypto_init());
	ck_assert_ok(evp_seal(EVP_AEAD_AES128_GCM, key, nonce, none, none, out));
}
END_TEST

/* Not unit_main, which calls crypto_init: each test here is a process in which nobody has. */
int main(void)
{
	Suite *suite = suite_create("crypto/init");
	TCase *tc = tcase_create("all");

	if (bulla_memory_init(false) != BULLA_OK)
		return 99;
	tcase_add_test(tc, too_late);
	tcase_add_test(tc, again);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);

	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
