/* store_sqlite_file.c: owns the file beside SQLite: creates it, locks it, and has its header checked.
 *
 * The lock is an flock, which SQLite's own fcntl locks neither see nor disturb. A process that closes any descriptor of a
 * file drops all its fcntl locks on it, so a second open within this process must be found out before the file is opened:
 * hence the list. Thread-safe. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_sqlite.h"

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct store_file *open_files;

static enum bulla_err in_use(struct bulla_call *call, const char *path)
{
	return bulla_fail(call, BULLA_E_STORE_LOCKED, "%s is in use by another process", path);
}

static enum bulla_err cannot(struct bulla_call *call, const char *what, const char *path)
{
	return bulla_fail(call, BULLA_E_STORE, "cannot %s %s: %s", what, path, strerror(errno));
}

/* With list_lock. */
static bool is_open_here(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	for (const struct store_file *f = open_files; f != NULL; f = f->next)
		if (f->device == (uint64_t)st.st_dev && f->inode == (uint64_t)st.st_ino)
			return true;
	return false;
}

/* O_NONBLOCK: a FIFO would stop us for ever. */
static enum bulla_err open_or_create(const char *path, struct bulla_call *call, struct store_file *file)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

	file->fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	file->created = file->fd >= 0;
	if (file->fd < 0 && errno == EEXIST)
		file->fd = open(path, flags);
	if (file->fd < 0 && errno == ENOENT)
		return bulla_fail(call, BULLA_E_STORE, "cannot create %s: its folder does not exist", path);
	if (file->fd < 0)
		return cannot(call, "open", path);
	return BULLA_OK;
}

static enum bulla_err lock_and_check(const char *path, struct bulla_call *call, struct store_file *file)
{
	struct stat st;
	bool fresh;

	if (fstat(file->fd, &st) != 0)
		return cannot(call, "read", path);
	if (S_ISREG(st.st_mode) && flock(file->fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? in_use(call, path) : cannot(call, "lock", path);
	TRY(store_header_check(file->fd, path, call, &fresh));
	file->device = (uint64_t)st.st_dev;
	file->inode = (uint64_t)st.st_ino;
	return BULLA_OK;
}

/* With list_lock. */
static enum bulla_err open_file(const char *path, struct bulla_call *call, struct store_file *out)
{
	struct store_file file = { .fd = -1 };

	if (is_open_here(path))
		return in_use(call, path);
	TRY(open_or_create(path, call, &file));
	enum bulla_err err = lock_and_check(path, call, &file);

	if (err != BULLA_OK) {
		if (file.created)
			(void)unlink(path);
		(void)close(file.fd);
		return err;
	}
	*out = file;
	out->next = open_files;
	open_files = out;
	return BULLA_OK;
}

enum bulla_err store_file_open(const char *path, struct bulla_call *call, struct store_file *out)
{
	pthread_mutex_lock(&list_lock);
	enum bulla_err err = open_file(path, call, out);

	pthread_mutex_unlock(&list_lock);
	return err;
}

void store_file_close(struct store_file *file, const char *path, bool remove)
{
	if (file->fd < 0)
		return;
	pthread_mutex_lock(&list_lock);
	for (struct store_file **at = &open_files; *at != NULL; at = &(*at)->next)
		if (*at == file) {
			*at = file->next;
			break;
		}
	if (remove)
		(void)unlink(path);
	(void)close(file->fd);
	file->fd = -1;
	pthread_mutex_unlock(&list_lock);
}

enum bulla_err store_file_sync_folder(const char *path, struct bulla_call *call)
{
	char *copy = strdup(path);

	if (copy == NULL)
		return BULLA_E_NO_MEMORY;
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = fd >= 0 && fsync(fd) == 0;
	int why = errno;

	free(copy);
	if (fd >= 0)
		(void)close(fd);
	if (!synced)
		return bulla_fail(call, BULLA_E_STORE, "cannot sync the folder of %s: %s", path, strerror(why));
	return BULLA_OK;
}
