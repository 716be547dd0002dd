/* hcl.h: a strict reader of the part of HCL that Vault's configuration files and policies use: blocks with labels, attributes
 * with strings (heredocs among them), numbers, booleans, lists and objects; and of the same in JSON. No library in Debian 12 reads HCL
 * (docs/DECISIONS.md). Not in the umbrella bulla.h. Stateless: any thread. */
#ifndef BULLA_HCL_H
#define BULLA_HCL_H

#include "call.h"

enum hcl_kind { HCL_BLOCK, HCL_STRING, HCL_NUMBER, HCL_BOOL, HCL_LIST };

struct hcl {
	enum hcl_kind kind;
	const char *name;       /* of a block or attribute; "" for an element of a list */
	const char *label;      /* of a block: "tcp" in listener "tcp" { }; NULL: none */
	const char *label2;     /* "main" in audit "file" "main" { }; NULL: none */
	const char *text;       /* STRING: its value, without NUL; NUMBER: an optional minus and digits, where it is whole; else as written */
	bool boolean;
	unsigned line, column;  /* where its name (an element: its value) begins; columns count bytes */
	struct hcl *first;      /* BLOCK (and objects, which are blocks without a label), LIST: children in order */
	struct hcl *next;
};

#define HCL_MAX_BYTES (1 << 20)
#define HCL_MAX_DEPTH 8
#define HCL_MAX_NODES 100000

/* Parses text (borrowed; results are copies in the call's arena). What begins with { is read as JSON: names in quotes, a colon,
 * commas, no comments; comma before } or ] is let through, as at the peer. Names may repeat: what that means is the caller's.
 * file is for messages only; NULL: there is none. *out is a BLOCK without a name.
 * CONFIG: "FILE:LINE:COLUMN: what is wrong", without a file "At LINE:COLUMN: what is wrong". NO_MEMORY. */
BULLA_MUST_USE enum bulla_err hcl_parse(struct bulla_call *call, const char *file, struct bulla_bytes text, struct hcl **out);
/* The same for configurations: numbers may have fractions and exponents, and a name that is null in JSON is not there. */
BULLA_MUST_USE enum bulla_err hcl_parse_config(struct bulla_call *call, const char *file, struct bulla_bytes text, struct hcl **out);

/* How many bytes of the text are a heredoc that it begins with, from << to the end of its last line; 0: it begins with none. */
size_t hcl_heredoc_length(struct bulla_bytes text);

#endif
