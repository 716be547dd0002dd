/* sys_policies.c: policies by name, at sys/policies/acl and at the older sys/policy. Any thread, one exchange at a time. */
#include "http/routes.h"

enum policy_set { SET_EXPIRATION = 1 << 0, SET_TTL = 1 << 1, SET_CAS = 1 << 2, SET_POLICY = 1 << 3, SET_CAS_REQUIRED = 1 << 4,
		  SET_WILDCARDS = 1 << 5, SET_SLASHES = 1 << 6 };

struct policy_fields {
	unsigned set;
	struct bulla_bytes policy, rules, expiration;
	int64_t ttl_s, cas;
	bool cas_required, wildcards, slashes;
};

#define POLICY_SET(text, member, type, bit) FIELD_SET(struct policy_fields, text, member, type, set, bit)
#define COMMON_FIELDS                                                                             \
	POLICY_SET("policy", policy, FIELD_STRING, SET_POLICY),                                   \
	POLICY_SET("expiration", expiration, FIELD_STRING, SET_EXPIRATION),                       \
	POLICY_SET("ttl", ttl_s, FIELD_SECONDS, SET_TTL),                                         \
	POLICY_SET("cas", cas, FIELD_INT, SET_CAS),                                               \
	POLICY_SET("cas_required", cas_required, FIELD_BOOL, SET_CAS_REQUIRED),                   \
	POLICY_SET("allow_wildcards_in_identity_templates", wildcards, FIELD_BOOL, SET_WILDCARDS), \
	POLICY_SET("allow_slashes_in_identity_templates", slashes, FIELD_BOOL, SET_SLASHES)

static const struct field policy_fields[] = { COMMON_FIELDS, FIELD_END };
static const struct field old_policy_fields[] = { COMMON_FIELDS, FIELD(struct policy_fields, rules, FIELD_STRING), FIELD_END };

/* ---- reading ------------------------------------------------------------------------------------------------------------- */

static void put_time(struct out *out, const char *key, int64_t ns)
{
	char text[BULLA_TIME_TEXT];

	(void)bulla_time_print(ns, text);
	json_put_text(out, key, text);
}

/* as: what the text is called: "policy", and in the old place "rules". */
static void put_info(struct out *out, const struct bulla_policy_info *info, const char *as)
{
	json_open(out, '{');
	json_put_bool(out, "allow_slashes_in_identity_templates", info->template_slashes);
	json_put_bool(out, "allow_wildcards_in_identity_templates", info->template_wildcards);
	json_put_bool(out, "cas_required", info->cas_required);
	if (info->end.ns != 0)
		put_time(out, "expiration", bulla_end_date_ns(info->end));
	if (info->modified_date_ns != 0)
		put_time(out, "modified", info->modified_date_ns);
	json_put_string(out, "name", info->name);
	json_put_string(out, as, info->text);
	json_put_int(out, "version", info->version);
	json_close(out, '}');
}

static enum bulla_err read_as(struct exchange *x, const char *as)
{
	struct bulla_policy_info info;

	TRY(bulla_policy_get(x->engine, x->call, x->params[0], &info));
	put_info(x->data, &info, as);
	return BULLA_OK;
}

static enum bulla_err read_policy(struct exchange *x)
{
	return read_as(x, "policy");
}

static enum bulla_err read_old(struct exchange *x)
{
	return read_as(x, "rules");
}

/* Below a name, those that begin with it and a slash. None: 404. */
static enum bulla_err find_names(struct exchange *x, struct bulla_bytes **names, size_t *count)
{
	struct bulla_bytes prefix = { 0 };

	if (x->params[0].len > 0)
		prefix = bulla_arena_printf(x->call->arena, "%.*s/", (int)x->params[0].len, (const char *)x->params[0].ptr);
	if (x->params[0].len > 0 && prefix.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(bulla_policy_names(x->engine, x->call, prefix, names, count));
	return *count > 0 ? BULLA_OK : BULLA_E_NOT_FOUND;
}

static enum bulla_err list_as(struct exchange *x, bool old)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(find_names(x, &names, &count));
	json_open(x->data, '{');
	json_put_strings(x->data, "keys", names, count);
	if (old)
		json_put_strings(x->data, "policies", names, count);
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err list_policies(struct exchange *x)
{
	return list_as(x, false);
}

static enum bulla_err list_old(struct exchange *x)
{
	return list_as(x, true);
}

static enum bulla_err list_detailed(struct exchange *x)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(find_names(x, &names, &count));
	json_open(x->data, '{');
	json_key(x->data, "key_info");
	json_open(x->data, '{');
	for (size_t i = 0; i < count; i++) {
		struct bulla_policy_info info;
		enum bulla_err err = bulla_policy_get(x->engine, x->call, names[i], &info);

		if (err == BULLA_E_NOT_FOUND)
			continue;
		TRY(err);
		json_key_bytes(x->data, names[i]);
		put_info(x->data, &info, "policy");
	}
	json_close(x->data, '}');
	json_put_strings(x->data, "keys", names, count);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------- */

/* HCL or JSON as it is, or in base64. */
static enum bulla_err decode_text(struct exchange *x, struct bulla_bytes text, struct bulla_bytes *out)
{
	struct bulla_bytes plain;

	if (text.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "'policy' parameter not supplied or empty");
	enum bulla_err err = field_base64(x->call, text, &plain);

	x->call->detail = (struct bulla_bytes){ 0 };
	if (err == BULLA_E_NO_MEMORY)
		return err;
	*out = err == BULLA_OK ? plain : text;
	return BULLA_OK;
}

/* An RFC 3339 time, or seconds since 1970. */
static enum bulla_err parse_expiration(struct exchange *x, struct bulla_bytes text, int64_t *ns)
{
	struct json as_json = { .type = JSON_STRING, .text = text };
	int64_t seconds;

	if (bulla_time_parse(text, ns) == BULLA_OK && *ns > 0)
		return BULLA_OK;
	if (field_int(&as_json, &seconds) == BULLA_OK && seconds > 0 && seconds < INT64_MAX / 1000000000) {
		*ns = seconds * 1000000000;
		return BULLA_OK;
	}
	return bulla_fail(x->call, BULLA_E_INVALID,
			  "Field validation failed: error converting input for field \"expiration\": could not parse string as date and time");
}

static enum bulla_err choose_end(struct exchange *x, const struct policy_fields *f, struct bulla_end *end)
{
	if ((f->set & SET_EXPIRATION) != 0 && (f->set & SET_TTL) != 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "cannot supply both 'expiration' and 'ttl' for policies");
	if ((f->set & SET_EXPIRATION) != 0) {
		end->by_date = true;
		return parse_expiration(x, f->expiration, &end->ns);
	}
	if ((f->set & SET_TTL) == 0)
		return BULLA_OK;
	if (f->ttl_s > INT32_MAX)
		return bulla_fail(x->call, BULLA_E_INVALID, "the ttl is too long");
	*end = (struct bulla_end){ .ns = bulla_clock_ns() + f->ttl_s * 1000000000 };
	return BULLA_OK;
}

static enum bulla_err write_fields(struct exchange *x, const struct policy_fields *f, struct bulla_bytes text)
{
	struct bulla_policy_put_args args = {
		.name = x->params[0], .cas_set = (f->set & SET_CAS) != 0, .cas = f->cas, .cas_required = f->cas_required,
		.template_wildcards = f->wildcards, .template_slashes = f->slashes,
	};

	TRY(decode_text(x, text, &args.text));
	TRY(choose_end(x, f, &args.end));
	return bulla_policy_put(x->engine, x->call, &args);
}

static enum bulla_err write_policy(struct exchange *x)
{
	struct policy_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, policy_fields, true, &f));
	return write_fields(x, &f, f.policy);
}

static enum bulla_err write_old(struct exchange *x)
{
	struct policy_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, old_policy_fields, true, &f));
	if (f.policy.len > 0)
		return write_fields(x, &f, f.policy);
	TRY(write_fields(x, &f, f.rules));
	return bulla_warn(x->call, "'rules' is deprecated, please use 'policy' instead");
}

/* What is not given stays; unless told otherwise, only over what was read here. */
static enum bulla_err patch_policy(struct exchange *x)
{
	struct policy_fields f = { 0 };
	struct bulla_policy_info info;

	TRY(fields_bind(x->call, x->doc, policy_fields, true, &f));
	enum bulla_err err = bulla_policy_get(x->engine, x->call, x->params[0], &info);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(x->call, BULLA_E_INVALID, "policy not found");
	TRY(err);
	struct bulla_policy_put_args args = {
		.name = x->params[0], .end = info.end, .cas_set = true,
		.cas = (f.set & SET_CAS) != 0 ? f.cas : info.version,
		.cas_required = (f.set & SET_CAS_REQUIRED) != 0 ? f.cas_required : info.cas_required,
		.template_wildcards = (f.set & SET_WILDCARDS) != 0 ? f.wildcards : info.template_wildcards,
		.template_slashes = (f.set & SET_SLASHES) != 0 ? f.slashes : info.template_slashes,
	};

	args.text = info.text;
	if ((f.set & SET_POLICY) != 0)
		TRY(decode_text(x, f.policy, &args.text));
	TRY(choose_end(x, &f, &args.end));
	TRY(bulla_policy_put(x->engine, x->call, &args));
	json_nil(x->data);
	return BULLA_OK;
}

static enum bulla_err delete_policy(struct exchange *x)
{
	return bulla_policy_delete(x->engine, x->call, x->params[0]);
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(methods_, path, handler_, flags_, known)                                                                    \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = methods_, .pattern = path, .fn = handler_, .flags = ROUTE_TOKEN | flags_, \
	  .fields = known, .doc = "policies" }

const struct route sys_policy_routes[] = {
	ROW(ON(LIST), "policies/acl", list_policies, 0, NULL),
	ROW(ON(LIST), "policies/detailed/acl", list_detailed, ROUTE_BLOCKS, NULL),
	ROW(ON(LIST), "policies/detailed/acl/{name*}", list_detailed, ROUTE_BLOCKS, NULL),
	ROW(ON(GET), "policies/acl/{name*}", read_policy, ROUTE_BLOCKS, NULL),
	ROW(ON(LIST), "policies/acl/{name*}", list_policies, 0, NULL),
	ROW(ON(POST), "policies/acl/{name*}", write_policy, ROUTE_BLOCKS, policy_fields),
	ROW(ON(PATCH), "policies/acl/{name*}", patch_policy, ROUTE_BLOCKS, policy_fields),
	ROW(ON(DELETE), "policies/acl/{name*}", delete_policy, ROUTE_BLOCKS, NULL),
	ROW(ON(GET) | ON(LIST), "policy", list_old, ROUTE_MIRROR, NULL),
	ROW(ON(GET), "policy/{name*}", read_old, ROUTE_BLOCKS | ROUTE_MIRROR, NULL),
	ROW(ON(LIST), "policy/{name*}", list_old, ROUTE_MIRROR, NULL),
	ROW(ON(POST), "policy/{name*}", write_old, ROUTE_BLOCKS, old_policy_fields),
	ROW(ON(DELETE), "policy/{name*}", delete_policy, ROUTE_BLOCKS, NULL),
	{ .fn = NULL },
};
