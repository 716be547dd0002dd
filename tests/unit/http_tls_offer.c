/* http_tls_offer.c: names of cipher suites, and what becomes of them. */
#include "http/tls_internal.h"
#include "unit.h"

static void same(struct bulla_bytes got, struct bulla_bytes wanted)
{
	ck_assert_msg(bulla_equal(got, wanted), "%.*s instead of %.*s", (int)got.len, (const char *)got.ptr,
		      (int)wanted.len, (const char *)wanted.ptr);
}

static struct bulla_bytes refused(struct bulla_call *call, const char *text)
{
	struct bulla_bytes why = { 0 };
	unsigned set = 77;

	ck_assert_msg(!tls_suites_parse(call->arena, text, &set, &why), "%s", text);
	ck_assert_uint_eq(set, 77);
	return why;
}

START_TEST(refuses)
{
	static const char *const unknown[] = {
		"", ",", "x", "tls_ecdhe_rsa_with_aes_128_gcm_sha256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,",
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
	};
	struct bulla_call call = call_begin();

	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
		same(refused(&call, unknown[i]),
		     bulla_arena_printf(call.arena, "cipher suite \"%s\" is unknown",
					i == 4 || i == 1 ? "" : unknown[i]));
	same(refused(&call, "TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_GCM_SHA256"),
	     bulla_str("cipher suite \"TLS_RSA_WITH_AES_128_GCM_SHA256\" is not offered: it has no forward secrecy or no "
		       "authenticated encryption"));
	call_end(&call);
}
END_TEST

static void chosen(const char *text, const char *rsa, const char *other)
{
	struct bulla_call call = call_begin();
	struct bulla_bytes why, got;
	unsigned set;

	ck_assert_msg(tls_suites_parse(call.arena, text, &set, &why), "%s", text);
	ck_assert_uint_ne(set, 0);
	for (int i = 0; i < 2; i++) {
		const char *wanted = i == 0 ? rsa : other;

		got = tls_priorities12(call.arena, set, i == 0);
		if (wanted == NULL) {
			ck_assert_uint_eq(got.len, 0);
			continue;
		}
		same(got, bulla_arena_printf(call.arena, "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL%s:-GROUP-ALL:"
					     "+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:-RSA:-DHE-RSA:"
					     "-AES-128-CBC:-AES-256-CBC:-SHA1:%%SERVER_PRECEDENCE", wanted));
	}
	call_end(&call);
}

START_TEST(takes_names)
{
	chosen("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", ":+AES-128-GCM", NULL);
	chosen(" TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 ,\tTLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 ", ":+AES-128-GCM",
	       ":+AES-256-GCM");
	chosen("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305,"
	       "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", NULL,
	       ":+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM");
	chosen("TLS_AES_256_GCM_SHA384", NULL, NULL); /* of TLS 1.3, which is not chosen from */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http/tls_offer");
	TCase *c = tcase_create("suites");

	tcase_add_test(c, refuses);
	tcase_add_test(c, takes_names);
	suite_add_tcase(s, c);
	return unit_main(s);
}
