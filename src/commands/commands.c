/* commands.c: owns the choice of a subcommand from a table, and the usage text printed from the same table. One thread. */
#include "commands/commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "commands/completion.h"

#define NO_SUCH_COMMAND 127
#define NO_SUCH_SUBCOMMAND 1

static void usage(FILE *stream, const char *program, const struct command *rows)
{
	fprintf(stream, "Usage: %s <command> [args]\n\nCommands:\n", program);
	for (; rows->name != NULL; rows++)
		fprintf(stream, "    %-15s  %s\n", rows->name, rows->help);
	fprintf(stream, "\n\"%s <command> -h\" tells more about each.\n", program);
}

static bool asks_help(const char *arg)
{
	return strcmp(arg, "-h") == 0 || strcmp(arg, "-help") == 0 || strcmp(arg, "--help") == 0 || strcmp(arg, "help") == 0;
}

int commands_run(const char *program, const struct command *rows, int argc, char **argv)
{
	if (argc == 2 && completion_is_on()) {
		for (const struct command *row = rows; row->name != NULL; row++)
			completion_offer(argv[1], row->name);
		return 0;
	}
	for (const struct command *row = rows; argc > 1 && row->name != NULL; row++)
		if (strcmp(row->name, argv[1]) == 0)
			return row->fn(argc - 1, argv + 1);
	if (argc > 1 && !completion_is_on() && asks_help(argv[1])) {
		usage(stdout, program, rows);
		return 0;
	}
	if (argc > 1)
		fprintf(stderr, "%s: no such command: %s\n\"%s -h\" lists what there is.\n", program, argv[1], program);
	else
		usage(stderr, program, rows);
	return strchr(program, ' ') == NULL ? NO_SUCH_COMMAND : NO_SUCH_SUBCOMMAND;
}
