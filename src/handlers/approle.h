/* approle.h: what the handlers of approle mounts share: the members of a role, in a document and in a change. */
#ifndef BULLA_HANDLERS_APPROLE_H
#define BULLA_HANDLERS_APPROLE_H

#include <bulla/approle.h>

#include "handlers/token_params.h"
#include "request/exchange.h"

struct role_fields {
	unsigned set;                 /* of enum bulla_approle_set */
	struct bulla_bytes role_id;
	bool bind_secret_id, local_secret_ids;
	struct field_strings bound_cidrs, old_bound_cidrs;
	int64_t num_uses, ttl_s;
	unsigned old_cidrs_set;       /* 1: bound_cidr_list, which is an older name of secret_id_bound_cidrs, was given */
	struct token_params_form token;
};

#define ROLE_ID_FIELD FIELD_SET(struct role_fields, "role_id", role_id, FIELD_STRING, set, BULLA_APPROLE_ROLE_ID)
#define BIND_FIELD FIELD_SET(struct role_fields, "bind_secret_id", bind_secret_id, FIELD_BOOL, set, BULLA_APPROLE_BIND_SECRET_ID)
#define CIDRS_FIELD FIELD_SET(struct role_fields, "secret_id_bound_cidrs", bound_cidrs, FIELD_STRINGS, set, BULLA_APPROLE_BOUND_CIDRS)
#define OLD_CIDRS_FIELD FIELD_SET(struct role_fields, "bound_cidr_list", old_bound_cidrs, FIELD_STRINGS, old_cidrs_set, 1)
#define USES_FIELD FIELD_SET(struct role_fields, "secret_id_num_uses", num_uses, FIELD_INT, set, BULLA_APPROLE_NUM_USES)
#define TTL_FIELD FIELD_SET(struct role_fields, "secret_id_ttl", ttl_s, FIELD_SECONDS, set, BULLA_APPROLE_TTL)
#define TOKEN_FIELD(text, member, type, bit) TOKEN_PARAM(struct role_fields, token, text, member, type, bit)
#define OLD_POLICIES TOKEN_PARAM_OLD(struct role_fields, token, "policies", policies, FIELD_STRINGS, BULLA_PARAM_POLICIES)
#define OLD_PERIOD TOKEN_PARAM_OLD(struct role_fields, token, "period", period_s, FIELD_SECONDS, BULLA_PARAM_PERIOD)

/* As the library takes it; borrows from f. */
struct bulla_approle_change approle_change(const struct role_fields *f);

/* A list that was never set (items NULL) is null, as at the peer. */
void approle_print_cidrs(struct out *out, const char *name, const struct bulla_bytes *items, size_t count);

#endif
