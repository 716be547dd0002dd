/* wipe.c: owns free() and realloc() of the process: what is freed is overwritten first. libcurl, GnuTLS, OpenSSL, jansson and libmicrohttpd
 * copy requests and answers into buffers of theirs that no caller can wipe; through this one place all of them do. Any thread. */
#define _GNU_SOURCE
#include "wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"

#define TRIM_BYTES (4 * 1024 * 1024)

/* A batch's buffers come and go: without this each of them is given back to the system and fetched again. Allocators that do not know
 * the option (a sanitizer's) do without. */
static void keep_heap(void)
{
	if (mallopt(M_TRIM_THRESHOLD, TRIM_BYTES) != 1)
		return;
}

/* One of the three that is closed would be the number of the next socket, to which cards were printed, or log lines. Reading only: what
 * goes there fails. */
static bool hold_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	return fd >= 0 && close(fd) == 0;
}

enum card_err wipe_init(void)
{
	const struct rlimit none = { 0, 0 };

	if (!hold_standard_streams())
		return CARD_E_CONFIG;
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return CARD_E_CONFIG;
	keep_heap();
	return sodium_init() >= 0 ? CARD_OK : CARD_E_CONFIG;
}

void wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

void wipe_free_text(char **text)
{
	free(*text);
	*text = NULL;
}

/* A sanitizer has an allocator of its own, which must see each free. */
#if defined(__GLIBC__) && !defined(BULLA_SANITIZER)

void __libc_free(void *p);

void free(void *p)
{
	int saved = errno;

	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	__libc_free(p);
	errno = saved;
}

void *realloc(void *p, size_t n)
{
	if (p == NULL)
		return malloc(n);
	if (n == 0) {
		free(p);
		return NULL;
	}
	size_t have = malloc_usable_size(p);

	if (n <= have && n >= have / 2)
		return p;
	void *moved = malloc(n);

	if (moved == NULL)
		return NULL;
	memcpy(moved, p, n < have ? n : have);
	free(p);
	return moved;
}

#endif
