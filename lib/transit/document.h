/* document.h (internal): the peer's key backup: JSON with two members, "policy" (the key and its versions in use) and
 * "archived_keys" (all of its versions). docs/FORMATS.md, "Key backups". */
#ifndef BULLA_TRANSIT_DOCUMENT_H
#define BULLA_TRANSIT_DOCUMENT_H

#include "bulla/json.h"
#include "keyring/keyring.h"

/* The peer's number of a key type. */
int document_type(const struct alg *alg);
/* NULL: there is no such type (here). */
const struct alg *document_alg(int64_t type);

/* ---- backup ---------------------------------------------------------------------------------------------------------------- */

/* One version, or the blank entry that stands at place 0 of an archive (version NULL).
 * BAD_KEY_MATERIAL, CRYPTO: the stored material does not open; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err document_put_entry(struct out *out, const struct key *key, const struct key_version *version);

/* The first certificate of a chain, which is taken off it. false: no DER stands there. */
bool document_next_certificate(struct bulla_bytes *chain, struct bulla_bytes *certificate);

/* ---- restore --------------------------------------------------------------------------------------------------------------- */

/* Values of an object's members: absent and null are the zero value, as Go reads them. INVALID_500: of another type. */
BULLA_MUST_USE enum bulla_err document_int(struct bulla_call *call, const struct json *object, const char *name, int64_t *out);
BULLA_MUST_USE enum bulla_err document_bool(struct bulla_call *call, const struct json *object, const char *name, bool *out);
BULLA_MUST_USE enum bulla_err document_text(struct bulla_call *call, const struct json *object, const char *name,
					    struct bulla_bytes *out);
/* Decoded, in the arena. */
BULLA_MUST_USE enum bulla_err document_base64(struct bulla_call *call, const struct json *object, const char *name,
					      struct bulla_bytes *out);
BULLA_MUST_USE enum bulla_err document_time(struct bulla_call *call, const struct json *object, const char *name, int64_t *ns);

/* Reads one version of a key of facts into out (all but its number), whose bytes are in the arena.
 * INVALID_500: it is none; NO_MEMORY, NO_RANDOM. */
BULLA_MUST_USE enum bulla_err document_read_entry(struct bulla_call *call, const struct json *entry, const struct key_facts *facts,
						  struct key_version *out);

#endif
