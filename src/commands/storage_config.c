/* storage_config.c: the block storage of the configuration file. One thread, at start and at SIGHUP. */
#include <strings.h>
#include <unistd.h>

#include "commands/config_reader.h"

#define FILE_NAME "bulla.db"

struct storage {
	const char *path;
};

static const struct setting path_settings[] = {
	{ "path", SETTING_TEXT, offsetof(struct storage, path), NULL },
	{ 0 },
};

static bool is_type(const struct hcl *block, const char *type)
{
	return block->label != NULL && strcasecmp(block->label, type) == 0;
}

/* Who starts on the peer's data would find an empty server. */
static bool check_foreign(struct config_reader *r, const struct hcl *at, const char *folder)
{
	static const char *const names[] = { "vault.db", "raft", "core", "sys" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct bulla_bytes path = bulla_arena_printf(r->findings.call->arena, "%s/%s", folder, names[i]);

		if (path.ptr == NULL)
			return findings_no_memory(&r->findings);
		if (access((const char *)path.ptr, F_OK) == 0)
			return setting_fail(&r->findings, at, "%s is data of another server, which is not read here: name a folder of its own",
					    (const char *)path.ptr);
	}
	return true;
}

/* The peers' storages that are a folder: the database is a file in it. */
static bool read_folder(struct config_reader *r, const struct hcl *block, const char *folder)
{
	struct bulla_bytes path = bulla_arena_printf(r->findings.call->arena, "%s/" FILE_NAME, folder);

	if (path.ptr == NULL)
		return findings_no_memory(&r->findings);
	setting_warn(&r->findings, block, "storage \"%s\" is taken for \"sqlite\" with path %s", block->label, (const char *)path.ptr);
	r->config->storage_path = (const char *)path.ptr;
	r->config->storage_folder = folder;
	return check_foreign(r, setting_of(block, "path"), folder);
}

bool storage_config_read(struct config_reader *r, const struct hcl *block)
{
	static const struct setting none[] = { { 0 } };
	struct storage storage = { 0 };
	bool in_folder = is_type(block, "file") || is_type(block, "raft");

	if (r->stored)
		return setting_fail(&r->findings, block, "a second storage");
	r->stored = r->config->has_storage = true;
	r->config->storage_path = r->config->storage_folder = NULL;
	if (is_type(block, "inmem"))
		return settings_bind(&r->findings, "storage", block, none, &storage);
	if (!in_folder && !is_type(block, "sqlite"))
		return setting_fail(&r->findings, block, "unknown storage%s%s: \"sqlite\" and \"inmem\" are known, and the folder of \"file\" and \"raft\"",
				    block->label != NULL ? " " : "", block->label != NULL ? block->label : "");
	bool good = settings_bind(&r->findings, in_folder ? "storage" : NULL, block, path_settings, &storage);

	if (storage.path == NULL)
		return good && setting_fail(&r->findings, block, "storage \"%s\" needs a path", block->label);
	if (in_folder)
		return read_folder(r, block, storage.path) && good;
	r->config->storage_path = storage.path;
	return good;
}
