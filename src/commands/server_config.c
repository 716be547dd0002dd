/* server_config.c: turns configuration files into struct server_config. One thread, at start and at SIGHUP. */
#include "commands/server_config.h"

#include <errno.h>
#include <strings.h>

#include "commands/config_files.h"
#include "commands/config_reader.h"
#include "commands/config_shape.h"
#include "commands/takeover.h"
#include "http/file.h"

void config_forget(const void *text, size_t len)
{
	bulla_wipe((void *)(uintptr_t)text, len);
}

/* ---- a file ------------------------------------------------------------------------------------------------------- */

#define TOP(name, member, kind) { name, kind, offsetof(struct server_config, member), NULL }
static const struct setting top_settings[] = {
	TOP("disable_mlock", disable_mlock, SETTING_BOOL),
	TOP("accept_altered_store", seal.accept_altered, SETTING_BOOL),
	TOP("log_file", log_file, SETTING_TEXT),
	TOP("allow_audit_log_prefixing", allow_audit_log_prefixing, SETTING_BOOL),
	TOP("unsafe_allow_api_audit_creation", unsafe_allow_api_audit_creation, SETTING_BOOL),
	TOP("vault_reply_fields", vault_reply_fields, SETTING_BOOL),
	TOP("max_request_size", max_request_bytes, SETTING_BYTES),
	TOP("max_request_duration", max_request_s, SETTING_SECONDS),
	TOP("default_max_request_duration", default_max_request_s, SETTING_SECONDS),
	TOP("max_request_memory", max_request_memory, SETTING_BYTES),
	TOP("default_lease_ttl", default_lease_ttl_s, SETTING_SECONDS),
	TOP("max_lease_ttl", max_lease_ttl_s, SETTING_SECONDS),
	TOP("max_connections", max_connections, SETTING_COUNT),
	TOP("connection_share_percent", share_percent, SETTING_COUNT),
	TOP("startup_wait", startup_wait_s, SETTING_SECONDS_OR_NONE),
	TOP("pid_file", pid_file, SETTING_TEXT),
	TOP("api_addr", api_addr, SETTING_TEXT),
	TOP("cluster_name", cluster_name, SETTING_TEXT),
	TOP("log_level", log_level_word, SETTING_TEXT),
	TOP("log_format", log_format_word, SETTING_TEXT),
	{ 0 },
};

static bool read_block(struct config_reader *r, struct hcl *block)
{
	if (strcasecmp(block->name, "listener") == 0)
		return listener_config_read(r, block);
	if (strcasecmp(block->name, "audit") == 0)
		return audit_config_read(r, block);
	if (strcasecmp(block->name, "user_lockout") == 0)
		return lockout_config_read(&r->findings, block, &r->config->lockout);
	if (strcasecmp(block->name, "storage") == 0 || strcasecmp(block->name, "backend") == 0)
		return storage_config_read(r, block);
	return seal_config_read(r, block); /* "kms" and "hsm", too */
}

static void check_top(struct config_findings *f, const struct hcl *root, struct server_config *top)
{
	if (top->log_level_word != NULL && !log_level_parse(top->log_level_word, &top->log_level))
		setting_fail(f, setting_of(root, "log_level"), "unknown log_level: " LOG_LEVEL_WORDS);
	if (top->log_format_word != NULL && !log_format_parse(top->log_format_word, &top->log_json))
		setting_fail(f, setting_of(root, "log_format"), "unknown log_format: " LOG_FORMAT_WORDS);
	if (top->api_addr != NULL && strstr(top->api_addr, "{{") != NULL)
		setting_fail(f, setting_of(root, "api_addr"), "\"api_addr\": templates are not filled in: write the address");
}

static void read_root(struct config_reader *r, struct hcl *root)
{
	struct server_config top = { .startup_wait_s = -1 };
	struct hcl *blocks;

	config_shape(&r->findings, root, &blocks);
	(void)settings_bind(&r->findings, "", root, top_settings, &top);
	check_top(&r->findings, root, &top);
	settings_merge(top_settings, r->config, &top);
	r->stored = false;
	for (struct hcl *block = blocks, *next; block != NULL; block = next) {
		next = block->next;
		(void)read_block(r, block);
	}
}

static void read_file(struct config_reader *r, const char *file)
{
	struct config_findings *f = &r->findings;
	struct bulla_bytes text;
	struct hcl *root;

	f->file = NULL;
	if (!file_read(f->call->arena, file, HCL_MAX_BYTES, &text)) {
		r->broken = true;
		setting_fail(f, NULL, "%s: %s", file, strerror(errno));
		return;
	}
	enum bulla_err err = hcl_parse_config(f->call, file, text, &root);

	config_forget(text.ptr, text.len); /* what was read from it are copies */
	if (err == BULLA_E_NO_MEMORY) {
		findings_no_memory(f);
		return;
	}
	if (err != BULLA_OK) { /* the detail names the file */
		r->broken = true;
		setting_fail(f, NULL, "%.*s", (int)f->call->detail.len, (const char *)f->call->detail.ptr);
		return;
	}
	f->file = file;
	read_root(r, root);
	f->file = NULL;
}

/* ---- all of them -------------------------------------------------------------------------------------------------- */

static int64_t or_default(int64_t ttl_s)
{
	return ttl_s > 0 ? ttl_s : BULLA_DEFAULT_LEASE_S;
}

static void check_limits(struct config_reader *r)
{
	const struct server_config *c = r->config;
	struct config_findings *f = &r->findings;
	int64_t size = c->max_request_bytes > 0 ? c->max_request_bytes : (int64_t)32 << 20;

	if (c->max_request_s > INT32_MAX || c->startup_wait_s > INT32_MAX || c->max_request_bytes > INT32_MAX)
		setting_fail(f, NULL, "max_request_size, max_request_duration or startup_wait is beyond reason");
	if (c->max_connections > MOST_CONNECTIONS)
		setting_fail(f, NULL, "max_connections is more than %d", MOST_CONNECTIONS);
	if (c->share_percent > 100)
		setting_fail(f, NULL, "connection_share_percent is more than 100");
	if (or_default(c->default_lease_ttl_s) > or_default(c->max_lease_ttl_s))
		setting_fail(f, NULL, "default_lease_ttl (768h where it is not said) is longer than max_lease_ttl");
	/* what the largest request may need */
	if (c->max_request_memory != 0 && c->max_request_memory < 8 * size)
		setting_fail(f, NULL, "max_request_memory must be at least eight times max_request_size");
}

/* What would only be found when it is unsealed. */
static void check_prefixes(struct config_reader *r)
{
	for (size_t i = 0; i < r->config->audit_count && !r->config->allow_audit_log_prefixing; i++)
		for (size_t j = 0; j < r->config->audit[i].option_count; j++)
			if (bulla_is(r->config->audit[i].options[j].key, "prefix"))
				setting_fail(&r->findings, NULL, "audit device \"%s\": \"prefix\" needs allow_audit_log_prefixing = true",
					     (const char *)r->config->audit[i].path.ptr);
}

static void check_all(struct config_reader *r)
{
	struct server_config *c = r->config;

	c->log_level = LOG_LEVEL_INFO;
	if (c->log_level_word != NULL)
		(void)log_level_parse(c->log_level_word, &c->log_level);
	if (c->log_format_word != NULL)
		(void)log_format_parse(c->log_format_word, &c->log_json);
	if (c->startup_wait_s < 0)
		c->startup_wait_s = STARTUP_WAIT_S;
	if (c->max_request_s == 0)
		c->max_request_s = c->default_max_request_s;
	check_limits(r);
	check_prefixes(r);
	if (!c->has_storage)
		setting_fail(&r->findings, NULL, "no storage");
	if (!r->listens)
		setting_fail(&r->findings, NULL, "no listener");
}

enum bulla_err server_config_read(const char *const *paths, size_t count, struct bulla_call *call, struct server_config *out,
				  const struct config_finding **findings)
{
	struct server_config config = { .startup_wait_s = -1 };
	struct config_reader r = { .config = &config };
	const char *const *files;
	size_t file_count;

	findings_init(&r.findings, call);
	config_files(&r.findings, paths, count, &files, &file_count);
	for (size_t i = 0; i < file_count; i++)
		read_file(&r, files[i]);
	r.findings.file = file_count == 1 ? files[0] : NULL;
	if (file_count > 0 && !r.broken)
		check_all(&r);
	enum bulla_err err = findings_result(&r.findings);

	*findings = r.findings.first;
	if (err == BULLA_OK)
		*out = config;
	else
		config_forget(config.seal.key.ptr, config.seal.key.len);
	return err;
}
