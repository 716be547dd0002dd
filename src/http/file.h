/* file.h: reads small files whole: certificates, keys, configuration. Stateless: any thread. */
#ifndef BULLA_HTTP_FILE_H
#define BULLA_HTTP_FILE_H

#include <bulla.h>

/* The whole of a file of at most max bytes, with a NUL behind it that does not count, in the arena. Not by way of stdio, which
 * would keep a copy: it may be a key. False: errno says why (EFBIG: larger than max). */
bool file_read(struct bulla_arena *arena, const char *path, size_t max, struct bulla_bytes *out) BULLA_MUST_USE;

#endif
