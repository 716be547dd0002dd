/* gates_caller.c: who calls, and whether he may: wrapping tokens, tokens, capabilities, budgets. Stateless: any thread. */
#include "http/gates_internal.h"

/* ---- wrapping ------------------------------------------------------------------------------------------------------------ */

enum bulla_err gate_wrap_ttl(struct passage *p)
{
	struct exchange *x = &p->x;

	if (x->request->wrap_ttl.len == 0 || p->path != NULL)
		return BULLA_OK;
	if (duration_parse(x->call, x->request->wrap_ttl, &x->wrap_ttl_s) != BULLA_OK)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "error parsing X-Vault-Wrap-TTL header: %.*s",
				  (int)x->call->detail.len, (const char *)x->call->detail.ptr);
	if (x->wrap_ttl_s < 0)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST,
				  "error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative");
	if (x->wrap_ttl_s > BULLA_WRAPPING_MAX_TTL_S)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST,
				  "error parsing X-Vault-Wrap-TTL header: requested wrap ttl is too long");
	/* less than a second was cut to nothing, but who asked for a wrapping must not get the secret without one */
	for (size_t i = 0; x->wrap_ttl_s == 0 && i < x->request->wrap_ttl.len; i++)
		if (x->request->wrap_ttl.ptr[i] >= '1' && x->request->wrap_ttl.ptr[i] <= '9')
			x->wrap_ttl_s = 1;
	return BULLA_OK;
}

enum bulla_err gate_wrapping(struct passage *p)
{
	struct exchange *x = &p->x;
	const struct json *given = json_get(x->doc, "token");
	struct bulla_wrapping wrapping;

	if (p->path == NULL || (p->path->flags & ROUTE_WRAPPING) == 0)
		return BULLA_OK;
	if (given != NULL && given->type != JSON_STRING && given->type != JSON_NULL)
		return bulla_fail(x->call, BULLA_E_FORBIDDEN,
				  "error validating wrapping token: could not decode token in request body");
	x->wrapping_token = given != NULL && given->text.len > 0 ? given->text : x->request->token;
	if (x->wrapping_token.len == 0)
		return bulla_fail(x->call, BULLA_E_FORBIDDEN, "error validating wrapping token: token is empty");
	return bulla_wrapping_lookup(x->engine, x->call, x->wrapping_token, &wrapping);
}

/* ---- the token ----------------------------------------------------------------------------------------------------------- */

/* A wrapped reply is written to the store and may lie there for years: not for just anybody, nor for who shows no more than the
 * wrapping token that he asks about. */
static bool may_not_wrap(const struct exchange *x, unsigned flags)
{
	struct bulla_bytes token = x->request->token;

	return x->wrap_ttl_s > 0 && (flags & (ROUTE_NO_TOKEN | ROUTE_LOGIN)) == ROUTE_NO_TOKEN && (token.len == 0 || bulla_equal(token, x->wrapping_token));
}

/* Whether there is no need to ask for the caller's token: because nobody has to show one, or his is the wrapping token. */
static bool needs_no_caller(const struct exchange *x, unsigned flags)
{
	if ((flags & ROUTE_WRAPPING) == 0)
		return false;
	return ((flags & ROUTE_NO_TOKEN) != 0 && x->wrap_ttl_s == 0) ||
	       (x->route != NULL && (flags & ROUTE_OWN_WRAPPING) != 0 && bulla_equal(x->wrapping_token, x->request->token));
}

/* A list gets the limit that the caller's policies have; "max" stands for it, or for all. */
static enum bulla_err bound_list(struct exchange *x, enum bulla_capability need)
{
	const struct json *given = json_get(x->doc, "limit");
	int64_t limit = bulla_grant_page_limit(x->call->grant);
	struct json *doc = bulla_arena_alloc(x->call->arena, sizeof *doc), *member, **end;

	if (need != BULLA_CAN_LIST && need != BULLA_CAN_SCAN)
		return BULLA_OK;
	if (limit == 0 && (given == NULL || !bulla_is(given->text, "max")))
		return BULLA_OK;
	if (doc == NULL)
		return BULLA_E_NO_MEMORY;
	*doc = (struct json){ .type = JSON_OBJECT };
	end = &doc->first;
	for (const struct json *m = x->doc != NULL ? x->doc->first : NULL; m != NULL; m = m->next) {
		if (m == given)
			continue;
		*end = member = bulla_arena_alloc(x->call->arena, sizeof *member);
		if (member == NULL)
			return BULLA_E_NO_MEMORY;
		*member = *m;
		member->next = NULL;
		end = &member->next;
		doc->count++;
	}
	*end = member = bulla_arena_alloc(x->call->arena, sizeof *member);
	if (member == NULL)
		return BULLA_E_NO_MEMORY;
	*member = (struct json){ .type = JSON_STRING, .name = bulla_str("limit"),
				 .text = bulla_arena_printf(x->call->arena, "%lld", (long long)limit) };
	if (member->text.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	doc->count++;
	x->doc = doc;
	return BULLA_OK;
}

enum bulla_err gate_token(struct passage *p)
{
	struct exchange *x = &p->x;
	unsigned flags = x->route != NULL ? x->route->flags : p->path != NULL ? p->path->flags : 0;

	if (may_not_wrap(x, flags))
		return BULLA_E_NO_TOKEN;
	if ((flags & ROUTE_LOGIN) != 0)
		return BULLA_OK;
	/* off the edge, who shows a token without need shows a good one: he may see more */
	if ((flags & ROUTE_NO_TOKEN) != 0 && ((flags & (ROUTE_EDGE | ROUTE_TOKEN_UNSEEN)) != 0 || x->request->token.len == 0))
		return BULLA_OK;
	if (p->open || (x->route == NULL && (flags & (ROUTE_NO_TOKEN | ROUTE_WRAPPING)) == ROUTE_NO_TOKEN))
		return BULLA_OK;
	if (needs_no_caller(x, flags))
		return BULLA_OK;
	if (x->call->token == NULL) /* else gate_large has done it, perhaps with one of its uses */
		TRY(bulla_authenticate(x->engine, x->call, x->request->token));
	if ((flags & (ROUTE_TOKEN_ONLY | ROUTE_NO_TOKEN)) != 0)
		return BULLA_OK;
	enum bulla_capability need = routes_capability(x->method);

	if (x->route != NULL && x->route->exists != NULL && !x->call->token->root) {
		bool exists = false;

		TRY(x->route->exists(x, &exists));
		if (!exists && x->route->need == BULLA_CAN_CREATE)
			need = BULLA_CAN_CREATE;
		p->creates = need == BULLA_CAN_CREATE;
	}
	struct bulla_ask ask = { .need = need, .need_sudo = (flags & ROUTE_SUDO) != 0, .path = x->path, .doc = json_document(x->doc),
				 .takes_context = (flags & ROUTE_CONTEXT) != 0, .wrap_ttl_s = x->wrap_ttl_s };

	p->need = need;
	TRY(bulla_authorise(x->engine, x->call, &ask));
	return x->call->token->root ? BULLA_OK : bound_list(x, need);
}

enum bulla_err gate_budget(struct exchange *x)
{
	const struct json *batch = json_get(x->doc, "batch_input");
	size_t items = batch != NULL && batch->type == JSON_ARRAY && batch->count > 0 ? batch->count : 1;

	return x->call->grant != NULL ? bulla_take_items(x->engine, x->call, items) : BULLA_OK;
}
