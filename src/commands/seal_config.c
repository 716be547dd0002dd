/* seal_config.c: the block seal "static" of the configuration file. One thread, at start and at SIGHUP. */
#include <errno.h>
#include <sys/stat.h>

#include "commands/config_reader.h"
#include "http/file.h"

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

static enum bulla_err read_key(struct config_reader *r, const struct hcl *at, const char *text)
{
	struct bulla_bytes raw = bulla_str(text);
	const char *path = strncmp(text, "file://", 7) == 0 ? text + 7 : NULL;
	struct stat st;

	if (path != NULL && !file_read(r->call->arena, path, KEY_FILE_MAX, &raw))
		return setting_fail(r->call, r->file, at, "%s: %s", path, strerror(errno));
	if (path != NULL && stat(path, &st) == 0 && (st.st_mode & 077) != 0)
		r->config->warning = (const char *)bulla_arena_printf(r->call->arena,
			"the seal key's file %s can be read by others: it should have mode 0600", path).ptr;
	/* the value is never printed: it is the key */
	bool good = decode_key(r->call, raw, &r->config->seal.key);

	config_forget(text, strlen(text));
	config_forget(raw.ptr, path == NULL ? 0 : raw.len);
	if (!good)
		return setting_fail(r->call, r->file, at, "\"current_key\" must be 32 bytes: raw, in hex, in base64, or file:// with such");
	return BULLA_OK;
}

enum bulla_err seal_config_read(struct config_reader *r, const struct hcl *block)
{
	struct static_seal seal = { 0 };

	if (block->label == NULL || strcmp(block->label, "static") != 0)
		return setting_fail(r->call, r->file, block, "unknown seal: only \"static\" is known (without a seal block: Shamir)");
	if (r->config->seal.kind == BULLA_SEAL_STATIC)
		return setting_fail(r->call, r->file, block, "a second seal");
	TRY(settings_bind(r->call, r->file, block, seal_settings, &seal));
	if (seal.key_id == NULL || seal.key == NULL)
		return setting_fail(r->call, r->file, block, "seal \"static\" needs current_key_id and current_key");
	r->config->seal.kind = BULLA_SEAL_STATIC;
	r->config->seal.key_id = bulla_str(seal.key_id);
	return read_key(r, config_child(block, "current_key"), seal.key);
}
