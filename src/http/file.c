/* file.c: reads and writes small files whole. */
#define _GNU_SOURCE
#include "http/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads to the end. False: errno says why. */
static bool read_all(int fd, uint8_t *to, size_t room, size_t *len)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, to + n, room - n)) != 0) {
		if (got < 0 && errno != EINTR)
			return false;
		n += got > 0 ? (size_t)got : 0;
		if (n == room) {
			errno = EFBIG;
			return false;
		}
	}
	*len = n;
	return true;
}

static bool read_fd(struct bulla_arena *arena, int fd, size_t max, struct bulla_bytes *out)
{
	struct stat st;
	size_t len = 0;

	if (fstat(fd, &st) != 0)
		return false;
	/* a pipe has no size */
	size_t room = (S_ISREG(st.st_mode) && (uintmax_t)st.st_size < max ? (size_t)st.st_size : max) + 1;
	uint8_t *p = bulla_arena_alloc(arena, room);

	if (p == NULL) {
		errno = ENOMEM;
		return false;
	}
	if (!read_all(fd, p, room, &len))
		return false;
	p[len] = '\0';
	*out = bulla_mem(p, len);
	return true;
}

bool file_read(struct bulla_arena *arena, const char *path, size_t max, struct bulla_bytes *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return false;
	bool good = read_fd(arena, fd, max, out);
	int err = errno;

	close(fd);
	errno = err;
	return good;
}

bool file_write_all(int fd, struct bulla_bytes bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = bulla_mem(bytes.ptr + n, bytes.len - (size_t)n);
	}
	return true;
}

bool file_replace(const char *path, mode_t mode, struct bulla_bytes bytes)
{
	char made[PATH_MAX];

	if ((size_t)snprintf(made, sizeof made, "%s.XXXXXX", path) >= sizeof made) {
		errno = ENAMETOOLONG;
		return false;
	}
	int fd = mkostemp(made, O_CLOEXEC); /* 0600 */

	if (fd < 0)
		return false;
	bool good = fchmod(fd, mode) == 0 && file_write_all(fd, bytes);
	int why = errno;

	if (close(fd) != 0 && good) {
		why = errno;
		good = false;
	}
	if (good && rename(made, path) == 0)
		return true;
	why = good ? errno : why;
	(void)unlink(made);
	errno = why;
	return false;
}
