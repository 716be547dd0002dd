/* transit.h: operations with named keys. One item or a batch: the same functions, an array of items in, an array of results
 * out. An item's failure stands in its result; what stops the whole operation is the function's own error, and then results
 * say nothing.
 *
 * Any thread. A long batch is no work for an event loop: MUST_BLOCK, before anything was done. */
#ifndef BULLA_TRANSIT_H
#define BULLA_TRANSIT_H

#include "keys.h"

BULLA_DECLS_BEGIN

/* ---- what a ciphertext is bound to besides its key -------------------------------------------------------------------- */

struct bulla_binding {
	struct bulla_bytes aad;         /* associated_data, decoded; empty is the same as none */
	const struct bulla_pair *pairs; /* encryption_context; any order; none: the same as no encryption_context */
	size_t pair_count;
	/* associated_data was no base64, at this byte of it: the item is refused, but where the peer does it, after the key's rules */
	bool aad_bad;
	size_t aad_bad_at;
};

/* Associated data that begins so was made by bulla_binding_encode; raw associated_data must not. */
#define BULLA_BINDING_PREFIX "bulla:context:1"
#define BULLA_BINDING_PREFIX_BYTES sizeof BULLA_BINDING_PREFIX /* the NUL counts */

#define BULLA_BINDING_MAX_PAIRS 1024
#define BULLA_BINDING_MAX_PART 65536 /* bytes of a key or a value */

/* The associated data that a binding gives (docs/FORMATS.md, "Bindings"): without pairs the raw aad alone; with pairs the
 * reserved prefix, their number, the pairs sorted by key with each part length-prefixed, then any raw aad. Borrowed from the
 * binding or in the arena.
 * INVALID: raw aad begins with the reserved prefix; too many pairs; an empty key, a key twice; a part that is too long.
 * INVALID_500: aad_bad. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_binding_encode(struct bulla_call *call, const struct bulla_binding *binding,
						   struct bulla_bytes *out);

/* ---- "vault:v1:..." --------------------------------------------------------------------------------------------------- */

/* Characters of the text of n sealed bytes, no NUL. */
size_t bulla_ciphertext_len(uint32_t version, size_t n);

/* Writes that many characters. */
void bulla_ciphertext_print(uint32_t version, struct bulla_bytes sealed, char *out);

/* ---- encrypt, decrypt, rewrap ------------------------------------------------------------------------------------------ */

/* Outcome of one item. Those of class FAULT, BUSY never stand here: they stop the operation; a damaged key version
 * (STORE_DAMAGED) does, for the other items may be of other versions. */
struct bulla_item_result {
	enum bulla_err err;
	struct bulla_bytes error;  /* the text, when err is set */
	struct bulla_bytes bytes;  /* in the arena: sealed (nonce, ciphertext, tag), or the plaintext */
	uint32_t key_version;      /* that sealed it */
};

struct bulla_encrypt_item {
	enum bulla_err err;           /* set by the caller: this item is bad already (and error says why); passed on */
	struct bulla_bytes error;
	struct bulla_bytes plaintext;
	struct bulla_bytes context;   /* for derived keys, decoded */
	int64_t key_version;          /* 0: the latest */
	struct bulla_binding binding;
	struct bulla_bytes padding;   /* of RSA: "oaep" (with SHA-256), "pkcs1v15"; "": oaep */
};

struct bulla_encrypt_args {
	const struct bulla_mount *mount;
	struct bulla_bytes name;
	const struct bulla_encrypt_item *items;
	size_t count;
	/* if the key does not exist: create it so (may_create: the caller's capability and the mount allow it) */
	bool may_create;
	struct bulla_key_create_args create;
};

/* results has count members. A key that can encrypt and has no associated data (RSA) refuses a binding. Raw associated data does not enter the nonce of a convergent key, as at the peer; an
 * encryption_context does, and any associated data beside it.
 * KEY_NOT_FOUND, INVALID (creation is refused), MUST_BLOCK, SEALED, CRYPTO, NO_RANDOM, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_encrypt(struct bulla *engine, struct bulla_call *call, const struct bulla_encrypt_args *args,
					    struct bulla_item_result *results);

struct bulla_decrypt_item {
	enum bulla_err err;
	struct bulla_bytes error;
	struct bulla_bytes ciphertext; /* "vault:v1:..." */
	struct bulla_bytes context;
	struct bulla_binding binding;
	struct bulla_bytes padding;    /* as it was encrypted */
};

struct bulla_decrypt_args {
	const struct bulla_mount *mount;
	struct bulla_bytes name;
	const struct bulla_decrypt_item *items;
	size_t count;
};

/* KEY_NOT_FOUND, MUST_BLOCK, SEALED, CRYPTO, NO_MEMORY. An item whose tag does not verify: AUTH_FAILED, and no more is said. */
BULLA_MUST_USE enum bulla_err bulla_decrypt(struct bulla *engine, struct bulla_call *call, const struct bulla_decrypt_args *args,
					    struct bulla_item_result *results);

/* Decrypts under old_binding and encrypts the same plaintext under new_binding. */
struct bulla_rewrap_item {
	enum bulla_err err;
	struct bulla_bytes error;
	struct bulla_bytes ciphertext, context;
	int64_t key_version;           /* of the new one; 0: the latest */
	struct bulla_binding old_binding, new_binding;
	struct bulla_bytes old_padding, new_padding;
};

struct bulla_rewrap_args {
	const struct bulla_mount *mount;
	struct bulla_bytes name;
	const struct bulla_rewrap_item *items;
	size_t count;
};

/* As bulla_decrypt, and NO_RANDOM. */
BULLA_MUST_USE enum bulla_err bulla_rewrap(struct bulla *engine, struct bulla_call *call, const struct bulla_rewrap_args *args,
					   struct bulla_item_result *results);

/* Whether the caller's policies let the item through that stands at (from 0) in a batch and is bound so: what the operations
 * above ask of each. Never blocks. */
bool bulla_item_granted(const struct bulla_call *call, size_t at, const struct bulla_binding *binding);
bool bulla_item_rewrap_granted(const struct bulla_call *call, size_t at, const struct bulla_binding *old_binding,
			       const struct bulla_binding *new_binding);

/* ---- data keys --------------------------------------------------------------------------------------------------------- */

struct bulla_datakey_args {
	const struct bulla_mount *mount;
	struct bulla_bytes name;
	int64_t bits;              /* 128, 256, 512 */
	struct bulla_bytes context;
	int64_t key_version;       /* 0: the latest */
	struct bulla_binding binding;
	struct bulla_bytes padding; /* as in bulla_encrypt_item */
};

/* New random bytes, in the arena, and the same sealed under the named key, as bulla_encrypt would.
 * KEY_NOT_FOUND; INVALID, INVALID_500 with the peer's texts: the bits, and what bulla_encrypt says of an item; STORE_DAMAGED,
 * MUST_BLOCK, SEALED, CRYPTO, NO_RANDOM, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_datakey(struct bulla *engine, struct bulla_call *call, const struct bulla_datakey_args *args,
					    struct bulla_bytes *plaintext, struct bulla_item_result *sealed);

/* ---- backup and restore ------------------------------------------------------------------------------------------------ */

/* The key with all of its versions as the peer's backup (docs/FORMATS.md), base64 in the arena; the key is marked as backed up.
 * It is plaintext: only keys that are exportable and allow plaintext backups. INVALID_500 with the peer's texts,
 * KEY_SOFT_DELETED, MUST_BLOCK, SEALED, NO_MEMORY, STORE_DAMAGED, the store's. */
BULLA_MUST_USE enum bulla_err bulla_key_backup(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, struct bulla_bytes *out);

/* Makes a key of a backup, ours or the peer's, under name (empty: the backup's own). force: a key of that name goes. All or
 * nothing. INVALID_500: it is no backup of a key that could be ours; KEY_EXISTS; MUST_BLOCK, SEALED, NO_MEMORY, the store's. */
BULLA_MUST_USE enum bulla_err bulla_key_restore(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						struct bulla_bytes name, struct bulla_bytes backup, bool force);

/* ---- export ------------------------------------------------------------------------------------------------------------ */

struct bulla_export_args {
	const struct bulla_mount *mount;
	struct bulla_bytes kind;    /* "encryption-key", "hmac-key", ... */
	struct bulla_bytes name;
	struct bulla_bytes version; /* "": all that may be used; "latest", "3", "v3" */
	struct bulla_bytes format;  /* "", "raw", "der", "pem" */
};
struct bulla_export_entry {
	uint32_t version;
	struct bulla_bytes material; /* as the peer prints it: base64 for symmetric keys */
};
/* All of it in the arena. */
struct bulla_export_result {
	const char *type;
	struct bulla_export_entry *entries; /* by version, ascending */
	size_t count;
};
/* NOT_FOUND: there is no such key. INVALID, INVALID_500 with the peer's texts, KEY_SOFT_DELETED, STORE_DAMAGED, MUST_BLOCK,
 * SEALED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_export(struct bulla *engine, struct bulla_call *call, const struct bulla_export_args *args,
					   struct bulla_export_result *out);

BULLA_DECLS_END

#endif
