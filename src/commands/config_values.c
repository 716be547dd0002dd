/* config_values.c: binds attributes to the members of a struct, by a table. */
#include "commands/config_values.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "request/fields.h"

enum bulla_err setting_fail(struct bulla_call *call, const char *file, const struct hcl *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct bulla_bytes text = bulla_arena_vprintf(call->arena, format, args);

	va_end(args);
	return bulla_fail(call, BULLA_E_CONFIG, "%s:%u:%u: %.*s", file, at->line, at->column, (int)text.len, (const char *)text.ptr);
}

bool size_parse(const char *text, int64_t *bytes)
{
	static const struct {
		const char *name;
		int64_t factor;
	} units[] = {
		{ "", 1 }, { "b", 1 }, { "kb", 1000 }, { "kib", 1 << 10 }, { "mb", 1000000 }, { "mib", 1 << 20 },
		{ "gb", 1000000000 }, { "gib", 1 << 30 },
	};
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	long long n = strtoll(text, &end, 10);

	if (errno != 0)
		return false;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strcasecmp(end, units[i].name) == 0)
			return !__builtin_mul_overflow((int64_t)n, units[i].factor, bytes);
	return false;
}

static bool set_bool(const struct hcl *h, bool *out)
{
	if (h->kind == HCL_BOOL) {
		*out = h->boolean;
		return true;
	}
	*out = strcmp(h->text, "true") == 0 || strcmp(h->text, "1") == 0;
	return *out || strcmp(h->text, "false") == 0 || strcmp(h->text, "0") == 0;
}

static bool set_mode(const char *text, unsigned *out)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	*out = (unsigned)mode;
	return *text >= '0' && *text <= '7' && *end == '\0' && mode <= 0777;
}

static bool set_seconds(const char *text, int64_t least, int64_t *out)
{
	struct bulla_call call = { .arena = bulla_arena_new(256) };
	bool good = call.arena != NULL && duration_parse(&call, bulla_str(text), out) == BULLA_OK && *out >= least;

	bulla_arena_free(call.arena);
	return good;
}

static bool set_count(const char *text, int64_t *out)
{
	char *end;

	errno = 0;
	long long n = strtoll(text, &end, 10);

	*out = n;
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && n > 0;
}

static bool set_choice(const char *text, const char *const *choices, int *out)
{
	for (int i = 0; choices[i] != NULL; i++) {
		if (strcasecmp(text, choices[i]) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

static bool set_number(const char *text, int64_t *out)
{
	char *end;

	errno = 0;
	long long n = strtoll(text, &end, 10);

	*out = n;
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && n <= INT32_MAX;
}

static bool set(const struct hcl *h, const struct setting *setting, void *to)
{
	if (setting->kind == SETTING_ANY) {
		*(const struct hcl **)to = h;
		return true;
	}
	if (h->kind == HCL_LIST || h->kind == HCL_BLOCK)
		return false;
	if (setting->kind == SETTING_BOOL)
		return set_bool(h, to);
	if (h->kind == HCL_BOOL)
		return false;
	switch (setting->kind) {
	case SETTING_TEXT:
		*(const char **)to = h->text;
		return h->kind == HCL_STRING && h->text[0] != '\0';
	case SETTING_SECONDS:
		return set_seconds(h->text, 1, to);
	case SETTING_SECONDS_OR_NONE:
		return set_seconds(h->text, 0, to);
	case SETTING_BYTES:
		return size_parse(h->text, to) && *(int64_t *)to > 0;
	case SETTING_COUNT:
		return set_count(h->text, to);
	case SETTING_MODE:
		return set_mode(h->text, to);
	case SETTING_NUMBER:
		return set_number(h->text, to);
	case SETTING_CHOICE:
		return set_choice(h->text, setting->choices, to);
	case SETTING_BOOL:
	case SETTING_ANY:
		break;
	}
	return false;
}

static const struct setting *find(const struct setting *table, const char *name)
{
	for (; table->name != NULL; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static bool is_repeated(const struct hcl *block, const struct hcl *item)
{
	for (const struct hcl *h = block->first; h != item; h = h->next)
		if (strcmp(h->name, item->name) == 0)
			return true;
	return false;
}

/* What the value should have been. */
static const char *wanted(const struct setting *setting)
{
	static const char *const texts[] = {
		[SETTING_TEXT] = "a string in quotes", [SETTING_BOOL] = "true or false",
		[SETTING_SECONDS] = "a duration such as \"90s\"", [SETTING_SECONDS_OR_NONE] = "a duration such as \"90s\", or 0",
		[SETTING_BYTES] = "a size such as 33554432 or \"32MiB\"",
		[SETTING_COUNT] = "a number above 0",
		[SETTING_MODE] = "an octal mode such as \"0600\"", [SETTING_CHOICE] = "one of the known words",
		[SETTING_NUMBER] = "a whole number that is not negative", [SETTING_ANY] = "",
	};

	return texts[setting->kind];
}

enum bulla_err settings_bind(struct bulla_call *call, const char *file, const struct hcl *block, const struct setting *table,
			     void *structure)
{
	for (const struct hcl *h = block->first; h != NULL; h = h->next) {
		const struct setting *setting = find(table, h->name);

		if (setting == NULL)
			return setting_fail(call, file, h, "unknown key \"%s\"", h->name);
		if (is_repeated(block, h))
			return setting_fail(call, file, h, "\"%s\" is given twice", h->name);
		if (!set(h, setting, (char *)structure + setting->offset))
			return setting_fail(call, file, h, "\"%s\" must be %s", h->name, wanted(setting));
	}
	return BULLA_OK;
}
