/* transit.h: what the programs ask of the transit engine, always in batches: one request for many cards. */
#ifndef CARD_TRANSIT_H
#define CARD_TRANSIT_H

#include "vault.h"

#define TRANSIT_BATCH_MAX 250

/* One text on its way. Wipe an array of them when it has served. */
struct transit_item {
	const char *id;          /* the card's id; borrowed */
	const char *purpose;     /* "pan", or "canary"; static */
	enum binding binding;    /* how cipher is bound, or is to be */
	bool failed;             /* this item was refused; the others are not touched by that */
	int key_version;         /* of cipher, when it was made here */
	char plain[PAN_SIZE];
	char cipher[CIPHERTEXT_SIZE];
	char hmac[PAN_HMAC_SIZE];
};

/* Errors of all: vault_call's; REFUSED too when the answer makes no sense. n: 1 to TRANSIT_BATCH_MAX. An item's own failure is in failed. */

bool transit_any_failed(const struct transit_item *items, size_t n);

/* plain -> cipher, key_version, bound by id, purpose and binding */
MUST_USE enum card_err transit_encrypt(struct vault *vault, const struct settings *settings, const char *key, struct transit_item *items, size_t n);

/* cipher -> plain */
MUST_USE enum card_err transit_decrypt(struct vault *vault, const struct settings *settings, const char *key, struct transit_item *items, size_t n);

/* plain -> hmac, cipher and key_version for all items, by two requests at the same time, tried once. REFUSED: not all has succeeded, and the
 * two by themselves find out why, or succeed; errors else are vault_call_both's, and MEMORY. */
MUST_USE enum card_err transit_index_and_encrypt(struct vault *vault, const struct settings *settings, struct transit_item *items, size_t n);

/* plain -> hmac */
MUST_USE enum card_err transit_hmac(struct vault *vault, const struct settings *settings, struct transit_item *items, size_t n);

/* cipher -> cipher under the newest version, key_version. Bulla does it without showing the plaintext, and binds anew by encryption_context
 * what was bound by associated_data. server: what the canary found. Vault and OpenBao cannot rewrap what is bound: there it is decrypted and encrypted. */
MUST_USE enum card_err transit_rewrap(struct vault *vault, const struct settings *settings, enum binding server, struct transit_item *items, size_t n);

/* The newest version of the key of cards. */
MUST_USE enum card_err transit_latest_version(struct vault *vault, const struct settings *settings, int *out);

/* Proves with the canary key that a ciphertext bound to one card does not decrypt for another, and finds out how this server binds.
 * UNBOUND: it binds in no way that we know; REFUSED: the canary key cannot be used. */
MUST_USE enum card_err transit_prove_binding(struct vault *vault, const struct settings *settings, enum binding *out);

#endif
