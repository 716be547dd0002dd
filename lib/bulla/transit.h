/* transit.h: operations with named keys. One item or a batch: the same functions, an array of items in, an array of results
 * out. An item's failure stands in its result; what stops the whole operation is the function's own error. */
#ifndef BULLA_TRANSIT_H
#define BULLA_TRANSIT_H

#include "keys.h"

/* What a ciphertext is bound to besides its key. */
struct bulla_binding {
	bool has_aad;
	struct bulla_bytes aad;             /* associated_data, decoded */
	const struct bulla_pair *pairs;     /* encryption_context; any order; NULL: none given */
	size_t pair_count;
};

/* The associated data that a binding gives: a reserved prefix, the pairs sorted by key, each part length-prefixed, then any raw
 * aad; without pairs the raw aad alone (docs/FORMATS.md). In the arena.
 * INVALID: raw aad begins with the reserved prefix; a key twice; a part over 64 KiB. */
BULLA_MUST_USE enum bulla_err bulla_binding_encode(struct bulla_call *call, const struct bulla_binding *binding,
						   struct bulla_bytes *out);

/* Outcome of one item. */
struct bulla_item_result {
	enum bulla_err err;
	struct bulla_bytes error;  /* the text, when err is set */
	struct bulla_bytes text;   /* "vault:v1:..." or the plaintext, in the arena */
	uint32_t key_version;
};

struct bulla_encrypt_item {
	enum bulla_err err;           /* set by the caller: this item is bad already (and error says why); passed on */
	struct bulla_bytes error;
	struct bulla_bytes plaintext;
	struct bulla_bytes context;   /* for derived keys, decoded */
	struct bulla_bytes nonce;     /* refused unless the peer takes it */
	int64_t key_version;          /* 0: the latest */
	struct bulla_binding binding;
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

/* results has count members. KEY_NOT_FOUND, KEY_SOFT_DELETED, INVALID with the peer's texts, MUST_BLOCK. */
BULLA_MUST_USE enum bulla_err bulla_encrypt(struct bulla *engine, struct bulla_call *call, const struct bulla_encrypt_args *args,
					    struct bulla_item_result *results);

struct bulla_decrypt_item {
	enum bulla_err err;
	struct bulla_bytes error;
	struct bulla_bytes ciphertext; /* "vault:v1:..." */
	struct bulla_bytes context, nonce;
	struct bulla_binding binding;
};

struct bulla_decrypt_args {
	const struct bulla_mount *mount;
	struct bulla_bytes name;
	const struct bulla_decrypt_item *items;
	size_t count;
};

BULLA_MUST_USE enum bulla_err bulla_decrypt(struct bulla *engine, struct bulla_call *call, const struct bulla_decrypt_args *args,
					    struct bulla_item_result *results);

/* Decrypts with `old` and encrypts with `new` (the same binding unless the caller asked for another). */
struct bulla_rewrap_item {
	enum bulla_err err;
	struct bulla_bytes error;
	struct bulla_bytes ciphertext, context, nonce;
	int64_t key_version;
	struct bulla_binding old_binding, new_binding;
};

struct bulla_rewrap_args {
	const struct bulla_mount *mount;
	struct bulla_bytes name;
	const struct bulla_rewrap_item *items;
	size_t count;
};

BULLA_MUST_USE enum bulla_err bulla_rewrap(struct bulla *engine, struct bulla_call *call, const struct bulla_rewrap_args *args,
					   struct bulla_item_result *results);

/* kind: "encryption-key", "hmac-key", ...; version: "", "latest" or a number. Each material as the peer prints it (base64 for
 * symmetric keys), in the arena. NOT_FOUND, INVALID, INVALID_500 with the peer's texts. */
struct bulla_export_entry {
	uint32_t version;
	struct bulla_bytes material;
};
struct bulla_export_result {
	struct bulla_bytes name;
	const char *type;
	struct bulla_export_entry *entries;
	size_t count;
};
BULLA_MUST_USE enum bulla_err bulla_export(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					   struct bulla_bytes kind, struct bulla_bytes name, struct bulla_bytes version,
					   struct bulla_export_result *out);

#endif
