/* autocomplete.c: owns the lines that make the user's shells ask this program for completions: of ~/.bashrc (or the first of bash's other
 * files that is there), ~/.zshrc, and a file of its own for fish. One thread. */
#define _GNU_SOURCE
#include "commands/autocomplete.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/file.h"

#define INSTALL "-autocomplete-install"
#define UNINSTALL "-autocomplete-uninstall"
#define RC_MAX_BYTES (4 << 20)
#define ZSH_INIT "autoload -U +X bashcompinit && bashcompinit"

struct shells {
	const char *home;
	char program[PATH_MAX]; /* this one */
	bool install;
	int found, failed;
};

/* Without the first of two dashes, which the flag package of the peers takes, too. */
static const char *plain(const char *argument)
{
	return strncmp(argument, "--", 2) == 0 ? argument + 1 : argument;
}

bool autocomplete_is_asked(const char *argument)
{
	return strcmp(plain(argument), INSTALL) == 0 || strcmp(plain(argument), UNINSTALL) == 0;
}

static void fail(struct shells *s, const char *path, const char *why)
{
	s->failed++;
	fprintf(stderr, "Error executing CLI: %s: %s\n", path, why);
}

/* ---- files ------------------------------------------------------------------------------------------------------------------------ */

/* The text of a file, to be freed; NULL: it cannot be read. */
static char *read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = file != NULL ? calloc(1, RC_MAX_BYTES) : NULL;
	size_t n = text != NULL ? fread(text, 1, RC_MAX_BYTES - 1, file) : 0;
	bool good = text != NULL && !ferror(file) && n < RC_MAX_BYTES - 1;

	if (file != NULL)
		fclose(file);
	if (good)
		return text;
	free(text);
	return NULL;
}

/* With the mode of the old one; where path is a link, in the place of what it leads to. */
static bool replace_file(const char *path, const char *text)
{
	char real[PATH_MAX];
	struct stat st;

	return realpath(path, real) != NULL && stat(real, &st) == 0 && file_replace(real, st.st_mode & 07777, bulla_str(text));
}

static bool append(const char *path, const char *before, const char *line)
{
	FILE *file = fopen(path, "ae");

	if (file == NULL)
		return false;
	bool good = fprintf(file, "%s%s\n", before, line) > 0;

	return fclose(file) == 0 && good;
}

/* Where the line stands in text, whole; NULL: it does not. */
static char *find_line(char *text, const char *line)
{
	size_t n = strlen(line);

	for (char *at = text; (at = strstr(at, line)) != NULL; at++)
		if ((at == text || at[-1] == '\n') && (at[n] == '\n' || at[n] == '\0'))
			return at;
	return NULL;
}

static bool cut_line(const char *path, char *text, const char *line)
{
	char *at = find_line(text, line), *end = at + strlen(line);

	end += *end == '\n';
	memmove(at, end, strlen(end) + 1);
	return replace_file(path, text);
}

/* ---- shells ------------------------------------------------------------------------------------------------------------------------ */

/* The program's path as a shell's word. */
static void quote(const char *path, char *out, size_t size)
{
	size_t n = 0;

	for (; *path != '\0' && n + 3 < size; path++) {
		if (strchr(" \t\"'\\$`&;|<>()*?[]{}!#~", *path) != NULL)
			out[n++] = '\\';
		out[n++] = *path;
	}
	out[n] = '\0';
}

static void change_rc(struct shells *s, const char *path, const char *init, const char *line)
{
	char *text = read_file(path);

	if (text == NULL) {
		fail(s, path, strerror(errno));
		return;
	}
	bool is_there = find_line(text, line) != NULL;
	const char *end = text[0] == '\0' || text[strlen(text) - 1] == '\n' ? "" : "\n";
	char before[128];

	snprintf(before, sizeof before, "%s%s%s", end, init, *init != '\0' ? "\n" : "");
	if (is_there == s->install)
		fail(s, path, s->install ? "already installed" : "not installed");
	else if (s->install ? !append(path, find_line(text, init) != NULL ? end : before, line) : !cut_line(path, text, line))
		fail(s, path, strerror(errno));
	free(text);
}

/* The file's path if it is there. */
static bool find_rc(const struct shells *s, const char *name, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/%s", s->home, name) < PATH_MAX && access(path, F_OK) == 0;
}

static void change_bash(struct shells *s, const char *line)
{
	static const char *const names[] = { ".bashrc", ".bash_profile", ".bash_login", ".profile" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (find_rc(s, names[i], path)) {
			s->found++;
			change_rc(s, path, "", line);
			return;
		}
}

static void change_zsh(struct shells *s, const char *line)
{
	char path[PATH_MAX];

	if (!find_rc(s, ".zshrc", path))
		return;
	s->found++;
	change_rc(s, path, ZSH_INIT, line);
}

static bool write_fish(const char *path, const char *program)
{
	FILE *file = fopen(path, "wxe");

	if (file == NULL)
		return false;
	bool good = fprintf(file, "function __complete_bulla\n    set -lx COMP_LINE (commandline -cp)\n    test -z (commandline -ct)\n"
				  "    and set COMP_LINE \"$COMP_LINE \"\n    %s\nend\ncomplete -f -c bulla -a \"(__complete_bulla)\"\n", program) > 0;

	return fclose(file) == 0 && good;
}

static void change_fish(struct shells *s, const char *program)
{
	char folder[PATH_MAX], path[PATH_MAX + 16];

	if (!find_rc(s, ".config/fish", folder))
		return;
	s->found++;
	if (!find_rc(s, ".config/fish/completions", folder) && mkdir(folder, 0777) != 0) {
		fail(s, folder, strerror(errno));
		return;
	}
	snprintf(path, sizeof path, "%s/bulla.fish", folder);
	if (s->install ? !write_fish(path, program) : unlink(path) != 0)
		fail(s, path, errno == EEXIST ? "already installed" : errno == ENOENT ? "not installed" : strerror(errno));
}

int autocomplete_run(const char *argument)
{
	struct shells s = { .home = getenv("HOME"), .install = strcmp(plain(argument), INSTALL) == 0 };
	ssize_t n = readlink("/proc/self/exe", s.program, sizeof s.program - 1);
	char word[2 * PATH_MAX], line[2 * PATH_MAX + 64];

	if (n <= 0 || s.home == NULL || s.home[0] == '\0') {
		fputs("Error executing CLI: neither HOME nor the path of this program is known\n", stderr);
		return 1;
	}
	quote(s.program, word, sizeof word);
	snprintf(line, sizeof line, "complete -C %s bulla", word);
	change_bash(&s, line);
	snprintf(line, sizeof line, "complete -o nospace -C %s bulla", word);
	change_zsh(&s, line);
	change_fish(&s, word);
	if (s.found == 0)
		fputs("Error executing CLI: Did not find any shells to install\n", stderr);
	return s.found == 0 || s.failed > 0 ? 1 : 0;
}
