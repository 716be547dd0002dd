/* api_pan.c: card numbers. */
#include "pan.h"

#include <string.h>

#include "api_unit.h"

START_TEST(form)
{
	static const char *const bad[] = { "", "4", "45392966201", "45392966201311571234", "4539 2966 2013 1157", "453929662013115a", " 4539296620131157",
					   "4539296620131157\n", "-4539296620131157" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!pan_has_form(bad[i]), "%s", bad[i]);
	ck_assert(pan_has_form("453929662013"));
	ck_assert(pan_has_form("4539296620131157123"));
}
END_TEST

START_TEST(luhn)
{
	/* test numbers that issuers publish */
	static const char *const good[] = { "4539296620131157", "4111111111111111", "378282246310005", "5555555555554444", "30569309025904",
					    "6011111111111117", "3530111333300000", "79927398713" };

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		char changed[32];

		ck_assert_msg(pan_luhn(good[i]), "%s", good[i]);
		for (size_t at = 0; good[i][at] != '\0'; at++) { /* every single wrong digit is found */
			strcpy(changed, good[i]);
			changed[at] = changed[at] == '9' ? '0' : (char)(changed[at] + 1);
			ck_assert_msg(!pan_luhn(changed), "%s", changed);
		}
	}
}
END_TEST

START_TEST(brands)
{
	static const struct { const char *pan, *brand; } rows[] = {
		{ "4111111111111111", "Visa" }, { "5555555555554444", "Mastercard" }, { "2221000000000009", "Mastercard" },
		{ "2720990000000007", "Mastercard" }, { "2220990000000000", "unknown" }, { "378282246310005", "American Express" },
		{ "341111111111111", "American Express" }, { "30569309025904", "Diners Club" }, { "36111111111111", "Diners Club" },
		{ "6011111111111117", "Discover" }, { "6500000000000000", "Discover" }, { "3530111333300000", "JCB" },
		{ "6200000000000000", "UnionPay" }, { "5018000000000000", "Maestro" }, { "9000000000000000", "unknown" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		ck_assert_str_eq(pan_brand(rows[i].pan), rows[i].brand);
}
END_TEST

START_TEST(last_four)
{
	char four[5];

	pan_last_four("4539296620131157", four);
	ck_assert_str_eq(four, "1157");
}
END_TEST

START_TEST(looks_like)
{
	static const char *const yes[] = { "4539296620131157", "my card 4539 2966 2013 1157!", "4539-2966-2013", "a453929662013", "4.5.3.9.2.9.6.6.2.0.1.3",
					   "4539_2966/2013", "4a5b3c9d2e9f6g6h2i0j1k3", "4539\u00a02966\u00a02013", "４５３９２９６６２０１３",
					   "٤٥٣٩٢٩٦٦٢٠١٣", "४५३९२९६६2013" };
	static const char *const no[] = { "", "Carlos Gardel", "45392966201", "4539296 and 6201", "R2-D2", "1 2 3 4 5 6 7 8 9 10", "Ⅳ①² ½" };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		ck_assert_msg(pan_looks_like(yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		ck_assert_msg(!pan_looks_like(no[i]), "%s", no[i]);
}
END_TEST

START_TEST(is_in)
{
	ck_assert(pan_is_in("4539296620131157", "4539296620131157"));
	ck_assert(pan_is_in("x-4539_2966 2013.1157-9", "4539296620131157"));
	ck_assert(!pan_is_in("453929662013115", "4539296620131157"));
	ck_assert(!pan_is_in("", "4539296620131157"));
	ck_assert(!pan_is_in("4539296620131157", ""));
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("pan");

	tcase_add_test(all, form);
	tcase_add_test(all, luhn);
	tcase_add_test(all, brands);
	tcase_add_test(all, last_four);
	tcase_add_test(all, looks_like);
	tcase_add_test(all, is_in);
	return api_unit_main(all, "api/pan");
}
