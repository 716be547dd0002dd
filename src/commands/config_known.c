/* config_known.c: the table of what the peers' configuration knows and this server does not, complete for OpenBao 2.7 and Vault 1.21.
 * What is in a block of the table is looked up as "block.key"; an unknown key there is an error, too. */
#include "commands/config_known.h"

#include <stdio.h>
#include <strings.h>

enum rule {
	IDLE,        /* a warning: it does nothing */
	IDLE_BLOCK,  /* the same; what is in it is not looked at, since the peers take anything there */
	PART,        /* of a block that was answered as a whole */
	REFUSED,     /* an error: it asks for a protection, or for what others would rely on */
	REFUSED_ON,  /* the same, unless it is false */
	QUIET_ON,    /* true is so in any case; otherwise a warning */
	NOT_DEFAULT /* an error, unless it is "default" */
};

struct known {
	const char *where, *key;
	enum rule rule;
	const char *why; /* PART: NULL */
};

#define ALONE "a server is alone here, without a cluster"
#define NO_PLUGINS "there are no plugins here: what there is is built in"
#define NO_METRICS "there are no metrics here"
#define NO_UI "there is no user interface here"
#define OWN_TIMEOUTS "the server has limits of its own for slow clients"
#define OWN_JSON "JSON is bounded by max_request_size and max_request_memory"
#define NO_ACME "certificates by ACME are not there: name tls_cert_file and tls_key_file"
#define NO_HEADER_CERTS "client certificates are not taken from a header"
#define OWN_CORS "what browsers may is set with sys/config/cors"
#define FOR_UNIX "it is for listener \"unix\""
#define FOR_TCP "a unix socket has no addresses"
#define NO_TLS "a unix socket has no TLS"
#define OTHERS_ROTATE "the log file is opened anew on SIGHUP: logrotate moves it"
#define ENTERPRISE "it belongs to Vault Enterprise"

static const struct known table[] = {
	/* ---- top ---- */
	{ "", "ui", IDLE, NO_UI },
	{ "", "cluster_addr", IDLE, ALONE },
	{ "", "cluster_cipher_suites", IDLE, ALONE },
	{ "", "disable_clustering", IDLE, ALONE },
	{ "", "disable_performance_standby", IDLE, ALONE },
	{ "", "disable_standby_reads", IDLE, ALONE },
	{ "", "ha_storage", IDLE_BLOCK, ALONE },
	{ "", "ha_backend", IDLE_BLOCK, ALONE },
	{ "", "service_registration", IDLE_BLOCK, "the server registers itself nowhere" },
	{ "", "replication", IDLE_BLOCK, ALONE },
	{ "", "cache_size", IDLE, "the cache is bounded by the memory that keys take" },
	{ "", "disable_cache", IDLE, "keys in use are cached; what was changed is never answered from before" },
	{ "", "disable_sealwrap", IDLE, "there is no seal wrapping" },
	{ "", "disable_indexing", IDLE, "there is nothing to index" },
	{ "", "disable_sentinel_trace", IDLE, ENTERPRISE },
	{ "", "disable_printable_check", REFUSED_ON, "names with characters that cannot be printed are always refused" },
	{ "", "plugin", IDLE_BLOCK, NO_PLUGINS },
	{ "", "plugin_directory", IDLE, NO_PLUGINS },
	{ "", "plugin_tmpdir", IDLE, NO_PLUGINS },
	{ "", "plugin_file_uid", IDLE, NO_PLUGINS },
	{ "", "plugin_file_permissions", IDLE, NO_PLUGINS },
	{ "", "plugin_auto_download", IDLE, NO_PLUGINS },
	{ "", "plugin_auto_register", IDLE, NO_PLUGINS },
	{ "", "plugin_download_behavior", IDLE, NO_PLUGINS },
	{ "", "plugin_download_max_size", IDLE, NO_PLUGINS },
	{ "", "introspection_endpoint", IDLE, "there is no such endpoint" },
	{ "", "raw_storage_endpoint", IDLE, "sys/raw is not there" },
	{ "", "enable_response_header_hostname", IDLE, "replies do not name the host" },
	{ "", "enable_response_header_raft_node_id", IDLE, ALONE },
	{ "", "log_rotate_bytes", IDLE, OTHERS_ROTATE },
	{ "", "log_rotate_duration", IDLE, OTHERS_ROTATE },
	{ "", "log_rotate_max_files", IDLE, OTHERS_ROTATE },
	{ "", "log_requests_level", IDLE, "requests are in the audit log, not in the server's" },
	{ "", "detect_deadlocks", IDLE, "there is nothing to detect them with" },
	{ "", "enable_post_unseal_trace", IDLE, "traces are a matter of the peer's runtime" },
	{ "", "post_unseal_trace_directory", IDLE, "traces are a matter of the peer's runtime" },
	{ "", "imprecise_lease_role_tracking", IDLE, "there are no quotas of leases" },
	{ "", "remove_irrevocable_lease_after", IDLE, ENTERPRISE },
	{ "", "unsafe_cross_namespace_identity", IDLE, "there is no identity" },
	{ "", "unsafe_relative_paths", IDLE, "paths with .. are always refused" },
	{ "", "allow_unauthenticated_workflows", IDLE, "there are no workflows" },
	{ "", "initialize", IDLE_BLOCK, "the server does not initialise itself: bulla operator init does" },
	{ "", "license_path", IDLE, "no licence is needed" },
	{ "", "reporting", IDLE_BLOCK, ENTERPRISE },
	{ "", "experiments", IDLE, "there are none" },
	{ "", "administrative_namespace_path", IDLE, ENTERPRISE },
	{ "", "enable_multiseal", REFUSED_ON, "there is one seal only" },
	{ "", "adaptive_overload_protection", IDLE_BLOCK, "overload is answered by limits of the server's own" },
	{ "", "request_limiter", IDLE_BLOCK, "overload is answered by limits of the server's own" },
	{ "", "cloud", IDLE_BLOCK, "nothing is reported to a cloud" },
	{ "", "hcp_link", IDLE_BLOCK, "nothing is reported to a cloud" },
	{ "", "observations", REFUSED, "what it would record is not recorded: see audit devices" },
	{ "", "sentinel", REFUSED, "its policies would not be enforced" },
	{ "", "entropy", REFUSED, "entropy is not taken from a seal" },
	{ "", "kms_library", REFUSED, "keys are not kept in other systems" },
	/* ---- telemetry ---- */
	{ "", "telemetry", IDLE, NO_METRICS },
	{ "telemetry", "statsite_address", PART, NULL },
	{ "telemetry", "statsd_address", PART, NULL },
	{ "telemetry", "disable_hostname", PART, NULL },
	{ "telemetry", "enable_hostname_label", PART, NULL },
	{ "telemetry", "metrics_prefix", PART, NULL },
	{ "telemetry", "usage_gauge_period", PART, NULL },
	{ "telemetry", "maximum_gauge_cardinality", PART, NULL },
	{ "telemetry", "rollback_metrics_include_mount_point", PART, NULL },
	{ "telemetry", "circonus_api_token", PART, NULL },
	{ "telemetry", "circonus_api_app", PART, NULL },
	{ "telemetry", "circonus_api_url", PART, NULL },
	{ "telemetry", "circonus_submission_interval", PART, NULL },
	{ "telemetry", "circonus_submission_url", PART, NULL },
	{ "telemetry", "circonus_check_id", PART, NULL },
	{ "telemetry", "circonus_check_force_metric_activation", PART, NULL },
	{ "telemetry", "circonus_check_instance_id", PART, NULL },
	{ "telemetry", "circonus_check_search_tag", PART, NULL },
	{ "telemetry", "circonus_check_tags", PART, NULL },
	{ "telemetry", "circonus_check_display_name", PART, NULL },
	{ "telemetry", "circonus_broker_id", PART, NULL },
	{ "telemetry", "circonus_broker_select_tag", PART, NULL },
	{ "telemetry", "dogstatsd_addr", PART, NULL },
	{ "telemetry", "dogstatsd_tags", PART, NULL },
	{ "telemetry", "prometheus_retention_time", PART, NULL },
	{ "telemetry", "stackdriver_project_id", PART, NULL },
	{ "telemetry", "stackdriver_location", PART, NULL },
	{ "telemetry", "stackdriver_namespace", PART, NULL },
	{ "telemetry", "stackdriver_debug_logs", PART, NULL },
	{ "telemetry", "lease_metrics_epsilon", PART, NULL },
	{ "telemetry", "num_lease_metrics_buckets", PART, NULL },
	{ "telemetry", "add_lease_metrics_namespace_labels", PART, NULL },
	{ "telemetry", "add_mount_point_rollback_metrics", PART, NULL },
	{ "telemetry", "filter_default", PART, NULL },
	{ "telemetry", "prefix_filter", PART, NULL },
	/* ---- storage ---- */
	{ "storage", "node_id", IDLE, ALONE },
	{ "storage", "retry_join", IDLE_BLOCK, "this server joins nobody and nobody joins it" },
	{ "storage", "retry_join_as_non_voter", IDLE, ALONE },
	{ "storage", "performance_multiplier", IDLE, ALONE },
	{ "storage", "trailing_logs", IDLE, ALONE },
	{ "storage", "apply_delay", IDLE, ALONE },
	{ "storage", "last_contact_threshold", IDLE, ALONE },
	{ "storage", "dead_server_last_contact_threshold", IDLE, ALONE },
	{ "storage", "server_stabilization_time", IDLE, ALONE },
	{ "storage", "snapshot_threshold", IDLE, ALONE },
	{ "storage", "snapshot_interval", IDLE, ALONE },
	{ "storage", "snapshot_delay", IDLE, ALONE },
	{ "storage", "max_entry_size", IDLE, ALONE },
	{ "storage", "max_transaction_size", IDLE, ALONE },
	{ "storage", "max_mount_and_namespace_table_entry_size", IDLE, ALONE },
	{ "storage", "autopilot_reconcile_interval", IDLE, ALONE },
	{ "storage", "autopilot_update_interval", IDLE, ALONE },
	{ "storage", "autopilot_upgrade_version", IDLE, ALONE },
	{ "storage", "autopilot_redundancy_zone", IDLE, ALONE },
	{ "storage", "raft_wal", IDLE, ALONE },
	{ "storage", "raft_log_verifier_enabled", IDLE, ALONE },
	{ "storage", "raft_log_verification_interval", IDLE, ALONE },
	{ "storage", "wal_segment_size", IDLE, ALONE },
	{ "storage", "max_parallel", IDLE, "the database needs no such limit" },
	{ "storage", "max_batch_entries", IDLE, ALONE },
	{ "storage", "max_batch_size", IDLE, ALONE },
	{ "storage", "redirect_addr", IDLE, ALONE },
	{ "storage", "advertise_addr", IDLE, ALONE },
	{ "storage", "cluster_addr", IDLE, ALONE },
	{ "storage", "disable_clustering", IDLE, ALONE },
	/* ---- seal "static" and "shamir" ---- */
	{ "seal", "previous_key", IDLE, "only current_key is tried" },
	{ "seal", "previous_key_id", IDLE, "only current_key is tried" },
	{ "seal", "disabled", REFUSED_ON, "a store cannot be moved from one seal to another" },
	{ "seal", "purpose", IDLE, "there is one seal only" },
	{ "seal", "priority", IDLE, "there is one seal only" },
	{ "seal", "name", IDLE, "there is one seal only" },
	{ "seal", "health_check_enabled", IDLE, "the seal's key is here, and cannot be out of reach" },
	{ "seal", "health_check_timeout", IDLE, "the seal's key is here, and cannot be out of reach" },
	{ "seal", "health_check_interval", IDLE, "the seal's key is here, and cannot be out of reach" },
	{ "seal", "health_check_interval_unhealthy", IDLE, "the seal's key is here, and cannot be out of reach" },
	/* ---- listener ---- */
	{ "listener", "cluster_address", IDLE, ALONE },
	{ "listener", "purpose", IDLE, "every listener serves all" },
	{ "listener", "role", NOT_DEFAULT, "every listener serves all" },
	{ "listener", "require_request_header", REFUSED_ON, "requests without X-Vault-Request are not refused" },
	{ "listener", "max_request_json_memory", IDLE, OWN_JSON },
	{ "listener", "max_request_json_strings", IDLE, OWN_JSON },
	{ "listener", "max_json_depth", IDLE, OWN_JSON },
	{ "listener", "max_json_string_value_length", IDLE, OWN_JSON },
	{ "listener", "max_json_object_entry_count", IDLE, OWN_JSON },
	{ "listener", "max_json_array_element_count", IDLE, OWN_JSON },
	{ "listener", "max_json_token_count", IDLE, OWN_JSON },
	{ "listener", "tls_max_version", IDLE, "TLS 1.3 is always offered" },
	{ "listener", "tls_prefer_server_cipher_suites", IDLE, "all that are offered are good" },
	{ "listener", "tls_key_exchange_preferences", REFUSED, "key exchanges cannot be chosen" },
	{ "listener", "tls_auto_reload", IDLE, "certificates are read again on SIGHUP" },
	{ "listener", "tls_auto_reload_interval", IDLE, "certificates are read again on SIGHUP" },
	{ "listener", "tls_acme_cache_path", REFUSED, NO_ACME },
	{ "listener", "tls_acme_ca_directory", REFUSED, NO_ACME },
	{ "listener", "tls_acme_test_ca_directory", REFUSED, NO_ACME },
	{ "listener", "tls_acme_ca_root", REFUSED, NO_ACME },
	{ "listener", "tls_acme_eab_key_id", REFUSED, NO_ACME },
	{ "listener", "tls_acme_eab_mac_key", REFUSED, NO_ACME },
	{ "listener", "tls_acme_key_type", REFUSED, NO_ACME },
	{ "listener", "tls_acme_email", REFUSED, NO_ACME },
	{ "listener", "tls_acme_domains", REFUSED, NO_ACME },
	{ "listener", "tls_acme_disable_http_challenge", REFUSED, NO_ACME },
	{ "listener", "tls_acme_disable_alpn_challenge", REFUSED, NO_ACME },
	{ "listener", "http_read_timeout", IDLE, OWN_TIMEOUTS },
	{ "listener", "http_read_header_timeout", IDLE, OWN_TIMEOUTS },
	{ "listener", "http_write_timeout", IDLE, OWN_TIMEOUTS },
	{ "listener", "http_idle_timeout", IDLE, OWN_TIMEOUTS },
	{ "listener", "x_forwarded_for_client_cert_header", REFUSED, NO_HEADER_CERTS },
	{ "listener", "x_forwarded_for_client_cert_header_decoders", REFUSED, NO_HEADER_CERTS },
	{ "listener", "x_forwarded_for_client_cert_decoders", REFUSED, NO_HEADER_CERTS },
	{ "listener", "x_forwarded_for_client_cert_keep_not_forwarded", REFUSED, NO_HEADER_CERTS },
	{ "listener", "x_forwarded_for_client_cert_keep_unauthorized", REFUSED, NO_HEADER_CERTS },
	{ "listener", "redact_addresses", REFUSED_ON, "nothing is left out of sys/health and sys/seal-status" },
	{ "listener", "redact_cluster_name", REFUSED_ON, "nothing is left out of sys/health and sys/seal-status" },
	{ "listener", "redact_version", REFUSED_ON, "nothing is left out of sys/health and sys/seal-status" },
	{ "listener", "chroot_namespace", REFUSED, "a listener cannot be confined to a namespace" },
	{ "listener", "socket_mode", IDLE, FOR_UNIX },
	{ "listener", "socket_user", IDLE, FOR_UNIX },
	{ "listener", "socket_group", IDLE, FOR_UNIX },
	{ "listener", "proxy_protocol_behavior", IDLE, FOR_TCP },
	{ "listener", "proxy_protocol_authorized_addrs", IDLE, FOR_TCP },
	{ "listener", "x_forwarded_for_authorized_addrs", REFUSED, FOR_TCP },
	{ "listener", "x_forwarded_for_hop_skips", IDLE, FOR_TCP },
	{ "listener", "x_forwarded_for_reject_not_present", IDLE, FOR_TCP },
	{ "listener", "x_forwarded_for_reject_not_authorized", IDLE, FOR_TCP },
	{ "listener", "tls_disable", QUIET_ON, NO_TLS },
	{ "listener", "tls_cert_file", IDLE, NO_TLS },
	{ "listener", "tls_key_file", IDLE, NO_TLS },
	{ "listener", "tls_client_ca_file", IDLE, NO_TLS },
	{ "listener", "tls_min_version", IDLE, NO_TLS },
	{ "listener", "tls_cipher_suites", IDLE, NO_TLS },
	{ "listener", "tls_require_and_verify_client_cert", REFUSED_ON, NO_TLS },
	{ "listener", "tls_disable_client_certs", QUIET_ON, NO_TLS },
	{ "listener", "disable_replication_status_endpoints", QUIET_ON, "they are not there" },
	{ "listener", "disable_unauthed_rekey_endpoints", QUIET_ON, "sys/rekey is not there" },
	{ "listener", "disable_request_limiter", IDLE, "the server's own limits cannot be switched off" },
	{ "listener", "cors_enabled", IDLE, OWN_CORS },
	{ "listener", "cors_allowed_origins", IDLE, OWN_CORS },
	{ "listener", "cors_allowed_headers", IDLE, OWN_CORS },
	{ "listener", "cors_allow_credentials", IDLE, OWN_CORS },
	{ "listener", "agent_api", IDLE, "it is for the peers' agents" },
	{ "listener.agent_api", "enable_quit", PART, NULL },
	{ "listener", "proxy_api", IDLE, "it is for the peers' agents" },
	{ "listener.proxy_api", "enable_quit", PART, NULL },
	{ "listener", "telemetry", IDLE, NO_METRICS },
	{ "listener.telemetry", "unauthenticated_metrics_access", PART, NULL },
	{ "listener.telemetry", "disallow_metrics", PART, NULL },
	{ "listener.telemetry", "metrics_only", REFUSED_ON, "every listener serves all" },
	{ "listener.telemetry", "metrics_path", PART, NULL },
	{ "listener", "profiling", IDLE, "there are no profiles here" },
	{ "listener.profiling", "unauthenticated_pprof_access", PART, NULL },
	{ "listener", "inflight_requests_logging", IDLE, "requests in flight cannot be listed" },
	{ "listener.inflight_requests_logging", "unauthenticated_in_flight_requests_access", PART, NULL },
};

static const struct known *find(const char *where, const char *key)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(table[i].where, where) == 0 && strcasecmp(table[i].key, key) == 0)
			return &table[i];
	return NULL;
}

static bool is_switch(const struct hcl *at, bool on)
{
	static const char *const words[2][3] = { { "false", "0", "" }, { "true", "1", "t" } };

	if (at->kind == HCL_BOOL)
		return at->boolean == on;
	for (size_t i = 0; at->kind != HCL_BLOCK && at->kind != HCL_LIST && i < 3; i++)
		if (strcasecmp(at->text, words[on][i]) == 0)
			return true;
	return false;
}

static bool is_default(const struct hcl *at)
{
	return at->kind == HCL_STRING && (at->text[0] == '\0' || strcasecmp(at->text, "default") == 0);
}

static void look_into(struct config_findings *findings, const char *where, const struct hcl *at)
{
	for (const struct hcl *h = at->first; h != NULL; h = h->next) {
		if (at->kind == HCL_LIST)
			look_into(findings, where, h);
		else if (!known_answer(findings, where, h))
			setting_fail(findings, h, "unknown key \"%s\"", h->name);
	}
}

static void say(struct config_findings *findings, const struct known *known, const struct hcl *at)
{
	bool refused = known->rule == REFUSED || (known->rule == REFUSED_ON && !is_switch(at, false)) ||
		       (known->rule == NOT_DEFAULT && !is_default(at));

	if (refused)
		setting_fail(findings, at, "\"%s\" cannot be had: %s", at->name, known->why);
	if (known->rule == IDLE || known->rule == IDLE_BLOCK || (known->rule == QUIET_ON && !is_switch(at, true)))
		setting_warn(findings, at, "\"%s\" does nothing here: %s", at->name, known->why);
}

bool known_answer(struct config_findings *findings, const char *where, const struct hcl *at)
{
	const struct known *known = find(where, at->name);
	bool open = known != NULL && (known->rule == IDLE || known->rule == PART);
	char inner[64];

	if (known == NULL)
		return false;
	say(findings, known, at);
	(void)snprintf(inner, sizeof inner, "%s%s%s", where, where[0] != '\0' ? "." : "", known->key);
	if (open && (at->kind == HCL_BLOCK || (at->kind == HCL_LIST && at->first != NULL && at->first->kind == HCL_BLOCK)))
		look_into(findings, inner, at);
	return true;
}
