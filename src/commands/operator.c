/* operator.c: operator init, unseal and seal. */
#include "commands/commands.h"
#include "commands/prompt.h"
#include "commands/status.h"

#include <stdlib.h>

#define DEFAULT_SHARES 5
#define DEFAULT_THRESHOLD 3

/* ---- init ---------------------------------------------------------------- */

struct init_flags {
	int64_t shares, threshold, recovery_shares, recovery_threshold; /* -1: not given */
	bool status;
};

static int init_status(struct cli *cli)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };

	if (cli_call(cli, "Error checking init status", "GET", "/v1/sys/init", NULL, &answer) != CLI_GO_ON)
		return CLI_LOCAL_ERROR;
	bool initialised = json_is_true(json_object_get(answer.doc, "initialized"));

	if (cli_wants_json(cli))
		printf("{\n  \"Initialized\": %s\n}\n", initialised ? "true" : "false");
	else
		puts(initialised ? "Vault is initialized" : "Vault is not initialized");
	return initialised ? CLI_DONE : CLI_SERVER_ERROR;
}

static int64_t or_default(int64_t value, int64_t fallback)
{
	return value >= 0 ? value : fallback;
}

/* What is not given has a default where the server's seal needs it, else it is 0. */
static json_t *init_body(const struct init_flags *flags, bool recovery)
{
	return json_pack("{s:I, s:I, s:I, s:I}",
			 "secret_shares", (json_int_t)or_default(flags->shares, recovery ? 0 : DEFAULT_SHARES),
			 "secret_threshold", (json_int_t)or_default(flags->threshold, recovery ? 0 : DEFAULT_THRESHOLD),
			 "recovery_shares", (json_int_t)or_default(flags->recovery_shares, recovery ? DEFAULT_SHARES : 0),
			 "recovery_threshold", (json_int_t)or_default(flags->recovery_threshold, recovery ? DEFAULT_THRESHOLD : 0));
}

static void print_keys(const char *label, json_t *keys)
{
	json_t *key;
	size_t i;

	json_array_foreach(keys, i, key)
		printf("%s %zu: %s\n", label, i + 1, json_string_value(key));
	if (json_array_size(keys) > 0)
		putchar('\n');
}

static void print_init(json_t *doc, json_t *body, bool recovery)
{
	const char *kind = recovery ? "recovery_shares" : "secret_shares", *limit = recovery ? "recovery_threshold" : "secret_threshold";
	json_int_t shares = json_integer_value(json_object_get(body, kind)), threshold = json_integer_value(json_object_get(body, limit));

	print_keys("Unseal Key", recovery ? NULL : json_object_get(doc, "keys_base64"));
	print_keys("Recovery Key", json_object_get(doc, "recovery_keys_base64"));
	printf("Initial Root Token: %s\n\n", json_string_value(json_object_get(doc, "root_token")));
	if (recovery) {
		puts("Success! Vault is initialized");
		if (shares > 0)
			printf("\nThe recovery key is split into %lld shares, of which %lld are needed. They are shown this once:\n"
			       "give them to different people.\n", (long long)shares, (long long)threshold);
		return;
	}
	printf("Vault initialized with %lld key shares and a key threshold of %lld. They are shown this once: give them to\n"
	       "different people. After each start, and after \"bulla operator seal\", %lld of them open the store again;\n"
	       "with fewer it stays closed for good.\n", (long long)shares, (long long)threshold, (long long)threshold);
}

/* An array of the answer under Vault's name for it. */
static void copy_keys(json_t *out, const char *name, json_t *doc, const char *member)
{
	json_t *keys = json_object_get(doc, member);

	json_object_set(out, name, keys != NULL ? keys : json_null());
}

static void print_init_json(json_t *doc, json_t *body, bool recovery)
{
	json_t *out = json_object();

	if (recovery) {
		json_object_set_new(out, "unseal_keys_b64", json_array());
		json_object_set_new(out, "unseal_keys_hex", json_array());
	} else {
		copy_keys(out, "unseal_keys_b64", doc, "keys_base64");
		copy_keys(out, "unseal_keys_hex", doc, "keys");
	}
	/* under a static seal Vault's CLI counts the seal's own key as the one share */
	json_object_set_new(out, "unseal_shares", json_integer(recovery ? 1 : json_integer_value(json_object_get(body, "secret_shares"))));
	json_object_set_new(out, "unseal_threshold", json_integer(recovery ? 1 : json_integer_value(json_object_get(body, "secret_threshold"))));
	copy_keys(out, "recovery_keys_b64", doc, "recovery_keys_base64");
	copy_keys(out, "recovery_keys_hex", doc, "recovery_keys");
	json_object_set(out, "recovery_keys_shares", json_object_get(body, "recovery_shares"));
	json_object_set(out, "recovery_keys_threshold", json_object_get(body, "recovery_threshold"));
	json_object_set(out, "root_token", json_object_get(doc, "root_token"));
	json_dumpf(out, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(out);
}

static int init_run(struct cli *cli, const struct init_flags *flags)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_call(cli, "Error checking seal status", "GET", "/v1/sys/seal-status", NULL, &answer);

	if (status != CLI_GO_ON)
		return status;
	bool recovery = json_is_true(json_object_get(answer.doc, "recovery_seal"));
	json_t *body = init_body(flags, recovery);

	cli_answer_clear(&answer);
	status = cli_call(cli, "Error initializing", "PUT", "/v1/sys/init", body, &answer);
	if (status == CLI_GO_ON) {
		if (cli_wants_json(cli))
			print_init_json(answer.doc, body, recovery);
		else
			print_init(answer.doc, body, recovery);
		status = CLI_DONE;
	}
	json_decref(body);
	return status;
}

static int operator_init(int argc, char **argv)
{
	struct init_flags values = { -1, -1, -1, -1, false };
	const struct flag flags[] = {
		{ "key-shares", FLAG_INT, &values.shares, "Number of shares of the unseal key (5). Also: -n." },
		{ "n", FLAG_INT, &values.shares, NULL },
		{ "key-threshold", FLAG_INT, &values.threshold, "How many of them open the store (3). Also: -t." },
		{ "t", FLAG_INT, &values.threshold, NULL },
		{ "recovery-shares", FLAG_INT, &values.recovery_shares, "Number of recovery keys, with a static seal (5)." },
		{ "recovery-threshold", FLAG_INT, &values.recovery_threshold, "How many of them are needed (3)." },
		{ "status", FLAG_BOOL, &values.status, "Only tell whether the server is initialised: exit status 0 yes, 2 no, 1 error." },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "operator init [options]",
		.about = "  Initialises a new store: makes its root key and prints the unseal keys and the first root token, once.\n",
		.flags = flags,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON) /* 2 says that it is not initialised */
		return status == CLI_SERVER_ERROR && values.status ? CLI_LOCAL_ERROR : status;
	return values.status ? init_status(&cli) : init_run(&cli, &values);
}

/* ---- unseal and seal ----------------------------------------------------- */

static int send_unseal(struct cli *cli, const char *what, json_t *body)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_call(cli, what, "PUT", "/v1/sys/unseal", body, &answer);

	json_decref(body);
	return status == CLI_GO_ON ? status_print(cli, answer.doc) : status;
}

static int operator_unseal(int argc, char **argv)
{
	bool reset = false, migrate = false;
	const struct flag flags[] = {
		{ "reset", FLAG_BOOL, &reset, "Forget the shares given so far." },
		{ "migrate", FLAG_BOOL, &migrate, NULL },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "operator unseal [options] [KEY]",
		.about = "  Gives one share of the unseal key to a sealed server. Without KEY it is asked for and not shown; \"-\" reads it from\n"
			 "  standard input. A key on the command line is seen by every process of the machine.\n",
		.flags = flags, .min_args = 0, .max_args = 1,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	if (reset)
		return send_unseal(&cli, "Error resetting unseal process", json_pack("{s:b}", "reset", 1));
	bool given = cli.argc == 1 && cli.argv[0][0] != '\0';
	const char *key = given ? cli_secret_argument(&cli, cli.argv[0]) : prompt_secret(&cli, "Unseal Key (will be hidden): ", "the key");

	if (key == NULL)
		return CLI_LOCAL_ERROR;
	json_t *body = json_pack("{s:s, s:b, s:b}", "key", key, "reset", 0, "migrate", (int)migrate);

	if (body == NULL) {
		fputs("The key is not UTF-8\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	return send_unseal(&cli, "Error unsealing", body);
}

static int operator_seal(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "operator seal [options]",
		.about = "  Seals the server: it forgets its keys and answers nothing until it is unsealed.\n",
		.no_format = true,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status == CLI_GO_ON)
		status = cli_call(&cli, "Error sealing", "PUT", "/v1/sys/seal", NULL, &answer);
	if (status != CLI_GO_ON)
		return status;
	puts("Success! Vault is sealed.");
	return CLI_DONE;
}

int command_operator(int argc, char **argv)
{
	static const struct command rows[] = {
		{ "generate-root", operator_generate_root, "Make a new root token, by agreement of those who hold keys" },
		{ "init", operator_init, "Initialise a new store" },
		{ "key-status", operator_key_status, "Tell of the barrier's key" },
		{ "rotate", operator_rotate, "Give the barrier a new key" },
		{ "seal", operator_seal, "Seal the server" },
		{ "unseal", operator_unseal, "Give the server a share of its unseal key" },
		{ "validate-config", operator_validate_config, "Tell what is wrong in configuration files" },
		{ 0 },
	};

	return commands_run("bulla operator", rows, argc, argv);
}
