/* approle_tidy.c: deletes secret ids with their accessors: those of a role that goes, and those that have ended. Workers only. */
#include "auth/approle_private.h"

#include "bulla/clock.h"

#define REMOVED_AT_ONCE 128 /* secret ids in one commit */
#define TIDY_EVERY_NS (INT64_C(60) * 1000000000)

struct sweep {
	struct bulla_call scratch; /* its arena is emptied after each commit */
	int64_t now_ns;
	bool all;
	size_t count, removed; /* of the latest commit's */
	struct {
		uint64_t revision;
		uint8_t hash[SHA256_BYTES];
		char accessor[UUID_TEXT];
	} found[REMOVED_AT_ONCE];
};

static enum bulla_err find_one(const struct document *document, void *context)
{
	struct sweep *sweep = context;
	struct secret secret;

	if (sweep->count == REMOVED_AT_ONCE)
		return BULLA_OK;
	bulla_arena_reset(sweep->scratch.arena);
	TRY(secret_unpack(&sweep->scratch, document, &secret));
	if (!sweep->all && !secret_has_ended(&secret, sweep->now_ns))
		return BULLA_OK;
	if (secret.public.accessor.len != UUID_TEXT)
		return BULLA_E_STORE_DAMAGED;
	sweep->found[sweep->count].revision = secret.revision;
	memcpy(sweep->found[sweep->count].hash, secret.hash, sizeof secret.hash);
	memcpy(sweep->found[sweep->count].accessor, secret.public.accessor.ptr, UUID_TEXT);
	sweep->count++;
	return BULLA_OK;
}

/* The writes that remove one. Of all whatever is there goes, for the role goes as well; else only what was seen: a custom secret
 * id may have been registered anew meanwhile, under the same hash. */
static enum bulla_err add_removal(struct auth *auth, struct sweep *sweep, const uint8_t uuid[16], struct bulla_bytes role, size_t i,
				  struct store_write writes[2])
{
	const struct document_name accessor = { KIND_ACCESSOR, bulla_mem(uuid, 16), bulla_mem(sweep->found[i].accessor, UUID_TEXT) };
	struct document_name secret;

	TRY(secret_name(&sweep->scratch, uuid, role, bulla_mem(sweep->found[i].hash, SHA256_BYTES), &secret));
	TRY(document_removal(&auth->documents, &secret, sweep->all ? STORE_ANY_REVISION : sweep->found[i].revision, &writes[0]));
	return document_removal(&auth->documents, &accessor, STORE_ANY_REVISION, &writes[1]);
}

/* One of them has changed: the others. */
static enum bulla_err remove_each(struct auth *auth, struct sweep *sweep, const struct store_write *writes)
{
	for (size_t i = 0; i < sweep->count; i++) {
		enum bulla_err err = auth_commit(auth, &sweep->scratch, &writes[2 * i], 2);

		if (err == BULLA_OK)
			sweep->removed++;
		if (err != BULLA_E_CONFLICT)
			TRY(err);
	}
	return BULLA_OK;
}

static enum bulla_err remove_found(struct auth *auth, struct sweep *sweep, const uint8_t uuid[16], struct bulla_bytes role)
{
	struct store_write writes[2 * REMOVED_AT_ONCE];

	for (size_t i = 0; i < sweep->count; i++)
		TRY(add_removal(auth, sweep, uuid, role, i, &writes[2 * i]));
	enum bulla_err err = auth_commit(auth, &sweep->scratch, writes, 2 * sweep->count);

	if (err == BULLA_E_CONFLICT)
		return remove_each(auth, sweep, writes);
	if (err == BULLA_OK)
		sweep->removed = sweep->count;
	return err;
}

static enum bulla_err sweep_role(struct auth *auth, struct sweep *sweep, const uint8_t uuid[16], struct bulla_bytes role)
{
	do {
		struct document_name at;
		size_t damaged = 0; /* they go with the role */

		sweep->count = sweep->removed = 0;
		TRY(secret_name(&sweep->scratch, uuid, role, (struct bulla_bytes){ 0 }, &at));
		TRY(document_each(&auth->documents, &sweep->scratch, &at, &damaged, find_one, sweep));
		if (sweep->count > 0)
			TRY(remove_found(auth, sweep, uuid, role));
	} while (sweep->count == REMOVED_AT_ONCE && sweep->removed > 0);
	return BULLA_OK;
}

/* What could not be read: its accessor stays behind, and leads nowhere. */
static enum bulla_err remove_damaged(struct auth *auth, struct bulla_call *call, const uint8_t uuid[16], struct bulla_bytes role)
{
	struct document_name at;

	TRY(secret_name(call, uuid, role, (struct bulla_bytes){ 0 }, &at));
	TRY(seal_hold(auth->documents.seal));
	enum bulla_err err = document_remove_all(&auth->documents, call, &at);

	seal_release(auth->documents.seal);
	return err;
}

enum bulla_err secrets_remove(struct auth *auth, struct bulla_call *call, const uint8_t uuid[16], struct bulla_bytes role, bool all)
{
	struct sweep *sweep = bulla_arena_alloc(call->arena, sizeof *sweep);

	if (sweep == NULL)
		return BULLA_E_NO_MEMORY;
	*sweep = (struct sweep){ .scratch = { .arena = bulla_arena_new(65536), .may_block = true }, .now_ns = bulla_clock_ns(), .all = all };
	if (sweep->scratch.arena == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = sweep_role(auth, sweep, uuid, role);

	bulla_arena_free(sweep->scratch.arena);
	return err == BULLA_OK && all ? remove_damaged(auth, call, uuid, role) : err;
}

enum bulla_err bulla_secret_id_tidy(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(bulla_approle_list(engine, call, mount, &names, &count));
	for (size_t i = 0; i < count; i++)
		TRY(secrets_remove(engine->auth, call, mount->uuid, names[i], false));
	return BULLA_OK;
}

/* ---- in the background --------------------------------------------------------------------------------------------------- */

enum bulla_err approle_tick(struct bulla *engine, struct bulla_call *call)
{
	struct auth *auth = engine->auth;
	int64_t now_ns = bulla_clock_ns();
	const struct bulla_mount **mounts;
	enum bulla_err err = BULLA_OK;
	size_t count;

	if (now_ns < auth->next_tidy_ns)
		return BULLA_OK;
	TRY(bulla_mount_list(engine, call, &mounts, &count));
	for (size_t i = 0; i < count; i++) {
		if (err == BULLA_OK && mounts[i]->kind == BULLA_MOUNT_APPROLE)
			err = bulla_secret_id_tidy(engine, call, mounts[i]);
		bulla_mount_put(mounts[i]);
	}
	if (err == BULLA_OK)
		auth->next_tidy_ns = now_ns + TIDY_EVERY_NS;
	return err;
}
