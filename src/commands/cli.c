/* cli.c: owns the life of a client command: its line, its environment, its requests and what is said when one is refused. */
#include "commands/cli.h"

#include <bulla/duration.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "commands/completion.h"
#include "commands/environment.h"
#include "commands/preview.h"
#include "commands/token_helper.h"

#define DEFAULT_ADDRESS "https://127.0.0.1:8200"

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

/* The token of the environment, or that which is kept. */
static int find_token(struct cli *cli)
{
	struct bulla_call call = { .arena = cli->arena };

	cli->config.token = environment_get("TOKEN");
	if (cli->config.token != NULL || token_helper_get(&call, &cli->config.token) == BULLA_OK)
		return CLI_GO_ON;
	fprintf(stderr, "failed to get token helper: %.*s\n", (int)call.detail.len, (const char *)call.detail.ptr);
	return CLI_SERVER_ERROR;
}

static int environment_bool(const char *name, bool *out)
{
	const char *value = environment_get(name);

	if (value == NULL || flags_parse_bool(value, out))
		return CLI_GO_ON;
	fprintf(stderr, "failed to read environment: could not parse BULLA_%s, BAO_%s or VAULT_%s\n", name, name, name);
	return CLI_SERVER_ERROR;
}

static int read_environment(struct cli *cli)
{
	struct client_config *config = &cli->config;
	const char *format = environment_get("FORMAT");

	cli->agent_address = environment_get("AGENT_ADDR");
	config->ca_cert = environment_get("CACERT");
	config->ca_path = environment_get("CAPATH");
	config->ca_bytes = environment_get("CACERT_BYTES");
	config->tls_server_name = environment_get("TLS_SERVER_NAME");
	config->wrap_ttl = environment_get("WRAP_TTL");
	config->client_cert = environment_get("CLIENT_CERT");
	config->client_key = environment_get("CLIENT_KEY");
	config->namespace_ = environment_get("NAMESPACE");
	config->mfa = environment_get("MFA");
	cli->format = format != NULL ? format : "table";
	return environment_bool("SKIP_VERIFY", &config->tls_skip_verify);
}

static int check_arguments(struct cli *cli, const struct cli_spec *spec)
{
	bool range = spec->max_args != spec->min_args;

	for (int i = 0; i < cli->argc; i++)
		if (cli->argv[i][0] == '-' && cli->argv[i][1] != '\0' && spec->max_args >= 0)
			fprintf(stderr, "Command flags must be provided before positional arguments. "
					"The following arguments will not be parsed as flags: [%s]\n",
				flags_looks_like_one(cli->argv[i], strcspn(cli->argv[i], "=")) ? cli_printf(cli, "%.*s",
				(int)strcspn(cli->argv[i], "="), cli->argv[i]) : "...");
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

/* The format in lower case; false: told on stderr. */
static bool check_format(struct cli *cli, const struct cli_spec *spec)
{
	static const char *const formats[] = { "table", "json", "yaml", "yml", "raw" };
	char *format = (char *)(uintptr_t)cli_printf(cli, "%s", cli->format);
	bool known = false;

	for (char *c = format; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		known = known || strcmp(format, formats[i]) == 0;
	cli->format = format;
	if (!known)
		fprintf(stderr, "Invalid output format: %s\n", format);
	else if (strcmp(format, "raw") == 0 && !spec->has_raw)
		fputs("This command does not support the -format=raw option.\n", stderr);
	return known && (strcmp(format, "raw") != 0 || spec->has_raw);
}

/* What is given as empty is not given; and what is then given for the address. */
static void drop_empty(struct cli *cli)
{
	if (cli->field != NULL && cli->field[0] == '\0')
		cli->field = NULL;
	if (cli->config.address == NULL || cli->config.address[0] == '\0')
		cli->config.address = environment_get("ADDR");
	if (cli->config.address == NULL)
		cli->config.address = DEFAULT_ADDRESS;
	if (cli->agent_address != NULL && cli->agent_address[0] != '\0')
		cli->config.address = cli->agent_address;
}

static int parse(struct cli *cli, const struct cli_spec *spec, int argc, char **argv)
{
	static const struct flag none[] = { { 0 } };
	bool no_redirects;
	const struct flag http[] = {
		{ "address", FLAG_STRING, &cli->config.address, "Where the server is: http(s)://HOST:PORT or unix:///PATH (BULLA_ADDR, VAULT_ADDR)." },
		{ "ca-cert", FLAG_STRING, &cli->config.ca_cert, "PEM file with the CA of the server's certificate (BULLA_CACERT, VAULT_CACERT)." },
		{ "ca-path", FLAG_STRING, &cli->config.ca_path, "Folder of such files, of any names (BULLA_CAPATH, VAULT_CAPATH)." },
		{ "client-cert", FLAG_STRING, &cli->config.client_cert, "PEM file to show to the server (BULLA_CLIENT_CERT, VAULT_CLIENT_CERT)." },
		{ "client-key", FLAG_STRING, &cli->config.client_key, "Its private key (BULLA_CLIENT_KEY, VAULT_CLIENT_KEY)." },
		{ "tls-skip-verify", FLAG_BOOL, &cli->config.tls_skip_verify, "Do not verify the server's certificate (BULLA_SKIP_VERIFY, VAULT_SKIP_VERIFY)." },
		{ "tls-server-name", FLAG_STRING, &cli->config.tls_server_name, "The name that the server's certificate must have (BULLA_TLS_SERVER_NAME ...)." },
		{ "wrap-ttl", FLAG_STRING, &cli->wrap_ttl, "Wrap the answer in a token that holds it so long (BULLA_WRAP_TTL ...)." },
		{ "header", FLAG_PAIRS, &cli->headers, "A further header, name=value; may be given many times." },
		{ "agent-address", FLAG_STRING, &cli->agent_address, "Of an agent in front of the server, to be asked instead (BULLA_AGENT_ADDR ...)." },
		{ "disable-redirects", FLAG_BOOL, &no_redirects, "Redirects are never followed: the token would go along." },
		{ "mfa", FLAG_STRING, &cli->config.mfa, "Sent as the header X-Vault-MFA (BULLA_MFA ...)." },
		{ "namespace", FLAG_STRING, &cli->config.namespace_, "The namespace: there is only root here (BULLA_NAMESPACE ...). Also: -ns." },
		{ "ns", FLAG_STRING, &cli->config.namespace_, NULL },
		{ "policy-override", FLAG_BOOL, &cli->config.policy_override, "Sent as the header X-Vault-Policy-Override." },
		{ "non-interactive", FLAG_BOOL, &cli->non_interactive, "Ask for nothing on the terminal." },
		{ "output-curl-string", FLAG_BOOL, &cli->curl_string, "Send nothing: print the request as a line for curl." },
		{ "output-policy", FLAG_BOOL, &cli->policy, "Send nothing: print a policy that allows the request." },
		{ 0 },
	};
	struct flag output[3] = { 0 }, *next = output;
	const struct flag *tables[] = { spec->flags != NULL ? spec->flags : none, spec->no_http ? none : http, output, NULL };

	if (!spec->no_format)
		*next++ = (struct flag){ "format", FLAG_STRING, &cli->format, "How to print: table, json, yaml or raw (BULLA_FORMAT, BAO_FORMAT, VAULT_FORMAT)." };
	if (spec->has_field)
		*next++ = (struct flag){ "field", FLAG_STRING, &cli->field, "Print only this field, without a line break on a pipe." };
	switch (flags_parse(tables, &argc, argv)) {
	case FLAGS_OK:
		break;
	case FLAGS_HELP:
		print_help(spec, tables[1], output);
		return CLI_DONE;
	case FLAGS_WRONG:
		return CLI_LOCAL_ERROR;
	case FLAGS_COMPLETED:
		drop_empty(cli);
		if (argc > 0)
			completion_want(argc <= 2 || spec->max_args != 1 ? spec->completes : COMPLETES_NOTHING, argv[argc - 1]);
		return CLI_GO_ON;
	}
	drop_empty(cli);
	if (!spec->no_format && !check_format(cli, spec))
		return CLI_LOCAL_ERROR;
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

static int begin(struct cli *cli, const struct cli_spec *spec, int argc, char **argv)
{
	char error[CLIENT_ERROR_MAX];

	memset(cli, 0, sizeof *cli);
	if (bulla_memory_init(false) != BULLA_OK)
		cli_out_of_memory();
	json_set_alloc_funcs(bulla_wiping_malloc, bulla_wiping_free);
	cli->arena = bulla_arena_new(4096);
	if (cli->arena == NULL)
		cli_out_of_memory();
	int environment = read_environment(cli), status = parse(cli, spec, argc, argv);

	if (status != CLI_GO_ON || spec->no_http)
		return status;
	if (!use_wrap_ttl(cli))
		return CLI_LOCAL_ERROR;
	status = environment == CLI_GO_ON && !spec->no_token ? find_token(cli) : environment;
	if (status != CLI_GO_ON)
		return status;
	cli->config.headers = cli->headers.items;
	cli->config.header_count = cli->headers.count;
	cli->config.hurries = completion_is_on();
	cli->client = client_new(&cli->config, error);
	if (cli->client == NULL) {
		fprintf(stderr, "%s\n", error);
		return CLI_SERVER_ERROR;
	}
	return CLI_GO_ON;
}

/* A line that is to be completed ends here, whatever it would do. */
int cli_begin(struct cli *cli, const struct cli_spec *spec, int argc, char **argv)
{
	int status = begin(cli, spec, argc, argv);

	if (!completion_is_on())
		return status;
	if (status == CLI_GO_ON && cli->client != NULL)
		completion_ask(cli);
	return CLI_DONE;
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

/* Not every answer is a document; but one with a number that is not held here must not pass for one without data. */
static int read_document(struct cli *cli, const char *what, struct cli_answer *answer)
{
	json_error_t error;

	answer->doc = json_loadb((const char *)answer->body.ptr, answer->body.len, JSON_ALLOW_NUL, &error);
	if (answer->doc != NULL || json_error_code(&error) != json_error_numeric_overflow || strcmp(cli->format, "raw") == 0)
		return CLI_GO_ON;
	fprintf(stderr, "%s: the answer has a number of more than 64 bits; read -format=raw prints it\n", what);
	return CLI_SERVER_ERROR;
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
	return read_document(cli, what, answer);
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

bool cli_token_is_of_environment(void)
{
	return environment_get("TOKEN") != NULL;
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

const char *cli_secret_argument(struct cli *cli, const char *argument)
{
	char line[TOKEN_MAX_BYTES];

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
