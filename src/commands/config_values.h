/* config_values.h: what one attribute of the configuration file may hold. Stateless: any thread. */
#ifndef BULLA_COMMANDS_CONFIG_VALUES_H
#define BULLA_COMMANDS_CONFIG_VALUES_H

#include <bulla/hcl.h>

enum setting_kind {
	SETTING_TEXT,     /* const char *: not empty */
	SETTING_BOOL,     /* bool: true, "true", "1" */
	SETTING_SECONDS,  /* int64_t: 90, "90", "90s", "1h30m"; more than 0 */
	SETTING_SECONDS_OR_NONE, /* the same, and 0 */
	SETTING_BYTES,    /* int64_t: 33554432, "32mb" (10^6), "32MiB" (2^20); more than 0 */
	SETTING_COUNT,    /* int64_t: 5, "5"; more than 0 */
	SETTING_MODE,     /* unsigned: "0600", 600: octal */
	SETTING_NUMBER,   /* int64_t: 0, "1" ...; not negative */
	SETTING_ANY,      /* const struct hcl *: as it is, for the caller to look at */
	SETTING_CHOICE,   /* int: the index in choices */
};

/* A row of a table of settings, ended by one without a name. */
struct setting {
	const char *name;
	enum setting_kind kind;
	size_t offset;              /* in the struct bound */
	const char *const *choices; /* ended by NULL */
};

/* Sets the members of structure from the attributes of the block. CONFIG with "FILE:LINE: ...": a name that is not in the table,
 * one that is given twice, a block, a bad value. */
BULLA_MUST_USE enum bulla_err settings_bind(struct bulla_call *call, const char *file, const struct hcl *block,
					    const struct setting *table, void *structure);

/* "FILE:LINE: ..." for an attribute or block. */
enum bulla_err setting_fail(struct bulla_call *call, const char *file, const struct hcl *at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Sizes as above. False: no size. */
bool size_parse(const char *text, int64_t *bytes);

#endif
