/* params.c: the token_* parameters of roles and users: changed, checked, packed. */
#include "auth/params.h"

#include <stdlib.h>

#include "access/login.h"

enum { FLAG_NO_DEFAULT = 1 << 0, FLAG_STRICT_IP = 1 << 1, FLAGS_KNOWN = (1 << 2) - 1 };

/* ---- changing -------------------------------------------------------------------------------------------------------------- */

/* Addresses and blocks in the form in which they are kept, which is the peer's. */
static enum bulla_err clean_cidrs(struct bulla_call *call, const struct bulla_bytes *texts, size_t count,
				  struct bulla_token_params *params)
{
	struct bulla_bytes *clean = bulla_arena_alloc(call->arena, count * sizeof *clean);

	if (clean == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		TRY(access_cidr_print(call, texts[i], &clean[i]));
	params->bound_cidrs = clean;
	params->bound_cidr_count = count;
	return BULLA_OK;
}

/* The members that set names, as they are. */
static enum bulla_err take(struct bulla_call *call, unsigned set, const struct bulla_token_params *from,
			   struct bulla_token_params *to)
{
	if ((set & BULLA_PARAM_POLICIES) != 0) {
		to->policies = from->policies;
		to->policy_count = from->policy_count;
	}
	if ((set & BULLA_PARAM_BOUND_CIDRS) != 0)
		TRY(clean_cidrs(call, from->bound_cidrs, from->bound_cidr_count, to));
	if ((set & BULLA_PARAM_TTL) != 0)
		to->ttl_s = from->ttl_s;
	if ((set & BULLA_PARAM_MAX_TTL) != 0)
		to->max_ttl_s = from->max_ttl_s;
	if ((set & BULLA_PARAM_PERIOD) != 0)
		to->period_s = from->period_s;
	if ((set & BULLA_PARAM_EXPLICIT_MAX_TTL) != 0)
		to->explicit_max_ttl_s = from->explicit_max_ttl_s;
	if ((set & BULLA_PARAM_NUM_USES) != 0)
		to->num_uses = from->num_uses;
	if ((set & BULLA_PARAM_NO_DEFAULT_POLICY) != 0)
		to->no_default_policy = from->no_default_policy;
	if ((set & BULLA_PARAM_STRICTLY_BIND_IP) != 0)
		to->strictly_bind_ip = from->strictly_bind_ip;
	if ((set & BULLA_PARAM_TYPE) != 0)
		to->type = from->type;
	return BULLA_OK;
}

static enum bulla_err check_type(struct bulla_call *call, const struct bulla_token_params *p)
{
	struct bulla_bytes quoted;

	if (p->type.len == 0 || bulla_is(p->type, "default") || bulla_is(p->type, "service"))
		return BULLA_OK;
	if (!bulla_is(p->type, "batch")) {
		quoted = bulla_arena_quote(call->arena, p->type);
		return bulla_fail(call, BULLA_E_INVALID, "invalid 'token_type' value %.*s", (int)quoted.len, (const char *)quoted.ptr);
	}
	if (p->period_s != 0)
		return bulla_fail(call, BULLA_E_INVALID,
				  "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens");
	if (p->num_uses != 0)
		return bulla_fail(call, BULLA_E_INVALID, "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens "
							 "with limited use count");
	return BULLA_OK;
}

static enum bulla_err negative(struct bulla_call *call, int64_t value, const char *name)
{
	return value < 0 ? bulla_fail(call, BULLA_E_INVALID, "'%s' cannot be negative", name) : BULLA_OK;
}

static enum bulla_err check(struct bulla_call *call, const struct bulla_token_params *p)
{
	TRY(negative(call, p->max_ttl_s, "token_max_ttl"));
	TRY(negative(call, p->period_s, "token_period"));
	TRY(negative(call, p->explicit_max_ttl_s, "token_explicit_max_ttl"));
	TRY(negative(call, p->num_uses, "token_num_uses"));
	if (p->num_uses > INT32_MAX)
		return bulla_fail(call, BULLA_E_INVALID, "'token_num_uses' cannot be more than %d", INT32_MAX);
	TRY(check_type(call, p));
	TRY(negative(call, p->ttl_s, "token_ttl"));
	if (p->ttl_s > 0 && p->max_ttl_s > 0 && p->ttl_s > p->max_ttl_s)
		return bulla_fail(call, BULLA_E_INVALID, "'token_ttl' cannot be greater than 'token_max_ttl'");
	if (p->strictly_bind_ip && p->bound_cidr_count > 0)
		return bulla_fail(call, BULLA_E_INVALID,
				  "'token_strictly_bind_ip' conflicts with 'token_bound_cidrs'; set only one");
	return BULLA_OK;
}

enum bulla_err params_change(struct bulla_call *call, const struct bulla_role_params_change *change,
			     struct bulla_role_params *params)
{
	struct bulla_role_params next = *params;
	struct bulla_token_params old = change->old;

	TRY(take(call, change->set, &change->values, &next.values));
	TRY(check(call, &next.values));
	if ((change->set_old & BULLA_PARAM_POLICIES) != 0)
		TRY(params_clean_policies(call, old.policies, old.policy_count, &old.policies, &old.policy_count));
	TRY(take(call, change->set_old & ~change->set, &old, &next.values));
	next.old_names = (next.old_names & ~change->set) | change->set_old;
	*params = next;
	return BULLA_OK;
}

/* ---- policies -------------------------------------------------------------------------------------------------------------- */

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum bulla_err clean_policy(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	while (text.len > 0 && is_space(text.ptr[0]))
		text = bulla_mem(text.ptr + 1, text.len - 1);
	while (text.len > 0 && is_space(text.ptr[text.len - 1]))
		text.len--;
	uint8_t *p = bulla_arena_alloc(call->arena, text.len);

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < text.len; i++)
		p[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (uint8_t)(text.ptr[i] | 0x20) : text.ptr[i];
	*out = bulla_mem(p, text.len);
	return BULLA_OK;
}

static int by_bytes(const void *a, const void *b)
{
	return bulla_compare(*(const struct bulla_bytes *)a, *(const struct bulla_bytes *)b);
}

enum bulla_err params_clean_policies(struct bulla_call *call, const struct bulla_bytes *policies, size_t count,
				     const struct bulla_bytes **out, size_t *out_count)
{
	struct bulla_bytes *clean = bulla_arena_alloc(call->arena, count * sizeof *clean);
	size_t n = 0, kept = 0;

	if (clean == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		TRY(clean_policy(call, policies[i], &clean[n]));
		if (bulla_is(clean[n], "root")) {
			clean[0] = clean[n];
			n = 1;
			break;
		}
		n += clean[n].len > 0;
	}
	if (n > 1)
		qsort(clean, n, sizeof *clean, by_bytes);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !bulla_equal(clean[kept - 1], clean[i]))
			clean[kept++] = clean[i];
	*out = clean;
	*out_count = kept;
	return BULLA_OK;
}

/* ---- storing --------------------------------------------------------------------------------------------------------------- */

void params_pack(struct pack *pack, const struct bulla_role_params *params)
{
	const struct bulla_token_params *p = &params->values;

	pack_u8(pack, (uint8_t)((p->no_default_policy ? FLAG_NO_DEFAULT : 0) | (p->strictly_bind_ip ? FLAG_STRICT_IP : 0)));
	pack_u32(pack, params->old_names);
	pack_i64(pack, p->ttl_s);
	pack_i64(pack, p->max_ttl_s);
	pack_i64(pack, p->period_s);
	pack_i64(pack, p->explicit_max_ttl_s);
	pack_i64(pack, p->num_uses);
	pack_bytes(pack, p->type);
	pack_list(pack, p->policies, p->policy_count);
	pack_list(pack, p->bound_cidrs, p->bound_cidr_count);
}

enum bulla_err params_unpack(struct bulla_call *call, struct unpack *in, struct bulla_role_params *out)
{
	struct bulla_role_params params = { 0 };
	struct bulla_token_params *p = &params.values;
	uint8_t flags = unpack_u8(in);

	if ((flags & ~FLAGS_KNOWN) != 0)
		in->failed = true;
	p->no_default_policy = (flags & FLAG_NO_DEFAULT) != 0;
	p->strictly_bind_ip = (flags & FLAG_STRICT_IP) != 0;
	params.old_names = unpack_u32(in);
	p->ttl_s = unpack_i64(in);
	p->max_ttl_s = unpack_i64(in);
	p->period_s = unpack_i64(in);
	p->explicit_max_ttl_s = unpack_i64(in);
	p->num_uses = unpack_i64(in);
	p->type = unpack_bytes(in);
	TRY(unpack_list(in, call->arena, &p->policies, &p->policy_count));
	TRY(unpack_list(in, call->arena, &p->bound_cidrs, &p->bound_cidr_count));
	*out = params;
	return BULLA_OK;
}
