/* server_config.c: turns a configuration file into struct server_config. One thread, at start and at SIGHUP. */
#include "commands/server_config.h"

#include <errno.h>

#include "commands/config_reader.h"
#include "commands/takeover.h"
#include "http/file.h"

void config_forget(const void *text, size_t len)
{
	bulla_wipe((void *)(uintptr_t)text, len);
}

const struct hcl *config_child(const struct hcl *block, const char *name)
{
	for (const struct hcl *h = block->first; h != NULL; h = h->next)
		if (strcmp(h->name, name) == 0)
			return h;
	return block;
}

/* ---- storage -------------------------------------------------------------------- */

struct storage {
	const char *path;
};

static const struct setting sqlite_settings[] = {
	{ "path", SETTING_TEXT, offsetof(struct storage, path), NULL },
	{ 0 },
};

static enum bulla_err read_storage(struct config_reader *r, const struct hcl *block)
{
	static const struct setting none[] = { { 0 } };
	struct storage storage = { 0 };

	if (block->label != NULL && strcmp(block->label, "inmem") == 0)
		return settings_bind(r->call, r->file, block, none, &storage);
	if (block->label == NULL || strcmp(block->label, "sqlite") != 0)
		return setting_fail(r->call, r->file, block, "unknown storage: \"sqlite\" and \"inmem\" are known");
	TRY(settings_bind(r->call, r->file, block, sqlite_settings, &storage));
	if (storage.path == NULL)
		return setting_fail(r->call, r->file, block, "storage \"sqlite\" needs a path");
	r->config->storage_path = storage.path;
	return BULLA_OK;
}

/* ---- the whole ------------------------------------------------------------------ */

static const char *const levels[] = { "trace", "debug", "info", "warn", "error", NULL };
static const char *const formats[] = { "standard", "json", NULL };

struct top {
	struct server_config config;
	int level, format;
};

#define TOP(name, member, kind) { name, kind, offsetof(struct top, config.member), NULL }
static const struct setting top_settings[] = {
	TOP("disable_mlock", disable_mlock, SETTING_BOOL),
	TOP("log_file", log_file, SETTING_TEXT),
	TOP("allow_audit_log_prefixing", allow_audit_log_prefixing, SETTING_BOOL),
	TOP("unsafe_allow_api_audit_creation", unsafe_allow_api_audit_creation, SETTING_BOOL),
	TOP("max_request_size", max_request_bytes, SETTING_BYTES),
	TOP("max_request_duration", max_request_s, SETTING_SECONDS),
	TOP("max_request_memory", max_request_memory, SETTING_BYTES),
	TOP("default_lease_ttl", default_lease_ttl_s, SETTING_SECONDS),
	TOP("max_lease_ttl", max_lease_ttl_s, SETTING_SECONDS),
	TOP("max_connections", max_connections, SETTING_COUNT),
	TOP("connection_share_percent", share_percent, SETTING_COUNT),
	TOP("startup_wait", startup_wait_s, SETTING_SECONDS_OR_NONE),
	TOP("pid_file", pid_file, SETTING_TEXT),
	TOP("api_addr", api_addr, SETTING_TEXT),
	TOP("cluster_name", cluster_name, SETTING_TEXT),
	{ "log_level", SETTING_CHOICE, offsetof(struct top, level), levels },
	{ "log_format", SETTING_CHOICE, offsetof(struct top, format), formats },
	{ 0 },
};

/* Moves the blocks of the root out of its list, so that what is left are settings. */
static struct hcl *split_blocks(struct hcl *root)
{
	struct hcl *blocks = NULL, **end = &blocks, **at = &root->first;

	while (*at != NULL) {
		struct hcl *h = *at;

		if (h->kind != HCL_BLOCK) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		h->next = NULL;
		*end = h;
		end = &h->next;
	}
	return blocks;
}

static enum bulla_err read_block(struct config_reader *r, struct hcl *block, bool *stored)
{
	if (strcmp(block->name, "listener") == 0)
		return listener_config_read(r, block);
	if (strcmp(block->name, "seal") == 0)
		return seal_config_read(r, block);
	if (strcmp(block->name, "audit") == 0)
		return audit_config_read(r, block);
	if (strcmp(block->name, "user_lockout") == 0)
		return lockout_config_read(r->call, r->file, block, &r->config->lockout);
	if (strcmp(block->name, "storage") != 0)
		return setting_fail(r->call, r->file, block, "unknown block \"%s\"", block->name);
	if (*stored)
		return setting_fail(r->call, r->file, block, "a second storage");
	*stored = true;
	return read_storage(r, block);
}

static enum bulla_err check_limits(struct config_reader *r, const struct hcl *root)
{
	const struct server_config *c = r->config;

	if (c->max_request_s > INT32_MAX || c->startup_wait_s > INT32_MAX || c->max_request_bytes > INT32_MAX)
		return setting_fail(r->call, r->file, root, "max_request_size, max_request_duration or startup_wait is beyond reason");
	int64_t size = c->max_request_bytes > 0 ? c->max_request_bytes : (int64_t)32 << 20;

	if (c->max_connections > MOST_CONNECTIONS)
		return setting_fail(r->call, r->file, root, "max_connections is more than %d", MOST_CONNECTIONS);
	if (c->share_percent > 100)
		return setting_fail(r->call, r->file, root, "connection_share_percent is more than 100");
	/* what the largest request may need */
	if (c->max_request_memory != 0 && c->max_request_memory < 8 * size)
		return setting_fail(r->call, r->file, root, "max_request_memory must be at least eight times max_request_size");
	if (c->listener_count == 0)
		return setting_fail(r->call, r->file, root, "no listener");
	return BULLA_OK;
}

enum bulla_err server_config_read(const char *file, struct bulla_call *call, struct server_config *out)
{
	struct top top = { .level = LOG_LEVEL_INFO, .config.startup_wait_s = STARTUP_WAIT_S };
	struct config_reader r = { call, file, &top.config };
	struct bulla_bytes text;
	struct hcl *root;
	bool stored = false;

	if (!file_read(call->arena, file, HCL_MAX_BYTES, &text))
		return bulla_fail(call, BULLA_E_CONFIG, "%s: %s", file, strerror(errno));
	enum bulla_err err = hcl_parse(call, file, text, &root);

	config_forget(text.ptr, text.len); /* what was read from it are copies */
	TRY(err);
	struct hcl *blocks = split_blocks(root);

	TRY(settings_bind(call, file, root, top_settings, &top));
	for (struct hcl *block = blocks; block != NULL; block = block->next)
		TRY(read_block(&r, block, &stored));
	if (!stored)
		return setting_fail(call, file, root, "no storage");
	TRY(check_limits(&r, root));
	top.config.log_level = (enum log_level)top.level;
	top.config.log_json = top.format == 1;
	*out = top.config;
	return BULLA_OK;
}
