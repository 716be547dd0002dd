/* auth_cert.c: entries, settings and logins of auth/cert. Any thread, one exchange at a time. */
#include <bulla/cert.h>

#include "handlers/auth_print.h"
#include "handlers/list_page.h"
#include "handlers/token_params.h"
#include "http/routes.h"

/* ---- entries ----------------------------------------------------------------------------------------------------------------- */

struct entry_fields {
	unsigned set, set_lists; /* set_lists: a bit for each enum bulla_cert_names */
	struct token_params_form token;
	struct bulla_bytes certificate, display_name, ocsp_ca;
	struct field_strings lists[BULLA_CERT_LISTS], ocsp_servers;
	int64_t lease_s;
	bool ocsp_enabled, ocsp_fail_open, ocsp_query_all;
};

enum { SET_CERTIFICATE = 1 << 0, SET_DISPLAY_NAME = 1 << 1 };

static const char *const list_names[BULLA_CERT_LISTS] = {
	[BULLA_CERT_NAMES] = "allowed_names", [BULLA_CERT_COMMON_NAMES] = "allowed_common_names", [BULLA_CERT_DNS] = "allowed_dns_sans",
	[BULLA_CERT_EMAILS] = "allowed_email_sans", [BULLA_CERT_URIS] = "allowed_uri_sans",
	[BULLA_CERT_UNITS] = "allowed_organizational_units", [BULLA_CERT_EXTENSIONS] = "required_extensions",
	[BULLA_CERT_METADATA] = "allowed_metadata_extensions",
};

#define ENTRY_LIST(text, which) FIELD_SET(struct entry_fields, text, lists[which], FIELD_STRINGS, set_lists, 1u << (which))
#define OLD(text, member, type, bit) TOKEN_PARAM_OLD(struct entry_fields, token, text, member, type, bit)

static const struct field entry_fields[] = {
	TOKEN_PARAM_FIELDS(struct entry_fields, token),
	OLD("policies", policies, FIELD_STRINGS, BULLA_PARAM_POLICIES),
	OLD("bound_cidrs", bound_cidrs, FIELD_STRINGS, BULLA_PARAM_BOUND_CIDRS),
	OLD("ttl", ttl_s, FIELD_SECONDS, BULLA_PARAM_TTL),
	OLD("max_ttl", max_ttl_s, FIELD_SECONDS, BULLA_PARAM_MAX_TTL),
	OLD("period", period_s, FIELD_SECONDS, BULLA_PARAM_PERIOD),
	FIELD_AS(struct entry_fields, "lease", lease_s, FIELD_INT),
	FIELD_SET(struct entry_fields, "certificate", certificate, FIELD_STRING, set, SET_CERTIFICATE),
	FIELD_SET(struct entry_fields, "display_name", display_name, FIELD_STRING, set, SET_DISPLAY_NAME),
	ENTRY_LIST("allowed_names", BULLA_CERT_NAMES),
	ENTRY_LIST("allowed_common_names", BULLA_CERT_COMMON_NAMES),
	ENTRY_LIST("allowed_dns_sans", BULLA_CERT_DNS),
	ENTRY_LIST("allowed_email_sans", BULLA_CERT_EMAILS),
	ENTRY_LIST("allowed_uri_sans", BULLA_CERT_URIS),
	ENTRY_LIST("allowed_organizational_units", BULLA_CERT_UNITS),
	ENTRY_LIST("required_extensions", BULLA_CERT_EXTENSIONS),
	ENTRY_LIST("allowed_metadata_extensions", BULLA_CERT_METADATA),
	FIELD(struct entry_fields, ocsp_enabled, FIELD_BOOL),
	FIELD_AS(struct entry_fields, "ocsp_ca_certificates", ocsp_ca, FIELD_STRING),
	FIELD_AS(struct entry_fields, "ocsp_servers_override", ocsp_servers, FIELD_STRINGS),
	FIELD(struct entry_fields, ocsp_fail_open, FIELD_BOOL),
	FIELD_AS(struct entry_fields, "ocsp_query_all_servers", ocsp_query_all, FIELD_BOOL),
	FIELD_END,
};

static enum bulla_err merge(struct bulla_call *call, struct bulla_cert_entry *entry, const void *given)
{
	const struct entry_fields *f = given;

	(void)call;
	if ((f->set & SET_CERTIFICATE) != 0)
		entry->certificate = f->certificate;
	if ((f->set & SET_DISPLAY_NAME) != 0)
		entry->display_name = f->display_name;
	for (int i = 0; i < BULLA_CERT_LISTS; i++)
		if ((f->set_lists & 1u << i) != 0)
			entry->lists[i].items = f->lists[i].items, entry->lists[i].count = f->lists[i].count, entry->lists[i].given = true;
	return BULLA_OK;
}

static enum bulla_err write_entry(struct exchange *x)
{
	struct entry_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, entry_fields, true, &f));
	if (f.ocsp_enabled) /* who asks for it must not believe that it is done */
		return bulla_fail(x->call, BULLA_E_INVALID, "'ocsp_enabled' is not supported");
	struct bulla_role_params_change change = token_params_change(&f.token);

	if (f.lease_s != 0 && ((change.set | change.set_old) & BULLA_PARAM_TTL) == 0) {
		change.set_old |= BULLA_PARAM_TTL;
		change.old.ttl_s = f.lease_s;
	}
	return bulla_cert_write(x->engine, x->call, x->mount, x->params[0], &change, merge, &f);
}

static void print_list(struct out *out, const struct bulla_cert_entry *entry, enum bulla_cert_names which)
{
	if (!entry->lists[which].given)
		json_put_null(out, list_names[which]);
	else
		json_put_strings(out, list_names[which], entry->lists[which].items, entry->lists[which].count);
}

static enum bulla_err read_entry(struct exchange *x)
{
	struct out *out = x->data;
	struct bulla_cert_entry entry;

	TRY(bulla_cert_read(x->engine, x->call, x->mount, x->params[0], &entry));
	json_open(out, '{');
	for (int i = 0; i < BULLA_CERT_LISTS; i++)
		print_list(out, &entry, (enum bulla_cert_names)i);
	json_put_string(out, "certificate", entry.certificate);
	json_put_string(out, "display_name", entry.display_name);
	json_put_text(out, "ocsp_ca_certificates", "");
	json_put_bool(out, "ocsp_enabled", false);
	json_put_bool(out, "ocsp_fail_open", false);
	json_put_bool(out, "ocsp_query_all_servers", false);
	json_put_null(out, "ocsp_servers_override");
	token_params_print_old(out, "bound_cidrs", &entry.params, BULLA_PARAM_BOUND_CIDRS);
	token_params_print_old(out, "max_ttl", &entry.params, BULLA_PARAM_MAX_TTL);
	token_params_print_old(out, "period", &entry.params, BULLA_PARAM_PERIOD);
	token_params_print_old(out, "policies", &entry.params, BULLA_PARAM_POLICIES);
	token_params_print_old(out, "ttl", &entry.params, BULLA_PARAM_TTL);
	token_params_print(out, &entry.params);
	json_close(out, '}');
	return BULLA_OK;
}

static enum bulla_err delete_entry(struct exchange *x)
{
	return bulla_cert_delete(x->engine, x->call, x->mount, x->params[0]);
}

static enum bulla_err list_entries(struct exchange *x)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(bulla_cert_list(x->engine, x->call, x->mount, &names, &count));
	return list_page_print(x, names, count);
}

/* ---- settings of the mount ------------------------------------------------------------------------------------------------------ */

struct config_fields {
	unsigned set;
	bool disable_binding;
};

static const struct field config_fields[] = {
	FIELD_SET(struct config_fields, "disable_binding", disable_binding, FIELD_BOOL, set, 1),
	FIELD_END,
};

static enum bulla_err write_config(struct exchange *x)
{
	struct config_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, config_fields, true, &f));
	const struct bulla_cert_config config = { .disable_binding = f.disable_binding };

	return f.set == 0 ? BULLA_OK : bulla_cert_config_write(x->engine, x->call, x->mount, &config);
}

static enum bulla_err read_config(struct exchange *x)
{
	struct bulla_cert_config config;

	TRY(bulla_cert_config_read(x->engine, x->call, x->mount, &config));
	json_open(x->data, '{');
	json_put_bool(x->data, "disable_binding", config.disable_binding);
	json_put_bool(x->data, "enable_identity_alias_metadata", false);
	json_put_int(x->data, "ocsp_cache_size", 0);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- login ------------------------------------------------------------------------------------------------------------------- */

struct login_fields {
	struct bulla_bytes name;
};

static const struct field login_fields[] = {
	FIELD(struct login_fields, name, FIELD_STRING),
	FIELD_END,
};

static enum bulla_err login(struct exchange *x)
{
	struct login_fields f = { 0 };
	struct bulla_auth auth;

	TRY(fields_bind(x->call, x->doc, login_fields, true, &f));
	TRY(bulla_cert_login(x->engine, x->call, x->mount, f.name, &auth));
	auth_print(x->auth, &auth);
	bulla_token_put(auth.token);
	return BULLA_OK;
}

#define CERT(method, pattern_, fn_, flags_, capability, known, anchor)                                              \
	{ .mount = BULLA_MOUNT_CERT, .methods = ON(method), .pattern = pattern_, .fn = fn_, .flags = flags_,        \
	  .need = capability, .fields = known, .doc = anchor }

const struct route auth_cert_routes[] = {
	CERT(GET, "config", read_config, ROUTE_TOKEN, BULLA_CAN_READ, NULL, "cert-config"),
	CERT(POST, "config", write_config, ROUTE_TOKEN, BULLA_CAN_UPDATE, config_fields, "cert-config"),
	CERT(LIST, "certs", list_entries, ROUTE_TOKEN, BULLA_CAN_LIST, list_page_fields, "cert-entries"),
	CERT(GET, "certs/{name}", read_entry, ROUTE_TOKEN, BULLA_CAN_READ, NULL, "cert-entries"),
	CERT(POST, "certs/{name}", write_entry, ROUTE_TOKEN, BULLA_CAN_UPDATE, entry_fields, "cert-entries"),
	CERT(DELETE, "certs/{name}", delete_entry, ROUTE_TOKEN, BULLA_CAN_DELETE, NULL, "cert-entries"),
	CERT(POST, "login", login, ROUTE_NO_TOKEN | ROUTE_LOGIN, 0, login_fields, "cert-login"),
	{ .fn = NULL },
};
