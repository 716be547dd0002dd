/* token_roles.c: owns the roles of auth/token, sealed documents of the kind "token-role" (docs/FORMATS.md). Workers only. */
#include "access/access_private.h"
#include "base/pack.h"
#include "seal/documents.h"

#define FORMAT 1

enum { FLAG_ORPHAN = 1 << 0, FLAG_RENEWABLE = 1 << 1, FLAG_NO_DEFAULT = 1 << 2, FLAG_ALIASES_NULL = 1 << 3, FLAGS_KNOWN = (1 << 4) - 1 };

static const char *const types[] = { "default-service", "default-batch", "service", "batch" };
#define TYPES (sizeof types / sizeof types[0])

static struct documents documents_of(const struct access *access)
{
	return (struct documents){ access->store, access->seal };
}

static struct document_name name_of(struct bulla_bytes name)
{
	return (struct document_name){ .kind = "token-role", .item = name };
}

/* ---- the document ----------------------------------------------------------- */

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

static enum bulla_err pack_role(struct bulla_call *call, const struct bulla_token_role *role, struct bulla_bytes *out)
{
	const struct bulla_names *lists[] = { &role->allowed_policies, &role->allowed_globs, &role->disallowed_policies,
					      &role->disallowed_globs, &role->entity_aliases, &role->bound_cidrs,
					      &role->old_bound_cidrs };
	struct pack pack = { .arena = call->arena };

	pack_u8(&pack, FORMAT);
	pack_u8(&pack, (uint8_t)((role->orphan ? FLAG_ORPHAN : 0) | (role->renewable ? FLAG_RENEWABLE : 0) |
				 (role->no_default_policy ? FLAG_NO_DEFAULT : 0) | (role->entity_aliases_null ? FLAG_ALIASES_NULL : 0)));
	pack_u8(&pack, type_number(role->type));
	pack_i64(&pack, role->period_s);
	pack_i64(&pack, role->explicit_max_ttl_s);
	pack_i64(&pack, role->num_uses);
	pack_i64(&pack, role->old_period_s);
	pack_i64(&pack, role->old_explicit_max_ttl_s);
	pack_bytes(&pack, role->path_suffix);
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		pack_list(&pack, lists[i]->items, lists[i]->count);
	return pack_finish(&pack, out);
}

static enum bulla_err unpack_role(struct bulla_call *call, struct bulla_bytes value, struct bulla_token_role *role)
{
	struct bulla_names *lists[] = { &role->allowed_policies, &role->allowed_globs, &role->disallowed_policies,
					&role->disallowed_globs, &role->entity_aliases, &role->bound_cidrs, &role->old_bound_cidrs };
	struct unpack in = { .ptr = value.ptr, .left = value.len };
	uint8_t format = unpack_u8(&in), flags = unpack_u8(&in), type = unpack_u8(&in);

	if (format != FORMAT || (flags & ~FLAGS_KNOWN) != 0 || type >= TYPES)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the record of a token role is damaged");
	role->orphan = flags & FLAG_ORPHAN;
	role->renewable = flags & FLAG_RENEWABLE;
	role->no_default_policy = flags & FLAG_NO_DEFAULT;
	role->entity_aliases_null = flags & FLAG_ALIASES_NULL;
	role->type = bulla_str(types[type]);
	role->period_s = unpack_i64(&in);
	role->explicit_max_ttl_s = unpack_i64(&in);
	role->num_uses = unpack_i64(&in);
	role->old_period_s = unpack_i64(&in);
	role->old_explicit_max_ttl_s = unpack_i64(&in);
	role->path_suffix = unpack_bytes(&in);
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		TRY(unpack_list(&in, call->arena, &lists[i]->items, &lists[i]->count));
	return unpack_finish(&in);
}

enum bulla_err token_role_read(struct access *access, struct bulla_call *call, struct bulla_bytes name,
			       struct bulla_token_role *out, uint64_t *revision)
{
	const struct documents documents = documents_of(access);
	const struct document_name document_name = name_of(name);
	struct bulla_token_role role = { 0 };
	struct document document;

	TRY(document_get(&documents, call, &document_name, &document));
	TRY(unpack_role(call, document.value, &role));
	*out = role;
	*revision = document.revision;
	return BULLA_OK;
}

enum bulla_err token_role_write(struct access *access, struct bulla_call *call, struct bulla_bytes name,
				const struct bulla_token_role *role, uint64_t expected)
{
	const struct documents documents = documents_of(access);
	const struct document_name document_name = name_of(name);
	struct bulla_bytes packed;

	TRY(pack_role(call, role, &packed));
	return document_put(&documents, call, &document_name, expected, packed);
}

/* ---- the rest ----------------------------------------------------------------- */

enum bulla_err bulla_token_role_get(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
				    struct bulla_token_role *out)
{
	uint64_t revision;

	return token_role_read(engine->access, call, name, out, &revision);
}

enum bulla_err bulla_token_role_delete(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name)
{
	const struct documents documents = documents_of(engine->access);
	const struct document_name document_name = name_of(name);

	return document_remove(&documents, call, &document_name, STORE_ANY_REVISION);
}

enum bulla_err bulla_token_role_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes **names, size_t *count)
{
	const struct documents documents = documents_of(engine->access);
	const struct document_name document_name = name_of((struct bulla_bytes){ 0 });

	return document_list(&documents, call, &document_name, names, count);
}
