/* Framing: what goes on of a stream, however it is cut; what is refused, and with what. The forms themselves are in
 * tests/wire. */
#include "unit.h"

#include "http/framing.h"

#include <stdio.h>
#include <stdlib.h>

#define HOST "Host: h\r\n"

/* What is taken, as "target{name=value}...;" of each head; "!" of one that was refused. */
struct taken {
	size_t begun, len;
	char text[40000];
};

static enum framing_taken take(void *context, struct bulla_bytes name, struct bulla_bytes value)
{
	struct taken *taken = context;
	char *end = taken->text + taken->len;

	if (name.len > 0 && !bulla_is(name, "Wanted"))
		return FRAMING_NOT_WANTED;
	ck_assert_uint_lt(taken->len + value.len + 20, sizeof taken->text);
	if (name.len > 0)
		taken->len += (size_t)sprintf(end, "{%.*s=%.*s}", (int)name.len, (const char *)name.ptr, (int)value.len,
					      (const char *)value.ptr);
	else
		taken->len += (size_t)sprintf(end, "%.*s", (int)value.len, (const char *)value.ptr);
	return bulla_is(value, "no memory") ? FRAMING_NO_MEMORY : FRAMING_TAKEN;
}

static void head_ends(void *context, bool refused)
{
	struct taken *taken = context;

	if (refused)
		taken->len = taken->begun;
	taken->len += (size_t)sprintf(taken->text + taken->len, refused ? "!" : ";");
	taken->begun = taken->len;
}

static struct framing begin(struct taken *taken)
{
	taken->begun = taken->len = 0;
	taken->text[0] = '\0';
	return (struct framing){ .max_chunked = 1000, .take = take, .head_ends = head_ends, .context = taken };
}

static struct taken taken; /* a test runs in a process of its own */

/* Feeds text in parts of at most part bytes, as the server does: what is not ready is fed again. Returns what goes
 * on, to be freed. */
static char *run(struct framing *f, const char *text, size_t len, size_t part, size_t *rest)
{
	uint8_t *buf = malloc(len + 1);
	char *out = malloc(len + 64);
	size_t held = 0, n = 0;

	ck_assert(buf != NULL && out != NULL);
	for (size_t at = 0; at < len; at += part) {
		size_t more = len - at < part ? len - at : part;

		memcpy(buf + held, text + at, more);
		struct framed framed = framing_feed(f, buf, held + more);

		ck_assert_uint_le(framed.ready + framed.rest, held + more);
		ck_assert_uint_le(framed.rest, FRAMING_MAX_HEAD);
		memcpy(out + n, buf, framed.ready);
		n += framed.ready;
		memmove(buf, buf + framed.ready, framed.rest);
		held = framed.rest;
	}
	if (f->tail != NULL) {
		memcpy(out + n, f->tail, strlen(f->tail));
		n += strlen(f->tail);
	}
	out[n] = '\0';
	*rest = held;
	free(buf);
	return out;
}

#define PUT "PUT / HTTP/1.1\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct {
	const char *text, *out, *taken;
	uint64_t heads, whole;
	unsigned status;
} streams[] = {
	{ "", "", "", 0, 0, 0 },
	{ "GET /a HTTP/1.1\r\n" HOST "\r\n", "GET / HTTP/1.1\r\n\r\n", "/a;", 1, 1, 0 },
	{ "\r\nGET * HTTP/1.1\r\nA: b\r\nWanted: \t c d \t\r\nCookie: d\r\n" HOST "Wanted:\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
	  "*{Wanted=c d}{Wanted=};", 1, 1, 0 },
	{ "PUT /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nab\nGET /b HTTP/1.0\r\nConnection: close \r\nWanted: x\r\n\r\n",
	  PUT "Content-Length: 3\r\n\r\nab\nGET / HTTP/1.0\r\nConnection: close\r\n\r\n", "/a;/b{Wanted=x};", 2, 2, 0 },
	{ "PUT /a HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nab", PUT "Content-Length: 9\r\n\r\nab", "/a;", 1, 0, 0 },
	{ PUT HOST CHUNKED "\r\n00A;x=\"y\"\r\n0123456789\r\n1\r\na\r\n0;z\r\nT: u\r\n\r\nGET /abc HTTP/1.9\r\n" HOST "\r\n",
	  PUT CHUNKED "\r\na\r\n0123456789\r\n1\r\na\r\n0\r\n\r\nGET / HTTP/1.9\r\n\r\n", "/;/abc;", 2, 2, 0 },
	/* LF alone ends a head's lines, and goes on as it came */
	{ "GET / HTTP/1.1\n" HOST "\r\n", "GET / HTTP/1.1\n\r\n", "/;", 1, 1, 0 },
	{ "\nPUT / HTTP/1.1\nHost: h\nWanted: x\nContent-Length: 2\n\na\nGET / HTTP/1.0\n\n",
	  "PUT / HTTP/1.1\nContent-Length: 2\n\na\nGET / HTTP/1.0\n\n", "/{Wanted=x};/;", 2, 2, 0 },
	{ "\n\nGET / HTTP/1.0\n\n", "GET / HTTP/1.1\r\n\r\n", "!", 1, 1, 400 },
	{ "GET / HTTP/1.0\nA: b\rc\n\n", "GET / HTTP/1.1\r\n\r\n", "!", 1, 1, 400 },
	{ "PUT / HTTP/1.1\n" HOST CHUNKED "\n1\na\r\n0\r\n\r\n", "PUT / HTTP/1.1\n" CHUNKED "\n0\r\n\r\n", "/;", 1, 1, 400 },
	{ PUT HOST CHUNKED "\r\n1\r\na\n0\r\n\r\n", PUT CHUNKED "\r\n1\r\na\r\n0\r\n\r\n", "/;", 1, 1, 400 },
	/* refused: nothing of the head goes on, nothing behind it, and what came before does */
	{ "GET /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n" HOST "Wanted: c\r\nD : e\r\n\r\nGET /f HTTP/1.1\r\n" HOST
	  "\r\n",
	  "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", "/a;!", 2, 2, 400 },
	{ "HEAD /b HTTP/1.1\r\nD : e\r\n\r\n", "HEAD / HTTP/1.1\r\n\r\n", "!", 1, 1, 400 },
	{ "HEAD /b HTTP/1.1\r\nWanted: x\r\n\r\n", "HEAD / HTTP/1.1\r\n\r\n", "!", 1, 1, 400 },
	{ "\x16\x03\x01", "GET / HTTP/1.1\r\n\r\n", "!", 1, 1, 400 },
	{ "GET / HTTP/1.1\r\n" HOST "Wanted: no memory\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "!", 1, 1, 503 },
	/* within a body: it is ended where it stands */
	{ PUT HOST CHUNKED "\r\n1\r\na\r\nx\r\n0\r\n\r\n", PUT CHUNKED "\r\n1\r\na\r\n0\r\n\r\n", "/;", 1, 1, 400 },
	{ PUT HOST CHUNKED "\r\n1\r\nab\r\n0\r\n\r\n", PUT CHUNKED "\r\n1\r\na\r\n0\r\n\r\n", "/;", 1, 1, 400 },
	{ PUT HOST CHUNKED "\r\n0\r\nX\r\n\r\n", PUT CHUNKED "\r\n0\r\n\r\n", "/;", 1, 1, 400 },
	/* beyond max_chunked: cut, not refused */
	{ PUT HOST CHUNKED "\r\n1\r\na\r\n3e8\r\nb", PUT CHUNKED "\r\n1\r\na\r\n0\r\n\r\n", "/;", 1, 1, 0 },
	{ PUT HOST CHUNKED "\r\nfffffffffffffff\r\nb", PUT CHUNKED "\r\n0\r\n\r\n", "/;", 1, 1, 0 },
};

START_TEST(streams_in_parts_of_each_size)
{
	const char *text = streams[_i].text;
	size_t len = strlen(text), rest;

	for (size_t part = 1; part <= len + 1; part++) {
		struct framing f = begin(&taken);
		char *out = run(&f, text, len, part, &rest);

		ck_assert_str_eq(out, streams[_i].out);
		ck_assert_str_eq(taken.text, streams[_i].taken);
		ck_assert_uint_eq(f.heads, streams[_i].heads);
		ck_assert_uint_eq(f.whole, streams[_i].whole);
		ck_assert_uint_eq(f.status, streams[_i].status);
		ck_assert_uint_eq(rest, 0);
		free(out);
	}
}
END_TEST

static const struct {
	const char *text;
	enum framing_end end;
	unsigned status;
} ends[] = {
	{ "", FRAMING_ENDED, 0 }, { "GET / HTTP/1.1\r\n" HOST "\r\n", FRAMING_ENDED, 0 }, { "G", FRAMING_ENDED_EARLY, 400 },
	{ "\r", FRAMING_ENDED_EARLY, 400 }, { "GET / HTTP/1.1\r\n" HOST, FRAMING_ENDED_EARLY, 400 },
	{ "GET / HTTP/1.1\r\nA : b\r\n", FRAMING_ENDED, 400 },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n", FRAMING_ENDED_CUT, 0 },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", FRAMING_ENDED_EARLY, 400 },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\na", FRAMING_ENDED_CUT, 0 },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r", FRAMING_ENDED_EARLY, 400 },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n", FRAMING_ENDED_EARLY, 400 },
};

START_TEST(streams_that_end)
{
	struct framing f = begin(&taken);
	size_t rest;
	char *out = run(&f, ends[_i].text, strlen(ends[_i].text), 3, &rest);

	ck_assert_int_eq(framing_end(&f, rest), ends[_i].end);
	ck_assert_uint_eq(f.status, ends[_i].status);
	ck_assert(ends[_i].end != FRAMING_ENDED_EARLY || (f.tail != NULL && f.heads == f.whole));
	free(out);
}
END_TEST

/* A head of len bytes, of lines of line bytes each. */
static char *make_head(size_t len, size_t line, const char *name)
{
	static const char top[] = "GET / HTTP/1.1\r\n" HOST;
	char *text = malloc(len + 1);
	size_t n = sizeof top - 1;

	ck_assert(text != NULL);
	memcpy(text, top, n);
	while (n + line + 6 <= len) {
		int named = sprintf(text + n, "%s:", name);

		memset(text + n + named, 'v', line - (size_t)named - 2);
		memcpy(text + n + line - 2, "\r\n", 2);
		n += line;
	}
	size_t more = len - n - 2;

	if (more > 0) {
		memset(text + n, 'a', more);
		text[n + 1] = ':';
		memcpy(text + n + more - 2, "\r\n", 2);
	}
	memcpy(text + len - 2, "\r\n", 3);
	return text;
}

START_TEST(heads_are_limited)
{
	static const size_t lines[] = { 12, 100, 5000, 32600 }, parts[] = { 61, 1000, 16384, 100000 };
	size_t rest;

	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 4; j++) {
			for (size_t len = FRAMING_MAX_HEAD - 2; len <= FRAMING_MAX_HEAD + 2; len++) {
				struct framing f = begin(&taken);
				char *text = make_head(len, lines[i], "Other"), *out = run(&f, text, len, parts[j], &rest);

				ck_assert_uint_eq(f.status, len <= FRAMING_MAX_HEAD ? 0 : 431);
				ck_assert_uint_eq(f.whole, 1);
				free(out);
				free(text);
			}
		}
	}
}
END_TEST

/* A line that fills a head to its last byte and ends with LF alone leaves no room for another. */
START_TEST(heads_of_bare_lf_are_limited)
{
	static const char top[] = "GET / HTTP/1.1\nHost: h\n", more[] = "Wanted: x\n\n";
	static char text[FRAMING_MAX_HEAD + 100];
	size_t rest;

	for (size_t less = 0; less < 3; less++) {
		struct framing f = begin(&taken);
		size_t n = sizeof top - 1, end = FRAMING_MAX_HEAD - less;

		memcpy(text, top, n);
		memset(text + n, 'a', end - n);
		text[n + 1] = ':';
		text[end - 1] = '\n';
		memcpy(text + end, more, sizeof more - 1);
		char *out = run(&f, text, end + sizeof more - 1, 1000, &rest);

		ck_assert_uint_eq(f.status, 431);
		free(out);
	}
}
END_TEST

START_TEST(lines_are_limited)
{
	static const struct {
		const char *name;
		size_t line, most;
	} cases[] = { { "Wanted", 30, FRAMING_MAX_LINES }, { "Other", 30, 1000 },
		      { "Connection", 60, FRAMING_MAX_KEPT_LINES },
		      { "Connection", 500, FRAMING_MAX_KEPT / 500 } };

	for (size_t i = 0; i < 4; i++) {
		for (size_t n = cases[i].most - 2; n <= cases[i].most + 2; n++) {
			struct framing f = begin(&taken);
			size_t len = strlen("GET / HTTP/1.1\r\n" HOST) + cases[i].line * n + 6, rest;
			char *text = make_head(len, cases[i].line, cases[i].name), *out = run(&f, text, len, 700, &rest);
			bool sure = i < 3 || n != cases[i].most;

			ck_assert(!sure || f.status == (n <= cases[i].most || i == 1 ? 0 : 431));
			ck_assert_uint_le(strlen(out), FRAMING_MAX_KEPT);
			free(out);
			free(text);
		}
	}
}
END_TEST

START_TEST(each_byte_in_each_place)
{
	static const char *const before[] = {
		"GE", "GET /", "GET / HTTP/1.1\r\n" HOST "Na", "GET / HTTP/1.1\r\n" HOST "Name: va", "GET / HTTP/1.1\r\nHost: ",
	};
	static const char *const after[] = {
		"T / HTTP/1.1\r\n" HOST "\r\n", "x HTTP/1.1\r\n" HOST "\r\n", "me: v\r\n\r\n", "lue\r\n\r\n", "\r\n\r\n",
	};
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char host[] = "!$%&'()*+,-.:;=[]_~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \t";

	for (size_t place = 0; place < 5; place++) {
		for (int c = 0; c < 256; c++) {
			bool is_token = c != 0 && strchr(token, c) != NULL, is_host = c != 0 && strchr(host, c) != NULL;
			bool good = place == 0 ? is_token : place == 1 ? c > 0x20 && c != 0x7F : place == 2 ? is_token || c == ':' :
				    place == 3 ? (c >= 0x20 && c != 0x7F) || c == '\t' : is_host || c == '\n';
			struct framing f = begin(&taken);
			char text[128];
			size_t rest, len = (size_t)sprintf(text, "%s_%s", before[place], after[place]);

			text[strlen(before[place])] = (char)c;
			char *out = run(&f, text, len, 5, &rest);

			ck_assert_msg((f.status == 0) == good && (good || f.status == 400), "place %zu, byte %d: %u", place, c, f.status);
			free(out);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http/framing");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, streams_in_parts_of_each_size, 0, sizeof streams / sizeof streams[0]);
	tcase_add_loop_test(tc, streams_that_end, 0, sizeof ends / sizeof ends[0]);
	tcase_add_test(tc, heads_are_limited);
	tcase_add_test(tc, heads_of_bare_lf_are_limited);
	tcase_add_test(tc, lines_are_limited);
	tcase_add_test(tc, each_byte_in_each_place);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
