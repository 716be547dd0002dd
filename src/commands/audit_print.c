/* audit_print.c: audit tail and audit filter: records of a log for people, one a line, of what is in clear in it. One thread.
 *
 *     2026-11-21 23:10:14  response  update  transit/encrypt/cards  card-api  10.0.0.7  tenant=acme  ok */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/output.h"

#define PAUSE_NS 250000000
#define MAX_CONTEXTS 3 /* of a batch: the rest is counted */

/* Which records: NULL, false: any. */
struct choice {
	const char *path, *operation, *name, *type, *address, *since, *until;
	struct flag_list context;
	bool errors, json;
};

#define CHOICE_ROWS(c) \
	{ "path", FLAG_STRING, &(c).path, "Paths that begin so: transit/decrypt/." }, \
	{ "operation", FLAG_STRING, &(c).operation, "create, read, update, delete, list ..." }, \
	{ "name", FLAG_STRING, &(c).name, "The caller's display name." }, \
	{ "remote-address", FLAG_STRING, &(c).address, "The client's address." }, \
	{ "type", FLAG_STRING, &(c).type, "request, response or bulla_checkpoint." }, \
	{ "context", FLAG_PAIRS, &(c).context, "A pair of the encryption_context, of the request or of an item; may be given many times." }, \
	{ "errors", FLAG_BOOL, &(c).errors, "Only what was refused or failed, in whole or in part." }, \
	{ "since", FLAG_STRING, &(c).since, "From this time on: 2026-11-21 or 2026-11-21T10:00." }, \
	{ "until", FLAG_STRING, &(c).until, "Before this time." }, \
	{ "json", FLAG_BOOL, &(c).json, "Print the lines as they are." }

static const char *text_of(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

/* ---- how it went ----------------------------------------------------------------------------------------------------------------- */

/* What became of a batch's items, and of a signature. Values are hashed, but that there is an error, and whether one is valid, is in clear. */
struct outcome {
	size_t items, good; /* 0, 0: no batch */
	bool not_valid;
};

static struct outcome outcome_of(json_t *record)
{
	json_t *data = json_object_get(json_object_get(record, "response"), "data"), *item;
	bool verifies = strstr(text_of(json_object_get(record, "request"), "path"), "/verify/") != NULL;
	struct outcome o = { .not_valid = json_is_false(json_object_get(data, "valid")) };
	size_t i;

	json_array_foreach(json_object_get(data, "batch_results"), i, item) {
		o.items++;
		o.good += *text_of(item, "error") == 0 && (!verifies || json_is_true(json_object_get(item, "valid")));
	}
	return o;
}

static bool went_wrong(json_t *record)
{
	const struct outcome o = outcome_of(record);

	return *text_of(record, "error") != 0 || o.good < o.items || o.not_valid;
}

/* ---- which ------------------------------------------------------------------------------------------------------------------- */

static bool has_pair(json_t *context, const char *pair)
{
	size_t n = strcspn(pair, "=");
	const char *name;
	json_t *value;

	json_object_foreach(context, name, value)
		if (strlen(name) == n && memcmp(name, pair, n) == 0 && json_is_string(value) &&
		    strcmp(json_string_value(value), pair + n + (pair[n] == '=')) == 0)
			return true;
	return false;
}

/* In the request's data, or in one of the items of its batch. */
static bool has_context(json_t *data, const char *pair)
{
	json_t *item;
	size_t i;

	if (has_pair(json_object_get(data, "encryption_context"), pair))
		return true;
	json_array_foreach(json_object_get(data, "batch_input"), i, item)
		if (has_pair(json_object_get(item, "encryption_context"), pair))
			return true;
	return false;
}

static bool fits(const char *wanted, const char *text)
{
	return wanted == NULL || strcmp(wanted, text) == 0;
}

static bool is_chosen(const struct choice *c, json_t *record)
{
	json_t *request = json_object_get(record, "request"), *auth = json_object_get(record, "auth");
	const char *time = text_of(record, "time");

	for (size_t i = 0; i < c->context.count; i++)
		if (!has_context(json_object_get(request, "data"), c->context.items[i]))
			return false;
	return (c->path == NULL || strncmp(text_of(request, "path"), c->path, strlen(c->path)) == 0) &&
	       fits(c->operation, text_of(request, "operation")) && fits(c->name, text_of(auth, "display_name")) &&
	       fits(c->address, text_of(request, "remote_address")) && fits(c->type, text_of(record, "type")) &&
	       (!c->errors || went_wrong(record)) && (c->since == NULL || strcmp(time, c->since) >= 0) &&
	       (c->until == NULL || strcmp(time, c->until) < 0);
}

/* ---- printing ------------------------------------------------------------------------------------------------------------------ */

/* How long the character at text is that would move the reader's cursor or turn the line's direction: the controls of ASCII and of
 * Latin 1 (U+0080 to U+009F), marks and overrides of direction (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), and the
 * separators of lines (U+2028, U+2029). 0: it would not. The text is valid UTF-8, and ends with a NUL. */
static size_t control_at(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (c[0] < 0x20 || c[0] == 0x7f)
		return 1;
	if ((c[0] == 0xc2 && c[1] < 0xa0) || (c[0] == 0xd8 && c[1] == 0x9c))
		return 2;
	if (c[0] != 0xe2)
		return 0;
	if (c[1] == 0x80)
		return c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae) ? 3 : 0;
	return c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9 ? 3 : 0;
}

/* n: at most so many bytes. */
static void print_safe_part(const char *text, size_t n)
{
	for (size_t i = 0; i < n && text[i] != 0;) {
		size_t control = control_at(text + i);

		putchar(control > 0 ? '?' : text[i]);
		i += control > 0 ? control : 1;
	}
}

static void print_safe(const char *text)
{
	print_safe_part(text, SIZE_MAX);
}

static void print_column(const char *text, int width)
{
	size_t n = strlen(text);

	fputs("  ", stdout);
	print_safe(*text ? text : "-");
	for (size_t i = n > 0 ? n : 1; i < (size_t)width; i++)
		putchar(' ');
}

static void print_context(json_t *context)
{
	const char *name;
	json_t *value;

	json_object_foreach(context, name, value) {
		putchar(' ');
		print_safe(name);
		putchar('=');
		print_safe(json_is_string(value) ? json_string_value(value) : "?");
	}
}

static void print_contexts(json_t *data)
{
	json_t *items = json_object_get(data, "batch_input"), *item;
	size_t i;

	print_context(json_object_get(data, "encryption_context"));
	if (json_array_size(items) > 0)
		printf("  %zu items", json_array_size(items));
	json_array_foreach(items, i, item) {
		if (i == MAX_CONTEXTS)
			break;
		print_context(json_object_get(item, "encryption_context"));
	}
	if (json_array_size(items) > MAX_CONTEXTS && json_object_get(json_array_get(items, 0), "encryption_context") != NULL)
		fputs(" ...", stdout);
}

static void print_success(json_t *record)
{
	const struct outcome o = outcome_of(record);

	if (o.good < o.items)
		printf("  %zu of %zu items ok", o.good, o.items);
	else
		fputs(o.not_valid ? "  not valid" : "  ok", stdout);
}

/* The error's own line: "1 error occurred:\n\t* permission denied\n\n" says little more. */
static void print_outcome(json_t *record)
{
	const char *error = text_of(record, "error"), *star = strstr(error, "* ");

	if (*error == 0 && strcmp(text_of(record, "type"), "response") == 0)
		print_success(record);
	if (*error == 0)
		return;
	error = star != NULL ? star + 2 : error;
	printf("  error: ");
	print_safe_part(error, strcspn(error, "\n"));
}

static void print_checkpoint(json_t *record)
{
	json_t *checkpoint = json_object_get(record, "bulla_checkpoint");

	fputs("  checkpoint ", stdout);
	print_safe(text_of(checkpoint, "event"));
	printf(", record %lld", (long long)json_integer_value(json_object_get(checkpoint, "seq")));
}

static void print_record(json_t *record)
{
	json_t *request = json_object_get(record, "request"), *auth = json_object_get(record, "auth");
	const char *time = text_of(record, "time");

	print_safe_part(time, 10);
	putchar(' ');
	print_safe_part(strlen(time) > 19 ? time + 11 : "", 8);
	if (json_object_get(record, "bulla_checkpoint") != NULL) {
		print_checkpoint(record);
	} else {
		print_column(text_of(record, "type"), 8);
		print_column(text_of(request, "operation"), 6);
		print_column(text_of(request, "path"), 28);
		print_column(text_of(auth, "display_name"), 12);
		print_column(text_of(request, "remote_address"), 9);
		print_contexts(json_object_get(request, "data"));
		print_outcome(record);
	}
	putchar('\n');
}

/* A line of a log: what stands before the first brace is the device's prefix. */
static void take_line(const struct choice *c, const char *line, size_t len)
{
	const char *brace = memchr(line, '{', len);
	json_t *record BULLA_CLEANUP(cli_json_clear) =
		brace == NULL ? NULL : json_loadb(brace, len - (size_t)(brace - line), 0, NULL);

	if (!json_is_object(record)) {
		if (c->type == NULL && c->path == NULL && !c->json)
			puts("(a line that is no record)");
		return;
	}
	if (!is_chosen(c, record))
		return;
	if (c->json)
		printf("%.*s\n", (int)len, line);
	else
		print_record(record);
}

/* ---- the commands ---------------------------------------------------------------------------------------------------------------- */

static int fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return CLI_LOCAL_ERROR;
}

/* Whole lines only: what is still being written is left for the next time. */
static void read_lines(const struct choice *c, FILE *file)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	for (long at = ftell(file); (n = getline(&line, &room, file)) > 0; at = ftell(file)) {
		if (line[n - 1] != '\n' && at >= 0) {
			(void)fseek(file, at, SEEK_SET);
			break;
		}
		take_line(c, line, (size_t)n - (line[n - 1] == '\n'));
	}
	free(line);
	clearerr(file);
	fflush(stdout);
}

static int read_file(const struct choice *c, const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

	if (file == NULL)
		return fail(path);
	read_lines(c, file);
	if (file != stdin)
		(void)fclose(file);
	return CLI_DONE;
}

int audit_filter(int argc, char **argv)
{
	struct choice choice = { 0 };
	const struct flag flags[] = { CHOICE_ROWS(choice), { 0 } };
	const struct cli_spec spec = {
		.usage = "audit filter [options] FILE...",
		.about = "  Prints those records of a log that fit all that is asked for. - is standard input.\n\n"
			 "      $ bulla audit filter -path=transit/decrypt/ -context=tenant=acme -type=response audit.log\n",
		.flags = flags, .min_args = 1, .max_args = -1, .no_format = true, .no_http = true, .completes = COMPLETES_FILES,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	for (int i = 0; i < cli.argc; i++) {
		status = read_file(&choice, cli.argv[i]);
		if (status != CLI_DONE)
			return status;
	}
	return CLI_DONE;
}

/* To where the last n lines begin. */
static void seek_lines(FILE *file, int64_t n)
{
	long at;

	if (fseek(file, 0, SEEK_END) != 0 || (at = ftell(file)) <= 0)
		return;
	for (n++; at > 0; at--) {
		(void)fseek(file, at - 1, SEEK_SET);
		if (fgetc(file) == '\n' && --n == 0)
			break;
	}
	(void)fseek(file, at, SEEK_SET);
}

/* Whether path is another file by now, or was cut: the log was rotated. */
static bool was_rotated(FILE *file, const char *path)
{
	struct stat then, now;

	if (stat(path, &now) != 0 || fstat(fileno(file), &then) != 0)
		return false;
	return then.st_ino != now.st_ino || then.st_dev != now.st_dev || now.st_size < ftell(file);
}

static int follow(const struct choice *c, FILE *file, const char *path)
{
	const struct timespec pause = { 0, PAUSE_NS };

	for (;;) {
		read_lines(c, file);
		(void)nanosleep(&pause, NULL);
		if (!was_rotated(file, path))
			continue;
		read_lines(c, file);
		file = freopen(path, "re", file);
		if (file == NULL)
			return fail(path);
	}
}

int audit_tail(int argc, char **argv)
{
	struct choice choice = { 0 };
	int64_t lines = 10;
	bool on = false;
	const struct flag flags[] = {
		{ "n", FLAG_INT, &lines, "How many of the last lines; 10 otherwise." },
		{ "f", FLAG_BOOL, &on, "Go on with what is written, also after the log is rotated." },
		CHOICE_ROWS(choice),
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "audit tail [options] FILE",
		.about = "  Prints the last records of a log.\n\n      $ bulla audit tail -f -errors /var/log/bulla/audit.log\n",
		.flags = flags, .min_args = 1, .max_args = 1, .no_format = true, .no_http = true, .completes = COMPLETES_FILES,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	FILE *file = fopen(cli.argv[0], "re");

	if (file == NULL)
		return fail(cli.argv[0]);
	seek_lines(file, lines > 0 ? lines : 0);
	if (on)
		return follow(&choice, file, cli.argv[0]);
	read_lines(&choice, file);
	(void)fclose(file);
	return CLI_DONE;
}
