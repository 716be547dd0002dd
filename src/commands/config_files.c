/* config_files.c: see config_files.h. */
#define _GNU_SOURCE
#include "commands/config_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MAX_FILES 256

struct files {
	struct config_findings *findings;
	const char **names;
	size_t count;
};

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcmp(text + len - n, end) == 0;
}

/* Vim leaves "x.hcl~" behind, Emacs ".#x.hcl" and "#x.hcl#": the first and the last do not end as a configuration does. */
static int is_wanted(const struct dirent *entry)
{
	return (ends_with(entry->d_name, ".hcl") || ends_with(entry->d_name, ".json")) && strncmp(entry->d_name, ".#", 2) != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void add(struct files *files, struct bulla_bytes path)
{
	if (path.ptr == NULL)
		findings_no_memory(files->findings);
	else if (files->count == MAX_FILES)
		setting_fail(files->findings, NULL, "more than %d configuration files", MAX_FILES);
	else
		files->names[files->count++] = (const char *)path.ptr;
}

static void add_folder(struct files *files, const char *folder)
{
	struct bulla_arena *arena = files->findings->call->arena;
	size_t before = files->count;
	struct dirent **entries;
	int n = scandir(folder, &entries, is_wanted, by_name);

	if (n < 0) {
		setting_fail(files->findings, NULL, "%s: %s", folder, strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		struct bulla_bytes path = bulla_arena_printf(arena, "%s/%s", folder, entries[i]->d_name);
		struct stat st;

		if (path.ptr == NULL || stat((const char *)path.ptr, &st) != 0 || !S_ISDIR(st.st_mode))
			add(files, path);
		free(entries[i]);
	}
	free(entries);
	if (files->count == before)
		setting_fail(files->findings, NULL, "%s: no file *.hcl or *.json in this folder", folder);
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether the file would be read as one of a folder, too. */
static bool is_in_folder(struct config_findings *findings, const char *path, const char *const *paths, size_t count)
{
	const char *slash = strrchr(path, '/');
	struct bulla_bytes folder = slash == NULL ? bulla_str(".") :
		bulla_arena_printf(findings->call->arena, "%.*s", (int)(slash - path + 1), path);
	struct stat own, other;

	if (folder.ptr == NULL)
		return findings_no_memory(findings);
	if ((!ends_with(path, ".hcl") && !ends_with(path, ".json")) || stat((const char *)folder.ptr, &own) != 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (stat(paths[i], &other) == 0 && S_ISDIR(other.st_mode) && same(&own, &other))
			return true;
	return false;
}

void config_files(struct config_findings *findings, const char *const *paths, size_t count, const char *const **out, size_t *out_count)
{
	struct files files = { findings, bulla_arena_alloc(findings->call->arena, MAX_FILES * sizeof *files.names), 0 };
	struct stat st;

	if (files.names == NULL)
		findings_no_memory(findings);
	for (size_t i = 0; files.names != NULL && i < count; i++) {
		if (stat(paths[i], &st) == 0 && S_ISDIR(st.st_mode))
			add_folder(&files, paths[i]);
		else if (is_in_folder(findings, paths[i], paths, count))
			setting_warn(findings, NULL, "%s is read once, with its folder", paths[i]);
		else
			add(&files, bulla_str(paths[i]));
	}
	*out = files.names;
	*out_count = files.count;
}
