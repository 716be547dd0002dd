/* server.c: "bulla server": reads the configuration, opens the engine, serves until a signal ends it (watch.h). One thread, the
 * only one that gets signals. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/dev.h"
#include "commands/flags.h"
#include "commands/log_options.h"
#include "commands/notify.h"
#include "commands/takeover.h"
#include "commands/ticker.h"
#include "commands/watch.h"
#include "config.h"
#include "http/fetch.h"

#define MAX_FILES 65536
#define FREED_BYTE 0xaa
#define LARGE_BYTES (256 << 10)
#define NO_LOCK "memory cannot be locked: raise the limit (ulimit -l), or set disable_mlock = true"
#define RELEASED "2026-11-21T00:00:00Z"

struct options {
	struct flag_list config_files;
	struct log_options log;
	bool dev;
	int64_t startup_wait_s; /* negative: not given */
	struct dev_options dev_options;
	bool clock_from_wall;
};

struct server {
	struct options options;
	struct server_config config;
	const struct config_finding *findings; /* without errors: warnings, to be logged */
	struct dev dev;
	struct bulla_call call;   /* its arena holds the texts of the configuration */
	struct bulla *engine;
	struct service service;
	struct httpd *httpd;
	struct ticker ticker;
	bool wrote_pid;
	struct takeover takeover;
};

/* ---- start ------------------------------------------------------------------------ */

static enum flags_result read_options(int argc, char **argv, struct options *o)
{
	const struct flag config_flags[] = {
		{ "config", FLAG_LIST, &o->config_files, "a configuration file, or a folder with files *.hcl and *.json; may be given many times" },
		{ "clock-from-wall", FLAG_BOOL, &o->clock_from_wall, "let lifetimes and periods go on from the system's clock, once" },
		{ "startup-wait", FLAG_DURATION, &o->startup_wait_s,
		  "how long to wait for a server that has the storage or an address; 30s otherwise" },
		{ 0 },
	};
	const struct flag log_flags[] = {
		{ "log-level", FLAG_STRING, &o->log.level, "trace, debug, info, warn or error (BULLA_LOG_LEVEL, BAO_LOG_LEVEL, VAULT_LOG_LEVEL)" },
		{ "log-format", FLAG_STRING, &o->log.format, "standard or json (BULLA_LOG_FORMAT, BAO_LOG_FORMAT, VAULT_LOG_FORMAT)" },
		{ "log-file", FLAG_STRING, &o->log.file, "the file to log to; standard error otherwise. Opened anew on SIGHUP" },
		{ "log-rotate-bytes", FLAG_STRING, &o->log.rotate_bytes, NULL },
		{ "log-rotate-duration", FLAG_STRING, &o->log.rotate_duration, NULL },
		{ "log-rotate-max-files", FLAG_STRING, &o->log.rotate_max_files, NULL },
		{ 0 },
	};
	const struct flag dev_flags[] = {
		{ "dev", FLAG_BOOL, &o->dev, "a server for development: initialised, unsealed, in memory" },
		{ "dev-root-token-id", FLAG_STRING, &o->dev_options.token, "the root token; made at random otherwise" },
		{ "dev-listen-address", FLAG_STRING, &o->dev_options.address, "where to listen; 127.0.0.1:8200 otherwise" },
		{ "dev-no-store-token", FLAG_BOOL, &o->dev_options.no_store_token, "do not keep the root token for the client commands" },
		{ "dev-tls", FLAG_BOOL, &o->dev_options.tls, "TLS with a throw-away certificate" },
		{ "dev-storage", FLAG_STRING, &o->dev_options.storage, "keep data in this file, and what opens it in FILE.dev" },
		{ 0 },
	};
	const struct flag *const tables[] = { config_flags, log_flags, dev_flags, NULL };
	enum flags_result result = flags_parse(tables, &argc, argv);

	if (result == FLAGS_HELP) {
		printf("Usage: bulla server -config=FILE [options]\n       bulla server -dev [options]\n");
		flags_print(stdout, "Options", config_flags);
		flags_print(stdout, "Log options", log_flags);
		flags_print(stdout, "Dev options", dev_flags);
		return result;
	}
	if (result == FLAGS_OK && (argc != 1 || o->dev == (o->config_files.count > 0))) {
		fprintf(stderr, "bulla server takes either -config=FILE or -dev, and no arguments\n");
		return FLAGS_WRONG;
	}
	bool has_dev = o->dev_options.token || o->dev_options.address || o->dev_options.storage || o->dev_options.tls ||
		       o->dev_options.no_store_token;

	if (result == FLAGS_OK && has_dev && !o->dev) {
		fprintf(stderr, "the -dev-... options need -dev\n");
		return FLAGS_WRONG;
	}
	return result;
}

static enum bulla_err configure(struct server *s)
{
	struct options *o = &s->options;

	if (o->dev)
		dev_use_environment(&o->dev_options);
	if (o->dev && o->dev_options.address == NULL)
		o->dev_options.address = "127.0.0.1:8200";
	if (o->dev)
		TRY(dev_configure(&o->dev_options, &s->call, &s->config, &s->dev));
	else
		TRY(server_config_read(o->config_files.items, o->config_files.count, &s->call, &s->config, &s->findings));
	return log_options_apply(&o->log, &s->call, &s->config);
}

/* glibc overwrites what is freed, since libmicrohttpd does not, whose buffers hold headers and bodies. Large bodies get pages of
 * their own, which go back when they are freed: left to itself glibc keeps them after the first. */
static void tune_memory(void)
{
	(void)mallopt(M_PERTURB, FREED_BYTE);
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

/* As many connections as the system lets us have. */
static void raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max < MAX_FILES ? files.rlim_max : MAX_FILES;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

/* Which file it is about: errors from behind the seal do not say so. */
static enum bulla_err name_storage(struct server *s, enum bulla_err err)
{
	struct bulla_bytes text = bulla_call_text(&s->call, err);
	const char *path = s->config.storage_path;

	if (err == BULLA_OK || path == NULL || memmem(text.ptr, text.len, path, strlen(path)) != NULL)
		return err;
	return bulla_fail(&s->call, err, "%s: %.*s", path, (int)text.len, (const char *)text.ptr);
}

static void set_lockout(struct server *s)
{
	const struct lockout_config *c = &s->config.lockout;
	const struct bulla_lockout_rule userpass = lockout_config_rule(c, &c->userpass), approle = lockout_config_rule(c, &c->approle);

	bulla_lockout_set(s->engine, BULLA_MOUNT_USERPASS, &userpass);
	bulla_lockout_set(s->engine, BULLA_MOUNT_APPROLE, &approle);
}

static enum bulla_err open_storage(void *context, struct bulla_call *call)
{
	struct server *s = context;
	struct bulla_config config = {
		.storage_path = s->config.storage_path, .seal = s->config.seal,
		.default_lease_ttl_s = s->config.default_lease_ttl_s, .max_lease_ttl_s = s->config.max_lease_ttl_s,
		.version = s->service.info.version, .build_date = s->service.info.build_date,
		.fetch = http_fetch,
		.audit_devices = s->config.audit, .audit_device_count = s->config.audit_count,
		.allow_audit_prefix = s->config.allow_audit_log_prefixing, .log = log_text,
		.clock_from_wall = s->options.clock_from_wall,
	};

	return bulla_open(&config, call, &s->engine);
}

/* As the peers make it, of the last part only. */
static enum bulla_err make_folder(struct server *s)
{
	if (mkdir(s->config.storage_folder, 0700) == 0 || errno == EEXIST)
		return BULLA_OK;
	return bulla_fail(&s->call, BULLA_E_CONFIG, "%s: %s", s->config.storage_folder, strerror(errno));
}

static enum bulla_err open_engine(struct server *s)
{
	if (!s->config.disable_mlock && bulla_memory_init(true) != BULLA_OK)
		return bulla_fail(&s->call, BULLA_E_CONFIG, NO_LOCK);
	if (s->config.storage_folder != NULL)
		TRY(make_folder(s));
	enum bulla_err err = takeover_try(&s->takeover, &s->call, open_storage, s);

	bulla_wipe((void *)(uintptr_t)s->config.seal.key.ptr, s->config.seal.key.len); /* the engine has a copy */
	if (err == BULLA_E_NO_MEMORY && !s->config.disable_mlock)
		return bulla_fail(&s->call, BULLA_E_CONFIG, "out of memory; or " NO_LOCK);
	TRY(name_storage(s, err));
	set_lockout(s);
	if (s->options.dev)
		return dev_open(&s->options.dev_options, s->engine, &s->call, &s->dev);
	if (s->config.seal.kind == BULLA_SEAL_STATIC && bulla_is_initialised(s->engine))
		return name_storage(s, bulla_unseal_auto(s->engine, &s->call));
	return BULLA_OK;
}

static enum bulla_err bind_listeners(void *context, struct bulla_call *call)
{
	const struct server *s = context;

	return httpd_bind(s->httpd, call);
}

/* Before the storage is open: who connects while this server waits for another one's end is served then, not refused. */
static enum bulla_err open_http(struct server *s)
{
	struct httpd_config config = {
		.listeners = s->config.listeners, .listener_count = s->config.listener_count,
		.max_request_bytes = (size_t)s->config.max_request_bytes, .max_request_s = (unsigned)s->config.max_request_s,
		.max_connections = (unsigned)s->config.max_connections, .share_percent = (unsigned)s->config.share_percent,
		.max_request_memory = (size_t)s->config.max_request_memory,
	};

	s->service = (struct service){
		.log = log_text,
		.info = {
			.version = bulla_version(), .build_date = RELEASED,
			.cluster_name = s->config.cluster_name != NULL ? s->config.cluster_name : "bulla",
			.api_addr = s->config.api_addr != NULL ? s->config.api_addr : "",
			.allow_api_audit = s->config.unsafe_allow_api_audit_creation,
			.vault_reply_fields = s->config.vault_reply_fields,
			.max_request_bytes = s->config.max_request_bytes > 0 ? (size_t)s->config.max_request_bytes : (size_t)32 << 20,
		},
	};
	TRY(serve_check(&s->call));
	TRY(httpd_open(&config, &s->service, &s->call, &s->httpd));
	s->service.info.sends_header = httpd_sends_header;
	s->service.info.sends_context = s->httpd;
	return takeover_try(&s->takeover, &s->call, bind_listeners, s);
}

static void tell_listener(const struct listener *l)
{
	log_write(LOG_LEVEL_INFO, "listening on %s%s", l->address, l->is_unix ? "" : l->tls ? " (tls)" : " (no tls)");
	if (l->client_ca_file != NULL && !l->demands_client_cert)
		log_write(LOG_LEVEL_WARN, "listener \"%s\": tls_client_ca_file does nothing without tls_require_and_verify_client_cert: "
			  "clients need no certificate", l->address);
}

static void tell_state(const struct server *s)
{
	const struct log_options *log = &s->options.log;
	struct bulla_seal_status seal;

	bulla_seal_status(s->engine, &seal);
	log_findings(s->findings);
	if (log->rotate_bytes != NULL || log->rotate_duration != NULL || log->rotate_max_files != NULL)
		log_write(LOG_LEVEL_WARN, "-log-rotate-...: the log file is opened anew on SIGHUP: logrotate moves it");
	for (size_t i = 0; i < s->config.listener_count; i++)
		tell_listener(&s->config.listeners[i]);
	log_write(LOG_LEVEL_INFO, "bulla %s, storage %s, %s", PACKAGE_VERSION, bulla_storage_kind(s->engine),
		  !seal.initialised ? "not initialised" : seal.sealed ? "sealed" : "unsealed");
}

static enum bulla_err start(struct server *s)
{
	const struct log_config log = { s->config.log_level, s->config.log_json, s->config.log_file };

	TRY(log_open(&log, &s->call));
	raise_file_limit();
	TRY(open_http(s));
	TRY(open_engine(s));
	s->service.engine = s->engine;
	if (s->config.pid_file != NULL)
		TRY(pid_file_write(s->config.pid_file, &s->call));
	s->wrote_pid = s->config.pid_file != NULL;
	tell_state(s);
	if (s->options.dev)
		dev_announce(&s->options.dev_options, &s->config, &s->dev, &s->call);
	TRY(httpd_start(s->httpd, &s->call)); /* whoever gets an answer finds all of the above done */
	return ticker_start(&s->ticker, s->engine, httpd_sched(s->httpd));
}

/* ---- the command ----------------------------------------------------------------------- */

/* What must not stay behind; before the storage is closed, which lets the next server go on. */
static void remove_files(struct server *s)
{
	if (s->wrote_pid)
		pid_file_remove(s->config.pid_file);
	dev_clear(&s->dev);
}

static void stop(struct server *s, const sigset_t *signals)
{
	if (s->httpd != NULL)
		httpd_stop(s->httpd);
	remove_files(s);
	(void)sigprocmask(SIG_UNBLOCK, signals, NULL); /* every request has its answer: a disk that hangs need not hold us */
	ticker_stop(&s->ticker);
	if (s->httpd != NULL)
		httpd_free(s->httpd);
	bulla_close(s->engine);
}

/* Serves until a signal ends it. Does not return where what is worked on is not waited for: the storage is then as after
 * a loss of power. */
static void serve_until_end(struct server *s, const sigset_t *signals)
{
	const struct watched reloaded = { .httpd = s->httpd, .engine = s->engine, .log = &s->options.log,
					  .config_paths = s->options.config_files.items,
					  .config_path_count = s->options.config_files.count };

	notify_ready();
	int signal = watch_until_end(&reloaded, signals);

	notify_stopping();
	if (takeover_leave(s->httpd, signals, signal))
		return;
	remove_files(s);
	_exit(1);
}

static int fail(const struct server *s, enum bulla_err err)
{
	struct bulla_bytes text = bulla_call_text(&s->call, err);

	bool many = memchr(text.ptr, '\n', text.len) != NULL; /* findings, a line each */

	fprintf(stderr, "bulla server:%s%.*s\n", many ? "\n" : " ", (int)text.len, (const char *)text.ptr);
	return 1;
}

int command_server(int argc, char **argv)
{
	sigset_t signals;
	struct server s = { .options.startup_wait_s = -1, .takeover.signals = &signals };
	int status = 0;

	/* before the threads start, and before the configuration's secrets are read */
	notify_init();
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk: the write says so */
	tune_memory();
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0 || bulla_memory_init(false) != BULLA_OK)
		return fail(&s, BULLA_E_INTERNAL);
	enum flags_result flags = read_options(argc, argv, &s.options);

	if (flags != FLAGS_OK)
		return flags == FLAGS_HELP ? 0 : 1;
	s.call = (struct bulla_call){ .arena = bulla_arena_new(16384), .may_block = true };
	if (s.call.arena == NULL)
		return fail(&s, BULLA_E_NO_MEMORY);
	enum bulla_err err = configure(&s);

	s.takeover.wait_s = s.options.startup_wait_s >= 0 ? s.options.startup_wait_s : s.config.startup_wait_s;
	if (err == BULLA_OK)
		err = start(&s);
	if (err == BULLA_OK)
		serve_until_end(&s, &signals);
	else if (s.takeover.ended)
		notify_stopping();
	else
		status = fail(&s, err);
	stop(&s, &signals);
	if (err == BULLA_OK || s.takeover.ended)
		log_write(LOG_LEVEL_INFO, "stopped");
	bulla_arena_free(s.call.arena);
	return status;
}
