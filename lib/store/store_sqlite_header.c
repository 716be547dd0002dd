/* store_sqlite_header.c: tells what a file is from its first 100 bytes, with pread, before SQLite may change or recover
 * anything. The layout is SQLite's (sqlite.org/fileformat2.html, section 1.3). Stateless.
 *
 * The header in the main file is always true, although the store runs in WAL mode: what changes the header (creation,
 * migrations) is done in rollback mode (store_sqlite_migrate.c). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bulla/encode.h"
#include "store/store_sqlite.h"

#define HEADER_BYTES 100
#define PAGE_SIZE_AT 16
#define VERSIONS_AT 18
#define CHANGES_AT 24
#define PAGES_AT 28
#define SCHEMA_FORMAT_AT 44
#define LARGEST_ROOT_AT 52 /* 0 without auto_vacuum, as we make files; with it there are pages that store_sqlite_vfs.c would take for others */
#define ENCODING_AT 56
#define USER_VERSION_AT 60
#define APPLICATION_ID_AT 68
#define VALID_FOR_AT 92

static const char magic[16] = "SQLite format 3";

/* Whether the file beside path with this suffix ("-wal") holds anything. */
static bool has_companion(const char *path, const char *suffix)
{
	char name[4096];
	struct stat st;
	int n = snprintf(name, sizeof name, "%s%s", path, suffix);

	return n > 0 && (size_t)n < sizeof name && stat(name, &st) == 0 && st.st_size > 0;
}

/* 0: not a page size. 1 stands for 65536. */
static uint32_t page_size(const uint8_t *h)
{
	uint32_t n = (uint32_t)h[PAGE_SIZE_AT] << 8 | h[PAGE_SIZE_AT + 1];

	if (n == 1)
		return 65536;
	return n >= 512 && (n & (n - 1)) == 0 ? n : 0;
}

/* NULL, or what is wrong with a header that has our application id. */
static const char *damage(const uint8_t *h, uint64_t file_bytes, bool unfinished)
{
	uint32_t page = page_size(h);

	if (memcmp(h, magic, sizeof magic) != 0)
		return "the first 16 bytes are wrong";
	if (page == 0)
		return "the page size is wrong";
	if (h[VERSIONS_AT] - 1u > 1 || h[VERSIONS_AT + 1] - 1u > 1)
		return "the file format numbers are wrong";
	if (h[20] != 0 || h[21] != 64 || h[22] != 32 || h[23] != 32)
		return "the fixed bytes are wrong";
	if (bulla_get_u32(h + SCHEMA_FORMAT_AT) - 1u > 3 || bulla_get_u32(h + ENCODING_AT) != 1)
		return "the schema format or the text encoding is wrong";
	if (bulla_get_u32(h + LARGEST_ROOT_AT) != 0)
		return "it was changed to auto_vacuum (sqlite3: PRAGMA auto_vacuum = NONE; VACUUM)";
	if (bulla_get_u32(h + USER_VERSION_AT) == 0)
		return "the format number is missing";
	if (file_bytes < page)
		return "the file is shorter than one page";
	/* With a log beside it, the pages may still be there. */
	if (!unfinished && bulla_get_u32(h + CHANGES_AT) == bulla_get_u32(h + VALID_FOR_AT) &&
	    file_bytes / page < bulla_get_u32(h + PAGES_AT))
		return "the file is shorter than its header says";
	return NULL;
}

static enum bulla_err read_start(int fd, const char *path, struct bulla_call *call, uint8_t *h, size_t *got)
{
	size_t n = 0;

	while (n < HEADER_BYTES) {
		ssize_t more = pread(fd, h + n, HEADER_BYTES - n, (off_t)n);

		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return bulla_fail(call, BULLA_E_STORE, "cannot read %s: %s", path, strerror(errno));
		if (more == 0)
			break;
		n += (size_t)more;
	}
	*got = n;
	return BULLA_OK;
}

enum bulla_err store_header_check(int fd, const char *path, struct bulla_call *call, bool *fresh)
{
	uint8_t h[HEADER_BYTES] = { 0 };
	struct stat st;
	size_t got = 0;

	if (fstat(fd, &st) != 0)
		return bulla_fail(call, BULLA_E_STORE, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return bulla_fail(call, BULLA_E_STORE_FOREIGN, "%s is not a regular file", path);
	TRY(read_start(fd, path, call, h, &got));
	if (got == 0) {
		if (has_companion(path, "-wal")) /* SQLite would delete the log, and with it what was acknowledged */
			return bulla_fail(call, BULLA_E_STORE_DAMAGED, "%s is empty, but %s-wal is not", path, path);
		*fresh = true;
		return BULLA_OK;
	}
	if (got < HEADER_BYTES && memcmp(h, magic, got < sizeof magic ? got : sizeof magic) == 0)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "%s ends within its header", path);
	if (bulla_get_u32(h + APPLICATION_ID_AT) != STORE_APPLICATION_ID)
		return bulla_fail(call, BULLA_E_STORE_FOREIGN, "%s is not a Bulla database", path);
	const char *what = damage(h, (uint64_t)st.st_size, has_companion(path, "-wal") || has_companion(path, "-journal"));

	if (what != NULL)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the header of %s is damaged: %s", path, what);
	if (bulla_get_u32(h + USER_VERSION_AT) > STORE_FORMAT)
		return bulla_fail(call, BULLA_E_STORE_NEWER,
				  "%s has format %u, written by a newer version of Bulla; this one knows formats up to %u", path,
				  bulla_get_u32(h + USER_VERSION_AT), STORE_FORMAT);
	*fresh = false;
	return BULLA_OK;
}
