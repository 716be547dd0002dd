/* transit_datakey.c: data keys. Any thread, one exchange at a time. */
#include "handlers/transit_items.h"
#include "http/routes.h"

struct datakey_fields {
	struct bulla_bytes context, aad, padding;
	const struct json *pairs;
	int64_t bits, key_version;
};

static const struct field datakey_fields[] = {
	FIELD(struct datakey_fields, context, FIELD_STRING),
	FIELD(struct datakey_fields, bits, FIELD_INT),
	FIELD(struct datakey_fields, key_version, FIELD_INT),
	FIELD_AS(struct datakey_fields, "associated_data", aad, FIELD_STRING),
	FIELD_AS(struct datakey_fields, "padding_scheme", padding, FIELD_STRING),
	FIELD_AS(struct datakey_fields, "encryption_context", pairs, FIELD_JSON),
	FIELD_END,
};

static enum bulla_err decode_context(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	enum bulla_err err = text.len > 0 ? field_base64(call, text, out) : BULLA_OK;

	if (err == BULLA_E_BAD_BASE64)
		return bulla_fail(call, BULLA_E_INVALID, "failed to base64-decode context");
	return err;
}

static void print(struct out *out, const struct bulla_item_result *sealed, const struct bulla_bytes *plaintext)
{
	json_open(out, '{');
	json_key(out, "ciphertext");
	char *text = json_plain_string(out, bulla_ciphertext_len(sealed->key_version, sealed->bytes.len));

	if (text != NULL)
		bulla_ciphertext_print(sealed->key_version, sealed->bytes, text);
	json_put_int(out, "key_version", sealed->key_version);
	if (plaintext != NULL) {
		json_key(out, "plaintext");
		text = json_plain_string(out, BULLA_BASE64_LEN(plaintext->len));
		if (text != NULL)
			bulla_base64_encode(*plaintext, text);
	}
	json_close(out, '}');
}

static enum bulla_err datakey(struct exchange *x)
{
	struct datakey_fields f = { .bits = 256 };
	struct bulla_datakey_args args = { .mount = x->mount, .name = x->params[1] };
	bool shown = bulla_is(x->params[0], "plaintext");
	struct bulla_item_result sealed;
	struct bulla_bytes plaintext;

	TRY(fields_bind(x->call, x->doc, datakey_fields, true, &f));
	if (!shown && !bulla_is(x->params[0], "wrapped"))
		return bulla_fail(x->call, BULLA_E_INVALID, "Invalid path, must be 'plaintext' or 'wrapped'");
	TRY(decode_context(x->call, f.context, &args.context));
	TRY(items_binding(x->call, f.aad, f.pairs, &args.binding));
	args.bits = f.bits;
	args.padding = f.padding;
	args.key_version = f.key_version;
	TRY(bulla_datakey(x->engine, x->call, &args, &plaintext, &sealed));
	print(x->data, &sealed, shown ? &plaintext : NULL);
	return BULLA_OK;
}

const struct route transit_datakey_routes[] = {
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(POST), .pattern = "datakey/{plaintext}/{name}", .fn = datakey,
	  .flags = ROUTE_TOKEN | ROUTE_CONTEXT, .need = BULLA_CAN_UPDATE, .fields = datakey_fields, .doc = "data-keys" },
	{ .fn = NULL },
};
