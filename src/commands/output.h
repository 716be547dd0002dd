/* output.h: how answers are printed: tables as Vault's CLI has them, JSON, or one field. Prints on stdout. One thread. */
#ifndef BULLA_COMMANDS_OUTPUT_H
#define BULLA_COMMANDS_OUTPUT_H

#include "commands/cli.h"

/* A table of texts, filled row by row; the first row is the heading. */
struct output_table {
	struct cli *cli;
	size_t columns, rows, capacity;
	size_t gap; /* between columns */
	const char **cells;
};

void output_table_begin(struct output_table *table, struct cli *cli, size_t columns);
/* One cell after the other, left to right; an empty one prints as n/a. The text is borrowed. */
void output_table_add(struct output_table *table, const char *text);
void output_table_print(const struct output_table *table);
/* Without a heading: all rows alike. */
void output_table_print_rows(const struct output_table *table);
/* Columns Key and Value. */
void output_pairs_begin(struct output_table *table, struct cli *cli);
void output_pairs_add(struct output_table *table, const char *key, const char *value);

/* The names of an object's members, sorted; in the arena. */
const char **output_sorted_keys(struct cli *cli, json_t *object, size_t *count);

/* A value as Go's %v prints it: map[a:1 b:2], [x y], <nil>. */
const char *output_value(struct cli *cli, json_t *value);

/* JSON, indented by two, with the members of every object sorted; YAML where that was asked for. */
void output_json(struct cli *cli, json_t *value, bool line_break);

/* YAML, with the members of every object sorted. */
void output_yaml(struct cli *cli, json_t *value);

/* The whole answer (warnings on stderr), as table or JSON, or the field that was asked for. An exit status. */
int output_answer(struct cli *cli, json_t *doc);

/* The data of an answer: its "data", or all of it where the server sends no envelope (sys/health). Borrowed; may be NULL. */
json_t *output_data(json_t *doc);

/* Tells the warnings on stderr. */
void output_warnings(json_t *doc);

#endif
