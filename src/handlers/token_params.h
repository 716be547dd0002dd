/* token_params.h: the token_* parameters as members of a document, for the handlers of every auth method. */
#ifndef BULLA_HANDLERS_TOKEN_PARAMS_H
#define BULLA_HANDLERS_TOKEN_PARAMS_H

#include <bulla/token_params.h>

#include "request/fields.h"

/* What a document gave. Bind it with rows of TOKEN_PARAM_FIELDS and TOKEN_PARAM_OLD. */
struct token_params_form {
	unsigned set, set_old; /* of enum bulla_token_param */
	struct {
		struct field_strings policies, bound_cidrs;
		int64_t ttl_s, max_ttl_s, period_s, explicit_max_ttl_s, num_uses;
		bool no_default_policy, strictly_bind_ip;
		struct bulla_bytes type;
	} values, old;
};

#define TOKEN_PARAM(structure, form, text, member, field_type, bit) \
	FIELD_SET(structure, text, form.values.member, field_type, form.set, bit)

/* Rows of a field table: the peer's ten. form is the member of structure that is a struct token_params_form. */
#define TOKEN_PARAM_FIELDS(structure, form)                                                                                    \
	TOKEN_PARAM(structure, form, "token_bound_cidrs", bound_cidrs, FIELD_STRINGS, BULLA_PARAM_BOUND_CIDRS),                \
	TOKEN_PARAM(structure, form, "token_explicit_max_ttl", explicit_max_ttl_s, FIELD_SECONDS, BULLA_PARAM_EXPLICIT_MAX_TTL), \
	TOKEN_PARAM(structure, form, "token_max_ttl", max_ttl_s, FIELD_SECONDS, BULLA_PARAM_MAX_TTL),                          \
	TOKEN_PARAM(structure, form, "token_no_default_policy", no_default_policy, FIELD_BOOL, BULLA_PARAM_NO_DEFAULT_POLICY), \
	TOKEN_PARAM(structure, form, "token_num_uses", num_uses, FIELD_INT, BULLA_PARAM_NUM_USES),                             \
	TOKEN_PARAM(structure, form, "token_period", period_s, FIELD_SECONDS, BULLA_PARAM_PERIOD),                             \
	TOKEN_PARAM(structure, form, "token_policies", policies, FIELD_STRINGS, BULLA_PARAM_POLICIES),                         \
	TOKEN_PARAM(structure, form, "token_strictly_bind_ip", strictly_bind_ip, FIELD_BOOL, BULLA_PARAM_STRICTLY_BIND_IP),    \
	TOKEN_PARAM(structure, form, "token_ttl", ttl_s, FIELD_SECONDS, BULLA_PARAM_TTL),                                      \
	TOKEN_PARAM(structure, form, "token_type", type, FIELD_STRING, BULLA_PARAM_TYPE)

/* A row for one of them by its old name: TOKEN_PARAM_OLD(struct user_fields, token, "ttl", ttl_s, FIELD_SECONDS, BULLA_PARAM_TTL). */
#define TOKEN_PARAM_OLD(structure, form, text, member, field_type, bit) \
	FIELD_SET(structure, text, form.old.member, field_type, form.set_old, bit)

/* As the library takes it; borrows from form. */
struct bulla_role_params_change token_params_change(const struct token_params_form *form);

/* Prints the ten members into the object that out has open. */
void token_params_print(struct out *out, const struct bulla_role_params *params);

/* Prints one of them by its old name, if that is how it was set and it is not empty or 0. param is a single bit. */
void token_params_print_old(struct out *out, const char *name, const struct bulla_role_params *params,
			    enum bulla_token_param param);

#endif
