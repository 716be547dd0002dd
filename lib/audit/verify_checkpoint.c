/* verify_checkpoint.c: reads the checkpoints of a log, and whether they are signed by whom they should be, for what stands before them.
 * One thread, as verify.c. */
#include <stdio.h>

#include "audit/verify_private.h"

#define CHECKPOINT_TEXT "bulla audit checkpoint 1\n"
#define SIGNATURE_TEXT BULLA_BASE64_LEN(SIGNATURE_BYTES)
#define KEY_TEXT BULLA_BASE64_LEN(SIGNING_PUBLIC_BYTES)

struct checkpoint {
	struct bulla_bytes event, key, seq, prev, signature;
	struct bulla_bytes lost, after; /* of a gap */
	struct bulla_bytes message; /* what is signed */
};

static bool skip(struct bulla_bytes *rest, const char *text)
{
	size_t n = strlen(text);

	if (rest->len < n || memcmp(rest->ptr, text, n) != 0)
		return false;
	*rest = bulla_mem(rest->ptr + n, rest->len - n);
	return true;
}

/* Up to stop, which is skipped. */
static bool take(struct bulla_bytes *rest, char stop, struct bulla_bytes *out)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, stop, rest->len) : NULL;

	if (end == NULL)
		return false;
	*out = bulla_mem(rest->ptr, (size_t)(end - rest->ptr));
	*rest = bulla_mem(end + 1, rest->len - out->len - 1);
	return true;
}

bool checkpoint_begins(struct bulla_bytes line, struct bulla_bytes *rest)
{
	const uint8_t *brace = line.len > 0 ? memchr(line.ptr, '{', line.len) : NULL; /* a prefix holds none */
	struct bulla_bytes time;

	if (brace == NULL)
		return false;
	*rest = bulla_mem(brace, line.len - (size_t)(brace - line.ptr));
	return skip(rest, "{\"time\":\"") && take(rest, '"', &time) &&
	       skip(rest, ",\"type\":\"bulla_checkpoint\",\"bulla_checkpoint\":{");
}

/* The device's name may hold escapes: it ends where its id begins, or what a gap says. */
static bool find_id(struct bulla_bytes *rest, struct checkpoint *out)
{
	for (; rest->len > 0; *rest = bulla_mem(rest->ptr + 1, rest->len - 1)) {
		if (skip(rest, "\",\"id\":\""))
			return true;
		if (skip(rest, "\",\"lost\":\""))
			return take(rest, '"', &out->lost) && skip(rest, ",\"after\":\"") && take(rest, '"', &out->after) &&
			       skip(rest, ",\"id\":\"");
	}
	return false;
}

/* rest: behind what is_checkpoint skipped. */
static bool read_checkpoint(struct bulla_bytes line, struct bulla_bytes rest, struct checkpoint *out)
{
	const uint8_t *brace = memchr(line.ptr, '{', line.len);
	struct bulla_bytes id;

	if (!skip(&rest, "\"event\":\"") || !take(&rest, '"', &out->event) || !skip(&rest, ",\"device\":\""))
		return false;
	if (!find_id(&rest, out) || !take(&rest, '"', &id) || !skip(&rest, ",\"key\":\"") || !take(&rest, '"', &out->key) || !skip(&rest, ",\"seq\":") ||
	    !take(&rest, ',', &out->seq) || !skip(&rest, "\"prev\":\"") || !take(&rest, '"', &out->prev))
		return false;
	out->message = bulla_mem(brace, (size_t)(rest.ptr - brace));
	return skip(&rest, ",\"signature\":\"") && take(&rest, '"', &out->signature) && skip(&rest, "},\"bulla_chain\":{");
}

static bool decode(struct bulla_bytes text, size_t chars, uint8_t *out, size_t bytes)
{
	size_t len = 0, bad_at;
	uint8_t buffer[BULLA_BASE64_MAX_DECODED(SIGNATURE_TEXT)];

	if (text.len != chars || bulla_base64_decode(text, buffer, &len, &bad_at) != BULLA_OK || len != bytes)
		return false;
	memcpy(out, buffer, bytes);
	return true;
}

/* One of the keys that are asked for; where none is, the first one seen. */
static bool is_trusted(struct verify *v, const uint8_t key[SIGNING_PUBLIC_BYTES])
{
	struct bulla_audit_verdict *verdict = v->verdict;

	if (!verdict->has_key)
		memcpy(verdict->public_key, key, SIGNING_PUBLIC_BYTES);
	verdict->has_key = true;
	if (v->args->public_key_count == 0)
		return memcmp(verdict->public_key, key, SIGNING_PUBLIC_BYTES) == 0;
	for (size_t i = 0; i < v->args->public_key_count; i++)
		if (memcmp(v->args->public_keys + i * SIGNING_PUBLIC_BYTES, key, SIGNING_PUBLIC_BYTES) == 0)
			return true;
	return false;
}

static bool signature_fits(const struct checkpoint *c, const uint8_t key[SIGNING_PUBLIC_BYTES], const uint8_t *signature)
{
	struct out message = { 0 };

	out_text(&message, CHECKPOINT_TEXT);
	out_raw(&message, c->message);
	bool fits = !message.failed && signing_verify(key, bulla_mem(message.ptr, message.len), signature);

	out_clear(&message);
	return fits;
}

static uint64_t read_digits(struct bulla_bytes text)
{
	uint64_t n = 0;

	for (size_t i = 0; i < text.len && i < 19 && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
		n = 10 * n + (uint64_t)(text.ptr[i] - '0');
	return n;
}

void verify_checkpoint(struct verify *v, struct bulla_bytes line, struct bulla_bytes rest, uint64_t number,
			     const uint8_t previous[SHA256_BYTES], struct event *event)
{
	uint8_t key[SIGNING_PUBLIC_BYTES], signature[SIGNATURE_BYTES];
	struct checkpoint c = { 0 };
	char seq[24], prev[2 * SHA256_BYTES];

	(void)snprintf(seq, sizeof seq, "%llu", (unsigned long long)number);
	bulla_hex_encode(bulla_mem(previous, SHA256_BYTES), prev);
	if (!read_checkpoint(line, rest, &c) || !decode(c.key, KEY_TEXT, key, sizeof key) ||
	    !decode(c.signature, SIGNATURE_TEXT, signature, sizeof signature)) {
		verify_report(v, BULLA_AUDIT_FORGED, v->here, "a checkpoint that cannot be read");
		return;
	}
	if (!is_trusted(v, key)) {
		verify_report(v, BULLA_AUDIT_FORGED, v->here, "a checkpoint signed with another key");
		return;
	}
	if (!signature_fits(&c, key, signature)) {
		verify_report(v, BULLA_AUDIT_FORGED, v->here, "a checkpoint whose signature does not fit it");
		return;
	}
	if (!bulla_is(c.seq, seq) || !bulla_equal(c.prev, bulla_mem(prev, sizeof prev))) {
		verify_report(v, BULLA_AUDIT_FORGED, v->here, "the lines before this checkpoint, since record %llu, are not those that it was signed for",
		       (unsigned long long)v->signed_record + 1);
		return;
	}
	(void)snprintf(event->name, sizeof event->name, "%.*s", (int)(c.event.len < 15 ? c.event.len : 15), (const char *)c.event.ptr);
	event->lost = read_digits(c.lost);
	event->after = read_digits(c.after);
	v->verdict->checkpoints++;
	v->signed_record = number;
}
