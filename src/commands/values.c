/* values.c: owns the parsing of K=V arguments. One thread. Reads files and standard input. */
#include "commands/values.h"

#include <errno.h>
#include <stdlib.h>

#define FILE_MAX_BYTES ((size_t)64 << 20)

/* All of a stream, in memory that wipes when freed. False: errno says why. */
static bool read_all(FILE *stream, char **text, size_t *len)
{
	size_t size = 65536, n = 0;
	char *out = bulla_wiping_malloc(size);

	while (out != NULL && n < FILE_MAX_BYTES) {
		size_t got = fread(out + n, 1, size - n, stream);

		n += got;
		if (got == 0)
			break;
		if (n == size) {
			char *more = bulla_wiping_realloc(out, size *= 2);

			if (more == NULL)
				bulla_wiping_free(out);
			out = more;
		}
	}
	if (out == NULL || ferror(stream) || n >= FILE_MAX_BYTES) {
		if (n >= FILE_MAX_BYTES)
			errno = EFBIG;
		bulla_wiping_free(out);
		return false;
	}
	*text = out;
	*len = n;
	return true;
}

/* source: "-" or a file's name. */
static bool read_source(const char *argument, const char *source, char **text, size_t *len)
{
	bool standard = strcmp(source, "-") == 0;
	FILE *stream = standard ? stdin : fopen(source, "re");

	if (stream != NULL)
		setvbuf(stream, NULL, _IONBF, 0);
	bool good = stream != NULL && read_all(stream, text, len);

	if (!good)
		fprintf(stderr, "Failed to parse K=V data: invalid key/value pair \"%s\": error reading %s: %s\n", argument,
			standard ? "standard input" : source, strerror(errno));
	if (stream != NULL && !standard)
		fclose(stream);
	return good;
}

static bool add_document(json_t *object, const char *argument)
{
	char *text = NULL;
	size_t len = 0;
	json_error_t error;

	if (!read_source(argument, argument[0] == '@' ? argument + 1 : argument, &text, &len))
		return false;
	json_t *doc = json_loadb(text, len, JSON_ALLOW_NUL, &error);
	bool good = json_is_object(doc) && json_object_update(object, doc) == 0;

	if (!good)
		fprintf(stderr, "Failed to parse K=V data: invalid key/value pair \"%s\": %s\n", argument,
			doc == NULL ? error.text : "not a JSON object");
	json_decref(doc);
	bulla_wiping_free(text);
	return good;
}

/* The value after the equals sign; a new reference. */
static json_t *read_value(const char *argument, const char *value)
{
	char *text = NULL;
	size_t len = 0;

	if (value[0] == '\\' && value[1] == '@')
		value++;
	else if (value[0] == '@' || strcmp(value, "-") == 0) {
		if (!read_source(argument, value[0] == '@' ? value + 1 : value, &text, &len))
			return NULL;
		json_t *json = json_stringn(text, len);

		bulla_wiping_free(text);
		if (json == NULL)
			fprintf(stderr, "Failed to parse K=V data: invalid key/value pair \"%s\": not UTF-8\n", argument);
		return json;
	}
	json_t *json = json_string(value);

	if (json == NULL)
		fputs("Failed to parse K=V data: an argument is not UTF-8\n", stderr);
	return json;
}

static bool add_pair(struct cli *cli, json_t *object, const char *argument)
{
	const char *equals = strchr(argument, '=');

	if (equals == NULL) { /* it is not repeated: it may be a secret whose key was forgotten */
		fputs("Failed to parse K=V data: an argument is no key/value pair: format must be key=value\n", stderr);
		return false;
	}
	const char *key = cli_printf(cli, "%.*s", (int)(equals - argument), argument);
	json_t *value = read_value(argument, equals + 1), *before = json_object_get(object, key);

	if (value == NULL)
		return false;
	if (before == NULL)
		return json_object_set_new(object, key, value) == 0;
	if (json_is_array(before))
		return json_array_append_new(before, value) == 0;
	return json_object_set_new(object, key, json_pack("[Oo]", before, value)) == 0;
}

json_t *values_parse(struct cli *cli, int argc, char **argv)
{
	json_t *object = json_object();

	for (int i = 0; i < argc; i++) {
		bool document = strcmp(argv[i], "-") == 0 || argv[i][0] == '@';

		if (document ? add_document(object, argv[i]) : add_pair(cli, object, argv[i]))
			continue;
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *values_of_list(const struct flag_list *list)
{
	json_t *items = list->count > 0 ? json_array() : NULL;

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(items, json_string(list->items[i]));
	return items;
}

json_t *values_of_pairs(struct cli *cli, const struct flag_list *list)
{
	json_t *object = list->count > 0 ? json_object() : NULL;

	for (size_t i = 0; i < list->count; i++) {
		const char *pair = list->items[i], *equals = strchr(pair, '=');

		json_object_set_new(object, cli_printf(cli, "%.*s", (int)(equals - pair), pair), json_string(equals + 1));
	}
	return object;
}
