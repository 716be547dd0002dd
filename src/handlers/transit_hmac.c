/* transit_hmac.c: HMACs, single or with batch_input. Their verification is verify's: transit_sign.c. Any thread, one exchange at
 * a time. */
#include "handlers/transit_items.h"
#include "handlers/transit_proofs.h"
#include "http/routes.h"

enum hmac_set { SET_INPUT = 1 << 0 };

struct hmac_fields {
	unsigned set;
	struct bulla_bytes input, algorithm;
	const struct json *batch;
	int64_t key_version;
};

static const struct field hmac_fields[] = {
	FIELD_SET(struct hmac_fields, "input", input, FIELD_STRING, set, SET_INPUT),
	FIELD(struct hmac_fields, algorithm, FIELD_STRING),
	FIELD(struct hmac_fields, key_version, FIELD_INT),
	FIELD_AS(struct hmac_fields, "batch_input", batch, FIELD_JSON),
	FIELD_END,
};

static void put_hmac(struct out *out, const struct bulla_item_result *result)
{
	json_key(out, "hmac");
	char *text = json_plain_string(out, bulla_ciphertext_len(result->key_version, result->bytes.len));

	if (text != NULL)
		bulla_ciphertext_print(result->key_version, result->bytes, text);
}

static enum bulla_err print_single(struct exchange *x, const struct bulla_item_result *result)
{
	if (result->err != BULLA_OK) {
		x->call->detail = result->error;
		return result->err;
	}
	json_open(x->data, '{');
	put_hmac(x->data, result);
	json_close(x->data, '}');
	return BULLA_OK;
}

static void print_batch(struct exchange *x, const struct proof_item *items, const struct bulla_item_result *results, size_t count)
{
	batch_begin(x, count);
	for (size_t i = 0; i < count; i++) {
		json_open(x->data, '{');
		if (results[i].err == BULLA_OK)
			put_hmac(x->data, &results[i]);
		else
			json_put_string(x->data, "error", results[i].error);
		json_put_string(x->data, "reference", items[i].reference);
		json_close(x->data, '}');
	}
	batch_end(x);
}

/* A batch that cannot be read is refused after the key and the algorithm, as at the peer. */
static enum bulla_err parse_batch(struct exchange *x, struct bulla_hmac_args *args, const struct json *batch,
				  struct proof_item **items, size_t *count)
{
	enum bulla_err err = proofs_parse(x->call, batch, PROOFS_HMAC, items, count);

	if (err != BULLA_OK) {
		struct bulla_bytes detail = x->call->detail;

		x->call->detail = (struct bulla_bytes){ 0 };
		TRY(bulla_hmac(x->engine, x->call, args, NULL));
		x->call->detail = detail;
	}
	return err;
}

static enum bulla_err hmac(struct exchange *x)
{
	struct hmac_fields f = { .algorithm = bulla_str("sha2-256") };
	struct bulla_sign_item *decoded;
	struct bulla_item_result *results;
	struct proof_item single, *items = &single;
	size_t count = 1;

	TRY(fields_bind(x->call, x->doc, hmac_fields, true, &f));
	struct bulla_hmac_args args = {
		.mount = x->mount, .name = x->params[0], .key_version = f.key_version,
		.algorithm = x->params[1].len > 0 ? x->params[1] : f.algorithm,
	};

	single = (struct proof_item){ .given = (f.set & SET_INPUT) != 0 ? PROOF_INPUT : 0, .input = f.input };
	if (json_given(f.batch))
		TRY(parse_batch(x, &args, f.batch, &items, &count));
	TRY(proofs_decode(x->call, items, count, PROOFS_HMAC, &decoded));
	results = bulla_arena_alloc(x->call->arena, count * sizeof *results);
	if (results == NULL)
		return BULLA_E_NO_MEMORY;
	args.items = decoded;
	args.count = count;
	TRY(bulla_hmac(x->engine, x->call, &args, results));
	if (!json_given(f.batch))
		return print_single(x, results);
	print_batch(x, items, results, count);
	return BULLA_OK;
}

#define HMAC(pattern_, absent_)                                                                                            \
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(POST), .pattern = pattern_, .fn = hmac, .flags = ROUTE_TOKEN,        \
	  .need = BULLA_CAN_UPDATE, .fields = hmac_fields, .absent = absent_, .doc = "hmac" }

const struct route transit_hmac_routes[] = {
	HMAC("hmac/{name}", "urlalgorithm"),
	HMAC("hmac/{name}/{urlalgorithm*}", NULL),
	{ .fn = NULL },
};
