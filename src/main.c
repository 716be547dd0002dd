/* main.c: the table of subcommands. */
#include "commands/commands.h"

#include <string.h>

static const struct command commands[] = {
	{ "server", command_server, "Run the server" },
	{ "read", command_read, "Read what is at a path" },
	{ "write", command_write, "Write data to a path: keys, encryption, settings" },
	{ "list", command_list, "List the keys at a path" },
	{ "delete", command_delete, "Delete what is at a path" },
	{ "status", command_status, "Tell whether the server is initialised and sealed" },
	{ "operator", command_operator, "Initialise, unseal and seal the server" },
	{ "secrets", command_secrets, "Enable, disable and list engines" },
	{ "token", command_token, "Make, look up, renew and revoke tokens" },
	{ "version", command_version, "Print the version of this program" },
	{ 0 },
};

int main(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "-version") == 0 || strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0))
		return command_version(1, argv);
	return commands_run("bulla", commands, argc, argv);
}
