/* completion.c: owns what is wanted, the words of the line, and what can be said without a server. One thread, one run a process. */
#include "commands/completion.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_WORDS 256

static bool on;
static enum completes wanted;
static const char *wanted_prefix;

bool completion_is_on(void)
{
	return on;
}

void completion_offer(const char *prefix, const char *word)
{
	if (strncmp(prefix, word, strlen(prefix)) == 0)
		puts(word);
}

/* ---- without a server ----------------------------------------------------------------------------------------------------------- */

static void offer_all(const char *prefix, const char *const *words)
{
	for (; *words != NULL; words++)
		completion_offer(prefix, *words);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Those that begin as prefix does; hidden ones only if it asks for them. */
static void offer_files(const char *prefix)
{
	const char *slash = strrchr(prefix, '/'), *name = slash != NULL ? slash + 1 : prefix;
	int folder_len = (int)(name - prefix);
	char path[4096];
	DIR *folder;

	snprintf(path, sizeof path, "%.*s", folder_len, folder_len > 0 ? prefix : "./");
	folder = opendir(folder_len > 0 ? path : ".");
	for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
		if (strncmp(entry->d_name, name, strlen(name)) != 0 || (entry->d_name[0] == '.' && name[0] != '.'))
			continue;
		snprintf(path, sizeof path, "%.*s%s", folder_len, prefix, entry->d_name);
		printf("%s%s\n", path, is_folder(path) ? "/" : "");
	}
	if (folder != NULL)
		closedir(folder);
}

void completion_want(enum completes kind, const char *prefix)
{
	static const char *const formats[] = { "table", "json", "yaml", "raw", NULL }, *const engines[] = { "transit", NULL };
	static const char *const methods[] = { "approle", "cert", "jwt", "userpass", NULL };
	static const char *const logins[] = { "approle", "cert", "jwt", "token", "userpass", NULL };
	static const char *const device_types[] = { "file", "socket", "syslog", NULL };
	static const char *const *const words[] = {
		[COMPLETES_FORMATS] = formats, [COMPLETES_ENGINES] = engines, [COMPLETES_METHODS] = methods, [COMPLETES_LOGINS] = logins,
		[COMPLETES_DEVICE_TYPES] = device_types,
	};

	wanted = kind;
	wanted_prefix = prefix;
	if (kind == COMPLETES_FILES)
		offer_files(prefix);
	else if (kind < COMPLETES_PATHS && words[kind] != NULL)
		offer_all(prefix, words[kind]);
}

void completion_want_value(const char *flag, const char *prefix)
{
	static const struct {
		const char *flag;
		enum completes kind;
	} rows[] = {
		{ "format", COMPLETES_FORMATS }, { "policy", COMPLETES_POLICIES }, { "method", COMPLETES_LOGINS },
		{ "device", COMPLETES_DEVICES }, { "ca-cert", COMPLETES_FILES }, { "ca-path", COMPLETES_FILES },
		{ "client-cert", COMPLETES_FILES }, { "client-key", COMPLETES_FILES }, { "config", COMPLETES_FILES },
		{ "dev-storage", COMPLETES_FILES }, { "log-file", COMPLETES_FILES },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (strcmp(rows[i].flag, flag) == 0)
			completion_want(rows[i].kind, prefix);
}

/* ---- by a server ----------------------------------------------------------------------------------------------------------------- */

void completion_ask(struct cli *cli)
{
	if (wanted >= COMPLETES_PATHS)
		completion_ask_server(cli, wanted, wanted_prefix);
}

/* ---- the line -------------------------------------------------------------------------------------------------------------------- */

/* Cuts text at its spaces; the last word may be empty. The number of words, at most MAX_WORDS. */
static int split(char *text, char **words)
{
	int count = 0;
	char *at = text;

	while (count < MAX_WORDS) {
		at += strspn(at, " \t\n");
		words[count++] = at;
		at += strcspn(at, " \t\n");
		if (*at == '\0')
			break;
		*at++ = '\0';
	}
	return count;
}

int completion_run(const struct command *rows, const char *line)
{
	char *words[MAX_WORDS + 1] = { NULL }, *text = strdup(line);

	if (text == NULL || freopen("/dev/null", "w", stderr) == NULL)
		return 1;
	int count = split(text, words);

	on = true;
	if (count > 1 && count < MAX_WORDS)
		(void)commands_run("bulla", rows, count, words);
	free(text);
	return 0;
}
