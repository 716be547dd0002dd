/* store_unit.h: what the store's and the seal's tests share: a folder of their own, ids, one-line writes. */
#ifndef TESTS_STORE_UNIT_H
#define TESTS_STORE_UNIT_H

#include "config.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "store/store.h"
#include "unit.h"

static char folder[64], file[96];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

__attribute__((unused)) static inline void folder_make(void)
{
	strcpy(folder, "/tmp/bulla-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(file, sizeof file, "%s/bulla.db", folder);
}

static inline void folder_remove(void)
{
	ck_assert_int_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline struct store_id id_of(unsigned collection, unsigned item)
{
	struct store_id id = { { 0 } };

	id.bytes[0] = (uint8_t)collection;
	id.bytes[30] = (uint8_t)(item >> 8);
	id.bytes[31] = (uint8_t)item;
	return id;
}

static inline struct store_write put(struct store_id id, uint64_t expected, const char *text)
{
	return (struct store_write){ .id = id, .change = STORE_PUT, .expected = expected, .bytes = bulla_str(text) };
}

static inline struct store_write del(struct store_id id, uint64_t expected)
{
	return (struct store_write){ .id = id, .change = STORE_DELETE, .expected = expected };
}

static inline enum bulla_err commit_one(struct store *store, struct store_write write)
{
	struct bulla_call call = call_begin();
	enum bulla_err err = store_commit(store, &call, &write, 1, NULL);

	call_end(&call);
	return err;
}

static inline enum bulla_err open_at(const char *path, uint64_t max_bytes, struct store **out)
{
	struct bulla_call call = call_begin();
	enum bulla_err err = store_open(&(struct store_options){ path, max_bytes }, &call, out);

	if (err != BULLA_OK && path != NULL) { /* whoever reads the log must learn which file it is about */
		struct bulla_bytes text = bulla_call_text(&call, err);

		ck_assert_msg(strstr((const char *)text.ptr, path) != NULL, "no path in: %s", (const char *)text.ptr);
	}
	call_end(&call);
	return err;
}

/* The record's bytes as a string (static), NULL: not found. */
static inline const char *text_of(struct store *store, struct store_id id, uint64_t *revision)
{
	static char text[256];
	struct bulla_call call = call_begin();
	struct store_record record;
	enum bulla_err err = store_get(store, &call, &id, &record);

	if (err == BULLA_OK) {
		ck_assert_uint_lt(record.bytes.len, sizeof text);
		memcpy(text, record.bytes.ptr, record.bytes.len);
		text[record.bytes.len] = 0;
		if (revision != NULL)
			*revision = record.revision;
	}
	call_end(&call);
	ck_assert(err == BULLA_OK || err == BULLA_E_NOT_FOUND);
	return err == BULLA_OK ? text : NULL;
}

#endif
