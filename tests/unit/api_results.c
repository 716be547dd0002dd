/* api_results.c: results of a batch: what is no such thing is refused, whatever else an answer holds is passed over. */
#include "results.h"

#include <string.h>

#include "api_unit.h"

#define MAX_ITEMS 4

struct seen {
	size_t n;
	struct results_item items[MAX_ITEMS];
};

static void see(void *cls, size_t i, const struct results_item *item)
{
	struct seen *seen = cls;

	ck_assert_uint_eq(i, seen->n);
	ck_assert_uint_lt(i, MAX_ITEMS);
	seen->items[seen->n++] = *item;
}

/* Of a copy without an end of its own: what is read over it is seen by ASan. */
static bool read_copy(const char *json, size_t len, struct seen *seen, char **copy)
{
	size_t count = 77;

	*copy = malloc(len > 0 ? len : 1);
	memcpy(*copy, json, len);
	*seen = (struct seen){ 0 };
	bool good = results_read(*copy, len, see, seen, &count);

	ck_assert_uint_eq(count, good ? seen->n : 77);
	return good;
}

static bool is_good(const char *json)
{
	struct seen seen;
	char *copy;
	bool good = read_copy(json, strlen(json), &seen, &copy);

	free(copy);
	return good;
}

START_TEST(refused)
{
	static const char *const texts[] = {
		"", " ", "null", "[]", "\"data\"", "{}", "{\"data\":{}}", "{\"data\":null}", "{\"data\":[]}", "{\"batch_results\":[]}",
		"{\"data\":{\"batch_results\":{}}}", "{\"data\":{\"batch_results\":null}}", "{\"data\":{\"batch_results\":\"[]\"}}",
		"{\"data\":{\"batch_results\":[null]}}", "{\"data\":{\"batch_results\":[[]]}}", "{\"data\":{\"batch_results\":[1]}}",
		"{\"data\":{\"batch_results\":[{},]}}", "{\"data\":{\"batch_results\":[{}{}]}}", "{\"data\":{\"batch_results\":[,{}]}}",
		"{\"data\":{\"batch_results\":[]},}", "{\"data\":{\"batch_results\":[]}}x", "{\"data\":{\"batch_results\":[]}}{}",
		"{\"data\":{\"batch_results\":[],\"batch_results\":[]}}", "{\"data\":{\"batch_results\":[]},\"data\":{\"batch_results\":[]}}",
		"{\"data\":{\"batch_results\":[{\"hmac\":\"a\",\"hmac\":\"b\"}]}}", "{\"data\":{\"batch_results\":[{\"error\":\"\",\"error\":\"b\"}]}}",
		"{\"data\":{\"batch_results\":[{\"hmac\"}]}}", "{\"data\":{\"batch_results\":[{\"hmac\":}]}}", "{\"data\":{\"batch_results\":[{hmac:\"a\"}]}}",
		"{\"data\":{\"batch_results\":[{\"hmac\":\"a\nb\"}]}}", "{\"data\":{\"batch_results\":[{\"hmac\":\"a\\x\"}]}}",
		"{\"x\":\"\\", "{\"x\":[1,],\"data\":{\"batch_results\":[]}}", "{\"x\":-,\"y\":!,\"data\":{\"batch_results\":[]}}",
		"{\"x\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]],\"data\":{\"batch_results\":[]}}",
		"{'data':{\"batch_results\":[]}}", "{\"data\":{\"batch_results\":[]}]", "{\"Data\":{\"batch_results\":[]}}",
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		ck_assert_msg(!is_good(texts[i]), "%s", texts[i]);
	ck_assert(!results_read(NULL, 0, NULL, NULL, &(size_t){ 0 }));
}
END_TEST

START_TEST(nul_bytes)
{
	static const char *const texts[] = { "{\"data\":{\"batch_results\":[]}}@", "@{\"data\":{\"batch_results\":[]}}",
					     "{\"data\":{\"batch_results\":[{\"hmac\":\"a@\"}]}}", "{\"x\":@,\"data\":{\"batch_results\":[]}}",
					     "{\"x\":\"\\@\",\"data\":{\"batch_results\":[]}}", "{\"x\":1@,\"data\":{\"batch_results\":[]}}" };
	struct seen seen;
	char text[128], *copy;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		strcpy(text, texts[i]);
		*strchr(text, '@') = '\0';
		ck_assert_msg(!read_copy(text, strlen(texts[i]), &seen, &copy), "%s", texts[i]);
		free(copy);
	}
}
END_TEST

/* As the servers answer; and every shorter beginning is refused. */
START_TEST(whole)
{
	static const char text[] = "{\"request_id\":\"1\",\"lease_duration\":0,\"renewable\":false,\"x\":{\"batch_results\":[1,{\"a\":[]}],\"\":\"\\\"\"},"
				   "\"data\":{\"other\":[-1.5e3,null],\"batch_results\":[{\"ciphertext\":\"vault:v1:AAAA\",\"key_version\":1},\r\n\t "
				   "{\"hmac\" : \"vault:v1:a+/=\"}, {\"error\":\"it \\\"failed\\\"\",\"hmac\":null},{}]},\"warnings\":null}\n";
	struct seen seen;
	char *copy;

	for (size_t n = 0; n < strlen(text) - 1; n++) {
		ck_assert_msg(!read_copy(text, n, &seen, &copy), "%zu bytes", n);
		free(copy);
	}
	ck_assert(read_copy(text, strlen(text), &seen, &copy));
	ck_assert_uint_eq(seen.n, 4);
	ck_assert_uint_eq(seen.items[0].ciphertext.len, 13);
	ck_assert_int_eq(memcmp(seen.items[0].ciphertext.at, "vault:v1:AAAA", 13), 0);
	ck_assert_ptr_null(seen.items[0].error.at);
	ck_assert_int_eq(memcmp(seen.items[1].hmac.at, "vault:v1:a+/=", seen.items[1].hmac.len), 0);
	ck_assert_uint_eq(seen.items[2].error.len, strlen("it \\\"failed\\\""));
	ck_assert_ptr_null(seen.items[2].hmac.at);
	ck_assert_ptr_null(seen.items[3].plaintext.at);
	free(copy);
}
END_TEST

START_TEST(empty)
{
	size_t count = 77;
	const char *text = "{\"data\":{\"batch_results\":[ ]}}";

	ck_assert(results_read(text, strlen(text), NULL, NULL, &count));
	ck_assert_uint_eq(count, 0);
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("results");

	tcase_add_test(all, refused);
	tcase_add_test(all, nul_bytes);
	tcase_add_test(all, whole);
	tcase_add_test(all, empty);
	return api_unit_main(all, "api/results");
}
