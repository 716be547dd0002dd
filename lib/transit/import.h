/* import.h (internal): wrapped key material and what is made of it. Workers; nothing here is within a read section. */
#ifndef BULLA_TRANSIT_IMPORT_H
#define BULLA_TRANSIT_IMPORT_H

#include "bulla/import.h"
#include "crypto/pkey.h"
#include "transit/transit.h"

/* ---- wrapping.c -------------------------------------------------------------------------------------------------------------- */

#define WRAPPING_KEY_NAME "import/wrapping-key" /* as the peer's LIST shows: no request can name it */

/* The hash of OAEP by the peer's names of it, in any case. false: there is none of that name. */
bool wrapping_hash(struct bulla_bytes name, enum digest *out);

/* base64 of OAEP(ephemeral key) || KWP(material), in the arena. INVALID_500: the key is too small for the hash. CRYPTO,
 * NO_RANDOM, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err wrapping_seal(struct bulla_call *call, const struct pkey *pkey, enum digest hash,
					    struct bulla_bytes material, struct bulla_bytes *out);

/* The way back, under the mount's wrapping key. INVALID_500 with the peer's texts; errors of bulla_wrapping_key. */
BULLA_MUST_USE enum bulla_err wrapping_open(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					    struct bulla_bytes text, enum digest hash, struct material *out);

/* ---- import.c ---------------------------------------------------------------------------------------------------------------- */

/* Material that came in, before it is known to be any good. */
struct incoming {
	struct material bytes; /* symmetric, PKCS#8, or PEM of a public key */
	bool private;
};
void incoming_clear(struct incoming *incoming);

/* Unwraps what source has for a key of type alg. INVALID: the hash; INVALID_500: the rest. */
BULLA_MUST_USE enum bulla_err incoming_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					    const struct bulla_import_source *source, const struct alg *alg, struct incoming *out);

/* The material of a version of type alg; *pkey (may be NULL) its key, where it is asymmetric. INVALID_500: it is none. */
BULLA_MUST_USE enum bulla_err incoming_parse(struct bulla_call *call, const struct incoming *incoming, const struct alg *alg,
					     struct material *material, struct pkey **pkey);

/* A version of that material as it was made now, with an HMAC key of its own in hmac_key. NO_RANDOM. */
BULLA_MUST_USE enum bulla_err incoming_version(const struct material *material, bool public_only, uint8_t hmac_key[KEY_HMAC_BYTES],
					       struct key_version *out);

/* The type of that name, in any case. NULL: there is none. */
const struct alg *incoming_alg(struct bulla_bytes name);

/* A text of the peer's with its prefix for a whole import. */
enum bulla_err incoming_refuse(struct bulla_call *call, const char *why);

/* ---- export.c, export_form.c ---------------------------------------------------------------------------------------------------- */

/* The first and the last version that an export asks for: "" all that may be used, "latest", "3", "v3". INVALID. */
BULLA_MUST_USE enum bulla_err export_range(struct bulla_call *call, const struct key *key, struct bulla_bytes text, uint32_t *first,
					   uint32_t *last);

/* Material in a format: "", "raw", "der", "pem". INVALID_500: the kind of key has no such format. */
BULLA_MUST_USE enum bulla_err export_private(struct bulla_call *call, const struct pkey *pkey, struct bulla_bytes format,
					     struct bulla_bytes *out);
BULLA_MUST_USE enum bulla_err export_public(struct bulla_call *call, const struct pkey *pkey, struct bulla_bytes format,
					    struct bulla_bytes *out);
/* Certificates in PEM. INVALID_500: there are none. */
BULLA_MUST_USE enum bulla_err export_chain(struct bulla_call *call, struct bulla_bytes chain, struct bulla_bytes *out);

/* base64 and PEM, in the arena. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err export_base64(struct bulla_call *call, struct bulla_bytes bytes, struct bulla_bytes *out);
BULLA_MUST_USE enum bulla_err export_pem(struct bulla_call *call, const char *label, struct bulla_bytes der, struct bulla_bytes *out);

#endif
