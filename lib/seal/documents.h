/* documents.h: small sealed documents by name: settings that are read often and changed rarely (policies, roles, users, devices).
 * Each is one record; its name stands inside it, so that a kind can be listed. What is in a document is its owner's affair
 * (base/pack.h); docs/FORMATS.md has them all. Workers only: all block that take a call and read or commit. Thread-safe. */
#ifndef BULLA_SEAL_DOCUMENTS_H
#define BULLA_SEAL_DOCUMENTS_H

#include "seal/barrier.h"

#define DOCUMENT_MAX_BYTES (1u << 20)

/* Where documents are: borrowed parts. */
struct documents {
	struct store *store;
	struct seal *seal;
};

struct document_name {
	const char *kind;         /* a constant of the owner, not the name of another layer's records: "policy", "approle-role" */
	struct bulla_bytes scope; /* what they belong to: a mount's uuid, a token's slot; may be empty */
	struct bulla_bytes item;
};

struct document {
	uint64_t revision;
	struct bulla_bytes item, value; /* in the arena (of a list: good only during the visit) */
};

/* Where its record is; the first half is that of all of its kind and scope. SEALED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err document_slot(const struct documents *documents, const struct document_name *name, struct store_id *out);

/* What a record of the store says. STORE_DAMAGED, but out has its revision; BUSY, SEALED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err document_open(const struct documents *documents, struct bulla_call *call,
					    const struct store_record *record, struct document *out);

/* NOT_FOUND; MUST_BLOCK, SEALED, STORE*, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err document_get(const struct documents *documents, struct bulla_call *call,
					   const struct document_name *name, struct document *out);

/* Durable when it returns. expected: the revision that was read; 0: there must be none. CONFLICT; INVALID: larger than
 * DOCUMENT_MAX_BYTES; MUST_BLOCK, SEALED, STORE*, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err document_put(const struct documents *documents, struct bulla_call *call,
					   const struct document_name *name, uint64_t expected, struct bulla_bytes value);

/* expected: as read, or STORE_ANY_REVISION: whatever is there, and nothing is fine. CONFLICT; as above. */
BULLA_MUST_USE enum bulla_err document_remove(const struct documents *documents, struct bulla_call *call,
					      const struct document_name *name, uint64_t expected);

/* The same two as writes of a larger commit (store_commit): what they borrow lies in the arena. */
BULLA_MUST_USE enum bulla_err document_write(const struct documents *documents, struct bulla_call *call,
					     const struct document_name *name, uint64_t expected, struct bulla_bytes value,
					     struct store_write *out);
BULLA_MUST_USE enum bulla_err document_removal(const struct documents *documents, const struct document_name *name,
					       uint64_t expected, struct store_write *out);

/* All of a kind and scope (name->item is ignored), in no order; stops with visit's error. visit must not use the store.
 * A damaged one: STORE_DAMAGED, unless damaged is given: then it is left out, and counted in *damaged. */
typedef enum bulla_err document_visit(const struct document *document, void *context);
BULLA_MUST_USE enum bulla_err document_each(const struct documents *documents, struct bulla_call *call,
					    const struct document_name *name, size_t *damaged, document_visit *visit,
					    void *context);

/* The names of a kind and scope, sorted by bytes, in the arena. */
BULLA_MUST_USE enum bulla_err document_names(const struct documents *documents, struct bulla_call *call,
					     const struct document_name *name, struct bulla_bytes **names, size_t *count);

/* The same for a list that people see: damaged ones are left out, with a warning. STORE_DAMAGED: nothing else is there. */
BULLA_MUST_USE enum bulla_err document_list(const struct documents *documents, struct bulla_call *call,
					    const struct document_name *name, struct bulla_bytes **names, size_t *count);
/* That warning, where count is not 0; listed: so many are there beside them. STORE_DAMAGED: none. */
BULLA_MUST_USE enum bulla_err document_warn_damaged(struct bulla_call *call, size_t count, size_t listed);

/* A list of names in the making: starts with its call. Add copies; NO_MEMORY. */
struct document_names {
	struct bulla_call *call;
	struct bulla_bytes *items; /* in the arena */
	size_t count, room;
};
BULLA_MUST_USE enum bulla_err document_names_add(struct document_names *names, struct bulla_bytes name);
void document_names_sort(struct document_names *names); /* by bytes */

/* Deletes all of a kind and scope, in commits of bounded size: may be repeated after a crash. */
BULLA_MUST_USE enum bulla_err document_remove_all(const struct documents *documents, struct bulla_call *call,
						  const struct document_name *name);

#endif
