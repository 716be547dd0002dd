/* hcl.h: a strict reader of the part of HCL that Vault's configuration files use: blocks with labels, attributes with strings,
 * numbers, booleans and lists. No library in Debian 12 reads HCL (docs/DECISIONS.md). */
#ifndef BULLA_COMMANDS_HCL_H
#define BULLA_COMMANDS_HCL_H

#include <bulla.h>

enum hcl_kind { HCL_BLOCK, HCL_STRING, HCL_NUMBER, HCL_BOOL, HCL_LIST };

struct hcl {
	enum hcl_kind kind;
	const char *name;       /* of a block or attribute; "" for an element of a list */
	const char *label;      /* of a block: "tcp" in listener "tcp" { }; NULL: none */
	const char *text;       /* STRING: its value, without NUL; NUMBER: as written */
	bool boolean;
	unsigned line;
	struct hcl *first;      /* BLOCK, LIST: children in order */
	struct hcl *next;
};

#define HCL_MAX_BYTES (1 << 20)
#define HCL_MAX_DEPTH 8

/* Parses text (borrowed; results are copies in the call's arena). file is for messages only. *out is a BLOCK without a name.
 * CONFIG: "FILE:LINE: what is wrong". NO_MEMORY. */
BULLA_MUST_USE enum bulla_err hcl_parse(struct bulla_call *call, const char *file, struct bulla_bytes text, struct hcl **out);

#endif
