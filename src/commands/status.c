/* status.c: status and version, and the printing of a seal status, which operator unseal shares. */
#include "commands/status.h"

#include "commands/commands.h"

static void add_text(struct output_table *table, const char *label, json_t *doc, const char *name)
{
	json_t *value = json_object_get(doc, name);

	if (json_is_string(value) && json_string_length(value) == 0)
		return;
	if (value != NULL)
		output_pairs_add(table, label, output_value(table->cli, value));
}

static void print_table(struct cli *cli, json_t *doc)
{
	bool recovery = json_is_true(json_object_get(doc, "recovery_seal")), sealed = json_is_true(json_object_get(doc, "sealed"));
	struct output_table table;

	output_pairs_begin(&table, cli);
	output_pairs_add(&table, "Seal Type", output_value(cli, json_object_get(doc, "type")));
	if (recovery)
		output_pairs_add(&table, "Recovery Seal Type", "shamir");
	add_text(&table, "Initialized", doc, "initialized");
	add_text(&table, "Sealed", doc, "sealed");
	add_text(&table, recovery ? "Total Recovery Shares" : "Total Shares", doc, "n");
	add_text(&table, "Threshold", doc, "t");
	if (sealed) {
		output_pairs_add(&table, "Unseal Progress", cli_printf(cli, "%s/%s", output_value(cli, json_object_get(doc, "progress")),
								       output_value(cli, json_object_get(doc, "t"))));
		output_pairs_add(&table, "Unseal Nonce", output_value(cli, json_object_get(doc, "nonce")));
	}
	add_text(&table, "Version", doc, "version");
	add_text(&table, "Commit Date", doc, "commit_date");
	add_text(&table, "Storage Type", doc, "storage_type");
	add_text(&table, "Cluster Name", doc, "cluster_name");
	add_text(&table, "Cluster ID", doc, "cluster_id");
	add_text(&table, "HA Enabled", doc, "ha_enabled");
	output_table_print(&table);
}

int status_print(struct cli *cli, json_t *doc)
{
	struct cli_answer leader BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_call(cli, "Error checking leader status", "GET", "/v1/sys/leader", NULL, &leader);

	if (status != CLI_GO_ON)
		return status;
	json_object_set(doc, "ha_enabled", json_object_get(leader.doc, "ha_enabled"));
	if (cli->field != NULL)
		return output_answer(cli, doc);
	if (cli_wants_json(cli))
		output_json(cli, doc, true);
	else
		print_table(cli, doc);
	return CLI_DONE;
}

int command_status(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "status [options]",
		.about = "  Prints whether the server is initialised and sealed. Exit status: 0 unsealed, 2 sealed, 1 error.\n",
		.has_field = true,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON) /* 2 says that it is sealed */
		return status == CLI_SERVER_ERROR ? CLI_LOCAL_ERROR : status;
	if (cli_call(&cli, "Error checking seal status", "GET", "/v1/sys/seal-status", NULL, &answer) != CLI_GO_ON ||
	    status_print(&cli, answer.doc) != CLI_DONE)
		return CLI_LOCAL_ERROR;
	return json_is_false(json_object_get(answer.doc, "sealed")) ? CLI_DONE : CLI_SERVER_ERROR;
}

#define NARROW_GAP 2 /* the peer's, of this table alone */

static const char *text_of(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void print_history(struct cli *cli, json_t *data)
{
	json_t *infos = json_object_get(data, "key_info"), *name;
	struct output_table table;
	size_t i;

	output_table_begin(&table, cli, 3);
	table.gap = NARROW_GAP;
	output_table_add(&table, "Version");
	output_table_add(&table, "Installation Time");
	output_table_add(&table, "Commit Date");
	json_array_foreach(json_object_get(data, "keys"), i, name) {
		json_t *info = json_object_get(infos, json_string_value(name));

		output_table_add(&table, json_string_value(name));
		output_table_add(&table, text_of(info, "timestamp_installed"));
		output_table_add(&table, text_of(info, "commit_date"));
	}
	output_table_print(&table);
}

int command_version_history(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "version-history [options]",
		.about = "  Prints which versions of the server have opened its store, and when each first did.\n",
		.max_args = -1,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status == CLI_GO_ON)
		status = cli_call(&cli, "Error reading version history", "GET", "/v1/sys/version-history?list=true", NULL, &answer);
	if (status != CLI_GO_ON)
		return status;
	if (cli_wants_json(&cli))
		return output_answer(&cli, answer.doc);
	print_history(&cli, output_data(answer.doc));
	return CLI_DONE;
}

int command_version(int argc, char **argv)
{
	if (completion_is_on())
		return CLI_DONE;
	if (argc > 1 && argv[1][0] == '-' && strchr(argv[1], 'h') != NULL) {
		puts("Usage: bulla version\n\n  Prints the version of this program (not the server's, for which: bulla status).");
		return CLI_DONE;
	}
	printf("Bulla v%s\n", bulla_version());
	return CLI_DONE;
}
