/* transit_import.c: keys that come from outside, and keys by agreement. Any thread, one exchange at a time. */
#include "http/routes.h"

#define BLOCKING(method, path, handler_, capability, known, anchor)                                                  \
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(method), .pattern = path, .fn = handler_,                      \
	  .flags = ROUTE_TOKEN | ROUTE_BLOCKS | ROUTE_COMPUTES, .need = capability, .fields = known, .doc = anchor }

static enum bulla_err wrapping_key(struct exchange *x)
{
	struct bulla_bytes pem;

	TRY(bulla_wrapping_key(x->engine, x->call, x->mount, &pem));
	json_open(x->data, '{');
	json_put_string(x->data, "public_key", pem);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- import -------------------------------------------------------------------------------------------------------------- */

enum import_set { SET_CIPHERTEXT = 1 << 0, SET_VERSION = 1 << 1, SET_CONVERGENT = 1 << 2 };

struct import_fields {
	unsigned set;
	struct bulla_bytes type, hash, ciphertext, public_key, context;
	const struct json *convergent;
	bool allow_rotation, derived, exportable, backup;
	int64_t auto_rotate_s, version;
};

#define IMPORT_FIELD(text, member, type) FIELD_AS(struct import_fields, text, member, type)

static const struct field import_fields[] = {
	IMPORT_FIELD("type", type, FIELD_STRING),
	IMPORT_FIELD("hash_function", hash, FIELD_STRING),
	FIELD_SET(struct import_fields, "ciphertext", ciphertext, FIELD_STRING, set, SET_CIPHERTEXT),
	IMPORT_FIELD("public_key", public_key, FIELD_STRING),
	IMPORT_FIELD("allow_rotation", allow_rotation, FIELD_BOOL),
	IMPORT_FIELD("derived", derived, FIELD_BOOL),
	IMPORT_FIELD("exportable", exportable, FIELD_BOOL),
	IMPORT_FIELD("allow_plaintext_backup", backup, FIELD_BOOL),
	IMPORT_FIELD("context", context, FIELD_STRING), /* known, and of no use here */
	IMPORT_FIELD("auto_rotate_period", auto_rotate_s, FIELD_SECONDS),
	FIELD_SET(struct import_fields, "convergent_encryption", convergent, FIELD_JSON, set, SET_CONVERGENT),
	FIELD_END,
};

static const struct field version_fields[] = {
	FIELD_SET(struct import_fields, "ciphertext", ciphertext, FIELD_STRING, set, SET_CIPHERTEXT),
	IMPORT_FIELD("public_key", public_key, FIELD_STRING),
	IMPORT_FIELD("hash_function", hash, FIELD_STRING),
	FIELD_SET(struct import_fields, "version", version, FIELD_INT, set, SET_VERSION),
	FIELD_END,
};

/* A ciphertext counts where there is one. */
static struct bulla_import_source source_of(const struct import_fields *f)
{
	bool wrapped = (f->set & SET_CIPHERTEXT) != 0;

	return (struct bulla_import_source){ .wrapped = wrapped, .text = wrapped ? f->ciphertext : f->public_key, .hash = f->hash };
}

static enum bulla_err import(struct exchange *x)
{
	struct import_fields f = { .type = bulla_str("aes256-gcm96"), .hash = bulla_str("SHA256") };

	TRY(fields_bind(x->call, x->doc, import_fields, true, &f));
	if ((f.set & SET_CONVERGENT) != 0)
		return bulla_fail(x->call, BULLA_E_INVALID_500, "import cannot be used on keys with convergent encryption enabled");
	const struct bulla_import_args args = {
		.type = f.type, .source = source_of(&f), .derived = f.derived, .exportable = f.exportable,
		.allow_plaintext_backup = f.backup, .allow_rotation = f.allow_rotation, .auto_rotate_s = f.auto_rotate_s,
	};

	return bulla_key_import(x->engine, x->call, x->mount, x->params[0], &args);
}

static enum bulla_err import_version(struct exchange *x)
{
	struct import_fields f = { .hash = bulla_str("SHA256") };

	TRY(fields_bind(x->call, x->doc, version_fields, true, &f));
	const struct bulla_import_source source = source_of(&f);

	return bulla_key_import_version(x->engine, x->call, x->mount, x->params[0], &source,
					(f.set & SET_VERSION) != 0 ? &f.version : NULL);
}

/* ---- key agreement ------------------------------------------------------------------------------------------------------------ */

static const struct field derive_fields[] = {
	FIELD_AS(struct bulla_derive_key_args, "key_derivation_algorithm", algorithm, FIELD_STRING),
	FIELD_AS(struct bulla_derive_key_args, "peer_public_key", peer, FIELD_STRING),
	FIELD_AS(struct bulla_derive_key_args, "base_key_name", base, FIELD_STRING),
	FIELD_AS(struct bulla_derive_key_args, "base_key_version", base_version, FIELD_INT),
	FIELD_AS(struct bulla_derive_key_args, "derived_key_type", type, FIELD_STRING),
	FIELD_END,
};

static enum bulla_err derive_key(struct exchange *x)
{
	struct bulla_derive_key_args args = { .algorithm = bulla_str("ecdh"), .type = bulla_str("aes256-gcm96") };

	TRY(fields_bind(x->call, x->doc, derive_fields, true, &args));
	return bulla_derive_key(x->engine, x->call, x->mount, x->params[0], &args);
}

const struct route transit_import_routes[] = {
	/* the library knows whether it can be answered at once */
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(GET), .pattern = "wrapping_key", .fn = wrapping_key, .flags = ROUTE_TOKEN,
	  .need = BULLA_CAN_READ, .doc = "wrapping-key" },
	BLOCKING(POST, "keys/{name}/import", import, BULLA_CAN_UPDATE, import_fields, "import-key"),
	BLOCKING(POST, "keys/{name}/import_version", import_version, BULLA_CAN_UPDATE, version_fields, "import-version"),
	BLOCKING(POST, "derive-key/{name}", derive_key, BULLA_CAN_UPDATE, derive_fields, "derive-key"),
	{ .fn = NULL },
};
