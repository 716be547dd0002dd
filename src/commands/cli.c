/* cli.c: owns the life of a client command: its line, its environment, its requests and what is said when one is refused. */
#include "commands/cli.h"
#include "commands/preview.h"

#include <bulla/duration.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_ADDRESS "https://127.0.0.1:8200"
#define TOKEN_FILE_MAX_BYTES 8192

const char *cli_out_of_memory(void)
{
	fputs("out of memory\n", stderr);
	exit(CLI_LOCAL_ERROR);
}

const char *cli_printf(struct cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct bulla_bytes text = bulla_arena_vprintf(cli->arena, format, args);

	va_end(args);
	if (text.ptr == NULL)
		cli_out_of_memory();
	return (const char *)text.ptr;
}

/* BULLA_NAME, then BAO_NAME, then VAULT_NAME; an empty value counts as none. */
static const char *environment(struct cli *cli, const char *name)
{
	static const char *const prefixes[] = { "BULLA_", "BAO_", "VAULT_" };

	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		const char *value = getenv(cli_printf(cli, "%s%s", prefixes[i], name));

		if (value != NULL && value[0] != '\0')
			return value;
	}
	return NULL;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A borrowed copy without the white space around it. */
static const char *trimmed(struct cli *cli, const char *text, size_t len)
{
	while (len > 0 && is_space(text[len - 1]))
		len--;
	while (len > 0 && is_space(*text)) {
		text++;
		len--;
	}
	struct bulla_bytes copy = bulla_arena_copy(cli->arena, bulla_mem(text, len));

	if (copy.ptr == NULL)
		cli_out_of_memory();
	return (const char *)copy.ptr;
}

static const char *token_in_file(struct cli *cli, const char *home, const char *name)
{
	char text[TOKEN_FILE_MAX_BYTES];
	FILE *file = fopen(cli_printf(cli, "%s/%s", home, name), "re");

	if (file == NULL)
		return NULL;
	setvbuf(file, NULL, _IONBF, 0);
	size_t n = fread(text, 1, sizeof text, file);
	const char *token = trimmed(cli, text, n);

	fclose(file);
	bulla_wipe(text, sizeof text);
	return token[0] != '\0' ? token : NULL;
}

static const char *find_token(struct cli *cli)
{
	const char *token = environment(cli, "TOKEN");
	const char *home = getenv("HOME");

	if (token == NULL && home != NULL)
		token = token_in_file(cli, home, ".bulla-token");
	if (token == NULL && home != NULL)
		token = token_in_file(cli, home, ".vault-token");
	return token;
}

static bool environment_bool(struct cli *cli, const char *name, bool *out)
{
	const char *value = environment(cli, name);

	if (value == NULL || flags_parse_bool(value, out))
		return true;
	fprintf(stderr, "BULLA_%s, BAO_%s or VAULT_%s is neither true nor false: %s\n", name, name, name, value);
	return false;
}

static int read_environment(struct cli *cli)
{
	struct client_config *config = &cli->config;
	const char *address = environment(cli, "ADDR");

	config->address = address != NULL ? address : DEFAULT_ADDRESS;
	config->ca_cert = environment(cli, "CACERT");
	config->ca_path = environment(cli, "CAPATH");
	config->ca_bytes = environment(cli, "CACERT_BYTES");
	config->tls_server_name = environment(cli, "TLS_SERVER_NAME");
	config->wrap_ttl = environment(cli, "WRAP_TTL");
	config->client_cert = environment(cli, "CLIENT_CERT");
	config->client_key = environment(cli, "CLIENT_KEY");
	config->namespace_ = environment(cli, "NAMESPACE");
	config->token = find_token(cli);
	const char *format = environment(cli, "FORMAT");

	cli->format = format != NULL ? format : "table";
	return environment_bool(cli, "SKIP_VERIFY", &config->tls_skip_verify) ? CLI_GO_ON : CLI_LOCAL_ERROR;
}

static int check_arguments(const struct cli *cli, const struct cli_spec *spec)
{
	bool range = spec->max_args != spec->min_args;

	for (int i = 0; i < cli->argc; i++)
		if (cli->argv[i][0] == '-' && cli->argv[i][1] != '\0' && spec->max_args >= 0)
			fprintf(stderr, "Command flags must be provided before positional arguments. "
					"The following arguments will not be parsed as flags: [%s]\n", cli->argv[i]);
	if (cli->argc < spec->min_args) {
		fprintf(stderr, "Not enough arguments (expected %s%d, got %d)\n", range ? "at least " : "", spec->min_args, cli->argc);
		return CLI_LOCAL_ERROR;
	}
	if (spec->max_args >= 0 && cli->argc > spec->max_args) {
		fprintf(stderr, "Too many arguments (expected %d, got %d)\n", spec->max_args, cli->argc);
		return CLI_LOCAL_ERROR;
	}
	return CLI_GO_ON;
}

static void print_help(const struct cli_spec *spec, const struct flag *http, const struct flag *output)
{
	printf("Usage: bulla %s\n\n%s", spec->usage, spec->about);
	if (spec->flags != NULL)
		flags_print(stdout, "Command Options", spec->flags);
	flags_print(stdout, "Output Options", output);
	flags_print(stdout, "HTTP Options", http);
}

static bool is_format(const char *text)
{
	static const char *const formats[] = { "table", "json", "yaml", "yml", "raw" };

	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (strcmp(text, formats[i]) == 0)
			return true;
	return false;
}

static int parse(struct cli *cli, const struct cli_spec *spec, int argc, char **argv)
{
	static const struct flag none[] = { { 0 } };
	const struct flag http[] = {
		{ "address", FLAG_STRING, &cli->config.address, "Where the server is: http(s)://HOST:PORT or unix:///PATH (BULLA_ADDR, VAULT_ADDR)." },
		{ "ca-cert", FLAG_STRING, &cli->config.ca_cert, "PEM file with the CA of the server's certificate (BULLA_CACERT, VAULT_CACERT)." },
		{ "ca-path", FLAG_STRING, &cli->config.ca_path, "Folder of such files (BULLA_CAPATH, VAULT_CAPATH)." },
		{ "client-cert", FLAG_STRING, &cli->config.client_cert, "PEM file to show to the server (BULLA_CLIENT_CERT, VAULT_CLIENT_CERT)." },
		{ "client-key", FLAG_STRING, &cli->config.client_key, "Its private key (BULLA_CLIENT_KEY, VAULT_CLIENT_KEY)." },
		{ "tls-skip-verify", FLAG_BOOL, &cli->config.tls_skip_verify, "Do not verify the server's certificate (BULLA_SKIP_VERIFY, VAULT_SKIP_VERIFY)." },
		{ "tls-server-name", FLAG_STRING, &cli->config.tls_server_name, "The name that the server's certificate must have (BULLA_TLS_SERVER_NAME ...)." },
		{ "wrap-ttl", FLAG_STRING, &cli->wrap_ttl, "Wrap the answer in a token that holds it so long (BULLA_WRAP_TTL ...)." },
		{ "header", FLAG_LIST, &cli->headers, "A further header, name=value; may be given many times." },
		{ "namespace", FLAG_STRING, &cli->config.namespace_, "The namespace: there is only root here (BULLA_NAMESPACE ...). Also: -ns." },
		{ "ns", FLAG_STRING, &cli->config.namespace_, NULL },
		{ "non-interactive", FLAG_BOOL, &cli->non_interactive, "Ask for nothing on the terminal." },
		{ "output-curl-string", FLAG_BOOL, &cli->curl_string, "Send nothing: print the request as a line for curl." },
		{ "output-policy", FLAG_BOOL, &cli->policy, "Send nothing: print a policy that allows the request." },
		{ 0 },
	};
	struct flag output[3] = { 0 }, *next = output;
	const struct flag *tables[] = { spec->flags != NULL ? spec->flags : none, http, output, NULL };

	if (!spec->no_format)
		*next++ = (struct flag){ "format", FLAG_STRING, &cli->format, "How to print: table, json, yaml or raw (BULLA_FORMAT, BAO_FORMAT, VAULT_FORMAT)." };
	if (spec->has_field)
		*next++ = (struct flag){ "field", FLAG_STRING, &cli->field, "Print only this field, without a line break on a pipe." };
	switch (flags_parse(tables, &argc, argv)) {
	case FLAGS_OK:
		break;
	case FLAGS_HELP:
		print_help(spec, http, output);
		return CLI_DONE;
	case FLAGS_WRONG:
		return CLI_LOCAL_ERROR;
	}
	if (!spec->no_format && !is_format(cli->format)) {
		fprintf(stderr, "Invalid output format: %s\n", cli->format);
		return CLI_LOCAL_ERROR;
	}
	cli->argc = argc - 1;
	cli->argv = argv + 1;
	return check_arguments(cli, spec);
}

/* The flag's goes before the environment's. What is less than a second goes as it is: the server wraps for one. */
static bool use_wrap_ttl(struct cli *cli)
{
	struct bulla_call call = { .arena = cli->arena };
	char text[DURATION_TEXT_MAX];
	int64_t s = 0;

	if (cli->wrap_ttl == NULL)
		return true;
	if (duration_parse(&call, bulla_str(cli->wrap_ttl), &s) != BULLA_OK || s < 0 || strchr("-", cli->wrap_ttl[0]) != NULL) {
		fprintf(stderr, "invalid value \"%s\" for flag -wrap-ttl\n", cli->wrap_ttl);
		return false;
	}
	duration_print(s, text);
	cli->config.wrap_ttl = s > 0 ? cli_printf(cli, "%s", text) : strpbrk(cli->wrap_ttl, "123456789") != NULL ? cli->wrap_ttl : NULL;
	return true;
}

int cli_begin(struct cli *cli, const struct cli_spec *spec, int argc, char **argv)
{
	char error[CLIENT_ERROR_MAX];

	memset(cli, 0, sizeof *cli);
	if (bulla_memory_init(false) != BULLA_OK)
		cli_out_of_memory();
	json_set_alloc_funcs(bulla_wiping_malloc, bulla_wiping_free);
	cli->arena = bulla_arena_new(4096);
	if (cli->arena == NULL)
		cli_out_of_memory();
	int status = read_environment(cli);

	if (status == CLI_GO_ON)
		status = parse(cli, spec, argc, argv);
	if (status != CLI_GO_ON)
		return status;
	if (!use_wrap_ttl(cli))
		return CLI_LOCAL_ERROR;
	cli->config.headers = cli->headers.items;
	cli->config.header_count = cli->headers.count;
	cli->client = client_new(&cli->config, error);
	if (cli->client == NULL) {
		fprintf(stderr, "%s\n", error);
		return CLI_LOCAL_ERROR;
	}
	return CLI_GO_ON;
}

void cli_end(struct cli *cli)
{
	client_free(cli->client);
	bulla_arena_free(cli->arena);
}

void cli_answer_clear(struct cli_answer *answer)
{
	json_decref(answer->doc);
	answer->doc = NULL;
}

void cli_json_clear(json_t **json)
{
	json_decref(*json);
}

bool cli_wants_json(const struct cli *cli)
{
	return strcmp(cli->format, "table") != 0;
}

bool cli_wants_yaml(const struct cli *cli)
{
	return strcmp(cli->format, "yaml") == 0 || strcmp(cli->format, "yml") == 0;
}

/* Characters that stand as they are (RFC 3986): in a path what Go leaves, in a query only the unreserved. */
#define UNRESERVED "-._~"
#define IN_PATH UNRESERVED "$&+,:;=@"

static bool stands(char c, const char *others)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(others, c) != NULL);
}

static const char *escaped(struct cli *cli, const char *text, size_t len, const char *others)
{
	char *out = bulla_arena_alloc(cli->arena, 3 * len + 1), *at = out;

	if (out == NULL)
		cli_out_of_memory();
	for (size_t i = 0; i < len; i++) {
		if (stands(text[i], others))
			*at++ = text[i];
		else
			at += sprintf(at, "%%%02X", (unsigned char)text[i]);
	}
	return out;
}

/* Cuts the last segment of "/v1/a/b", but not "/v1". */
static const char *without_last(struct cli *cli, const char *target)
{
	const char *cut = strrchr(target, '/');

	return cut == target ? target : cli_printf(cli, "%.*s", (int)(cut - target), target);
}

const char *cli_target(struct cli *cli, const char *path)
{
	const char *target = "/v1";

	while (*path != '\0') {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", 2) == 0)
			target = without_last(cli, target);
		else if (len > 0 && !(len == 1 && *path == '.'))
			target = cli_printf(cli, "%s/%s", target, escaped(cli, path, len, IN_PATH));
		path += len + (path[len] == '/');
	}
	return target;
}

static const char *with_pair(struct cli *cli, const char *target, const char *key, const char *value)
{
	return cli_printf(cli, "%s%c%s=%s", target, strchr(target, '?') != NULL ? '&' : '?',
			  escaped(cli, key, strlen(key), UNRESERVED), escaped(cli, value, strlen(value), UNRESERVED));
}

const char *cli_target_with(struct cli *cli, const char *target, json_t *query)
{
	const char *key;
	json_t *value, *item;
	size_t i;

	json_object_foreach(query, key, value) {
		if (json_is_string(value))
			target = with_pair(cli, target, key, json_string_value(value));
		json_array_foreach(value, i, item)
			target = with_pair(cli, target, key, json_string_value(item));
	}
	return target;
}

const char *cli_mount_path(struct cli *cli, const char *path)
{
	while (*path == '/')
		path++;
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	return cli_printf(cli, "%.*s/", (int)len, path);
}

int cli_send(struct cli *cli, const char *what, const char *method, const char *target, json_t *body, struct cli_answer *answer)
{
	char error[CLIENT_ERROR_MAX];
	struct client_answer raw = { 0 };

	if (cli->curl_string || cli->policy) {
		if (cli->curl_string)
			preview_curl(cli, method, target, body);
		else
			preview_policy(method, target);
		return CLI_DONE;
	}
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	if (body != NULL && text == NULL)
		cli_out_of_memory();
	bool writes = strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0 || strcmp(method, "PATCH") == 0;
	struct bulla_bytes bytes = text != NULL ? bulla_str(text) : writes ? bulla_mem("", 0) : (struct bulla_bytes){ 0 };
	bool came = client_send(cli->client, method, target, bytes, &raw, error);

	bulla_wiping_free(text);
	*answer = (struct cli_answer){
		.status = raw.status, .method = method, .url = cli_printf(cli, "%s%s", client_base(cli->client), target), .body = raw.body,
	};
	if (!came) {
		fprintf(stderr, "%s: %s \"%s\": %s\n", what, method, answer->url, error);
		return CLI_SERVER_ERROR;
	}
	cli->body = raw.body;
	answer->doc = json_loadb((const char *)raw.body.ptr, raw.body.len, JSON_ALLOW_NUL, NULL);
	return CLI_GO_ON;
}

int cli_refused(const char *what, const struct cli_answer *answer)
{
	json_t *errors = json_object_get(answer->doc, "errors");
	json_t *text;
	size_t i;

	fprintf(stderr, "%s: Error making API request.\n\nURL: %s %s\nCode: %d. ", what, answer->method, answer->url, answer->status);
	if (answer->doc == NULL) {
		fprintf(stderr, "Raw Message:\n\n%.*s\n", (int)(answer->body.len < 4096 ? answer->body.len : 4096), (const char *)answer->body.ptr);
		return CLI_SERVER_ERROR;
	}
	fputs("Errors:\n\n", stderr);
	json_array_foreach(errors, i, text)
		fprintf(stderr, "* %s\n", json_is_string(text) ? json_string_value(text) : "?");
	return CLI_SERVER_ERROR;
}

int cli_call(struct cli *cli, const char *what, const char *method, const char *target, json_t *body, struct cli_answer *answer)
{
	int status = cli_send(cli, what, method, target, body, answer);

	if (status == CLI_GO_ON && (answer->status < 200 || answer->status >= 300))
		status = cli_refused(what, answer);
	return status;
}

int cli_use_token(struct cli *cli, const char *token)
{
	char error[CLIENT_ERROR_MAX];

	client_free(cli->client);
	cli->config.token = token;
	cli->client = client_new(&cli->config, error);
	if (cli->client != NULL)
		return CLI_GO_ON;
	fprintf(stderr, "%s\n", error);
	return CLI_LOCAL_ERROR;
}

bool cli_token_is_of_environment(struct cli *cli)
{
	return environment(cli, "TOKEN") != NULL;
}

const char *cli_secret_argument(struct cli *cli, const char *argument)
{
	char line[TOKEN_FILE_MAX_BYTES];

	if (strcmp(argument, "-") != 0)
		return argument;
	setvbuf(stdin, NULL, _IONBF, 0);
	if (fgets(line, sizeof line, stdin) == NULL) {
		fputs("Nothing could be read from standard input\n", stderr);
		return NULL;
	}
	const char *value = trimmed(cli, line, strlen(line));

	bulla_wipe(line, sizeof line);
	return value;
}
