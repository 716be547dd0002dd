/* transit_crypt.c: encrypt, decrypt and rewrap, single or with batch_input. Any thread, one exchange at a time. */
#include "handlers/transit_items.h"
#include "http/routes.h"

enum crypt_set { SET_PLAINTEXT = 1 << 0, SET_TYPE = 1 << 1, SET_PARTIAL = 1 << 2 };

struct crypt_fields {
	unsigned set;
	struct bulla_bytes plaintext, ciphertext, context, type;
	struct bulla_bytes aad, old_aad, padding, old_padding;
	const struct json *pairs, *old_pairs, *batch;
	int64_t key_version, partial;
	bool convergent;
};

#define CRYPT_FIELD(text, member, type) FIELD_AS(struct crypt_fields, text, member, type)
#define CRYPT_FIELD_SET(text, member, type, bit) FIELD_SET(struct crypt_fields, text, member, type, set, bit)

static const struct field encrypt_fields[] = {
	CRYPT_FIELD_SET("plaintext", plaintext, FIELD_STRING, SET_PLAINTEXT),
	CRYPT_FIELD("context", context, FIELD_STRING),
	CRYPT_FIELD("associated_data", aad, FIELD_STRING),
	CRYPT_FIELD("encryption_context", pairs, FIELD_JSON),
	CRYPT_FIELD("padding_scheme", padding, FIELD_STRING),
	CRYPT_FIELD("key_version", key_version, FIELD_INT),
	CRYPT_FIELD_SET("type", type, FIELD_STRING, SET_TYPE),
	CRYPT_FIELD("convergent_encryption", convergent, FIELD_BOOL),
	CRYPT_FIELD("batch_input", batch, FIELD_JSON),
	CRYPT_FIELD_SET("partial_failure_response_code", partial, FIELD_INT, SET_PARTIAL),
	FIELD_END,
};

static const struct field decrypt_fields[] = {
	CRYPT_FIELD("ciphertext", ciphertext, FIELD_STRING),
	CRYPT_FIELD("context", context, FIELD_STRING),
	CRYPT_FIELD("associated_data", aad, FIELD_STRING),
	CRYPT_FIELD("encryption_context", pairs, FIELD_JSON),
	CRYPT_FIELD("padding_scheme", padding, FIELD_STRING),
	CRYPT_FIELD("batch_input", batch, FIELD_JSON),
	CRYPT_FIELD_SET("partial_failure_response_code", partial, FIELD_INT, SET_PARTIAL),
	FIELD_END,
};

static const struct field rewrap_fields[] = {
	CRYPT_FIELD("ciphertext", ciphertext, FIELD_STRING),
	CRYPT_FIELD("context", context, FIELD_STRING),
	CRYPT_FIELD("key_version", key_version, FIELD_INT),
	CRYPT_FIELD("associated_data", aad, FIELD_STRING),
	CRYPT_FIELD("decrypt_associated_data", old_aad, FIELD_STRING),
	CRYPT_FIELD("encryption_context", pairs, FIELD_JSON),
	CRYPT_FIELD("decrypt_encryption_context", old_pairs, FIELD_JSON),
	CRYPT_FIELD("encrypt_padding_scheme", padding, FIELD_STRING),
	CRYPT_FIELD("decrypt_padding_scheme", old_padding, FIELD_STRING),
	CRYPT_FIELD("batch_input", batch, FIELD_JSON),
	FIELD_END,
};

static struct crypt_item single_item(const struct crypt_fields *f)
{
	return (struct crypt_item){
		.plaintext = f->plaintext, .ciphertext = f->ciphertext, .context = f->context, .aad = f->aad, .old_aad = f->old_aad,
		.padding = f->padding, .old_padding = f->old_padding,
		.pairs = f->pairs, .old_pairs = f->old_pairs, .key_version = f->key_version,
	};
}

/* ---- printing ------------------------------------------------------------------------------------------------------------ */

/* Sealed bytes and plaintexts are printed where the reply is built: no copy of them is made. */
static void put_ciphertext(struct out *out, const struct bulla_item_result *result)
{
	json_key(out, "ciphertext");
	char *text = json_plain_string(out, bulla_ciphertext_len(result->key_version, result->bytes.len));

	if (text != NULL)
		bulla_ciphertext_print(result->key_version, result->bytes, text);
	json_put_int(out, "key_version", result->key_version);
}

static void put_plaintext(struct out *out, const struct bulla_item_result *result)
{
	json_key(out, "plaintext");
	char *text = json_plain_string(out, BULLA_BASE64_LEN(result->bytes.len));

	if (text != NULL)
		bulla_base64_encode(result->bytes, text);
}

typedef void put_result(struct out *out, const struct bulla_item_result *result);

/* A single item's error is the reply's. */
static enum bulla_err print_single(struct exchange *x, const struct bulla_item_result *result, put_result *put)
{
	if (result->err != BULLA_OK) {
		x->call->detail = result->error;
		return result->err;
	}
	json_open(x->data, '{');
	put(x->data, result);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* always_plaintext: a failed item has an empty one. A status without a body (RFC 9110, 15.3.5 and 15.4.5) may have been asked
 * for. */
static void print_batch(struct exchange *x, const struct crypt_item *items, const struct bulla_item_result *results, size_t count,
			put_result *put, bool always_plaintext)
{
	if (x->status == 204 || x->status == 304)
		return;
	batch_begin(x, count);
	for (size_t i = 0; i < count; i++) {
		json_open(x->data, '{');
		if (results[i].err == BULLA_OK)
			put(x->data, &results[i]);
		if (results[i].err != BULLA_OK && always_plaintext)
			json_put_text(x->data, "plaintext", "");
		if (results[i].err != BULLA_OK)
			json_put_string(x->data, "error", results[i].error);
		json_put_string(x->data, "reference", items[i].reference);
		json_close(x->data, '}');
	}
	batch_end(x);
}

/* The status of a batch: a bad item makes it 400 (500, if the only faults are those that the peer calls internal), unless some
 * item is good and the caller asked for another code. The peer takes codes from 1; those below 200 are no answer. */
static enum bulla_err choose_status(struct exchange *x, const struct crypt_fields *f, const struct bulla_item_result *results,
				    size_t count)
{
	size_t good = 0, callers = 0, uncounted = 0;

	for (size_t i = 0; i < count; i++) {
		good += results[i].err == BULLA_OK;
		uncounted += results[i].err == BULLA_E_INVALID_OPTION; /* the peer's status does not tell of these */
		callers += results[i].err != BULLA_OK && results[i].err != BULLA_E_INVALID_OPTION &&
			   bulla_err_row(results[i].err)->status < 500;
	}
	if (good + uncounted == count)
		return BULLA_OK;
	x->status = callers > 0 ? 400 : 500;
	if (good == 0 || (f->set & SET_PARTIAL) == 0)
		return BULLA_OK;
	if (f->partial < 200 || f->partial > 599)
		return bulla_warn(x->call, "invalid HTTP response code override from partial_failure_response_code, reverting to %d", x->status);
	x->status = (int)f->partial;
	return BULLA_OK;
}

/* ---- a context beside a batch ---------------------------------------------------------------------------------------------- */

/* Whose policies refuse some item hears of that first. */
static bool all_encrypt(const struct bulla_call *call, const struct bulla_encrypt_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].err == BULLA_OK && !bulla_item_granted(call, i, &items[i].binding))
			return false;
	return true;
}

static bool all_decrypt(const struct bulla_call *call, const struct bulla_decrypt_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].err == BULLA_OK && !bulla_item_granted(call, i, &items[i].binding))
			return false;
	return true;
}

static bool all_rewrap(const struct bulla_call *call, const struct bulla_rewrap_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].err == BULLA_OK &&
		    !bulla_item_rewrap_granted(call, i, &items[i].old_binding, &items[i].new_binding))
			return false;
	return true;
}

/* Beside a batch it would bind nothing, and whoever wrote it there would take the ciphertexts for bound. An empty one is no
 * better: to rewrap it means that the binding is to go. */
static bool context_beside(const struct crypt_fields *f)
{
	return json_given(f->batch) && (json_given(f->pairs) || json_given(f->old_pairs));
}

static enum bulla_err refuse_beside(struct bulla_call *call)
{
	return bulla_fail(call, BULLA_E_INVALID, "encryption_context belongs into the items of batch_input");
}

/* ---- encrypt ------------------------------------------------------------------------------------------------------------- */

/* Creation is tried when the key turns out to be absent, and only for a caller that may create at this path. */
static enum bulla_err run_encrypt(struct exchange *x, const struct crypt_fields *f, const struct crypt_item *items, size_t count,
				  struct bulla_item_result **results)
{
	struct bulla_item_result *list = bulla_arena_alloc(x->call->arena, count * sizeof *list);
	struct bulla_encrypt_args args = { .mount = x->mount, .name = x->params[0], .count = count };
	struct bulla_encrypt_item *converted;

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(items_for_encrypt(x->call, items, count, &converted));
	if (context_beside(f) && all_encrypt(x->call, converted, count))
		return refuse_beside(x->call);
	args.items = converted;
	enum bulla_err err = bulla_encrypt(x->engine, x->call, &args, list);

	if (err == BULLA_E_KEY_NOT_FOUND) {
		struct bulla_ask ask = { .need = BULLA_CAN_CREATE, .takes_context = true, .path = x->path, .doc = json_document(x->doc),
					 .wrap_ttl_s = x->wrap_ttl_s };

		TRY(bulla_authorise(x->engine, x->call, &ask));
		args.may_create = true;
		args.create.derived = items[0].context.len > 0;
		args.create.convergent = f->convergent;
		if ((f->set & SET_TYPE) != 0)
			args.create.type = f->type;
		err = bulla_encrypt(x->engine, x->call, &args, list);
	}
	TRY(err);
	*results = list;
	return BULLA_OK;
}

static enum bulla_err encrypt(struct exchange *x)
{
	struct crypt_fields f = { 0 };
	struct bulla_item_result *results;
	struct crypt_item *items;
	size_t count;

	TRY(fields_bind(x->call, x->doc, encrypt_fields, false, &f));
	if (json_given(f.batch)) {
		TRY(items_parse(x->call, f.batch, ITEMS_ENCRYPT, &items, &count));
		TRY(run_encrypt(x, &f, items, count, &results));
		TRY(choose_status(x, &f, results, count));
		print_batch(x, items, results, count, put_ciphertext, false);
		return BULLA_OK;
	}
	if ((f.set & SET_PLAINTEXT) == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "missing plaintext to encrypt");
	struct crypt_item item = single_item(&f);

	TRY(run_encrypt(x, &f, &item, 1, &results));
	return print_single(x, results, put_ciphertext);
}

/* ---- decrypt ------------------------------------------------------------------------------------------------------------- */

static enum bulla_err run_decrypt(struct exchange *x, const struct crypt_fields *f, const struct crypt_item *items,
				  size_t count, struct bulla_item_result **results)
{
	struct bulla_item_result *list = bulla_arena_alloc(x->call->arena, count * sizeof *list);
	struct bulla_decrypt_args args = { .mount = x->mount, .name = x->params[0], .count = count };
	struct bulla_decrypt_item *converted;

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(items_for_decrypt(x->call, items, count, &converted));
	if (context_beside(f) && all_decrypt(x->call, converted, count))
		return refuse_beside(x->call);
	args.items = converted;
	TRY(bulla_decrypt(x->engine, x->call, &args, list));
	*results = list;
	return BULLA_OK;
}

static enum bulla_err need_ciphertext(struct exchange *x, const struct crypt_fields *f)
{
	if (f->ciphertext.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "missing ciphertext to decrypt");
	return BULLA_OK;
}

static enum bulla_err decrypt(struct exchange *x)
{
	struct crypt_fields f = { 0 };
	struct bulla_item_result *results;
	struct crypt_item *items;
	size_t count;

	TRY(fields_bind(x->call, x->doc, decrypt_fields, true, &f));
	if (json_given(f.batch)) {
		TRY(items_parse(x->call, f.batch, ITEMS_DECRYPT, &items, &count));
		TRY(run_decrypt(x, &f, items, count, &results));
		TRY(choose_status(x, &f, results, count));
		print_batch(x, items, results, count, put_plaintext, true);
		return BULLA_OK;
	}
	TRY(need_ciphertext(x, &f));
	struct crypt_item item = single_item(&f);

	TRY(run_decrypt(x, &f, &item, 1, &results));
	return print_single(x, results, put_plaintext);
}

/* ---- rewrap -------------------------------------------------------------------------------------------------------------- */

static enum bulla_err run_rewrap(struct exchange *x, const struct crypt_fields *f, const struct crypt_item *items,
				 size_t count, struct bulla_item_result **results)
{
	struct bulla_item_result *list = bulla_arena_alloc(x->call->arena, count * sizeof *list);
	struct bulla_rewrap_args args = { .mount = x->mount, .name = x->params[0], .count = count };
	struct bulla_rewrap_item *converted;

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(items_for_rewrap(x->call, items, count, &converted));
	if (context_beside(f) && all_rewrap(x->call, converted, count))
		return refuse_beside(x->call);
	args.items = converted;
	TRY(bulla_rewrap(x->engine, x->call, &args, list));
	*results = list;
	return BULLA_OK;
}

/* What the peer calls internal (RSA's failures) stops its batch, whatever became of the other items. */
static enum bulla_err check_internal(struct exchange *x, const struct bulla_item_result *results, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (results[i].err == BULLA_E_INVALID_500) {
			x->call->detail = results[i].error;
			return results[i].err;
		}
	return BULLA_OK;
}

/* Else a batch is 200. */
static enum bulla_err rewrap(struct exchange *x)
{
	struct crypt_fields f = { 0 };
	struct bulla_item_result *results;
	struct crypt_item *items;
	size_t count;

	TRY(fields_bind(x->call, x->doc, rewrap_fields, true, &f));
	if (json_given(f.batch)) {
		TRY(items_parse(x->call, f.batch, ITEMS_REWRAP, &items, &count));
		TRY(run_rewrap(x, &f, items, count, &results));
		TRY(check_internal(x, results, count));
		print_batch(x, items, results, count, put_ciphertext, false);
		return BULLA_OK;
	}
	TRY(need_ciphertext(x, &f));
	struct crypt_item item = single_item(&f);

	item.aad_given = json_given(json_get(x->doc, "associated_data"));
	item.old_aad_given = json_given(json_get(x->doc, "decrypt_associated_data"));
	TRY(run_rewrap(x, &f, &item, 1, &results));
	return print_single(x, results, put_ciphertext);
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

/* The peer looks at the fields here, before it refuses. */
static enum bulla_err key_exists(struct exchange *x, bool *exists)
{
	struct crypt_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, encrypt_fields, false, &f));
	return bulla_key_exists(x->engine, x->call, x->mount, x->params[0], exists);
}

const struct route transit_crypt_routes[] = {
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(POST), .pattern = "encrypt/{name}", .fn = encrypt, .flags = ROUTE_TOKEN | ROUTE_CONTEXT,
	  .need = BULLA_CAN_CREATE, .exists = key_exists, .fields = encrypt_fields, .doc = "encrypt" },
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(POST), .pattern = "decrypt/{name}", .fn = decrypt, .flags = ROUTE_TOKEN | ROUTE_CONTEXT,
	  .need = BULLA_CAN_UPDATE, .fields = decrypt_fields, .doc = "decrypt" },
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(POST), .pattern = "rewrap/{name}", .fn = rewrap, .flags = ROUTE_TOKEN | ROUTE_CONTEXT,
	  .need = BULLA_CAN_UPDATE, .fields = rewrap_fields, .doc = "rewrap" },
	{ .fn = NULL },
};
