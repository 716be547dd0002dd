/* server_config.c: turns a configuration file into struct server_config. One thread, at start. */
#include "commands/server_config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/config_values.h"
#include "commands/takeover.h"
#include "http/file.h"
#include "http/listen.h"
#include "http/tls.h"

#define KEY_BYTES 32
#define KEY_FILE_MAX 4096

struct reader {
	struct bulla_call *call;
	const char *file;
	struct server_config *config;
};

/* A secret has been read from it: it is not to lie about as long as the server runs. */
static void forget(const void *text, size_t len)
{
	bulla_wipe((void *)(uintptr_t)text, len);
}

/* ---- seal ---------------------------------------------------------------------- */

struct static_seal {
	const char *key_id, *key;
};

static const struct setting seal_settings[] = {
	{ "current_key_id", SETTING_TEXT, offsetof(struct static_seal, key_id), NULL },
	{ "current_key", SETTING_TEXT, offsetof(struct static_seal, key), NULL },
	{ 0 },
};

static const struct hcl *child(const struct hcl *block, const char *name)
{
	for (const struct hcl *h = block->first; h != NULL; h = h->next)
		if (strcmp(h->name, name) == 0)
			return h;
	return block;
}

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

static enum bulla_err read_key(struct reader *r, const struct hcl *at, const char *text)
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

	forget(text, strlen(text));
	forget(raw.ptr, path == NULL ? 0 : raw.len);
	if (!good)
		return setting_fail(r->call, r->file, at, "\"current_key\" must be 32 bytes: raw, in hex, in base64, or file:// with such");
	return BULLA_OK;
}

static enum bulla_err read_seal(struct reader *r, const struct hcl *block)
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
	return read_key(r, child(block, "current_key"), seal.key);
}

/* ---- storage -------------------------------------------------------------------- */

struct storage {
	const char *path;
};

static const struct setting sqlite_settings[] = {
	{ "path", SETTING_TEXT, offsetof(struct storage, path), NULL },
	{ 0 },
};

static enum bulla_err read_storage(struct reader *r, const struct hcl *block)
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

/* ---- listeners ------------------------------------------------------------------ */

struct tcp {
	struct listener listener;
	const struct hcl *forwarders, *headers;
	bool tls_disable, no_open_root;
	const char *suites;
	int min_version;
	int64_t max_request_bytes, max_request_s;
};

static const char *const tls_versions[] = { "", "tls12", "tls13", NULL };

#define LISTENER(name, member, kind) { name, kind, offsetof(struct tcp, listener.member), NULL }
static const struct setting tcp_settings[] = {
	LISTENER("address", address, SETTING_TEXT),
	LISTENER("tls_cert_file", cert_file, SETTING_TEXT),
	LISTENER("tls_key_file", key_file, SETTING_TEXT),
	LISTENER("tls_client_ca_file", client_ca_file, SETTING_TEXT),
	LISTENER("tls_require_and_verify_client_cert", demands_client_cert, SETTING_BOOL),
	LISTENER("tls_disable_client_certs", no_client_certs, SETTING_BOOL),
	{ "tls_cipher_suites", SETTING_TEXT, offsetof(struct tcp, suites), NULL },
	{ "tls_disable", SETTING_BOOL, offsetof(struct tcp, tls_disable), NULL },
	{ "disable_unauthed_generate_root_endpoints", SETTING_BOOL, offsetof(struct tcp, no_open_root), NULL },
	{ "x_forwarded_for_authorized_addrs", SETTING_ANY, offsetof(struct tcp, forwarders), NULL },
	LISTENER("x_forwarded_for_hop_skips", forwarding.hop_skips, SETTING_NUMBER),
	LISTENER("x_forwarded_for_reject_not_present", forwarding.reject_not_present, SETTING_BOOL),
	LISTENER("x_forwarded_for_reject_not_authorized", forwarding.reject_not_authorized, SETTING_BOOL),
	{ "custom_response_headers", SETTING_ANY, offsetof(struct tcp, headers), NULL },
	{ "tls_min_version", SETTING_CHOICE, offsetof(struct tcp, min_version), tls_versions },
	{ "max_request_size", SETTING_BYTES, offsetof(struct tcp, max_request_bytes), NULL },
	{ "max_request_duration", SETTING_SECONDS, offsetof(struct tcp, max_request_s), NULL },
	{ 0 },
};
static const struct setting unix_settings[] = {
	{ "disable_unauthed_generate_root_endpoints", SETTING_BOOL, offsetof(struct tcp, no_open_root), NULL },
	LISTENER("address", address, SETTING_TEXT),
	LISTENER("socket_mode", socket_mode, SETTING_MODE),
	{ "custom_response_headers", SETTING_ANY, offsetof(struct tcp, headers), NULL },
	{ "max_request_size", SETTING_BYTES, offsetof(struct tcp, max_request_bytes), NULL },
	{ "max_request_duration", SETTING_SECONDS, offsetof(struct tcp, max_request_s), NULL },
	{ 0 },
};

static enum bulla_err check_file(struct reader *r, const struct hcl *block, const char *name, const char *path)
{
	if (path == NULL || access(path, R_OK) == 0)
		return BULLA_OK;
	return setting_fail(r->call, r->file, child(block, name), "\"%s\": %s: %s", name, path, strerror(errno));
}

static enum bulla_err check_tcp(struct reader *r, const struct hcl *block, const struct tcp *tcp)
{
	const struct listener *l = &tcp->listener;

	if (!listen_is_address(l->address))
		return setting_fail(r->call, r->file, child(block, "address"), "\"address\" must be host:port");
	TRY(check_file(r, block, "tls_cert_file", l->cert_file));
	TRY(check_file(r, block, "tls_key_file", l->key_file));
	TRY(check_file(r, block, "tls_client_ca_file", l->client_ca_file));
	if (!tcp->tls_disable && (l->cert_file == NULL || l->key_file == NULL))
		return setting_fail(r->call, r->file, block, "listener \"tcp\" needs tls_cert_file and tls_key_file, or tls_disable = true");
	if (tcp->tls_disable && (l->cert_file != NULL || l->key_file != NULL || l->client_ca_file != NULL || tcp->min_version != 0 ||
				 tcp->suites != NULL || l->demands_client_cert))
		return setting_fail(r->call, r->file, block, "tls_disable contradicts the other tls_ settings");
	if (l->no_client_certs && l->demands_client_cert)
		return setting_fail(r->call, r->file, block, "tls_disable_client_certs contradicts tls_require_and_verify_client_cert");
	return BULLA_OK;
}

static enum bulla_err read_suites(struct reader *r, const struct hcl *block, struct tcp *tcp)
{
	struct bulla_bytes why;

	if (tcp->suites == NULL || tls_suites_parse(r->call->arena, tcp->suites, &tcp->listener.tls_suites, &why))
		return BULLA_OK;
	return setting_fail(r->call, r->file, child(block, "tls_cipher_suites"), "\"tls_cipher_suites\": %.*s", (int)why.len,
			    (const char *)why.ptr);
}

/* Vault has these limits on its listeners; here one value serves all. */
static enum bulla_err take_limit(struct reader *r, const struct hcl *block, const char *name, int64_t value, int64_t *limit)
{
	if (value == 0)
		return BULLA_OK;
	if (*limit != 0 && *limit != value)
		return setting_fail(r->call, r->file, child(block, name), "\"%s\" must be the same everywhere", name);
	*limit = value;
	return BULLA_OK;
}

/* Adds what stands in text between commas. */
static enum bulla_err add_forwarders(struct reader *r, const struct hcl *at, struct bulla_bytes *items, size_t *count)
{
	const char *text = at->kind == HCL_STRING ? at->text : "";

	for (;;) {
		size_t len = strcspn(text, ",");

		items[*count] = bulla_arena_copy(r->call->arena, bulla_mem(text, len));
		if (items[*count].ptr == NULL)
			return BULLA_E_NO_MEMORY;
		if (bulla_cidr_check(r->call, items[*count]) != BULLA_OK)
			return setting_fail(r->call, r->file, at, "\"x_forwarded_for_authorized_addrs\" must be addresses or CIDR blocks, "
					    "in a list or with commas between");
		++*count;
		if (text[len] == '\0')
			return BULLA_OK;
		text += len + 1;
	}
}

static size_t count_forwarders(const struct hcl *at)
{
	size_t count = 1;

	for (const char *c = at->kind == HCL_STRING ? at->text : ""; *c != '\0'; c++)
		count += *c == ',';
	for (const struct hcl *h = at->kind == HCL_LIST ? at->first : NULL; h != NULL; h = h->next)
		count += count_forwarders(h);
	return count;
}

static enum bulla_err read_forwarding(struct reader *r, const struct hcl *at, struct forwarding *out)
{
	if (at == NULL)
		return BULLA_OK;
	struct bulla_bytes *items = bulla_arena_alloc(r->call->arena, count_forwarders(at) * sizeof *items);

	if (items == NULL)
		return BULLA_E_NO_MEMORY;
	out->authorized = items;
	if (at->kind != HCL_LIST)
		return add_forwarders(r, at, items, &out->authorized_count);
	for (const struct hcl *h = at->first; h != NULL; h = h->next)
		TRY(add_forwarders(r, h, items, &out->authorized_count));
	return BULLA_OK;
}

static enum bulla_err read_listener(struct reader *r, const struct hcl *block)
{
	struct tcp tcp = { .no_open_root = true,
			   .listener = { .address = "127.0.0.1:8200", .socket_mode = 0600,
					 .forwarding = { .reject_not_present = true, .reject_not_authorized = true } } };
	bool is_unix = block->label != NULL && strcmp(block->label, "unix") == 0;

	if (!is_unix && (block->label == NULL || strcmp(block->label, "tcp") != 0))
		return setting_fail(r->call, r->file, block, "unknown listener: \"tcp\" and \"unix\" are known");
	if (r->config->listener_count == MAX_LISTENERS)
		return setting_fail(r->call, r->file, block, "more than %d listeners", MAX_LISTENERS);
	if (is_unix)
		tcp.listener.address = NULL;
	TRY(settings_bind(r->call, r->file, block, is_unix ? unix_settings : tcp_settings, &tcp));
	if (tcp.listener.address == NULL)
		return setting_fail(r->call, r->file, block, "listener \"unix\" needs an address: the socket's path");
	if (!is_unix)
		TRY(check_tcp(r, block, &tcp));
	TRY(read_suites(r, block, &tcp));
	TRY(take_limit(r, block, "max_request_size", tcp.max_request_bytes, &r->config->max_request_bytes));
	TRY(take_limit(r, block, "max_request_duration", tcp.max_request_s, &r->config->max_request_s));
	TRY(read_forwarding(r, tcp.forwarders, &tcp.listener.forwarding));
	if (tcp.headers != NULL)
		TRY(header_config_read(r->call, r->file, tcp.headers, &tcp.listener.headers, &r->config->header_warnings));
	tcp.listener.may_generate_root = !tcp.no_open_root;
	tcp.listener.is_unix = is_unix;
	tcp.listener.tls = !is_unix && !tcp.tls_disable;
	tcp.listener.tls_min_version = tcp.min_version == 0 ? NULL : tls_versions[tcp.min_version];
	r->config->listeners[r->config->listener_count++] = tcp.listener;
	return BULLA_OK;
}

/* ---- audit devices ---------------------------------------------------------------- */

struct audit_texts {
	const char *type, *path, *description;
	bool local;
};

static const struct setting audit_settings[] = {
	{ "type", SETTING_TEXT, offsetof(struct audit_texts, type), NULL },
	{ "path", SETTING_TEXT, offsetof(struct audit_texts, path), NULL },
	{ "description", SETTING_TEXT, offsetof(struct audit_texts, description), NULL },
	{ "local", SETTING_BOOL, offsetof(struct audit_texts, local), NULL },
	{ 0 },
};

/* An option's value: a string, or what can be written without quotes. */
static const char *option_text(const struct hcl *option)
{
	switch (option->kind) {
	case HCL_STRING:
	case HCL_NUMBER:
		return option->text;
	case HCL_BOOL:
		return option->boolean ? "true" : "false";
	default:
		return NULL;
	}
}

static enum bulla_err read_options(struct reader *r, const struct hcl *block, struct bulla_audit_spec *spec)
{
	size_t count = 0;

	for (const struct hcl *h = block->first; h != NULL; h = h->next)
		count++;
	struct bulla_pair *options = bulla_arena_alloc(r->call->arena, count * sizeof *options);

	if (options == NULL)
		return BULLA_E_NO_MEMORY;
	for (const struct hcl *h = block->first; h != NULL; h = h->next) {
		const char *text = option_text(h);

		if (text == NULL)
			return setting_fail(r->call, r->file, h, "option \"%s\" must be a string", h->name);
		for (size_t i = 0; i < spec->option_count; i++)
			if (bulla_is(options[i].key, h->name))
				return setting_fail(r->call, r->file, h, "option \"%s\" is given twice", h->name);
		options[spec->option_count++] = (struct bulla_pair){ bulla_str(h->name), bulla_str(text) };
	}
	spec->options = options;
	return BULLA_OK;
}

/* Moves the block "options" (HCL: also an object) out of the list, so that what is left are settings. */
static struct hcl *take_options(struct hcl *block)
{
	for (struct hcl **at = &block->first; *at != NULL; at = &(*at)->next)
		if ((*at)->kind == HCL_BLOCK && strcmp((*at)->name, "options") == 0) {
			struct hcl *options = *at;

			*at = options->next;
			return options;
		}
	return NULL;
}

/* audit "file" "main" { description = "..."  options { file_path = "..." } } */
static enum bulla_err read_audit(struct reader *r, struct hcl *block)
{
	struct audit_texts texts = { .type = block->label, .path = block->label2 };
	const struct hcl *options = take_options(block);

	if (r->config->audit_count == MAX_AUDIT_DEVICES)
		return setting_fail(r->call, r->file, block, "more than %d audit devices", MAX_AUDIT_DEVICES);
	TRY(settings_bind(r->call, r->file, block, audit_settings, &texts));
	if (texts.type == NULL || texts.path == NULL)
		return setting_fail(r->call, r->file, block, "an audit device needs a type and a path: audit \"file\" \"main\" { ... }");
	struct bulla_audit_spec *spec = &r->config->audit[r->config->audit_count++];

	*spec = (struct bulla_audit_spec){ .type = bulla_str(texts.type), .path = bulla_str(texts.path), .local = texts.local,
					   .description = bulla_str(texts.description) };
	for (size_t i = 0; i + 1 < r->config->audit_count; i++)
		if (bulla_equal(r->config->audit[i].path, spec->path))
			return setting_fail(r->call, r->file, block, "two audit devices at \"%s\"", texts.path);
	return options == NULL ? BULLA_OK : read_options(r, options, spec);
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

static enum bulla_err read_block(struct reader *r, struct hcl *block, bool *stored)
{
	if (strcmp(block->name, "listener") == 0)
		return read_listener(r, block);
	if (strcmp(block->name, "seal") == 0)
		return read_seal(r, block);
	if (strcmp(block->name, "audit") == 0)
		return read_audit(r, block);
	if (strcmp(block->name, "user_lockout") == 0)
		return lockout_config_read(r->call, r->file, block, &r->config->lockout);
	if (strcmp(block->name, "storage") != 0)
		return setting_fail(r->call, r->file, block, "unknown block \"%s\"", block->name);
	if (*stored)
		return setting_fail(r->call, r->file, block, "a second storage");
	*stored = true;
	return read_storage(r, block);
}

static enum bulla_err check_limits(struct reader *r, const struct hcl *root)
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
	struct reader r = { call, file, &top.config };
	struct bulla_bytes text;
	struct hcl *root;
	bool stored = false;

	if (!file_read(call->arena, file, HCL_MAX_BYTES, &text))
		return bulla_fail(call, BULLA_E_CONFIG, "%s: %s", file, strerror(errno));
	enum bulla_err err = hcl_parse(call, file, text, &root);

	forget(text.ptr, text.len); /* what was read from it are copies */
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
