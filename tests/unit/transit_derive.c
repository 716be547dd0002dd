/* Cases of lib/transit/derive.c, through encrypt and decrypt: OpenBao's own ciphertexts, and the nonces of bound convergent
 * encryption. */
#include "transit_unit.h"

#include "vectors.h"

static struct bulla_bytes material;

static void fill_material(uint32_t version, uint8_t *key, size_t len)
{
	(void)version;
	ck_assert_uint_eq(material.len, len);
	memcpy(key, material.ptr, len);
}

/* A field's bytes in the call's arena. */
static struct bulla_bytes field(const json_t *test, const char *name)
{
	struct bulla_bytes read = vector_bytes(test, name), copy = bulla_arena_copy(call.arena, read);

	ck_assert_ptr_nonnull(copy.ptr);
	vector_free(read);
	return copy;
}

static bool is_true(const json_t *test, const char *field)
{
	return json_is_true(json_object_get(test, field));
}

static void check_vector(const json_t *test)
{
	uint32_t version = (uint32_t)json_integer_value(json_object_get(test, "version"));
	struct key_head head = { .alg = alg_by_name(bulla_str(vector_text(test, "alg"))), .latest = version, .min_decryption = 1 };
	struct bulla_bytes ct = field(test, "ct"), msg = field(test, "msg");
	const struct bulla_binding binding = { .aad = field(test, "aad") };
	struct bulla_bytes context = field(test, "context");

	material = field(test, "key");
	head.flags = (is_true(test, "derived") ? (unsigned)KEY_DERIVED : 0) | (is_true(test, "convergent") ? (unsigned)KEY_CONVERGENT : 0);
	publish("k", &head, fill_material);
	struct bulla_item_result opened =
		open_one("k", (struct bulla_decrypt_item){ .ciphertext = printed(version, ct), .context = context, .binding = binding });

	ck_assert_msg((opened.err == BULLA_OK) == vector_valid(test), "%s", vector_text(test, "id"));
	if (opened.err != BULLA_OK) {
		ck_assert_int_eq(opened.err, BULLA_E_AUTH_FAILED);
		return;
	}
	ck_assert_msg(bulla_equal(opened.bytes, msg), "%s", vector_text(test, "id"));
	struct bulla_item_result sealed =
		seal_one("k", (struct bulla_encrypt_item){ .plaintext = msg, .context = context, .binding = binding });

	ck_assert_msg(bulla_equal(sealed.bytes, ct) == is_true(test, "convergent"), "%s", vector_text(test, "id"));
	ck_assert_uint_eq(sealed.bytes.len, ct.len);
}

START_TEST(openbao)
{
	json_t *root = vectors_load("transit-openbao.json");
	const json_t *test;
	size_t i, n = 0;

	json_array_foreach(json_object_get(root, "tests"), i, test) {
		check_vector(test);
		n++;
	}
	ck_assert_uint_gt(n, 300);
	json_decref(root);
}
END_TEST

/* ---- convergent encryption with an encryption_context ------------------------------------------------------------------ */

static const struct alg *const algs[] = { &alg_aes128_gcm96, &alg_aes256_gcm96, &alg_chacha20_poly1305, &alg_xchacha20_poly1305 };

static void publish_convergent(const struct alg *alg)
{
	const struct key_head head = { .alg = alg, .flags = KEY_DERIVED | KEY_CONVERGENT, .latest = 1, .min_decryption = 1 };

	publish("k", &head, NULL);
}

static struct bulla_bytes seal_bound(struct bulla_bytes plaintext, const struct bulla_pair *pairs, size_t count,
				     struct bulla_bytes aad)
{
	const struct bulla_encrypt_item item = {
		.plaintext = plaintext, .context = bulla_str("tenant"), .binding = { .pairs = pairs, .pair_count = count, .aad = aad },
	};
	struct bulla_item_result result = seal_one("k", item);

	ck_assert_ok(result.err);
	return result.bytes;
}

static bool same_nonce(struct bulla_bytes a, struct bulla_bytes b, const struct alg *alg)
{
	return memcmp(a.ptr, b.ptr, alg->nonce_bytes) == 0;
}

START_TEST(contexts_never_share_a_nonce)
{
	const struct alg *alg = algs[_i];
	enum { MANY = 200 };
	struct bulla_bytes sealed[MANY];

	publish_convergent(alg);
	for (size_t i = 0; i < MANY; i++) {
		struct bulla_bytes text = bulla_arena_printf(call.arena, "%zu", i);
		const struct bulla_pair pairs[] = { { bulla_str("row"), text } };

		sealed[i] = seal_bound(bulla_str("4111111111111111"), pairs, 1, bulla_str(""));
		ck_assert(bulla_equal(sealed[i], seal_bound(bulla_str("4111111111111111"), pairs, 1, bulla_str(""))));
		for (size_t j = 0; j < i; j++)
			ck_assert(!same_nonce(sealed[i], sealed[j], alg));
	}
}
END_TEST

/* One plaintext under every kind of binding: none, raw (the peer's nonce again: documented), bound, bound with raw. */
START_TEST(kinds_of_binding)
{
	const struct alg *alg = algs[_i];
	const struct bulla_pair pairs[] = { { bulla_str("a"), bulla_str("b") } };
	const struct bulla_bytes text = bulla_str("text"), none = bulla_str("");

	publish_convergent(alg);
	struct bulla_bytes plain = seal_bound(text, NULL, 0, none), raw = seal_bound(text, NULL, 0, bulla_str("raw"));
	struct bulla_bytes bound = seal_bound(text, pairs, 1, none), both = seal_bound(text, pairs, 1, bulla_str("raw"));

	ck_assert(same_nonce(plain, raw, alg));
	ck_assert(!same_nonce(plain, bound, alg));
	ck_assert(!same_nonce(plain, both, alg));
	ck_assert(!same_nonce(bound, both, alg));
	ck_assert(bulla_equal(seal_bound(text, pairs, 0, bulla_str("raw")), raw)); /* {} is no context */
}
END_TEST

/* As docs/FORMATS.md has it, computed by other means. */
START_TEST(known_nonces)
{
	static const uint8_t unbound[] = { 0xa4, 0x97, 0x43, 0xf2, 0x05, 0x62, 0xe5, 0x77, 0xc9, 0x9c, 0x15, 0x54 };
	static const uint8_t bound[] = { 0x34, 0x2d, 0x70, 0x70, 0x1d, 0x0d, 0xae, 0xa0, 0xa3, 0xa8, 0x49, 0xc1 };
	const struct bulla_pair pairs[] = { { bulla_str("purpose"), bulla_str("pan") } };
	const struct bulla_bytes text = bulla_str("4111111111111111"), none = bulla_str("");

	publish_convergent(&alg_aes256_gcm96);
	ck_assert_mem_eq(seal_bound(text, NULL, 0, none).ptr, unbound, sizeof unbound);
	ck_assert_mem_eq(seal_bound(text, pairs, 1, none).ptr, bound, sizeof bound);
}
END_TEST

/* No unbound plaintext has the nonce of a bound one, even if it is what the bound nonce was made from. */
START_TEST(bound_nonces_have_a_key_of_their_own)
{
	const struct alg *alg = &alg_aes256_gcm96;
	const struct bulla_pair pairs[] = { { bulla_str("a"), bulla_str("b") } };
	const struct bulla_binding binding = { .pairs = pairs, .pair_count = 1 };
	struct bulla_bytes aad;
	uint8_t joined[SHA256_BYTES + 4];

	publish_convergent(alg);
	ck_assert_ok(bulla_binding_encode(&call, &binding, &aad));
	sha256(aad, joined);
	memcpy(joined + SHA256_BYTES, "text", 4);
	ck_assert(!same_nonce(seal_bound(bulla_str("text"), pairs, 1, bulla_str("")),
			      seal_bound(bulla_mem(joined, sizeof joined), NULL, 0, bulla_str("")), alg));
}
END_TEST

/* What moves from the raw data into the plaintext changes the nonce: the digest has a fixed length. */
START_TEST(bytes_do_not_move_between_parts)
{
	const struct bulla_pair pairs[] = { { bulla_str("a"), bulla_str("b") } };

	publish_convergent(&alg_aes256_gcm96);
	ck_assert(!same_nonce(seal_bound(bulla_str("xy"), pairs, 1, bulla_str("")),
			      seal_bound(bulla_str("y"), pairs, 1, bulla_str("x")), &alg_aes256_gcm96));
}
END_TEST

/* The nonce travels, so that whoever knows the associated data opens a bound ciphertext: also a server that knows nothing of
 * bindings, given the encoded one. (Here: the layer below, which does not know them either.) */
START_TEST(bound_opens_with_the_encoded_aad)
{
	const struct bulla_pair pairs[] = { { bulla_str("a"), bulla_str("b") } };
	const struct bulla_binding binding = { .pairs = pairs, .pair_count = 1, .aad = bulla_str("raw") };
	struct bulla_bytes sealed, aad;
	uint8_t ikm[32], okm[32], out[4];

	publish_convergent(&alg_aes256_gcm96);
	sealed = seal_bound(bulla_str("text"), pairs, 1, bulla_str("raw"));
	memset(ikm, 1, sizeof ikm);
	ck_assert_ok(hkdf_sha256(bulla_mem(ikm, 32), bulla_str(""), bulla_str("tenant"), okm, sizeof okm));
	ck_assert_ok(bulla_binding_encode(&call, &binding, &aad));
	ck_assert_ok(alg_aes256_gcm96.open(&alg_aes256_gcm96, okm, sealed.ptr, aad, bulla_mem(sealed.ptr + 12, sealed.len - 12), out));
	ck_assert_mem_eq(out, "text", 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transit/derive");
	TCase *cases = tcase_create("derive");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, openbao);
	tcase_add_loop_test(cases, contexts_never_share_a_nonce, 0, 4);
	tcase_add_loop_test(cases, kinds_of_binding, 0, 4);
	tcase_add_test(cases, known_nonces);
	tcase_add_test(cases, bound_nonces_have_a_key_of_their_own);
	tcase_add_test(cases, bytes_do_not_move_between_parts);
	tcase_add_test(cases, bound_opens_with_the_encoded_aad);
	suite_add_tcase(suite, cases);
	return unit_main(suite);
}
