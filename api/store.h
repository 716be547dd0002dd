/* store.h: the cards on disk: ciphertexts, and what a shop may show of a card. One connection a struct; for one thread at a time. */
#ifndef CARD_STORE_H
#define CARD_STORE_H

#include "card.h"

struct store;

/* Opens the database and makes it and its tables where they are missing. CONFIG: it cannot be opened, or is newer than this program;
 * logged. */
MUST_USE enum card_err store_open(const char *path, struct store **out);

/* The same for who needs cards that are there: CONFIG, too, if there is no database, or none of cards. */
MUST_USE enum card_err store_open_existing(const char *path, struct store **out);
void store_close(struct store *store);

/* All errors of the rest are STORE (logged, without data) where nothing else is said. What is changed between begin and commit is durable
 * when commit has returned OK (synchronous=FULL), and not there at all otherwise. Begin takes the write lock: waits up to 10 s for it. */
MUST_USE enum card_err store_begin(struct store *store);
MUST_USE enum card_err store_commit(struct store *store);
void store_rollback(struct store *store);

/* DUPLICATE: a card with this pan_hmac is there; existing_id is set. UNAVAILABLE: its key version is below the floor; to be encrypted
 * anew. seq and created_s are set in card. */
MUST_USE enum card_err store_insert(struct store *store, struct card *card, char existing_id[CARD_ID_SIZE]);

/* NOT_FOUND */
MUST_USE enum card_err store_get(struct store *store, const char *id, struct card *out);
MUST_USE enum card_err store_delete(struct store *store, const char *id);

/* Up to max cards after seq, in order of arrival. below_version: only those of a lower key version; 0: all. */
MUST_USE enum card_err store_list(struct store *store, int64_t after_seq, int below_version, struct card *out, size_t max, size_t *count);

MUST_USE enum card_err store_count(struct store *store, int below_version, int64_t *out);

/* Replaces a ciphertext that is still the old one. NOT_FOUND: it is not, or the card was deleted meanwhile. */
MUST_USE enum card_err store_replace(struct store *store, const char *id, const char *old, const struct card *card);

/* If no card is below that version of the key, none will come: it is the floor of what is stored from then on. Otherwise left says how many
 * are below, and nothing is changed. A transaction of its own. */
MUST_USE enum card_err store_raise_floor(struct store *store, int version, int64_t *left);

/* ---- idempotency keys, kept for a day ------------------------------------------ */
#define REPLAY_HASH_BYTES 32

struct replay {
	unsigned char key[REPLAY_HASH_BYTES];     /* hash of the Idempotency-Key */
	unsigned char request[REPLAY_HASH_BYTES]; /* hash of the card that came with it */
};

/* The card that an earlier request with this key stored. NOT_FOUND: none; REUSED: the key came with another card, or its card was deleted. */
MUST_USE enum card_err store_replay(struct store *store, const struct replay *replay, struct card *out);

/* Remembers a key and the card it stored, and forgets those older than a day. */
MUST_USE enum card_err store_remember(struct store *store, const struct replay *replay, const char *card_id);

#endif
