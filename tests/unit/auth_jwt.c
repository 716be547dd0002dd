/* JSON Web Tokens: every algorithm by a key of each type, what is not signed by its owner, and what claims must say. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "auth/jwt_sets.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/jwt_method.h"
#include "base/glob.h"
#include "bulla/clock.h"
#include "bulla/encode.h"
#include "crypto/crypto.h"

#define NOW INT64_C(1800000000)

static struct bulla_call call;

static void set_up(void)
{
	ck_assert_ok(crypto_init());
	call = call_begin();
}

static void tear_down(void)
{
	call_end(&call);
}

/* ---- making tokens ----------------------------------------------------------------------------------------------------------- */

static struct pkey *made(const struct alg *alg)
{
	struct material material = { 0 };
	struct pkey *pkey;

	ck_assert_ok(alg_make(alg, 0, NULL, &material));
	ck_assert_ok(pkey_open(alg, material_bytes(&material), &pkey));
	material_clear(&material);
	return pkey;
}

static struct bulla_bytes url(struct bulla_bytes bytes)
{
	char *text = bulla_arena_alloc(call.arena, BULLA_BASE64_LEN(bytes.len) + 1);

	return bulla_mem(text, bulla_base64url_encode(bytes, text));
}

static const char *dotted(struct bulla_bytes a, struct bulla_bytes b)
{
	return (const char *)bulla_arena_printf(call.arena, "%.*s.%.*s", (int)a.len, (const char *)a.ptr, (int)b.len,
						(const char *)b.ptr).ptr;
}

static const char *token(const struct pkey *pkey, const struct pkey_params *params, const char *header, const char *claims)
{
	struct bulla_bytes input = bulla_str(dotted(url(bulla_str(header)), url(bulla_str(claims))));
	uint8_t signature[PKEY_MAX_SIGNATURE];
	size_t len;

	ck_assert_ok(pkey_sign(pkey, params, input, signature, &len));
	return dotted(input, url(bulla_mem(signature, len)));
}

/* The public half as PEM. */
static const char *pem(const struct pkey *pkey)
{
	struct material der = { 0 };

	ck_assert_ok(pkey_encode(pkey, PKEY_PUBLIC, &der));
	size_t n = pem_len("PUBLIC KEY", der.len);
	char *text = bulla_arena_alloc(call.arena, n + 1);

	pem_print("PUBLIC KEY", material_bytes(&der), text);
	material_clear(&der);
	return text;
}

/* A member of a key set: the key's numbers in base64url. */
static const char *number(const struct pkey *pkey, enum pkey_number which, size_t width)
{
	struct material m = { 0 };
	uint8_t bytes[600] = { 0 };

	ck_assert_ok(pkey_number(pkey, which, &m));
	size_t pad = width > m.len ? width - m.len : 0;

	memcpy(bytes + pad, m.ptr, m.len);
	struct bulla_bytes text = url(bulla_mem(bytes, pad + m.len));

	material_clear(&m);
	return (const char *)bulla_arena_copy(call.arena, text).ptr;
}

static enum bulla_err verify(const struct jwt_keys *keys, const char *text, unsigned algs, const struct json **claims)
{
	return jwt_verify(&call, keys, bulla_str(text), algs, claims, NULL);
}

/* ---- signatures -------------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	const struct alg *alg;
	struct pkey_params params;
} algorithms[] = {
	{ "RS256", &alg_rsa_2048, { .digest = DIGEST_SHA2_256, .padding = PKEY_PKCS1V15 } },
	{ "RS512", &alg_rsa_2048, { .digest = DIGEST_SHA2_512, .padding = PKEY_PKCS1V15 } },
	{ "PS256", &alg_rsa_2048, { .digest = DIGEST_SHA2_256, .padding = PKEY_PSS, .salt_bytes = PKEY_SALT_HASH } },
	{ "PS384", &alg_rsa_2048, { .digest = DIGEST_SHA2_384, .padding = PKEY_PSS, .salt_bytes = PKEY_SALT_HASH } },
	{ "ES256", &alg_ecdsa_p256, { .digest = DIGEST_SHA2_256, .marshal = PKEY_JWS } },
	{ "ES384", &alg_ecdsa_p384, { .digest = DIGEST_SHA2_384, .marshal = PKEY_JWS } },
	{ "ES512", &alg_ecdsa_p521, { .digest = DIGEST_SHA2_512, .marshal = PKEY_JWS } },
	{ "EdDSA", &alg_ed25519, { .digest = DIGEST_NONE } },
};
#define ALGORITHMS (int)(sizeof algorithms / sizeof algorithms[0])

START_TEST(every_algorithm)
{
	BULLA_CLEANUP(jwt_keys_clear) struct jwt_keys keys = { 0 }, others = { 0 };
	struct pkey *pkey = made(algorithms[_i].alg), *other = made(&alg_ecdsa_p256);
	char header[60];
	const struct json *claims = NULL;
	unsigned bit = jwt_alg(bulla_str(algorithms[_i].name));

	snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", algorithms[_i].name);
	ck_assert_ok(jwt_keys_add_pem(&call, &keys, bulla_str(pem(other))));
	ck_assert_ok(jwt_keys_add_pem(&call, &keys, bulla_str(pem(pkey))));
	ck_assert_ok(jwt_keys_add_pem(&call, &others, bulla_str(pem(other))));
	const char *good = token(pkey, &algorithms[_i].params, header, "{\"sub\":\"me\"}");

	ck_assert_ok(verify(&keys, good, bit, &claims));
	ck_assert_bytes(json_get(claims, "sub")->text, "me");
	ck_assert_err(verify(&keys, good, JWT_ALL_ALGS & ~bit, &claims), BULLA_E_INVALID);
	ck_assert_err(verify(&others, good, JWT_ALL_ALGS, &claims), BULLA_E_INVALID);
	for (size_t i = 0; i < strlen(good); i += 7) { /* each part, and the dots */
		char *bad = strdup(good);

		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		if (i + 1 < strlen(good)) /* the last character may carry unused bits */
			ck_assert_err(verify(&keys, bad, JWT_ALL_ALGS, &claims), BULLA_E_INVALID);
		free(bad);
	}
	pkey_put(pkey);
	pkey_put(other);
}
END_TEST

/* RFC 7515 appendix A.3, as published. */
START_TEST(published)
{
	static const char es256_set[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
					"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
	static const char es256[] = "eyJhbGciOiJFUzI1NiJ9."
				    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
				    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
	BULLA_CLEANUP(jwt_keys_clear) struct jwt_keys keys = { 0 };
	const struct json *claims;

	ck_assert_ok(jwt_keys_add_set(&call, &keys, bulla_str(es256_set)));
	ck_assert_uint_eq(keys.count, 1);
	ck_assert_ok(verify(&keys, es256, JWT_ALL_ALGS, &claims));
	ck_assert_bytes(json_get(claims, "iss")->text, "joe");
}
END_TEST

/* The header cannot choose how it is checked. */
START_TEST(forged)
{
	BULLA_CLEANUP(jwt_keys_clear) struct jwt_keys keys = { 0 };
	struct pkey *pkey = made(&alg_ecdsa_p256);
	const struct pkey_params *params = &algorithms[4].params;
	static const char *const headers[] = {
		"{\"alg\":\"none\"}", "{\"alg\":\"HS256\"}", "{\"alg\":\"ES384\"}", "{\"alg\":\"RS256\"}", "{\"alg\":\"es256\"}", "{}",
		"{\"alg\":[\"ES256\"]}", "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", "[]", "",
	};
	const struct json *claims;

	ck_assert_ok(jwt_keys_add_pem(&call, &keys, bulla_str(pem(pkey))));
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
		ck_assert_err(verify(&keys, token(pkey, params, headers[i], "{}"), JWT_ALL_ALGS, &claims), BULLA_E_INVALID);
	static const char *const texts[] = { "", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "eyJhbGciOiJFUzI1NiJ9.e30.",
					     "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiJ9..AAAA", "eyJhbGciOiJFUzI1NiJ9.e30.A=A=" };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		ck_assert_err(verify(&keys, texts[i], JWT_ALL_ALGS, &claims), BULLA_E_INVALID);
	ck_assert_err(verify(&keys, token(pkey, params, "{\"alg\":\"ES256\"}", "[]"), JWT_ALL_ALGS, &claims), BULLA_E_INVALID);
	char *large = bulla_arena_alloc(call.arena, JWT_MAX_BYTES + 2);

	memset(large, 'a', JWT_MAX_BYTES + 1);
	ck_assert_err(verify(&keys, large, JWT_ALL_ALGS, &claims), BULLA_E_INVALID);
	pkey_put(pkey);
}
END_TEST

/* ---- keys -------------------------------------------------------------------------------------------------------------------- */

START_TEST(bad_keys)
{
	static const char *const texts[] = { "", "x", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
					     "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
					     "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" };
	static const char *const sets[] = { "", "x", "[]", "{}", "{\"keys\":1}", "{\"keys\":{}}" };
	BULLA_CLEANUP(jwt_keys_clear) struct jwt_keys keys = { 0 };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		ck_assert_err(jwt_keys_add_pem(&call, &keys, bulla_str(texts[i])), BULLA_E_INVALID);
	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
		ck_assert_err(jwt_keys_add_set(&call, &keys, bulla_str(sets[i])), BULLA_E_INVALID);
	ck_assert_ok(jwt_keys_add_set(&call, &keys, bulla_str("{\"keys\":[1,null,{},{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"},"
							      "{\"kty\":\"oct\",\"k\":\"AAAA\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}")));
	ck_assert_uint_eq(keys.count, 0);
}
END_TEST

START_TEST(key_set)
{
	BULLA_CLEANUP(jwt_keys_clear) struct jwt_keys keys = { 0 };
	struct pkey *rsa = made(&alg_rsa_2048), *ec = made(&alg_ecdsa_p521), *ed = made(&alg_ed25519);
	const struct json *claims;
	bool unknown;

	struct bulla_bytes set = bulla_arena_printf(call.arena,
		"{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"kid\":\"r\",\"n\":\"%s\",\"e\":\"%s\"},"
		"{\"kty\":\"RSA\",\"use\":\"enc\",\"kid\":\"no\",\"n\":\"%s\",\"e\":\"%s\"},"
		"{\"kty\":\"EC\",\"crv\":\"P-521\",\"kid\":\"e\",\"x\":\"%s\",\"y\":\"%s\"},"
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"d\",\"x\":\"%s\"}]}",
		number(rsa, PKEY_RSA_N, 0), number(rsa, PKEY_RSA_E, 0), number(rsa, PKEY_RSA_N, 0), number(rsa, PKEY_RSA_E, 0),
		number(ec, PKEY_EC_X, 66), number(ec, PKEY_EC_Y, 66), number(ed, PKEY_ED25519_PUBLIC, 32));

	ck_assert_ok(jwt_keys_add_set(&call, &keys, set));
	ck_assert_uint_eq(keys.count, 3);
	ck_assert_ok(verify(&keys, token(rsa, &algorithms[0].params, "{\"alg\":\"RS256\",\"kid\":\"r\"}", "{}"), JWT_ALL_ALGS, &claims));
	ck_assert_ok(verify(&keys, token(ec, &algorithms[6].params, "{\"alg\":\"ES512\",\"kid\":\"e\"}", "{}"), JWT_ALL_ALGS, &claims));
	ck_assert_ok(verify(&keys, token(ed, &algorithms[7].params, "{\"alg\":\"EdDSA\"}", "{}"), JWT_ALL_ALGS, &claims));
	/* the key that is named, and no other */
	const char *wrong = token(rsa, &algorithms[0].params, "{\"alg\":\"RS256\",\"kid\":\"e\"}", "{}");

	ck_assert_err(jwt_verify(&call, &keys, bulla_str(wrong), JWT_ALL_ALGS, &claims, &unknown), BULLA_E_INVALID);
	ck_assert(!unknown);
	struct pkey *stranger = made(&alg_ed25519);
	const char *newer = token(stranger, &algorithms[7].params, "{\"alg\":\"EdDSA\",\"kid\":\"next\"}", "{}");

	ck_assert_err(jwt_verify(&call, &keys, bulla_str(newer), JWT_ALL_ALGS, &claims, &unknown), BULLA_E_INVALID);
	ck_assert(unknown);
	pkey_put(stranger);
	pkey_put(rsa);
	pkey_put(ec);
	pkey_put(ed);
}
END_TEST

/* ---- key sets from elsewhere ---------------------------------------------------------------------------------------------------- */

static _Atomic int64_t now_s;
static atomic_uint fetches;
static atomic_bool unreachable;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held by a test: a host that does not answer */
static struct bulla_bytes sets[2]; /* at http://0 and http://1 */

static int64_t clock_ns(void)
{
	return now_s * 1000000000;
}

static enum bulla_err fetch(void *context, struct bulla_call *c, const struct bulla_fetch_args *args, struct bulla_bytes *out)
{
	(void)context;
	fetches++;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	if (unreachable)
		return bulla_fail(c, BULLA_E_FAILED, "it does not answer");
	*out = sets[args->url.ptr[7] - '0'];
	return BULLA_OK;
}

static struct bulla_bytes set_of(const struct pkey *pkey, const char *kid)
{
	return bulla_arena_printf(call.arena, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":\"%s\"}]}", kid,
				  number(pkey, PKEY_ED25519_PUBLIC, 32));
}

/* A kid that is known never waits: not for one that is not, nor for a set that is to be renewed, or cannot be. */
START_TEST(the_keys_of_before_serve)
{
	struct auth auth = { .fetch = fetch };
	const struct bulla_mount mount = { .uuid = { 1 } };
	const struct bulla_jwt_config config = { .jwks_url = bulla_str("http://0") };
	struct pkey *first = made(&alg_ed25519), *second = made(&alg_ed25519);
	struct bulla_bytes good = bulla_str(token(first, &algorithms[7].params, "{\"alg\":\"EdDSA\",\"kid\":\"a\"}", "{}")),
			   other = bulla_str(token(second, &algorithms[7].params, "{\"alg\":\"EdDSA\",\"kid\":\"b\"}", "{}"));
	const struct json *claims;

	call.may_block = true;
	now_s = NOW;
	fetches = 0;
	unreachable = false;
	bulla_clock_replace(clock_ns, clock_ns);
	ck_assert_ok(jwt_sets_new(&auth.jwt_sets));
	sets[0] = set_of(first, "a");
	ck_assert_ok(jwt_source_verify(&auth, &call, &mount, &config, good, &claims));
	now_s += 1800;
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 3; i++)
		ck_assert_ok(jwt_source_verify(&auth, &call, &mount, &config, good, &claims));
	while (fetches < 2)
		(void)usleep(1000);
	now_s += 3600; /* it takes its time */
	sets[0] = set_of(second, "b");
	ck_assert_ok(jwt_source_verify(&auth, &call, &mount, &config, good, &claims));
	pthread_mutex_unlock(&gate);
	while (jwt_source_verify(&auth, &call, &mount, &config, good, &claims) == BULLA_OK)
		(void)usleep(1000); /* until it has landed: the first key was withdrawn */
	ck_assert_ok(jwt_source_verify(&auth, &call, &mount, &config, other, &claims));
	ck_assert_uint_eq(fetches, 2);
	/* an hour's renewals fail: for a day the keys serve. The pauses between two tries grow from 10 s to 5 minutes */
	unreachable = true;
	for (int s = 0; s < 86400 - 60; s += 60, now_s += 60) {
		ck_assert_ok(jwt_source_verify(&auth, &call, &mount, &config, other, &claims));
		jwt_sets_tick(&auth);
		for (unsigned before = ~0u; before != fetches; (void)usleep(50))
			before = fetches;
	}
	ck_assert_uint_ge(fetches, 2 + 5);
	ck_assert_uint_le(fetches, 2 + 6 + 86400 / 300);
	now_s += 120;
	ck_assert_err(jwt_source_verify(&auth, &call, &mount, &config, other, &claims), BULLA_E_INVALID);
	jwt_sets_free(auth.jwt_sets);
	bulla_clock_replace(NULL, NULL);
	pkey_put(first);
	pkey_put(second);
}
END_TEST

START_TEST(a_set_from_elsewhere)
{
	struct auth auth = { .fetch = fetch };
	const struct bulla_mount mount = { .uuid = { 1 } };
	struct bulla_jwt_config config = { .jwks_url = bulla_str("http://0") };
	struct pkey *first = made(&alg_ed25519), *second = made(&alg_ed25519);
	struct bulla_bytes good = bulla_str(token(first, &algorithms[7].params, "{\"alg\":\"EdDSA\",\"kid\":\"a\"}", "{}")),
			   other = bulla_str(token(second, &algorithms[7].params, "{\"alg\":\"EdDSA\",\"kid\":\"b\"}", "{}"));
	const struct json *claims;

	call.may_block = true;
	now_s = NOW;
	fetches = 0;
	bulla_clock_replace(clock_ns, clock_ns);
	ck_assert_ok(jwt_sets_new(&auth.jwt_sets));
	sets[0] = set_of(first, "a");
	sets[1] = set_of(second, "b");
	ck_assert_ok(jwt_source_verify(&auth, &call, &mount, &config, good, &claims));
	now_s += 100;
	/* whoever shows a kid of his own has it fetched once in ten seconds, also where that fails: each may take as long */
	unreachable = true;
	for (int i = 0; i < 5; i++)
		ck_assert_err(jwt_source_verify(&auth, &call, &mount, &config, other, &claims), BULLA_E_INVALID);
	ck_assert_uint_eq(fetches, 2);
	ck_assert_ok(jwt_source_verify(&auth, &call, &mount, &config, good, &claims));
	now_s += 10;
	ck_assert_err(jwt_source_verify(&auth, &call, &mount, &config, other, &claims), BULLA_E_INVALID);
	ck_assert_uint_eq(fetches, 3);
	unreachable = false;
	/* with other settings another set counts, whoever fetched one just before they were changed */
	config.jwks_url = bulla_str("http://1");
	ck_assert_err(jwt_source_verify(&auth, &call, &mount, &config, good, &claims), BULLA_E_INVALID);
	ck_assert_ok(jwt_source_verify(&auth, &call, &mount, &config, other, &claims));
	ck_assert_uint_eq(fetches, 4);
	/* who waited for a fetch that failed does not wait for another one */
	const struct bulla_mount late = { .uuid = { 2 } };

	unreachable = true;
	for (int i = 0; i < 5; i++)
		ck_assert_err(jwt_source_verify(&auth, &call, &late, &config, other, &claims), BULLA_E_INVALID);
	ck_assert_uint_eq(fetches, 5);
	unreachable = false;
	now_s += 9;
	ck_assert_err(jwt_source_verify(&auth, &call, &late, &config, other, &claims), BULLA_E_INVALID);
	now_s++;
	ck_assert_ok(jwt_source_verify(&auth, &call, &late, &config, other, &claims));
	ck_assert_uint_eq(fetches, 6);
	jwt_sets_free(auth.jwt_sets);
	bulla_clock_replace(NULL, NULL);
	pkey_put(first);
	pkey_put(second);
}
END_TEST

/* ---- claims ------------------------------------------------------------------------------------------------------------------ */

static const struct json *json_of(const char *text)
{
	struct json *value;

	ck_assert_ok(json_parse(&call, (const uint8_t *)text, strlen(text), &value));
	return value;
}

static const struct {
	const char *claims, *text; /* NULL: it is good */
} times[] = {
	{ "{}", "no issued at (iat), not before (nbf), or expiration time (exp) claims in token" },
	{ "{\"exp\":1800000001}", NULL },
	{ "{\"exp\":1799999940}", NULL }, /* within a minute of skew */
	{ "{\"exp\":1799999939}", "invalid expiration time (exp) claim: token is expired" },
	{ "{\"iat\":1800000000}", NULL },
	{ "{\"iat\":1799999790}", NULL }, /* 150 s and the skew */
	{ "{\"iat\":1799999789}", "invalid expiration time (exp) claim: token is expired" },
	{ "{\"nbf\":1800000060,\"exp\":1800000100}", NULL },
	{ "{\"nbf\":1800000061,\"exp\":1800000100}", "invalid not before (nbf) claim: token not yet valid" },
	{ "{\"iat\":1800000061,\"nbf\":1800000000,\"exp\":1800000100}", "invalid issued at (iat) claim: token issued in the future" },
	{ "{\"exp\":1800000000.9}", NULL },
	{ "{\"exp\":\"1800000001\"}", "invalid exp claim: it is no number of seconds" },
	{ "{\"exp\":1e300}", "invalid exp claim: it is no time" },
	{ "{\"exp\":-1}", "invalid exp claim: it is no time" },
};

/* Less than 0 is none. */
START_TEST(without_leeway)
{
	static const char exp[] = "{\"exp\":1799999999}", nbf[] = "{\"nbf\":1800000001,\"exp\":1800000100}";
	const struct jwt_expected any = { 0 }, strict = { .clock_skew_leeway_s = -1 };

	ck_assert_int_eq(NOW, 1800000000);
	ck_assert_ok(jwt_expect(&call, json_of(exp), &any, NOW));
	ck_assert_ok(jwt_expect(&call, json_of(nbf), &any, NOW));
	ck_assert_err(jwt_expect(&call, json_of(exp), &strict, NOW), BULLA_E_INVALID);
	ck_assert_err(jwt_expect(&call, json_of(nbf), &strict, NOW), BULLA_E_INVALID);
}
END_TEST

START_TEST(dates)
{
	const struct jwt_expected any = { 0 };
	enum bulla_err err = jwt_expect(&call, json_of(times[_i].claims), &any, NOW);

	if (times[_i].text == NULL)
		ck_assert_ok(err);
	else
		ck_assert_err(err, BULLA_E_INVALID);
	if (times[_i].text != NULL)
		ck_assert_bytes(bulla_call_text(&call, err), times[_i].text);
}
END_TEST

START_TEST(names)
{
	static const struct bulla_bytes audiences[] = { { (const uint8_t *)"a", 1 }, { (const uint8_t *)"b", 1 } };
	const struct jwt_expected e = { .issuer = bulla_str("me"), .subject = bulla_str("s"), .audiences = audiences, .audience_count = 2 };
	static const char *const good[] = { "{\"iss\":\"me\",\"sub\":\"s\",\"aud\":\"b\",\"exp\":1800000001}",
					    "{\"iss\":\"me\",\"sub\":\"s\",\"aud\":[\"x\",\"a\"],\"exp\":1800000001}" };
	static const char *const bad[] = {
		"{\"sub\":\"s\",\"aud\":\"b\",\"exp\":1800000001}", "{\"iss\":[\"me\"],\"sub\":\"s\",\"aud\":\"b\",\"exp\":1800000001}",
		"{\"iss\":\"me\",\"sub\":\"t\",\"aud\":\"b\",\"exp\":1800000001}", "{\"iss\":\"me\",\"sub\":\"s\",\"exp\":1800000001}",
		"{\"iss\":\"me\",\"sub\":\"s\",\"aud\":[],\"exp\":1800000001}", "{\"iss\":\"me\",\"sub\":\"s\",\"aud\":[[\"a\"]],\"exp\":1800000001}",
	};

	for (size_t i = 0; i < 2; i++)
		ck_assert_ok(jwt_expect(&call, json_of(good[i]), &e, NOW));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_err(jwt_expect(&call, json_of(bad[i]), &e, NOW), BULLA_E_INVALID);
}
END_TEST

static const struct {
	const char *bound;
	bool globs, good;
} bindings[] = {
	{ "{}", false, true },
	{ "{\"env\":\"prod\"}", false, true },
	{ "{\"env\":[\"test\",\"prod\"]}", false, true },
	{ "{\"env\":\"test\"}", false, false },
	{ "{\"env\":\"p*\"}", false, false },
	{ "{\"env\":\"p*d\"}", true, true },
	{ "{\"env\":\"p*x\"}", true, false },
	{ "{\"groups\":\"b\"}", false, true },
	{ "{\"groups\":[\"c\",\"d\"]}", false, false },
	{ "{\"/k8s/name\":\"api\"}", false, true },
	{ "{\"/k8s/na~1me\":\"x\"}", false, true },
	{ "{\"/groups/1\":\"b\"}", false, true },
	{ "{\"/groups/7\":\"b\"}", false, false },
	{ "{\"n\":5}", false, true },
	{ "{\"n\":\"5\"}", false, false },
	{ "{\"yes\":true}", false, true },
	{ "{\"yes\":false}", false, false },
	{ "{\"k8s\":\"x\"}", false, false },
	{ "{\"missing\":\"x\"}", false, false },
	{ "{\"env\":\"prod\",\"n\":6}", false, false },
};

START_TEST(bound_claims)
{
	const struct json *claims = json_of("{\"env\":\"prod\",\"groups\":[\"a\",\"b\"],\"k8s\":{\"name\":\"api\",\"na/me\":\"x\"},\"n\":5,\"yes\":true}");
	enum bulla_err err = jwt_check_bound(&call, claims, json_of(bindings[_i].bound), bindings[_i].globs);

	ck_assert_msg((err == BULLA_OK) == bindings[_i].good, "%s", bindings[_i].bound);
}
END_TEST

static const struct {
	const char *pattern, *text;
	bool fits;
} globs[] = {
	{ "", "", true }, { "*", "", true }, { "", "a", false }, { "a", "a", true }, { "a*", "abc", true }, { "*c", "abc", true },
	{ "a*c", "abc", true }, { "a*c", "ac", true }, { "a*c", "acb", false }, { "*b*", "abc", true }, { "*x*", "abc", false },
	{ "a**c", "abc", true }, { "*a*a*", "aa", true }, { "*a*a*a*", "aa", false }, { "a?c", "abc", false },
};

START_TEST(glob)
{
	ck_assert_int_eq(glob_match(bulla_str(globs[_i].pattern), bulla_str(globs[_i].text)), globs[_i].fits);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("JSON Web Tokens");
	TCase *tc = tcase_create("jwt");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, every_algorithm, 0, ALGORITHMS);
	tcase_add_test(tc, published);
	tcase_add_test(tc, forged);
	tcase_add_test(tc, bad_keys);
	tcase_add_test(tc, key_set);
	tcase_add_test(tc, a_set_from_elsewhere);
	tcase_add_test(tc, the_keys_of_before_serve);
	tcase_add_test(tc, without_leeway);
	tcase_add_loop_test(tc, dates, 0, (int)(sizeof times / sizeof times[0]));
	tcase_add_test(tc, names);
	tcase_add_loop_test(tc, bound_claims, 0, (int)(sizeof bindings / sizeof bindings[0]));
	tcase_add_loop_test(tc, glob, 0, (int)(sizeof globs / sizeof globs[0]));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
