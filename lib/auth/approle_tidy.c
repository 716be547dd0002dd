/* approle_tidy.c: secret ids that have ended. A tick deletes those that are filed by their end (state/records.h). Versions before filed none:
 * what they have left in a store is filed once, a part at a tick. And whoever asks has all of a mount looked through. Workers only. */
#include "auth/approle_private.h"

#include <stdlib.h>

#define FORMAT 1
#define PARTS_A_TICK 32

enum bulla_err bulla_secret_id_tidy(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(bulla_approle_list(engine, call, mount, &names, &count));
	for (size_t i = 0; i < count; i++) {
		struct record_name all;

		TRY(secret_name(call, mount->uuid, names[i], (struct bulla_bytes){ 0 }, &all));
		TRY(record_remove_ended(&engine->auth->records, call, &all));
	}
	return BULLA_OK;
}

/* ---- filing what versions before have left -------------------------------------------------------------------------------- */

struct approle_filing {
	pthread_mutex_t lock;
	bool done;                   /* the store says so */
	struct bulla_call scratch;   /* its arena holds the scopes; NULL: it has not begun */
	struct document_names roles; /* scopes of secret ids, of all roles that there were when it began */
	size_t at;
	struct store_id next;        /* of that role */
};

enum bulla_err approle_filing_new(struct approle_filing **out)
{
	struct approle_filing *filing = calloc(1, sizeof *filing);

	if (filing == NULL)
		return BULLA_E_NO_MEMORY;
	(void)pthread_mutex_init(&filing->lock, NULL);
	*out = filing;
	return BULLA_OK;
}

static void let_go(struct approle_filing *filing)
{
	bulla_arena_free(filing->scratch.arena);
	filing->scratch = (struct bulla_call){ 0 };
	filing->roles = (struct document_names){ 0 };
	filing->at = 0;
	memset(&filing->next, 0, sizeof filing->next);
}

void approle_filing_forget(struct approle_filing *filing)
{
	pthread_mutex_lock(&filing->lock);
	let_go(filing);
	filing->done = false;
	pthread_mutex_unlock(&filing->lock);
}

void approle_filing_free(struct approle_filing *filing)
{
	if (filing == NULL)
		return;
	let_go(filing);
	pthread_mutex_destroy(&filing->lock);
	free(filing);
}

/* ---- the mark that it is done --------------------------------------------------------------------------------------------- */

static void encode_mark(struct pack *pack, const void *record)
{
	(void)record;
	pack_u8(pack, FORMAT);
}

static enum bulla_err decode_mark(struct bulla_call *call, struct unpack *in, void *record)
{
	(void)call, (void)record;
	return unpack_u8(in) == FORMAT ? BULLA_OK : BULLA_E_STORE_DAMAGED;
}

static const struct record_kind marks = { .name = "approle-secrets-filed", .size = sizeof(struct record), .replaced = true,
					  .encode = encode_mark, .decode = decode_mark };
static const struct record_name mark = { .kind = &marks };

static enum bulla_err set_mark(struct bulla_call *call, void *record, void *context)
{
	(void)call, (void)record, (void)context;
	return BULLA_OK;
}

/* ---- a tick ------------------------------------------------------------------------------------------------------------------ */

struct listing {
	struct document_names *scopes;
	const struct bulla_mount *mount;
};

static enum bulla_err add_role(const void *record, void *context)
{
	const struct listing *listing = context;
	struct record_name secrets;

	TRY(secret_name(listing->scopes->call, listing->mount->uuid, ((const struct record *)record)->item, (struct bulla_bytes){ 0 },
			&secrets));
	return document_names_add(listing->scopes, secrets.scope);
}

static enum bulla_err add_roles(struct auth *auth, struct bulla_call *call, struct approle_filing *filing, const struct bulla_mount *mount)
{
	const struct record_name roles = role_name(mount, (struct bulla_bytes){ 0 });
	struct listing listing = { &filing->roles, mount };
	size_t damaged = 0; /* the secret ids of such have to wait for the role's deletion */

	return mount->kind == BULLA_MOUNT_APPROLE ? record_each(&auth->records, call, &roles, &damaged, add_role, &listing) : BULLA_OK;
}

static enum bulla_err begin(struct bulla *engine, struct bulla_call *call, struct approle_filing *filing)
{
	const struct bulla_mount **mounts;
	size_t count;

	filing->scratch = (struct bulla_call){ .arena = bulla_arena_new(4096), .may_block = true };
	filing->roles.call = &filing->scratch;
	enum bulla_err err = filing->scratch.arena != NULL ? bulla_mount_list(engine, call, &mounts, &count) : BULLA_E_NO_MEMORY;

	TRY(err);
	for (size_t i = 0; i < count; i++) {
		if (err == BULLA_OK)
			err = add_roles(engine->auth, call, filing, mounts[i]);
		bulla_mount_put(mounts[i]);
	}
	return err;
}

static enum bulla_err file_part(struct auth *auth, struct bulla_call *call, struct approle_filing *filing)
{
	const struct record_name all = { .kind = &approle_secrets, .scope = filing->roles.items[filing->at] };
	bool more;

	TRY(record_file(&auth->records, call, &all, &filing->next, &more));
	if (more)
		return BULLA_OK;
	filing->at++;
	memset(&filing->next, 0, sizeof filing->next);
	return BULLA_OK;
}

static enum bulla_err go_on(struct bulla *engine, struct bulla_call *call, struct approle_filing *filing)
{
	struct auth *auth = engine->auth;
	struct record there;

	if (filing->scratch.arena == NULL) {
		enum bulla_err err = record_read(&auth->records, call, &mark, &there);

		filing->done = err == BULLA_OK;
		if (err != BULLA_E_NOT_FOUND)
			return err;
		err = begin(engine, call, filing);
		if (err != BULLA_OK)
			let_go(filing);
		TRY(err);
	}
	for (int parts = 0; parts < PARTS_A_TICK && filing->at < filing->roles.count; parts++)
		TRY(file_part(auth, call, filing));
	if (filing->at < filing->roles.count)
		return BULLA_OK;
	TRY(record_change(&auth->records, call, &mark, set_mark, NULL));
	let_go(filing);
	filing->done = true;
	return BULLA_OK;
}

enum bulla_err approle_tick(struct bulla *engine, struct bulla_call *call)
{
	struct approle_filing *filing = engine->auth->filing;

	pthread_mutex_lock(&filing->lock);
	enum bulla_err err = filing->done ? BULLA_OK : go_on(engine, call, filing);

	pthread_mutex_unlock(&filing->lock);
	return err;
}
