/* auth_print.c: how replies show tokens, for every handler that answers with one. Any thread. */
#include "handlers/auth_print.h"

const char *auth_type_name(enum bulla_token_type type)
{
	return type == BULLA_TOKEN_BATCH ? "batch" : "service";
}

void auth_print_meta(struct out *out, const char *name, const struct bulla_token *t)
{
	json_key(out, name);
	if (t->meta_null) {
		json_nil(out);
		return;
	}
	json_pairs(out, t->meta, t->meta_count);
}

void auth_print(struct out *out, const struct bulla_auth *auth)
{
	const struct bulla_token *t = auth->token;

	json_open(out, '{');
	json_put_string(out, "client_token", auth->client_token);
	json_put_string(out, "accessor", t->accessor);
	json_put_strings(out, "policies", t->policies, t->policy_count);
	if (t->policy_count > 0)
		json_put_strings(out, "token_policies", t->policies, t->policy_count);
	auth_print_meta(out, "metadata", t);
	json_put_int(out, "lease_duration", auth->lease_s);
	json_put_bool(out, "renewable", t->renewable);
	json_put_text(out, "entity_id", "");
	json_put_text(out, "token_type", auth_type_name(t->type));
	json_put_bool(out, "orphan", t->orphan);
	json_put_null(out, "mfa_requirement");
	json_put_int(out, "num_uses", t->num_uses);
	json_close(out, '}');
}
