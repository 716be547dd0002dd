/* der.h: reads the distinguished encoding of ASN.1 (X.690, section 10), strictly: one-byte tags, definite lengths in their shortest
 * form, nothing past the end. A cursor is a struct bulla_bytes that shrinks; what is taken is borrowed from it. Any thread. */
#ifndef BULLA_CRYPTO_DER_H
#define BULLA_CRYPTO_DER_H

#include "bulla/bytes.h"

enum {
	DER_INTEGER = 0x02, DER_BIT_STRING = 0x03, DER_OCTET_STRING = 0x04, DER_NULL = 0x05, DER_OID = 0x06, DER_SEQUENCE = 0x30,
	DER_CONTEXT_0 = 0xA0, DER_CONTEXT_1 = 0xA1, /* constructed: explicit tags, implicit SETs */
	DER_IMPLICIT_1 = 0x81,                      /* primitive */
};

/* Takes the element at the cursor if it has that tag; *content gets what is in it. false: there is none, or it is malformed; nothing
 * has changed. */
bool der_take(struct bulla_bytes *cursor, unsigned tag, struct bulla_bytes *content);

/* Whether the element at the cursor has that tag. */
bool der_is_next(struct bulla_bytes cursor, unsigned tag);

/* Takes an INTEGER of one byte, 0 to 127. false as above. */
bool der_take_small(struct bulla_bytes *cursor, unsigned *value);

/* Takes a BIT STRING of whole bytes with that tag (DER_BIT_STRING, or an implicit one). false as above. */
bool der_take_bits(struct bulla_bytes *cursor, unsigned tag, struct bulla_bytes *bytes);

#endif
