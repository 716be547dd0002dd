/* rewrap.c: owns the loop over old cards and its progress. One thread. */
#define _GNU_SOURCE
#include "rewrap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binding.h"
#include "log.h"
#include "store.h"
#include "transit.h"
#include "wipe.h"

#define BATCH 100
#define PATIENCE_MS 60000
#define BAR_WIDTH 40

struct run {
	const struct settings *settings;
	struct vault *vault;
	struct store *store;
	enum binding server;
	int version;
	int64_t total, done, failed;
	bool terminal;
	struct card cards[BATCH];
	struct transit_item items[BATCH];
};

static void show(const struct run *run)
{
	int64_t seen = run->done + run->failed;
	int full = run->total > 0 ? (int)(seen * BAR_WIDTH / run->total) : BAR_WIDTH;

	if (full > BAR_WIDTH)
		full = BAR_WIDTH;
	if (run->terminal)
		printf("\r[%.*s%*s] %lld of %lld", full, "########################################", BAR_WIDTH - full, "", (long long)seen,
		       (long long)run->total);
	else
		printf("%lld of %lld cards\n", (long long)seen, (long long)run->total);
	fflush(stdout);
}

/* One transaction: a card that was changed or deleted meanwhile is left as it is. */
static enum card_err store_batch(struct run *run, size_t n)
{
	TRY(store_begin(run->store));
	for (size_t i = 0; i < n; i++) {
		const struct transit_item *item = &run->items[i];
		struct card *card = &run->cards[i];
		char old[CIPHERTEXT_SIZE];

		if (item->failed)
			continue;
		strcpy(old, card->ciphertext);
		strcpy(card->ciphertext, item->cipher);
		card->key_version = item->key_version;
		card->binding = item->binding;
		enum card_err err = store_replace(run->store, card->id, old, card);

		if (err != CARD_OK && err != CARD_E_NOT_FOUND)
			return err;
	}
	return store_commit(run->store);
}

static void count(struct run *run, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		run->failed += run->items[i].failed;
		run->done += !run->items[i].failed;
		if (run->items[i].failed)
			log_line("card %s was not rewrapped: its ciphertext does not open for this card, or a policy forbids it", run->items[i].id);
	}
}

static enum card_err rewrap_batch(struct run *run, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct card *card = &run->cards[i];

		run->items[i] = (struct transit_item){ .id = binding_known_id(card->id), .purpose = "pan", .binding = card->binding };
		strcpy(run->items[i].cipher, card->ciphertext);
	}
	TRY(transit_rewrap(run->vault, run->settings, run->server, run->items, n));
	enum card_err err = store_batch(run, n);

	if (err != CARD_OK)
		store_rollback(run->store);
	else
		count(run, n);
	return err;
}

/* Every card that is old now. */
static enum card_err pass(struct run *run)
{
	int64_t after = 0;
	size_t n = 0;

	for (;;) {
		TRY(store_list(run->store, after, run->version, run->cards, BATCH, &n));
		if (n == 0)
			return CARD_OK;
		after = run->cards[n - 1].seq;
		TRY(rewrap_batch(run, n));
		show(run);
	}
}

/* A card that was encrypted before the rotation may still be on its way: either it comes before the floor rises, and another pass
 * finds it, or it is not stored. Only then may old versions be retired. */
static enum card_err work(struct run *run)
{
	int64_t left = 0, before;

	TRY(transit_prove_binding(run->vault, run->settings, &run->server));
	TRY(transit_latest_version(run->vault, run->settings, &run->version));
	TRY(store_count(run->store, run->version, &run->total));
	do {
		before = run->done;
		TRY(pass(run));
		TRY(store_raise_floor(run->store, run->version, &left));
	} while (left > 0 && run->failed == 0 && run->done > before);
	if (run->terminal && run->total > 0)
		putchar('\n');
	printf("rewrapped %lld of %lld cards to version %d\n", (long long)run->done, (long long)run->total, run->version);
	return left == 0 ? CARD_OK : CARD_E_REFUSED;
}

enum card_err rewrap_all(const struct settings *settings)
{
	struct run *run = calloc(1, sizeof *run);

	if (run == NULL)
		return CARD_E_MEMORY;
	run->settings = settings;
	run->terminal = isatty(STDOUT_FILENO) == 1;
	run->vault = vault_new(settings, PATIENCE_MS);
	enum card_err err = run->vault != NULL ? store_open_existing(settings->db, &run->store) : CARD_E_MEMORY;

	if (err == CARD_OK)
		err = work(run);
	vault_free(run->vault);
	store_close(run->store);
	free(run); /* wiped: wipe.c */
	return err;
}
