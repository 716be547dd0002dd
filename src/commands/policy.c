/* policy.c: policy write, read, list, delete and fmt. */
#include "commands/commands.h"
#include "commands/output.h"
#include "commands/policy_format.h"
#include "commands/values.h"
#include "http/file.h"

#include <bulla/hcl.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define POLICY_MAX_BYTES (1 << 20)

/* The name as the server keeps it: in lower case. */
static const char *policy_name(struct cli *cli, const char *given)
{
	char *name = (char *)(uintptr_t)cli_printf(cli, "%s", given);

	for (char *c = name; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	if (strcmp(name, given) != 0)
		fprintf(stderr, "Policy name was converted from \"%s\" to \"%s\"\n", given, name);
	return name;
}

static const char *target_of(struct cli *cli, const char *name)
{
	return cli_target(cli, cli_printf(cli, "sys/policies/acl/%s", name));
}

/* All of a stream, NUL-terminated; NULL: told on stderr. */
static const char *read_stream(struct cli *cli, FILE *stream)
{
	char *text = bulla_arena_alloc(cli->arena, POLICY_MAX_BYTES + 1);

	if (text == NULL)
		cli_out_of_memory();
	size_t n = fread(text, 1, POLICY_MAX_BYTES + 1, stream);

	if (ferror(stream) || n > POLICY_MAX_BYTES) {
		fprintf(stderr, "Error reading policy: %s\n", ferror(stream) ? strerror(errno) : "it is larger than 1 MiB");
		return NULL;
	}
	text[n] = '\0';
	return text;
}

static const char *read_policy(struct cli *cli, const char *path)
{
	if (strcmp(path, "-") == 0)
		return read_stream(cli, stdin);
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		fprintf(stderr, "Error opening policy file: %s: %s\n", path, strerror(errno));
		return NULL;
	}
	const char *text = read_stream(cli, file);

	fclose(file);
	return text;
}

static int policy_write(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "policy write [options] NAME PATH",
		.about = "  Writes the policy NAME from a file, or from standard input: \"-\".\n\n      $ bulla policy write card-api card-api.hcl\n",
		.min_args = 2, .max_args = 2, .no_format = true, .completes = COMPLETES_POLICIES,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const char *name = policy_name(&cli, cli.argv[0]), *text = read_policy(&cli, cli.argv[1]);
	json_t *body BULLA_CLEANUP(cli_json_clear) = text != NULL ? json_pack("{s:s}", "policy", text) : NULL;

	if (body == NULL) {
		if (text != NULL)
			fputs("The policy is not UTF-8\n", stderr);
		return CLI_SERVER_ERROR;
	}
	status = cli_call(&cli, "Error uploading policy", "PUT", target_of(&cli, name), body, &answer);
	if (status != CLI_GO_ON)
		return status;
	output_warnings(answer.doc);
	printf("Success! Uploaded policy: %s\n", name);
	return CLI_DONE;
}

/* As the peers print it: without the space around it. */
static struct bulla_bytes trimmed(const char *text)
{
	static const char space[] = " \t\r\n";

	text += strspn(text, space);
	size_t len = strlen(text);

	while (len > 0 && strchr(space, text[len - 1]) != NULL)
		len--;
	return bulla_mem(text, len);
}

static int policy_read(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "policy read [options] NAME",
		.about = "  Prints the policy NAME as it was written.\n",
		.min_args = 1, .max_args = 1, .completes = COMPLETES_POLICIES,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const char *name = policy_name(&cli, cli.argv[0]), *what = cli_printf(&cli, "Error reading policy named %s", name);

	status = cli_send(&cli, what, "GET", target_of(&cli, name), NULL, &answer);
	if (status != CLI_GO_ON)
		return status;
	if (answer.status == 404) {
		fprintf(stderr, "No policy named: %s\n", name);
		return CLI_SERVER_ERROR;
	}
	if (answer.status >= 400)
		return cli_refused(what, &answer);
	json_t *policy = json_object_get(output_data(answer.doc), "policy");

	if (!cli_wants_json(&cli)) {
		struct bulla_bytes text = trimmed(json_string_value(policy) != NULL ? json_string_value(policy) : "");

		printf("%.*s\n", (int)text.len, (const char *)text.ptr);
		return CLI_DONE;
	}
	json_t *shown BULLA_CLEANUP(cli_json_clear) = json_pack("{s:O*}", "policy", policy);

	output_json(&cli, shown, true);
	return CLI_DONE;
}

static int policy_list(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "policy list [options]",
		.about = "  Lists the names of all policies.\n",
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status == CLI_GO_ON)
		status = cli_call(&cli, "Error listing policies", "LIST", "/v1/sys/policies/acl", NULL, &answer);
	if (status != CLI_GO_ON)
		return status;
	json_t *names = json_object_get(output_data(answer.doc), "keys"), *name;
	size_t i;

	if (cli_wants_json(&cli)) {
		output_json(&cli, names, true);
		return CLI_DONE;
	}
	json_array_foreach(names, i, name)
		puts(json_string_value(name));
	return CLI_DONE;
}

static int policy_delete(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "policy delete [options] NAME",
		.about = "  Deletes the policy NAME: whoever has it may no longer do what it allows.\n",
		.min_args = 1, .max_args = 1, .no_format = true, .completes = COMPLETES_POLICIES,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const char *name = policy_name(&cli, cli.argv[0]);

	status = cli_call(&cli, cli_printf(&cli, "Error deleting %s", name), "DELETE", target_of(&cli, name), NULL, &answer);
	if (status != CLI_GO_ON)
		return status;
	printf("Success! Deleted policy: %s\n", name);
	return CLI_DONE;
}

/* ---- fmt ------------------------------------------------------------------------------------------------------------------ */

/* With the mode of the old one. */
static bool replace_file(const char *path, struct bulla_bytes text)
{
	struct stat st;

	return stat(path, &st) == 0 && file_replace(path, st.st_mode & 07777, text);
}

static int policy_fmt(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "policy fmt [options] PATH",
		.about = "  Lays the policy in the file PATH out anew, in place. One in JSON is left as it is. No server is asked.\n",
		.min_args = 1, .max_args = 1, .no_format = true, .completes = COMPLETES_FILES,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	struct bulla_call call = { .arena = cli.arena };
	const char *path = cli.argv[0];
	struct bulla_bytes source, text;
	struct hcl *root;

	if (!file_read(cli.arena, path, POLICY_MAX_BYTES, &source)) {
		fprintf(stderr, "Error reading source file: %s: %s\n", path, strerror(errno));
		return CLI_LOCAL_ERROR;
	}
	if (hcl_parse(&call, path, source, &root) != BULLA_OK) {
		fprintf(stderr, "Error parsing policy: %.*s\n", (int)call.detail.len, (const char *)call.detail.ptr);
		return CLI_LOCAL_ERROR;
	}
	const char *first = (const char *)source.ptr + strspn((const char *)source.ptr, " \t\r\n");

	if (*first != '{') {
		if (policy_format(&call, source, &text) != BULLA_OK)
			cli_out_of_memory();
		if (!replace_file(path, text)) {
			fprintf(stderr, "Error writing result: %s: %s\n", path, strerror(errno));
			return CLI_LOCAL_ERROR;
		}
	}
	printf("Success! Formatted policy: %s\n", path);
	return CLI_DONE;
}

int command_policy(int argc, char **argv)
{
	static const struct command rows[] = {
		{ "delete", policy_delete, "Delete a policy" },
		{ "fmt", policy_fmt, "Lay a policy's file out anew" },
		{ "list", policy_list, "List the policies" },
		{ "read", policy_read, "Print a policy" },
		{ "write", policy_write, "Write a policy from a file" },
		{ 0 },
	};

	return commands_run("bulla policy", rows, argc, argv);
}
