/* transit_sign.c: signatures, and the verification of signatures and HMACs; single or with batch_input. Any thread, one exchange
 * at a time. */
#include "handlers/transit_items.h"
#include "handlers/transit_proofs.h"
#include "http/routes.h"

enum sign_set { SET_SIGNATURE = 1 << 0, SET_HMAC = 1 << 1 };

struct sign_fields {
	unsigned set;
	struct bulla_bytes input, context, signature, hmac;
	struct bulla_bytes hash_algorithm, algorithm, signature_algorithm, marshaling, salt_length;
	const struct json *batch;
	int64_t key_version;
	bool prehashed;
};

#define SIGN_FIELD(text, member, type) FIELD_AS(struct sign_fields, text, member, type)
#define COMMON_FIELDS                                                                                                      \
	SIGN_FIELD("input", input, FIELD_STRING), SIGN_FIELD("context", context, FIELD_STRING),                            \
	SIGN_FIELD("hash_algorithm", hash_algorithm, FIELD_STRING), SIGN_FIELD("algorithm", algorithm, FIELD_STRING),      \
	SIGN_FIELD("prehashed", prehashed, FIELD_BOOL), SIGN_FIELD("signature_algorithm", signature_algorithm, FIELD_STRING), \
	SIGN_FIELD("marshaling_algorithm", marshaling, FIELD_STRING), SIGN_FIELD("salt_length", salt_length, FIELD_STRING), \
	SIGN_FIELD("batch_input", batch, FIELD_JSON)

static const struct field sign_fields[] = {
	COMMON_FIELDS,
	SIGN_FIELD("key_version", key_version, FIELD_INT),
	FIELD_END,
};

static const struct field verify_fields[] = {
	COMMON_FIELDS,
	FIELD_SET(struct sign_fields, "signature", signature, FIELD_STRING, set, SET_SIGNATURE),
	FIELD_SET(struct sign_fields, "hmac", hmac, FIELD_STRING, set, SET_HMAC),
	FIELD_END,
};

/* The path's, else the first of the two members that says something. */
static struct bulla_bytes choose_hash(const struct exchange *x, const struct sign_fields *f)
{
	if (x->params[1].len > 0)
		return x->params[1];
	if (f->hash_algorithm.len > 0)
		return f->hash_algorithm;
	return f->algorithm.len > 0 ? f->algorithm : bulla_str("sha2-256");
}

static enum bulla_err bind(struct exchange *x, const struct field *fields, struct sign_fields *f, struct bulla_sign_args *args)
{
	*f = (struct sign_fields){ .marshaling = bulla_str("asn1"), .salt_length = bulla_str("auto") };
	TRY(fields_bind(x->call, x->doc, fields, true, f));
	*args = (struct bulla_sign_args){
		.mount = x->mount, .name = x->params[0], .hash = choose_hash(x, f), .signature_algorithm = f->signature_algorithm,
		.marshaling = f->marshaling, .salt_length = f->salt_length, .prehashed = f->prehashed, .key_version = f->key_version,
	};
	return BULLA_OK;
}

/* ---- sign ---------------------------------------------------------------------------------------------------------------- */

static void put_base64(struct out *out, const char *name, struct bulla_bytes bytes)
{
	json_key(out, name);
	char *text = json_plain_string(out, BULLA_BASE64_LEN(bytes.len));

	if (text != NULL)
		bulla_base64_encode(bytes, text);
}

/* The peer's name of the public key is another in a batch. */
static void put_signature(struct out *out, const struct bulla_signature *result, const char *public_name)
{
	json_put_int(out, "key_version", result->key_version);
	if (result->public_key.len > 0)
		put_base64(out, public_name, result->public_key);
	json_put_string(out, "signature", result->text);
}

static enum bulla_err print_single(struct exchange *x, const struct bulla_signature *result)
{
	if (result->err != BULLA_OK) {
		x->call->detail = result->error;
		return result->err;
	}
	json_open(x->data, '{');
	put_signature(x->data, result, "public_key");
	json_close(x->data, '}');
	return BULLA_OK;
}

static void print_batch(struct exchange *x, const struct proof_item *items, const struct bulla_signature *results, size_t count)
{
	batch_begin(x, count);
	for (size_t i = 0; i < count; i++) {
		json_open(x->data, '{');
		if (results[i].err == BULLA_OK) {
			put_signature(x->data, &results[i], "publickey");
		} else {
			json_put_int(x->data, "key_version", 0);
			json_put_string(x->data, "error", results[i].error);
		}
		json_put_string(x->data, "reference", items[i].reference);
		json_close(x->data, '}');
	}
	batch_end(x);
}

/* A batch that cannot be read is refused after the key and the parameters, as at the peer. */
static enum bulla_err parse_batch(struct exchange *x, const struct bulla_sign_args *args, const struct json *batch,
				  struct proof_item **items, size_t *count)
{
	enum bulla_err err = proofs_parse(x->call, batch, PROOFS_SIGN, items, count);

	if (err != BULLA_OK) {
		struct bulla_bytes detail = x->call->detail;

		x->call->detail = (struct bulla_bytes){ 0 };
		TRY(bulla_sign(x->engine, x->call, args, NULL));
		x->call->detail = detail;
	}
	return err;
}

static enum bulla_err sign(struct exchange *x)
{
	struct sign_fields f;
	struct bulla_sign_args args;
	struct bulla_sign_item *decoded;
	struct bulla_signature *results;
	struct proof_item single, *items = &single;
	size_t count = 1;

	TRY(bind(x, sign_fields, &f, &args));
	single = (struct proof_item){ .given = PROOF_INPUT, .input = f.input, .context = f.context };
	if (json_given(f.batch))
		TRY(parse_batch(x, &args, f.batch, &items, &count));
	TRY(proofs_decode(x->call, items, count, PROOFS_SIGN, &decoded));
	results = bulla_arena_alloc(x->call->arena, count * sizeof *results);
	if (results == NULL)
		return BULLA_E_NO_MEMORY;
	args.items = decoded;
	args.count = count;
	TRY(bulla_sign(x->engine, x->call, &args, results));
	if (!json_given(f.batch))
		return print_single(x, results);
	print_batch(x, items, results, count);
	return BULLA_OK;
}

/* ---- verify -------------------------------------------------------------------------------------------------------------- */

/* Whether a batch is of signatures or of HMACs: it must be all of one. */
static enum bulla_err choose_kind(struct bulla_call *call, const struct proof_item *items, size_t count, enum proofs_of *of)
{
	size_t signatures = 0, hmacs = 0;

	for (size_t i = 0; i < count; i++) {
		signatures += (items[i].given & PROOF_SIGNATURE) != 0;
		hmacs += (items[i].given & (PROOF_SIGNATURE | PROOF_HMAC)) == PROOF_HMAC;
	}
	if (signatures > 0 && hmacs > 0)
		return bulla_fail(call, BULLA_E_INVALID, "elements of batch_input must all provide 'signature' or all provide 'hmac'");
	if (signatures + hmacs == 0)
		return bulla_fail(call, BULLA_E_INVALID, "no batch_input elements have 'signature' or 'hmac'");
	if (signatures + hmacs < count)
		return bulla_fail(call, BULLA_E_INVALID, "some elements of batch_input are missing '%s'",
				  signatures > 0 ? "signature" : "hmac");
	*of = signatures > 0 ? PROOFS_VERIFY_SIGNATURE : PROOFS_VERIFY_HMAC;
	return BULLA_OK;
}

/* A signature is looked at first where both are given. */
static enum bulla_err read_items(struct exchange *x, const struct sign_fields *f, struct proof_item *single,
				 struct proof_item **items, size_t *count, enum proofs_of *of)
{
	if (json_given(f->batch)) {
		TRY(proofs_parse(x->call, f->batch, PROOFS_VERIFY_SIGNATURE, items, count));
		return choose_kind(x->call, *items, *count, of);
	}
	if ((f->set & (SET_SIGNATURE | SET_HMAC)) == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "neither a 'signature' nor an 'hmac' were given to verify");
	*single = (struct proof_item){ .given = PROOF_INPUT, .input = f->input, .context = f->context, .signature = f->signature,
				       .hmac = f->hmac };
	*items = single;
	*count = 1;
	*of = (f->set & SET_SIGNATURE) != 0 ? PROOFS_VERIFY_SIGNATURE : PROOFS_VERIFY_HMAC;
	return BULLA_OK;
}

static enum bulla_err run_verify(struct exchange *x, const struct bulla_sign_args *args, enum proofs_of of,
				 struct bulla_verdict *results)
{
	const struct bulla_hmac_args hmac = {
		.mount = args->mount, .name = args->name, .algorithm = args->hash, .items = args->items, .count = args->count,
	};

	if (of == PROOFS_VERIFY_HMAC)
		return bulla_hmac_verify(x->engine, x->call, &hmac, results);
	return bulla_verify(x->engine, x->call, args, results);
}

static enum bulla_err verify(struct exchange *x)
{
	struct sign_fields f;
	struct bulla_sign_args args;
	struct bulla_sign_item *decoded;
	struct bulla_verdict *results;
	struct proof_item single, *items;
	enum proofs_of of;

	TRY(bind(x, verify_fields, &f, &args));
	TRY(read_items(x, &f, &single, &items, &args.count, &of));
	TRY(proofs_decode(x->call, items, args.count, of, &decoded));
	results = bulla_arena_alloc(x->call->arena, args.count * sizeof *results);
	if (results == NULL)
		return BULLA_E_NO_MEMORY;
	args.items = decoded;
	TRY(run_verify(x, &args, of, results));
	if (!json_given(f.batch))
		return proofs_print_verdict(x, results);
	proofs_print_verdicts(x, items, results, args.count, of == PROOFS_VERIFY_HMAC);
	return BULLA_OK;
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define SIGN(pattern_, fn_, fields_, absent_, doc_)                                                                        \
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(POST), .pattern = pattern_, .fn = fn_, .flags = ROUTE_TOKEN,         \
	  .need = BULLA_CAN_UPDATE, .fields = fields_, .absent = absent_, .doc = doc_ }

const struct route transit_sign_routes[] = {
	SIGN("sign/{name}", sign, sign_fields, "urlalgorithm", "sign"),
	SIGN("sign/{name}/{urlalgorithm*}", sign, sign_fields, NULL, "sign"),
	SIGN("verify/{name}", verify, verify_fields, "urlalgorithm", "verify"),
	SIGN("verify/{name}/{urlalgorithm*}", verify, verify_fields, NULL, "verify"),
	{ .fn = NULL },
};
