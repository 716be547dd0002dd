/* Keys as others write them, damaged everywhere first. That other programs' forms are taken is shown beside OpenBao
 * (tests/e2e/test_import_forms.py); here: nothing damaged becomes another key, and what is read is written in our own form. */
#include "crypto/pkey_read.h"
#include "unit.h"

static const struct alg *const algs[] = { &alg_ed25519, &alg_ecdsa_p256, &alg_ecdsa_p384, &alg_ecdsa_p521, &alg_rsa_2048 };
#define ALGS (sizeof algs / sizeof algs[0])

struct forms {
	struct pkey *pkey;
	struct material private, public;
};

static struct forms make(const struct alg *alg)
{
	struct forms forms = { 0 };

	ck_assert_ok(alg_make(alg, 0, NULL, &forms.private));
	ck_assert_ok(pkey_open(alg, material_bytes(&forms.private), &forms.pkey));
	ck_assert_ok(pkey_encode(forms.pkey, PKEY_PUBLIC, &forms.public));
	return forms;
}

static void clear(struct forms *forms)
{
	pkey_put(forms->pkey);
	material_clear(&forms->private), material_clear(&forms->public);
}

/* Both ways; *out is NULL when both refuse. */
static void read_either(const struct alg *alg, struct bulla_bytes der, bool private, struct pkey **out)
{
	struct pkey_fault fault;
	enum bulla_err err = private ? pkey_read_private(alg, der, out, &fault) : pkey_read_public(alg, der, out, &fault);

	ck_assert(err == BULLA_OK || err == BULLA_E_BAD_KEY_MATERIAL);
	ck_assert(err == BULLA_OK || strlen(fault.text) > 0);
	if (err != BULLA_OK)
		*out = NULL;
}

/* Cut anywhere, or with a byte behind it, it is no key. A changed byte makes none, or one that belongs to another public key. */
static void damage(const struct alg *alg, const struct forms *forms, const struct material *der, bool private)
{
	size_t step = alg == &alg_rsa_2048 ? 29 : 1; /* checking RSA numbers is slow */

	for (size_t n = 0; n <= der->len + 1; n += n + step > der->len ? 1 : step) {
		uint8_t *copy = malloc(n + 1); /* of this size: ASan sees a read past it */
		struct pkey *pkey;

		memcpy(copy, der->ptr, n < der->len ? n : der->len);
		copy[n] = 0;
		read_either(alg, bulla_mem(copy, n == der->len ? n + 1 : n), private, &pkey);
		ck_assert_ptr_null(pkey);
		free(copy);
	}
	for (size_t i = 0; i < der->len; i += step) {
		uint8_t *copy = malloc(der->len);
		struct pkey *pkey;

		memcpy(copy, der->ptr, der->len);
		copy[i] ^= (uint8_t)(1u << (i % 8));
		read_either(alg, bulla_mem(copy, der->len), private, &pkey);
		/* OID of PSS instead of RSA's, PKCS#8 version 2 instead of 1, numbers that are made anew */
		if (pkey != NULL && private && pkey_same_public(pkey, forms->pkey))
			ck_assert_ok(pkey_check(pkey));
		pkey_put(pkey);
		free(copy);
	}
}

START_TEST(damaged)
{
	struct forms forms = make(algs[_i]);

	damage(algs[_i], &forms, &forms.private, true);
	damage(algs[_i], &forms, &forms.public, false);
	clear(&forms);
}
END_TEST

START_TEST(of_another_kind)
{
	struct forms forms = make(algs[_i]);
	struct pkey_fault fault;
	struct pkey *pkey = NULL;

	for (size_t i = 0; i < ALGS; i++) {
		if (algs[i] == algs[_i])
			continue;
		ck_assert_err(pkey_read_private(algs[i], material_bytes(&forms.private), &pkey, &fault), BULLA_E_BAD_KEY_MATERIAL);
		ck_assert_int_eq(fault.kind, algs[i]->family == algs[_i]->family ? PKEY_OTHER_CURVE : PKEY_OTHER_TYPE);
		ck_assert_err(pkey_read_public(algs[i], material_bytes(&forms.public), &pkey, &fault), BULLA_E_BAD_KEY_MATERIAL);
		ck_assert_int_eq(fault.kind, algs[i]->family == algs[_i]->family ? PKEY_OTHER_CURVE : PKEY_OTHER_TYPE);
	}
	ck_assert_err(pkey_read_private(&alg_aes256_gcm96, material_bytes(&forms.private), &pkey, &fault), BULLA_E_BAD_KEY_MATERIAL);
	ck_assert_err(pkey_read_private(algs[_i], material_bytes(&forms.public), &pkey, &fault), BULLA_E_BAD_KEY_MATERIAL);
	ck_assert_err(pkey_read_public(algs[_i], material_bytes(&forms.private), &pkey, &fault), BULLA_E_BAD_KEY_MATERIAL);
	ck_assert_ptr_null(pkey);
	clear(&forms);
}
END_TEST

START_TEST(another_size)
{
	struct forms forms = make(&alg_rsa_2048);
	struct pkey_fault fault;
	struct pkey *pkey = NULL;

	ck_assert_err(pkey_read_private(&alg_rsa_3072, material_bytes(&forms.private), &pkey, &fault), BULLA_E_BAD_KEY_MATERIAL);
	ck_assert_int_eq(fault.kind, PKEY_OTHER_SIZE);
	ck_assert_str_eq(fault.text, "invalid key size: expected 384 bytes, got 256 bytes");
	clear(&forms);
}
END_TEST

START_TEST(own_form_and_back)
{
	struct forms forms = make(algs[_i]);
	struct material again = { 0 };
	struct pkey_fault fault;
	struct pkey *pkey = NULL;

	ck_assert_ok(pkey_read_private(algs[_i], material_bytes(&forms.private), &pkey, &fault));
	ck_assert(pkey_is_private(pkey) && pkey_same_public(pkey, forms.pkey));
	ck_assert_ok(pkey_encode(pkey, PKEY_PKCS8, &again));
	ck_assert(bulla_equal(material_bytes(&again), material_bytes(&forms.private)));
	pkey_put(pkey);
	material_clear(&again);
	ck_assert_ok(pkey_read_public(algs[_i], material_bytes(&forms.public), &pkey, &fault));
	ck_assert(!pkey_is_private(pkey) && pkey_same_public(pkey, forms.pkey));
	ck_assert_ok(pkey_encode(pkey, PKEY_PUBLIC, &again));
	ck_assert(bulla_equal(material_bytes(&again), material_bytes(&forms.public)));
	pkey_put(pkey);
	material_clear(&again);
	clear(&forms);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crypto/pkey_read");
	TCase *tcase = tcase_create("pkey_read");

	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, damaged, 0, ALGS);
	tcase_add_loop_test(tcase, of_another_kind, 0, ALGS);
	tcase_add_test(tcase, another_size);
	tcase_add_loop_test(tcase, own_form_and_back, 0, ALGS);
	suite_add_tcase(suite, tcase);
	return unit_main(suite);
}
