/* mounts.c: the verbs of "secrets" and "auth", for either. */
#include "commands/mounts.h"

#include <time.h>

/* Adds the member unless there is none; takes over the reference. */
static void set_unless_null(json_t *object, const char *name, json_t *value)
{
	if (value != NULL)
		json_object_set_new(object, name, value);
}

static void set_duration(struct cli *cli, json_t *object, const char *name, int64_t seconds)
{
	char text[DURATION_TEXT_MAX];

	if (seconds < 0)
		return;
	duration_print(seconds, text);
	json_object_set_new(object, name, json_string(cli_printf(cli, "%s", text)));
}

void mount_flags_set(struct cli *cli, json_t *object, const struct mount_flags *m)
{
	set_duration(cli, object, "default_lease_ttl", m->default_ttl_s);
	set_duration(cli, object, "max_lease_ttl", m->max_ttl_s);
	if (m->listing_visibility != NULL)
		json_object_set_new(object, "listing_visibility", json_string(m->listing_visibility));
	set_unless_null(object, "audit_non_hmac_request_keys", values_of_list(&m->audit_request));
	set_unless_null(object, "audit_non_hmac_response_keys", values_of_list(&m->audit_response));
	set_unless_null(object, "passthrough_request_headers", values_of_list(&m->passthrough));
	set_unless_null(object, "allowed_response_headers", values_of_list(&m->allowed));
}

json_t *mount_options(struct cli *cli, const struct mount_flags *m, int64_t version)
{
	json_t *options = values_of_pairs(cli, &m->options);

	if (version < 0)
		return options;
	options = options != NULL ? options : json_object();
	json_object_set_new(options, "version", json_string(cli_printf(cli, "%lld", (long long)version)));
	return options;
}

void mount_add_versions(struct output_table *table, json_t *mount)
{
	static const char *const names[] = { "plugin_version", "running_plugin_version", "running_sha256", "deprecation_status" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		output_table_add(table, json_string_value(json_object_get(mount, names[i])));
}

const char *mount_target(struct cli *cli, const struct mount_kind *kind, const char *path)
{
	return cli_target(cli, cli_printf(cli, "%s/%.*s", kind->routes, (int)strlen(path) - 1, path));
}

const char *mount_lease(struct cli *cli, json_t *mount, const char *name)
{
	json_t *seconds = json_object_get(json_object_get(mount, "config"), name);

	return json_integer_value(seconds) == 0 ? "system" : output_value(cli, seconds);
}

int mount_tune(struct cli *cli, const struct mount_kind *kind, json_t *body)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	const char *mount = cli_mount_path(cli, cli->argv[0]);
	int status = cli_call(cli, cli_printf(cli, "Error tuning %s %s", kind->name, mount), "POST",
			      cli_target(cli, cli_printf(cli, "sys/mounts/%s%stune", kind->below, mount)), body, &answer);

	if (status != CLI_GO_ON)
		return status;
	printf("Success! Tuned the %s at: %s\n", kind->name, mount);
	return CLI_DONE;
}

int mount_disable(const struct mount_kind *kind, const struct cli_spec *spec, int argc, char **argv)
{
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const char *mount = cli_mount_path(&cli, cli.argv[0]);

	status = cli_call(&cli, cli_printf(&cli, "Error disabling %s at %s", kind->name, mount), "DELETE",
			  mount_target(&cli, kind, mount), NULL, &answer);
	if (status != CLI_GO_ON)
		return status;
	printf("Success! Disabled the %s (if it existed) at: %s\n", kind->name, mount);
	return CLI_DONE;
}

/* What the peer's client prints of every mount, whatever the server says. */
static void fill_in(json_t *mounts)
{
	const char *path;
	json_t *mount;

	json_object_foreach(mounts, path, mount)
		if (json_is_object(mount) && json_object_get(mount, "deprecation_status") == NULL)
			json_object_set_new(mount, "deprecation_status", json_string(""));
}

int mount_list(const struct mount_kind *kind, const struct cli_spec *spec, mount_print_fn *print, int argc, char **argv)
{
	bool detailed = false;
	const struct flag flags[] = {
		{ "detailed", FLAG_BOOL, &detailed, "Print all settings." },
		{ 0 },
	};
	struct cli_spec own = *spec;
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };

	own.flags = flags;
	int status = cli_begin(&cli, &own, argc, argv);

	if (status == CLI_GO_ON)
		status = cli_call(&cli, cli_printf(&cli, "Error listing %s", kind->many), "GET", cli_target(&cli, kind->routes), NULL,
				  &answer);
	if (status != CLI_GO_ON)
		return status;
	fill_in(output_data(answer.doc));
	if (cli_wants_json(&cli))
		output_json(&cli, output_data(answer.doc), true);
	else
		print(&cli, output_data(answer.doc), detailed);
	return CLI_DONE;
}

/* ---- moving ------------------------------------------------------------------------------------------------------------- */

/* The peer's CLI wants auth methods without "auth/" and does not find them then; both forms name the same here. */
static const char *moving_path(struct cli *cli, const struct mount_kind *kind, const char *argument)
{
	const char *path = cli_mount_path(cli, argument);
	size_t below = strlen(kind->below);

	return strncmp(path, kind->below, below) == 0 ? path + below : path;
}

/* How far it is: "in-progress", "success", "failure"; NULL: the answer does not say. */
static const char *migration_status(const struct cli_answer *answer)
{
	return json_string_value(json_object_get(json_object_get(output_data(answer->doc), "migration_info"), "status"));
}

static int wait_for_move(struct cli *cli, const char *which, const char *id)
{
	const struct timespec pause = { .tv_sec = 1 };
	const char *target = cli_target(cli, cli_printf(cli, "sys/remount/status/%s", id));

	for (;;) {
		struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
		int failed = cli_call(cli, cli_printf(cli, "Error moving %s", which), "GET", target, NULL, &answer);

		if (failed != CLI_GO_ON)
			return failed;
		const char *status = migration_status(&answer);

		if (status != NULL && strcmp(status, "success") == 0) {
			printf("Success! Finished moving %s, with migration ID %s\n", which, id);
			return CLI_DONE;
		}
		if (status == NULL || strcmp(status, "in-progress") != 0) {
			fprintf(stderr, "Failure! Error encountered moving %s, with migration ID %s\n", which, id);
			return CLI_SERVER_ERROR;
		}
		printf("Waiting for terminal status in migration of %s, with migration ID %s\n", which, id);
		(void)nanosleep(&pause, NULL);
	}
}

int mount_move(const struct mount_kind *kind, const struct cli_spec *spec, int argc, char **argv)
{
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer started BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const char *from = moving_path(&cli, kind, cli.argv[0]), *to = moving_path(&cli, kind, cli.argv[1]);
	const char *which = cli_printf(&cli, "%s %s to %s", kind->name, from, to);
	json_t *body BULLA_CLEANUP(cli_json_clear) = json_pack("{s:o, s:o}",
		"from", json_string(cli_printf(&cli, "%s%s", kind->below, from)), "to", json_string(cli_printf(&cli, "%s%s", kind->below, to)));

	if (body == NULL) {
		fputs("An argument is not UTF-8\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	status = cli_call(&cli, cli_printf(&cli, "Error moving %s", which), "POST", "/v1/sys/remount", body, &started);
	if (status != CLI_GO_ON)
		return status;
	const char *id = json_string_value(json_object_get(output_data(started.doc), "migration_id"));

	if (id == NULL) {
		fprintf(stderr, "Error moving %s: the answer names no migration\n", which);
		return CLI_SERVER_ERROR;
	}
	printf("Started moving %s, with migration ID %s\n", which, id);
	return wait_for_move(&cli, which, id);
}
