/* file.h: reads and writes small files whole: certificates, keys, configuration. Stateless: any thread. */
#ifndef BULLA_HTTP_FILE_H
#define BULLA_HTTP_FILE_H

#include <bulla.h>
#include <sys/types.h>

/* The whole of a file of at most max bytes, with a NUL behind it that does not count, in the arena. Not by way of stdio, which
 * would keep a copy: it may be a key. False: errno says why (EFBIG: larger than max). */
bool file_read(struct bulla_arena *arena, const char *path, size_t max, struct bulla_bytes *out) BULLA_MUST_USE;

/* All of it, whatever a signal cuts short. False: errno says why. */
bool file_write_all(int fd, struct bulla_bytes bytes) BULLA_MUST_USE;

/* A new file of that mode in the place of path, whatever stands there, or of nothing: it appears whole or not at all, and nobody else has
 * it open. False: errno says why, and what was there stays. */
bool file_replace(const char *path, mode_t mode, struct bulla_bytes bytes) BULLA_MUST_USE;

#endif
