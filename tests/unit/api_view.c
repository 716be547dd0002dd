/* api_view.c: answers as JSON: whatever is in a card, they are well-formed and say it. */
#include "view.h"

#include <jansson.h>
#include <string.h>

#include "api_unit.h"

static struct card make(const char *name)
{
	struct card card = { .seq = 7, .created_s = 0, .key_version = 3, .binding = BINDING_AAD, .id = "0123", .ciphertext = "vault:v3:AAAA",
			     .brand = "Visa", .last_four = "1157" };

	snprintf(card.name, sizeof card.name, "%s", name);
	return card;
}

static const char *text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

START_TEST(any_name)
{
	static const char *const names[] = { "Carlos", "Aníbal \"Pichuco\" \\ Troilo", "\"", "\\\\\"", "a\n\t\x01" "b", "</script>&'", "😀" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct card card = make(names[i]);
		char *printed = view_card(&card);
		json_t *object = json_loads(printed, JSON_REJECT_DUPLICATES, NULL);

		ck_assert_msg(object != NULL, "%s", printed);
		ck_assert_str_eq(text(object, "name"), names[i]);
		ck_assert_str_eq(text(object, "pan"), "vault:v3:AAAA");
		ck_assert_str_eq(text(object, "binding"), "associated_data");
		ck_assert_str_eq(text(object, "created"), "1970-01-01T00:00:00Z");
		ck_assert_int_eq(json_integer_value(json_object_get(object, "key_version")), 3);
		ck_assert_uint_eq(json_object_size(object), 8);
		json_decref(object);
		free(printed);
	}
}
END_TEST

/* Every byte of every text takes the most room. */
START_TEST(longest)
{
	struct card cards[2];

	for (int i = 0; i < 2; i++) {
		cards[i] = (struct card){ .seq = INT64_MAX, .key_version = INT32_MAX, .binding = BINDING_CONTEXT };
		memset(cards[i].id, 1, sizeof cards[i].id - 1);
		memset(cards[i].name, 1, sizeof cards[i].name - 1);
		memset(cards[i].ciphertext, 1, sizeof cards[i].ciphertext - 1);
		memset(cards[i].brand, 1, sizeof cards[i].brand - 1);
		memset(cards[i].last_four, 1, sizeof cards[i].last_four - 1);
	}
	char *printed = view_list(cards, 2, true);
	json_t *object = json_loads(printed, JSON_REJECT_DUPLICATES, NULL);

	ck_assert_uint_eq(json_array_size(json_object_get(object, "cards")), 2);
	ck_assert(json_integer_value(json_object_get(object, "next")) == INT64_MAX);
	ck_assert_str_eq(text(json_array_get(json_object_get(object, "cards"), 1), "name"), cards[1].name);
	json_decref(object);
	free(printed);
}
END_TEST

START_TEST(lists)
{
	struct card card = make("Carlos");
	char *none = view_list(&card, 0, false), *one = view_list(&card, 1, false);

	ck_assert_str_eq(none, "{\"cards\":[],\"next\":null}");
	ck_assert_str_eq(one, "{\"cards\":[{\"id\":\"0123\",\"name\":\"Carlos\",\"pan\":\"vault:v3:AAAA\",\"brand\":\"Visa\",\"last_four\":\"1157\","
			      "\"binding\":\"associated_data\",\"created\":\"1970-01-01T00:00:00Z\",\"key_version\":3}],\"next\":null}");
	free(none);
	free(one);
}
END_TEST

START_TEST(errors)
{
	const struct input_errors fields = { .pan = "is missing" };
	char *plain = view_error("no such card", NULL, NULL), *field = view_error("not stored", &fields, NULL), *id = view_error("there", NULL, "01");

	ck_assert_str_eq(plain, "{\"error\":\"no such card\"}");
	ck_assert_str_eq(field, "{\"error\":\"not stored\",\"fields\":{\"pan\":\"is missing\"}}");
	ck_assert_str_eq(id, "{\"error\":\"there\",\"id\":\"01\"}");
	free(plain);
	free(field);
	free(id);
}
END_TEST

START_TEST(page_escapes)
{
	struct card card = make("<b>&\"'</b>");
	char *page = view_page(&card, 1, true, "wrong", NULL);

	ck_assert_ptr_nonnull(strstr(page, "<td>&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;</td>"));
	ck_assert_ptr_null(strstr(page, "<b>"));
	ck_assert_ptr_nonnull(strstr(page, "href=\"/?after=7\""));
	free(page);
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("view");

	tcase_add_test(all, any_name);
	tcase_add_test(all, longest);
	tcase_add_test(all, lists);
	tcase_add_test(all, errors);
	tcase_add_test(all, page_escapes);
	return api_unit_main(all, "api/view");
}
