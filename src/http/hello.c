/* hello.c: see hello.h. */
#include "http/hello.h"

#include <stdbool.h>
#include <string.h>

#define HANDSHAKE 22
#define SSL2_LENGTH 0x80    /* an SSL 2 record of less than 32 KiB without padding */

/* Go's net/http, which OpenBao serves with, looks for the first five; clients of this API may begin in other ways,
 * too. */
static const char *const requests[] = { "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "GET h", "PUT h", "DELET",
					"LIST ", "PATCH", "CONNE", "TRACE", "SCAN " };

static bool is_request(const uint8_t *head)
{
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		if (memcmp(head, requests[i], HELLO_HEAD) == 0)
			return true;
	return false;
}

/* Whether it may still become a request: it is one of them so far. */
static bool begins_request(const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		if (memcmp(head, requests[i], len) == 0)
			return true;
	return false;
}

/* A record's head, as far as it has come: the type, 3 as the version's first byte. */
static bool begins_record(const uint8_t *head, size_t len)
{
	return head[0] == HANDSHAKE && (len < 2 || head[1] == 3);
}

enum hello hello_judge(const uint8_t *head, size_t head_len, size_t unread)
{
	if (head_len == 0)
		return HELLO_MORE;
	if (head_len > HELLO_HEAD)
		head_len = HELLO_HEAD;
	if (!begins_record(head, head_len)) {
		if (head_len < HELLO_HEAD)
			return head[0] == SSL2_LENGTH || begins_request(head, head_len) ? HELLO_MORE : HELLO_STRANGE;
		if (is_request(head))
			return HELLO_HTTP;
		/* its third byte is 1: CLIENT-HELLO */
		return head[0] == SSL2_LENGTH && head[2] == 1 ? HELLO_SSL2 : HELLO_STRANGE;
	}
	if (head_len < HELLO_HEAD)
		return HELLO_MORE;
	size_t len = (size_t)head[3] << 8 | head[4];

	if (len == 0)
		return HELLO_EMPTY;
	if (len > HELLO_MOST)
		return HELLO_LONG;
	return unread >= HELLO_HEAD + len ? HELLO_WHOLE : HELLO_MORE;
}

const char *hello_answer(enum hello hello, size_t *len)
{
	/* a record with a fatal alert each (RFC 8446, 6); the text is OpenBao's */
	static const struct {
		const char *bytes;
		size_t len;
	} answers[] = {
#define ANSWER(text) { text, sizeof text - 1 }
		[HELLO_HTTP] = ANSWER("HTTP/1.0 400 Bad Request\r\n\r\n"
				      "Client sent an HTTP request to an HTTPS server.\n"),
		[HELLO_LONG] = ANSWER("\x15\x03\x01\x00\x02\x02\x16"),
		[HELLO_EMPTY] = ANSWER("\x15\x03\x01\x00\x02\x02\x0a"),
		[HELLO_SSL2] = ANSWER("\x15\x03\x01\x00\x02\x02\x46"),
		[HELLO_STRANGE] = { NULL, 0 },
#undef ANSWER
	};

	*len = answers[hello].len;
	return answers[hello].bytes;
}

const char *hello_text(enum hello hello)
{
	static const char *const texts[] = {
		[HELLO_MORE] = "no whole ClientHello",
		[HELLO_WHOLE] = "a ClientHello",
		[HELLO_HTTP] = "an HTTP request to an HTTPS server",
		[HELLO_LONG] = "the first record is too long",
		[HELLO_EMPTY] = "the first record is empty",
		[HELLO_SSL2] = "SSL 2",
		[HELLO_STRANGE] = "the first record does not look like a TLS handshake",
	};

	return texts[hello];
}
