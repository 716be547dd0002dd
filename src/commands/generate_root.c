/* generate_root.c: operator generate-root: a new root token, by agreement of those who hold keys. */
#include "commands/commands.h"
#include "commands/output.h"
#include "commands/prompt.h"

struct root_flags {
	const char *otp, *decode, *nonce;
	bool init, cancel, status, generate_otp;
};

/* With a token the endpoint that asks for one; else the one that a listener has to allow. */
static const char *endpoint(struct cli *cli, const char *what)
{
	bool known = cli->config.token != NULL;

	return cli_printf(cli, "/v1/sys/generate-root%s/%s", known ? "-token" : "", what);
}

static void add_text(struct output_table *table, const char *label, json_t *data, const char *name)
{
	const char *text = json_string_value(json_object_get(data, name));

	if (text != NULL && text[0] != '\0')
		output_pairs_add(table, label, text);
}

/* With all members that the peer's client prints, whatever the server says. */
static void print_attempt_json(struct cli *cli, json_t *data)
{
	json_t *all BULLA_CLEANUP(cli_json_clear) = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:b, s:i}", "nonce", "",
		"encoded_token", "", "encoded_root_token", "", "pgp_fingerprint", "", "otp", "", "otp_length", 0, "progress", 0,
		"started", 0, "complete", 0, "required", 0);

	if (all == NULL || json_object_update(all, data) != 0)
		cli_out_of_memory();
	output_json(cli, all, true);
}

static int print_attempt(struct cli *cli, json_t *doc)
{
	json_t *data = output_data(doc);
	struct output_table table;

	if (cli_wants_json(cli)) {
		print_attempt_json(cli, data);
		return CLI_DONE;
	}
	output_table_begin(&table, cli, 2);
	output_pairs_add(&table, "Nonce", json_string_value(json_object_get(data, "nonce")));
	output_pairs_add(&table, "Started", output_value(cli, json_object_get(data, "started")));
	output_pairs_add(&table, "Progress", cli_printf(cli, "%lld/%lld", (long long)json_integer_value(json_object_get(data, "progress")),
							(long long)json_integer_value(json_object_get(data, "required"))));
	output_pairs_add(&table, "Complete", output_value(cli, json_object_get(data, "complete")));
	add_text(&table, "Encoded Token", data, "encoded_token");
	add_text(&table, "OTP", data, "otp");
	if (json_integer_value(json_object_get(data, "otp_length")) > 0)
		output_pairs_add(&table, "OTP Length", output_value(cli, json_object_get(data, "otp_length")));
	output_table_print_rows(&table);
	return CLI_DONE;
}

static int ask(struct cli *cli, const char *what, const char *method, const char *target, json_t *body)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	json_t *owned BULLA_CLEANUP(cli_json_clear) = body;
	int status = cli_call(cli, what, method, target, owned, &answer);

	return status == CLI_GO_ON ? print_attempt(cli, answer.doc) : status;
}

static int cancel(struct cli *cli)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_call(cli, "Error canceling root token generation", "DELETE", endpoint(cli, "attempt"), NULL, &answer);

	if (status != CLI_GO_ON)
		return status;
	puts("Success! Root token generation canceled (if it was started)");
	return CLI_DONE;
}

/* Without the server: what it made leaves this machine once only. */
static int generate_otp(struct cli *cli)
{
	struct bulla_call call = { .arena = cli->arena };
	struct bulla_bytes otp;

	if (bulla_root_otp(&call, &otp) != BULLA_OK) {
		fputs("No randomness\n", stderr);
		return CLI_SERVER_ERROR;
	}
	printf("%.*s\n", (int)otp.len, (const char *)otp.ptr);
	return CLI_DONE;
}

static int decode(struct cli *cli, const struct root_flags *f)
{
	struct bulla_call call = { .arena = cli->arena };
	const char *encoded = cli_secret_argument(cli, f->decode);
	struct bulla_bytes token;

	if (encoded == NULL)
		return CLI_LOCAL_ERROR;
	if (f->otp == NULL) {
		fputs("Missing otp: use -otp to supply it\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	if (bulla_root_decode(&call, bulla_str(encoded), bulla_str(f->otp), &token) != BULLA_OK) {
		fprintf(stderr, "Error decoding root token: %.*s\n", (int)call.detail.len, (const char *)call.detail.ptr);
		return CLI_LOCAL_ERROR;
	}
	printf("%.*s\n", (int)token.len, (const char *)token.ptr);
	return CLI_DONE;
}

/* The nonce says that the share is meant for this attempt: who types the share is shown it, who pipes it has to name it. */
static int give_share(struct cli *cli, const struct root_flags *f)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_call(cli, "Error getting root generation status", "GET", endpoint(cli, "attempt"), NULL, &answer);

	if (status != CLI_GO_ON)
		return status;
	json_t *data = output_data(answer.doc);

	if (!json_is_true(json_object_get(data, "started"))) {
		fputs("No root generation is in progress. Start one with \"bulla operator generate-root -init\".\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	const char *nonce = f->nonce, *key;

	if (cli->argc == 0) {
		nonce = json_string_value(json_object_get(data, "nonce"));
		printf("Operation nonce: %s\n", nonce != NULL ? nonce : "");
		key = prompt_secret(cli, "Unseal Key (will be hidden): ", "the key");
	} else {
		key = cli_secret_argument(cli, cli->argv[0]);
	}
	if (key == NULL)
		return CLI_LOCAL_ERROR;
	if (nonce == NULL) {
		fputs("Missing nonce value: specify it via the -nonce flag\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	json_t *body = json_pack("{s:s, s:s}", "key", key, "nonce", nonce);

	if (body == NULL) {
		fputs("The key is not UTF-8\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	return ask(cli, "Error posting unseal key", "PUT", endpoint(cli, "update"), body);
}

int operator_generate_root(int argc, char **argv)
{
	struct root_flags f = { 0 };
	const struct flag flags[] = {
		{ "init", FLAG_BOOL, &f.init, "Begin; -otp gives the one-time pad, else the server makes one." },
		{ "otp", FLAG_STRING, &f.otp, "The one-time pad, for -init and -decode." },
		{ "generate-otp", FLAG_BOOL, &f.generate_otp, "Print a new one-time pad." },
		{ "decode", FLAG_STRING, &f.decode, "Take the pad off this encoded token, and print the token." },
		{ "status", FLAG_BOOL, &f.status, "Print how far it is." },
		{ "cancel", FLAG_BOOL, &f.cancel, "Give it up." },
		{ "nonce", FLAG_STRING, &f.nonce, "Which attempt the key is for." },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "operator generate-root [options] [KEY]",
		.about = "  Makes a new root token when enough holders of unseal keys (with a static seal: of recovery keys) give theirs. KEY is asked\n"
			 "  for and not shown; \"-\" reads it from standard input. Without a token it needs a listener with\n"
			 "  disable_unauthed_generate_root_endpoints = false.\n\n"
			 "      $ bulla operator generate-root -init\n"
			 "      $ bulla operator generate-root\n"
			 "      $ bulla operator generate-root -decode=... -otp=...\n",
		.flags = flags, .min_args = 0, .max_args = 1,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	if (f.generate_otp)
		return generate_otp(&cli);
	if (f.decode != NULL)
		return decode(&cli, &f);
	if (f.cancel)
		return cancel(&cli);
	if (f.init)
		return ask(&cli, "Error initializing root generation", "PUT", endpoint(&cli, "attempt"), json_pack("{s:s*}", "otp", f.otp));
	if (f.status)
		return ask(&cli, "Error getting root generation status", "GET", endpoint(&cli, "attempt"), NULL);
	return give_share(&cli, &f);
}
