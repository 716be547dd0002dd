/* transit_proofs.h: the items of hmac, sign and verify as they stand in a request, single or in batch_input, and what the library
 * takes. One thread at a time, as the exchange. */
#ifndef BULLA_HANDLERS_TRANSIT_PROOFS_H
#define BULLA_HANDLERS_TRANSIT_PROOFS_H

#include "request/exchange.h"

enum proof_given { PROOF_INPUT = 1 << 0, PROOF_SIGNATURE = 1 << 1, PROOF_HMAC = 1 << 2 };

/* Texts as they came, borrowed from the document. */
struct proof_item {
	unsigned given; /* enum proof_given */
	struct bulla_bytes input, context; /* base64 */
	struct bulla_bytes signature, hmac;
	struct bulla_bytes reference;
};

enum proofs_of { PROOFS_HMAC, PROOFS_SIGN, PROOFS_VERIFY_SIGNATURE, PROOFS_VERIFY_HMAC };

/* Reads batch_input, which was given: a list of objects whose members are all texts (or numbers, or null). INVALID: it is empty.
 * INVALID_500 with the peer's text, which has a name for what: it is no list, or an item is of a wrong type. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err proofs_parse(struct bulla_call *call, const struct json *batch, enum proofs_of of,
					   struct proof_item **items, size_t *count);

/* An array of what the library takes, in the arena. An item that is bad carries its error. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err proofs_decode(struct bulla_call *call, const struct proof_item *items, size_t count,
					    enum proofs_of of, struct bulla_sign_item **out);

/* base64 of what is to be hashed or signed. INVALID with the peer's text; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err proofs_input(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out);

/* {"valid": ...}, or the verdicts of a batch. omit: false is left out, as the peer has it of HMACs. */
enum bulla_err proofs_print_verdict(struct exchange *x, const struct bulla_verdict *verdict) BULLA_MUST_USE;
void proofs_print_verdicts(struct exchange *x, const struct proof_item *items, const struct bulla_verdict *verdicts, size_t count,
			   bool omit);

#endif
