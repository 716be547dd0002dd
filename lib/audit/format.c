/* format.c: owns the two records of a request, in the peer's form (OpenBao's audit.AuditRequestEntry and AuditResponseEntry, also
 * Vault's), each one line. What both records have in common is printed once and copied; what the next request will have too is kept
 * (format_caller.c). Any thread. */
#define _GNU_SOURCE
#include <string.h>

#include "audit/format.h"

/* ---- small things ------------------------------------------------------------------------------------------------------ */

void format_hashed(struct format *f, const char *key, struct bulla_bytes text)
{
	if (text.len == 0)
		return;
	json_key(f->out, key);
	hashing_string(&f->how, f->out, text);
}

void format_accessor(struct format *f, const char *key, struct bulla_bytes accessor)
{
	if (f->device->options.hmac_accessor)
		format_hashed(f, key, accessor);
	else if (accessor.len > 0)
		json_put_string(f->out, key, accessor);
}

static void put_time(struct out *out, const char *key, int64_t ns)
{
	char text[BULLA_TIME_TEXT];

	(void)bulla_time_print(ns, text);
	json_put_text(out, key, text);
}

/* ---- what was asked ---------------------------------------------------------------------------------------------------- */

static void put_remote(struct out *out, struct bulla_bytes remote)
{
	const uint8_t *colon = remote.len > 0 ? memrchr(remote.ptr, ':', remote.len) : NULL;

	if (colon == NULL)
		return;
	struct bulla_bytes host = bulla_mem(remote.ptr, (size_t)(colon - remote.ptr));
	int64_t port = 0;

	for (const uint8_t *p = colon + 1; p < remote.ptr + remote.len && *p >= '0' && *p <= '9' && port < 65536; p++)
		port = port * 10 + (*p - '0');
	if (host.len > 2 && host.ptr[0] == '[')
		host = bulla_mem(host.ptr + 1, host.len - 2);
	json_put_string(out, "remote_address", host);
	json_put_int(out, "remote_port", port);
}

/* A token is never written in clear, whatever the rule says. */
static bool is_hashed(const struct bulla_audit_header_rule *rule, struct bulla_bytes value)
{
	struct bulla_bytes token;

	return rule->hmac || bulla_is(rule->name, "x-vault-token") || bulla_is(rule->name, "authorization") || token_find(value, &token);
}

/* The values of one header, if it was sent. */
static void put_header(struct format *f, const struct bulla_audit_header_rule *rule, bool *any)
{
	const struct bulla_audit_entry *e = f->entry;
	struct hashing clear = { 0 };
	bool open = false;

	for (size_t i = 0; i < e->header_count; i++) {
		if (!bulla_equal(e->headers[i].name, rule->name))
			continue;
		if (!*any) {
			json_key(f->out, "headers");
			json_open(f->out, '{');
		}
		if (!open) {
			json_key_bytes(f->out, rule->name);
			json_open(f->out, '[');
		}
		*any = open = true;
		hashing_string(is_hashed(rule, e->headers[i].value) ? &f->how : &clear, f->out, e->headers[i].value);
	}
	if (open)
		json_close(f->out, ']');
}

static void put_headers(struct format *f)
{
	bool any = false;

	if (f->entry->header_count == 0)
		return;
	rcu_read_begin();
	const struct header_rules *rules = rcu_load(f->audit->headers);

	for (size_t i = 0; rules != NULL && i < rules->count; i++)
		put_header(f, &rules->rules[i], &any);
	rcu_read_end();
	if (any)
		json_close(f->out, '}');
}

static void put_request(struct format *f)
{
	const struct bulla_audit_entry *e = f->entry;
	struct out *out = f->out;

	json_key(out, "request");
	json_open(out, '{');
	json_put_string(out, "id", e->id);
	if (e->token != NULL)
		json_put_string(out, "client_id", bulla_mem(f->kept->client_id, sizeof f->kept->client_id));
	json_put_text(out, "operation", e->operation);
	format_mount(f, MOUNT_ASKED);
	format_shown(f);
	format_text(out, "path", f->how.key == NULL ? e->path : tokens_hide(f->device, f->call, e->path));
	const struct json *data = json_of_document(e->data);

	if (data != NULL && data->count > 0) {
		json_key(out, "data");
		hashing_value(&f->how, out, data);
	}
	put_remote(out, e->remote);
	if (e->wrap_ttl_s > 0)
		json_put_int(out, "wrap_ttl", e->wrap_ttl_s);
	put_headers(f);
	json_close(out, '}');
}

/* ---- what was answered --------------------------------------------------------------------------------------------------- */

static void put_strings(struct out *out, const char *key, const struct json *list)
{
	if (list == NULL || list->type != JSON_ARRAY || list->count == 0)
		return;
	json_key(out, key);
	json_value(out, list);
}

/* The reply's auth as it was printed, in the form of a record. Tokens are made rarely: it is read as a tree. */
static void put_reply_auth(struct format *f)
{
	const struct bulla_audit_entry *e = f->entry;
	struct out *out = f->out;
	struct json *auth;

	if (e->reply_auth.len == 0)
		return;
	if (json_parse(f->call, e->reply_auth.ptr, e->reply_auth.len, &auth) != BULLA_OK) {
		out->failed = true;
		return;
	}
	const struct json *token = json_get(auth, "client_token"), *accessor = json_get(auth, "accessor"),
			  *meta = json_get(auth, "metadata"), *type = json_get(auth, "token_type"),
			  *ttl = json_get(auth, "lease_duration"), *uses = json_get(auth, "num_uses");

	json_key(out, "auth");
	json_open(out, '{');
	if (token != NULL)
		format_hashed(f, "client_token", token->text);
	if (accessor != NULL)
		format_accessor(f, "accessor", accessor->text);
	format_text(out, "display_name", e->display_name);
	put_strings(out, "policies", json_get(auth, "policies"));
	put_strings(out, "token_policies", json_get(auth, "token_policies"));
	if (meta != NULL && meta->type == JSON_OBJECT && meta->count > 0) {
		json_key(out, "metadata");
		json_value(out, meta);
	}
	if (uses != NULL && !bulla_is(uses->text, "0")) {
		json_key(out, "num_uses");
		json_value(out, uses);
	}
	if (type != NULL)
		format_text(out, "token_type", type->text);
	if (ttl != NULL && !bulla_is(ttl->text, "0")) {
		json_key(out, "token_ttl");
		json_value(out, ttl);
	}
	json_close(out, '}');
}

static void put_wrapping(struct format *f)
{
	const struct bulla_wrapping *w = f->entry->wrapping;

	if (w == NULL)
		return;
	json_key(f->out, "wrap_info");
	json_open(f->out, '{');
	json_put_int(f->out, "ttl", w->ttl_s);
	format_hashed(f, "token", w->token);
	format_accessor(f, "accessor", w->accessor);
	put_time(f->out, "creation_time", w->created_date_ns);
	format_text(f->out, "creation_path", w->creation_path);
	format_accessor(f, "wrapped_accessor", f->entry->wrapped_accessor);
	json_close(f->out, '}');
}

/* Which keys of the reply stay in clear. */
static void use_reply_keys(struct format *f)
{
	const struct bulla_mount *mount = f->entry->mount;

	f->how.clear_context = false;
	f->how.clear_count = 0;
	f->how.elide = f->device->options.elide_list && strcmp(f->entry->operation, "list") == 0;
	if (mount == NULL || mount->audit_response_count <= 0)
		return;
	f->how.clear_keys = mount->audit_non_hmac_response_keys;
	f->how.clear_count = (size_t)mount->audit_response_count;
}

static void put_response_data(struct format *f)
{
	const struct bulla_audit_entry *e = f->entry;
	struct out *out = f->out;

	if (e->error_text.len > 0) {
		json_key(out, "data");
		json_open(out, '{');
		json_key(out, "error");
		hashing_string(&f->how, out, e->error_text);
		json_close(out, '}');
	}
	if (e->error_text.len > 0 || e->reply_data.len < 3 || e->reply_data.ptr[0] != '{') /* nothing but {} */
		return;
	json_key(out, "data");
	hashing_text(&f->how, out, e->reply_data);
}

static void put_response(struct format *f)
{
	struct out *out = f->out;

	json_key(out, "response");
	json_open(out, '{');
	if (f->entry->wrapping == NULL)
		put_reply_auth(f);
	format_mount(f, MOUNT_ANSWERED);
	if (f->entry->wrapping == NULL)
		put_response_data(f);
	if (f->entry->warnings != NULL) {
		json_key(out, "warnings");
		json_open(out, '[');
		for (const struct bulla_warning *w = f->entry->warnings; w != NULL; w = w->next)
			json_text(out, w->text);
		json_close(out, ']');
	}
	put_wrapping(f);
	json_close(out, '}');
}

/* ---- the records --------------------------------------------------------------------------------------------------------- */

static void begin(struct format *f, const char *type, int64_t ns)
{
	out_raw(f->out, f->device->options.prefix);
	f->out->comma = false;
	json_open(f->out, '{');
	put_time(f->out, "time", ns);
	json_put_text(f->out, "type", type);
}

static void end(struct format *f, const char *error)
{
	if (error != NULL)
		json_put_text(f->out, "error", error);
	json_close(f->out, '}');
	out_raw(f->out, bulla_mem("\n", 1));
}

/* Copies what stands from one place of out to another to its end. */
static void repeat(struct out *out, size_t from, size_t to)
{
	size_t n = to - from;

	if (!out_reserve(out, n))
		return;
	memcpy(out->ptr + out->len, out->ptr + from, n);
	out->len += n;
	out->comma = true;
}

/* After a login the caller is the one who has logged in, as the peer has it. */
static bool is_login(const struct bulla_audit_entry *e)
{
	return e->token == NULL && e->reply_auth.len > 0 && e->wrapping == NULL;
}

void format_entry(const struct audit *audit, const struct device *device, const struct bulla_audit_entry *entry,
		  enum bulla_audit_which which, struct bulla_call *call, struct kept *kept, struct out *out)
{
	struct format f = { .audit = audit, .device = device, .entry = entry, .call = call, .kept = kept, .out = out };
	const struct bulla_mount *mount = entry->mount;
	size_t common = 0, auth_end = 0, common_end = 0;

	f.how.key = device->options.log_raw ? NULL : &device->secrets->salt_key;
	f.how.clear_context = mount != NULL && mount->kind == BULLA_MOUNT_TRANSIT;
	if (mount != NULL && mount->audit_request_count > 0) {
		f.how.clear_keys = mount->audit_non_hmac_request_keys;
		f.how.clear_count = (size_t)mount->audit_request_count;
	}
	format_know(&f);
	if ((which & BULLA_AUDIT_REQUEST) != 0) {
		begin(&f, "request", entry->started_date_ns);
		common = out->len;
		format_auth(&f);
		auth_end = out->len;
		put_request(&f);
		common_end = out->len;
		end(&f, entry->refusal);
	}
	if ((which & BULLA_AUDIT_RESPONSE) == 0)
		return;
	begin(&f, "response", bulla_wall_ns());
	bool copied = common_end > 0;

	if (is_login(entry))
		put_reply_auth(&f);
	else if (copied)
		repeat(out, common, auth_end);
	else
		format_auth(&f);
	if (copied)
		repeat(out, auth_end, common_end);
	else
		put_request(&f);
	use_reply_keys(&f);
	put_response(&f);
	end(&f, entry->error);
}
