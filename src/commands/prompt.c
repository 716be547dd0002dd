/* prompt.c: asks for secrets on the terminal. One thread. */
#include "commands/prompt.h"

#include <termios.h>
#include <unistd.h>

const char *prompt_secret(struct cli *cli, const char *question, const char *what)
{
	struct termios before, silent;

	if (cli->non_interactive || tcgetattr(STDIN_FILENO, &before) != 0) {
		fprintf(stderr, "Standard input is no terminal, or nobody is to be asked: to read %s from it, give \"-\" in its place.\n", what);
		return NULL;
	}
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) != 0) {
		fputs("The terminal's echo could not be switched off.\n", stderr);
		return NULL;
	}
	fputs(question, stdout); /* only now: whoever sees it may type */
	fflush(stdout);
	const char *secret = cli_secret_argument(cli, "-");

	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	putchar('\n');
	return secret;
}
