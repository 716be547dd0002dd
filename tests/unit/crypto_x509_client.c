/* Certificates of clients, whom nobody knows yet when they are read: what a hostile one may cost. They are put together here: nobody
 * checks a signature before the names are read. */
#include <sys/resource.h>

#include "unit.h"

#include "crypto/crypto.h"
#include "crypto/x509_client.h"

#define NAMES 8000

static struct bulla_call call;

static void setup(void)
{
	ck_assert_ok(crypto_init());
	call = call_begin();
}

static void teardown(void)
{
	call_end(&call);
}

/* ---- DER (X.690), from the inside out ---------------------------------------------------------------------------------------- */

static struct bulla_bytes der(uint8_t tag, struct bulla_bytes content)
{
	uint8_t *p = bulla_arena_alloc(call.arena, content.len + 4);

	p[0] = tag;
	p[1] = 0x82;
	p[2] = (uint8_t)(content.len >> 8);
	p[3] = (uint8_t)content.len;
	if (content.len > 0)
		memcpy(p + 4, content.ptr, content.len);
	if (content.len >= 256)
		return bulla_mem(p, content.len + 4);
	size_t head = content.len < 128 ? 2 : 3; /* DER has the shortest form */

	memmove(p + head, p + 4, content.len);
	p[1] = head == 2 ? (uint8_t)content.len : 0x81;
	if (head == 3)
		p[2] = (uint8_t)content.len;
	return bulla_mem(p, content.len + head);
}

static struct bulla_bytes both(struct bulla_bytes a, struct bulla_bytes b)
{
	uint8_t *p = bulla_arena_alloc(call.arena, a.len + b.len);

	if (a.len > 0)
		memcpy(p, a.ptr, a.len);
	if (b.len > 0)
		memcpy(p + a.len, b.ptr, b.len);
	return bulla_mem(p, a.len + b.len);
}

/* With so many DNS names "a". */
static struct bulla_bytes certificate(size_t names)
{
	static const uint8_t version[] = { 0xA0, 3, 2, 1, 2, 2, 1, 1 }, ed25519[] = { 6, 3, 0x2B, 0x65, 0x70 },
			     san[] = { 6, 3, 0x55, 0x1D, 0x11 }, zeros[65], time[] = "\x17\x0D" "300101000000Z";
	struct bulla_bytes alg = der(0x30, bulla_mem(ed25519, sizeof ed25519)), nobody = der(0x30, bulla_str("")), list = { 0 };
	uint8_t *p = bulla_arena_alloc(call.arena, 3 * names);

	for (size_t i = 0; i < names; i++)
		memcpy(p + 3 * i, "\x82\x01" "a", 3);
	list = der(0x04, der(0x30, bulla_mem(p, 3 * names)));
	struct bulla_bytes extensions = der(0xA3, der(0x30, der(0x30, both(bulla_mem(san, sizeof san), list))));
	struct bulla_bytes key = der(0x30, both(alg, der(0x03, bulla_mem(zeros, 33))));
	struct bulla_bytes times = der(0x30, both(bulla_mem(time, 15), bulla_mem(time, 15)));
	struct bulla_bytes tbs = both(both(both(both(bulla_mem(version, sizeof version), alg), nobody), both(times, nobody)),
				      both(key, extensions));

	return der(0x30, both(both(der(0x30, tbs), alg), der(0x03, bulla_mem(zeros, 65))));
}

START_TEST(every_name_is_read)
{
	struct x509_names names;

	for (size_t n = 1; n < 70; n++) {
		ck_assert_ok(x509_names_read(&call, certificate(n), &names));
		ck_assert_uint_eq(names.dns.count, n);
		for (size_t i = 0; i < n; i++)
			ck_assert_bytes(names.dns.items[i], "a");
	}
}
END_TEST

static long peak_kib(void)
{
	struct rusage usage;

	ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

/* A handshake's message holds five times as many: memory by their square would be gigabytes, for anybody. */
START_TEST(memory_grows_with_the_names)
{
	struct bulla_bytes bytes = certificate(NAMES);
	struct x509_names names;
	long before = peak_kib();

	ck_assert_ok(x509_names_read(&call, bytes, &names));
	ck_assert_uint_eq(names.dns.count, NAMES);
	ck_assert_int_lt(peak_kib() - before, 64 * 1024);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crypto/x509_client");
	TCase *tc = tcase_create("names");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_name_is_read);
	tcase_add_test(tc, memory_grows_with_the_names);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
