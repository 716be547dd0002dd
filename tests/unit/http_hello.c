/* http_hello.c: what the first bytes on a TLS listener are taken for, split at every byte. */
#include <stdio.h>
#include <string.h>

#include "http/hello.h"
#include "unit.h"

#define ALERT(n) "\x15\x03\x01\x00\x02\x02" n

static enum hello judge(const char *bytes, size_t len)
{
	return hello_judge((const uint8_t *)bytes, len, len);
}

START_TEST(refuses_what_is_no_record)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum hello hello;
	} cases[] = {
		{ "\x16\x03\x01\x00\x00", 5, HELLO_EMPTY },
		{ "\x16\x03\x01\x40\x01", 5, HELLO_LONG },
		{ "\x16\x03\x01\xff\xff", 5, HELLO_LONG },
		{ "\x16\x02", 2, HELLO_STRANGE },
		{ "\x16\x04\x00\x00\x05", 5, HELLO_STRANGE },
		{ "\x15\x03\x01\x00\x02\x01\x00", 7, HELLO_STRANGE }, /* an alert */
		{ "\x17\x03\x03\x00\x05hello", 10, HELLO_STRANGE },   /* application data */
		{ "\x14\x03\x03\x00\x01\x01", 6, HELLO_STRANGE },     /* change of ciphers */
		{ "\x80\x2e\x01\x03\x01", 5, HELLO_SSL2 },
		{ "\x80\x2e\x02\x03\x01", 5, HELLO_STRANGE },
		{ "\0", 1, HELLO_STRANGE },
		{ "\xff\xff\xff\xff\xff", 5, HELLO_STRANGE },
		{ "SSH-2.0-x", 9, HELLO_STRANGE },
		{ "hello", 5, HELLO_STRANGE },
		{ "get / HTTP/1.1\r\n", 16, HELLO_STRANGE },
		{ "GETX/", 5, HELLO_STRANGE },
		{ "GE\0 /", 5, HELLO_STRANGE },
		{ " GET /", 6, HELLO_STRANGE },
		{ "\r\nGET / ", 8, HELLO_STRANGE },
		{ "PRI * HTTP/2.0\r\n", 16, HELLO_STRANGE },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ck_assert_msg(judge(cases[i].bytes, cases[i].len) == cases[i].hello, "case %zu", i);
}
END_TEST

START_TEST(waits_for_all_of_a_record)
{
	static char record[HELLO_HEAD + HELLO_MOST + 100] = { 22, 3, 1 };
	static const size_t lengths[] = { 1, 2, 255, 256, 517, HELLO_MOST };

	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		record[3] = (char)(lengths[i] >> 8);
		record[4] = (char)(lengths[i] & 255);
		for (size_t n = 0; n < HELLO_HEAD + lengths[i]; n++)
			ck_assert_msg(judge(record, n) == HELLO_MORE, "%zu of %zu", n, lengths[i]);
		ck_assert_int_eq(judge(record, HELLO_HEAD + lengths[i]), HELLO_WHOLE);
		ck_assert_int_eq(judge(record, HELLO_HEAD + lengths[i] + 100), HELLO_WHOLE); /* and what follows */
		/* only the head is looked at, the rest may lie in the socket */
		size_t all = HELLO_HEAD + lengths[i];

		ck_assert_int_eq(hello_judge((const uint8_t *)record, HELLO_HEAD, all), HELLO_WHOLE);
		ck_assert_int_eq(hello_judge((const uint8_t *)record, HELLO_HEAD, all - 1), HELLO_MORE);
	}
}
END_TEST

START_TEST(knows_requests)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1", "GET /v1/sys/health", "HEAD / ", "POST /x", "PUT /x ", "OPTIONS *", "GET http://x/",
		"PUT http://x/", "DELETE /x", "LIST /x", "PATCH /x", "SCAN /x", "CONNECT x:1", "TRACE /",
	};

	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		for (size_t n = 0; n <= strlen(requests[i]); n++)
			ck_assert_msg(judge(requests[i], n) == (n < HELLO_HEAD ? HELLO_MORE : HELLO_HTTP), "%zu bytes of %s",
				      n, requests[i]);
}
END_TEST

START_TEST(answers)
{
	static const struct {
		enum hello hello;
		const char *bytes;
		size_t len;
	} cases[] = {
		{ HELLO_HTTP, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", 76 },
		{ HELLO_LONG, ALERT("\x16"), 7 },  /* record_overflow */
		{ HELLO_EMPTY, ALERT("\x0a"), 7 }, /* unexpected_message */
		{ HELLO_SSL2, ALERT("\x46"), 7 },  /* protocol_version */
	};
	size_t len;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *bytes = hello_answer(cases[i].hello, &len);

		ck_assert_uint_eq(len, cases[i].len);
		ck_assert_mem_eq(bytes, cases[i].bytes, len);
		ck_assert_str_ne(hello_text(cases[i].hello), "");
	}
	ck_assert_ptr_null(hello_answer(HELLO_STRANGE, &len));
	ck_assert_uint_eq(len, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http/hello");
	TCase *c = tcase_create("hello");

	tcase_set_timeout(c, 30);
	tcase_add_test(c, refuses_what_is_no_record);
	tcase_add_test(c, waits_for_all_of_a_record);
	tcase_add_test(c, knows_requests);
	tcase_add_test(c, answers);
	suite_add_tcase(s, c);
	return unit_main(s);
}
