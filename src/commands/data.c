/* data.c: read, write, list and delete: any path of the API. */
#include "commands/commands.h"
#include "commands/output.h"
#include "commands/values.h"

/* Vault's client takes a 404 for an empty answer, whatever it says, unless it brings data or warnings. */
static bool is_nothing(const struct cli_answer *answer)
{
	if (answer->status != 404 && answer->status != 204)
		return false;
	return !json_is_object(json_object_get(answer->doc, "data")) && json_array_size(json_object_get(answer->doc, "warnings")) == 0;
}

/* GET of a target; CLI_GO_ON when there is an answer to print. Nothing is told of nothing where empty is to be printed for it. */
static int get(struct cli *cli, const char *verb, const char *path, const char *target, const char *empty, struct cli_answer *answer)
{
	const char *what = cli_printf(cli, "Error %s %s", verb, path);
	int status = cli_send(cli, what, "GET", target, NULL, answer);

	if (status != CLI_GO_ON)
		return status;
	if (is_nothing(answer)) {
		if (empty != NULL)
			puts(empty);
		else
			fprintf(stderr, "No value found at %s\n", path);
		return CLI_SERVER_ERROR;
	}
	if (answer->status >= 300 && answer->status != 404)
		return cli_refused(what, answer);
	return CLI_GO_ON;
}

int command_read(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "read [options] PATH [K=V...]",
		.about = "  Reads what is at the path; K=V pairs go into the query.\n\n"
			 "      $ bulla read transit/keys/cards\n",
		.min_args = 1, .max_args = -1, .has_field = true, .has_raw = true, .completes = COMPLETES_PATHS,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	json_t *query BULLA_CLEANUP(cli_json_clear) = values_parse(&cli, cli.argc - 1, cli.argv + 1);

	if (query == NULL)
		return CLI_LOCAL_ERROR;
	status = get(&cli, "reading", cli.argv[0], cli_target_with(&cli, cli_target(&cli, cli.argv[0]), query), NULL, &answer);
	return status == CLI_GO_ON ? output_answer(&cli, answer.doc) : status;
}

static void print_keys(struct cli *cli, json_t *keys)
{
	struct output_table table;
	json_t *key;
	size_t i;

	output_table_begin(&table, cli, 1);
	output_table_add(&table, "Keys");
	json_array_foreach(keys, i, key)
		output_table_add(&table, output_value(cli, key));
	output_table_print(&table);
}

struct walk {
	const char *verb; /* "listing" */
	const char *query; /* what makes it one: "list" */
	const char *after;
	int64_t limit;     /* below 0: all */
	bool detailed;
};

/* list and scan. */
static int list_keys(struct cli *cli, const struct walk *w)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	json_t *query BULLA_CLEANUP(cli_json_clear) = json_object();

	if (w->after != NULL)
		json_object_set_new(query, "after", json_string(w->after));
	if (w->limit >= 0)
		json_object_set_new(query, "limit", json_string(cli_printf(cli, "%lld", (long long)w->limit)));
	json_object_set_new(query, w->query, json_string("true"));
	const char *target = cli_target_with(cli, cli_target(cli, cli->argv[0]), query);
	int status = get(cli, w->verb, cli->argv[0], target, cli_wants_json(cli) ? "{}" : NULL, &answer);

	if (status != CLI_GO_ON)
		return status;
	json_t *keys = json_object_get(output_data(answer.doc), "keys");

	if (cli_wants_json(cli) && w->detailed)
		return output_answer(cli, answer.doc);
	if (cli_wants_json(cli)) {
		output_json(cli, keys, true);
		return CLI_DONE;
	}
	output_warnings(answer.doc);
	print_keys(cli, keys);
	return CLI_DONE;
}

#define WALK_ROWS(w) \
	{ "after", FLAG_STRING, &(w).after, "Begin behind this key." }, \
	{ "limit", FLAG_INT, &(w).limit, "Give no more keys than this." }, \
	{ "detailed", FLAG_BOOL, &(w).detailed, "With -format=json: what else is said of the keys, too." }

static int walk(struct walk *w, const char *usage, const char *about, int argc, char **argv)
{
	const struct flag flags[] = { WALK_ROWS(*w), { 0 } };
	const struct cli_spec spec = { .usage = usage, .about = about, .flags = flags, .min_args = 1, .max_args = 1, .completes = COMPLETES_PATHS };
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	return status == CLI_GO_ON ? list_keys(&cli, w) : status;
}

int command_list(int argc, char **argv)
{
	struct walk w = { .verb = "listing", .query = "list", .limit = -1 };

	return walk(&w, "list [options] PATH", "  Lists the keys at the path.\n\n      $ bulla list transit/keys\n", argc, argv);
}

int command_scan(int argc, char **argv)
{
	struct walk w = { .verb = "scanning", .query = "scan", .limit = -1 };

	return walk(&w, "scan [options] PATH", "  Lists the keys at the path and below it, where the server can tell.\n", argc, argv);
}

/* An answer without content is told in a sentence. */
static int print_written(struct cli *cli, const struct cli_answer *answer, const char *sentence)
{
	if (json_is_object(answer->doc))
		return output_answer(cli, answer->doc);
	if (!cli_wants_json(cli))
		printf("Success! %s: %s\n", sentence, cli->argv[0]);
	return CLI_DONE;
}

/* write and patch: the same, but for the method. */
static int put_data(const struct cli_spec *spec, const bool *force, const char *method, int argc, char **argv)
{
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	if (cli.argc == 1 && !*force) {
		fputs("Must supply data or use -force\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	json_t *data BULLA_CLEANUP(cli_json_clear) = values_parse(&cli, cli.argc - 1, cli.argv + 1);

	if (data == NULL)
		return CLI_LOCAL_ERROR;
	status = cli_call(&cli, cli_printf(&cli, "Error writing data to %s", cli.argv[0]), method, cli_target(&cli, cli.argv[0]),
			  cli.argc == 1 ? json_null() : data, &answer);
	return status == CLI_GO_ON ? print_written(&cli, &answer, "Data written to") : status;
}

int command_write(int argc, char **argv)
{
	bool force = false;
	const struct flag flags[] = {
		{ "force", FLAG_BOOL, &force, "Write without data. Also: -f." },
		{ "f", FLAG_BOOL, &force, NULL },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "write [options] PATH [DATA K=V...]",
		.about = "  Writes data to the path and prints the answer.\n"
			 "  K=V is a value, K=@FILE the contents of a file, K=- standard input (the way for what nobody else should see);\n"
			 "  @FILE or - alone is a JSON object.\n\n"
			 "      $ bulla write -f transit/keys/cards\n"
			 "      $ base64 <card | bulla write -field=ciphertext transit/encrypt/cards plaintext=-\n",
		.flags = flags, .min_args = 1, .max_args = -1, .has_field = true, .completes = COMPLETES_PATHS,
	};

	return put_data(&spec, &force, "PUT", argc, argv);
}

int command_patch(int argc, char **argv)
{
	bool force = false;
	const struct flag flags[] = {
		{ "force", FLAG_BOOL, &force, "Send no data. Also: -f." },
		{ "f", FLAG_BOOL, &force, NULL },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "patch [options] PATH [DATA K=V...]",
		.about = "  Changes the members that are given of what is at the path, and leaves the others (a JSON merge patch). Data as with write.\n\n"
			 "      $ bulla patch sys/policies/acl/app policy=@app.hcl\n",
		.flags = flags, .min_args = 1, .max_args = -1, .has_field = true, .completes = COMPLETES_PATHS,
	};

	return put_data(&spec, &force, "PATCH", argc, argv);
}

int command_delete(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "delete [options] PATH [K=V...]",
		.about = "  Deletes what is at the path.\n\n"
			 "      $ bulla delete transit/keys/cards\n",
		.min_args = 1, .max_args = -1, .has_field = true, .completes = COMPLETES_PATHS,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	json_t *query BULLA_CLEANUP(cli_json_clear) = values_parse(&cli, cli.argc - 1, cli.argv + 1);

	if (query == NULL)
		return CLI_LOCAL_ERROR;
	status = cli_call(&cli, cli_printf(&cli, "Error deleting %s", cli.argv[0]), "DELETE",
			  cli_target_with(&cli, cli_target(&cli, cli.argv[0]), query), NULL, &answer);
	return status == CLI_GO_ON ? print_written(&cli, &answer, "Data deleted (if it existed) at") : status;
}
