/* transit_keys.c: named keys: create, read, list, configure, rotate, trim, delete. Any thread, one exchange at a time. */
#include <stdio.h>

#include "handlers/list_page.h"
#include "http/routes.h"

/* ---- printing ------------------------------------------------------------------------------------------------------------ */

static void put_public(struct out *out, const char *number, const char *name, const struct bulla_key_version_info *version)
{
	char created[BULLA_TIME_TEXT];

	bulla_time_print(version->created_date_ns, created);
	json_key(out, number);
	json_open(out, '{');
	json_put_string(out, "certificate_chain", version->certificate_chain);
	json_put_text(out, "creation_time", created);
	json_put_text(out, "name", name);
	json_put_string(out, "public_key", version->public_key);
	json_close(out, '}');
}

/* Types whose size was chosen have no list at the peer. */
static void put_versions(struct out *out, const struct bulla_key_info *info)
{
	char number[12];

	if (info->key_size > 0) {
		json_put_int(out, "key_size", (int64_t)info->key_size);
		return;
	}
	json_key(out, "keys");
	json_open(out, '{');
	for (size_t i = 0; i < info->version_count; i++) {
		snprintf(number, sizeof number, "%u", (unsigned)info->versions[i].version);
		if (info->asymmetric)
			put_public(out, number, info->version_name, &info->versions[i]);
		else
			json_put_int(out, number, info->versions[i].created_date_ns / 1000000000);
	}
	json_close(out, '}');
}

static void put_derivation(struct out *out, const struct bulla_key_info *info)
{
	json_put_text(out, "kdf", info->counter_kdf ? "hmac-sha256-counter" : "hkdf_sha256");
	if (info->counter_kdf)
		json_put_text(out, "kdf_mode", "hmac-sha256-counter");
	json_put_bool(out, "convergent_encryption", info->convergent);
	if (info->convergent)
		json_put_int(out, "convergent_encryption_version", info->convergent_version);
}

static void put_mark(struct out *out, const char *name, const struct bulla_key_mark *mark)
{
	char time[BULLA_TIME_TEXT];

	if (mark->version == 0)
		return;
	json_key(out, name);
	json_open(out, '{');
	bulla_time_print(mark->at_date_ns, time);
	json_put_text(out, "time", time);
	json_put_int(out, "version", mark->version);
	json_close(out, '}');
}

static enum bulla_err print_key(struct exchange *x, const struct bulla_key_info *info)
{
	struct out *out = x->data;

	json_open(out, '{');
	json_put_bool(out, "allow_plaintext_backup", info->allow_plaintext_backup);
	json_put_int(out, "auto_rotate_period", info->auto_rotate_s);
	put_mark(out, "backup_info", &info->backup);
	json_put_bool(out, "deletion_allowed", info->deletion_allowed);
	json_put_bool(out, "derived", info->derived);
	if (info->derived)
		put_derivation(out, info);
	json_put_bool(out, "exportable", info->exportable);
	json_put_bool(out, "imported_key", info->imported);
	if (info->imported)
		json_put_bool(out, "imported_key_allow_rotation", info->imported_rotatable);
	put_versions(out, info);
	json_put_int(out, "latest_version", info->latest);
	json_put_int(out, "min_available_version", info->min_available);
	json_put_int(out, "min_decryption_version", info->min_decryption);
	json_put_int(out, "min_encryption_version", info->min_encryption);
	json_put_string(out, "name", info->name);
	put_mark(out, "restore_info", &info->restore);
	json_put_bool(out, "soft_deleted", info->soft_deleted);
	json_put_bool(out, "supports_decryption", info->can_encrypt);
	json_put_bool(out, "supports_derivation", info->can_derive);
	json_put_bool(out, "supports_encryption", info->can_encrypt);
	json_put_bool(out, "supports_signing", info->can_sign);
	json_put_text(out, "type", info->type);
	json_close(out, '}');
	return BULLA_OK;
}

/* ---- create, read, list, delete ----------------------------------------------------------------------------------------- */

enum create_set { SET_TYPE = 1 << 0 };

struct create_fields {
	unsigned set;
	struct bulla_bytes type, context, external_ref;
	bool derived, convergent, exportable, backup;
	int64_t auto_rotate_s, key_size;
};

static const struct field create_fields[] = {
	FIELD_SET(struct create_fields, "type", type, FIELD_STRING, set, SET_TYPE),
	FIELD(struct create_fields, derived, FIELD_BOOL),
	FIELD_AS(struct create_fields, "convergent_encryption", convergent, FIELD_BOOL),
	FIELD(struct create_fields, exportable, FIELD_BOOL),
	FIELD_AS(struct create_fields, "allow_plaintext_backup", backup, FIELD_BOOL),
	FIELD_AS(struct create_fields, "auto_rotate_period", auto_rotate_s, FIELD_SECONDS),
	FIELD(struct create_fields, key_size, FIELD_INT),
	FIELD(struct create_fields, context, FIELD_STRING), /* known, and of no use here */
	FIELD_AS(struct create_fields, "external_key_ref", external_ref, FIELD_STRING),
	FIELD_END,
};

/* There is no store of external keys here yet: what OpenBao says where it has none, in its order. */
static enum bulla_err refuse_external_type(struct bulla_call *call, const struct create_fields *f)
{
	const uint8_t *colon = f->external_ref.len > 0 ? memchr(f->external_ref.ptr, ':', f->external_ref.len) : NULL;

	if (f->auto_rotate_s != 0 && f->auto_rotate_s < 3600)
		return bulla_fail(call, BULLA_E_INVALID, "auto rotate period must be 0 to disable or at least an hour");
	if (f->convergent && !f->derived)
		return bulla_fail(call, BULLA_E_INVALID, "convergent encryption requires derivation to be enabled");
	if (f->key_size != 0 && (f->key_size < 32 || f->key_size > 512))
		return bulla_fail(call, BULLA_E_INVALID, "invalid key_size %lld", (long long)f->key_size);
	if (f->external_ref.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "must provide external_key_ref to create policy of type external-key");
	if (f->auto_rotate_s != 0)
		return bulla_fail(call, BULLA_E_INVALID, "cannot enable auto-rotation with external keys");
	if (colon == NULL)
		return bulla_fail(call, BULLA_E_INVALID,
				  "failed to fetch external key: invalid key reference: must be \"<config name>:<key name>\"");
	return bulla_fail(call, BULLA_E_INVALID, "failed to fetch external key: key \"%.*s\" does not exist", (int)f->external_ref.len,
			  (const char *)f->external_ref.ptr);
}

static enum bulla_err create(struct exchange *x)
{
	struct create_fields f = { 0 };
	struct bulla_key_info info;
	bool created;

	TRY(fields_bind(x->call, x->doc, create_fields, true, &f));
	if (bulla_is(f.type, "external-key"))
		return refuse_external_type(x->call, &f);
	if (f.external_ref.len > 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "must provide type=external-key to use external_key_ref");
	struct bulla_key_create_args args = {
		.derived = f.derived, .convergent = f.convergent, .exportable = f.exportable, .allow_plaintext_backup = f.backup,
		.auto_rotate_s = f.auto_rotate_s, .key_size = f.key_size,
	};

	if ((f.set & SET_TYPE) != 0)
		args.type = f.type;
	TRY(bulla_key_create(x->engine, x->call, x->mount, x->params[0], &args, &info, &created));
	return print_key(x, &info);
}

struct read_fields {
	struct bulla_bytes context;
};

static const struct field read_fields[] = {
	FIELD(struct read_fields, context, FIELD_STRING),
	FIELD_END,
};

/* A context is for the public keys of derived signing keys; elsewhere it only has to be base64, once the key is found. */
static enum bulla_err read_key(struct exchange *x)
{
	struct read_fields f = { 0 };
	struct bulla_key_info info;
	struct bulla_bytes context = { 0 };
	bool bad;

	TRY(fields_bind(x->call, x->doc, read_fields, true, &f));
	bad = f.context.len > 0 && field_base64(x->call, f.context, &context) != BULLA_OK;
	TRY(bulla_key_read_derived(x->engine, x->call, x->mount, x->params[0], bad ? (struct bulla_bytes){ 0 } : context, &info));
	if (bad)
		return bulla_fail(x->call, BULLA_E_INVALID, "failed to base64-decode context");
	return print_key(x, &info);
}

static enum bulla_err list_keys(struct exchange *x)
{
	struct list_page f = { 0 };
	struct bulla_bytes *names;
	size_t count;

	TRY(fields_bind(x->call, x->doc, list_page_fields, true, &f));
	TRY(bulla_key_list(x->engine, x->call, x->mount, f.after, f.limit, &names, &count));
	return list_print(x, names, count);
}

static enum bulla_err delete_key(struct exchange *x)
{
	return bulla_key_delete(x->engine, x->call, x->mount, x->params[0]);
}

/* ---- config, rotate, trim ------------------------------------------------------------------------------------------------ */

#define CONFIG_FIELD(text, member, type, bit) FIELD_SET(struct bulla_key_config_args, text, member, type, set, bit)

static const struct field config_fields[] = {
	CONFIG_FIELD("min_decryption_version", min_decryption, FIELD_INT, BULLA_KEY_MIN_DECRYPTION),
	CONFIG_FIELD("min_encryption_version", min_encryption, FIELD_INT, BULLA_KEY_MIN_ENCRYPTION),
	CONFIG_FIELD("deletion_allowed", deletion_allowed, FIELD_BOOL, BULLA_KEY_DELETION_ALLOWED),
	CONFIG_FIELD("exportable", exportable, FIELD_BOOL, BULLA_KEY_EXPORTABLE),
	CONFIG_FIELD("allow_plaintext_backup", allow_plaintext_backup, FIELD_BOOL, BULLA_KEY_BACKUP),
	CONFIG_FIELD("auto_rotate_period", auto_rotate_s, FIELD_SECONDS, BULLA_KEY_AUTO_ROTATE),
	FIELD_END,
};

static enum bulla_err configure(struct exchange *x)
{
	struct bulla_key_config_args args = { 0 };
	struct bulla_key_info info;

	TRY(fields_bind(x->call, x->doc, config_fields, true, &args));
	TRY(bulla_key_config(x->engine, x->call, x->mount, x->params[0], &args, &info));
	return print_key(x, &info);
}

struct rotate_fields {
	struct bulla_bytes external_ref;
};

static const struct field rotate_fields[] = {
	FIELD_AS(struct rotate_fields, "external_key_ref", external_ref, FIELD_STRING),
	FIELD_END,
};

/* No key here is of a type that lives elsewhere. */
static enum bulla_err refuse_external(struct exchange *x)
{
	struct bulla_key_info info;
	enum bulla_err err = bulla_key_read(x->engine, x->call, x->mount, x->params[0], &info);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(x->call, BULLA_E_INVALID, "key not found");
	TRY(err);
	return bulla_fail(x->call, BULLA_E_INVALID, "cannot use external_key_ref on key of type %s", info.type);
}

static enum bulla_err rotate(struct exchange *x)
{
	struct rotate_fields f = { 0 };
	struct bulla_key_info info;

	TRY(fields_bind(x->call, x->doc, rotate_fields, true, &f));
	if (f.external_ref.len > 0)
		return refuse_external(x);
	TRY(bulla_key_rotate(x->engine, x->call, x->mount, x->params[0], &info));
	return print_key(x, &info);
}

struct trim_fields {
	unsigned set;
	int64_t min_available;
};

static const struct field trim_fields[] = {
	FIELD_SET(struct trim_fields, "min_available_version", min_available, FIELD_INT, set, 1),
	FIELD_END,
};

static enum bulla_err trim(struct exchange *x)
{
	struct trim_fields f = { 0 };
	struct bulla_key_info info;

	TRY(fields_bind(x->call, x->doc, trim_fields, true, &f));
	TRY(bulla_key_trim(x->engine, x->call, x->mount, x->params[0], f.set != 0 ? &f.min_available : NULL, &info));
	return print_key(x, &info);
}

/* ---- soft delete --------------------------------------------------------------------------------------------------------- */

static const struct field no_fields[] = { FIELD_END };

/* An unknown key is answered with 204, as the peer does. */
static enum bulla_err print_if_any(struct exchange *x, const struct bulla_key_info *info)
{
	return info->name.len > 0 ? print_key(x, info) : BULLA_OK;
}

static enum bulla_err soft_delete(struct exchange *x)
{
	struct bulla_key_info info;

	TRY(bulla_key_soft_delete(x->engine, x->call, x->mount, x->params[0], &info));
	return print_if_any(x, &info);
}

static enum bulla_err soft_delete_restore(struct exchange *x)
{
	struct bulla_key_info info;

	TRY(bulla_key_soft_delete_restore(x->engine, x->call, x->mount, x->params[0], &info));
	return print_if_any(x, &info);
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define KEY_ROUTE(method, path, handler_, capability, known, anchor)                                                 \
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(method), .pattern = path, .fn = handler_, .flags = ROUTE_TOKEN, \
	  .need = capability, .fields = known, .doc = anchor }

const struct route transit_key_routes[] = {
	KEY_ROUTE(LIST, "keys", list_keys, BULLA_CAN_LIST, list_page_fields, "list-keys"),
	KEY_ROUTE(POST, "keys/{name}", create, BULLA_CAN_UPDATE, create_fields, "create-key"),
	KEY_ROUTE(GET, "keys/{name}", read_key, BULLA_CAN_READ, read_fields, "read-key"),
	KEY_ROUTE(DELETE, "keys/{name}", delete_key, BULLA_CAN_DELETE, NULL, "delete-key"),
	KEY_ROUTE(POST, "keys/{name}/config", configure, BULLA_CAN_UPDATE, config_fields, "configure-key"),
	KEY_ROUTE(POST, "keys/{name}/rotate", rotate, BULLA_CAN_UPDATE, rotate_fields, "rotate-key"),
	KEY_ROUTE(POST, "keys/{name}/trim", trim, BULLA_CAN_UPDATE, trim_fields, "trim-key"),
	KEY_ROUTE(DELETE, "keys/{name}/soft-delete", soft_delete, BULLA_CAN_DELETE, no_fields, "soft-delete-key"),
	KEY_ROUTE(POST, "keys/{name}/soft-delete-restore", soft_delete_restore, BULLA_CAN_UPDATE, no_fields, "soft-delete-key"),
	{ .fn = NULL },
};
