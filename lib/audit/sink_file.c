/* sink_file.c: lines into a file, or to standard output. A write that fails half way is taken back where that can be done, so that
 * the log has whole lines only. A device's thread. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit_private.h"

#define STEP_MS 5000 /* a pipe or terminal that takes nothing for so long is dead */

bool sink_trouble(struct sink *sink, const char *what, const char *where)
{
	char reason[64];

	(void)snprintf(sink->trouble, sizeof sink->trouble, "%s %.*s: %s", what, 80, where,
		       strerror_r(errno, reason, sizeof reason));
	return false;
}

bool sink_write_all(int fd, struct bulla_bytes bytes, int64_t timeout_ms, size_t *done)
{
	*done = 0;
	while (*done < bytes.len) {
		ssize_t n = write(fd, bytes.ptr + *done, bytes.len - *done);

		if (n > 0) {
			*done += (size_t)n;
			continue;
		}
		if (n == 0)
			errno = EIO;
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || errno != EAGAIN)
			return false;
		struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
		int ready = poll(&poll_fd, 1, (int)timeout_ms);

		if (ready == 0)
			errno = ETIMEDOUT;
		if (ready == 0 || (ready < 0 && errno != EINTR))
			return false;
	}
	return true;
}

/* The folder of path and those above it, as far as they are missing. */
static bool make_folders(const char *path, unsigned mode)
{
	char folder[4096];
	size_t n = strlen(path);

	if (n >= sizeof folder)
		return false;
	memcpy(folder, path, n + 1);
	for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(folder, mode) != 0 && errno != EEXIST)
			return false;
		*slash = '/';
	}
	return true;
}

/* A network's file may take its time, and keep a writer for ever. */
static bool is_local(int fd)
{
	static const unsigned long own[] = { 0xEF53 /* ext4 */, 0x58465342 /* xfs */, 0x9123683E /* btrfs */, 0x01021994 /* tmpfs */,
					     0x794C7630 /* overlay */, 0xF2F52010 /* f2fs */, 0x2FC12FC1 /* zfs */ };
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || fstatfs(fd, &fs) != 0)
		return false;
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		if ((unsigned long)fs.f_type == own[i])
			return true;
	return false;
}

bool file_open(struct sink *sink, const struct audit_options *options)
{
	const char *path = options->file_path;
	unsigned mode = options->mode != 0 ? options->mode : 0600;
	struct stat st;

	if (options->discard)
		return true;
	if (options->to_stdout) {
		sink->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return sink->fd >= 0 || sink_trouble(sink, "open", "stdout");
	}
	if (!make_folders(path, 0700))
		return sink_trouble(sink, "mkdir", path);
	/* a pipe without a reader must not hold the thread: non-blocking makes that an error */
	sink->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
	if (sink->fd < 0)
		return sink_trouble(sink, "open", path);
	if (options->mode != 0 && fstat(sink->fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) != mode &&
	    fchmod(sink->fd, mode) != 0) {
		(void)sink_trouble(sink, "chmod", path);
		sink_close(sink);
		return false;
	}
	sink->local = is_local(sink->fd) && !options->sync;
	sink->regular = fstat(sink->fd, &st) == 0 && S_ISREG(st.st_mode);
	sink->deleted = false;
	return true;
}

bool file_moved(const struct sink *sink, const struct audit_options *options)
{
	struct stat open_file, there;

	if (fstat(sink->fd, &open_file) != 0)
		return false;
	return stat(options->file_path, &there) != 0 || there.st_dev != open_file.st_dev || there.st_ino != open_file.st_ino;
}

/* Takes the first done bytes of a write that failed back; else they are there. */
static void take_back(struct sink *sink, size_t done)
{
	struct stat st;

	if (done == 0)
		return;
	sink->torn = fstat(sink->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)done ||
		     ftruncate(sink->fd, st.st_size - (off_t)done) != 0;
	if (sink->torn)
		sink->sent = done;
}

/* Whoever deletes the file does not end the log: what went into it is in no file any more. */
static void look(struct sink *sink)
{
	struct stat st;

	if (sink->regular)
		sink->deleted = fstat(sink->fd, &st) == 0 && st.st_nlink == 0;
}

bool file_write(struct sink *sink, const struct audit_options *options, struct bulla_bytes lines)
{
	size_t done = 0;

	if (options->discard)
		return true;
	if (sink->torn) {
		if (!sink_write_all(sink->fd, bulla_mem("\n", 1), STEP_MS, &done))
			return sink_trouble(sink, "write", options->file_path);
		sink->torn = false;
	}
	if (!sink_write_all(sink->fd, lines, STEP_MS, &done)) {
		(void)sink_trouble(sink, "write", options->file_path);
		take_back(sink, done);
		return false;
	}
	if (options->sync && fsync(sink->fd) != 0 && errno != EINVAL) {
		(void)sink_trouble(sink, "fsync", options->file_path);
		take_back(sink, lines.len);
		return false;
	}
	look(sink);
	return true;
}

void sink_close(struct sink *sink)
{
	if (sink->fd >= 0)
		(void)close(sink->fd);
	sink->fd = -1;
}

bool sink_open(struct sink *sink, const struct audit_options *options)
{
	if (sink->fd >= 0 || (sink->kind == SINK_FILE && options->discard))
		return true;
	switch (sink->kind) {
	case SINK_FILE:
		return file_open(sink, options);
	case SINK_SOCKET:
		return socket_open(sink, options);
	case SINK_SYSLOG:
		return syslog_open(sink, options);
	}
	return false;
}

bool sink_write(struct sink *sink, const struct audit_options *options, struct bulla_bytes lines)
{
	switch (sink->kind) {
	case SINK_FILE:
		return file_write(sink, options, lines);
	case SINK_SOCKET:
		return socket_write(sink, options, lines);
	case SINK_SYSLOG:
		return syslog_write(sink, options, lines);
	}
	return false;
}
