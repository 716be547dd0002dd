/* flags.c: owns the parsing of flags and the printing of durations. No state: any thread. */
#include "commands/flags.h"

#include "request/fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands/completion.h"

static const struct flag *find(const struct flag *const *tables, const char *name, size_t len)
{
	for (; *tables != NULL; tables++)
		for (const struct flag *flag = *tables; flag->name != NULL; flag++)
			if (strlen(flag->name) == len && strncmp(flag->name, name, len) == 0)
				return flag;
	return NULL;
}

bool flags_parse_bool(const char *text, bool *out)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*out = strcmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

static bool parse_int(const char *text, int64_t *out)
{
	char *end;

	errno = 0;
	long long value = strtoll(text, &end, 10);

	if (errno != 0 || end == text || *end != '\0')
		return false;
	*out = value;
	return true;
}

void duration_print(int64_t seconds, char text[DURATION_TEXT_MAX])
{
	long long s = seconds;

	if (s >= 3600)
		snprintf(text, DURATION_TEXT_MAX, "%lldh%lldm%llds", s / 3600, s / 60 % 60, s % 60);
	else if (s >= 60)
		snprintf(text, DURATION_TEXT_MAX, "%lldm%llds", s / 60, s % 60);
	else
		snprintf(text, DURATION_TEXT_MAX, "%llds", s);
}

static void drop_end(char *text, const char *end, size_t keep)
{
	size_t len = strlen(text), n = strlen(end);

	if (len > n && strcmp(text + len - n, end) == 0)
		text[len - n + keep] = '\0';
}

void duration_print_short(int64_t seconds, char text[DURATION_TEXT_MAX])
{
	duration_print(seconds, text);
	drop_end(text, "m0s", 1);
	drop_end(text, "h0m", 1);
}

static bool add_to_list(const struct flag *flag, const char *value)
{
	struct flag_list *list = flag->value;

	if (list->count == FLAG_LIST_MAX) {
		fprintf(stderr, "flag -%s is given more than %d times\n", flag->name, FLAG_LIST_MAX);
		return false;
	}
	if (flag->kind == FLAG_PAIRS && strchr(value, '=') == NULL) {
		fprintf(stderr, "invalid value for flag -%s: missing = in KV pair\n", flag->name); /* a header may be a secret */
		return false;
	}
	list->items[list->count++] = value;
	return true;
}

static bool set_duration(const struct flag *flag, const char *value)
{
	struct bulla_call call = { .arena = bulla_arena_new(256) };
	bool good = call.arena != NULL && duration_parse(&call, bulla_str(value), flag->value) == BULLA_OK;

	if (!good)
		fprintf(stderr, "invalid value \"%s\" for flag -%s: %.*s\n", value, flag->name, (int)call.detail.len,
			(const char *)call.detail.ptr);
	bulla_arena_free(call.arena);
	return good;
}

static bool set(const struct flag *flag, const char *value)
{
	bool good = true;

	switch (flag->kind) {
	case FLAG_STRING:
		*(const char **)flag->value = value;
		break;
	case FLAG_BOOL:
		good = flags_parse_bool(value, flag->value);
		break;
	case FLAG_INT:
		good = parse_int(value, flag->value);
		break;
	case FLAG_DURATION:
		return set_duration(flag, value);
	case FLAG_LIST:
	case FLAG_PAIRS:
		return add_to_list(flag, value);
	}
	if (!good)
		fprintf(stderr, "invalid value \"%s\" for flag -%s\n", value, flag->name);
	return good;
}

bool flags_looks_like_one(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] != '-' && (name[i] < 'a' || name[i] > 'z'))
			return false;
	return true;
}

static bool is_help(const char *name)
{
	return strcmp(name, "h") == 0 || strcmp(name, "help") == 0;
}

/* One flag, without its dashes; *i is its index, moved on when its value is the next argument. */
static enum flags_result take_flag(const struct flag *flag, const char *name, int argc, char **argv, int *i)
{
	const char *equals = strchr(name, '=');
	const char *value = equals != NULL ? equals + 1 : flag->kind == FLAG_BOOL ? "true" : NULL;

	if (value == NULL && *i + 1 < argc)
		value = argv[++*i];
	if (value == NULL) {
		fprintf(stderr, "flag needs an argument: -%s\n", flag->name);
		return FLAGS_WRONG;
	}
	return set(flag, value) ? FLAGS_OK : FLAGS_WRONG;
}

static void offer_flags(const struct flag *const *tables, const char *prefix)
{
	size_t dashes = strncmp(prefix, "--", 2) == 0 ? 2 : 1;

	for (; *tables != NULL; tables++)
		for (const struct flag *flag = *tables; flag->name != NULL; flag++)
			if (flag->help != NULL && strncmp(flag->name, prefix + dashes, strlen(prefix + dashes)) == 0)
				printf("%.*s%s\n", (int)dashes, prefix, flag->name);
}

/* The last word: a flag, or -flag=value. False: neither. */
static bool complete_last(const struct flag *const *tables, const char *word)
{
	if (word[0] != '-')
		return false;
	const char *name = word + (word[1] == '-' ? 2 : 1), *equals = strchr(name, '=');
	const struct flag *flag = equals != NULL ? find(tables, name, (size_t)(equals - name)) : NULL;

	if (equals == NULL)
		offer_flags(tables, word);
	else if (flag != NULL)
		completion_want_value(flag->name, equals + 1);
	return true;
}

/* As flags_parse, without complaints. */
static enum flags_result complete(const struct flag *const *tables, int *argc, char **argv)
{
	int last = *argc - 1, kept = 1;

	for (int i = 1; i < last; i++) {
		const char *name = argv[i] + (argv[i][0] == '-' ? argv[i][1] == '-' ? 2 : 1 : 0);
		const struct flag *flag = name > argv[i] ? find(tables, name, strcspn(name, "=")) : NULL;

		if (flag == NULL) {
			argv[kept++] = argv[i];
			continue;
		}
		if (flag->kind != FLAG_BOOL && strchr(name, '=') == NULL && i + 1 == last) {
			completion_want_value(flag->name, argv[last]);
			*argc = 0;
			return FLAGS_COMPLETED;
		}
		(void)take_flag(flag, name, last, argv, &i);
	}
	bool is_argument = last > 0 && !complete_last(tables, argv[last]);

	if (is_argument)
		argv[kept++] = argv[last];
	*argc = is_argument ? kept : 0;
	return FLAGS_COMPLETED;
}

enum flags_result flags_parse(const struct flag *const *tables, int *argc, char **argv)
{
	int kept = 1;

	if (completion_is_on())
		return complete(tables, argc, argv);
	for (int i = 1; i < *argc; i++) {
		const char *name = argv[i];

		if (name[0] != '-' || name[1] == '\0') {
			argv[kept++] = argv[i];
			continue;
		}
		name += name[1] == '-' ? 2 : 1;
		if (*name == '\0') { /* "--": what follows is taken as it is */
			while (++i < *argc)
				argv[kept++] = argv[i];
			break;
		}
		size_t len = strcspn(name, "=");
		const struct flag *flag = find(tables, name, len);

		if (flag == NULL && is_help(name))
			return FLAGS_HELP;
		if (flag == NULL && kept > 1) { /* not one of ours: an argument that begins so */
			argv[kept++] = argv[i];
			continue;
		}
		if (flag == NULL) {
			fprintf(stderr, "flag provided but not defined: -%.*s\n", (int)(flags_looks_like_one(name, len) ? len : 0), name);
			return FLAGS_WRONG;
		}
		if (take_flag(flag, name, *argc, argv, &i) != FLAGS_OK)
			return FLAGS_WRONG;
	}
	*argc = kept;
	return FLAGS_OK;
}

void flags_print(FILE *stream, const char *title, const struct flag *table)
{
	static const char *const forms[] = {
		[FLAG_STRING] = "=<string>", [FLAG_BOOL] = "", [FLAG_INT] = "=<int>", [FLAG_DURATION] = "=<duration>",
		[FLAG_LIST] = "=<string>", [FLAG_PAIRS] = "=<key=value>",
	};
	bool first = true;

	for (; table->name != NULL; table++) {
		if (table->help == NULL)
			continue;
		if (first)
			fprintf(stream, "\n%s:\n", title);
		first = false;
		fprintf(stream, "\n  -%s%s\n      %s\n", table->name, forms[table->kind], table->help);
	}
}
