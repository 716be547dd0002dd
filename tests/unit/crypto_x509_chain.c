/* Which clients come from whom: authorities that share a name, in every order, and what is none of theirs. The
 * certificates are made here, by OpenSSL. */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "unit.h"

#include "crypto/crypto.h"
#include "crypto/x509_client.h"

#define NOW INT64_C(1800000000)
#define YEAR INT64_C(31536000)
#define DEEP 15

#define MANY 16

static struct bulla_call call;
static EVP_PKEY *keys[MANY]; /* of the authorities of a test */
static size_t key_count;

static void set_up(void)
{
	ck_assert_ok(crypto_init());
	call = call_begin();
}

static void tear_down(void)
{
	while (key_count > 0)
		EVP_PKEY_free(keys[--key_count]);
	call_end(&call);
}

/* ---- making certificates ----------------------------------------------------------------------------------------- */

struct authority {
	const char *name;
	EVP_PKEY *key;
};

enum what { CLIENT, CA, CROSS_CA, CA_OF_LEAVES, OLD_CA, OLD_CLIENT, SERVER, NO_CA };

static struct authority authority(const char *name)
{
	ck_assert_uint_lt(key_count, MANY);
	keys[key_count] = EVP_EC_gen("P-256");
	ck_assert_ptr_nonnull(keys[key_count]);
	return (struct authority){ name, keys[key_count++] };
}

static void set_name(X509_NAME *name, const char *text)
{
	ck_assert_int_eq(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0),
			 1);
}

static void extend(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(extension);
	ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* Says that the issuer's key is not the certificate's own, without saying which it is. */
static void name_key(X509 *certificate)
{
	AUTHORITY_KEYID *issuer = AUTHORITY_KEYID_new();
	ASN1_OCTET_STRING *own = ASN1_OCTET_STRING_new();

	issuer->keyid = ASN1_OCTET_STRING_new();
	ck_assert_int_eq(ASN1_OCTET_STRING_set(issuer->keyid, (const unsigned char *)"issuer", 6), 1);
	ck_assert_int_eq(ASN1_OCTET_STRING_set(own, (const unsigned char *)"own", 3), 1);
	ck_assert_int_eq(X509_add1_ext_i2d(certificate, NID_authority_key_identifier, issuer, 0, 0), 1);
	ck_assert_int_eq(X509_add1_ext_i2d(certificate, NID_subject_key_identifier, own, 0, 0), 1);
	AUTHORITY_KEYID_free(issuer);
	ASN1_OCTET_STRING_free(own);
}

/* No key identifiers that would help: only signatures tell issuers apart. */
static struct bulla_bytes issue(struct authority issuer, struct authority subject, enum what what)
{
	static long serial;
	X509 *certificate = X509_new();
	bool old = what == OLD_CA || what == OLD_CLIENT;
	unsigned char *der = NULL;

	ck_assert_int_eq(X509_set_version(certificate, 2), 1);
	ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial), 1);
	set_name(X509_get_subject_name(certificate), subject.name);
	set_name(X509_get_issuer_name(certificate), issuer.name);
	ck_assert_ptr_nonnull(ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(NOW - 2 * YEAR)));
	ck_assert_ptr_nonnull(ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(NOW + (old ? -YEAR : YEAR))));
	ck_assert_int_eq(X509_set_pubkey(certificate, subject.key), 1);
	if (what == CROSS_CA)
		name_key(certificate);
	if (what == CA || what == CROSS_CA || what == OLD_CA)
		extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
	if (what == CA_OF_LEAVES)
		extend(certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	if (what == NO_CA)
		extend(certificate, NID_basic_constraints, "critical,CA:FALSE");
	if (what == CLIENT || what == OLD_CLIENT || what == SERVER)
		extend(certificate, NID_ext_key_usage, what == SERVER ? "serverAuth" : "clientAuth");
	ck_assert_int_gt(X509_sign(certificate, issuer.key, EVP_sha256()), 0);
	int n = i2d_X509(certificate, &der);
	struct bulla_bytes copy = bulla_arena_copy(call.arena, bulla_mem(der, (size_t)n));

	OPENSSL_free(der);
	X509_free(certificate);
	return copy;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

#define LIST(...) (struct x509_list){ (struct bulla_bytes[]){ __VA_ARGS__ }, \
				      sizeof (struct bulla_bytes[]){ __VA_ARGS__ } / sizeof(struct bulla_bytes) }

static enum bulla_err ask(struct x509_list chain, struct x509_list anchors)
{
	call.detail = (struct bulla_bytes){ 0 };
	return x509_client_verify(&call, &chain, &anchors, NOW);
}

static void swap(struct bulla_bytes *a, struct bulla_bytes *b)
{
	struct bulla_bytes kept = *a;

	*a = *b;
	*b = kept;
}

/* The answer has to be the same, whatever the order of the anchors and of what stands behind the client's own
 * certificate. */
static void expect_from(struct x509_list chain, struct x509_list anchors, size_t moved, enum bulla_err wanted)
{
	size_t behind = chain.count - 1, n = behind + anchors.count;

	if (moved == n) {
		ck_assert_int_eq(ask(chain, anchors), wanted);
		ck_assert_int_eq(call.detail.len > 0, wanted == BULLA_E_BAD_FIELD);
		return;
	}
	struct bulla_bytes *list = moved < behind ? chain.items + 1 : anchors.items;
	size_t at = moved < behind ? moved : moved - behind, count = moved < behind ? behind : anchors.count;

	for (size_t i = at; i < count; i++) {
		swap(&list[at], &list[i]);
		expect_from(chain, anchors, moved + 1, wanted);
		swap(&list[at], &list[i]);
	}
}

#define EXPECT(chain, anchors, wanted) expect_from(chain, anchors, 0, wanted)

/* ---- what is refused --------------------------------------------------------------------------------------------- */

START_TEST(strangers)
{
	struct authority ca = authority("ca"), impostor = authority("ca"), other = authority("other");
	struct authority user = authority("user");
	struct bulla_bytes trusted = issue(ca, ca, CA), false_ca = issue(impostor, impostor, CA);
	struct bulla_bytes client = issue(impostor, user, CLIENT);

	EXPECT(LIST(client), LIST(trusted), BULLA_E_AUTH_FAILED);
	EXPECT(LIST(client, false_ca), LIST(trusted), BULLA_E_AUTH_FAILED);
	EXPECT(LIST(client, false_ca, trusted), LIST(trusted), BULLA_E_AUTH_FAILED);
	EXPECT(LIST(client), LIST(trusted, issue(other, other, CA)), BULLA_E_AUTH_FAILED);
	EXPECT(LIST(issue(user, user, CLIENT)), LIST(trusted), BULLA_E_AUTH_FAILED);
	EXPECT(LIST(client), ((struct x509_list){ NULL, 0 }), BULLA_E_AUTH_FAILED);
	EXPECT(LIST(bulla_str("none")), LIST(trusted), BULLA_E_AUTH_FAILED);
	EXPECT(LIST(bulla_str("none"), issue(ca, user, CLIENT)), LIST(trusted), BULLA_E_AUTH_FAILED);
	ck_assert_int_eq(ask((struct x509_list){ NULL, 0 }, LIST(trusted)), BULLA_E_AUTH_FAILED);
}
END_TEST

START_TEST(false_links)
{
	struct authority ca = authority("ca"), below = authority("below"), twin = authority("below");
	struct authority user = authority("user");
	struct bulla_bytes trusted = issue(ca, ca, CA), link = issue(ca, below, CA), client = issue(twin, user, CLIENT);

	/* the link's twin has its name, and nobody's trust; nobody else's signature stands for the anchor's */
	EXPECT(LIST(client, link), LIST(trusted), BULLA_E_AUTH_FAILED);
	EXPECT(LIST(client, link, issue(twin, twin, CA)), LIST(trusted), BULLA_E_AUTH_FAILED);
	EXPECT(LIST(client, issue(authority("ca"), twin, CA)), LIST(trusted), BULLA_E_AUTH_FAILED);
	/* who has a client's certificate is no authority */
	EXPECT(LIST(client, issue(ca, twin, CLIENT)), LIST(trusted), BULLA_E_AUTH_FAILED);
	EXPECT(LIST(client, issue(ca, twin, NO_CA)), LIST(trusted), BULLA_E_AUTH_FAILED);
	/* its signature was tampered with */
	struct bulla_bytes bent = bulla_arena_copy(call.arena, issue(ca, user, CLIENT));

	((uint8_t *)(uintptr_t)bent.ptr)[bent.len - 1] ^= 1;
	EXPECT(LIST(bent), LIST(trusted), BULLA_E_AUTH_FAILED);
}
END_TEST

START_TEST(flaws)
{
	struct authority ca = authority("ca"), below = authority("below"), deeper = authority("deeper");
	struct authority user = authority("user");
	struct bulla_bytes trusted = issue(ca, ca, CA), twin = issue(authority("ca"), authority("ca"), CA);

	EXPECT(LIST(issue(ca, user, OLD_CLIENT)), LIST(trusted, twin), BULLA_E_BAD_FIELD);
	ck_assert(bulla_is(call.detail, "certificate has expired"));
	EXPECT(LIST(issue(ca, user, SERVER)), LIST(trusted, twin), BULLA_E_BAD_FIELD);
	EXPECT(LIST(issue(ca, user, CLIENT)), LIST(issue(ca, ca, OLD_CA), twin), BULLA_E_BAD_FIELD);
	EXPECT(LIST(issue(below, user, CLIENT), issue(ca, below, OLD_CA)), LIST(trusted, twin), BULLA_E_BAD_FIELD);
	EXPECT(LIST(issue(deeper, user, CLIENT), issue(below, deeper, CA), issue(ca, below, CA_OF_LEAVES)),
	       LIST(trusted), BULLA_E_BAD_FIELD);
}
END_TEST

/* ---- what is accepted -------------------------------------------------------------------------------------------- */

START_TEST(one_name_two_keys)
{
	struct authority old = authority("ca"), new = authority("ca"), third = authority("ca");
	struct authority user = authority("user");
	struct bulla_bytes a = issue(old, old, CA), b = issue(new, new, CA), c = issue(third, third, CA);

	EXPECT(LIST(issue(old, user, CLIENT)), LIST(a, b), BULLA_OK);
	EXPECT(LIST(issue(new, user, CLIENT)), LIST(a, b), BULLA_OK);
	EXPECT(LIST(issue(third, user, CLIENT)), LIST(a, b), BULLA_E_AUTH_FAILED);
	EXPECT(LIST(issue(third, user, CLIENT), a, b), LIST(a, b, c), BULLA_OK);
	/* each signed the other, as RFC 4210 section 4.4 has it for new keys */
	EXPECT(LIST(issue(new, user, CLIENT), issue(old, new, CROSS_CA)), LIST(a), BULLA_OK);
	EXPECT(LIST(issue(old, user, CLIENT), issue(new, old, CROSS_CA), issue(old, new, CROSS_CA)), LIST(b), BULLA_OK);
	EXPECT(LIST(issue(third, user, CLIENT), issue(new, third, CROSS_CA), issue(old, new, CROSS_CA)), LIST(a),
	       BULLA_OK);
}
END_TEST

START_TEST(old_beside_new)
{
	struct authority ca = authority("ca"), next = authority("ca"), below = authority("below");
	struct authority user = authority("user");
	struct bulla_bytes expired = issue(ca, ca, OLD_CA), renewed = issue(ca, ca, CA);
	struct bulla_bytes client = issue(ca, user, CLIENT);

	EXPECT(LIST(client), LIST(expired, renewed), BULLA_OK);
	EXPECT(LIST(client, expired), LIST(renewed), BULLA_OK);
	EXPECT(LIST(issue(next, user, CLIENT)), LIST(expired, issue(next, next, CA)), BULLA_OK);
	EXPECT(LIST(client), LIST(expired, issue(next, next, CA)), BULLA_E_BAD_FIELD);
	EXPECT(LIST(issue(below, user, CLIENT), issue(ca, below, OLD_CA), issue(ca, below, CA)),
	       LIST(expired, renewed), BULLA_OK);
	EXPECT(LIST(issue(below, user, CLIENT), issue(ca, below, CA_OF_LEAVES), issue(ca, below, OLD_CA)),
	       LIST(renewed), BULLA_OK);
}
END_TEST

START_TEST(links_of_one_name)
{
	struct authority ca = authority("ca"), unknown = authority("unknown"), one = authority("below");
	struct authority two = authority("below"), user = authority("user");
	struct bulla_bytes trusted = issue(ca, ca, CA), client = issue(two, user, CLIENT);

	EXPECT(LIST(client, issue(ca, one, CA), issue(ca, two, CA)), LIST(trusted), BULLA_OK);
	/* one key, signed by somebody unknown and by the anchor */
	EXPECT(LIST(client, issue(unknown, two, CA), issue(ca, two, CA)), LIST(trusted), BULLA_OK);
	EXPECT(LIST(client, issue(unknown, two, CA), issue(unknown, unknown, CA), issue(ca, one, CA)),
	       LIST(trusted), BULLA_E_AUTH_FAILED);
	/* the second way is the good one, for the first is too long for its authority */
	EXPECT(LIST(issue(user, authority("x"), CLIENT), issue(two, user, CA), issue(ca, two, CA_OF_LEAVES),
	            issue(ca, two, CA)),
	       LIST(trusted), BULLA_OK);
	/* what cannot be read stands in nobody's way */
	EXPECT(LIST(client, bulla_str("none"), issue(ca, two, CA)), LIST(trusted, bulla_str("none")), BULLA_OK);
	/* a link that is an anchor itself; the one certificate that is */
	EXPECT(LIST(client, issue(ca, two, CA)), LIST(issue(ca, two, CA), issue(ca, one, CA)), BULLA_OK);
	EXPECT(LIST(client), LIST(client, trusted), BULLA_OK);
	EXPECT(LIST(client, client, client), LIST(trusted, client), BULLA_OK);
}
END_TEST

/* Certificates of one name and key, each of which signed all: there are more ways through them than time. */
START_TEST(a_maze)
{
	struct authority ca = authority("ca"), below = authority("below"), user = authority("user");
	struct bulla_bytes sent[DEEP + 1], expired = issue(ca, below, OLD_CA);
	struct x509_list chain = { sent, DEEP + 1 };

	for (size_t i = 1; i <= DEEP; i++)
		sent[i] = issue(below, below, CA);
	sent[0] = issue(below, user, CLIENT);
	ck_assert_int_eq(ask(chain, LIST(issue(ca, ca, CA))), BULLA_E_AUTH_FAILED);
	sent[DEEP] = expired;
	ck_assert_int_eq(ask(chain, LIST(issue(ca, ca, CA))), BULLA_E_BAD_FIELD);
	sent[1] = issue(ca, below, CA);
	ck_assert_int_eq(ask(chain, LIST(issue(ca, ca, CA))), BULLA_OK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crypto/x509_chain");
	TCase *tc = tcase_create("chains");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, strangers);
	tcase_add_test(tc, false_links);
	tcase_add_test(tc, flaws);
	tcase_add_test(tc, one_name_two_keys);
	tcase_add_test(tc, old_beside_new);
	tcase_add_test(tc, links_of_one_name);
	tcase_add_test(tc, a_maze);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
