/* quota_record.c: rate limits and their settings as kinds of records (docs/FORMATS.md). Any thread. */
#include "access/quota_private.h"

#define FORMAT 1

static const char *const default_exempt[] = {
	"sys/generate-recovery-token/attempt", "sys/generate-recovery-token/update", "sys/generate-root/attempt",
	"sys/generate-root/update", "sys/health", "sys/seal-status", "sys/unseal",
};
#define DEFAULT_EXEMPT (sizeof default_exempt / sizeof default_exempt[0])

/* ---- rules ------------------------------------------------------------------------------------------------------------------ */

static void encode_rule(struct pack *pack, const void *record)
{
	const struct bulla_rate_limit *limit = &((const struct stored_rule *)record)->public;
	uint64_t bits;

	memcpy(&bits, &limit->rate, sizeof bits);
	pack_u8(pack, FORMAT);
	pack_u8(pack, limit->inheritable);
	pack_u64(pack, bits); /* IEEE 754 */
	pack_i64(pack, limit->interval_s);
	pack_i64(pack, limit->block_interval_s);
	pack_bytes(pack, limit->path);
}

static enum bulla_err decode_rule(struct bulla_call *call, struct unpack *in, void *record)
{
	struct bulla_rate_limit *limit = &((struct stored_rule *)record)->public;
	uint8_t format = unpack_u8(in);

	(void)call;
	limit->inheritable = unpack_u8(in);
	uint64_t bits = unpack_u64(in);

	memcpy(&limit->rate, &bits, sizeof bits);
	limit->interval_s = unpack_i64(in);
	limit->block_interval_s = unpack_i64(in);
	limit->path = unpack_bytes(in);
	return format == FORMAT && limit->rate > 0 && limit->interval_s > 0 ? BULLA_OK : BULLA_E_STORE_DAMAGED;
}

const struct record_kind quota_rules = { .name = "rate-limit", .size = sizeof(struct stored_rule), .replaced = true, .encode = encode_rule,
					 .decode = decode_rule };
const struct record_name quota_any_rule = { .kind = &quota_rules };

/* ---- settings --------------------------------------------------------------------------------------------------------------- */

static void encode_config(struct pack *pack, const void *record)
{
	const struct bulla_quota_config *config = &((const struct stored_quota_config *)record)->public;

	pack_u8(pack, FORMAT);
	pack_u8(pack, config->response_headers);
	pack_u8(pack, config->audit_logging);
	pack_list(pack, config->exempt_paths, config->exempt_count);
}

static enum bulla_err decode_config(struct bulla_call *call, struct unpack *in, void *record)
{
	struct bulla_quota_config *config = &((struct stored_quota_config *)record)->public;

	if (unpack_u8(in) != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	config->response_headers = unpack_u8(in);
	config->audit_logging = unpack_u8(in);
	return unpack_list(in, call->arena, &config->exempt_paths, &config->exempt_count);
}

static const struct record_kind configs = { .name = "quota-config", .size = sizeof(struct stored_quota_config), .replaced = true,
					    .encode = encode_config, .decode = decode_config };
const struct record_name quota_config_name = { .kind = &configs, .item = { (const uint8_t *)"config", 6 } };

static enum bulla_err without_config(struct bulla_call *call, struct bulla_quota_config *out)
{
	struct bulla_bytes *paths = bulla_arena_alloc(call->arena, DEFAULT_EXEMPT * sizeof *paths);

	if (paths == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < DEFAULT_EXEMPT; i++)
		paths[i] = bulla_str(default_exempt[i]);
	*out = (struct bulla_quota_config){ .exempt_paths = paths, .exempt_count = DEFAULT_EXEMPT };
	return BULLA_OK;
}

enum bulla_err quota_config_get(struct records *records, struct bulla_call *call, struct bulla_quota_config *out)
{
	struct stored_quota_config config;
	enum bulla_err err = record_read(records, call, &quota_config_name, &config);

	if (err == BULLA_E_NOT_FOUND)
		return without_config(call, out);
	TRY(err);
	*out = config.public;
	return BULLA_OK;
}
