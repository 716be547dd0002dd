/* secrets.c: secrets enable, disable, list and tune: the mounts of the server. */
#include "commands/commands.h"
#include "commands/mounts.h"
#include "commands/output.h"

#include <stdlib.h>

static const struct mount_kind engine_kind = {
	.name = "secrets engine", .many = "secrets engines", .routes = "sys/mounts", .below = "",
};

static int secrets_enable(int argc, char **argv)
{
	struct mount_flags m = MOUNT_FLAGS_NONE;
	const char *path = NULL, *plugin = NULL, *plugin_version = NULL;
	bool local = false, seal_wrap = false, external_entropy = false;
	int64_t version = -1;
	const struct flag flags[] = {
		{ "path", FLAG_STRING, &path, "Where the engine answers; its type if not given." },
		MOUNT_FLAG_ROWS(m),
		{ "force-no-cache", FLAG_BOOL, &m.force_no_cache, "Keep no cache." },
		{ "local", FLAG_BOOL, &local, "Mark as local." },
		{ "seal-wrap", FLAG_BOOL, &seal_wrap, "Mark as seal-wrapped." },
		{ "external-entropy-access", FLAG_BOOL, &external_entropy, NULL },
		{ "version", FLAG_INT, &version, NULL },
		{ "plugin-name", FLAG_STRING, &plugin, NULL },
		{ "plugin-version", FLAG_STRING, &plugin_version, NULL },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "secrets enable [options] TYPE",
		.about = "  Enables an engine.\n\n      $ bulla secrets enable -path=cards transit\n",
		.flags = flags, .min_args = 1, .max_args = 1, .no_format = true, .completes = COMPLETES_ENGINES,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const char *type = strcmp(cli.argv[0], "plugin") == 0 && plugin != NULL ? plugin : cli.argv[0];
	const char *mount = cli_mount_path(&cli, path != NULL ? path : type);
	json_t *options = mount_options(&cli, &m, version);
	json_t *body BULLA_CLEANUP(cli_json_clear) = json_pack("{s:s, s:s, s:{s:b, s:s*}, s:b, s:b, s:b, s:o*}", "type", type,
		"description", m.description != NULL ? m.description : "", "config", "force_no_cache", (int)m.force_no_cache,
		"plugin_version", plugin_version,
		"local", (int)local, "seal_wrap", (int)seal_wrap, "external_entropy_access", (int)external_entropy, "options", options);

	if (body == NULL) {
		fputs("An argument is not UTF-8\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	mount_flags_set(&cli, json_object_get(body, "config"), &m);
	status = cli_call(&cli, "Error enabling", "POST", mount_target(&cli, &engine_kind, mount), body, &answer);
	if (status != CLI_GO_ON)
		return status;
	printf("Success! Enabled the %s secrets engine%s%s at: %s\n", type, plugin_version != NULL ? " version " : "",
	       plugin_version != NULL ? plugin_version : "", mount);
	return CLI_DONE;
}

static int secrets_disable(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "secrets disable [options] PATH",
		.about = "  Disables the engine at PATH and destroys all its keys. There is no way back.\n",
		.min_args = 1, .max_args = 1, .no_format = true, .completes = COMPLETES_MOUNTS,
	};

	return mount_disable(&engine_kind, &spec, argc, argv);
}

static int secrets_move(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "secrets move [options] SOURCE DESTINATION",
		.about = "  Moves an engine, with all its keys, to another path.\n\n      $ bulla secrets move transit/ team/transit/\n",
		.min_args = 2, .max_args = 2, .no_format = true, .completes = COMPLETES_MOUNTS,
	};

	return mount_move(&engine_kind, &spec, argc, argv);
}

static int secrets_tune(int argc, char **argv)
{
	struct mount_flags m = MOUNT_FLAGS_NONE;
	const struct flag flags[] = { MOUNT_FLAG_ROWS(m), { 0 } };
	const struct cli_spec spec = {
		.usage = "secrets tune [options] PATH",
		.about = "  Changes the settings of the engine at PATH.\n",
		.flags = flags, .min_args = 1, .max_args = 1, .no_format = true, .completes = COMPLETES_MOUNTS,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	json_t *body BULLA_CLEANUP(cli_json_clear) = json_object(), *options = values_of_pairs(&cli, &m.options);

	mount_flags_set(&cli, body, &m);
	if (m.description != NULL)
		json_object_set_new(body, "description", json_string(m.description));
	if (options != NULL)
		json_object_set_new(body, "options", options);
	return mount_tune(&cli, &engine_kind, body);
}

/* What is built in has none. */
static const char *lease(struct cli *cli, json_t *mount, const char *name)
{
	const char *type = json_string_value(json_object_get(mount, "type"));

	if (type != NULL && (strcmp(type, "system") == 0 || strcmp(type, "cubbyhole") == 0))
		return "n/a";
	return mount_lease(cli, mount, name);
}

static void add_mount(struct output_table *table, const char *path, json_t *mount, bool detailed)
{
	struct cli *cli = table->cli;
	json_t *options = json_object_get(mount, "options");

	output_table_add(table, path);
	output_table_add(table, json_string_value(json_object_get(mount, "type")));
	output_table_add(table, json_string_value(json_object_get(mount, "accessor")));
	if (detailed) {
		output_table_add(table, lease(cli, mount, "default_lease_ttl"));
		output_table_add(table, lease(cli, mount, "max_lease_ttl"));
		output_table_add(table, output_value(cli, json_object_get(json_object_get(mount, "config"), "force_no_cache")));
		output_table_add(table, json_is_true(json_object_get(mount, "local")) ? "local" : "replicated");
		output_table_add(table, output_value(cli, json_object_get(mount, "seal_wrap")));
		output_table_add(table, output_value(cli, json_object_get(mount, "external_entropy_access")));
		output_table_add(table, json_is_object(options) ? output_value(cli, options) : "map[]");
	}
	output_table_add(table, json_string_value(json_object_get(mount, "description")));
	if (!detailed)
		return;
	output_table_add(table, json_string_value(json_object_get(mount, "uuid")));
	mount_add_versions(table, mount);
}

static void print_mounts(struct cli *cli, json_t *mounts, bool detailed)
{
	static const char *const brief[] = { "Path", "Type", "Accessor", "Description" };
	static const char *const all[] = { "Path", "Plugin", "Accessor", "Default TTL", "Max TTL", "Force No Cache", "Replication", "Seal Wrap",
					   "External Entropy Access", "Options", "Description", "UUID", "Version", "Running Version",
					   "Running SHA256", "Deprecation Status" };
	size_t columns = detailed ? sizeof all / sizeof all[0] : sizeof brief / sizeof brief[0], count;
	const char **paths = output_sorted_keys(cli, mounts, &count);
	struct output_table table;

	output_table_begin(&table, cli, columns);
	for (size_t i = 0; i < columns; i++)
		output_table_add(&table, detailed ? all[i] : brief[i]);
	for (size_t i = 0; i < count; i++)
		add_mount(&table, paths[i], json_object_get(mounts, paths[i]), detailed);
	output_table_print(&table);
}

static int secrets_list(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "secrets list [options]",
		.about = "  Lists the enabled engines.\n",
	};

	return mount_list(&engine_kind, &spec, print_mounts, argc, argv);
}

int command_secrets(int argc, char **argv)
{
	static const struct command rows[] = {
		{ "disable", secrets_disable, "Disable an engine and destroy its keys" },
		{ "enable", secrets_enable, "Enable an engine" },
		{ "list", secrets_list, "List the enabled engines" },
		{ "move", secrets_move, "Move an engine to another path" },
		{ "tune", secrets_tune, "Change an engine's settings" },
		{ 0 },
	};

	return commands_run("bulla secrets", rows, argc, argv);
}
