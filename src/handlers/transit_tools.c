/* transit_tools.c: random bytes and digests, below a transit mount and below sys/tools. Any thread, one exchange at a time. */
#include "handlers/transit_proofs.h"
#include "http/routes.h"

enum tool_set { SET_INPUT = 1 << 0 };

struct random_fields {
	struct bulla_bytes format;
	int64_t bytes;
};

static const struct field random_fields[] = {
	FIELD(struct random_fields, bytes, FIELD_INT),
	FIELD(struct random_fields, format, FIELD_STRING),
	FIELD_END,
};

struct hash_fields {
	unsigned set;
	struct bulla_bytes input, algorithm, format;
};

static const struct field hash_fields[] = {
	FIELD_SET(struct hash_fields, "input", input, FIELD_STRING, set, SET_INPUT),
	FIELD(struct hash_fields, algorithm, FIELD_STRING),
	FIELD(struct hash_fields, format, FIELD_STRING),
	FIELD_END,
};

static bool is_format(struct bulla_bytes format)
{
	return bulla_is(format, "hex") || bulla_is(format, "base64");
}

static void print_bytes(struct exchange *x, const char *name, struct bulla_bytes format, struct bulla_bytes bytes)
{
	bool hex = bulla_is(format, "hex");

	json_open(x->data, '{');
	json_key(x->data, name);
	char *text = json_plain_string(x->data, hex ? 2 * bytes.len : BULLA_BASE64_LEN(bytes.len));

	if (text != NULL && hex)
		bulla_hex_encode(bytes, text);
	if (text != NULL && !hex)
		bulla_base64_encode(bytes, text);
	json_close(x->data, '}');
}

/* ---- random ------------------------------------------------------------------------------------------------------------ */

static bool is_source(struct bulla_bytes text)
{
	return bulla_is(text, "platform") || bulla_is(text, "seal") || bulla_is(text, "all");
}

/* A count in the path, as Go's Atoi reads it and complains. */
static enum bulla_err parse_count(struct bulla_call *call, struct bulla_bytes text, int64_t *out)
{
	bool negative = text.len > 0 && text.ptr[0] == '-', range = false;
	size_t i = negative || (text.len > 0 && text.ptr[0] == '+');
	bool digits = i < text.len;
	int64_t v = 0;

	for (; i < text.len; i++) {
		int digit = text.ptr[i] - '0';

		digits &= digit >= 0 && digit <= 9;
		range |= __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, negative ? -digit : digit, &v);
	}
	if (digits && !range) {
		*out = v;
		return BULLA_OK;
	}
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, text);

	if (quoted.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return bulla_fail(call, BULLA_E_INVALID, "error parsing url-set byte count: strconv.Atoi: parsing %.*s: %s",
			  (int)quoted.len, (const char *)quoted.ptr, digits ? "value out of range" : "invalid syntax");
}

static enum bulla_err check_format(struct bulla_call *call, struct bulla_bytes format)
{
	if (is_format(format))
		return BULLA_OK;
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, format);

	if (quoted.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return bulla_fail(call, BULLA_E_INVALID, "unsupported encoding format %.*s; must be \"hex\" or \"base64\"", (int)quoted.len,
			  (const char *)quoted.ptr);
}

static enum bulla_err check_source(struct bulla_call *call, struct bulla_bytes source)
{
	if (is_source(source))
		return BULLA_OK;
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, source);

	if (quoted.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return bulla_fail(call, BULLA_E_INVALID, "unsupported entropy source %.*s; must be \"platform\" or \"seal\", or \"all\"",
			  (int)quoted.len, (const char *)quoted.ptr);
}

/* There is one source, the system's generator. */
static enum bulla_err make_random(struct exchange *x, const struct random_fields *f, int64_t count, struct bulla_bytes source)
{
	struct bulla_bytes bytes;

	TRY(bulla_random_bytes(x->call, count, &bytes));
	TRY(check_format(x->call, f->format));
	TRY(check_source(x->call, source));
	if (bulla_is(source, "seal"))
		TRY(bulla_warn(x->call, "no seal/entropy augmentation available, using platform entropy source"));
	print_bytes(x, "random_bytes", f->format, bytes);
	return BULLA_OK;
}

static enum bulla_err bind_random(struct exchange *x, struct random_fields *f)
{
	*f = (struct random_fields){ .bytes = 32, .format = bulla_str("base64") };
	return fields_bind(x->call, x->doc, random_fields, true, f);
}

static enum bulla_err random_plain(struct exchange *x)
{
	struct random_fields f;

	TRY(bind_random(x, &f));
	return make_random(x, &f, f.bytes, bulla_str("platform"));
}

/* random/{source} or random/{bytes}. */
static enum bulla_err random_one(struct exchange *x)
{
	struct random_fields f;
	int64_t count;

	TRY(bind_random(x, &f));
	if (is_source(x->params[0]))
		return make_random(x, &f, f.bytes, x->params[0]);
	TRY(parse_count(x->call, x->params[0], &count));
	return make_random(x, &f, count, bulla_str("platform"));
}

static enum bulla_err random_both(struct exchange *x)
{
	struct random_fields f;
	int64_t count;

	TRY(bind_random(x, &f));
	TRY(parse_count(x->call, x->params[1], &count));
	return make_random(x, &f, count, x->params[0]);
}

/* ---- hash -------------------------------------------------------------------------------------------------------------- */

static enum bulla_err make_hash(struct exchange *x, bool need_input)
{
	struct hash_fields f = { .algorithm = bulla_str("sha2-256"), .format = bulla_str("hex") };
	struct bulla_bytes input = { 0 }, sum;

	TRY(fields_bind(x->call, x->doc, hash_fields, true, &f));
	if (need_input && (f.set & SET_INPUT) == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "input missing");
	TRY(proofs_input(x->call, f.input, &input));
	if (!is_format(f.format))
		return bulla_fail(x->call, BULLA_E_INVALID, "unsupported encoding format %.*s; must be \"hex\" or \"base64\"",
				  (int)f.format.len, (const char *)f.format.ptr);
	TRY(bulla_hash(x->call, x->params[0].len > 0 ? x->params[0] : f.algorithm, input, &sum));
	print_bytes(x, "sum", f.format, sum);
	return BULLA_OK;
}

static enum bulla_err hash(struct exchange *x)
{
	return make_hash(x, true);
}

/* Without an input: that of nothing, as the peer has it here. */
static enum bulla_err hash_sys(struct exchange *x)
{
	return make_hash(x, false);
}

/* ---- routes ------------------------------------------------------------------------------------------------------------ */

#define TOOL(mount_, pattern_, fn_, fields_, absent_, doc_)                                                                \
	{ .mount = BULLA_MOUNT_##mount_, .methods = ON(POST), .pattern = pattern_, .fn = fn_, .flags = ROUTE_TOKEN,        \
	  .need = BULLA_CAN_UPDATE, .fields = fields_, .absent = absent_, .doc = doc_ }

/* A count that is no generic name ("-5") is not looked at: the peer's pattern takes it for a count without a source, and then
 * reads the body's. */
#define RANDOM(mount, base)                                                                                                \
	TOOL(mount, base, random_plain, random_fields, "source urlbytes", "random"),                                       \
	TOOL(mount, base "/{source}", random_one, random_fields, "urlbytes", "random"),                                    \
	TOOL(mount, base "/{source}/{urlbytes*}", random_both, random_fields, NULL, "random"),                             \
	TOOL(mount, base "/{urlbytes*}", random_plain, random_fields, "source", "random")
#define HASH(mount, base, fn)                                                                                              \
	TOOL(mount, base, fn, hash_fields, "urlalgorithm", "hash"),                                                        \
	TOOL(mount, base "/{urlalgorithm*}", fn, hash_fields, NULL, "hash")

const struct route transit_tool_routes[] = {
	RANDOM(TRANSIT, "random"),
	RANDOM(SYSTEM, "tools/random"),
	HASH(TRANSIT, "hash", hash),
	HASH(SYSTEM, "tools/hash", hash_sys),
	{ .fn = NULL },
};
