/* transit_proofs.c: owns how the items of hmac, sign and verify are read, with the peer's texts, and how verdicts are printed.
 * Stateless: any thread. */
#include "handlers/transit_items.h"
#include "handlers/transit_proofs.h"

#include <stdlib.h>

/* A body of bad items must not become a reply many times its size. */
#define MAX_COMPLAINTS 100

struct reader {
	struct bulla_call *call;
	enum proofs_of of;
	struct bulla_bytes complaints[MAX_COMPLAINTS];
	size_t count;
};

/* ---- batch_input --------------------------------------------------------------------------------------------------------- */

static enum bulla_err complain(struct reader *r, struct bulla_bytes text)
{
	if (text.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	r->complaints[r->count++] = text;
	return BULLA_OK;
}

static enum bulla_err wrong_item(struct reader *r, size_t at, const struct json *item)
{
	static const char *const names[] = {
		[PROOFS_HMAC] = "HMAC", [PROOFS_SIGN] = "Sign", [PROOFS_VERIFY_SIGNATURE] = "Verify", [PROOFS_VERIFY_HMAC] = "Verify",
	};

	return complain(r, bulla_arena_printf(r->call->arena,
					      "'[%zu]' expected type 'transit.batchRequest%sItem', got unconvertible type '%s'", at,
					      names[r->of], field_type_name(item)));
}

static void take(const struct json *v, struct proof_item *out)
{
	struct bulla_bytes text = v->type == JSON_NULL ? bulla_str("") : v->text;

	if (bulla_is(v->name, "input")) {
		out->input = text;
		out->given |= PROOF_INPUT;
	}
	if (bulla_is(v->name, "signature")) {
		out->signature = text;
		out->given |= PROOF_SIGNATURE;
	}
	if (bulla_is(v->name, "hmac")) {
		out->hmac = text;
		out->given |= PROOF_HMAC;
	}
	if (bulla_is(v->name, "context"))
		out->context = text;
	if (bulla_is(v->name, "reference"))
		out->reference = text;
}

/* All members must be texts, also those that mean nothing. */
static enum bulla_err read_item(struct reader *r, size_t at, const struct json *item, struct proof_item *out)
{
	if (item->type == JSON_NULL)
		return BULLA_OK;
	if (item->type != JSON_OBJECT)
		return wrong_item(r, at, item);
	for (const struct json *v = item->first; v != NULL && r->count < MAX_COMPLAINTS; v = v->next) {
		if (v->type == JSON_NULL || v->type == JSON_STRING || v->type == JSON_NUMBER)
			take(v, out);
		else
			TRY(complain(r, bulla_arena_printf(r->call->arena,
							   "'[%zu][%.*s]' expected type 'string', got unconvertible type '%s'", at,
							   (int)v->name.len, (const char *)v->name.ptr, field_type_name(v))));
	}
	return BULLA_OK;
}

static int by_text(const void *a, const void *b)
{
	return bulla_compare(*(const struct bulla_bytes *)a, *(const struct bulla_bytes *)b);
}

/* The peer tells all of them at once, sorted. */
static enum bulla_err refuse(struct reader *r)
{
	size_t len = 0, at = 0;

	qsort(r->complaints, r->count, sizeof r->complaints[0], by_text);
	for (size_t i = 0; i < r->count; i++)
		len += r->complaints[i].len + 1;
	char *text = bulla_arena_alloc(r->call->arena, len);

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < r->count; i++) {
		memcpy(text + at, r->complaints[i].ptr, r->complaints[i].len);
		at += r->complaints[i].len;
		text[at++] = '\n';
	}
	return bulla_fail(r->call, BULLA_E_INVALID_500,
			  "failed to parse batch input: decoding failed due to the following error(s):\n\n%.*s", (int)len - 1, text);
}

enum bulla_err proofs_parse(struct bulla_call *call, const struct json *batch, enum proofs_of of, struct proof_item **items,
			    size_t *count)
{
	struct reader r = { .call = call, .of = of };
	size_t n = 0;

	if (batch->type != JSON_ARRAY)
		return bulla_fail(call, BULLA_E_INVALID_500,
				  "failed to parse batch input: '' source data must be an array or slice, got %s",
				  batch->type == JSON_OBJECT ? "map" : batch->type == JSON_BOOL ? "bool" : "string");
	if (batch->count == 0)
		return bulla_fail(call, BULLA_E_INVALID, "missing batch input to process");
	struct proof_item *list = bulla_arena_alloc(call->arena, batch->count * sizeof *list);

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	for (const struct json *item = batch->first; item != NULL && r.count < MAX_COMPLAINTS; item = item->next, n++)
		TRY(read_item(&r, n, item, &list[n]));
	if (r.count > 0)
		return refuse(&r);
	*items = list;
	*count = n;
	return BULLA_OK;
}

/* ---- for the library --------------------------------------------------------------------------------------------------- */

enum bulla_err proofs_input(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	uint8_t *to = bulla_arena_raw(call->arena, BULLA_BASE64_MAX_DECODED(text.len));
	size_t len, bad_at;

	if (to == NULL)
		return BULLA_E_NO_MEMORY;
	if (bulla_base64_decode(text, to, &len, &bad_at) != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID, "unable to decode input as base64: illegal base64 data at input byte %zu",
				  bad_at);
	*out = bulla_mem(to, len);
	return BULLA_OK;
}

static enum bulla_err decode(struct bulla_call *call, const struct proof_item *in, enum proofs_of of, struct bulla_sign_item *out)
{
	if ((in->given & PROOF_INPUT) == 0)
		return bulla_fail(call, BULLA_E_INVALID, of == PROOFS_HMAC ? "missing input for HMAC" : "missing input");
	TRY(proofs_input(call, in->input, &out->input));
	out->proof = of == PROOFS_VERIFY_HMAC ? in->hmac : in->signature;
	if (of == PROOFS_HMAC || of == PROOFS_VERIFY_HMAC || in->context.len == 0)
		return BULLA_OK;
	enum bulla_err err = field_base64(call, in->context, &out->context);

	if (err == BULLA_E_BAD_BASE64)
		return bulla_fail(call, BULLA_E_INVALID, "failed to base64-decode context");
	return err;
}

enum bulla_err proofs_decode(struct bulla_call *call, const struct proof_item *items, size_t count, enum proofs_of of,
			     struct bulla_sign_item **out)
{
	struct bulla_sign_item *list = bulla_arena_alloc(call->arena, count * sizeof *list);

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		enum bulla_err err = decode(call, &items[i], of, &list[i]);

		if (err == BULLA_OK)
			continue;
		if (bulla_err_row(err)->kind != BULLA_CLASS_CALLER)
			return err;
		list[i].err = err;
		list[i].error = bulla_call_text(call, err);
		call->detail = (struct bulla_bytes){ 0 };
	}
	*out = list;
	return BULLA_OK;
}

/* ---- printing ------------------------------------------------------------------------------------------------------------ */

enum bulla_err proofs_print_verdict(struct exchange *x, const struct bulla_verdict *verdict)
{
	if (verdict->err != BULLA_OK) {
		x->call->detail = verdict->error;
		return verdict->err;
	}
	json_open(x->data, '{');
	json_put_bool(x->data, "valid", verdict->valid);
	json_close(x->data, '}');
	return BULLA_OK;
}

void proofs_print_verdicts(struct exchange *x, const struct proof_item *items, const struct bulla_verdict *verdicts, size_t count,
			   bool omit)
{
	batch_begin(x, count);
	for (size_t i = 0; i < count; i++) {
		json_open(x->data, '{');
		if (verdicts[i].valid || !omit)
			json_put_bool(x->data, "valid", verdicts[i].valid);
		if (verdicts[i].err != BULLA_OK)
			json_put_string(x->data, "error", verdicts[i].error);
		json_put_string(x->data, "reference", items[i].reference);
		json_close(x->data, '}');
	}
	batch_end(x);
}
