/* token_helper.c: owns the user's file of the token, and the run of the program that keeps it instead. The token goes through pipes
 * only: never into an argument or the environment. One thread. */
#define _GNU_SOURCE
#include "commands/token_helper.h"

#include <bulla/hcl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/environment.h"
#include "http/file.h"

static enum bulla_err fail(struct bulla_call *call, const char *path)
{
	return bulla_fail(call, BULLA_E_CONFIG, "%s: %s", path, strerror(errno));
}

/* A file in the user's home; NULL: there is no home, or no memory. */
static const char *in_home(struct bulla_call *call, const char *name)
{
	const char *home = getenv("HOME");

	if (home == NULL || home[0] == '\0')
		return NULL;
	return (const char *)bulla_arena_printf(call->arena, "%s/%s", home, name).ptr;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cuts the white space off; NULL: nothing is left. text ends with a NUL. */
static const char *trimmed(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && is_space(text[len - 1]))
		text[--len] = '\0';
	while (is_space(*text))
		text++;
	return *text != '\0' ? text : NULL;
}

/* ---- the configuration -------------------------------------------------------------------------------------------------------- */

static const char *find_config(struct bulla_call *call)
{
	static const char *const names[] = { ".bulla", ".bao", ".vault" };
	const char *given = environment_get("CONFIG_PATH");
	struct stat st;

	if (given != NULL)
		return given;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *path = in_home(call, names[i]);

		if (path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			return path;
	}
	return NULL;
}

/* NULL: none is set. */
static enum bulla_err read_config(struct bulla_call *call, const char *path, const char **helper)
{
	struct bulla_bytes text;
	struct hcl *root;

	if (!file_read(call->arena, path, HCL_MAX_BYTES, &text))
		return errno == ENOENT ? BULLA_OK : fail(call, path);
	TRY(hcl_parse(call, path, text, &root));
	for (const struct hcl *at = root->first; at != NULL; at = at->next) {
		if (strcmp(at->name, "token_helper") != 0 || at->kind != HCL_STRING)
			return bulla_fail(call, BULLA_E_CONFIG, "%s:%u:%u: token_helper = \"/path/of/a/program\" is all that it may have",
					  path, at->line, at->column);
		*helper = at->text[0] != '\0' ? at->text : NULL;
	}
	if (*helper != NULL && (*helper)[0] != '/') /* one by that name in the present folder is not what was meant */
		return bulla_fail(call, BULLA_E_CONFIG, "%s: token_helper must be an absolute path", path);
	return BULLA_OK;
}

/* The program; NULL: it is a file. */
static enum bulla_err find_helper(struct bulla_call *call, const char **helper)
{
	const char *path = find_config(call);

	*helper = NULL;
	return path != NULL ? read_config(call, path, helper) : BULLA_OK;
}

/* ---- the program --------------------------------------------------------------------------------------------------------------- */

/* In the child. What is on the caller's standard input is not for the program: it may be a plaintext. */
static void run_program(const char *program, const char *verb, int in, int out)
{
	char *const argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)verb, NULL };
	sigset_t signals;
	int none = open("/dev/null", O_RDWR | O_CLOEXEC);

	sigemptyset(&signals); /* a server has them blocked or ignored */
	(void)sigprocmask(SIG_SETMASK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_DFL);
	if (none >= 0 && dup2(in >= 0 ? in : none, STDIN_FILENO) >= 0 && dup2(out >= 0 ? out : STDERR_FILENO, STDOUT_FILENO) >= 0)
		(void)execvp(program, argv);
	_exit(127);
}

/* The child, connected to us by *fd: we read what it prints (get), or write what it reads (store). Below 0: errno says why. */
static pid_t start_program(const char *program, const char *verb, bool reads, int *fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	pid_t child = fork();

	if (child == 0)
		run_program(program, verb, reads ? -1 : ends[0], reads ? ends[1] : -1);
	int why = errno;

	close(ends[reads ? 1 : 0]);
	*fd = ends[reads ? 0 : 1];
	if (child < 0)
		close(*fd);
	errno = why;
	return child;
}

static enum bulla_err wait_for(struct bulla_call *call, pid_t child, const char *program, const char *verb)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail(call, program);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return BULLA_OK;
	if (WIFEXITED(status))
		return bulla_fail(call, BULLA_E_CONFIG, "token helper %s %s: exit status %d", program, verb, WEXITSTATUS(status));
	return bulla_fail(call, BULLA_E_CONFIG, "token helper %s %s: signal %d", program, verb, WTERMSIG(status));
}

/* To the end, or until the room is full, less one byte; below 0: errno says why. */
static ssize_t read_all(int fd, char *text, size_t room)
{
	size_t n = 0;

	while (n < room - 1) {
		ssize_t got = read(fd, text + n, room - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
	return (ssize_t)n;
}

static enum bulla_err get_by_program(struct bulla_call *call, const char *program, const char **token)
{
	char *text = bulla_arena_alloc(call->arena, TOKEN_MAX_BYTES + 2);
	int fd;

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	pid_t child = start_program(program, "get", true, &fd);

	if (child < 0)
		return fail(call, program);
	ssize_t n = read_all(fd, text, TOKEN_MAX_BYTES + 2);

	close(fd); /* who prints more than a token is ended by the next byte */
	TRY(wait_for(call, child, program, "get"));
	if (n < 0 || n > TOKEN_MAX_BYTES)
		return bulla_fail(call, BULLA_E_CONFIG, "token helper %s get: what it printed is no token", program);
	*token = trimmed(text);
	return BULLA_OK;
}

static enum bulla_err store_by_program(struct bulla_call *call, const char *program, const char *token)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before;
	int fd;
	pid_t child = start_program(program, "store", false, &fd);

	if (child < 0)
		return fail(call, program);
	(void)sigaction(SIGPIPE, &ignore, &before); /* it may end without reading: its status tells */
	bool good = file_write_all(fd, bulla_str(token));

	close(fd);
	(void)sigaction(SIGPIPE, &before, NULL);
	TRY(wait_for(call, child, program, "store"));
	return good ? BULLA_OK : bulla_fail(call, BULLA_E_CONFIG, "token helper %s store: it did not read the token", program);
}

/* ---- the file ------------------------------------------------------------------------------------------------------------------- */

static const char *const files[] = { ".bulla-token", ".vault-token" };

static enum bulla_err get_by_file(struct bulla_call *call, const char **token)
{
	for (size_t i = 0; i < sizeof files / sizeof files[0] && *token == NULL; i++) {
		const char *path = in_home(call, files[i]);
		struct bulla_bytes text;

		if (path != NULL && file_read(call->arena, path, TOKEN_MAX_BYTES, &text))
			*token = trimmed((char *)(uintptr_t)text.ptr);
	}
	return BULLA_OK;
}

/* Where commands will look first. */
static const char *file_to_write(struct bulla_call *call)
{
	const char *own = in_home(call, files[0]);

	return own != NULL && access(own, F_OK) == 0 ? own : in_home(call, files[1]);
}

static enum bulla_err store_by_file(struct bulla_call *call, const char *token)
{
	const char *path = file_to_write(call);

	if (path == NULL)
		return bulla_fail(call, BULLA_E_CONFIG, "HOME is not set");
	return file_replace(path, 0600, bulla_str(token)) ? BULLA_OK : fail(call, path);
}

enum bulla_err token_helper_get(struct bulla_call *call, const char **token)
{
	const char *program;

	*token = NULL;
	TRY(find_helper(call, &program));
	return program != NULL ? get_by_program(call, program, token) : get_by_file(call, token);
}

enum bulla_err token_helper_store(struct bulla_call *call, const char *token)
{
	const char *program;

	TRY(find_helper(call, &program));
	return program != NULL ? store_by_program(call, program, token) : store_by_file(call, token);
}
