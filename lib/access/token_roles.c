/* token_roles.c: owns the roles of auth/token, sealed documents of the kind "token-role" (docs/FORMATS.md). Workers only. */
#include "access/access_private.h"

#define FORMAT 1

enum { FLAG_ORPHAN = 1 << 0, FLAG_RENEWABLE = 1 << 1, FLAG_NO_DEFAULT = 1 << 2, FLAG_ALIASES_NULL = 1 << 3, FLAGS_KNOWN = (1 << 4) - 1 };

static const char *const types[] = { "default-service", "default-batch", "service", "batch" };
#define TYPES (sizeof types / sizeof types[0])

struct stored_role {
	struct record record;
	struct bulla_token_role public;
};

/* ---- storing ----------------------------------------------------------- */

static uint8_t type_number(struct bulla_bytes type)
{
	uint8_t i = 0;

	while (i < TYPES && !bulla_is(type, types[i]))
		i++;
	return i;
}

bool token_role_has_type(struct bulla_bytes type)
{
	return type_number(type) < TYPES;
}

static void encode(struct pack *pack, const void *record)
{
	const struct bulla_token_role *role = &((const struct stored_role *)record)->public;
	const struct bulla_names *lists[] = { &role->allowed_policies, &role->allowed_globs, &role->disallowed_policies,
					      &role->disallowed_globs, &role->entity_aliases, &role->bound_cidrs,
					      &role->old_bound_cidrs };

	pack_u8(pack, FORMAT);
	pack_u8(pack, (uint8_t)((role->orphan ? FLAG_ORPHAN : 0) | (role->renewable ? FLAG_RENEWABLE : 0) |
				(role->no_default_policy ? FLAG_NO_DEFAULT : 0) | (role->entity_aliases_null ? FLAG_ALIASES_NULL : 0)));
	pack_u8(pack, type_number(role->type));
	pack_i64(pack, role->period_s);
	pack_i64(pack, role->explicit_max_ttl_s);
	pack_i64(pack, role->num_uses);
	pack_i64(pack, role->old_period_s);
	pack_i64(pack, role->old_explicit_max_ttl_s);
	pack_bytes(pack, role->path_suffix);
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		pack_list(pack, lists[i]->items, lists[i]->count);
}

static enum bulla_err decode(struct bulla_call *call, struct unpack *in, void *record)
{
	struct bulla_token_role *role = &((struct stored_role *)record)->public;
	struct bulla_names *lists[] = { &role->allowed_policies, &role->allowed_globs, &role->disallowed_policies,
					&role->disallowed_globs, &role->entity_aliases, &role->bound_cidrs, &role->old_bound_cidrs };
	uint8_t format = unpack_u8(in), flags = unpack_u8(in), type = unpack_u8(in);

	if (format != FORMAT || (flags & ~FLAGS_KNOWN) != 0 || type >= TYPES)
		return BULLA_E_STORE_DAMAGED;
	role->orphan = flags & FLAG_ORPHAN;
	role->renewable = flags & FLAG_RENEWABLE;
	role->no_default_policy = flags & FLAG_NO_DEFAULT;
	role->entity_aliases_null = flags & FLAG_ALIASES_NULL;
	role->type = bulla_str(types[type]);
	role->period_s = unpack_i64(in);
	role->explicit_max_ttl_s = unpack_i64(in);
	role->num_uses = unpack_i64(in);
	role->old_period_s = unpack_i64(in);
	role->old_explicit_max_ttl_s = unpack_i64(in);
	role->path_suffix = unpack_bytes(in);
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		TRY(unpack_list(in, call->arena, &lists[i]->items, &lists[i]->count));
	return BULLA_OK;
}

static const struct record_kind roles = { .name = "token-role", .size = sizeof(struct stored_role), .cached = true, .encode = encode,
					  .decode = decode };

static struct record_name place(struct bulla_bytes name)
{
	return (struct record_name){ .kind = &roles, .item = name };
}

/* ---- reading and changing ------------------------------------------------------- */

enum bulla_err token_role_get(struct access *access, struct bulla_call *call, struct bulla_bytes name, struct bulla_token_role *out)
{
	const struct record_name at = place(name);
	struct stored_role role;

	TRY(record_get(&access->records, call, &at, &role));
	*out = role.public;
	return BULLA_OK;
}

enum bulla_err bulla_token_role_get(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
				    struct bulla_token_role *out)
{
	const struct record_name at = place(name);
	struct stored_role role;

	TRY(record_read(&engine->access->records, call, &at, &role));
	*out = role.public;
	return BULLA_OK;
}

struct role_wish {
	const struct access *access;
	const struct bulla_token_role_change *change;
};

static enum bulla_err change_role(struct bulla_call *call, void *record, void *context)
{
	const struct role_wish *wish = context;
	struct stored_role *role = record;

	if (role->record.revision == 0)
		role->public = (struct bulla_token_role){ .renewable = true, .entity_aliases_null = true, .type = bulla_str("default-service") };
	return token_role_apply(wish->access, call, wish->change, &role->public);
}

enum bulla_err bulla_token_role_put(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
				    const struct bulla_token_role_change *change)
{
	struct role_wish wish = { engine->access, change };
	const struct record_name at = place(name);

	return record_change(&engine->access->records, call, &at, change_role, &wish);
}

enum bulla_err bulla_token_role_delete(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name)
{
	const struct record_name at = place(name);

	return record_remove(&engine->access->records, call, &at);
}

enum bulla_err bulla_token_role_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes **names, size_t *count)
{
	const struct record_name any = place((struct bulla_bytes){ 0 });

	return record_list(&engine->access->records, call, &any, names, count);
}
