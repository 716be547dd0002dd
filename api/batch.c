/* batch.c: owns the order of things: HMAC, encrypt, one transaction, and only then an answer. The intake's thread. */
#include "batch.h"

#include <sodium.h>
#include <string.h>

#include "binding.h"
#include "log.h"
#include "pan.h"
#include "transit.h"
#include "wipe.h"

static void fill_item(const struct desk *desk, struct job *job, const unsigned char random[BINDING_RANDOM_BYTES], struct transit_item *item)
{
	binding_make_id(job->card.id, random);
	*item = (struct transit_item){ .id = job->card.id, .purpose = "pan", .binding = desk->binding };
	memcpy(item->plain, job->input.pan, sizeof item->plain);
}

static void hash(unsigned char out[REPLAY_HASH_BYTES], const char *a, const char *b)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, REPLAY_HASH_BYTES);
	crypto_generichash_update(&state, (const unsigned char *)a, strlen(a) + 1);
	crypto_generichash_update(&state, (const unsigned char *)b, strlen(b) + 1);
	crypto_generichash_final(&state, out, REPLAY_HASH_BYTES);
}

static void fill_card(struct job *job, const struct transit_item *item)
{
	struct card *card = &job->card;

	card->binding = item->binding;
	card->key_version = item->key_version;
	strcpy(card->name, job->input.name);
	strcpy(card->ciphertext, item->cipher);
	strcpy(card->pan_hmac, item->hmac);
	strcpy(card->brand, pan_brand(job->input.pan));
	pan_last_four(job->input.pan, card->last_four);
	if (job->input.key[0] == '\0')
		return;
	/* the HMAC stands for the PAN: a plain hash of the PAN could be searched through */
	hash(job->replay.key, "key", job->input.key);
	hash(job->replay.request, card->pan_hmac, card->name);
}

static enum card_err check(const struct transit_item *items, size_t n)
{
	if (!transit_any_failed(items, n))
		return CARD_OK;
	log_line("the encryption service refused a card of a batch");
	return CARD_E_REFUSED;
}

static enum card_err ask(struct desk *desk, struct transit_item *items, size_t n)
{
	enum card_err err = transit_index_and_encrypt(desk->vault, desk->settings, items, n);

	if (err != CARD_E_REFUSED)
		return err;
	TRY(transit_hmac(desk->vault, desk->settings, items, n));
	TRY(check(items, n));
	TRY(transit_encrypt(desk->vault, desk->settings, desk->settings->key, items, n));
	return check(items, n);
}

/* All new cards: two requests to Bulla. */
static enum card_err encrypt(struct desk *desk, struct job **jobs, struct transit_item *items, size_t n)
{
	if (n == 0)
		return CARD_OK;
	if (desk->binding == 0)
		return CARD_E_UNAVAILABLE;
	unsigned char random[BATCH_MAX][BINDING_RANDOM_BYTES];

	randombytes_buf(random, n * sizeof random[0]);
	for (size_t i = 0; i < n; i++)
		fill_item(desk, jobs[i], random[i], &items[i]);
	enum card_err err = ask(desk, items, n);

	for (size_t i = 0; i < n && err == CARD_OK; i++)
		fill_card(jobs[i], &items[i]);
	wipe(items, n * sizeof *items);
	return err;
}

/* A key that was seen answers as it did the first time, and stores nothing. */
static enum card_err add_card(struct desk *desk, struct job *job)
{
	bool has_key = job->input.key[0] != '\0';

	if (has_key) {
		enum card_err err = store_replay(desk->store, &job->replay, &job->card);

		if (err != CARD_E_NOT_FOUND)
			return err;
	}
	TRY(store_insert(desk->store, &job->card, job->id));
	return has_key ? store_remember(desk->store, &job->replay, job->card.id) : CARD_OK;
}

static bool is_answer(enum card_err err)
{
	return err == CARD_OK || err == CARD_E_DUPLICATE || err == CARD_E_REUSED || err == CARD_E_NOT_FOUND;
}

static enum card_err change(struct desk *desk, struct job **jobs, size_t n)
{
	TRY(store_begin(desk->store));
	for (size_t i = 0; i < n; i++) {
		struct job *job = jobs[i];

		job->result = job->kind == JOB_ADD ? add_card(desk, job) : store_delete(desk->store, job->id);
		if (!is_answer(job->result))
			return job->result;
	}
	return store_commit(desk->store);
}

static void finish(const struct desk *desk, struct job **jobs, size_t n, enum card_err err)
{
	for (size_t i = 0; i < n; i++) {
		if (err != CARD_OK)
			jobs[i]->result = err;
		wipe(&jobs[i]->input, sizeof jobs[i]->input);
	}
	if (n > 0)
		desk->done(jobs, n);
}

static size_t pick(struct job **jobs, size_t n, enum job_kind kind, struct job **out)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		if (jobs[i]->kind == kind)
			out[count++] = jobs[i];
	return count;
}

/* Deletions need nobody's help: they go on while Bulla is away. */
bool batch_encrypt(struct desk *desk, struct batch *batch, bool healthy)
{
	struct job *adds[BATCH_MAX];
	size_t n = pick(batch->jobs, batch->n, JOB_ADD, adds);
	enum card_err err = encrypt(desk, adds, batch->items, n);

	if (err != CARD_OK) {
		batch->n = pick(batch->jobs, batch->n, JOB_DELETE, batch->jobs);
		finish(desk, adds, n, err);
	}
	return n > 0 ? err == CARD_OK : healthy;
}

/* One transaction: a job has its result only when all of it is on disk. */
void batch_store(struct desk *desk, struct batch *batch)
{
	if (batch->n == 0)
		return;
	enum card_err err = change(desk, batch->jobs, batch->n);

	if (err != CARD_OK)
		store_rollback(desk->store);
	finish(desk, batch->jobs, batch->n, err);
}
