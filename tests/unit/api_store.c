/* api_store.c: the cards on disk. */
#include "store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api_unit.h"

static char folder[] = "/tmp/api_store.XXXXXX";
static char path[64];
static struct store *store;

static void set_up(void)
{
	strcpy(folder + sizeof folder - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/db", folder);
	ck_assert_int_eq(store_open(path, &store), CARD_OK);
}

static void tear_down(void)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char file[80];

	store_close(store);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		snprintf(file, sizeof file, "%s%s", path, ends[i]);
		unlink(file);
	}
	rmdir(folder);
}

static struct card make(int number, int version)
{
	struct card card = { .key_version = version, .binding = BINDING_AAD, .name = "Aníbal", .brand = "Visa", .last_four = "1157" };

	snprintf(card.id, sizeof card.id, "%032d", number);
	snprintf(card.ciphertext, sizeof card.ciphertext, "vault:v%d:%d", version, number);
	snprintf(card.pan_hmac, sizeof card.pan_hmac, "vault:v1:%d", number);
	return card;
}

static enum card_err insert(struct card *card, char existing[CARD_ID_SIZE])
{
	ck_assert_int_eq(store_begin(store), CARD_OK);
	enum card_err err = store_insert(store, card, existing);

	ck_assert_int_eq(store_commit(store), CARD_OK);
	return err;
}

START_TEST(nothing_there)
{
	struct card card;
	size_t count;

	ck_assert_int_eq(store_get(store, "x", &card), CARD_E_NOT_FOUND);
	ck_assert_int_eq(store_delete(store, "x"), CARD_E_NOT_FOUND);
	ck_assert_int_eq(store_list(store, 0, 0, &card, 1, &count), CARD_OK);
	ck_assert_uint_eq(count, 0);
	card = make(1, 1);
	ck_assert_int_eq(store_replace(store, "x", "y", &card), CARD_E_NOT_FOUND);
}
END_TEST

START_TEST(duplicate)
{
	struct card first = make(1, 1), second = make(2, 1);
	char existing[CARD_ID_SIZE];

	ck_assert_int_eq(insert(&first, existing), CARD_OK);
	strcpy(second.pan_hmac, first.pan_hmac);
	ck_assert_int_eq(insert(&second, existing), CARD_E_DUPLICATE);
	ck_assert_str_eq(existing, first.id);
	ck_assert_int_eq(store_delete(store, first.id), CARD_OK);
	ck_assert_int_eq(insert(&second, existing), CARD_OK);
}
END_TEST

START_TEST(rolled_back)
{
	struct card card = make(1, 1), got;
	char existing[CARD_ID_SIZE];

	ck_assert_int_eq(store_begin(store), CARD_OK);
	ck_assert_int_eq(store_insert(store, &card, existing), CARD_OK);
	store_rollback(store);
	store_rollback(store); /* nothing is open: nothing happens */
	ck_assert_int_eq(store_get(store, card.id, &got), CARD_E_NOT_FOUND);
}
END_TEST

/* What card-api had encrypted before the others were rewrapped is not stored afterwards. */
START_TEST(floor_of_versions)
{
	struct card old = make(1, 1), late = make(2, 1), newer = make(3, 2);
	char existing[CARD_ID_SIZE];
	int64_t left = -1;

	ck_assert_int_eq(insert(&old, existing), CARD_OK);
	ck_assert_int_eq(store_raise_floor(store, 2, &left), CARD_OK);
	ck_assert_int_eq(left, 1);
	ck_assert_int_eq(insert(&late, existing), CARD_OK); /* nothing was raised */
	ck_assert_int_eq(store_delete(store, old.id), CARD_OK);
	ck_assert_int_eq(store_delete(store, late.id), CARD_OK);
	ck_assert_int_eq(store_raise_floor(store, 2, &left), CARD_OK);
	ck_assert_int_eq(left, 0);
	ck_assert_int_eq(store_raise_floor(store, 1, &left), CARD_OK); /* it does not sink */
	ck_assert_int_eq(insert(&late, existing), CARD_E_UNAVAILABLE);
	ck_assert_int_eq(insert(&newer, existing), CARD_OK);
	store_close(store);
	ck_assert_int_eq(store_open(path, &store), CARD_OK);
	ck_assert_int_eq(insert(&late, existing), CARD_E_UNAVAILABLE);
}
END_TEST

START_TEST(pages)
{
	struct card cards[10], card, got;
	char existing[CARD_ID_SIZE];
	size_t count;
	int64_t total;

	for (int i = 0; i < 10; i++) {
		card = make(i, i < 6 ? 1 : 2);
		ck_assert_int_eq(insert(&card, existing), CARD_OK);
	}
	ck_assert_int_eq(store_list(store, 0, 0, cards, 7, &count), CARD_OK);
	ck_assert_uint_eq(count, 7);
	ck_assert_int_eq(store_list(store, cards[6].seq, 0, cards, 7, &count), CARD_OK);
	ck_assert_uint_eq(count, 3);
	ck_assert_int_eq(store_list(store, 0, 2, cards, 10, &count), CARD_OK);
	ck_assert_uint_eq(count, 6);
	ck_assert_int_eq(store_count(store, 2, &total), CARD_OK);
	ck_assert_int_eq(total, 6);
	ck_assert_int_eq(store_count(store, 0, &total), CARD_OK);
	ck_assert_int_eq(total, 10);
	ck_assert_int_eq(store_get(store, cards[3].id, &got), CARD_OK);
	ck_assert_str_eq(got.name, "Aníbal");
	ck_assert_int_eq(got.binding, BINDING_AAD);
	ck_assert_str_eq(got.ciphertext, cards[3].ciphertext);
	ck_assert_str_eq(got.pan_hmac, cards[3].pan_hmac);
}
END_TEST

/* What changed meanwhile is left as it is. */
START_TEST(replace)
{
	struct card card = make(1, 1), newer = make(1, 2), got;
	char existing[CARD_ID_SIZE];

	newer.binding = BINDING_CONTEXT;
	ck_assert_int_eq(insert(&card, existing), CARD_OK);
	ck_assert_int_eq(store_replace(store, card.id, "vault:v1:other", &newer), CARD_E_NOT_FOUND);
	ck_assert_int_eq(store_replace(store, card.id, card.ciphertext, &newer), CARD_OK);
	ck_assert_int_eq(store_get(store, card.id, &got), CARD_OK);
	ck_assert_str_eq(got.ciphertext, "vault:v2:1");
	ck_assert_int_eq(got.key_version, 2);
	ck_assert_int_eq(got.binding, BINDING_CONTEXT);
}
END_TEST

START_TEST(replays)
{
	struct replay replay = { "key", "request" }, other = { "key", "another" }, unknown = { "k", "request" };
	struct card card = make(1, 1), got;
	char existing[CARD_ID_SIZE];

	ck_assert_int_eq(insert(&card, existing), CARD_OK);
	ck_assert_int_eq(store_replay(store, &replay, &got), CARD_E_NOT_FOUND);
	ck_assert_int_eq(store_remember(store, &replay, card.id), CARD_OK);
	ck_assert_int_eq(store_replay(store, &replay, &got), CARD_OK);
	ck_assert_str_eq(got.id, card.id);
	ck_assert_int_eq(store_replay(store, &other, &got), CARD_E_REUSED);
	ck_assert_int_eq(store_replay(store, &unknown, &got), CARD_E_NOT_FOUND);
	ck_assert_int_eq(store_delete(store, card.id), CARD_OK);
	ck_assert_int_eq(store_replay(store, &replay, &got), CARD_E_REUSED);
}
END_TEST

START_TEST(no_database)
{
	struct store *none = NULL, *other = NULL;
	char file[80];

	ck_assert_int_eq(store_open("/nowhere/db", &none), CARD_E_CONFIG);
	snprintf(file, sizeof file, "%s/missing", folder);
	ck_assert_int_eq(store_open_existing(file, &none), CARD_E_CONFIG);
	ck_assert_int_eq(access(file, F_OK), -1);
	ck_assert_int_eq(store_open_existing(path, &other), CARD_OK);
	store_close(other);
	snprintf(file, sizeof file, "%s/other", folder);
	FILE *out = fopen(file, "w");

	ck_assert_ptr_nonnull(out);
	for (int i = 0; i < 100; i++)
		fputs("this is no database, but long enough to be taken for one\n", out);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_int_eq(store_open(file, &none), CARD_E_CONFIG);
	ck_assert_ptr_null(none);
	unlink(file);
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("store");

	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_add_test(all, nothing_there);
	tcase_add_test(all, duplicate);
	tcase_add_test(all, rolled_back);
	tcase_add_test(all, floor_of_versions);
	tcase_add_test(all, pages);
	tcase_add_test(all, replace);
	tcase_add_test(all, replays);
	tcase_add_test(all, no_database);
	return api_unit_main(all, "api/store");
}
