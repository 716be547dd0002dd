/* dev.c: owns FILE.dev and the folder of throw-away certificates. One thread, at start and at the end. */
#define _GNU_SOURCE
#include "commands/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "commands/environment.h"
#include "commands/takeover.h"
#include "commands/token_helper.h"
#include "http/tls.h"

#define SHARE_LABEL "unseal_key "
#define TOKEN_LABEL "root_token "
#define SECRETS_MAX 4096

static enum bulla_err fail(struct bulla_call *call, const char *path)
{
	return bulla_fail(call, BULLA_E_CONFIG, "%s: %s", path, strerror(errno));
}

static enum bulla_err join(struct bulla_call *call, const char *a, const char *b, const char **out)
{
	*out = (const char *)bulla_arena_printf(call->arena, "%s%s", a, b).ptr;
	return *out == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* A new file of mode 0600, on the disk when this returns. */
static enum bulla_err write_new(struct bulla_call *call, const char *path, struct bulla_bytes text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(call, path);
	bool good = write(fd, text.ptr, text.len) == (ssize_t)text.len && fsync(fd) == 0;
	enum bulla_err err = good ? BULLA_OK : fail(call, path);

	close(fd);
	if (!good)
		(void)unlink(path);
	return err;
}

/* ---- TLS ---------------------------------------------------------------------- */

static enum bulla_err make_certificates(struct bulla_call *call, struct listener *listener, struct dev *dev)
{
	const char *temporary = getenv("TMPDIR");
	struct tls_texts texts;
	const char *folder;

	TRY(tls_make_dev(call, &texts));
	TRY(join(call, temporary != NULL && *temporary != '\0' ? temporary : "/tmp", "/bulla-tls-XXXXXX", &folder));
	if (mkdtemp((char *)(uintptr_t)folder) == NULL)
		return fail(call, folder);
	TRY(join(call, folder, "/ca.pem", &dev->ca_file));
	TRY(join(call, folder, "/cert.pem", &listener->cert_file));
	TRY(join(call, folder, "/key.pem", &listener->key_file));
	dev->tls_folder = folder;
	TRY(write_new(call, dev->ca_file, texts.ca));
	TRY(write_new(call, listener->cert_file, texts.cert));
	TRY(write_new(call, listener->key_file, texts.key));
	listener->tls = true;
	return BULLA_OK;
}

void dev_clear(const struct dev *dev)
{
	static const char *const names[] = { "ca.pem", "cert.pem", "key.pem" };
	int folder = dev->tls_folder == NULL ? -1 : open(dev->tls_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)unlinkat(folder, names[i], 0);
	close(folder);
	(void)rmdir(dev->tls_folder);
}

enum bulla_err dev_configure(const struct dev_options *options, struct bulla_call *call, struct server_config *config,
			     struct dev *dev)
{
	*config = (struct server_config){
		.listeners = { { .address = options->address } }, .listener_count = 1,
		.storage_path = options->storage, .disable_mlock = true, .log_level = LOG_LEVEL_INFO,
		.startup_wait_s = STARTUP_WAIT_S,
	};
	*dev = (struct dev){ 0 };
	return options->tls ? make_certificates(call, &config->listeners[0], dev) : BULLA_OK;
}

/* ---- share and token ------------------------------------------------------------ */

static enum bulla_err keep(struct bulla_call *call, const char *path, const struct dev *dev)
{
	size_t n = BULLA_BASE64_LEN(dev->share.len);
	char *share = bulla_arena_alloc(call->arena, n);
	/* not bulla_arena_printf: these are secrets */
	size_t len = strlen(SHARE_LABEL) + n + 1 + strlen(TOKEN_LABEL) + dev->token.len + 1;
	char *text = bulla_arena_alloc(call->arena, len), *to = text;

	if (share == NULL || text == NULL)
		return BULLA_E_NO_MEMORY;
	bulla_base64_encode(dev->share, share);
	to = mempcpy(to, SHARE_LABEL, strlen(SHARE_LABEL));
	to = mempcpy(to, share, n);
	*to++ = '\n';
	to = mempcpy(to, TOKEN_LABEL, strlen(TOKEN_LABEL));
	to = mempcpy(to, dev->token.ptr, dev->token.len);
	*to = '\n';
	return write_new(call, path, bulla_mem(text, len));
}

/* Cuts "LABEL value\n" off text. */
static bool cut_line(struct bulla_bytes *text, const char *label, struct bulla_bytes *value)
{
	size_t n = strlen(label);
	const uint8_t *end = text->len < n || memcmp(text->ptr, label, n) != 0 ? NULL : memchr(text->ptr, '\n', text->len);

	if (end == NULL)
		return false;
	*value = bulla_mem(text->ptr + n, (size_t)(end - text->ptr) - n);
	*text = bulla_mem(end + 1, text->len - (size_t)(end + 1 - text->ptr));
	return true;
}

static enum bulla_err recall(struct bulla_call *call, const char *path, struct dev *dev)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *text = bulla_arena_alloc(call->arena, SECRETS_MAX), *share = bulla_arena_alloc(call->arena, SECRETS_MAX);
	ssize_t n = fd < 0 || text == NULL || share == NULL ? -1 : read(fd, text, SECRETS_MAX);
	struct bulla_bytes rest = bulla_mem(text, n < 0 ? 0 : (size_t)n), coded;
	size_t bad_at;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return fail(call, path);
	if (!cut_line(&rest, SHARE_LABEL, &coded) || !cut_line(&rest, TOKEN_LABEL, &dev->token) || rest.len != 0 ||
	    bulla_base64_decode(coded, share, &dev->share.len, &bad_at) != BULLA_OK)
		return bulla_fail(call, BULLA_E_CONFIG, "%s: not a file that bulla server -dev wrote", path);
	dev->share.ptr = share;
	return BULLA_OK;
}

static enum bulla_err initialise(const struct dev_options *options, struct bulla *engine, struct bulla_call *call,
				 const char *path, struct dev *dev)
{
	struct bulla_init_args args = { .secret_shares = 1, .secret_threshold = 1, .root_token = bulla_str(options->token) };
	struct bulla_init_result result;

	if (path != NULL && access(path, F_OK) == 0) {
		errno = EEXIST;
		return fail(call, path);
	}
	TRY(bulla_init(engine, call, &args, &result));
	dev->share = result.shares[0];
	dev->token = result.root_token;
	return path == NULL ? BULLA_OK : keep(call, path, dev);
}

enum bulla_err dev_open(const struct dev_options *options, struct bulla *engine, struct bulla_call *call, struct dev *dev)
{
	const char *path = NULL;

	if (options->storage != NULL)
		TRY(join(call, options->storage, ".dev", &path));
	if (!bulla_is_initialised(engine)) {
		TRY(initialise(options, engine, call, path, dev));
	} else {
		TRY(recall(call, path, dev));
		if (options->token != NULL && !bulla_equal_secret(bulla_str(options->token), dev->token))
			return bulla_fail(call, BULLA_E_CONFIG, "%s holds another root token: leave out -dev-root-token-id", path);
	}
	return bulla_unseal(engine, call, dev->share);
}

void dev_use_environment(struct dev_options *options)
{
	if (options->token == NULL)
		options->token = environment_get("DEV_ROOT_TOKEN_ID");
	if (options->address == NULL)
		options->address = environment_get("DEV_LISTEN_ADDRESS");
}

static void store_token(const struct dev_options *options, struct bulla_call *call, const char *token)
{
	if (options->no_store_token)
		return;
	if (token_helper_store(call, token) == BULLA_OK) {
		printf("The client commands of this user have the root token already (-dev-no-store-token keeps it from them).\n");
		return;
	}
	printf("The root token could not be kept for the client commands: %.*s\n", (int)call->detail.len, (const char *)call->detail.ptr);
	call->detail = (struct bulla_bytes){ 0 };
}

static void tell_exports(const struct dev_options *options, const struct server_config *config, const struct dev *dev, const char *token)
{
	printf("\n    $ export VAULT_ADDR='%s://%s'\n", options->tls ? "https" : "http", config->listeners[0].address);
	if (dev->ca_file != NULL)
		printf("    $ export VAULT_CACERT='%s'\n", dev->ca_file);
	printf("    $ export VAULT_TOKEN='%s'\n", token);
}

void dev_announce(const struct dev_options *options, const struct server_config *config, const struct dev *dev, struct bulla_call *call)
{
	struct bulla_bytes copy = bulla_arena_copy(call->arena, dev->token);
	const char *token = copy.ptr != NULL ? (const char *)copy.ptr : "";
	char share[SECRETS_MAX] = "";

	if (BULLA_BASE64_LEN(dev->share.len) < sizeof share)
		bulla_base64_encode(dev->share, share);
	printf("WARNING! dev mode is enabled! The server is unsealed, the root token below may do everything, and\n");
	if (options->storage == NULL)
		printf("all data is in memory and lost at the end. Do not use this for anything that matters.\n\n");
	else
		printf("%s.dev holds what opens %s: whoever reads it has all keys.\nDo not use this for anything that matters.\n\n",
		       options->storage, options->storage);
	store_token(options, call, token);
	tell_exports(options, config, dev, token);
	printf("\nUnseal Key: %s\nRoot Token: %s\n\n", share, token);
	fflush(stdout);
	bulla_wipe(share, sizeof share);
}
