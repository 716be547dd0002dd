/* config_values.c: binds attributes to the members of a struct, by a table. */
#include "commands/config_values.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "commands/config_known.h"
#include "request/fields.h"

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

/* As Go's strconv.ParseBool, in any case; empty is false, as for the peers. */
static bool set_bool(const struct hcl *h, bool *out)
{
	static const char *const words[][2] = { { "false", "true" }, { "f", "t" }, { "0", "1" }, { "", "true" } };

	if (h->kind == HCL_BOOL) {
		*out = h->boolean;
		return true;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		*out = strcasecmp(h->text, words[i][1]) == 0;
		if (*out || strcasecmp(h->text, words[i][0]) == 0)
			return true;
	}
	return false;
}

static bool set_mode(const char *text, unsigned *out)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	*out = (unsigned)mode;
	return *text >= '0' && *text <= '7' && *end == '\0' && mode <= 0777;
}

static bool set_seconds(const char *text, int64_t *out)
{
	*out = 0;
	if (text[0] == '\0')
		return true;
	struct bulla_call call = { .arena = bulla_arena_new(256) };
	bool good = call.arena != NULL && duration_parse(&call, bulla_str(text), out) == BULLA_OK && *out >= 0;

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
		*(const char **)to = h->text[0] != '\0' ? h->text : NULL;
		return h->kind == HCL_STRING;
	case SETTING_SECONDS:
	case SETTING_SECONDS_OR_NONE:
		return set_seconds(h->text, to);
	case SETTING_BYTES:
		return size_parse(h->text, to);
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
		if (strcasecmp(table->name, name) == 0)
			return table;
	return NULL;
}

static bool is_repeated(const struct hcl *block, const struct hcl *item)
{
	for (const struct hcl *h = block->first; h != item; h = h->next)
		if (strcasecmp(h->name, item->name) == 0)
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
		[SETTING_MODE] = "an octal mode such as \"0600\"", [SETTING_CHOICE] = "one of",
		[SETTING_NUMBER] = "a whole number that is not negative", [SETTING_ANY] = "",
	};

	return texts[setting->kind];
}

/* " a, b, c": those of a choice that are not empty. */
static const char *choices_of(struct config_findings *findings, const struct setting *setting)
{
	struct bulla_bytes text = bulla_str("");

	if (setting->kind != SETTING_CHOICE)
		return "";
	for (const char *const *choice = setting->choices; *choice != NULL; choice++)
		if (**choice != '\0' && text.ptr != NULL)
			text = bulla_arena_printf(findings->call->arena, "%.*s%s %s", (int)text.len, (const char *)text.ptr,
						  text.len > 0 ? "," : "", *choice);
	return text.ptr == NULL ? "" : (const char *)text.ptr;
}

static bool bind_one(struct config_findings *findings, const struct hcl *block, const struct hcl *h, const struct setting *setting,
		     void *structure)
{
	if (is_repeated(block, h))
		return setting_fail(findings, h, "\"%s\" is given twice", h->name);
	if (!set(h, setting, (char *)structure + setting->offset))
		return setting_fail(findings, h, "\"%s\" must be %s%s", h->name, wanted(setting), choices_of(findings, setting));
	return true;
}

bool settings_bind(struct config_findings *findings, const char *where, const struct hcl *block, const struct setting *table,
		   void *structure)
{
	bool good = true;

	for (const struct hcl *h = block->first; h != NULL; h = h->next) {
		const struct setting *setting = find(table, h->name);

		if (setting != NULL)
			good &= bind_one(findings, block, h, setting, structure);
		else if (where == NULL || !known_answer(findings, where, h))
			good = setting_fail(findings, h, "unknown key \"%s\"", h->name);
	}
	return good;
}

static void merge_one(const struct setting *setting, void *to, const void *from)
{
	switch (setting->kind) {
	case SETTING_BOOL:
		*(bool *)to |= *(const bool *)from;
		break;
	case SETTING_TEXT:
	case SETTING_ANY:
		if (*(void *const *)from != NULL)
			*(const void **)to = *(void *const *)from;
		break;
	case SETTING_CHOICE:
	case SETTING_MODE:
		if (*(const int *)from != 0)
			*(int *)to = *(const int *)from;
		break;
	case SETTING_SECONDS:
	case SETTING_SECONDS_OR_NONE:
	case SETTING_BYTES:
	case SETTING_COUNT:
	case SETTING_NUMBER:
		if (*(const int64_t *)from > *(int64_t *)to)
			*(int64_t *)to = *(const int64_t *)from;
	}
}

void settings_merge(const struct setting *table, void *to, const void *from)
{
	for (; table->name != NULL; table++)
		merge_one(table, (char *)to + table->offset, (const char *)from + table->offset);
}

const struct hcl *setting_of(const struct hcl *block, const char *name)
{
	for (const struct hcl *h = block->first; h != NULL; h = h->next)
		if (strcasecmp(h->name, name) == 0)
			return h;
	return block;
}
