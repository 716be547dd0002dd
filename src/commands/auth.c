/* auth.c: auth enable, disable, list and tune: the auth methods of the server. */
#include "commands/commands.h"
#include "commands/mounts.h"
#include "commands/output.h"

#include <stdlib.h>

static const struct mount_kind method_kind = {
	.name = "auth method", .many = "enabled authentications", .routes = "sys/auth", .below = "auth/",
};

static int auth_enable(int argc, char **argv)
{
	struct mount_flags m = MOUNT_FLAGS_NONE;
	const char *path = NULL, *token_type = NULL, *plugin = NULL, *plugin_version = NULL;
	bool local = false, seal_wrap = false, external_entropy = false;
	int64_t version = -1;
	const struct flag flags[] = {
		{ "path", FLAG_STRING, &path, "Where the method answers, below auth/; its type if not given." },
		MOUNT_FLAG_ROWS(m),
		{ "token-type", FLAG_STRING, &token_type, "\"default-service\", \"default-batch\", \"service\" or \"batch\"." },
		{ "plugin-name", FLAG_STRING, &plugin, NULL },
		{ "plugin-version", FLAG_STRING, &plugin_version, NULL },
		{ "version", FLAG_INT, &version, NULL },
		{ "local", FLAG_BOOL, &local, "Mark as local." },
		{ "seal-wrap", FLAG_BOOL, &seal_wrap, "Mark as seal-wrapped." },
		{ "external-entropy-access", FLAG_BOOL, &external_entropy, NULL },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "auth enable [options] TYPE",
		.about = "  Enables an auth method: approle, userpass, cert or jwt.\n\n      $ bulla auth enable -path=apps approle\n",
		.flags = flags, .min_args = 1, .max_args = 1, .no_format = true, .completes = COMPLETES_METHODS,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const char *type = cli.argv[0];
	const char *mount = cli_mount_path(&cli, path != NULL ? path : strcmp(type, "plugin") == 0 && plugin != NULL ? plugin : type);
	json_t *body BULLA_CLEANUP(cli_json_clear) = json_pack("{s:s, s:s, s:{s:s*}, s:b, s:b, s:b, s:s*, s:o*}", "type", type,
		"description", m.description != NULL ? m.description : "", "config", "plugin_version", plugin_version, "local", (int)local, "seal_wrap", (int)seal_wrap,
		"external_entropy_access", (int)external_entropy, "plugin_name", plugin, "options", mount_options(&cli, &m, version));

	if (body == NULL) {
		fputs("An argument is not UTF-8\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	mount_flags_set(&cli, json_object_get(body, "config"), &m);
	if (token_type != NULL)
		json_object_set_new(json_object_get(body, "config"), "token_type", json_string(token_type));
	status = cli_call(&cli, cli_printf(&cli, "Error enabling %s auth", type), "POST",
			  mount_target(&cli, &method_kind, mount), body, &answer);
	if (status != CLI_GO_ON)
		return status;
	printf("Success! Enabled %s auth method at: %s\n", type, mount);
	return CLI_DONE;
}

static int auth_disable(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "auth disable [options] PATH",
		.about = "  Disables the auth method at PATH: its roles and users are destroyed, and every token that came from it is revoked.\n",
		.min_args = 1, .max_args = 1, .no_format = true, .completes = COMPLETES_AUTHS,
	};

	return mount_disable(&method_kind, &spec, argc, argv);
}

static int auth_move(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "auth move [options] SOURCE DESTINATION",
		.about = "  Moves an auth method, with its roles and users, to another path; tokens that came from it are revoked.\n\n"
			 "      $ bulla auth move approle/ apps/\n",
		.min_args = 2, .max_args = 2, .no_format = true, .completes = COMPLETES_AUTHS,
	};

	return mount_move(&method_kind, &spec, argc, argv);
}

struct lockout_flags {
	int64_t threshold; /* each below 0: not given */
	int64_t duration_s, reset_s;
	bool disable;
};

/* What was given of it; NULL: nothing. A new reference. */
static json_t *lockout_body(struct cli *cli, const struct lockout_flags *f)
{
	json_t *body = json_object();
	char text[DURATION_TEXT_MAX];

	if (f->threshold >= 0)
		json_object_set_new(body, "lockout_threshold", json_string(cli_printf(cli, "%lld", (long long)f->threshold)));
	if (f->duration_s >= 0) {
		duration_print(f->duration_s, text);
		json_object_set_new(body, "lockout_duration", json_string(cli_printf(cli, "%s", text)));
	}
	if (f->reset_s >= 0) {
		duration_print(f->reset_s, text);
		json_object_set_new(body, "lockout_counter_reset_duration", json_string(cli_printf(cli, "%s", text)));
	}
	if (f->disable)
		json_object_set_new(body, "lockout_disable", json_true());
	if (json_object_size(body) > 0)
		return body;
	json_decref(body);
	return NULL;
}

static int auth_tune(int argc, char **argv)
{
	struct mount_flags m = MOUNT_FLAGS_NONE;
	struct lockout_flags lockout = { .threshold = -1, .duration_s = -1, .reset_s = -1 };
	const char *token_type = NULL;
	const struct flag flags[] = {
		MOUNT_FLAG_ROWS(m),
		{ "token-type", FLAG_STRING, &token_type, "Which tokens logins make." },
		{ "user-lockout-threshold", FLAG_INT, &lockout.threshold, "After how many failed logins a user is locked out." },
		{ "user-lockout-duration", FLAG_DURATION, &lockout.duration_s, "For how long." },
		{ "user-lockout-counter-reset-duration", FLAG_DURATION, &lockout.reset_s, "After how long failures are forgotten." },
		{ "user-lockout-disable", FLAG_BOOL, &lockout.disable, "Lock nobody out." },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "auth tune [options] PATH",
		.about = "  Changes the settings of the auth method at PATH.\n",
		.flags = flags, .min_args = 1, .max_args = 1, .no_format = true, .completes = COMPLETES_AUTHS,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	json_t *body BULLA_CLEANUP(cli_json_clear) = json_pack("{s:s*, s:s*, s:o*, s:o*}", "description", m.description, "token_type",
		token_type, "options", values_of_pairs(&cli, &m.options), "user_lockout_config", lockout_body(&cli, &lockout));

	if (body == NULL) {
		fputs("An argument is not UTF-8\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	mount_flags_set(&cli, body, &m);
	return mount_tune(&cli, &method_kind, body);
}

/* ---- list --------------------------------------------------------------------------------------------------------------- */

static const char *text_of(json_t *mount, const char *name)
{
	const char *text = json_string_value(json_object_get(mount, name));

	return text != NULL ? text : "";
}

static void add_method(struct output_table *table, const char *path, json_t *mount, bool detailed)
{
	struct cli *cli = table->cli;
	json_t *options = json_object_get(mount, "options");

	output_table_add(table, path);
	output_table_add(table, text_of(mount, "type"));
	output_table_add(table, text_of(mount, "accessor"));
	if (detailed) {
		output_table_add(table, mount_lease(cli, mount, "default_lease_ttl"));
		output_table_add(table, mount_lease(cli, mount, "max_lease_ttl"));
		output_table_add(table, text_of(json_object_get(mount, "config"), "token_type"));
		output_table_add(table, json_is_true(json_object_get(mount, "local")) ? "local" : "replicated");
		output_table_add(table, output_value(cli, json_object_get(mount, "seal_wrap")));
		output_table_add(table, output_value(cli, json_object_get(mount, "external_entropy_access")));
		output_table_add(table, json_is_object(options) ? output_value(cli, options) : "map[]");
	}
	output_table_add(table, text_of(mount, "description"));
	if (detailed)
		output_table_add(table, text_of(mount, "uuid"));
	if (detailed)
		mount_add_versions(table, mount);
	else
		output_table_add(table, text_of(mount, "plugin_version"));
}

static void print_methods(struct cli *cli, json_t *mounts, bool detailed)
{
	static const char *const brief[] = { "Path", "Type", "Accessor", "Description", "Version" };
	static const char *const all[] = { "Path", "Plugin", "Accessor", "Default TTL", "Max TTL", "Token Type", "Replication", "Seal Wrap",
					   "External Entropy Access", "Options", "Description", "UUID", "Version", "Running Version",
					   "Running SHA256", "Deprecation Status" };
	size_t columns = detailed ? sizeof all / sizeof all[0] : sizeof brief / sizeof brief[0], count;
	const char **paths = output_sorted_keys(cli, mounts, &count);
	struct output_table table;

	output_table_begin(&table, cli, columns);
	for (size_t i = 0; i < columns; i++)
		output_table_add(&table, detailed ? all[i] : brief[i]);
	for (size_t i = 0; i < count; i++)
		add_method(&table, paths[i], json_object_get(mounts, paths[i]), detailed);
	output_table_print(&table);
}

static int auth_list(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "auth list [options]",
		.about = "  Lists the enabled auth methods.\n",
	};

	return mount_list(&method_kind, &spec, print_methods, argc, argv);
}

int command_auth(int argc, char **argv)
{
	static const struct command rows[] = {
		{ "disable", auth_disable, "Disable an auth method and revoke its tokens" },
		{ "enable", auth_enable, "Enable an auth method" },
		{ "help", auth_help, "Tell how to log in by a method" },
		{ "list", auth_list, "List the enabled auth methods" },
		{ "move", auth_move, "Move an auth method to another path" },
		{ "tune", auth_tune, "Change a method's settings" },
		{ 0 },
	};

	return commands_run("bulla auth", rows, argc, argv);
}
