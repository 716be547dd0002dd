/* flags.h: command lines as Vault's: "-name=value", "-name value", a bool's "-name" or "-name=false", "--" and one or two
 * dashes alike. Flags may stand before and behind the other arguments, up to "--". Flag tables are const arrays, ended by a row without a name. */
#ifndef BULLA_COMMANDS_FLAGS_H
#define BULLA_COMMANDS_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum flag_kind {
	FLAG_STRING,   /* value: const char ** */
	FLAG_BOOL,     /* bool * */
	FLAG_INT,      /* int64_t * */
	FLAG_DURATION, /* int64_t *, in seconds: "90", "90s", "1h30m", "2d" */
	FLAG_LIST,     /* struct flag_list *: may be given many times */
	FLAG_PAIRS,    /* the same, each "key=value" */
};

#define FLAG_LIST_MAX 64

struct flag_list {
	const char *items[FLAG_LIST_MAX];
	size_t count;
};

struct flag {
	const char *name; /* without dashes */
	enum flag_kind kind;
	void *value;      /* left as it is when the flag is not given */
	const char *help; /* one line; NULL: not shown */
};

/* COMPLETED: the line was one to complete (completion.h), and what is wanted is known. */
enum flags_result { FLAGS_OK, FLAGS_HELP, FLAGS_WRONG, FLAGS_COMPLETED };

/* Parses argv[1..] by the tables (a NULL ends the list of them), and leaves the other arguments in argv[1..*argc-1], in their order. What
 * begins with a dash and is no flag is one of them if another stands before it. A mistake is told on stderr. Values point into argv's
 * strings. bulla_memory_init must have been called.
 * Where the line is to be completed: COMPLETED, always; *argc is 0 if its last word is a flag or the value of one, else that word is the last
 * argument. */
enum flags_result flags_parse(const struct flag *const *tables, int *argc, char **argv);

/* Whether the name could be a flag's, if not one of ours: small letters and dashes. What else begins with a dash may be a secret, and is not
 * repeated in messages. */
bool flags_looks_like_one(const char *name, size_t len);

/* Prints one table's flags with their help. */
void flags_print(FILE *stream, const char *title, const struct flag *table);

/* "1", "true", "T" ... as Go takes them. False: neither true nor false. */
bool flags_parse_bool(const char *text, bool *out);

#define DURATION_TEXT_MAX 32
/* "1h0m0s", as Go prints it. */
void duration_print(int64_t seconds, char text[DURATION_TEXT_MAX]);
/* "1h", without the parts that are zero at the end, as Vault's tables have it. */
void duration_print_short(int64_t seconds, char text[DURATION_TEXT_MAX]);

#endif
