/* config_values.h: what one attribute of the configuration file may hold. Stateless: any thread. */
#ifndef BULLA_COMMANDS_CONFIG_VALUES_H
#define BULLA_COMMANDS_CONFIG_VALUES_H

#include "commands/config_findings.h"

enum setting_kind {
	SETTING_TEXT,     /* const char *: NULL if it is empty */
	SETTING_BOOL,     /* bool: true, "true", "T", "1", 1 */
	SETTING_SECONDS,  /* int64_t: 90, "90", "90s", "1h30m"; 0: the default */
	SETTING_SECONDS_OR_NONE, /* the same, but -1 is the default */
	SETTING_BYTES,    /* int64_t: 33554432, "32mb" (10^6), "32MiB" (2^20); 0: the default */
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

/* Sets the members of structure from the attributes of the block. False, and an error for each: a name that is not in the table and
 * no key of the peers in where (config_known.h; NULL: none of those either), one that is given twice, a bad value. */
bool settings_bind(struct config_findings *findings, const char *where, const struct hcl *block, const struct setting *table,
		   void *structure);

/* Takes what a later file says: of numbers and durations the larger one, of switches that one is on, of texts the later, if given. All zero is
 * "not given". */
void settings_merge(const struct setting *table, void *to, const void *from);

/* The block's attribute of that name; the block itself without one: for the place in a message. */
const struct hcl *setting_of(const struct hcl *block, const char *name);

/* Sizes as above. False: no size. */
bool size_parse(const char *text, int64_t *bytes);

#endif
