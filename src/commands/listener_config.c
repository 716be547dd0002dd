/* listener_config.c: the blocks listener "tcp" and "unix" of the configuration file. One thread, at start and at SIGHUP. */
#include <errno.h>
#include <strings.h>
#include <unistd.h>

#include "commands/config_reader.h"
#include "http/listen.h"
#include "http/tls.h"

struct tcp {
	struct listener listener;
	const struct hcl *forwarders, *proxies, *headers, *user, *group;
	bool tls_disable, no_open_root;
	const char *suites;
	int min_version, proxying;
	int64_t max_request_bytes, max_request_s;
};

#define FIRST_OFFERED 3 /* of these */
static const char *const tls_versions[] = { "", "tls10", "tls11", "tls12", "tls13", NULL };
static const char *const proxying[] = { [PROXYING_NEVER] = "", [PROXYING_ALWAYS] = "use_always", [PROXYING_ALLOW] = "allow_authorized",
					[PROXYING_DENY] = "deny_unauthorized", NULL };

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
	{ "proxy_protocol_behavior", SETTING_CHOICE, offsetof(struct tcp, proxying), proxying },
	{ "proxy_protocol_authorized_addrs", SETTING_ANY, offsetof(struct tcp, proxies), NULL },
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
	{ "socket_user", SETTING_ANY, offsetof(struct tcp, user), NULL },
	{ "socket_group", SETTING_ANY, offsetof(struct tcp, group), NULL },
	{ "custom_response_headers", SETTING_ANY, offsetof(struct tcp, headers), NULL },
	{ "max_request_size", SETTING_BYTES, offsetof(struct tcp, max_request_bytes), NULL },
	{ "max_request_duration", SETTING_SECONDS, offsetof(struct tcp, max_request_s), NULL },
	{ 0 },
};

static bool check_file(struct config_reader *r, const struct hcl *block, const char *name, const char *path)
{
	if (path == NULL || access(path, R_OK) == 0)
		return true;
	return setting_fail(&r->findings, setting_of(block, name), "\"%s\": %s: %s", name, path, strerror(errno));
}

static bool check_tls(struct config_reader *r, const struct hcl *block, const struct tcp *tcp)
{
	const struct listener *l = &tcp->listener;
	bool good = check_file(r, block, "tls_cert_file", l->cert_file);

	good &= check_file(r, block, "tls_key_file", l->key_file);
	good &= check_file(r, block, "tls_client_ca_file", l->client_ca_file);
	if (l->cert_file == NULL || l->key_file == NULL)
		good = setting_fail(&r->findings, block, "listener \"tcp\" needs tls_cert_file and tls_key_file, or tls_disable = true");
	if (l->no_client_certs && l->demands_client_cert)
		good = setting_fail(&r->findings, block, "tls_disable_client_certs contradicts tls_require_and_verify_client_cert");
	if (tcp->min_version == 1 || tcp->min_version == 2)
		setting_warn(&r->findings, setting_of(block, "tls_min_version"), "\"tls_min_version\": nothing below tls12 is offered");
	return good;
}

/* As the peers: tls_disable wins over what else is said of TLS, but for who may connect. */
static bool check_plain(struct config_reader *r, const struct hcl *block, const struct tcp *tcp)
{
	const struct listener *l = &tcp->listener;

	if (l->demands_client_cert)
		return setting_fail(&r->findings, block, "tls_disable contradicts tls_require_and_verify_client_cert");
	if (l->cert_file != NULL || l->key_file != NULL || l->client_ca_file != NULL || tcp->min_version != 0 || tcp->suites != NULL)
		setting_warn(&r->findings, setting_of(block, "tls_disable"),
			     "tls_disable: this listener has no TLS; its other tls_ settings do nothing");
	return true;
}

static bool check_tcp(struct config_reader *r, const struct hcl *block, const struct tcp *tcp)
{
	bool good = tcp->tls_disable ? check_plain(r, block, tcp) : check_tls(r, block, tcp);
	const char *address = tcp->listener.address;

	if (address != NULL && strstr(address, "{{") != NULL)
		return setting_fail(&r->findings, setting_of(block, "address"), "\"address\": templates are not filled in: write the address");
	if (address == NULL || !listen_is_address(address))
		return setting_fail(&r->findings, setting_of(block, "address"), "\"address\" must be host:port");
	return good;
}

static bool read_suites(struct config_reader *r, const struct hcl *block, struct tcp *tcp)
{
	struct bulla_bytes why;

	if (tcp->suites == NULL || tcp->tls_disable || tls_suites_parse(r->findings.call->arena, tcp->suites, &tcp->listener.tls_suites, &why))
		return true;
	return setting_fail(&r->findings, setting_of(block, "tls_cipher_suites"), "\"tls_cipher_suites\": %.*s", (int)why.len,
			    (const char *)why.ptr);
}

/* Vault has these limits on its listeners; here one value serves all. */
static bool take_limit(struct config_reader *r, const struct hcl *block, const char *name, int64_t value, int64_t *limit)
{
	if (value == 0)
		return true;
	if (*limit != 0 && *limit != value)
		return setting_fail(&r->findings, setting_of(block, name), "\"%s\" must be the same everywhere", name);
	*limit = value;
	return true;
}

static bool read_proxying(struct config_reader *r, const struct hcl *block, struct tcp *tcp)
{
	struct proxying *p = &tcp->listener.proxying;
	bool good = address_config_read(r, tcp->proxies, &p->authorized, &p->authorized_count);

	p->behavior = (enum proxying_behavior)tcp->proxying;
	bool asks = p->behavior == PROXYING_ALLOW || p->behavior == PROXYING_DENY;

	if (good && asks && p->authorized_count == 0)
		return setting_fail(&r->findings, setting_of(block, "proxy_protocol_behavior"),
				    "\"proxy_protocol_behavior\" needs proxy_protocol_authorized_addrs: the proxies that are believed");
	if (!asks && tcp->proxies != NULL)
		setting_warn(&r->findings, tcp->proxies, "\"proxy_protocol_authorized_addrs\" does nothing without proxy_protocol_behavior = "
			     "\"allow_authorized\" or \"deny_unauthorized\"");
	return good;
}

static void take(struct config_reader *r, const struct tcp *tcp, bool is_unix)
{
	struct listener *l = &r->config->listeners[r->config->listener_count++];

	*l = tcp->listener;
	l->may_generate_root = !tcp->no_open_root;
	l->is_unix = is_unix;
	l->tls = !is_unix && !tcp->tls_disable;
	l->tls_min_version = tcp->min_version < FIRST_OFFERED ? NULL : tls_versions[tcp->min_version];
	if (l->tls || is_unix)
		return;
	l->cert_file = l->key_file = l->client_ca_file = NULL;
	l->tls_min_version = NULL;
}

bool listener_config_read(struct config_reader *r, const struct hcl *block)
{
	struct tcp tcp = { .no_open_root = true,
			   .listener = { .address = "127.0.0.1:8200", .socket_mode = 0600,
					 .forwarding = { .reject_not_present = true, .reject_not_authorized = true } } };
	bool is_unix = block->label != NULL && strcasecmp(block->label, "unix") == 0;

	r->listens = true;
	if (!is_unix && (block->label == NULL || strcasecmp(block->label, "tcp") != 0))
		return setting_fail(&r->findings, block, "unknown listener: \"tcp\" and \"unix\" are known");
	if (r->config->listener_count == MAX_LISTENERS)
		return setting_fail(&r->findings, block, "more than %d listeners", MAX_LISTENERS);
	if (is_unix)
		tcp.listener.address = NULL;
	bool good = settings_bind(&r->findings, "listener", block, is_unix ? unix_settings : tcp_settings, &tcp);

	if (is_unix && tcp.listener.address == NULL)
		good = setting_fail(&r->findings, block, "listener \"unix\" needs an address: the socket's path");
	if (!is_unix)
		good &= check_tcp(r, block, &tcp);
	good &= read_suites(r, block, &tcp);
	good &= take_limit(r, block, "max_request_size", tcp.max_request_bytes, &r->config->max_request_bytes);
	good &= take_limit(r, block, "max_request_duration", tcp.max_request_s, &r->config->max_request_s);
	good &= address_config_read(r, tcp.forwarders, &tcp.listener.forwarding.authorized, &tcp.listener.forwarding.authorized_count);
	good &= read_proxying(r, block, &tcp);
	good &= owner_config_read(r, tcp.user, false, &tcp.listener.user);
	good &= owner_config_read(r, tcp.group, true, &tcp.listener.group);
	if (tcp.headers != NULL)
		good &= header_config_read(&r->findings, tcp.headers, &tcp.listener.headers);
	take(r, &tcp, is_unix);
	return good;
}
