/* main.c: the table of subcommands, and what holds for all of them: the standard streams. */
#include "commands/autocomplete.h"
#include "commands/commands.h"
#include "commands/completion.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command commands[] = {
	{ "server", command_server, "Run the server" },
	{ "read", command_read, "Read what is at a path" },
	{ "write", command_write, "Write data to a path: keys, encryption, settings" },
	{ "list", command_list, "List the keys at a path" },
	{ "scan", command_scan, "List the keys at a path and below it" },
	{ "delete", command_delete, "Delete what is at a path" },
	{ "patch", command_patch, "Change members of what is at a path" },
	{ "unwrap", command_unwrap, "Print what a wrapping token holds" },
	{ "status", command_status, "Tell whether the server is initialised and sealed" },
	{ "operator", command_operator, "Initialise, unseal and seal the server" },
	{ "secrets", command_secrets, "Enable, disable and list engines" },
	{ "audit", command_audit, "Enable, list, read and verify audit devices and their logs" },
	{ "auth", command_auth, "Enable, disable and list auth methods" },
	{ "login", command_login, "Get a token from an auth method, and keep it" },
	{ "policy", command_policy, "Write, read and list policies" },
	{ "token", command_token, "Make, look up, renew and revoke tokens" },
	{ "lease", command_lease, "Look up, renew and revoke leases" },
	{ "transit", command_transit, "Bring key material of one's own" },
	{ "path-help", command_path_help, "Print what the server says of a path" },
	{ "print", command_print, "Print what commands use: the token" },
	{ "version-history", command_version_history, "Print which versions have opened the server's store" },
	{ "version", command_version, "Print the version of this program" },
	{ 0 },
};

/* A stream that is closed gets a file that cannot be used its way: else the next socket or database to be opened would have its
 * number, and would get what was printed. */
static bool fill_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return false;
	return true;
}

/* What did not reach its file (a full disk) must not pass for printed: it may have been the unseal keys. */
static int finish_output(int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "bulla: standard output: %s\n", errno != 0 ? strerror(errno) : "not all could be written");
	return status == 0 ? 1 : status;
}

/* What of a line stands before the cursor, which COMP_POINT says in bytes; all of it if it does not. */
static const char *line_to_cursor(char *line)
{
	const char *point = getenv("COMP_POINT");
	char *end;
	unsigned long at = point != NULL ? strtoul(point, &end, 10) : 0;

	if (point != NULL && *point != '\0' && *end == '\0' && at < strlen(line))
		line[at] = '\0';
	return line;
}

int main(int argc, char **argv)
{
	if (!fill_streams())
		return 1;
	char *line = getenv("COMP_LINE");

	if (line != NULL)
		return finish_output(completion_run(commands, line_to_cursor(line)));
	if (argc == 2 && autocomplete_is_asked(argv[1]))
		return finish_output(autocomplete_run(argv[1]));
	if (argc > 1 && (strcmp(argv[1], "-version") == 0 || strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0))
		return finish_output(command_version(1, argv));
	return finish_output(commands_run("bulla", commands, argc, argv));
}
