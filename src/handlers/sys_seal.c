/* sys_seal.c: initialising, unsealing, sealing, and what state the server is in. Any thread, one exchange at a time. */
#include <stdlib.h>

#include "handlers/share.h"
#include "http/routes.h"

/* ---- seal-status --------------------------------------------------------------------------------------------------------- */

static void put_cluster(struct exchange *x, const struct bulla_seal_status *status)
{
	if (status->sealed)
		return; /* who it is, is told by an open store only */
	json_put_text(x->data, "cluster_name", x->server->cluster_name);
	json_put_text(x->data, "cluster_id", status->cluster_id);
}

static enum bulla_err print_status(struct exchange *x)
{
	struct bulla_seal_status status;
	struct out *out = x->data;

	bulla_seal_status(x->engine, &status);
	json_open(out, '{');
	json_put_text(out, "type", status.kind == BULLA_SEAL_STATIC ? "static" : "shamir");
	json_put_bool(out, "initialized", status.initialised);
	json_put_bool(out, "sealed", status.sealed);
	json_put_int(out, "t", status.threshold);
	json_put_int(out, "n", status.shares);
	json_put_int(out, "progress", status.progress);
	json_put_text(out, "nonce", status.nonce);
	json_put_bool(out, "recovery_seal", status.recovery_seal);
	if (status.recovery_seal)
		json_put_text(out, "recovery_seal_type", "shamir");
	json_put_text(out, "version", x->server->version);
	json_put_text(out, "commit_date", x->server->build_date);
	if (x->server->vault_reply_fields)
		json_put_text(out, "build_date", x->server->build_date);
	json_put_bool(out, "migration", false);
	put_cluster(x, &status);
	json_put_text(out, "storage_type", bulla_storage_kind(x->engine));
	json_close(out, '}');
	return BULLA_OK;
}

/* ---- init ---------------------------------------------------------------------------------------------------------------- */

static enum bulla_err read_init(struct exchange *x)
{
	json_open(x->data, '{');
	json_put_bool(x->data, "initialized", bulla_is_initialised(x->engine));
	json_close(x->data, '}');
	return BULLA_OK;
}

struct init_fields {
	int64_t secret_shares, secret_threshold, stored_shares, recovery_shares, recovery_threshold;
	struct bulla_bytes root_token_pgp_key;
	struct field_strings pgp_keys, recovery_pgp_keys;
};

static const struct field init_fields[] = {
	FIELD(struct init_fields, secret_shares, FIELD_INT),
	FIELD(struct init_fields, secret_threshold, FIELD_INT),
	FIELD(struct init_fields, stored_shares, FIELD_INT),
	FIELD(struct init_fields, recovery_shares, FIELD_INT),
	FIELD(struct init_fields, recovery_threshold, FIELD_INT),
	FIELD(struct init_fields, root_token_pgp_key, FIELD_STRING),
	FIELD(struct init_fields, pgp_keys, FIELD_STRINGS),
	FIELD(struct init_fields, recovery_pgp_keys, FIELD_STRINGS),
	FIELD_END,
};

static void put_shares(struct out *out, const char *name, const struct bulla_init_result *result, bool base64)
{
	json_key(out, name);
	json_open(out, '[');
	for (size_t i = 0; i < result->share_count; i++) {
		struct bulla_bytes share = result->shares[i];
		char *to = json_plain_string(out, base64 ? BULLA_BASE64_LEN(share.len) : 2 * share.len);

		if (to != NULL && base64)
			bulla_base64_encode(share, to);
		if (to != NULL && !base64)
			bulla_hex_encode(share, to);
	}
	json_close(out, ']');
}

static void print_init(struct out *out, const struct bulla_init_result *result)
{
	static const struct bulla_init_result none;

	json_open(out, '{');
	put_shares(out, "keys", result->recovery ? &none : result, false);
	put_shares(out, "keys_base64", result->recovery ? &none : result, true);
	if (result->recovery && result->share_count > 0) {
		put_shares(out, "recovery_keys", result, false);
		put_shares(out, "recovery_keys_base64", result, true);
	}
	json_put_string(out, "root_token", result->root_token);
	json_close(out, '}');
}

/* A number that does not fit is none that the library takes: it says so. */
static unsigned small(int64_t n)
{
	return n < 0 ? 0 : n > 65535 ? 65535 : (unsigned)n;
}

static enum bulla_err init(struct exchange *x)
{
	struct bulla_init_result result = { 0 };
	struct init_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, init_fields, false, &f));
	if (f.pgp_keys.count > 0 || f.recovery_pgp_keys.count > 0 || f.root_token_pgp_key.len > 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "encrypting keys with PGP is not supported");
	const struct bulla_init_args args = {
		.secret_shares = small(f.secret_shares), .secret_threshold = small(f.secret_threshold),
		.recovery_shares = small(f.recovery_shares), .recovery_threshold = small(f.recovery_threshold),
	};

	TRY(bulla_init(x->engine, x->call, &args, &result));
	print_init(x->data, &result);
	return BULLA_OK;
}

/* ---- unseal, seal -------------------------------------------------------------------------------------------------------- */

struct unseal_fields {
	struct bulla_bytes key;
	bool reset, migrate;
};

static const struct field unseal_fields[] = {
	FIELD(struct unseal_fields, key, FIELD_STRING),
	FIELD(struct unseal_fields, reset, FIELD_BOOL),
	FIELD(struct unseal_fields, migrate, FIELD_BOOL),
	FIELD_END,
};

static enum bulla_err reset(struct exchange *x)
{
	if (!bulla_is_sealed(x->engine))
		return bulla_fail(x->call, BULLA_E_INVALID, "vault is unsealed");
	bulla_unseal_reset(x->engine);
	return print_status(x);
}

static enum bulla_err unseal(struct exchange *x)
{
	struct unseal_fields f = { 0 };
	struct bulla_bytes share;

	TRY(fields_bind(x->call, x->doc, unseal_fields, false, &f));
	if (f.reset)
		return reset(x);
	if (f.key.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "'key' must be specified in request body as JSON, or 'reset' set to true");
	if (f.migrate)
		return bulla_fail(x->call, BULLA_E_FAILED, "can't perform a seal migration, no migration seal found");
	TRY(share_decode(x->call, f.key, &share));
	TRY(bulla_unseal(x->engine, x->call, share));
	return print_status(x);
}

static enum bulla_err seal(struct exchange *x)
{
	return bulla_seal(x->engine, x->call);
}

/* ---- health, leader ------------------------------------------------------------------------------------------------------ */

/* The status that a query parameter chooses. EMPTY_400: not a number that is one. */
static enum bulla_err status_code(struct exchange *x, const char *name, int fallback, int *out)
{
	const struct json *value = json_get(x->query, name);
	char text[8], *end;

	*out = fallback;
	if (value == NULL)
		return BULLA_OK;
	if (value->type == JSON_ARRAY)
		value = value->first;
	if (value->text.len == 0 || value->text.len >= sizeof text)
		return BULLA_E_EMPTY_400;
	memcpy(text, value->text.ptr, value->text.len);
	text[value->text.len] = '\0';
	end = text;
	long code = text[0] >= '0' && text[0] <= '9' ? strtol(text, &end, 10) : 0;

	if (code < 200 || code > 999 || *end != '\0') /* a 1xx would not end the exchange */
		return BULLA_E_EMPTY_400;
	*out = (int)code;
	return BULLA_OK;
}

static enum bulla_err health_status(struct exchange *x, const struct bulla_seal_status *status)
{
	static const char *const others[] = { "standbycode", "drsecondarycode", "performancestandbycode" };
	int active, sealed, uninit, unused;

	TRY(status_code(x, "activecode", 200, &active));
	TRY(status_code(x, "sealedcode", 503, &sealed));
	TRY(status_code(x, "uninitcode", 501, &uninit));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		TRY(status_code(x, others[i], 429, &unused)); /* states we do not have: checked all the same */
	x->status = !status->initialised ? uninit : status->sealed ? sealed : active;
	return BULLA_OK;
}

/* Beyond the peer, and only when asked for: ?verbose=true names the audit devices, and which of them does not record. */
static enum bulla_err put_audit(struct exchange *x)
{
	const struct json *value = json_get(x->query, "verbose");
	struct bulla_audit_device *devices;
	bool verbose = false;
	size_t count;

	if (value != NULL && (value->type != JSON_STRING || field_bool(value, &verbose) != BULLA_OK))
		return BULLA_E_EMPTY_400;
	if (!verbose)
		return BULLA_OK;
	TRY(bulla_audit_devices(x->engine, x->call, &devices, &count));
	json_key(x->data, "audit");
	json_open(x->data, '[');
	for (size_t i = 0; i < count; i++) {
		json_open(x->data, '{');
		json_put_string(x->data, "path", devices[i].path);
		json_put_string(x->data, "type", devices[i].type);
		json_put_bool(x->data, "healthy", devices[i].healthy);
		if (!devices[i].healthy)
			json_put_string(x->data, "trouble", devices[i].trouble);
		json_put_int(x->data, "queued_bytes", (int64_t)devices[i].queued_bytes);
		if (devices[i].lost_records > 0)
			json_put_int(x->data, "lost_records", (int64_t)devices[i].lost_records);
		json_close(x->data, '}');
	}
	json_close(x->data, ']');
	return BULLA_OK;
}

/* Of one server there is nothing to say by them. */
static void put_vault_health(struct out *out)
{
	json_put_bool(out, "enterprise", false);
	json_put_int(out, "echo_duration_ms", 0);
	json_put_int(out, "clock_skew_ms", 0);
	json_put_int(out, "replication_primary_canary_age_ms", 0);
}

static void put_vault_leader(struct out *out)
{
	json_put_bool(out, "is_self", false);
	json_put_text(out, "active_time", "0001-01-01T00:00:00Z");
	json_put_text(out, "leader_address", "");
	json_put_text(out, "leader_cluster_address", "");
	json_put_bool(out, "performance_standby", false);
	json_put_int(out, "performance_standby_last_remote_wal", 0);
}

static enum bulla_err health(struct exchange *x)
{
	struct bulla_seal_status status;
	struct out *out = x->data;

	bulla_seal_status(x->engine, &status);
	const char *replication = status.sealed ? "unknown" : "disabled";

	TRY(health_status(x, &status));
	json_open(out, '{');
	json_put_bool(out, "initialized", status.initialised);
	json_put_bool(out, "sealed", status.sealed);
	json_put_bool(out, "standby", status.sealed);
	if (x->request->vault_client || x->server->vault_reply_fields) /* Vault's, not OpenBao's: a client of Vault may insist on it */
		json_put_bool(out, "performance_standby", false);
	json_put_text(out, "replication_performance_mode", replication);
	json_put_text(out, "replication_dr_mode", replication);
	json_put_int(out, "server_time_utc", bulla_wall_s());
	json_put_text(out, "version", x->server->version);
	put_cluster(x, &status);
	if (x->server->vault_reply_fields)
		put_vault_health(out);
	TRY(put_audit(x));
	json_close(out, '}');
	return BULLA_OK;
}

static enum bulla_err leader(struct exchange *x)
{
	json_open(x->data, '{');
	json_put_bool(x->data, "ha_enabled", false);
	if (x->server->vault_reply_fields)
		put_vault_leader(x->data);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define OPEN (ROUTE_EDGE | ROUTE_NO_TOKEN | ROUTE_WHILE_SEALED | ROUTE_RAW)
#define ROW(methods_, path, handler_, flags_, anchor)                                                      \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = methods_, .pattern = path, .fn = handler_, .flags = flags_, \
	  .doc = anchor }

const struct route sys_seal_routes[] = {
	ROW(ON(GET), "init", read_init, OPEN, "initialise"),
	ROW(ON(POST), "init", init, OPEN | ROUTE_BLOCKS, "initialise"),
	ROW(ON(GET), "seal-status", print_status, OPEN | ROUTE_ANY_NAMESPACE, "seal-status"),
	ROW(ON(POST), "unseal", unseal, OPEN | ROUTE_BLOCKS, "unseal"),
	ROW(ON(POST), "seal", seal, ROUTE_EDGE | ROUTE_TOKEN | ROUTE_SUDO | ROUTE_BLOCKS | ROUTE_SEALS, "seal"),
	ROW(ON(GET) | ON(HEAD), "health", health, OPEN, "health"),
	ROW(ON(GET), "leader", leader, OPEN | ROUTE_ANY_NAMESPACE, "leader"),
	{ .fn = NULL },
};
