/* login.c: login: gets a token from an auth method, and keeps it for the commands that follow. */
#include "commands/commands.h"
#include "commands/output.h"
#include "commands/prompt.h"
#include "commands/token_helper.h"
#include "commands/values.h"


struct login_flags {
	const char *method, *path;
	bool no_store, no_print, token_only;
};

static bool store_token(struct cli *cli, const char *token)
{
	struct bulla_call call = { .arena = cli->arena };

	if (token_helper_store(&call, token) == BULLA_OK)
		return true;
	fprintf(stderr, "Error storing token: %.*s\nThe login was good, but its token is not kept: it is printed below.\n\n",
		(int)call.detail.len, (const char *)call.detail.ptr);
	return false;
}

/* ---- the methods ---------------------------------------------------------------------------------------------------------- */

/* Leaves the reply, whose "auth" has the token, in answer. */
typedef int login_fn(struct cli *cli, const char *mount, json_t *args, struct cli_answer *answer);

static int post_login(struct cli *cli, const char *path, json_t *body, struct cli_answer *answer)
{
	int status = cli_use_token(cli, NULL); /* who one was does not matter, and a token that has ended would be refused */

	return status == CLI_GO_ON ? cli_call(cli, "Error authenticating", "PUT", cli_target(cli, path), body, answer) : status;
}

/* What lookup-self says, in the form of a login's reply. */
static int as_login(const char *token, struct cli_answer *answer)
{
	json_t *data = json_object_get(answer->doc, "data"), *policies = json_object_get(data, "policies");
	json_t *renewable = json_object_get(data, "renewable"), *meta = json_object_get(data, "meta");
	json_t *auth = json_pack("{s:s, s:O*, s:O*, s:O*, s:O*, s:b, s:O*}", "client_token", token, "accessor",
				 json_object_get(data, "accessor"), "policies", policies, "token_policies", policies, "lease_duration",
				 json_object_get(data, "ttl"), "renewable", (int)json_is_true(renewable), "metadata", meta);

	if (auth == NULL)
		cli_out_of_memory();
	json_object_set_new(answer->doc, "auth", auth);
	json_object_set_new(answer->doc, "data", json_null());
	return CLI_GO_ON;
}

static int login_token(struct cli *cli, const char *mount, json_t *args, struct cli_answer *answer)
{
	const char *token = json_string_value(json_object_get(args, "token"));

	(void)mount;
	if (token == NULL)
		token = prompt_secret(cli, "Token (will be hidden): ", "the token");
	if (token == NULL)
		return CLI_SERVER_ERROR;
	int status = cli_use_token(cli, token);

	if (status == CLI_GO_ON)
		status = cli_call(cli, "Error authenticating: error looking up token", "GET", "/v1/auth/token/lookup-self", NULL, answer);
	return status == CLI_GO_ON ? as_login(token, answer) : status;
}

static int login_userpass(struct cli *cli, const char *mount, json_t *args, struct cli_answer *answer)
{
	const char *user = json_string_value(json_object_get(args, "username"));
	const char *password = json_string_value(json_object_get(args, "password"));

	if (user == NULL) {
		fputs("Error authenticating: 'username' must be specified\n", stderr);
		return CLI_SERVER_ERROR;
	}
	if (password == NULL) {
		password = prompt_secret(cli, "Password (will be hidden): ", "the password");
		if (password == NULL)
			return CLI_SERVER_ERROR;
		json_object_set_new(args, "password", json_string(password));
	}
	const char *path = cli_printf(cli, "auth/%slogin/%s", mount, user);

	json_object_del(args, "username");
	return post_login(cli, path, args, answer);
}

static int login_plain(struct cli *cli, const char *mount, json_t *args, struct cli_answer *answer)
{
	return post_login(cli, cli_printf(cli, "auth/%slogin", mount), args, answer);
}

static int login_jwt(struct cli *cli, const char *mount, json_t *args, struct cli_answer *answer)
{
	if (json_object_get(args, "jwt") == NULL) {
		const char *jwt = prompt_secret(cli, "JWT (will be hidden): ", "the token");

		if (jwt == NULL)
			return CLI_SERVER_ERROR;
		json_object_set_new(args, "jwt", json_string(jwt));
	}
	return login_plain(cli, mount, args, answer);
}

struct method {
	const char *name;
	login_fn *fn;
	const char *takes; /* for people */
};

static const struct method methods[] = {
	{ "token", login_token, "  token=TOKEN       what is shown on; alone it may stand without token=\n" },
	{ "userpass", login_userpass, "  username=NAME\n  password=PASSWORD asked for if it is missing\n" },
	{ "approle", login_plain, "  role_id=ID\n  secret_id=ID      where the role demands one\n" },
	{ "cert", login_plain, "  name=NAME         of the role; any that fits if not given\n\nThe certificate is that of -client-cert and -client-key.\n" },
	{ "jwt", login_jwt, "  role=NAME         the method's default role if not given\n  jwt=TOKEN         asked for if it is missing\n" },
};

/* NULL: there is none of that name. */
static const struct method *find_method(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof methods / sizeof methods[0]; i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static login_fn *method_of(const char *name)
{
	const struct method *method = find_method(name);

	if (method != NULL)
		return method->fn;
	fprintf(stderr, "Unknown auth method: %s. Known are token, userpass, approle, cert and jwt.\n", name);
	return NULL;
}

/* ---- the command ----------------------------------------------------------------------------------------------------------- */

/* The token alone, or "-" for standard input, may stand in the place of token=...; NULL: told on stderr. A new reference. */
static json_t *read_arguments(struct cli *cli, const struct login_flags *f)
{
	bool token = strcmp(f->method, "token") == 0 && cli->argc == 1 && strncmp(cli->argv[0], "token=", 6) != 0;

	/* what is no pair may be a secret: it is not repeated */
	for (int i = 0; !token && i < cli->argc; i++)
		if (strchr(cli->argv[i], '=') == NULL && cli->argv[i][0] != '@' && strcmp(cli->argv[i], "-") != 0) {
			fputs("Failed to parse K=V data: an argument is no pair: format must be key=value\n", stderr);
			return NULL;
		}
	if (!token)
		return values_parse(cli, cli->argc, cli->argv);
	const char *text = cli_secret_argument(cli, cli->argv[0]);

	return text != NULL ? json_pack("{s:s}", "token", text) : NULL;
}

static int print_login(struct cli *cli, const struct login_flags *f, struct cli_answer *answer, const char *token, bool stored)
{
	if (f->no_print)
		return CLI_DONE;
	if (f->token_only) {
		fputs(token, stdout);
		return CLI_DONE;
	}
	if (!cli_wants_json(cli) && cli->field == NULL) {
		puts(stored ? "Success! You are now authenticated. The token information displayed below is\nalready stored. Commands that follow use it.\n"
			    : "Success! You are now authenticated. The token information displayed below is\nstored nowhere.\n");
	}
	return output_answer(cli, answer->doc);
}

static int login(struct cli *cli, const struct login_flags *f)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	login_fn *fn = method_of(f->method);
	json_t *args BULLA_CLEANUP(cli_json_clear) = fn != NULL ? read_arguments(cli, f) : NULL;

	if (args == NULL)
		return CLI_LOCAL_ERROR;
	int status = fn(cli, cli_mount_path(cli, f->path != NULL ? f->path : f->method), args, &answer);

	if (status != CLI_GO_ON)
		return status;
	const char *token = json_string_value(json_object_get(json_object_get(answer.doc, "auth"), "client_token"));

	if (token == NULL) {
		fputs("Error authenticating: the answer has no token\n", stderr);
		return CLI_SERVER_ERROR;
	}
	bool stores = !f->no_store && !f->token_only;

	bool stored = stores && store_token(cli, token);

	if (stored && cli_token_is_of_environment())
		fputs("WARNING! A variable of the environment gives another token, which commands go on to use\n\n", stderr);
	status = print_login(cli, f, &answer, token, stored);
	return stores && !stored ? CLI_SERVER_ERROR : status;
}

int command_login(int argc, char **argv)
{
	struct login_flags f = { .method = "token" };
	const struct flag flags[] = {
		{ "method", FLAG_STRING, &f.method, "token (if not given), userpass, approle, cert or jwt." },
		{ "path", FLAG_STRING, &f.path, "Where the method is enabled; its name if not given." },
		{ "no-store", FLAG_BOOL, &f.no_store, "Do not keep the token." },
		{ "no-print", FLAG_BOOL, &f.no_print, "Print nothing." },
		{ "token-only", FLAG_BOOL, &f.token_only, "Print the token alone, and do not keep it." },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "login [options] [TOKEN | K=V...]",
		.about = "  Gets a token and keeps it: in ~/.vault-token, which only its owner can read, or by the token helper. What the method needs is given as K=V: \"-\"\n"
			 "  reads a value from standard input, \"@file\" from a file; passwords and tokens that are missing are asked for. What is on\n"
			 "  the command line is seen by every process of the machine.\n\n"
			 "      $ bulla login -method=userpass username=alice\n"
			 "      $ bulla login -method=approle role_id=... secret_id=@file\n",
		.flags = flags, .min_args = 0, .max_args = -1, .has_field = true, .no_token = true,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	return status == CLI_GO_ON ? login(&cli, &f) : status;
}

/* ---- auth help ------------------------------------------------------------------------------------------------------------ */

/* The method that is enabled at a path; NULL: none, or it was not told (and why not, on stderr). */
static const struct method *method_at(struct cli *cli, const char *path, int *status)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	const char *mount = cli_mount_path(cli, path);
	const struct method *method = NULL;

	*status = cli_call(cli, "Error listing auth methods", "GET", "/v1/sys/auth", NULL, &answer);
	if (*status != CLI_GO_ON)
		return NULL;
	method = find_method(json_string_value(json_object_get(json_object_get(output_data(answer.doc), mount), "type")));
	if (method != NULL)
		return method;
	fprintf(stderr, "No auth method available on the server at \"%s\"\n", mount);
	*status = CLI_LOCAL_ERROR;
	return NULL;
}

int auth_help(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "auth help [options] TYPE | PATH",
		.about = "  Tells how to log in by a method, which is named by its type, or by the path where it is enabled.\n",
		.min_args = 1, .max_args = 1, .no_format = true, .completes = COMPLETES_AUTHS,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const struct method *method = find_method(cli.argv[0]);

	if (method == NULL)
		method = method_at(&cli, cli.argv[0], &status);
	if (method == NULL)
		return status;
	printf("Usage: bulla login -method=%s [-path=PATH] [K=V...]\n\n%s", method->name, method->takes);
	return CLI_DONE;
}
