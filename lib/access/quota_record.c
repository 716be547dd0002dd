/* quota_record.c: rate limits and their settings as documents (docs/FORMATS.md). Any thread. */
#include "access/quota_private.h"
#include "base/pack.h"

#define FORMAT 1

const struct document_name quota_config_name = { .kind = "quota-config", .item = { (const uint8_t *)"config", 6 } };

static const char *const default_exempt[] = {
	"sys/generate-recovery-token/attempt", "sys/generate-recovery-token/update", "sys/generate-root/attempt",
	"sys/generate-root/update", "sys/health", "sys/seal-status", "sys/unseal",
};
#define DEFAULT_EXEMPT (sizeof default_exempt / sizeof default_exempt[0])

struct document_name quota_rule_name(struct bulla_bytes name)
{
	return (struct document_name){ .kind = QUOTA_RULE, .item = name };
}

enum bulla_err quota_rule_pack(struct bulla_call *call, const struct bulla_rate_limit *limit, struct bulla_bytes *out)
{
	struct pack pack = { .arena = call->arena };
	uint64_t bits;

	memcpy(&bits, &limit->rate, sizeof bits);
	pack_u8(&pack, FORMAT);
	pack_u8(&pack, limit->inheritable);
	pack_u64(&pack, bits); /* IEEE 754 */
	pack_i64(&pack, limit->interval_s);
	pack_i64(&pack, limit->block_interval_s);
	pack_bytes(&pack, limit->path);
	return pack_finish(&pack, out);
}

enum bulla_err quota_rule_unpack(const struct document *document, struct bulla_rate_limit *out)
{
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };
	struct bulla_rate_limit limit = { .name = document->item };
	uint8_t format = unpack_u8(&in);

	limit.inheritable = unpack_u8(&in);
	uint64_t bits = unpack_u64(&in);

	memcpy(&limit.rate, &bits, sizeof bits);
	limit.interval_s = unpack_i64(&in);
	limit.block_interval_s = unpack_i64(&in);
	limit.path = unpack_bytes(&in);
	if (format != FORMAT || !(limit.rate > 0) || limit.interval_s <= 0)
		return BULLA_E_STORE_DAMAGED;
	TRY(unpack_finish(&in));
	*out = limit;
	return BULLA_OK;
}

enum bulla_err quota_config_get(const struct documents *documents, struct bulla_call *call, struct bulla_quota_config *out,
				uint64_t *revision)
{
	struct document found;
	enum bulla_err err = document_get(documents, call, &quota_config_name, &found);
	struct bulla_bytes *paths = bulla_arena_alloc(call->arena, DEFAULT_EXEMPT * sizeof *paths);

	*revision = 0;
	if (paths == NULL)
		return BULLA_E_NO_MEMORY;
	if (err == BULLA_E_NOT_FOUND) {
		for (size_t i = 0; i < DEFAULT_EXEMPT; i++)
			paths[i] = bulla_str(default_exempt[i]);
		*out = (struct bulla_quota_config){ .exempt_paths = paths, .exempt_count = DEFAULT_EXEMPT };
		return BULLA_OK;
	}
	TRY(err);
	struct unpack in = { .ptr = found.value.ptr, .left = found.value.len };
	struct bulla_quota_config config = { 0 };
	uint8_t format = unpack_u8(&in);

	config.response_headers = unpack_u8(&in);
	config.audit_logging = unpack_u8(&in);
	TRY(unpack_list(&in, call->arena, &config.exempt_paths, &config.exempt_count));
	if (format != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	TRY(unpack_finish(&in));
	*revision = found.revision;
	*out = config;
	return BULLA_OK;
}

enum bulla_err quota_config_put(const struct documents *documents, struct bulla_call *call, const struct bulla_quota_config *config,
				uint64_t revision)
{
	struct pack pack = { .arena = call->arena };
	struct bulla_bytes value;

	pack_u8(&pack, FORMAT);
	pack_u8(&pack, config->response_headers);
	pack_u8(&pack, config->audit_logging);
	pack_list(&pack, config->exempt_paths, config->exempt_count);
	TRY(pack_finish(&pack, &value));
	return document_put(documents, call, &quota_config_name, revision, value);
}
