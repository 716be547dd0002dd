/* listener_config.c: the blocks listener "tcp" and "unix" of the configuration file. One thread, at start and at SIGHUP. */
#include <errno.h>
#include <unistd.h>

#include "commands/config_reader.h"
#include "http/listen.h"
#include "http/tls.h"

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

static enum bulla_err check_file(struct config_reader *r, const struct hcl *block, const char *name, const char *path)
{
	if (path == NULL || access(path, R_OK) == 0)
		return BULLA_OK;
	return setting_fail(r->call, r->file, config_child(block, name), "\"%s\": %s: %s", name, path, strerror(errno));
}

static enum bulla_err check_tcp(struct config_reader *r, const struct hcl *block, const struct tcp *tcp)
{
	const struct listener *l = &tcp->listener;

	if (!listen_is_address(l->address))
		return setting_fail(r->call, r->file, config_child(block, "address"), "\"address\" must be host:port");
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

static enum bulla_err read_suites(struct config_reader *r, const struct hcl *block, struct tcp *tcp)
{
	struct bulla_bytes why;

	if (tcp->suites == NULL || tls_suites_parse(r->call->arena, tcp->suites, &tcp->listener.tls_suites, &why))
		return BULLA_OK;
	return setting_fail(r->call, r->file, config_child(block, "tls_cipher_suites"), "\"tls_cipher_suites\": %.*s", (int)why.len,
			    (const char *)why.ptr);
}

/* Vault has these limits on its listeners; here one value serves all. */
static enum bulla_err take_limit(struct config_reader *r, const struct hcl *block, const char *name, int64_t value, int64_t *limit)
{
	if (value == 0)
		return BULLA_OK;
	if (*limit != 0 && *limit != value)
		return setting_fail(r->call, r->file, config_child(block, name), "\"%s\" must be the same everywhere", name);
	*limit = value;
	return BULLA_OK;
}

/* Adds what stands in text between commas. */
static enum bulla_err add_forwarders(struct config_reader *r, const struct hcl *at, struct bulla_bytes *items, size_t *count)
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

static enum bulla_err read_forwarding(struct config_reader *r, const struct hcl *at, struct forwarding *out)
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

enum bulla_err listener_config_read(struct config_reader *r, const struct hcl *block)
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
