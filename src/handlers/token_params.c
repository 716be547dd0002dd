/* token_params.c: token_* parameters from and to documents. Stateless: any thread. */
#include "handlers/token_params.h"

#define CHANGE_OF(side)                                                                                                      \
	{ .policies = (side).policies.items, .policy_count = (side).policies.count, .bound_cidrs = (side).bound_cidrs.items,  \
	  .bound_cidr_count = (side).bound_cidrs.count, .ttl_s = (side).ttl_s, .max_ttl_s = (side).max_ttl_s,                 \
	  .period_s = (side).period_s, .explicit_max_ttl_s = (side).explicit_max_ttl_s, .num_uses = (side).num_uses,          \
	  .no_default_policy = (side).no_default_policy, .strictly_bind_ip = (side).strictly_bind_ip, .type = (side).type }

struct bulla_role_params_change token_params_change(const struct token_params_form *form)
{
	return (struct bulla_role_params_change){ .set = form->set, .set_old = form->set_old, .values = CHANGE_OF(form->values),
						  .old = CHANGE_OF(form->old) };
}

void token_params_print(struct out *out, const struct bulla_role_params *params)
{
	const struct bulla_token_params *p = &params->values;

	json_put_strings(out, "token_bound_cidrs", p->bound_cidrs, p->bound_cidr_count);
	json_put_int(out, "token_explicit_max_ttl", p->explicit_max_ttl_s);
	json_put_int(out, "token_max_ttl", p->max_ttl_s);
	json_put_bool(out, "token_no_default_policy", p->no_default_policy);
	json_put_int(out, "token_num_uses", p->num_uses);
	json_put_int(out, "token_period", p->period_s);
	json_put_strings(out, "token_policies", p->policies, p->policy_count);
	json_put_bool(out, "token_strictly_bind_ip", p->strictly_bind_ip);
	json_put_int(out, "token_ttl", p->ttl_s);
	json_put_string(out, "token_type", p->type.len > 0 ? p->type : bulla_str("default"));
}

void token_params_print_old(struct out *out, const char *name, const struct bulla_role_params *params,
			    enum bulla_token_param param)
{
	const struct bulla_token_params *p = &params->values;

	if ((params->old_names & param) == 0)
		return;
	if (param == BULLA_PARAM_POLICIES && p->policy_count > 0)
		json_put_strings(out, name, p->policies, p->policy_count);
	if (param == BULLA_PARAM_BOUND_CIDRS && p->bound_cidr_count > 0)
		json_put_strings(out, name, p->bound_cidrs, p->bound_cidr_count);
	int64_t number = param == BULLA_PARAM_TTL ? p->ttl_s : param == BULLA_PARAM_MAX_TTL ? p->max_ttl_s :
			 param == BULLA_PARAM_PERIOD ? p->period_s : param == BULLA_PARAM_NUM_USES ? p->num_uses : 0;

	if (number != 0)
		json_put_int(out, name, number);
}
