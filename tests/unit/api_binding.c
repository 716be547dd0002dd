/* api_binding.c: what a ciphertext is bound to. The forms are stored, in effect: a change of them makes every card unreadable. */
#include "binding.h"

#include <stdio.h>
#include <string.h>

#include "api_unit.h"

#define ID "0123456789abcdef0123456789abcdef"

START_TEST(forms)
{
	char out[512];

	binding_print(out, sizeof out, "", BINDING_CONTEXT, ID, "pan");
	ck_assert_str_eq(out, "\"encryption_context\":{\"card_id\":\"" ID "\",\"purpose\":\"pan\"}");
	binding_print(out, sizeof out, "decrypt_", BINDING_CONTEXT, ID, "canary");
	ck_assert_str_eq(out, "\"decrypt_encryption_context\":{\"card_id\":\"" ID "\",\"purpose\":\"canary\"}");
	binding_print(out, sizeof out, "", BINDING_AAD, ID, "pan"); /* base64 of card-binding:v1:card_id=...:purpose=pan */
	ck_assert_str_eq(out, "\"associated_data\":\"Y2FyZC1iaW5kaW5nOnYxOmNhcmRfaWQ9MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY6cHVycG9zZT1wYW4=\"");
}
END_TEST

START_TEST(ids)
{
	char last[CARD_ID_SIZE], id[CARD_ID_SIZE];

	binding_new_id(last);
	for (int i = 0; i < 1000; i++) {
		binding_new_id(id);
		ck_assert(binding_is_id(id));
		ck_assert_str_ne(id, last);
		ck_assert_int_eq(memcmp(id, last, 4), 0); /* the time comes first: 4 digits last for months */
		strcpy(last, id);
	}
	ck_assert(binding_is_id(ID));
	ck_assert(!binding_is_id(""));
	ck_assert(!binding_is_id(ID "0"));
	ck_assert(!binding_is_id("0123456789abcdef0123456789abcde"));
	ck_assert(!binding_is_id("0123456789ABCDEF0123456789abcdef"));
	ck_assert(!binding_is_id("../3456789abcdef0123456789abcdef"));
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("binding");

	tcase_add_test(all, forms);
	tcase_add_test(all, ids);
	return api_unit_main(all, "api/binding");
}
