/* vectors.h: reads the known answers under tests/vectors. What it gives is never freed: a test's process is short. */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <check.h>
#include <jansson.h>
#include <stdlib.h>

#include "bulla/encode.h"

/* The file's document; owned by the caller. */
static inline json_t *vectors_load(const char *file)
{
	char path[4096];
	json_error_t error;

	snprintf(path, sizeof path, "%s/%s", VECTORS, file);
	json_t *root = json_load_file(path, 0, &error);

	ck_assert_msg(root != NULL, "%s: %s", path, error.text);
	return root;
}

static inline const char *vector_text(const json_t *test, const char *field)
{
	const char *text = json_string_value(json_object_get(test, field));

	ck_assert_msg(text != NULL, "no %s", field);
	return text;
}

/* The bytes of a field in hex, in memory of their own size, so that ASan sees a read past them. */
static inline struct bulla_bytes vector_bytes(const json_t *test, const char *field)
{
	struct bulla_bytes hex = bulla_str(vector_text(test, field));
	uint8_t *p = hex.len == 0 ? NULL : malloc(hex.len / 2);

	if (hex.len > 0)
		ck_assert_int_eq(bulla_hex_decode(hex, p), BULLA_OK);
	return bulla_mem(p, hex.len / 2);
}

static inline void vector_free(struct bulla_bytes bytes)
{
	free((void *)(uintptr_t)bytes.ptr);
}

static inline bool vector_valid(const json_t *test)
{
	const json_t *valid = json_object_get(test, "valid");

	ck_assert(json_is_boolean(valid));
	return json_is_true(valid);
}

#endif
