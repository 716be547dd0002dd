/* Keys from elsewhere: what is taken is written in our own form, which is the same key again; what is refused says why. */
#include "crypto/crypto.h"
#include "crypto/pkey_read.h"
#include "fuzz.h"

static const struct alg *const algs[] = { &alg_ed25519, &alg_ecdsa_p256, &alg_ecdsa_p384, &alg_ecdsa_p521, &alg_rsa_2048 };

static void start(void)
{
	static bool started;

	if (!started)
		require(bulla_memory_init(false) == BULLA_OK && crypto_init() == BULLA_OK);
	started = true;
}

static enum bulla_err read_der(const struct alg *alg, bool private, struct bulla_bytes der, struct pkey **out)
{
	struct pkey_fault fault;
	enum bulla_err err = private ? pkey_read_private(alg, der, out, &fault) : pkey_read_public(alg, der, out, &fault);

	require(err == BULLA_OK || (err == BULLA_E_BAD_KEY_MATERIAL && fault.text[0] != 0));
	return err;
}

static void check(const struct alg *alg, bool private, struct bulla_bytes der)
{
	struct material own = { 0 };
	struct pkey *pkey = NULL, *again = NULL;

	if (read_der(alg, private, der, &pkey) != BULLA_OK)
		return;
	require(pkey_is_private(pkey) == private && pkey_alg(pkey) == alg && pkey_check(pkey) == BULLA_OK);
	require(pkey_encode(pkey, private ? PKEY_PKCS8 : PKEY_PUBLIC, &own) == BULLA_OK);
	require(read_der(alg, private, material_bytes(&own), &again) == BULLA_OK && pkey_same_public(pkey, again));
	pkey_put(again);
	pkey_put(pkey);
	material_clear(&own);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bulla_bytes der = fuzz_exact(data, size);

	start();
	for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
		check(algs[i], true, der);
		check(algs[i], false, der);
	}
	fuzz_free(der);
	return 0;
}
