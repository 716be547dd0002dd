/* api_response.c: answers of a server as they come: whole, in pieces, in chunks, and those that are refused. */
#include "response.h"

#include <string.h>

#include "api_unit.h"

/* A copy of its own for each try: what is read over the end is seen by ASan, and joined chunks do not change the next try. */
static enum response_state try(const char *text, size_t len, bool ended, struct response *out, char **copy)
{
	*copy = malloc(len > 0 ? len : 1);
	memcpy(*copy, text, len);
	return response_read(*copy, len, ended, out);
}

static void expect_bad(const char *text)
{
	struct response got = { .status = -1 };
	char *copy;

	ck_assert_msg(try(text, strlen(text), true, &got, &copy) == RESPONSE_BAD, "%s", text);
	ck_assert_int_eq(got.status, -1);
	free(copy);
}

/* Each shorter beginning is not whole, and when the connection ends there it is refused. */
static void expect(const char *text, int status, const char *body, bool keep)
{
	struct response got;
	char *copy;

	for (size_t n = 0; n < strlen(text); n++) {
		ck_assert_msg(try(text, n, false, &got, &copy) == RESPONSE_MORE, "%zu bytes of %s", n, text);
		free(copy);
		ck_assert_msg(try(text, n, true, &got, &copy) == RESPONSE_BAD, "%zu bytes of %s", n, text);
		free(copy);
	}
	ck_assert_msg(try(text, strlen(text), false, &got, &copy) == RESPONSE_DONE, "%s", text);
	ck_assert_int_eq(got.status, status);
	ck_assert_uint_eq(got.len, strlen(body));
	ck_assert_int_eq(memcmp(got.body, body, got.len), 0);
	ck_assert_msg(got.keep == keep, "%s", text);
	free(copy);
}

START_TEST(malformed)
{
	static const char *const texts[] = {
		"HTTP/2 200\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n", "HTTP/1.2 200 OK\r\n\r\n",
		"HTTP/1.1  200\r\n\r\n", "http/1.1 200 OK\r\n\r\n", "\r\n\r\n", "HTTP/1.1 101 Switching\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\nA: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: value\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n Content-Length: 0\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		expect_bad(texts[i]);
}
END_TEST

START_TEST(lengths)
{
	static const char *const fields[] = {
		"Content-Length: -1", "Content-Length: +1", "Content-Length: 1x", "Content-Length: ", "Content-Length: 0x1", "Content-Length: 1,1",
		"Content-Length: 8388609", "Content-Length: 18446744073709551617", "Content-Length: 1\r\nContent-Length: 1",
		"Content-Length: 1\r\nContent-Length: 2", "Transfer-Encoding: chunked\r\nContent-Length: 1",
		"Content-Length: 1\r\nTransfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
	};
	char text[256];

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n\r\n1\r\nx\r\n0\r\n\r\n", fields[i]);
		expect_bad(text);
	}
}
END_TEST

START_TEST(chunks_refused)
{
	static const char *const bodies[] = {
		"\r\n", "x\r\n", "-1\r\n", " 1\r\nx\r\n0\r\n\r\n", "1\r\nxy\r\n0\r\n\r\n", "1\r\nx\n0\r\n\r\n", "1\r\nx0\r\n\r\n", "800001\r\n",
		"ffffffffffffffff1\r\n", "1_\r\nx\r\n0\r\n\r\n", "0\r\n", "1\r\nx\r\n", "1\r\nx\r\n7fffff\r\n800000\r\n",
	};
	char text[256];

	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s", bodies[i]);
		expect_bad(text);
	}
}
END_TEST

/* More than is allowed is refused while it comes, and not gathered for ever. */
START_TEST(endless)
{
	static const char *const heads[] = { "HTTP/1.1 200 OK\r\nA: ", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
					     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" };
	static const size_t sizes[] = { RESPONSE_HEAD_MAX_BYTES, RESPONSE_BODY_MAX_BYTES, 256, RESPONSE_HEAD_MAX_BYTES };
	struct response got;

	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		size_t n = strlen(heads[i]), size = n + sizes[i] + 1;
		char *data = malloc(size);

		memset(data, '1', size);
		memcpy(data, heads[i], n);
		ck_assert(response_read(data, n, false, &got) == RESPONSE_MORE);
		ck_assert(response_read(data, size, false, &got) == RESPONSE_BAD);
		free(data);
	}
}
END_TEST

START_TEST(whole)
{
	expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true);
	expect("HTTP/1.1 200\r\ncontent-length:5\t\r\nX: \r\n\r\nhello", 200, "hello", true);
	expect("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 503, "", true);
	expect("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true);
	expect("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", false);
	expect("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\nx", 200, "x", false);
	expect("HTTP/1.1 200 OK\r\nConnection: closed\r\nContent-Length: 1\r\n\r\nx", 200, "x", true);
	expect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", true);
}
END_TEST

START_TEST(chunks)
{
	expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\n", 200, "abc0123456789", true);
	expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\n\r\r\n000\r\nTrailer: x\r\nContent-Length: 7\r\n\r\n", 200, "\r", true);
	expect("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n", 403, "", false);
}
END_TEST

/* Bytes behind an answer: it is good, the connection is not. */
START_TEST(too_much)
{
	static const char *const texts[] = { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", "HTTP/1.1 204 No Content\r\n\r\nx",
					     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nx" };
	struct response got;
	char *copy;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		ck_assert(try(texts[i], strlen(texts[i]), false, &got, &copy) == RESPONSE_DONE);
		ck_assert_uint_eq(got.len, i == 1 ? 0 : 1);
		ck_assert(!got.keep);
		free(copy);
	}
}
END_TEST

START_TEST(until_the_end)
{
	static const char text[] = "HTTP/1.1 200 OK\r\n\r\nhello";
	struct response got;
	char *copy;

	ck_assert(try(text, strlen(text), false, &got, &copy) == RESPONSE_MORE);
	free(copy);
	ck_assert(try(text, strlen(text), true, &got, &copy) == RESPONSE_DONE);
	ck_assert_uint_eq(got.len, 5);
	ck_assert_int_eq(memcmp(got.body, "hello", 5), 0);
	ck_assert(!got.keep);
	free(copy);
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("response");

	tcase_add_test(all, malformed);
	tcase_add_test(all, lengths);
	tcase_add_test(all, chunks_refused);
	tcase_add_test(all, endless);
	tcase_add_test(all, whole);
	tcase_add_test(all, chunks);
	tcase_add_test(all, too_much);
	tcase_add_test(all, until_the_end);
	return api_unit_main(all, "api/response");
}
