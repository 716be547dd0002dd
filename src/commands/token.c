/* token.c: token create, lookup, renew, revoke and capabilities. */
#include "commands/commands.h"
#include "commands/output.h"
#include "commands/values.h"

/* Sends and prints the answer. Takes over the reference to body. */
static int send_and_print(struct cli *cli, const char *what, const char *method, const char *target, json_t *body)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	json_t *owned BULLA_CLEANUP(cli_json_clear) = body;
	int status = cli_call(cli, what, method, target, owned, &answer);

	return status == CLI_GO_ON ? output_answer(cli, answer.doc) : status;
}

/* A body with the token or accessor that the command line names, or NULL when it cannot be had. */
static json_t *body_for(struct cli *cli, bool accessor)
{
	const char *value = cli_secret_argument(cli, cli->argv[0]);
	json_t *body = value != NULL ? json_pack("{s:s}", accessor ? "accessor" : "token", value) : NULL;

	if (value != NULL && body == NULL)
		fputs("The argument is not UTF-8\n", stderr);
	return body;
}

/* ---- create -------------------------------------------------------------- */

struct create_flags {
	const char *id, *display_name, *type, *role, *entity_alias;
	struct flag_list policies, metadata;
	int64_t ttl_s, period_s, explicit_max_ttl_s, use_limit;
	bool orphan, no_default_policy, renewable;
};

static void set_duration(json_t *body, const char *name, int64_t seconds)
{
	char text[DURATION_TEXT_MAX];

	duration_print(seconds, text);
	json_object_set_new(body, name, json_string(text));
}

static void set_text(json_t *body, const char *name, const char *text)
{
	if (text != NULL)
		json_object_set_new(body, name, json_string(text));
}

static json_t *create_body(struct cli *cli, const struct create_flags *f)
{
	json_t *body = json_pack("{s:s, s:I, s:b, s:s}", "display_name", f->display_name, "num_uses", (json_int_t)f->use_limit,
				 "renewable", (int)f->renewable, "type", f->type);
	json_t *policies = values_of_list(&f->policies), *meta = values_of_pairs(cli, &f->metadata);

	if (body == NULL)
		return NULL;
	set_text(body, "id", f->id);
	set_text(body, "entity_alias", f->entity_alias);
	set_duration(body, "ttl", f->ttl_s);
	set_duration(body, "explicit_max_ttl", f->explicit_max_ttl_s);
	set_duration(body, "period", f->period_s);
	if (f->orphan)
		json_object_set_new(body, "no_parent", json_true());
	if (f->no_default_policy)
		json_object_set_new(body, "no_default_policy", json_true());
	if (policies != NULL)
		json_object_set_new(body, "policies", policies);
	if (meta != NULL)
		json_object_set_new(body, "meta", meta);
	return body;
}

static int token_create(int argc, char **argv)
{
	struct create_flags f = { .display_name = "", .type = "service", .renewable = true };
	const struct flag flags[] = {
		{ "policy", FLAG_LIST, &f.policies, "A policy of the token; may be given many times." },
		{ "ttl", FLAG_DURATION, &f.ttl_s, "How long it lives." },
		{ "period", FLAG_DURATION, &f.period_s, "Each renewal gives it this long, without end." },
		{ "explicit-max-ttl", FLAG_DURATION, &f.explicit_max_ttl_s, "How long it can live at most." },
		{ "use-limit", FLAG_INT, &f.use_limit, "How often it can be used; 0: any number of times." },
		{ "display-name", FLAG_STRING, &f.display_name, "A name, which logs show." },
		{ "metadata", FLAG_PAIRS, &f.metadata, "A pair that logs show; may be given many times." },
		{ "orphan", FLAG_BOOL, &f.orphan, "Without a parent: it outlives the token that makes it." },
		{ "no-default-policy", FLAG_BOOL, &f.no_default_policy, "Without the policy \"default\"." },
		{ "renewable", FLAG_BOOL, &f.renewable, "Whether it can be renewed (true)." },
		{ "type", FLAG_STRING, &f.type, "\"service\" or \"batch\"." },
		{ "id", FLAG_STRING, &f.id, "The token itself, instead of a random one." },
		{ "role", FLAG_STRING, &f.role, "The role to make it by." },
		{ "entity-alias", FLAG_STRING, &f.entity_alias, NULL },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "token create [options]",
		.about = "  Makes a token, a child of the one in use.\n\n      $ bulla token create -policy=default -ttl=1h\n",
		.flags = flags, .has_field = true,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	json_t *body = create_body(&cli, &f);

	if (body == NULL) {
		fputs("An argument is not UTF-8\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	const char *path = f.role != NULL ? cli_printf(&cli, "auth/token/create/%s", f.role) : "auth/token/create";

	return send_and_print(&cli, "Error creating token", "POST", cli_target(&cli, path), body);
}

/* ---- lookup and renew ---------------------------------------------------- */

static int token_lookup(int argc, char **argv)
{
	bool accessor = false;
	const struct flag flags[] = {
		{ "accessor", FLAG_BOOL, &accessor, "The argument is an accessor." },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "token lookup [options] [TOKEN | ACCESSOR]",
		.about = "  Tells of a token, or of the one in use. \"-\" reads it from standard input.\n",
		.flags = flags, .max_args = 1, .has_field = true,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	if (accessor && cli.argc == 0) {
		fputs("Not enough arguments with -accessor (expected 1, got 0)\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	if (cli.argc == 0)
		return send_and_print(&cli, "Error looking up token", "GET", "/v1/auth/token/lookup-self", NULL);
	json_t *body = body_for(&cli, accessor);

	if (body == NULL)
		return CLI_LOCAL_ERROR;
	return send_and_print(&cli, "Error looking up token", "POST",
			      accessor ? "/v1/auth/token/lookup-accessor" : "/v1/auth/token/lookup", body);
}

static int token_renew(int argc, char **argv)
{
	bool accessor = false;
	int64_t increment_s = 0;
	const struct flag flags[] = {
		{ "accessor", FLAG_BOOL, &accessor, "The argument is an accessor." },
		{ "increment", FLAG_DURATION, &increment_s, "How long it shall live from now on. Also: -i." },
		{ "i", FLAG_DURATION, &increment_s, NULL },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "token renew [options] [TOKEN | ACCESSOR]",
		.about = "  Renews a token, or the one in use. \"-\" reads it from standard input.\n",
		.flags = flags, .max_args = 1, .has_field = true,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	if (accessor && cli.argc == 0) {
		fputs("Not enough arguments with -accessor (expected 1, got 0)\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	json_t *body = cli.argc == 1 ? body_for(&cli, accessor) : json_object();

	if (body == NULL)
		return CLI_LOCAL_ERROR;
	json_object_set_new(body, "increment", json_integer(increment_s));
	if (cli.argc == 0)
		return send_and_print(&cli, "Error renewing token", "PUT", "/v1/auth/token/renew-self", body);
	if (accessor)
		return send_and_print(&cli, "Error renewing token", "POST", "/v1/auth/token/renew-accessor", body);
	return send_and_print(&cli, "Error renewing token", "PUT", "/v1/auth/token/renew", body);
}

/* ---- revoke -------------------------------------------------------------- */

struct revoke_flags {
	bool accessor, self;
	const char *mode;
};

/* Whether the flags go together and with the arguments. */
static bool revoke_makes_sense(const struct cli *cli, const struct revoke_flags *f)
{
	const char *mistake = NULL;

	if (f->self && f->accessor)
		mistake = "Cannot use -self with -accessor";
	else if (f->self && f->mode[0] != '\0')
		mistake = "Cannot use -self with -mode";
	else if (f->mode[0] != '\0' && strcmp(f->mode, "orphan") != 0 && strcmp(f->mode, "path") != 0)
		mistake = "Invalid mode: \"orphan\" and \"path\" are known";
	else if (f->accessor && f->mode[0] != '\0')
		mistake = "Cannot use -accessor with -mode";
	else if (f->self && cli->argc > 0)
		mistake = "Too many arguments with -self (expected 0, got 1)";
	else if (!f->self && cli->argc == 0)
		mistake = "Not enough arguments (expected 1 or -self, got 0)";
	if (mistake != NULL)
		fprintf(stderr, "%s\n", mistake);
	return mistake == NULL;
}

static int revoke_path(struct cli *cli)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	const char *path = cli_printf(cli, "sys/leases/revoke-prefix/%s", cli->argv[0]);

	return cli_call(cli, "Error revoking token", "PUT", cli_target(cli, path), NULL, &answer);
}

static int revoke_token(struct cli *cli, const struct revoke_flags *f)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	json_t *body BULLA_CLEANUP(cli_json_clear) = f->self ? NULL : body_for(cli, f->accessor);

	if (body == NULL && !f->self)
		return CLI_LOCAL_ERROR;
	if (f->accessor)
		return cli_call(cli, "Error revoking token", "POST", "/v1/auth/token/revoke-accessor", body, &answer);
	return cli_call(cli, "Error revoking token", "PUT", f->self ? "/v1/auth/token/revoke-self" : f->mode[0] != '\0' ?
			"/v1/auth/token/revoke-orphan" : "/v1/auth/token/revoke", body, &answer);
}

static int token_revoke(int argc, char **argv)
{
	struct revoke_flags f = { .mode = "" };
	const struct flag flags[] = {
		{ "accessor", FLAG_BOOL, &f.accessor, "The argument is an accessor." },
		{ "self", FLAG_BOOL, &f.self, "Revoke the token in use." },
		{ "mode", FLAG_STRING, &f.mode, "\"orphan\": its children live on. \"path\": all tokens that came from that path." },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "token revoke [options] [TOKEN | ACCESSOR | PATH]",
		.about = "  Revokes a token and its children. \"-\" reads it from standard input.\n",
		.flags = flags, .max_args = 1, .no_format = true,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	if (!revoke_makes_sense(&cli, &f))
		return CLI_LOCAL_ERROR;
	status = strcmp(f.mode, "path") == 0 ? revoke_path(&cli) : revoke_token(&cli, &f);
	if (status != CLI_GO_ON)
		return status;
	puts("Success! Revoked token (if it existed)");
	return CLI_DONE;
}

/* ---- capabilities ---------------------------------------------------------- */

/* One line with commas, or a list. */
static int print_capabilities(struct cli *cli, json_t *doc)
{
	json_t *list = json_object_get(output_data(doc), "capabilities"), *item;
	size_t i;

	if (!json_is_array(list)) {
		fputs("Error listing capabilities: the answer names none\n", stderr);
		return CLI_SERVER_ERROR;
	}
	if (cli_wants_json(cli)) {
		output_json(cli, list, true);
		return CLI_DONE;
	}
	json_array_foreach(list, i, item)
		printf("%s%s", i > 0 ? ", " : "", json_is_string(item) ? json_string_value(item) : "");
	putchar('\n');
	return CLI_DONE;
}

static json_t *capabilities_body(struct cli *cli, bool accessor)
{
	json_t *body = cli->argc == 2 ? body_for(cli, accessor) : json_object();

	if (body != NULL && json_object_set_new(body, "path", json_string(cli->argv[cli->argc - 1])) != 0) {
		fputs("The path is not UTF-8\n", stderr);
		json_decref(body);
		return NULL;
	}
	return body;
}

static int token_capabilities(int argc, char **argv)
{
	bool accessor = false;
	const struct flag flags[] = {
		{ "accessor", FLAG_BOOL, &accessor, "The first argument is an accessor." },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "token capabilities [options] [TOKEN | ACCESSOR] PATH",
		.about = "  Tells what a token, or the one in use, may do on a path. \"-\" reads it from standard input.\n",
		.flags = flags, .max_args = 2,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	if (cli.argc < (accessor ? 2 : 1)) {
		fprintf(stderr, "Not enough arguments (expected %s, got %d)\n", accessor ? "2" : "1-2", cli.argc);
		return CLI_LOCAL_ERROR;
	}
	json_t *body BULLA_CLEANUP(cli_json_clear) = capabilities_body(&cli, accessor);

	if (body == NULL)
		return CLI_LOCAL_ERROR;
	const char *target = cli.argc == 1 ? "/v1/sys/capabilities-self" : accessor ? "/v1/sys/capabilities-accessor" :
			     "/v1/sys/capabilities";

	status = cli_call(&cli, "Error listing capabilities", "POST", target, body, &answer);
	return status == CLI_GO_ON ? print_capabilities(&cli, answer.doc) : status;
}

int command_token(int argc, char **argv)
{
	static const struct command rows[] = {
		{ "capabilities", token_capabilities, "Tell what a token may do on a path" },
		{ "create", token_create, "Make a token" },
		{ "lookup", token_lookup, "Tell of a token" },
		{ "renew", token_renew, "Renew a token" },
		{ "revoke", token_revoke, "Revoke a token and its children" },
		{ 0 },
	};

	return commands_run("bulla token", rows, argc, argv);
}
