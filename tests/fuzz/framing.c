/* Framing: a stream is the same requests however it is cut, and what goes on of it is what goes on of that, unchanged: nothing is left in
 * it to be decided by the next reader. */
#include "fuzz.h"
#include "http/framing.h"

static bool wanted(const void *context, struct bulla_bytes name)
{
	(void)context;
	return name.len != 6; /* Cookie, say */
}

/* What goes on of a stream that comes in parts, and is then ended. host: as if each head had one. */
static struct bulla_bytes run(struct framing *f, struct bulla_bytes text, size_t part, bool host)
{
	uint8_t *out = malloc(text.len + 64), *buf = malloc(text.len + 1);
	size_t held = 0, n = 0;

	*f = (struct framing){ .max_chunked = 100000, .wanted = wanted };
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

/* What went on goes on as it is: nothing is in it that could be refused, or is yet to be decided. Host is gone from it. */
static void check_again(const struct framing *f, struct bulla_bytes out)
{
	struct framing again;
	struct bulla_bytes same = run(&again, out, 1, true);

	require(bulla_equal(out, same) && again.heads == f->heads && again.whole == f->whole);
	require(again.status == 0 && !again.too_large);
	fuzz_free(same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t parts[] = { 1, 2, 7, 100, 4096 };
	struct framing whole, f;
	struct bulla_bytes text = bulla_mem(data, size), out = run(&whole, text, size + 1, false);

	require(whole.whole <= whole.heads && whole.heads <= whole.whole + 1);
	require((whole.status != 0) == (whole.text != NULL));
	if (size <= 5000)
		check_again(&whole, out);
	for (size_t i = size > 5000 ? 2 : 0; i < sizeof parts / sizeof parts[0]; i++) {
		struct bulla_bytes other = run(&f, text, parts[i], false);

		require(bulla_equal(out, other));
		require(f.heads == whole.heads && f.whole == whole.whole && f.status == whole.status && f.too_large == whole.too_large);
		fuzz_free(other);
	}
	fuzz_free(out);
	return 0;
}
