/* seal_config.c: the block seal "static" of the configuration file. One thread, at start and at SIGHUP. */
#include <strings.h>

#include "commands/config_reader.h"

#define KEY_BYTES 32
#define KEY_FILE_MAX 4096

struct static_seal {
	const char *key_id, *key;
};

static const struct setting seal_settings[] = {
	{ "current_key_id", SETTING_TEXT, offsetof(struct static_seal, key_id), NULL },
	{ "current_key", SETTING_TEXT, offsetof(struct static_seal, key), NULL },
	{ 0 },
};

/* 32 bytes as they are, in hex, or in base64 (the line ends of a file do not count). */
static bool decode_key(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	uint8_t *key = bulla_arena_alloc(call->arena, BULLA_BASE64_MAX_DECODED(KEY_FILE_MAX));
	size_t len = 0, bad_at;

	if (key == NULL)
		return false;
	*out = bulla_mem(key, KEY_BYTES);
	if (text.len == KEY_BYTES) {
		memcpy(key, text.ptr, KEY_BYTES);
		return true;
	}
	while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
		text.len--;
	if (text.len == KEY_BYTES) {
		memcpy(key, text.ptr, KEY_BYTES);
		return true;
	}
	if (text.len == 2 * KEY_BYTES)
		return bulla_hex_decode(text, key) == BULLA_OK;
	return text.len == BULLA_BASE64_LEN(KEY_BYTES) && bulla_base64_decode(text, key, &len, &bad_at) == BULLA_OK &&
	       len == KEY_BYTES;
}

static bool read_key(struct config_reader *r, const struct hcl *at)
{
	struct config_secret secret;

	if (!secret_config_read(r, at, &secret))
		return false;
	/* the value is never printed: it is the key */
	bool good = secret.gone || decode_key(r->findings.call, secret.value, &r->config->seal.key);

	secret_config_forget(&secret);
	return good || setting_fail(&r->findings, at, "\"current_key\" must be 32 bytes: raw, in hex, in base64, or file:// or env:// with such");
}

static bool read_static(struct config_reader *r, const struct hcl *block)
{
	struct static_seal seal = { 0 };

	if (r->config->seal.kind == BULLA_SEAL_STATIC)
		return setting_fail(&r->findings, block, "a second seal");
	bool good = settings_bind(&r->findings, "seal", block, seal_settings, &seal);

	r->config->seal.kind = BULLA_SEAL_STATIC;
	if (seal.key_id == NULL || seal.key == NULL)
		return setting_fail(&r->findings, block, "seal \"static\" needs current_key_id and current_key");
	r->config->seal.key_id = bulla_str(seal.key_id);
	return read_key(r, setting_of(block, "current_key")) && good;
}

bool seal_config_read(struct config_reader *r, const struct hcl *block)
{
	static const struct setting none[] = { { 0 } };

	if (block->label != NULL && strcasecmp(block->label, "static") == 0)
		return read_static(r, block);
	if (block->label != NULL && strcasecmp(block->label, "shamir") == 0)
		return settings_bind(&r->findings, "seal", block, none, NULL);
	return setting_fail(&r->findings, block,
			    "unknown seal%s%s: \"static\" and \"shamir\" are known; the key that protects all others is not kept anywhere else",
			    block->label != NULL ? " " : "", block->label != NULL ? block->label : "");
}
