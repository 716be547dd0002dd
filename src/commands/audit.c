/* audit.c: audit enable, disable, list, key: the devices of the server; audit verify: their logs afterwards. */
#include "commands/commands.h"
#include "commands/output.h"
#include "commands/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 32
#define MOST_REPORTS 1000 /* then they are only counted */

/* ---- devices ------------------------------------------------------------------------------------------------------------- */

static int audit_enable(int argc, char **argv)
{
	const char *description = "", *path = NULL;
	bool local = false;
	const struct flag flags[] = {
		{ "description", FLAG_STRING, &description, "What the device is for." },
		{ "path", FLAG_STRING, &path, "Its name; its type if not given." },
		{ "local", FLAG_BOOL, &local, "Mark as local." },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "audit enable [options] TYPE [K=V...]",
		.about = "  Enables an audit device: file, socket or syslog. The server allows it only if its configuration has\n"
			 "  unsafe_allow_api_audit_creation = true; devices are better part of the configuration.\n\n"
			 "      $ bulla audit enable file file_path=/var/log/bulla/audit.log\n",
		.flags = flags, .max_args = -1, .no_format = true, .completes = COMPLETES_DEVICE_TYPES,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	if (cli.argc == 0) {
		fputs("Error enabling audit device: audit type missing. Valid types include 'file', 'socket' and 'syslog'.\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	const char *type = cli.argv[0], *mount = cli_mount_path(&cli, path != NULL ? path : type);
	json_t *options = values_parse(&cli, cli.argc - 1, cli.argv + 1);

	if (options == NULL)
		return CLI_LOCAL_ERROR;
	json_t *body BULLA_CLEANUP(cli_json_clear) = json_pack("{s:s, s:s, s:b, s:o}", "type", type, "description", description,
							       "local", (int)local, "options", options);

	if (body == NULL) {
		fputs("An argument is not UTF-8\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	status = cli_call(&cli, "Error enabling audit device", "PUT",
			  cli_target(&cli, cli_printf(&cli, "sys/audit/%.*s", (int)strlen(mount) - 1, mount)), body, &answer);
	if (status != CLI_GO_ON)
		return status;
	printf("Success! Enabled the %s audit device at: %s\n", type, mount);
	return CLI_DONE;
}

static int audit_disable(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "audit disable [options] PATH",
		.about = "  Disables the audit device at PATH. Its log stays; the salt of its hashes and the key of its checkpoints are\n"
			 "  destroyed: note the key first (bulla audit key), or the log cannot be verified any more.\n",
		.min_args = 1, .max_args = 1, .no_format = true, .completes = COMPLETES_DEVICES,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const char *mount = cli_mount_path(&cli, cli.argv[0]);

	status = cli_call(&cli, "Error disabling audit device", "DELETE",
			  cli_target(&cli, cli_printf(&cli, "sys/audit/%.*s", (int)strlen(mount) - 1, mount)), NULL, &answer);
	if (status != CLI_GO_ON)
		return status;
	printf("Success! Disabled audit device (if it was enabled) at: %s\n", mount);
	return CLI_DONE;
}

/* "k=v k=v" */
static const char *print_options(struct cli *cli, json_t *options)
{
	const char *text = "", *name;
	json_t *value;

	json_object_foreach(options, name, value)
		text = cli_printf(cli, "%s%s%s=%s", text, *text ? " " : "", name, output_value(cli, value));
	return text;
}

static void print_devices(struct cli *cli, json_t *devices, bool detailed)
{
	static const char *const heads[] = { "Path", "Type", "Description", "Replication", "Options" };
	size_t columns = detailed ? 5 : 3, count;
	const char **paths = output_sorted_keys(cli, devices, &count);
	struct output_table table;
	json_t *device;

	output_table_begin(&table, cli, columns);
	for (size_t i = 0; i < columns; i++)
		output_table_add(&table, heads[i]);
	for (size_t i = 0; i < count; i++) {
		device = json_object_get(devices, paths[i]);
		output_table_add(&table, paths[i]);
		output_table_add(&table, json_string_value(json_object_get(device, "type")));
		output_table_add(&table, json_string_value(json_object_get(device, "description")));
		if (!detailed)
			continue;
		output_table_add(&table, json_is_true(json_object_get(device, "local")) ? "local" : "replicated");
		output_table_add(&table, print_options(cli, json_object_get(device, "options")));
	}
	output_table_print(&table);
}

static int audit_list(int argc, char **argv)
{
	bool detailed = false;
	const struct flag flags[] = {
		{ "detailed", FLAG_BOOL, &detailed, "Print the options too." },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "audit list [options]",
		.about = "  Lists the audit devices.\n",
		.flags = flags,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status == CLI_GO_ON)
		status = cli_call(&cli, "Error listing audits", "GET", "/v1/sys/audit", NULL, &answer);
	if (status != CLI_GO_ON)
		return status;
	json_t *devices = output_data(answer.doc);

	if (cli_wants_json(&cli)) {
		output_json(&cli, devices, true);
		return CLI_DONE;
	}
	if (json_object_size(devices) == 0) {
		puts("No audit devices are enabled.");
		return CLI_SERVER_ERROR;
	}
	print_devices(&cli, devices, detailed);
	return CLI_DONE;
}

/* ---- the key, and how far the log goes -------------------------------------------------------------------------------------- */

static int ask_device(struct cli *cli, const char *path, struct cli_answer *answer)
{
	const char *mount = cli_mount_path(cli, path);

	return cli_call(cli, cli_printf(cli, "Error reading audit device %s", mount), "GET",
			cli_target(cli, cli_printf(cli, "sys/audit/%.*s", (int)strlen(mount) - 1, mount)), NULL, answer);
}

static int audit_key(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "audit key [options] PATH",
		.about = "  Prints the public key (Ed25519, base64) that the checkpoints of the audit device at PATH are signed with: for\n"
			 "  bulla audit verify -key=... Keep it where the server's administrators cannot change it.\n",
		.min_args = 1, .max_args = 1, .no_format = true, .completes = COMPLETES_DEVICES,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status == CLI_GO_ON)
		status = ask_device(&cli, cli.argv[0], &answer);
	if (status != CLI_GO_ON)
		return status;
	puts(json_string_value(json_object_get(output_data(answer.doc), "public_key")));
	return CLI_DONE;
}

/* ---- verify ------------------------------------------------------------------------------------------------------------------- */

static void print_report(void *context, const struct bulla_audit_report *r)
{
	static const char *const names[] = {
		[BULLA_AUDIT_CHANGED] = "changed", [BULLA_AUDIT_REMOVED] = "removed", [BULLA_AUDIT_INSERTED] = "inserted",
		[BULLA_AUDIT_TRUNCATED] = "truncated", [BULLA_AUDIT_FORGED] = "forged", [BULLA_AUDIT_TORN] = "note",
		[BULLA_AUDIT_GAP] = "note", [BULLA_AUDIT_DELETED] = "note",
	};
	unsigned *count = context;

	if (++*count <= MOST_REPORTS)
		printf("%s:%llu: %s: %.*s\n", r->file != NULL ? r->file : "-", (unsigned long long)r->line, names[r->finding],
		       (int)r->text.len, (const char *)r->text.ptr);
}

static bool read_key(const char *text, uint8_t key[KEY_BYTES])
{
	uint8_t buffer[BULLA_BASE64_MAX_DECODED(BULLA_BASE64_LEN(KEY_BYTES))];
	size_t len = 0, bad_at;

	if (text == NULL || strlen(text) != BULLA_BASE64_LEN(KEY_BYTES) ||
	    bulla_base64_decode(bulla_str(text), buffer, &len, &bad_at) != BULLA_OK || len != KEY_BYTES)
		return false;
	memcpy(key, buffer, KEY_BYTES);
	return true;
}

/* What of the log's end is proved, and by whom. */
static void print_end(const struct bulla_audit_verdict *v, bool server_asked)
{
	if (v->unsigned_records == 0) {
		if (v->closed)
			puts("the log ends where the server closed it");
		return;
	}
	printf("the last %llu records are not signed yet: ", (unsigned long long)v->unsigned_records);
	if (server_asked)
		puts(v->offences == 0 ? "the server says that they are all there" : "the server was asked for them");
	else
		puts("that they are all there only the server can tell (-device)");
}

static void print_verdict(const struct bulla_audit_verdict *v, bool key_given, bool server_asked)
{
	printf("%llu lines, records %llu to %llu, %llu checkpoints", (unsigned long long)v->lines,
	       (unsigned long long)v->first_record, (unsigned long long)v->last_record, (unsigned long long)v->checkpoints);
	if (v->first_record > 1)
		printf("; what was before record %llu is not in these files", (unsigned long long)v->first_record);
	putchar('\n');
	print_end(v, server_asked);
	if (v->has_key && !key_given) {
		char text[BULLA_BASE64_LEN(KEY_BYTES)];

		bulla_base64_encode(bulla_mem(v->public_key, KEY_BYTES), text);
		printf("the key was taken from the log itself: %.*s; whoever could write the log could have put it there (-key)\n",
		       (int)sizeof text, text);
	}
	if (v->offences == 0 && v->records == 0) /* who has emptied it has left no trace in it */
		puts(server_asked ? "THERE IS NO RECORD IN IT, AND THE SERVER KNOWS OF NONE" :
				    "THERE IS NO RECORD IN IT: WHETHER THERE WERE ANY ONLY THE SERVER CAN TELL (-device)");
	else
		puts(v->offences == 0 ? "no line was changed, removed or inserted" : "THE LOG IS NOT AS IT WAS WRITTEN");
}

#define MAX_KEYS 16

struct expected {
	uint8_t key[KEY_BYTES], head[KEY_BYTES], given[MAX_KEYS * KEY_BYTES];
	int64_t records;
};

/* "KEY,KEY". 0: it is nothing of that kind. */
static size_t read_keys(struct cli *cli, const char *text, uint8_t out[MAX_KEYS * KEY_BYTES])
{
	for (size_t n = 0; n < MAX_KEYS; n++) {
		const char *comma = strchr(text, ',');
		size_t len = comma != NULL ? (size_t)(comma - text) : strlen(text);
		struct bulla_bytes one = bulla_arena_copy(cli->arena, bulla_mem(text, len));

		if (!read_key((const char *)one.ptr, out + n * KEY_BYTES))
			return 0;
		if (comma == NULL)
			return n + 1;
		text = comma + 1;
	}
	return 0;
}

/* What the server says of the device. A device that is written to goes on meanwhile: it is asked before the files are read. */
static int expect_of_device(struct cli *cli, const char *path, struct expected *out)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = ask_device(cli, path, &answer);

	if (status != CLI_GO_ON)
		return status;
	json_t *data = output_data(answer.doc);
	const char *head = json_string_value(json_object_get(data, "head"));

	out->records = json_integer_value(json_object_get(data, "records"));
	if (!read_key(json_string_value(json_object_get(data, "public_key")), out->key) || head == NULL ||
	    strlen(head) != sizeof out->head * 2 || bulla_hex_decode(bulla_str(head), out->head) != BULLA_OK) {
		fputs("The server's answer cannot be read\n", stderr);
		return CLI_SERVER_ERROR;
	}
	return CLI_GO_ON;
}

#define NOT_FROM_THE_START 3 /* exit status: nothing is wrong with the lines, of which the first are not there */

static int verify_files(struct cli *cli, struct bulla_audit_verify_args *args)
{
	struct bulla_call call = { .arena = cli->arena, .may_block = true };
	struct bulla_audit_verdict verdict;
	unsigned reports = 0;

	args->report = print_report;
	args->context = &reports;
	if (bulla_audit_verify(&call, (const char *const *)cli->argv, (size_t)cli->argc, args, &verdict) != BULLA_OK) {
		fprintf(stderr, "%.*s\n", (int)call.detail.len, (const char *)call.detail.ptr);
		return CLI_LOCAL_ERROR;
	}
	if (reports > MOST_REPORTS)
		printf("... and %u more\n", reports - MOST_REPORTS);
	print_verdict(&verdict, args->public_key_count > 0, args->expect_head != NULL);
	if (verdict.offences == 0 && verdict.records == 0)
		return CLI_LOCAL_ERROR;
	if (verdict.offences == 0 && verdict.checkpoints == 0) {
		puts("BUT NOTHING OF IT IS SIGNED");
		return CLI_SERVER_ERROR;
	}
	if (verdict.offences > 0)
		return CLI_SERVER_ERROR;
	return verdict.first_record > 1 ? NOT_FROM_THE_START : CLI_DONE;
}

static int audit_verify(int argc, char **argv)
{
	const char *key = NULL, *device = NULL;
	const struct flag flags[] = {
		{ "key", FLAG_STRING, &key, "The device's public key (bulla audit key), to check the checkpoints with; KEY,KEY where several devices "
		  "have written the log one after the other." },
		{ "device", FLAG_STRING, &device, "Ask the server for the key of this device, and how far its log must go." },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "audit verify [options] FILE...",
		.about = "  Tells whether the log of an audit device is as the server wrote it: which lines were changed, removed,\n"
			 "  inserted or cut off. Files that were rotated are given in the order in which they were written; - is\n"
			 "  standard input. Needs no server. Ends with 0: all is well; 2: it is not; 3: all is well with the lines, but\n"
			 "  those before the first are not in these files; 1: it could not be told.\n\n"
			 "      $ bulla audit verify -key=$(cat audit.pub) audit.log.2 audit.log.1 audit.log\n",
		.flags = flags, .min_args = 1, .max_args = -1, .no_format = true, .completes = COMPLETES_FILES,
	};
	struct bulla_audit_verify_args args = { 0 };
	struct expected expected = { 0 };
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status == CLI_GO_ON && device != NULL)
		status = expect_of_device(&cli, device, &expected);
	if (status != CLI_GO_ON) /* 2 says that the log is not as it was written */
		return status == CLI_SERVER_ERROR ? CLI_LOCAL_ERROR : status;
	if (device != NULL) {
		args.expect_records = (uint64_t)expected.records;
		args.expect_head = expected.head;
		args.public_keys = expected.key;
		args.public_key_count = 1;
	}
	if (key != NULL) {
		args.public_keys = expected.given;
		args.public_key_count = read_keys(&cli, key, expected.given);
	}
	if (key != NULL && args.public_key_count == 0) {
		fputs("-key must be 32 bytes in base64, as bulla audit key prints it\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	return verify_files(&cli, &args);
}

int command_audit(int argc, char **argv)
{
	static const struct command rows[] = {
		{ "disable", audit_disable, "Disable an audit device" },
		{ "enable", audit_enable, "Enable an audit device" },
		{ "filter", audit_filter, "Print those records of a log that fit" },
		{ "key", audit_key, "Print the key that a device signs its log with" },
		{ "list", audit_list, "List the audit devices" },
		{ "tail", audit_tail, "Print the last records of a log, and those to come" },
		{ "verify", audit_verify, "Tell whether a log is as it was written" },
		{ 0 },
	};

	return commands_run("bulla audit", rows, argc, argv);
}
