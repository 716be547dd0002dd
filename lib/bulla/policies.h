/* policies.h: policies by name, and what all policies of a caller together allow. docs/POLICIES.md. */
#ifndef BULLA_POLICIES_H
#define BULLA_POLICIES_H

#include "call.h"
#include "clock.h"

BULLA_DECLS_BEGIN

struct bulla;
struct bulla_token;

/* ---- named policies: workers only ---------------------------------------------------------------------------------------- */

#define BULLA_POLICY_MAX_BYTES (256u << 10)
#define BULLA_POLICY_NAME_MAX_BYTES 512

struct bulla_policy_info {
	struct bulla_bytes name, text; /* in the arena */
	int64_t version;               /* counts changes; 0: root, which is not stored */
	int64_t modified_date_ns;      /* 0: not known */
	struct bulla_end end;
	bool cas_required;
	bool template_wildcards, template_slashes; /* kept for whoever reads them back: there are no identities here */
};

struct bulla_policy_put_args {
	struct bulla_bytes name;       /* in any case: stored in lower case */
	struct bulla_bytes text;       /* HCL or JSON */
	struct bulla_end end;          /* a ttl is by the clock */
	bool cas_set;
	int64_t cas;                   /* the version it replaces; -1: there must be none */
	bool cas_required, template_wildcards, template_slashes;
};

/* Creates or replaces; every later request sees it. INVALID: "failed to parse policy: At 1:9: ...", the peer's texts for reserved
 * names, for cas and for what has expired already; too large. CONFLICT. MUST_BLOCK, SEALED, STORE*. */
BULLA_MUST_USE enum bulla_err bulla_policy_put(struct bulla *engine, struct bulla_call *call, const struct bulla_policy_put_args *args);

/* NOT_FOUND: there is none, or it has expired. */
BULLA_MUST_USE enum bulla_err bulla_policy_get(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
					       struct bulla_policy_info *out);

/* None is fine. INVALID: root, default and response-wrapping stay. */
BULLA_MUST_USE enum bulla_err bulla_policy_delete(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name);

/* The names that begin with prefix, sorted, in the arena; root among them if prefix is empty. Never blocks. */
BULLA_MUST_USE enum bulla_err bulla_policy_names(struct bulla *engine, struct bulla_call *call, struct bulla_bytes prefix,
						 struct bulla_bytes **names, size_t *count);

/* ---- what they allow together ------------------------------------------------------------------------------------------- */

enum bulla_pattern { BULLA_PATTERN_EXACT, BULLA_PATTERN_PREFIX, BULLA_PATTERN_SEGMENTS };

struct bulla_policy_value {
	enum { BULLA_VALUE_STRING, BULLA_VALUE_NUMBER, BULLA_VALUE_BOOL } kind;
	struct bulla_bytes text; /* of BOOL "true" or "false" */
};

/* A parameter and the values that are meant; count 0: any. */
struct bulla_policy_parameter {
	struct bulla_bytes name; /* in lower case; "*": all others */
	const struct bulla_policy_value *values;
	size_t count;
};

/* A pattern, and what the caller's policies say about it. */
struct bulla_acl_rule {
	enum bulla_pattern kind;
	struct bulla_bytes pattern; /* of PREFIX without the star at its end */
	unsigned can;               /* enum bulla_capability: DENY alone, or others; 0: nothing */
	int64_t min_wrap_ttl_s, max_wrap_ttl_s; /* 0: no bound */
	int64_t page_limit;         /* of lists; 0: none */
	const struct bulla_policy_parameter *allowed, *denied; /* allowed_count 0: any */
	size_t allowed_count, denied_count;
	const struct bulla_bytes *required;
	size_t required_count;
};

struct bulla_acl;

/* What token's policies allow, as of now; to be put back. NULL: of a root token, which needs no rules, and of one whose policies
 * cannot be read, which may do nothing. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_acl_get(struct bulla *engine, const struct bulla_token *token, const struct bulla_acl **out);
void bulla_acl_put(const struct bulla_acl *acl); /* NULL is fine */
/* The i-th rule, in the order of kinds; NULL: there are no more. */
const struct bulla_acl_rule *bulla_acl_rule_at(const struct bulla_acl *acl, size_t i);

BULLA_DECLS_END

#endif
