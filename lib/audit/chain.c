/* chain.c: owns the form of the chain (docs/FORMATS.md). Each line ends with its number and the SHA-256 of the line before; from
 * time to time a line is a checkpoint, signed with the device's Ed25519 key (RFC 8032), which vouches for all lines before it.
 * A device's thread, or whoever reads a log: no state here. */
#include <stdio.h>

#include "audit/audit_private.h"

#define MEMBER ",\"bulla_chain\":{\"seq\":"
#define BETWEEN ",\"prev\":\""
#define END "\"}}"
#define CHECKPOINT_TEXT "bulla audit checkpoint 1\n"

/* Moves the chain on over the line that begins at from. */
static void advance(struct chain *chain, const struct out *out, size_t from)
{
	chain->records++;
	sha256(bulla_mem(out->ptr + from, out->len - from), chain->head);
}

static void put_number(struct out *out, uint64_t number)
{
	out->comma = false;
	json_int(out, (int64_t)number);
}

static void put_place(const struct chain *chain, struct out *out)
{
	char hex[2 * SHA256_BYTES];

	bulla_hex_encode(bulla_mem(chain->head, SHA256_BYTES), hex);
	out_raw(out, bulla_mem(MEMBER, sizeof MEMBER - 1));
	put_number(out, chain->records + 1);
	out_raw(out, bulla_mem(BETWEEN, sizeof BETWEEN - 1));
	out_raw(out, bulla_mem(hex, sizeof hex));
	out_raw(out, bulla_mem(END, sizeof END - 1));
}

void chain_lines(struct chain *chain, struct bulla_bytes lines, struct out *out)
{
	while (lines.len > 0) {
		const uint8_t *end = memchr(lines.ptr, '\n', lines.len);
		size_t n = end == NULL ? lines.len : (size_t)(end - lines.ptr), from = out->len;

		if (!out_reserve(out, n + MAX_LINE_TAIL))
			return;
		out_raw(out, bulla_mem(lines.ptr, n - 1)); /* all but the last brace */
		put_place(chain, out);
		advance(chain, out, from);
		out_raw(out, bulla_mem("\n", 1));
		n += end != NULL;
		lines = bulla_mem(lines.ptr + n, lines.len - n);
	}
}

/* What is signed: the line from its brace to before the signature, which holds time, device, number and hash. */
static void put_signature(const struct device *device, struct out *out, size_t from)
{
	uint8_t signature[SIGNATURE_BYTES];
	struct out message = { 0 };

	out_text(&message, CHECKPOINT_TEXT);
	out_raw(&message, bulla_mem(out->ptr + from, out->len - from));
	if (message.failed) {
		out->failed = true;
	} else {
		signing_sign(device->secrets->sign_key, bulla_mem(message.ptr, message.len), signature);
		json_key(out, "signature");
		char *to = json_plain_string(out, BULLA_BASE64_LEN(SIGNATURE_BYTES));

		if (to != NULL)
			bulla_base64_encode(bulla_mem(signature, sizeof signature), to);
	}
	out_clear(&message);
}

static void put_digits(struct out *out, const char *name, uint64_t n)
{
	char digits[24];

	(void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
	json_put_text(out, name, digits);
}

/* How far the store was: one that ends before has been put back. */
static void put_commit(const struct device *device, struct out *out)
{
	struct store_stamp last = store_last(device->config->store);
	char text[48];

	(void)snprintf(text, sizeof text, "%llu.%llu", (unsigned long long)last.writer, (unsigned long long)last.sequence);
	json_put_text(out, "commit", text);
}

struct gap {
	uint64_t lost, sure;
};

/* gap: NULL: none. Its members, the node's name where the store is shared, and the commit stand where readers that do not know them look
 * for the device's id, and pass over them. */
static void put_checkpoint(struct chain *chain, const struct device *device, const char *event, const struct gap *gap,
			   struct out *out)
{
	char time[BULLA_TIME_TEXT], hex[2 * SHA256_BYTES], key[BULLA_BASE64_LEN(SIGNING_PUBLIC_BYTES)];
	size_t line = out->len;

	(void)bulla_time_print(bulla_wall_ns(), time);
	bulla_hex_encode(bulla_mem(chain->head, SHA256_BYTES), hex);
	bulla_base64_encode(bulla_mem(device->public_key, SIGNING_PUBLIC_BYTES), key);
	out_raw(out, device->options.prefix);
	size_t from = out->len;

	out->comma = false;
	json_open(out, '{');
	json_put_text(out, "time", time);
	json_put_text(out, "type", "bulla_checkpoint");
	json_key(out, "bulla_checkpoint");
	json_open(out, '{');
	json_put_text(out, "event", event);
	json_put_string(out, "device", device->path);
	if (device->config->node.len > 0)
		json_put_string(out, "node", device->config->node);
	put_commit(device, out);
	if (gap != NULL) {
		put_digits(out, "lost", gap->lost);
		put_digits(out, "after", gap->sure);
	}
	json_put_text(out, "id", device->id);
	json_put_string(out, "key", bulla_mem(key, sizeof key));
	json_put_int(out, "seq", (int64_t)chain->records + 1);
	json_put_string(out, "prev", bulla_mem(hex, sizeof hex));
	if (!out->failed)
		put_signature(device, out, from);
	json_close(out, '}');
	put_place(chain, out);
	if (out->failed)
		return;
	advance(chain, out, line);
	chain->signed_records = chain->records;
	chain->signed_ns = bulla_elapsed_ns();
	out_raw(out, bulla_mem("\n", 1));
}

void chain_checkpoint(struct chain *chain, const struct device *device, const char *event, struct out *out)
{
	put_checkpoint(chain, device, event, NULL, out);
}

void chain_gap(struct chain *chain, const struct device *device, uint64_t lost, uint64_t sure, struct out *out)
{
	const struct gap gap = { lost, sure };

	put_checkpoint(chain, device, "gap", &gap, out);
}

/* Cuts text off the end of the line. */
static bool cut(struct bulla_bytes *line, const char *text)
{
	size_t n = strlen(text);

	if (line->len < n || memcmp(line->ptr + line->len - n, text, n) != 0)
		return false;
	line->len -= n;
	return true;
}

bool chain_read(struct bulla_bytes line, uint64_t *number, uint8_t previous[SHA256_BYTES])
{
	uint64_t value = 0, scale = 1;
	size_t digits = 0;

	if (!cut(&line, END) || line.len < 2 * SHA256_BYTES)
		return false;
	struct bulla_bytes hex = bulla_mem(line.ptr + line.len - 2 * SHA256_BYTES, 2 * SHA256_BYTES);

	line.len -= 2 * SHA256_BYTES;
	if (!cut(&line, BETWEEN))
		return false;
	for (; line.len > 0 && digits < 19 && line.ptr[line.len - 1] >= '0' && line.ptr[line.len - 1] <= '9'; line.len--, digits++) {
		value += scale * (uint64_t)(line.ptr[line.len - 1] - '0');
		scale *= 10;
	}
	if (digits == 0 || !cut(&line, MEMBER) || bulla_hex_decode(hex, previous) != BULLA_OK)
		return false;
	*number = value;
	return true;
}
