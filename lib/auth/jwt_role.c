/* jwt_role.c: the roles of auth/jwt: checked, stored, read. Workers only. */
#include "auth/auth.h"
#include "auth/jwt_method.h"
#include "auth/names.h"
#include "auth/params.h"

#define ROLE_FORMAT 1
#define ROLE_FORMAT_BROWSER 2 /* with what only logins by browser use: where some of it was set */
#define NAME_MAX 512

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

struct role {
	struct record record;
	struct bulla_jwt_role public;
};

static bool is_reserved(struct bulla_bytes key)
{
	return bulla_is(key, "role");
}

static enum bulla_err check_mappings(struct bulla_call *call, const struct bulla_jwt_role *role)
{
	for (size_t i = 0; i < role->mapping_count; i++) {
		struct bulla_bytes target = role->mappings[i].value, quoted = bulla_arena_quote(call->arena, target);

		if (is_reserved(target))
			return bulla_fail(call, BULLA_E_INVALID, "metadata key %.*s is reserved and may not be a mapping destination",
					  PRINT(quoted));
		for (size_t j = 0; j < i; j++)
			if (bulla_equal(role->mappings[j].value, target))
				return bulla_fail(call, BULLA_E_INVALID, "multiple keys are mapped to metadata key %.*s", PRINT(quoted));
	}
	return BULLA_OK;
}

/* With globs a bound value is a text, or a list of texts. */
static enum bulla_err check_globs(struct bulla_call *call, const struct json *claims)
{
	for (const struct json *claim = claims->first; claim != NULL; claim = claim->next) {
		if (claim->type != JSON_STRING && claim->type != JSON_ARRAY)
			return bulla_fail(call, BULLA_E_INVALID, "claim is not a string or list: %.*s", PRINT(claim->name));
		for (const struct json *v = claim->type == JSON_ARRAY ? claim->first : NULL; v != NULL; v = v->next)
			if (v->type != JSON_STRING)
				return bulla_fail(call, BULLA_E_INVALID, "claim is not a string: %.*s", PRINT(claim->name));
	}
	return BULLA_OK;
}

static enum bulla_err check_bound(struct bulla_call *call, const struct bulla_jwt_role *role, bool *any)
{
	struct json *claims;

	*any = false;
	if (role->bound_claims.len == 0)
		return BULLA_OK;
	TRY(json_parse(call, role->bound_claims.ptr, role->bound_claims.len, &claims));
	if (claims->type != JSON_OBJECT)
		return bulla_fail(call, BULLA_E_INVALID, "bound_claims is no object");
	*any = claims->first != NULL;
	return role->globs ? check_globs(call, claims) : BULLA_OK;
}

static enum bulla_err check_metadata(struct bulla_call *call, const struct bulla_jwt_list *names)
{
	for (size_t i = 0; i < names->count; i++)
		if (!bulla_is(names->items[i], "access_token") && !bulla_is(names->items[i], "id_token") &&
		    !bulla_is(names->items[i], "refresh_token"))
			return bulla_fail(call, BULLA_E_INVALID, "Unrecognized oauth2 metadata name %.*s", PRINT(names->items[i]));
	return BULLA_OK;
}

static enum bulla_err check_callback(struct bulla_call *call, struct bulla_bytes mode)
{
	if (bulla_is(mode, "client") || bulla_is(mode, "direct") || bulla_is(mode, "device"))
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "invalid 'callback_mode': %.*s", PRINT(mode));
}

/* Who logs in with the role, and how it is bound. */
static enum bulla_err check_claims(struct bulla_call *call, const struct bulla_jwt_role *role)
{
	bool bound;

	TRY(check_bound(call, role, &bound));
	TRY(check_mappings(call, role));
	TRY(check_metadata(call, &role->browser.metadata));
	if (role->user_claim.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "a user claim must be defined on the role");
	TRY(check_callback(call, role->browser.callback_mode));
	if (role->audience_count == 0 && role->params.values.bound_cidr_count == 0 && role->subject.len == 0 && !bound)
		return bulla_fail(call, BULLA_E_INVALID, "must have at least one bound constraint when creating/updating a role");
	return BULLA_OK;
}

static enum bulla_err warn(struct bulla_call *call, const struct bulla_jwt_role *role, int64_t max_s)
{
	if (role->params.values.max_ttl_s > max_s)
		TRY(bulla_warn(call, "token max ttl is greater than the system or backend mount's maximum TTL value; issued "
				     "tokens' max TTL value will be truncated"));
	if (role->browser.verbose)
		return bulla_warn(call, "verbose_oidc_logging has been enabled for this role. This is not recommended in production "
					"since sensitive information may be present in OIDC responses.");
	return BULLA_OK;
}

static enum bulla_err check_role(const struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				 const struct bulla_jwt_role *role)
{
	const struct bulla_token_params *p = &role->params.values;
	int64_t default_s, max_s;

	bulla_lease_defaults(engine, &default_s, &max_s);
	if (mount->max_lease_ttl_s > 0)
		max_s = mount->max_lease_ttl_s;
	if (p->period_s > max_s)
		return bulla_fail(call, BULLA_E_INVALID, "'period' is greater than the backend's maximum lease TTL");
	TRY(check_claims(call, role));
	if (p->max_ttl_s > 0 && p->ttl_s > p->max_ttl_s)
		return bulla_fail(call, BULLA_E_INVALID, "ttl should not be greater than max ttl");
	return warn(call, role, max_s);
}

enum { ROLE_GLOBS = 1 << 0, ROLE_POINTER = 1 << 1 };

enum { BROWSER_VERBOSE = 1 << 0, BROWSER_UNCONFIRMED = 1 << 1, BROWSER_REDIRECTS = 1 << 2, BROWSER_SCOPES = 1 << 3, BROWSER_METADATA = 1 << 4 };

static uint8_t browser_flags(const struct bulla_jwt_browser *b)
{
	return (uint8_t)((b->verbose ? BROWSER_VERBOSE : 0) | (b->disable_confirmation ? BROWSER_UNCONFIRMED : 0) |
			 (b->redirect_uris.given ? BROWSER_REDIRECTS : 0) | (b->scopes.given ? BROWSER_SCOPES : 0) |
			 (b->metadata.given ? BROWSER_METADATA : 0));
}

static bool browser_is_set(const struct bulla_jwt_browser *b)
{
	return browser_flags(b) != 0 || b->max_age_s != 0 || b->poll_interval_s != 0 || !bulla_is(b->callback_mode, "client");
}

static void pack_browser(struct pack *pack, const struct bulla_jwt_browser *b)
{
	pack_u8(pack, browser_flags(b));
	pack_list(pack, b->redirect_uris.items, b->redirect_uris.count);
	pack_list(pack, b->scopes.items, b->scopes.count);
	pack_list(pack, b->metadata.items, b->metadata.count);
	pack_bytes(pack, b->callback_mode);
	pack_i64(pack, b->max_age_s);
	pack_i64(pack, b->poll_interval_s);
}

static enum bulla_err unpack_browser(struct bulla_call *call, struct unpack *in, struct bulla_jwt_browser *b)
{
	uint8_t flags = unpack_u8(in);

	b->verbose = flags & BROWSER_VERBOSE;
	b->disable_confirmation = flags & BROWSER_UNCONFIRMED;
	b->redirect_uris.given = flags & BROWSER_REDIRECTS;
	b->scopes.given = flags & BROWSER_SCOPES;
	b->metadata.given = flags & BROWSER_METADATA;
	TRY(unpack_list(in, call->arena, &b->redirect_uris.items, &b->redirect_uris.count));
	TRY(unpack_list(in, call->arena, &b->scopes.items, &b->scopes.count));
	TRY(unpack_list(in, call->arena, &b->metadata.items, &b->metadata.count));
	b->callback_mode = unpack_bytes(in);
	b->max_age_s = unpack_i64(in);
	b->poll_interval_s = unpack_i64(in);
	return BULLA_OK;
}

static void encode(struct pack *pack, const void *record)
{
	const struct bulla_jwt_role *role = &((const struct role *)record)->public;

	pack_u8(pack, browser_is_set(&role->browser) ? ROLE_FORMAT_BROWSER : ROLE_FORMAT);
	pack_u8(pack, (uint8_t)((role->globs ? ROLE_GLOBS : 0) | (role->user_claim_is_pointer ? ROLE_POINTER : 0)));
	params_pack(pack, &role->params);
	pack_list(pack, role->audiences, role->audience_count);
	pack_bytes(pack, role->subject);
	pack_bytes(pack, role->user_claim);
	pack_bytes(pack, role->groups_claim);
	pack_bytes(pack, role->bound_claims);
	pack_pairs(pack, role->mappings, role->mapping_count);
	pack_i64(pack, role->expiration_leeway_s);
	pack_i64(pack, role->not_before_leeway_s);
	pack_i64(pack, role->clock_skew_leeway_s);
	if (browser_is_set(&role->browser))
		pack_browser(pack, &role->browser);
}

static enum bulla_err decode(struct bulla_call *call, struct unpack *in, void *record)
{
	struct bulla_jwt_role *role = &((struct role *)record)->public;
	uint8_t format = unpack_u8(in), flags = unpack_u8(in);

	if (format != ROLE_FORMAT && format != ROLE_FORMAT_BROWSER)
		return BULLA_E_STORE_DAMAGED;
	role->browser.callback_mode = bulla_str("client");
	role->globs = flags & ROLE_GLOBS;
	role->user_claim_is_pointer = flags & ROLE_POINTER;
	TRY(params_unpack(call, in, &role->params));
	TRY(unpack_list(in, call->arena, &role->audiences, &role->audience_count));
	role->subject = unpack_bytes(in);
	role->user_claim = unpack_bytes(in);
	role->groups_claim = unpack_bytes(in);
	role->bound_claims = unpack_bytes(in);
	TRY(unpack_pairs(in, call->arena, &role->mappings, &role->mapping_count));
	role->expiration_leeway_s = unpack_i64(in);
	role->not_before_leeway_s = unpack_i64(in);
	role->clock_skew_leeway_s = unpack_i64(in);
	return format == ROLE_FORMAT_BROWSER ? unpack_browser(call, in, &role->browser) : BULLA_OK;
}

static const struct record_kind kind = { .name = JWT_ROLE, .size = sizeof(struct role), .cached = true, .encode = encode, .decode = decode };

static enum bulla_err place(struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name, struct record_name *out)
{
	if (name.len > NAME_MAX)
		return bulla_fail(call, BULLA_E_INVALID, "a role's name is at most %d bytes long", NAME_MAX);
	*out = (struct record_name){ .kind = &kind, .scope = mount_scope(mount) };
	return lower_case(call, name, &out->item);
}

/* ---- changing and reading --------------------------------------------------------------------------------------------------------- */

struct role_wish {
	const struct bulla *engine;
	const struct bulla_mount *mount;
	const struct bulla_role_params_change *change;
	bulla_jwt_role_merge *merge;
	const void *given;
};

static enum bulla_err change_role(struct bulla_call *call, void *record, void *context)
{
	struct bulla_jwt_role *role = &((struct role *)record)->public;
	const struct role_wish *wish = context;

	TRY(wish->merge(call, role, wish->given));
	TRY(params_change(call, wish->change, &role->params));
	return check_role(wish->engine, call, wish->mount, role);
}

enum bulla_err bulla_jwt_role_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
				    const struct bulla_role_params_change *change, bulla_jwt_role_merge *merge, const void *given)
{
	struct role_wish wish = { engine, mount, change, merge, given };
	struct record_name at;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(place(call, mount, name, &at));
	return record_change(&engine->auth->records, call, &at, change_role, &wish);
}

enum bulla_err bulla_jwt_role_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				   struct bulla_bytes name, struct bulla_jwt_role *out)
{
	struct record_name at;
	struct role role;

	TRY(place(call, mount, name, &at));
	TRY(record_read(&engine->auth->records, call, &at, &role));
	*out = role.public;
	return BULLA_OK;
}

enum bulla_err jwt_role_get(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			    struct bulla_jwt_role *out)
{
	struct record_name at;
	struct role role;

	TRY(place(call, mount, name, &at));
	TRY(record_get(&auth->records, call, &at, &role));
	*out = role.public;
	return BULLA_OK;
}

enum bulla_err bulla_jwt_role_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				     struct bulla_bytes name)
{
	struct record_name at;

	TRY(place(call, mount, name, &at));
	return record_remove(&engine->auth->records, call, &at);
}

enum bulla_err bulla_jwt_role_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				   struct bulla_bytes **names, size_t *count)
{
	const struct record_name any = { .kind = &kind, .scope = mount_scope(mount) };

	return record_list(&engine->auth->records, call, &any, names, count);
}
