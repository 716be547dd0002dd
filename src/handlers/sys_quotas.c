/* sys_quotas.c: rate limits by client address. Any thread, one exchange at a time. */
#include <bulla/quotas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "handlers/auth_print.h"
#include "handlers/list_page.h"
#include "http/routes.h"

struct limit_fields {
	struct bulla_bytes type, path, role;
	const struct json *rate;
	int64_t interval_s, block_interval_s;
	bool inheritable;
};

static const struct field limit_fields[] = {
	FIELD(struct limit_fields, type, FIELD_STRING),
	FIELD(struct limit_fields, path, FIELD_STRING),
	FIELD(struct limit_fields, role, FIELD_STRING),
	FIELD(struct limit_fields, rate, FIELD_JSON),
	FIELD_AS(struct limit_fields, "interval", interval_s, FIELD_SECONDS),
	FIELD_AS(struct limit_fields, "block_interval", block_interval_s, FIELD_SECONDS),
	FIELD(struct limit_fields, inheritable, FIELD_BOOL),
	FIELD_END,
};

/* A number, or a text that is one. */
static enum bulla_err read_rate(struct exchange *x, const struct json *value, double *out)
{
	char text[40], *end = text;

	*out = 0;
	if (value == NULL || value->type == JSON_NULL || (value->type == JSON_STRING && value->text.len == 0))
		return BULLA_OK;
	if ((value->type == JSON_NUMBER || value->type == JSON_STRING) && value->text.len > 0 && value->text.len < sizeof text) {
		memcpy(text, value->text.ptr, value->text.len);
		text[value->text.len] = 0;
		*out = strtod(text, &end);
	}
	if (end == text || *end != 0 || !isfinite(*out))
		return bulla_fail(x->call, BULLA_E_BAD_FIELD, "Field validation failed: error converting input for field \"rate\": '' "
				  "cannot parse value as 'float64': strconv.ParseFloat: invalid syntax");
	return BULLA_OK;
}

static enum bulla_err write_limit(struct exchange *x)
{
	struct limit_fields f = { 0 };
	struct bulla_rate_limit limit = { .name = x->params[0] };

	TRY(fields_bind(x->call, x->doc, limit_fields, true, &f));
	TRY(read_rate(x, f.rate, &limit.rate));
	if (f.role.len > 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "'role' is not supported: a rate limit is for a mount or a path");
	limit.path = f.path;
	limit.interval_s = f.interval_s;
	limit.block_interval_s = f.block_interval_s;
	return bulla_rate_limit_write(x->engine, x->call, &limit);
}

/* As short as it can be said: 2, 10.5. */
static void put_rate(struct out *out, double rate)
{
	char text[40];

	bool whole = rate < 1e15 && rate == (double)(int64_t)rate;

	snprintf(text, sizeof text, whole ? "%.0f" : "%.17g", rate);
	for (int digits = 1; !whole && digits < 17; digits++) {
		char shorter[40];

		snprintf(shorter, sizeof shorter, "%.*g", digits, rate);
		if (strtod(shorter, NULL) == rate) {
			memcpy(text, shorter, sizeof text);
			break;
		}
	}
	struct json number = { .type = JSON_NUMBER, .text = bulla_str(text) };

	json_key(out, "rate");
	json_value(out, &number);
}

static enum bulla_err read_limit(struct exchange *x)
{
	struct bulla_rate_limit limit;
	struct out *out = x->data;

	TRY(bulla_rate_limit_read(x->engine, x->call, x->params[0], &limit));
	json_open(out, '{');
	json_put_int(out, "block_interval", limit.block_interval_s);
	json_put_bool(out, "inheritable", limit.inheritable);
	json_put_int(out, "interval", limit.interval_s);
	json_put_string(out, "name", limit.name);
	json_put_string(out, "path", limit.path);
	put_rate(out, limit.rate);
	json_put_text(out, "role", "");
	json_put_text(out, "type", "rate-limit");
	json_close(out, '}');
	return BULLA_OK;
}

static enum bulla_err delete_limit(struct exchange *x)
{
	return bulla_rate_limit_delete(x->engine, x->call, x->params[0]);
}

static enum bulla_err list_limits(struct exchange *x)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(bulla_rate_limit_list(x->engine, x->call, &names, &count));
	return list_print(x, names, count);
}

/* ---- configuration ---------------------------------------------------------------------------------------------------------------- */

struct config_fields {
	struct field_strings exempt;
	bool response_headers, audit_logging;
};

static const struct field config_fields[] = {
	FIELD_AS(struct config_fields, "rate_limit_exempt_paths", exempt, FIELD_STRINGS),
	FIELD_AS(struct config_fields, "enable_rate_limit_response_headers", response_headers, FIELD_BOOL),
	FIELD_AS(struct config_fields, "enable_rate_limit_audit_logging", audit_logging, FIELD_BOOL),
	FIELD_END,
};

static enum bulla_err write_config(struct exchange *x)
{
	struct config_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, config_fields, true, &f));
	const struct bulla_quota_config config = { .exempt_paths = f.exempt.items, .exempt_count = f.exempt.count,
						   .response_headers = f.response_headers, .audit_logging = f.audit_logging };

	return bulla_quota_config_write(x->engine, x->call, &config);
}

static enum bulla_err read_config(struct exchange *x)
{
	struct bulla_quota_config config;

	TRY(bulla_quota_config_read(x->engine, x->call, &config));
	json_open(x->data, '{');
	json_put_bool(x->data, "enable_rate_limit_audit_logging", config.audit_logging);
	json_put_bool(x->data, "enable_rate_limit_response_headers", config.response_headers);
	json_put_strings(x->data, "rate_limit_exempt_paths", config.exempt_paths, config.exempt_count);
	json_close(x->data, '}');
	return BULLA_OK;
}

#define QUOTA(method, pattern_, fn_, capability, known, anchor)                                                     \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(method), .pattern = pattern_, .fn = fn_, .flags = ROUTE_TOKEN, \
	  .need = capability, .fields = known, .doc = anchor }

const struct route sys_quota_routes[] = {
	QUOTA(GET, "quotas/config", read_config, BULLA_CAN_READ, NULL, "quota-config"),
	QUOTA(POST, "quotas/config", write_config, BULLA_CAN_UPDATE, config_fields, "quota-config"),
	QUOTA(LIST, "quotas/rate-limit", list_limits, BULLA_CAN_LIST, NULL, "rate-limits"),
	QUOTA(GET, "quotas/rate-limit/{name}", read_limit, BULLA_CAN_READ, NULL, "rate-limits"),
	QUOTA(POST, "quotas/rate-limit/{name}", write_limit, BULLA_CAN_UPDATE, limit_fields, "rate-limits"),
	QUOTA(DELETE, "quotas/rate-limit/{name}", delete_limit, BULLA_CAN_DELETE, NULL, "rate-limits"),
	{ .fn = NULL },
};
