/* main.c: the table of subcommands. */
#include "commands/commands.h"

static const struct command commands[] = {
	{ 0 },
};

int main(int argc, char **argv)
{
	return commands_run("bulla", commands, argc, argv);
}
