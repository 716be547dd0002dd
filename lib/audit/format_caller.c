/* format_caller.c: what a record says of who calls, and where: mostly what the last one said, which is kept as text. Kept is nothing
 * that is not in the log. Any thread. */
#include "audit/format.h"
#include "bulla/version.h"

#define QUOTED_HASH (HASH_TEXT + 2)

/* ---- keeping ------------------------------------------------------------------------------------------------------------ */

/* Members, without the comma that may be due before them. */
static void put_kept(struct out *out, const struct out *kept)
{
	if (out->comma)
		out_raw(out, bulla_mem(",", 1));
	out_raw(out, bulla_mem(kept->ptr, kept->len));
	out->comma = true;
}

/* What stands in out behind from. */
static void keep(struct out *kept, const struct out *out, size_t from)
{
	kept->len = 0;
	if (!out->failed && out->len > from) {
		from += out->ptr[from] == ',';
		out_raw(kept, bulla_mem(out->ptr + from, out->len - from));
	}
	if (kept->failed)
		out_clear(kept);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------------- */

static void hash_caller(struct format *f, struct bulla_bytes text, char quoted[QUOTED_HASH])
{
	quoted[0] = quoted[QUOTED_HASH - 1] = '"';
	device_hash(f->device, text, quoted + 1);
}

static void put_quoted(struct format *f, const char *key, const char quoted[QUOTED_HASH])
{
	json_key(f->out, key);
	out_raw(f->out, bulla_mem(quoted, QUOTED_HASH));
	f->out->comma = true;
}

static void put_token_text(struct format *f, const char *key)
{
	if (f->how.key == NULL || f->entry->client_token.len == 0)
		format_hashed(f, key, f->entry->client_token);
	else
		put_quoted(f, key, f->kept->token);
}

static void put_accessor_text(struct format *f, const char *key, struct bulla_bytes accessor)
{
	if (f->how.key == NULL || accessor.len == 0 || !f->device->options.hmac_accessor)
		format_accessor(f, key, accessor);
	else
		put_quoted(f, key, f->kept->accessor);
}

/* ---- who calls --------------------------------------------------------------------------------------------------------- */

static void put_list(struct out *out, const char *key, const struct bulla_bytes *items, size_t count)
{
	if (count > 0)
		json_put_strings(out, key, items, count);
}

/* As the peer names a caller without an entity: SHA-256 of its sorted policies and the namespace. */
static void make_client_id(struct format *f, const struct bulla_token *token)
{
	struct out text = { 0 };
	uint8_t sum[SHA256_BYTES];

	for (size_t i = 0; i < token->policy_count; i++) {
		if (i > 0)
			out_raw(&text, bulla_mem("\x7F", 1));
		out_raw(&text, token->policies[i]);
	}
	out_raw(&text, bulla_mem("\0root", 5));
	f->out->failed |= text.failed;
	if (!text.failed) {
		sha256(bulla_mem(text.ptr, text.len), sum);
		bulla_base64_encode(bulla_mem(sum, sizeof sum), f->kept->client_id);
	}
	out_clear(&text);
}

static void put_policy_results(struct format *f)
{
	const struct bulla_audit_entry *e = f->entry;
	struct out *out = f->out;

	if (!e->allowed && e->token == NULL)
		return;
	json_key(out, "policy_results");
	json_open(out, '{');
	json_put_bool(out, "allowed", e->allowed);
	if (e->granting_count > 0) {
		json_key(out, "granting_policies");
		json_open(out, '[');
		for (size_t i = 0; i < e->granting_count; i++) {
			json_open(out, '{');
			json_put_string(out, "name", e->granting[i]);
			out_text(out, ",\"namespace_id\":\"root\",\"type\":\"acl\"");
			json_close(out, '}');
		}
		json_close(out, ']');
	}
	json_close(out, '}');
}

static void put_token(struct format *f, const struct bulla_token *token)
{
	struct out *out = f->out;
	char issued[BULLA_TIME_TEXT];

	put_token_text(f, "client_token");
	put_accessor_text(f, "accessor", token->accessor);
	format_text(out, "display_name", token->display_name);
	put_list(out, "policies", token->policies, token->policy_count);
	put_list(out, "token_policies", token->policies, token->policy_count);
	put_policy_results(f);
	if (token->meta_count > 0)
		json_put_pairs(out, "metadata", token->meta, token->meta_count);
	if (token->num_uses != 0) /* before this one */
		json_put_int(out, "remaining_uses", token->num_uses > 0 ? token->num_uses + 1 : 1);
	json_put_text(out, "token_type", token->type == BULLA_TOKEN_BATCH ? "batch" : "service");
	if (token->ttl_s > 0)
		json_put_int(out, "token_ttl", token->ttl_s);
	(void)bulla_time_print(token->created_date_ns / NS_PER_S * NS_PER_S, issued);
	json_put_text(out, "token_issue_time", issued);
}

static void put_auth(struct format *f)
{
	json_key(f->out, "auth");
	json_open(f->out, '{');
	if (f->entry->token != NULL) {
		put_token(f, f->entry->token);
	} else {
		put_policy_results(f);
		json_put_text(f->out, "token_type", "default");
	}
	json_close(f->out, '}');
}

/* What makes the caller's part of a record the same as another's: a token, whose policies, name and metadata never change, by its
 * accessor; and what does change. 0: it is not to be remembered. */
static size_t caller_key(const struct format *f, char key[sizeof f->kept->key])
{
	const struct bulla_token *token = f->entry->token;
	struct bulla_bytes shown = f->entry->client_token;
	size_t n = 0;

	if (token == NULL || token->accessor.len == 0 || token->accessor.len + shown.len + 32 > sizeof f->kept->key)
		return 0;
	const int64_t numbers[] = { token->ttl_s, token->num_uses, token->issued_ns, f->entry->allowed };

	memcpy(key, numbers, sizeof numbers);
	n = sizeof numbers;
	memcpy(key + n, token->accessor.ptr, token->accessor.len);
	n += token->accessor.len;
	for (size_t i = 0; i < f->entry->granting_count; i++) {
		struct bulla_bytes name = f->entry->granting[i];

		if (n + name.len + shown.len + 1 > sizeof f->kept->key)
			return 0;
		memcpy(key + n, name.ptr, name.len);
		n += name.len;
		key[n++] = 0;
	}
	if (f->how.key == NULL && shown.len > 0) { /* only where it stands in clear it could differ */
		memcpy(key + n, shown.ptr, shown.len);
		n += shown.len;
	}
	return n;
}

/* Makes f->kept that of this caller, unless it is already. */
static void know_caller(struct format *f)
{
	const struct bulla_token *token = f->entry->token;
	struct kept *kept = f->kept;
	char key[sizeof kept->key];
	size_t n = caller_key(f, key);

	f->known = n > 0 && n == kept->key_len && memcmp(key, kept->key, n) == 0;
	if (f->known)
		return;
	kept->key_len = kept->auth.len = kept->shown.len = 0;
	if (f->how.key != NULL && f->entry->client_token.len > 0)
		hash_caller(f, f->entry->client_token, kept->token);
	if (token == NULL)
		return;
	if (f->how.key != NULL && f->device->options.hmac_accessor)
		hash_caller(f, token->accessor, kept->accessor);
	make_client_id(f, token);
	memcpy(kept->key, key, n);
	kept->key_len = n;
}

void format_auth(struct format *f)
{
	size_t from = f->out->len;

	if (f->known && f->kept->auth.len > 0) {
		put_kept(f->out, &f->kept->auth);
		return;
	}
	put_auth(f);
	if (f->kept->key_len > 0)
		keep(&f->kept->auth, f->out, from);
}

void format_shown(struct format *f)
{
	const struct bulla_token *token = f->entry->token;
	size_t from = f->out->len;

	if (f->known && f->kept->shown.len > 0) {
		put_kept(f->out, &f->kept->shown);
		return;
	}
	put_token_text(f, "client_token");
	if (token != NULL)
		put_accessor_text(f, "client_token_accessor", token->accessor);
	json_key(f->out, "namespace");
	out_text(f->out, "{\"id\":\"root\"}");
	f->out->comma = true;
	if (f->kept->key_len > 0)
		keep(&f->kept->shown, f->out, from);
}

/* ---- where -------------------------------------------------------------------------------------------------------------- */

/* An accessor is one mount's for ever, and its type too; its path can change. */
static void know_mount(struct format *f)
{
	const struct bulla_mount *mount = f->entry->mount;
	struct kept *kept = f->kept;

	if (mount == NULL)
		return;
	size_t n = mount->accessor.len + mount->path.len;

	if (n == kept->mount_key.len && memcmp(kept->mount_key.ptr, mount->accessor.ptr, mount->accessor.len) == 0 &&
	    memcmp(kept->mount_key.ptr + mount->accessor.len, mount->path.ptr, mount->path.len) == 0)
		return;
	kept->mount_key.len = 0;
	for (size_t i = 0; i < MOUNT_PLACES; i++)
		kept->mount[i].len = 0;
	out_raw(&kept->mount_key, mount->accessor);
	out_raw(&kept->mount_key, mount->path);
	if (kept->mount_key.failed)
		out_clear(&kept->mount_key);
}

static void put_mount(struct out *out, const struct bulla_mount *mount, const char *version_key)
{
	json_put_string(out, "mount_point", mount->path);
	json_put_text(out, "mount_type", mount->type);
	json_put_string(out, "mount_accessor", mount->accessor);
	json_put_text(out, version_key, bulla_plugin_version());
	json_put_text(out, "mount_class", bulla_mount_is_auth(mount) ? "auth" : "secret");
}

void format_mount(struct format *f, enum mount_place place)
{
	struct out *kept = &f->kept->mount[place];
	size_t from = f->out->len;

	if (f->entry->mount == NULL)
		return; /* what none answers has none of these */
	if (kept->len > 0 && f->kept->mount_key.len > 0) {
		put_kept(f->out, kept);
		return;
	}
	put_mount(f->out, f->entry->mount, place == MOUNT_ASKED ? "mount_running_version" : "mount_running_plugin_version");
	keep(kept, f->out, from);
}

/* ---- both --------------------------------------------------------------------------------------------------------------- */

void format_know(struct format *f)
{
	know_caller(f);
	know_mount(f);
}

void format_forget(struct kept *kept)
{
	out_clear(&kept->auth);
	out_clear(&kept->shown);
	out_clear(&kept->mount_key);
	for (size_t i = 0; i < MOUNT_PLACES; i++)
		out_clear(&kept->mount[i]);
	kept->key_len = 0;
}
