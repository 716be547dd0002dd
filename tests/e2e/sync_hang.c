/* sync_hang.c: a preload with which files whose names contain SYNC_HANG_NAME are not synced, and nobody is told that they were, as long as the
 * file SYNC_HANG exists: a disk that has stopped answering. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int hang(int fd, const char *name)
{
	char link[64], path[4096];
	const char *part = getenv("SYNC_HANG_NAME"), *file = getenv("SYNC_HANG");
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);

	path[n > 0 ? n : 0] = 0;
	while (part != NULL && file != NULL && strstr(path, part) != NULL && access(file, F_OK) == 0)
		usleep(20000);
	return real(fd);
}

int fsync(int fd)
{
	return hang(fd, "fsync");
}

int fdatasync(int fd)
{
	return hang(fd, "fdatasync");
}
