/* output.c: owns the printing of answers. One thread. */
#include "commands/output.h"

#include <stdlib.h>
#include <unistd.h>

#define COLUMN_GAP 4
#define WARNING_COLUMNS 78

/* ---- tables -------------------------------------------------------------- */

void output_table_begin(struct output_table *table, struct cli *cli, size_t columns)
{
	*table = (struct output_table){ .cli = cli, .columns = columns, .gap = COLUMN_GAP };
}

void output_table_add(struct output_table *table, const char *text)
{
	if (table->rows == table->capacity) {
		size_t capacity = table->capacity == 0 ? 64 : 2 * table->capacity;
		const char **cells = bulla_arena_alloc(table->cli->arena, capacity * sizeof *cells);

		if (cells == NULL)
			cli_out_of_memory();
		if (table->rows > 0)
			memcpy(cells, table->cells, table->rows * sizeof *cells);
		table->cells = cells;
		table->capacity = capacity;
	}
	table->cells[table->rows++] = text != NULL && text[0] != '\0' ? text : "n/a";
}

/* Characters, not bytes: a token that never ends has the sign for infinity. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void print_row(const struct output_table *table, const char *const *cells, const size_t *widths, bool underline)
{
	for (size_t c = 0; c < table->columns; c++) {
		size_t width = width_of(cells[c]);

		for (size_t i = 0; underline && i < width; i++)
			putchar('-');
		if (!underline)
			fputs(cells[c], stdout);
		for (size_t i = width; c + 1 < table->columns && i < widths[c] + table->gap; i++)
			putchar(' ');
	}
	putchar('\n');
}

static void print_rows(const struct output_table *table, bool heading)
{
	size_t *widths = bulla_arena_alloc(table->cli->arena, table->columns * sizeof *widths);

	if (widths == NULL)
		cli_out_of_memory();
	for (size_t i = 0; i < table->rows; i++)
		if (width_of(table->cells[i]) > widths[i % table->columns])
			widths[i % table->columns] = width_of(table->cells[i]);
	for (size_t i = 0; i + table->columns <= table->rows; i += table->columns) {
		print_row(table, table->cells + i, widths, false);
		if (heading && i == 0)
			print_row(table, table->cells, widths, true);
	}
}

void output_table_print(const struct output_table *table)
{
	print_rows(table, true);
}

void output_table_print_rows(const struct output_table *table)
{
	print_rows(table, false);
}

void output_pairs_begin(struct output_table *table, struct cli *cli)
{
	output_table_begin(table, cli, 2);
	output_pairs_add(table, "Key", "Value");
}

void output_pairs_add(struct output_table *table, const char *key, const char *value)
{
	output_table_add(table, key);
	output_table_add(table, value);
}

/* ---- values -------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **output_sorted_keys(struct cli *cli, json_t *object, size_t *count)
{
	const char *key, **keys = bulla_arena_alloc(cli->arena, json_object_size(object) * sizeof *keys);
	json_t *value;

	*count = 0;
	if (keys == NULL)
		cli_out_of_memory();
	json_object_foreach(object, key, value)
		keys[(*count)++] = key;
	qsort(keys, *count, sizeof *keys, compare_keys);
	return keys;
}

static void write_value(struct cli *cli, FILE *stream, json_t *value)
{
	const char **keys;
	json_t *item;
	size_t i, count;

	switch (value != NULL ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		fputs(json_string_value(value), stream);
		return;
	case JSON_INTEGER:
		fprintf(stream, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return;
	case JSON_REAL:
		fprintf(stream, "%.17g", json_real_value(value));
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		fputs(json_is_true(value) ? "true" : "false", stream);
		return;
	case JSON_ARRAY:
		fputc('[', stream);
		json_array_foreach(value, i, item) {
			fputs(i > 0 ? " " : "", stream);
			write_value(cli, stream, item);
		}
		fputc(']', stream);
		return;
	case JSON_OBJECT:
		fputs("map[", stream);
		keys = output_sorted_keys(cli, value, &count);
		for (i = 0; i < count; i++) {
			fprintf(stream, "%s%s:", i > 0 ? " " : "", keys[i]);
			write_value(cli, stream, json_object_get(value, keys[i]));
		}
		fputc(']', stream);
		return;
	case JSON_NULL:
		fputs("<nil>", stream);
	}
}

const char *output_value(struct cli *cli, json_t *value)
{
	char *text = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);

	if (stream == NULL)
		return cli_out_of_memory();
	write_value(cli, stream, value);
	if (fclose(stream) != 0)
		return cli_out_of_memory();
	struct bulla_bytes copy = bulla_arena_copy(cli->arena, bulla_mem(text, len));

	bulla_wipe(text, len);
	free(text);
	return copy.ptr != NULL ? (const char *)copy.ptr : cli_out_of_memory();
}

/* A copy with all members sorted; a new reference. */
static json_t *sorted(struct cli *cli, json_t *value)
{
	json_t *copy, *item;
	size_t i, count;

	if (json_is_array(value)) {
		copy = json_array();
		json_array_foreach(value, i, item)
			json_array_append_new(copy, sorted(cli, item));
		return copy;
	}
	if (!json_is_object(value))
		return json_incref(value);
	const char **keys = output_sorted_keys(cli, value, &count);

	copy = json_object();
	for (i = 0; i < count; i++)
		json_object_set_new(copy, keys[i], sorted(cli, json_object_get(value, keys[i])));
	return copy;
}

static void dump(json_t *value, bool line_break)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);
	if (line_break)
		putchar('\n');
}

void output_json(struct cli *cli, json_t *value, bool line_break)
{
	if (cli_wants_yaml(cli)) {
		output_yaml(cli, value);
		return;
	}
	json_t *copy = sorted(cli, value);

	dump(copy, line_break);
	json_decref(copy);
}

/* ---- answers ------------------------------------------------------------- */

json_t *output_data(json_t *doc)
{
	static const char *const envelope[] = { "data", "auth", "wrap_info", "request_id", "lease_id" };

	for (size_t i = 0; i < sizeof envelope / sizeof envelope[0]; i++)
		if (json_object_get(doc, envelope[i]) != NULL)
			return json_object_get(doc, "data");
	return doc;
}

/* In lines of the peers' width, words left whole. */
static void print_warning(const char *text)
{
	size_t column = 3;

	fputs("  *", stderr);
	while (*text != '\0') {
		size_t space = strspn(text, " "), word = strcspn(text + space, " ");
		bool fits = column + 1 + word <= WARNING_COLUMNS || column <= 3;

		fprintf(stderr, "%s%.*s", fits ? " " : "\n  ", (int)word, text + space);
		column = fits ? column + 1 + word : 2 + word;
		text += space + word;
	}
	fputs("\n\n", stderr);
}

void output_warnings(json_t *doc)
{
	json_t *warnings = json_object_get(doc, "warnings");
	json_t *text;
	size_t i;

	if (json_array_size(warnings) == 0)
		return;
	fputs("WARNING! The following warnings were returned from Bulla:\n\n", stderr);
	json_array_foreach(warnings, i, text)
		print_warning(json_is_string(text) ? json_string_value(text) : "?");
}

/* The name looks like that of a number of seconds. */
static bool is_duration(const char *key)
{
	static const char *const ends[] = { "period", "ttl", "duration", "lease_max", "ttl_max" };
	size_t len = strlen(key);

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		size_t n = strlen(ends[i]);

		if (len >= n && strcmp(key + len - n, ends[i]) == 0 && (len == n || key[len - n - 1] == '_'))
			return true;
	}
	return false;
}

static const char *table_value(struct cli *cli, const char *key, json_t *value)
{
	char text[DURATION_TEXT_MAX];

	if (!json_is_integer(value) || !is_duration(key))
		return output_value(cli, value);
	duration_print_short(json_integer_value(value), text);
	return cli_printf(cli, "%s", text);
}

/* Go's %q of a list: ["a" "b"]. */
static const char *quoted_list(struct cli *cli, json_t *list)
{
	const char *text = "";
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		text = cli_printf(cli, "%s%s\"%s\"", text, i > 0 ? " " : "", output_value(cli, item));
	return cli_printf(cli, "[%s]", text);
}

static const char *auth_duration(struct cli *cli, json_t *auth)
{
	json_int_t lease_s = json_integer_value(json_object_get(auth, "lease_duration"));
	char text[DURATION_TEXT_MAX];

	if (lease_s == 0)
		return "\u221e";
	duration_print_short(lease_s, text);
	return cli_printf(cli, "%s", text);
}

static void add_auth(struct output_table *table, json_t *auth)
{
	struct cli *cli = table->cli;
	json_t *meta = json_object_get(auth, "metadata");
	const char *token = json_string_value(json_object_get(auth, "client_token"));
	size_t count;

	output_pairs_add(table, "token", token);
	output_pairs_add(table, "token_accessor", json_string_value(json_object_get(auth, "accessor")));
	output_pairs_add(table, "token_duration", auth_duration(cli, auth));
	output_pairs_add(table, "token_renewable", output_value(cli, json_object_get(auth, "renewable")));
	output_pairs_add(table, "token_policies", quoted_list(cli, json_object_get(auth, "token_policies")));
	output_pairs_add(table, "identity_policies", quoted_list(cli, json_object_get(auth, "identity_policies")));
	output_pairs_add(table, "policies", quoted_list(cli, json_object_get(auth, "policies")));
	const char **keys = output_sorted_keys(cli, meta, &count);

	for (size_t i = 0; i < count; i++)
		output_pairs_add(table, cli_printf(cli, "token_meta_%s", keys[i]), output_value(cli, json_object_get(meta, keys[i])));
}

static void add_wrap_info(struct output_table *table, json_t *wrap)
{
	static const struct {
		const char *key, *member;
	} rows[] = {
		{ "wrapping_token:", "token" }, { "wrapping_accessor:", "accessor" }, { "wrapping_token_ttl:", "ttl" },
		{ "wrapping_token_creation_time:", "creation_time" }, { "wrapping_token_creation_path:", "creation_path" },
		{ "wrapped_accessor:", "wrapped_accessor" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (json_object_get(wrap, rows[i].member) != NULL)
			output_pairs_add(table, rows[i].key, table_value(table->cli, rows[i].member, json_object_get(wrap, rows[i].member)));
}

static void print_table(struct cli *cli, json_t *doc)
{
	json_t *data = output_data(doc), *lease = json_object_get(doc, "lease_id");
	struct output_table table;
	size_t count;

	output_pairs_begin(&table, cli);
	if (json_string_length(lease) > 0) {
		output_pairs_add(&table, "lease_id", json_string_value(lease));
		output_pairs_add(&table, "lease_duration", table_value(cli, "lease_duration", json_object_get(doc, "lease_duration")));
		output_pairs_add(&table, "lease_renewable", output_value(cli, json_object_get(doc, "renewable")));
	}
	if (json_is_object(json_object_get(doc, "wrap_info")))
		add_wrap_info(&table, json_object_get(doc, "wrap_info"));
	if (json_is_object(json_object_get(doc, "auth")))
		add_auth(&table, json_object_get(doc, "auth"));
	const char **keys = output_sorted_keys(cli, data, &count);

	for (size_t i = 0; i < count; i++)
		output_pairs_add(&table, keys[i], table_value(cli, keys[i], json_object_get(data, keys[i])));
	if (table.rows > 2)
		output_table_print(&table);
}

/* The answer as Vault's CLI arranges it: its envelope in a fixed order, the rest sorted. */
static void print_json(struct cli *cli, json_t *doc)
{
	static const struct {
		const char *name;
		bool always;
	} members[] = {
		{ "request_id", true }, { "lease_id", true }, { "lease_duration", true }, { "renewable", true },
		{ "data", true }, { "warnings", true }, { "auth", false }, { "wrap_info", false },
	};
	json_t *out = json_object();

	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		const char *name = members[i].name;
		json_t *value = strcmp(name, "data") == 0 ? output_data(doc) : json_object_get(doc, name);

		if (value == NULL && members[i].always)
			json_object_set_new(out, name, strcmp(name, "request_id") == 0 || strcmp(name, "lease_id") == 0 ? json_string("") :
					    strcmp(name, "lease_duration") == 0 ? json_integer(0) :
					    strcmp(name, "renewable") == 0 ? json_false() : json_null());
		if (value != NULL && (members[i].always || !json_is_null(value)))
			json_object_set_new(out, name, sorted(cli, value));
	}
	if (cli_wants_yaml(cli))
		output_yaml(cli, out);
	else
		dump(out, true);
	json_decref(out);
}

/* What a field's name stands for beside a member of the data; which names depends on what the answer has, as with Vault. */
struct special {
	const char *name, *part, *member; /* part NULL: of the answer itself */
};

static json_t *find_special(json_t *doc, const struct special *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, rows[i].name) == 0)
			return json_object_get(rows[i].part != NULL ? json_object_get(doc, rows[i].part) : doc, rows[i].member);
	return NULL;
}

/* Of an answer that has nothing but data. The data's own "data" goes first: that is how kv has its secrets. */
static json_t *find_plain(json_t *doc, const char *name)
{
	static const struct special rows[] = {
		{ "lease_duration", NULL, "lease_duration" }, { "lease_id", NULL, "lease_id" }, { "request_id", NULL, "request_id" },
		{ "renewable", NULL, "renewable" }, { "refresh_interval", NULL, "lease_duration" },
	};
	json_t *data = output_data(doc), *value = find_special(doc, rows, sizeof rows / sizeof rows[0], name);

	if (value != NULL && data != doc)
		return value;
	value = json_object_get(data, name);
	return value == NULL && strcmp(name, "data") == 0 ? data : value;
}

/* NULL: there is none of that name. */
static json_t *find_field(json_t *doc, const char *name)
{
	static const struct special of_auth[] = {
		{ "token", "auth", "client_token" }, { "token_accessor", "auth", "accessor" },
		{ "token_duration", "auth", "lease_duration" }, { "token_renewable", "auth", "renewable" },
		{ "token_policies", "auth", "token_policies" }, { "identity_policies", "auth", "identity_policies" },
		{ "policies", "auth", "policies" },
	};
	static const struct special of_wrapping[] = {
		{ "wrapping_token", "wrap_info", "token" }, { "wrapping_accessor", "wrap_info", "accessor" },
		{ "wrapping_token_ttl", "wrap_info", "ttl" }, { "wrapping_token_creation_time", "wrap_info", "creation_time" },
		{ "wrapping_token_creation_path", "wrap_info", "creation_path" }, { "wrapped_accessor", "wrap_info", "wrapped_accessor" },
	};
	json_t *value;

	if (json_is_object(json_object_get(doc, "auth")))
		value = find_special(doc, of_auth, sizeof of_auth / sizeof of_auth[0], name);
	else if (json_is_object(json_object_get(doc, "wrap_info")))
		value = find_special(doc, of_wrapping, sizeof of_wrapping / sizeof of_wrapping[0], name);
	else
		return find_plain(doc, name);
	return value != NULL ? value : json_object_get(json_object_get(doc, "data"), name);
}

static int print_field(struct cli *cli, json_t *doc)
{
	json_t *value = find_field(doc, cli->field);
	bool line_break = isatty(STDOUT_FILENO);

	if (value == NULL || json_is_null(value)) {
		fprintf(stderr, "Field \"%s\" not present in secret\n", cli->field);
		return CLI_LOCAL_ERROR;
	}
	if (cli_wants_json(cli)) {
		output_json(cli, value, line_break);
		return CLI_DONE;
	}
	fputs(output_value(cli, value), stdout);
	if (line_break)
		putchar('\n');
	return CLI_DONE;
}

int output_answer(struct cli *cli, json_t *doc)
{
	if (strcmp(cli->format, "raw") == 0) {
		fwrite(cli->body.ptr, 1, cli->body.len, stdout);
		putchar('\n');
		return CLI_DONE;
	}
	if (cli->field != NULL)
		return print_field(cli, doc);
	if (cli_wants_json(cli)) {
		print_json(cli, doc);
		return CLI_DONE;
	}
	output_warnings(doc);
	print_table(cli, doc);
	return CLI_DONE;
}
