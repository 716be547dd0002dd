/* framing.h: where HTTP/1.1 requests begin and end in a stream of bytes, decided strictly and before anything else
 * reads it (RFC 9112).
 *
 * A machine without sockets, clocks or memory of its own: it is fed with what has come in, changes it in place and
 * says how much of it may go on. The target and the headers are told to its caller, line by line. What goes on are
 * heads without them: method, "/", version, and the few lines that frame; and bodies as they come, with chunk lines
 * in their shortest form and without trailers. What is refused does not go on: in its place comes a harmless end
 * (tail), and the status and text of the answer are kept. After that, nothing goes on any more.
 *
 * A struct framing belongs to one connection and is touched by one thread at a time. */
#ifndef BULLA_HTTP_FRAMING_H
#define BULLA_HTTP_FRAMING_H

#include <bulla.h>

#define FRAMING_MAX_HEAD 32768    /* bytes of a head as it comes, with its empty line: 431 */
#define FRAMING_MAX_TARGET 16384  /* bytes of a request target: 414 */
#define FRAMING_MAX_KEPT 2048     /* bytes of the lines of a head that go on: 431 */
#define FRAMING_MAX_KEPT_LINES 16 /* of them: 431 */
#define FRAMING_MAX_LINES 100     /* header lines that are taken: 431 */
#define FRAMING_MAX_METHOD 64     /* bytes of a method: 400 */
#define FRAMING_MAX_CHUNK_LINE 4096     /* bytes of a chunk's size line with its extensions: 400 */
#define FRAMING_MAX_EXTENSIONS 16384    /* bytes of all chunk extensions of a body: 400 */
#define FRAMING_MAX_TRAILER 8192  /* bytes of the trailer section: 431 */

enum framing_state {
	FRAMING_HEAD,      /* before or in a head */
	FRAMING_BODY,      /* of known length, or the data of a chunk */
	FRAMING_CHUNK,     /* before or in a chunk's size line */
	FRAMING_CHUNK_END, /* at the line end behind a chunk's data */
	FRAMING_TRAILER,
	FRAMING_REFUSED,   /* nothing goes on */
};

enum framing_taken { FRAMING_NOT_WANTED, FRAMING_TAKEN, FRAMING_NO_MEMORY };

struct framing {
	/* set by the caller before the first byte */
	uint64_t max_chunked; /* bytes of a chunked body, beyond which it is cut: 413 */
	/* of each head its target, with an empty name, and each header; they are lent */
	enum framing_taken (*take)(void *context, struct bulla_bytes name, struct bulla_bytes value);
	void (*head_ends)(void *context, bool refused); /* refused: what was taken of it is to be forgotten */
	void *context;

	/* for the caller to read */
	enum framing_state state;
	uint64_t heads;      /* requests whose head has gone on, or was refused */
	uint64_t whole;      /* requests of which nothing more goes on */
	unsigned status;     /* of the refusal, which is about the last of heads; 0: none */
	const char *text;    /* of the refusal */
	bool too_large;      /* the last of heads has a chunked body beyond max_chunked, which was cut */
	const char *tail;    /* to go on behind all else, NULL: nothing */

	/* its own: of the head, line or body under way */
	size_t kept;         /* bytes of lines that will go on, at the beginning of what is not ready */
	size_t scanned;      /* bytes behind them without a line end */
	size_t head_bytes;
	unsigned lines, kept_lines, method_len;
	bool begun, blank, minor_0, is_head, has_length, chunked, host;
	bool in_chunks;      /* FRAMING_BODY is a chunk's data */
	uint64_t length;     /* declared, then left to come */
	uint64_t body, overhead;
};

/* What of the bytes fed goes on now, and what comes behind it and has to be fed again, in front of what comes next.
 * The rest is never more than FRAMING_MAX_HEAD bytes. */
struct framed {
	size_t ready, rest;
};

/* data: the rest of the last call and behind it what came in since, len bytes; it is changed in place, never beyond
 * len. On return the bytes that are ready stand at its beginning, the rest at once behind them. */
struct framed framing_feed(struct framing *f, uint8_t *data, size_t len);

/* The stream has ended; rest: what of it was not ready. */
enum framing_end {
	FRAMING_ENDED,       /* between requests */
	FRAMING_ENDED_EARLY, /* within one, which is refused now: there is a tail */
	FRAMING_ENDED_CUT,   /* within a body of known length: nothing can be said any more */
};
enum framing_end framing_end(struct framing *f, size_t rest);

/* Refuses what is under way, or would come next. text: static. Does nothing if something was refused already. */
void framing_refuse(struct framing *f, unsigned status, const char *text);

/* Whether a name is wanted but for the case of letters. The name is a token, wanted a literal of letters, digits and
 * hyphens: to these alone a token's bytes become equal by setting bit 5. Most requests have six to ten headers, each
 * looked at a few times. */
static inline __attribute__((always_inline)) bool framing_is_name(struct bulla_bytes name, const char *wanted)
{
	const uint64_t fold = UINT64_C(0x2020202020202020);
	size_t len = strlen(wanted), i = 0;
	uint64_t differs = 0, a = 0, b = 0;

	if (name.len != len)
		return false;
	for (; i + 8 <= len; i += 8) {
		memcpy(&a, name.ptr + i, 8);
		memcpy(&b, wanted + i, 8);
		differs |= (a | fold) ^ (b | fold);
	}
	for (; i < len; i++)
		differs |= (uint64_t)((name.ptr[i] | 0x20) ^ (wanted[i] | 0x20));
	return differs == 0;
}

/* Without the spaces and tabs around it (RFC 9110 section 5.5). */
struct bulla_bytes framing_trim(struct bulla_bytes text);

/* Whether a body, or a rest of one, may still come that nobody reads any more. */
bool framing_unfinished(const struct framing *f);

#endif
