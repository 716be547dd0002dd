/* transit_items.h: the items of encrypt, decrypt and rewrap as they stand in a request, single or in batch_input, and what the
 * library takes. One thread at a time, as the exchange. */
#ifndef BULLA_HANDLERS_TRANSIT_ITEMS_H
#define BULLA_HANDLERS_TRANSIT_ITEMS_H

#include "request/exchange.h"

/* Texts as they came, borrowed from the document. */
struct crypt_item {
	struct bulla_bytes plaintext;  /* base64 */
	struct bulla_bytes ciphertext;
	struct bulla_bytes context, aad, old_aad; /* base64 */
	struct bulla_bytes padding, old_padding;
	struct bulla_bytes reference;
	const struct json *pairs, *old_pairs;     /* encryption_context, decrypt_encryption_context; NULL: not given */
	bool aad_given, old_aad_given;
	int64_t key_version;
};

enum items_of {
	ITEMS_ENCRYPT, /* strictly typed, must have a plaintext */
	ITEMS_DECRYPT, /* strictly typed, must have a ciphertext */
	ITEMS_REWRAP,  /* weakly typed, names in any case, nothing is a must */
};

/* Whether a FIELD_JSON was given: null is not. */
static inline bool json_given(const struct json *value)
{
	return value != NULL && value->type != JSON_NULL;
}

/* Reads batch_input, which was given. INVALID: it is empty, or some items have a context and some have none. INVALID_500 with
 * the peer's text: it is no list, or an item is of a wrong type. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err items_parse(struct bulla_call *call, const struct json *batch, enum items_of of,
					  struct crypt_item **items, size_t *count);

/* Arrays of what the library takes, in the arena. An item that is bad carries its error. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err items_for_encrypt(struct bulla_call *call, const struct crypt_item *items, size_t count,
						struct bulla_encrypt_item **out);
BULLA_MUST_USE enum bulla_err items_for_decrypt(struct bulla_call *call, const struct crypt_item *items, size_t count,
						struct bulla_decrypt_item **out);
BULLA_MUST_USE enum bulla_err items_for_rewrap(struct bulla_call *call, const struct crypt_item *items, size_t count,
					       struct bulla_rewrap_item **out);

/* associated_data (base64) and encryption_context (NULL: not given) as the library takes them. INVALID: encryption_context is no
 * object of strings. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err items_binding(struct bulla_call *call, struct bulla_bytes aad, const struct json *pairs,
					    struct bulla_binding *out);

/* What stands before and behind the results of a batch of count items in the reply's data: "batch_results". */
void batch_begin(struct exchange *x, size_t count);
void batch_end(struct exchange *x);

#endif
