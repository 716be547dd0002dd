/* store_sqlite_vfs.c: SQLite's "unix-excl", but that what is free within a page is blank when it goes to the file.
 *
 * secure_delete overwrites a record where it is deleted. Before that SQLite may have moved it: where pages are balanced, cells are copied into
 * others, and what a page had beyond its remaining cells stays there as it was, in the gap between the cells' pointers and their
 * contents. So the gap of each page is blanked on its way to the database (not to the log, whose checksums are made before; store_scrub
 * empties that). Layout of pages: SQLite's "Database File Format", 1.6.
 *
 * The first byte tells a page of a b-tree from others: those (overflow, list of free pages) begin with the number of a page in 32 bits, which is
 * below 2^25 for STORE_MAX_PAGES, so that they begin with 0 or 1. Any thread. */
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "store/store_sqlite.h"

#define BASE "unix-excl"
#define FILE_HEADER 100 /* before the first page's own */
enum page_kind { INTERIOR_INDEX = 2, INTERIOR_TABLE = 5, LEAF_INDEX = 10, LEAF_TABLE = 13 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int registered = SQLITE_ERROR;
static sqlite3_vfs vfs;
static sqlite3_vfs *base;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the two below, which are constant once a database was opened */
static const sqlite3_io_methods *base_methods;
static sqlite3_io_methods methods;

/* ---- pages ------------------------------------------------------------------------------------------------------------------------- */

static size_t number(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

static size_t header_bytes(uint8_t kind)
{
	switch (kind) {
	case LEAF_INDEX:
	case LEAF_TABLE:
		return 8;
	case INTERIOR_INDEX:
	case INTERIOR_TABLE:
		return 12;
	default:
		return 0;
	}
}

/* Of a page that is not as it should be nothing is blanked. */
static void blank_gap(uint8_t page[STORE_PAGE_BYTES], size_t header)
{
	size_t bytes = header_bytes(page[header]);
	size_t from = header + bytes + 2 * number(page + header + 3), to = number(page + header + 5);

	if (bytes != 0 && from < to && to <= STORE_PAGE_BYTES)
		memset(page + from, 0, to - from);
}

static int write_page(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 offset)
{
	uint8_t page[STORE_PAGE_BYTES];

	if (n != STORE_PAGE_BYTES || offset % STORE_PAGE_BYTES != 0)
		return base_methods->xWrite(f, bytes, n, offset);
	memcpy(page, bytes, sizeof page);
	blank_gap(page, offset == 0 ? FILE_HEADER : 0);
	return base_methods->xWrite(f, page, n, offset);
}

/* ---- the VFS ----------------------------------------------------------------------------------------------------------------------- */

/* The file is the base's own, with one method that is ours: databases have all the same. */
static bool take_over(sqlite3_file *f)
{
	pthread_mutex_lock(&lock);
	if (base_methods == NULL) {
		methods = *f->pMethods;
		methods.xWrite = write_page;
		base_methods = f->pMethods;
	}
	bool same = f->pMethods == base_methods;

	pthread_mutex_unlock(&lock);
	if (same)
		f->pMethods = &methods;
	return same;
}

static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
	(void)self;
	int rc = base->xOpen(base, name, f, flags, out_flags);

	if (rc != SQLITE_OK || (flags & SQLITE_OPEN_MAIN_DB) == 0 || take_over(f))
		return rc;
	(void)f->pMethods->xClose(f);
	f->pMethods = NULL;
	return SQLITE_CANTOPEN;
}

static void set_up(void)
{
	base = sqlite3_vfs_find(BASE);
	if (base == NULL)
		return;
	vfs = *base;
	vfs.zName = STORE_VFS;
	vfs.xOpen = open_file;
	vfs.pNext = NULL;
	registered = sqlite3_vfs_register(&vfs, 0);
}

bool store_vfs_ready(void)
{
	return pthread_once(&once, set_up) == 0 && registered == SQLITE_OK;
}
