/* Framing: a stream is the same requests however it is cut, and what goes on of it is what goes on of that,
 * unchanged: nothing is left in it to be decided by the next reader. */
#include "fuzz.h"
#include "http/framing.h"

/* A digest of what is taken: of the heads that are whole, and of the one under way. */
struct taken {
	uint64_t whole, head;
};

static uint64_t mix(uint64_t digest, struct bulla_bytes bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		digest = (digest ^ bytes.ptr[i]) * 1099511628211u;
	return (digest ^ 256) * 1099511628211u;
}

static enum framing_taken take(void *context, struct bulla_bytes name, struct bulla_bytes value)
{
	struct taken *taken = context;

	require(name.len < FRAMING_MAX_HEAD && value.len < FRAMING_MAX_HEAD && memchr(value.ptr, '\n', value.len) == NULL);
	if (name.len == 6) /* Cookie, say */
		return FRAMING_NOT_WANTED;
	taken->head = mix(mix(taken->head, name), value);
	return FRAMING_TAKEN;
}

static void head_ends(void *context, bool refused)
{
	struct taken *taken = context;

	taken->whole = refused ? taken->whole * 3 : taken->whole * 31 + taken->head;
	taken->head = 0;
}

/* What goes on of a stream that comes in parts, and is then ended. host: as if each head had one. */
static struct bulla_bytes run(struct framing *f, struct taken *taken, struct bulla_bytes text, size_t part, bool host)
{
	uint8_t *out = malloc(text.len + 64), *buf = malloc(text.len + 1);
	size_t held = 0, n = 0;

	*taken = (struct taken){ 0 };
	*f = (struct framing){ .max_chunked = 100000, .take = take, .head_ends = head_ends, .context = taken };
	require(out != NULL && buf != NULL);
	for (size_t at = 0; at < text.len; at += part) {
		size_t more = text.len - at < part ? text.len - at : part;
		/* just this size, so that ASan sees a step beyond it */
		uint8_t *data = malloc(held + more);

		require(data != NULL);
		memcpy(data, buf, held);
		memcpy(data + held, text.ptr + at, more);
		f->host |= host;
		struct framed framed = framing_feed(f, data, held + more);

		require(framed.ready + framed.rest <= held + more && framed.rest <= FRAMING_MAX_HEAD);
		require(f->state != FRAMING_REFUSED || framed.rest == 0);
		memcpy(out + n, data, framed.ready);
		n += framed.ready;
		held = framed.rest;
		memcpy(buf, data + framed.ready, held);
		free(data);
	}
	(void)framing_end(f, held);
	if (f->tail != NULL) {
		memcpy(out + n, f->tail, strlen(f->tail));
		n += strlen(f->tail);
	}
	free(buf);
	return bulla_mem(out, n);
}

/* What went on goes on as it is: nothing is in it that could be refused, or is yet to be decided. Host is gone from
 * it. */
static void check_again(const struct framing *f, struct bulla_bytes out)
{
	struct framing again;
	struct taken taken;
	struct bulla_bytes same = run(&again, &taken, out, 1, true);

	require(bulla_equal(out, same) && again.heads == f->heads && again.whole == f->whole);
	require(again.status == 0 && !again.too_large);
	fuzz_free(same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t parts[] = { 1, 2, 7, 100, 4096 };
	struct framing whole, f;
	struct taken all, taken;
	struct bulla_bytes text = bulla_mem(data, size), out = run(&whole, &all, text, size + 1, false);

	require(whole.whole <= whole.heads && whole.heads <= whole.whole + 1);
	require((whole.status != 0) == (whole.text != NULL));
	if (size <= 5000)
		check_again(&whole, out);
	for (size_t i = size > 5000 ? 2 : 0; i < sizeof parts / sizeof parts[0]; i++) {
		struct bulla_bytes other = run(&f, &taken, text, parts[i], false);

		require(bulla_equal(out, other) && taken.whole == all.whole);
		require(f.heads == whole.heads && f.whole == whole.whole);
		require(f.status == whole.status && f.too_large == whole.too_large);
		fuzz_free(other);
	}
	fuzz_free(out);
	return 0;
}
