/* policy_private.h: what the files of lib/policy share. Nobody else includes it. */
#ifndef BULLA_POLICY_PRIVATE_H
#define BULLA_POLICY_PRIVATE_H

#include "bulla/hcl.h"
#include "policy/policy.h"

/* One stanza being read. call: whose arena is scratch, and where errors go; arena: of the policy. */
struct stanza {
	struct bulla_call *call;
	struct bulla_arena *arena;
	const char *path;                /* as written */
	struct policy_rule *rule;
};

/* INVALID: "At LINE:COLUMN: path \"x\": ...". */
enum bulla_err stanza_fail(const struct stanza *s, const struct hcl *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A copy in the policy's arena. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err stanza_text(const struct stanza *s, const char *text, struct bulla_bytes *out);
/* What must be a list of strings: its length. */
BULLA_MUST_USE enum bulla_err stanza_strings(const struct stanza *s, const struct hcl *h, struct bulla_bytes **out, size_t *count);
BULLA_MUST_USE enum bulla_err stanza_number(const struct stanza *s, const struct hcl *h, int64_t least, int64_t *out);
size_t hcl_count(const struct hcl *parent);

/* parse.c: fills in the rules. INVALID, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err policy_parse(struct bulla_call *call, struct policy *policy, struct bulla_bytes text);

/* parameters.c: allowed_parameters and denied_parameters */
BULLA_MUST_USE enum bulla_err stanza_parameters(const struct stanza *s, const struct hcl *h, const struct bulla_policy_parameter **out,
						size_t *count);
bool parameters_allow(const struct bulla_acl_rule *rule, const struct json *doc);
void text_lower(uint8_t *text, size_t n);

/* conditions.c: what the peers do not have */
BULLA_MUST_USE enum bulla_err stanza_context(const struct stanza *s, const struct hcl *h);
BULLA_MUST_USE enum bulla_err stanza_budget(const struct stanza *s, const struct hcl *h);
BULLA_MUST_USE enum bulla_err stanza_budget_per(const struct stanza *s, const struct hcl *h);

/* acl_merge.c: adds a stanza to what others say about the same pattern. */
BULLA_MUST_USE enum bulla_err acl_merge(struct bulla_arena *arena, struct acl_rule *rule, const struct policy_rule *with);

#endif
