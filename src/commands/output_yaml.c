/* output_yaml.c: owns the printing of answers as YAML 1.2: block style, members sorted, texts quoted where they could be read as
 * something else. One thread. Prints on stdout. */
#include "commands/output.h"

#include <ctype.h>
#include <stdlib.h>

static void put_indent(int depth)
{
	for (int i = 0; i < depth; i++)
		fputs("  ", stdout);
}

/* 1e5, 0x1f, 1_000, 12:30, 2026-11-30 ... but not what only begins so, as many a UUID does. */
static bool is_number_or_date(const char *text)
{
	char *end;
	int used = 0, part;

	if (text[0] == '0' && text[1] != '\0' && strchr("bBoOxX", text[1]) != NULL)
		return true;
	(void)strtod(text, &end);
	if (*end == '\0' || text[strspn(text, "0123456789_:.")] == '\0')
		return true;
	(void)strtoll(text, &end, 0);
	return *end == '\0' || (sscanf(text, "%4d-%2d-%2d%n", &part, &part, &part, &used) == 3 && used >= 8 &&
				strchr("Tt ", text[used]) != NULL);
}

/* What other readers take for null, a truth value, a number or a date has to be quoted; so has all that YAML has signs for. */
static bool is_plain(const char *text)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y", "n", "~" };

	if (text[0] == '\0' || strchr("-?:,[]{}<#&*!|>'\"%@`= \t.+", text[0]) != NULL)
		return false;
	if (isdigit((unsigned char)text[0]) && is_number_or_date(text))
		return false;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(text, words[i]) == 0)
			return false;
	for (const char *at = text; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7F || (*at == ':' && (at[1] == ' ' || at[1] == '\0')) || (*at == ' ' && at[1] == '#'))
			return false;
	return text[strlen(text) - 1] != ' ';
}

static void put_text(const char *text)
{
	json_t *value = json_string(text);

	if (is_plain(text))
		fputs(text, stdout);
	else
		json_dumpf(value, stdout, JSON_ENCODE_ANY); /* a JSON string is a double-quoted one of YAML */
	json_decref(value);
}

static bool is_empty(json_t *value)
{
	return json_object_size(value) == 0 && json_array_size(value) == 0;
}

static void put_value(struct cli *cli, json_t *value, int depth);

static void put_object(struct cli *cli, json_t *object, int depth, bool first_in_line)
{
	size_t count;
	const char **keys = output_sorted_keys(cli, object, &count);

	for (size_t i = 0; i < count; i++) {
		if (i > 0 || !first_in_line)
			put_indent(depth);
		put_text(keys[i]);
		putchar(':');
		put_value(cli, json_object_get(object, keys[i]), depth);
	}
}

static void put_array(struct cli *cli, json_t *array, int depth)
{
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item) {
		put_indent(depth);
		putchar('-');
		if (json_is_object(item) && !is_empty(item)) {
			putchar(' ');
			put_object(cli, item, depth + 1, true);
		} else {
			put_value(cli, item, depth + 1);
		}
	}
}

/* Behind a key's colon or a dash. */
static void put_value(struct cli *cli, json_t *value, int depth)
{
	bool container = json_is_object(value) || json_is_array(value);

	if (container && !is_empty(value)) {
		putchar('\n');
		if (json_is_object(value))
			put_object(cli, value, depth + 1, false);
		else
			put_array(cli, value, depth);
		return;
	}
	putchar(' ');
	if (json_is_string(value))
		put_text(json_string_value(value));
	else
		json_dumpf(value, stdout, JSON_ENCODE_ANY);
	putchar('\n');
}

void output_yaml(struct cli *cli, json_t *value)
{
	if (json_is_object(value) && !is_empty(value))
		put_object(cli, value, 0, false);
	else if (json_is_array(value) && !is_empty(value))
		put_array(cli, value, 0);
	else if (json_is_string(value)) {
		put_text(json_string_value(value));
		putchar('\n');
	} else {
		json_dumpf(value, stdout, JSON_ENCODE_ANY);
		putchar('\n');
	}
}
