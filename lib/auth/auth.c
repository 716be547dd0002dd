/* auth.c: the table of auth methods, and what is done to all of them: opening, sealing, disabling, renewing. Any thread, but for
 * new, load, empty and free. */
#include "auth/auth.h"

#include <stdlib.h>

#include "auth/cert_method.h"
#include "auth/jwt_sets.h"

#define MAX_CACHED_BYTES (16u << 20)

/* A method is a file with its row, and a line here before the end. */
static const struct auth_method *const methods[] = {
	&approle_method,
	&auth_cert,
	&auth_jwt,
	&userpass_method,
	NULL,
};

/* Kinds of records that end: what they are is in their own files. */
static const struct record_kind *const ending[] = {
	&approle_secrets,
	&locked_users,
	NULL,
};

enum bulla_err auth_renew(void *context, struct bulla_call *call, const struct bulla_mount *mount,
			  const struct bulla_token *token, struct bulla_token_params *params)
{
	for (const struct auth_method *const *m = methods; *m != NULL; m++)
		if ((*m)->kind == mount->kind && (*m)->renew != NULL)
			return (*m)->renew(context, call, mount, token, params);
	return BULLA_E_NOT_FOUND;
}

enum bulla_err auth_new(struct store *store, struct seal *seal, struct access *access, struct auth **out)
{
	struct auth *auth = calloc(1, sizeof *auth);

	if (auth == NULL)
		return BULLA_E_NO_MEMORY;
	auth->access = access;
	locked_users_forget(auth);
	auth->userpass_rule = auth->approle_rule = (struct bulla_lockout_rule)BULLA_LOCKOUT_DEFAULT;
	stripes_init(&auth->names);
	enum bulla_err err = records_init(&auth->records, store, seal, ending, MAX_CACHED_BYTES);

	if (err == BULLA_OK)
		err = lockout_new(&auth->lockout);
	if (err == BULLA_OK)
		err = jwt_sets_new(&auth->jwt_sets);
	if (err == BULLA_OK)
		err = approle_filing_new(&auth->filing);
	if (err != BULLA_OK) {
		auth_free(auth);
		return err;
	}
	*out = auth;
	return BULLA_OK;
}

void auth_free(struct auth *auth)
{
	if (auth == NULL)
		return;
	approle_filing_free(auth->filing);
	jwt_sets_free(auth->jwt_sets);
	lockout_free(auth->lockout);
	records_end(&auth->records);
	stripes_clear(&auth->names);
	free(auth);
}

enum bulla_err auth_load(struct auth *auth, struct bulla_call *call)
{
	for (const struct auth_method *const *m = methods; *m != NULL; m++)
		if ((*m)->load != NULL)
			TRY((*m)->load(auth, call));
	return BULLA_OK;
}

void auth_empty(struct auth *auth)
{
	lockout_empty(auth->lockout);
	locked_users_forget(auth);
	records_forget(&auth->records);
	for (const struct auth_method *const *m = methods; *m != NULL; m++)
		if ((*m)->empty != NULL)
			(*m)->empty(auth);
}

static void record_changed(void *owner, const struct store_id *id, enum store_news news)
{
	(void)news;
	records_changed(&((struct auth *)owner)->records, id);
}

/* Whatever it is: an id that is not kept costs nothing. */
enum bulla_err auth_follow(struct auth *auth, struct follow *follow)
{
	return follow_add(follow, (struct follower){ .owner = auth, .changed = record_changed });
}

/* With the seal held. */
static enum bulla_err remove_documents(struct auth *auth, struct bulla_call *call, const struct auth_method *method,
				       const uint8_t uuid[16])
{
	for (const char *const *kind = method->documents; kind != NULL && *kind != NULL; kind++) {
		const struct document_name name = { .kind = *kind, .scope = bulla_mem(uuid, 16) };

		TRY(document_remove_all(&auth->records.documents, call, &name));
	}
	return BULLA_OK;
}

enum bulla_err auth_destroy_mount(struct auth *auth, struct bulla_call *call, const uint8_t uuid[16])
{
	struct seal *seal = auth->records.documents.seal;
	enum bulla_err err = BULLA_OK;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	for (const struct auth_method *const *m = methods; *m != NULL; m++)
		if ((*m)->destroy != NULL)
			TRY((*m)->destroy(auth, call, uuid));
	TRY(seal_hold(seal));
	for (const struct auth_method *const *m = methods; *m != NULL && err == BULLA_OK; m++)
		err = remove_documents(auth, call, *m, uuid);
	records_changed(&auth->records, NULL);
	seal_release(seal);
	return err;
}

enum bulla_err auth_tick(struct bulla *engine, struct bulla_call *call)
{
	jwt_sets_tick(engine->auth);
	TRY(records_tick(&engine->auth->records, call));
	TRY(locked_users_tick(engine->auth, call));
	return approle_tick(engine, call);
}

int64_t auth_max_ttl_s(const struct bulla *engine, const struct bulla_mount *mount)
{
	int64_t default_s, max_s;

	bulla_lease_defaults(engine, &default_s, &max_s);
	return mount->max_lease_ttl_s > 0 ? mount->max_lease_ttl_s : max_s;
}
