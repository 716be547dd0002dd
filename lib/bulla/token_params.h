/* token_params.h: what roles and users of every auth method have in common: the peer's token_* parameters, how they are changed,
 * and the older names that some methods know them by. */
#ifndef BULLA_TOKEN_PARAMS_H
#define BULLA_TOKEN_PARAMS_H

#include "access.h"

BULLA_DECLS_BEGIN

/* A parameter each. The numbers are stored. */
enum bulla_token_param {
	BULLA_PARAM_POLICIES = 1 << 0, BULLA_PARAM_BOUND_CIDRS = 1 << 1, BULLA_PARAM_TTL = 1 << 2, BULLA_PARAM_MAX_TTL = 1 << 3,
	BULLA_PARAM_PERIOD = 1 << 4, BULLA_PARAM_EXPLICIT_MAX_TTL = 1 << 5, BULLA_PARAM_NUM_USES = 1 << 6,
	BULLA_PARAM_NO_DEFAULT_POLICY = 1 << 7, BULLA_PARAM_STRICTLY_BIND_IP = 1 << 8, BULLA_PARAM_TYPE = 1 << 9,
};

/* As a role or user has them. */
struct bulla_role_params {
	struct bulla_token_params values;
	unsigned old_names; /* parameters that were last set by their old name ("policies" for "token_policies"), and are shown by both */
};

/* What a request asks to change: set names the members of values that were given, set_old those of old, given by old names. A new
 * name wins over an old one. */
struct bulla_role_params_change {
	unsigned set, set_old;
	struct bulla_token_params values, old;
};

BULLA_DECLS_END

#endif
