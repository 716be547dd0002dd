/* hashing.c: JSON whose strings are hashed, written in one pass: from a request's document, which has been read anyway, or from a
 * reply's text as it was printed. As the peer: names, booleans and times stay as they are, and numbers, but for those that may
 * be a secret which a client forgot the quotes of: what is as long as a card's, and what stands for a secret text. Stateless: any
 * thread. */
#include "audit/audit_private.h"
#include "bulla/utf8.h"

/* Strings of an encryption_context are bound data and no secret (docs/THREATS.md): that they can be read here is what they are
 * for. */
static const char *const context_names[] = { "encryption_context", "decrypt_encryption_context" };

#define LONG_NUMBER 12 /* characters: card numbers have 12 to 19 */

static const char *const secret_names[] = { "plaintext", "input", "ciphertext", "password", "secret_id", "token", "key" };

/* Go's time.Time takes it: RFC 3339, and nothing else. */
static bool is_time(struct bulla_bytes text)
{
	int64_t ns;

	if (text.len < 20 || text.len > 40 || text.ptr[4] != '-' || text.ptr[7] != '-' || text.ptr[10] != 'T' || text.ptr[13] != ':')
		return false;
	return bulla_time_parse(text, &ns) == BULLA_OK;
}

static void print_hash(const struct mac_key *key, struct bulla_bytes text, char out[HASH_TEXT])
{
	uint8_t sum[SHA256_BYTES];

	mac_key_sum(key, text, sum);
	memcpy(out, "hmac-sha256:", 12);
	bulla_hex_encode(bulla_mem(sum, sizeof sum), out + 12);
}

void device_hash(const struct device *device, struct bulla_bytes text, char out[HASH_TEXT])
{
	print_hash(&device->secrets->salt_key, text, out);
}

static void put_hash(const struct hashing *how, struct out *out, struct bulla_bytes text)
{
	char *to = json_plain_string(out, HASH_TEXT);

	if (to != NULL)
		print_hash(how->key, text, to);
}

void hashing_string(const struct hashing *how, struct out *out, struct bulla_bytes text)
{
	if (how->key == NULL || is_time(text))
		json_text(out, text);
	else
		put_hash(how, out, text);
}

static bool is_clear_key(const struct hashing *how, struct bulla_bytes name)
{
	for (size_t i = 0; i < how->clear_count; i++)
		if (bulla_equal(how->clear_keys[i], name))
			return true;
	return false;
}

/* ---- a document --------------------------------------------------------------------------------------------------------- */

static bool is_context(const struct hashing *how, const struct json *member)
{
	if (!how->clear_context || member->type != JSON_OBJECT)
		return false;
	for (size_t i = 0; i < sizeof context_names / sizeof context_names[0]; i++)
		if (bulla_is(member->name, context_names[i]))
			return true;
	return false;
}

static void put_number(const struct hashing *how, struct out *out, const struct json *number, bool secret)
{
	if (how->key != NULL && (secret || number->text.len >= LONG_NUMBER))
		put_hash(how, out, number->text);
	else
		json_value(out, number);
}

static bool is_secret_name(struct bulla_bytes name)
{
	for (size_t i = 0; i < sizeof secret_names / sizeof secret_names[0]; i++)
		if (bulla_is(name, secret_names[i]))
			return true;
	return false;
}

/* Of its members the strings alone: a value that is none has no business there. */
static void put_context(const struct hashing *how, struct out *out, const struct json *context)
{
	json_open(out, '{');
	for (const struct json *v = context->first; v != NULL; v = v->next) {
		json_key_bytes(out, v->name);
		if (v->type == JSON_STRING)
			json_text(out, v->text);
		else
			hashing_value(how, out, v);
	}
	json_close(out, '}');
}

static void put_value(const struct hashing *how, struct out *out, const struct json *value, bool clear)
{
	switch (value->type) {
	case JSON_STRING:
		if (clear)
			json_text(out, value->text);
		else
			hashing_string(how, out, value->text);
		return;
	case JSON_ARRAY:
		json_open(out, '[');
		for (const struct json *v = value->first; v != NULL; v = v->next)
			put_value(how, out, v, clear);
		json_close(out, ']');
		return;
	case JSON_OBJECT:
		json_open(out, '{');
		for (const struct json *v = value->first; v != NULL; v = v->next) {
			json_key_bytes(out, v->name);
			if (is_context(how, v))
				put_context(how, out, v);
			else if (v->type == JSON_NUMBER && !is_clear_key(how, v->name))
				put_number(how, out, v, is_secret_name(v->name));
			else
				put_value(how, out, v, is_clear_key(how, v->name));
		}
		json_close(out, '}');
		return;
	case JSON_NUMBER:
		if (clear)
			json_value(out, value);
		else
			put_number(how, out, value, false);
		return;
	default:
		json_value(out, value);
	}
}

void hashing_value(const struct hashing *how, struct out *out, const struct json *value)
{
	put_value(how, out, value, false);
}

/* ---- printed text ------------------------------------------------------------------------------------------------------- */

struct cursor {
	const struct hashing *how;
	struct out *out;
	const uint8_t *at, *end;
};

/* Whether the quote at p is escaped: behind an odd number of backslashes. */
static bool is_escaped(const uint8_t *from, const uint8_t *p)
{
	const uint8_t *at = p;

	while (at > from && at[-1] == '\\')
		at--;
	return (p - at) % 2 == 1;
}

/* The string that begins at the cursor, with its quotes; the cursor moves behind it. */
static struct bulla_bytes take_string(struct cursor *c, bool *escapes)
{
	const uint8_t *from = c->at++, *quote = from;

	do
		quote = memchr(quote + 1, '"', (size_t)(c->end - quote - 1));
	while (quote != NULL && is_escaped(from + 1, quote));
	c->at = quote != NULL ? quote + 1 : c->end;
	*escapes = memchr(from, '\\', (size_t)(c->at - from)) != NULL;
	return bulla_mem(from, (size_t)(c->at - from)); /* of printed text: two quotes at least */
}

static uint32_t hex4(const uint8_t *p)
{
	uint8_t bytes[2] = { 0 };

	if (bulla_hex_decode(bulla_mem(p, 4), bytes) != BULLA_OK)
		return 0xFFFD;
	return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* What the printer escapes, turned back (json_print.c). */
static void unescape(struct bulla_bytes text, struct out *to)
{
	if (!out_reserve(to, text.len + 4))
		return;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i], *put = to->ptr + to->len;

		if (c != '\\' || i + 1 == text.len) {
			put[0] = c;
			to->len++;
			continue;
		}
		c = text.ptr[++i];
		if (c == 'u' && i + 4 < text.len) {
			to->len += utf8_put(hex4(text.ptr + i + 1), put);
			i += 4;
			continue;
		}
		put[0] = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
		to->len++;
	}
}

static void copy_string(struct cursor *c, bool clear)
{
	bool escapes;
	struct bulla_bytes quoted = take_string(c, &escapes);
	struct bulla_bytes text = bulla_mem(quoted.ptr + 1, quoted.len - 2);
	struct out plain = { 0 };

	c->out->comma = false;
	if (clear || c->how->key == NULL || is_time(text)) {
		out_raw(c->out, quoted);
		return;
	}
	if (!escapes) {
		put_hash(c->how, c->out, text);
		return;
	}
	unescape(text, &plain);
	if (plain.failed)
		c->out->failed = true;
	else
		put_hash(c->how, c->out, bulla_mem(plain.ptr, plain.len));
	out_clear(&plain);
}

/* Number, true, false, null. */
static void copy_plain(struct cursor *c, bool clear)
{
	const uint8_t *from = c->at;

	while (c->at < c->end && *c->at != ',' && *c->at != ']' && *c->at != '}')
		c->at++;
	if (c->at == from)
		c->at++; /* never with what was printed: but it must end */
	struct bulla_bytes text = bulla_mem(from, (size_t)(c->at - from));

	c->out->comma = false;
	if (text.len >= LONG_NUMBER && !clear && c->how->key != NULL)
		put_hash(c->how, c->out, text);
	else
		out_raw(c->out, text);
}

static void copy_byte(struct cursor *c)
{
	if (c->at < c->end)
		out_raw(c->out, bulla_mem(c->at++, 1));
}

/* How many elements or members there are, instead of themselves. */
static void count_value(struct cursor *c)
{
	unsigned depth = 0;
	size_t count = 0;
	bool any = false, escapes;

	do {
		uint8_t byte = *c->at;

		if (byte == '"') {
			(void)take_string(c, &escapes);
			any = true;
			continue;
		}
		depth += byte == '[' || byte == '{';
		any |= depth > 1 || (byte != '[' && byte != '{' && byte != ']' && byte != '}');
		count += byte == ',' && depth == 1;
		depth -= byte == ']' || byte == '}';
		c->at++;
	} while (depth > 0 && c->at < c->end);
	c->out->comma = false;
	json_int(c->out, (int64_t)count + any);
}

static bool is_elided(const struct cursor *c, struct bulla_bytes name, bool top)
{
	if (!top || !c->how->elide || c->at == c->end)
		return false;
	return (bulla_is(name, "keys") && *c->at == '[') || (bulla_is(name, "key_info") && *c->at == '{');
}

static void copy_value(struct cursor *c, bool clear, bool top);

static void copy_members(struct cursor *c, bool top)
{
	copy_byte(c);
	while (c->at < c->end && *c->at != '}') {
		bool escapes;

		if (*c->at == ',')
			copy_byte(c);
		struct bulla_bytes quoted = take_string(c, &escapes);
		struct bulla_bytes name = bulla_mem(quoted.ptr + 1, quoted.len - 2);

		out_raw(c->out, quoted);
		copy_byte(c); /* the colon */
		if (is_elided(c, name, top))
			count_value(c);
		else
			copy_value(c, is_clear_key(c->how, name), false);
	}
	copy_byte(c);
}

static void copy_elements(struct cursor *c, bool clear)
{
	copy_byte(c);
	while (c->at < c->end && *c->at != ']') {
		if (*c->at == ',')
			copy_byte(c);
		copy_value(c, clear, false);
	}
	copy_byte(c);
}

static void copy_value(struct cursor *c, bool clear, bool top)
{
	if (c->at == c->end)
		return;
	switch (*c->at) {
	case '{':
		copy_members(c, top);
		return;
	case '[':
		copy_elements(c, clear);
		return;
	case '"':
		copy_string(c, clear);
		return;
	default:
		copy_plain(c, clear);
	}
}

void hashing_text(const struct hashing *how, struct out *out, struct bulla_bytes json)
{
	struct cursor c = { .how = how, .out = out, .at = json.ptr, .end = json.ptr + json.len };

	copy_value(&c, false, true);
	out->comma = true;
}
