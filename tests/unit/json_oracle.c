#include "json_oracle.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL)

enum oracle oracle_accepts(const char *text, size_t len)
{
	json_error_t error;
	json_t *value = json_loadb(text, len, FLAGS, &error);

	if (value != NULL) {
		json_decref(value);
		return ORACLE_YES;
	}
	switch (json_error_code(&error)) {
	case json_error_invalid_utf8:
	case json_error_numeric_overflow:
	case json_error_null_byte_in_key:
		return ORACLE_NARROWER;
	default:
		return strstr(error.text, "invalid Unicode '") != NULL ? ORACLE_NARROWER : ORACLE_NO;
	}
}

bool oracle_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
	json_t *left = json_loadb(a, a_len, FLAGS, NULL), *right = json_loadb(b, b_len, FLAGS, NULL);
	bool same = left != NULL && right != NULL && json_equal(left, right);

	json_decref(left);
	json_decref(right);
	return same;
}

static bool contains(json_t *whole, json_t *part, char *why, size_t size)
{
	const char *key;
	json_t *member;
	size_t used = strlen(why);

	if (json_is_string(part) && strcmp(json_string_value(part), "%any") == 0)
		return whole != NULL;
	if (json_is_array(part) && json_is_array(whole)) {
		if (json_array_size(part) != json_array_size(whole))
			return false;
		for (size_t i = 0; i < json_array_size(part); i++) {
			snprintf(why + used, size - used, "[%zu]", i);
			if (!contains(json_array_get(whole, i), json_array_get(part, i), why, size))
				return false;
		}
		why[used] = 0;
		return true;
	}
	if (!json_is_object(part) || !json_is_object(whole))
		return whole != NULL && json_equal(whole, part);
	json_object_foreach(part, key, member) {
		snprintf(why + used, size - used, ".%s", key);
		if (!contains(json_object_get(whole, key), member, why, size))
			return false;
	}
	why[used] = 0;
	return true;
}

bool oracle_contains(const char *whole, size_t whole_len, const char *part, char *why, size_t why_size)
{
	json_t *left = json_loadb(whole, whole_len, FLAGS, NULL), *right = json_loads(part, FLAGS, NULL);

	why[0] = 0;
	bool yes = left != NULL && right != NULL && contains(left, right, why, why_size);

	json_decref(left);
	json_decref(right);
	return yes;
}
