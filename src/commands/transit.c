/* transit.c: transit import and import-version: a key of one's own goes to the server, wrapped here under the server's wrapping key.
 * The key is in the command's memory only, which is wiped. One thread. */
#include "commands/commands.h"
#include "commands/output.h"
#include "commands/values.h"

#include <bulla/import.h>
#include <errno.h>

#include "http/file.h"

#define KEY_MAX_BYTES ((size_t)16 << 10) /* of base64 */
#define DEFAULT_HASH "SHA256"

enum { CLI_NOT_WRAPPED = 2, CLI_REFUSED = 3 }; /* the peer's exit statuses */

/* PATH/keys/NAME. */
struct key_path {
	const char *mount, *name;
};

static bool split_path(struct cli *cli, const char *path, struct key_path *out)
{
	const char *keys = NULL;

	for (const char *at = strstr(path, "/keys/"); at != NULL; at = strstr(at + 1, "/keys/"))
		keys = at;
	if (keys == NULL || keys == path || keys[strlen("/keys/")] == '\0' || path[strlen(path) - 1] == '/') {
		fputs("expected transit path and key name in the form :path:/keys/:name:\n", stderr);
		return false;
	}
	out->mount = cli_printf(cli, "%.*s", (int)(keys - path), path);
	out->name = keys + strlen("/keys/");
	return true;
}

/* base64, without the line breaks that tools put into it. False: told on stderr, without any of it. */
static bool decode_key(struct cli *cli, const char *text, struct bulla_bytes *out)
{
	size_t len = strlen(text), n = 0, got, bad_at;
	char *packed = bulla_arena_alloc(cli->arena, len + 1);
	uint8_t *key = bulla_arena_alloc(cli->arena, BULLA_BASE64_MAX_DECODED(len) + 1);

	if (packed == NULL || key == NULL)
		cli_out_of_memory();
	for (size_t i = 0; i < len; i++)
		if (text[i] != '\n' && text[i] != '\r')
			packed[n++] = text[i];
	if (bulla_base64_decode(bulla_mem(packed, n), key, &got, &bad_at) == BULLA_OK) {
		*out = bulla_mem(key, got);
		return true;
	}
	fprintf(stderr, "error base64 decoding source key material: illegal base64 data at input byte %zu\n", bad_at);
	return false;
}

/* KEY, @FILE or - (standard input). */
static bool read_key(struct cli *cli, const char *argument, struct bulla_bytes *out)
{
	struct bulla_bytes text;

	if (argument[0] != '@' && strcmp(argument, "-") != 0)
		return decode_key(cli, argument, out);
	const char *path = argument[0] == '@' ? argument + 1 : "/dev/stdin";

	if (file_read(cli->arena, path, KEY_MAX_BYTES, &text))
		return decode_key(cli, (const char *)text.ptr, out);
	fprintf(stderr, "error reading key material file: %s: %s\n", path, strerror(errno));
	return false;
}

/* The wrapping key of the mount; CLI_GO_ON, or the exit status. */
static int fetch_wrapping_key(struct cli *cli, const struct key_path *path, struct cli_answer *answer)
{
	puts("Retrieving wrapping key.");
	int status = cli_send(cli, "failed to fetch wrapping key", "GET", cli_target(cli, cli_printf(cli, "%s/wrapping_key", path->mount)),
			      NULL, answer);

	if (status != CLI_GO_ON)
		return status == CLI_DONE ? status : CLI_REFUSED;
	if (answer->status == 404) {
		fprintf(stderr, "failed to fetch wrapping key: no mount found at %s: <nil>\n", path->mount);
		return CLI_REFUSED;
	}
	if (answer->status < 400)
		return CLI_GO_ON;
	(void)cli_refused("failed to fetch wrapping key", answer);
	return CLI_REFUSED;
}

/* The same hash that the server is told, if any. */
static const char *hash_of(json_t *data)
{
	const char *hash = json_string_value(json_object_get(data, "hash_function"));

	return hash != NULL ? hash : DEFAULT_HASH;
}

static int wrap(struct cli *cli, struct cli_answer *answer, struct bulla_bytes key, json_t *data)
{
	struct bulla_call call = { .arena = cli->arena, .may_block = true };
	const char *pem = json_string_value(json_object_get(output_data(answer->doc), "public_key"));
	struct bulla_bytes wrapped;

	puts("Wrapping source key with ephemeral key.");
	enum bulla_err err = bulla_wrap_for_import(&call, bulla_str(pem != NULL ? pem : ""), bulla_str(hash_of(data)), key, &wrapped);

	if (err != BULLA_OK) {
		struct bulla_bytes text = bulla_call_text(&call, err);

		fprintf(stderr, "%.*s\n", (int)text.len, (const char *)text.ptr);
		return CLI_NOT_WRAPPED;
	}
	puts("Encrypting ephemeral key with wrapping key.");
	json_object_set_new(data, "ciphertext", json_stringn((const char *)wrapped.ptr, wrapped.len));
	return CLI_GO_ON;
}

static int send_key(struct cli *cli, const struct key_path *path, const char *endpoint, json_t *data)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	const char *target = cli_target(cli, cli_printf(cli, "%s/keys/%s/%s", path->mount, path->name, endpoint));

	puts("Submitting wrapped key.");
	int status = cli_call(cli, "failed to call import", "PUT", target, data, &answer);

	if (status == CLI_GO_ON)
		puts("Success!");
	return status == CLI_GO_ON ? CLI_DONE : status == CLI_DONE ? status : CLI_REFUSED;
}

static int import(struct cli *cli, const char *endpoint)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	struct key_path path;
	struct bulla_bytes key;

	if (cli->argc < 2) {
		fprintf(stderr, "Incorrect argument count (expected 2+, got %d). Wanted PATH to import into and KEY material.\n", cli->argc);
		return CLI_LOCAL_ERROR;
	}
	if (!split_path(cli, cli->argv[0], &path) || !read_key(cli, cli->argv[1], &key))
		return CLI_LOCAL_ERROR;
	json_t *data BULLA_CLEANUP(cli_json_clear) = values_parse(cli, cli->argc - 2, cli->argv + 2);

	if (data == NULL)
		return CLI_LOCAL_ERROR;
	int status = fetch_wrapping_key(cli, &path, &answer);

	if (status == CLI_GO_ON)
		status = wrap(cli, &answer, key, data);
	return status == CLI_GO_ON ? send_key(cli, &path, endpoint, data) : status;
}

/* Before libcurl is set up, which uses the same OpenSSL. */
static int run(const struct cli_spec *spec, const char *endpoint, int argc, char **argv)
{
	if (bulla_memory_init(false) != BULLA_OK || bulla_wrap_init() != BULLA_OK) {
		fputs("OpenSSL could not be set up\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, spec, argc, argv);

	return status == CLI_GO_ON ? import(&cli, endpoint) : status;
}

#define ABOUT_KEY \
	"  KEY is base64 of the key: its bytes, or PKCS#8 in DER. @FILE reads it from a file, - from standard input: what is on the\n" \
	"  command line is seen by every process of the machine. It leaves this machine only under the server's wrapping key.\n\n"

static int transit_import(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "transit import [options] PATH KEY [K=V...]",
		.about = "  Makes the transit key at PATH of key material of one's own; K=V are the settings of the new key.\n" ABOUT_KEY
			 "      $ bulla transit import transit/keys/mine @mine.b64 type=rsa-2048\n",
		.max_args = -1, .no_format = true, .completes = COMPLETES_PATHS,
	};

	return run(&spec, "import", argc, argv);
}

static int transit_import_version(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "transit import-version [options] PATH KEY [K=V...]",
		.about = "  Adds key material of one's own as a further version of the imported key at PATH.\n" ABOUT_KEY
			 "      $ bulla transit import-version transit/keys/mine @mine-2.b64\n",
		.max_args = -1, .no_format = true, .completes = COMPLETES_PATHS,
	};

	return run(&spec, "import_version", argc, argv);
}

int command_transit(int argc, char **argv)
{
	static const struct command rows[] = {
		{ "import", transit_import, "Make a key of key material of one's own" },
		{ "import-version", transit_import_version, "Add key material of one's own as a version" },
		{ 0 },
	};

	return commands_run("bulla transit", rows, argc, argv);
}
