/* policy_load.c: reads the stored policies into a table, after unsealing and when another node has changed one. As documents, not as
 * records: of what cannot be read the name counts, too, for who has that policy is denied. Workers. */
#include "access/policy_table.h"

#include <stdlib.h>

/* ---- from the store ----------------------------------------------------------------------------------------------------------- */

struct loading {
	const struct policy_table *present; /* NULL: none */
	struct bulla_call *call; /* its arena is emptied after each */
	struct policy **items;
	size_t count, room;
};

static enum bulla_err make_room(struct loading *l)
{
	if (l->count < l->room)
		return BULLA_OK;
	size_t room = l->room > 0 ? 2 * l->room : 64;
	struct policy **grown = realloc(l->items, room * sizeof(struct policy *));

	if (grown == NULL)
		return BULLA_E_NO_MEMORY;
	l->items = grown;
	l->room = room;
	return BULLA_OK;
}

/* What cannot be read (it was written by a newer version, say) denies, and does not keep the rest from being loaded. */
static enum bulla_err compile(struct bulla_call *call, const struct document *document, struct policy **out)
{
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };
	struct stored_policy stored = { 0 };
	enum bulla_err err = stored_policies.decode(call, &in, &stored);

	if (err == BULLA_OK)
		err = unpack_finish(&in);
	if (err == BULLA_OK)
		err = policy_new(call, document->item, stored.public.text, stored.public.end, out);
	bulla_arena_reset(call->arena);
	if (err == BULLA_E_STORE_DAMAGED || err == BULLA_E_INVALID) {
		*out = policy_new_broken(document->item);
		err = *out != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
	}
	TRY(err);
	(*out)->revision = document->revision;
	return BULLA_OK;
}

static enum bulla_err load_one(const struct document *document, void *context)
{
	struct loading *l = context;
	struct policy *policy = l->present != NULL ? policy_table_find(l->present, document->item) : NULL;

	TRY(make_room(l));
	if (policy != NULL && policy->revision == document->revision)
		policy = policy_hold(policy);
	else
		TRY(compile(l->call, document, &policy));
	l->items[l->count++] = policy;
	return BULLA_OK;
}

static void drop_loaded(struct loading *l)
{
	for (size_t i = 0; i < l->count; i++)
		policy_put(l->items[i]);
	free(l->items);
}

static enum bulla_err add_builtin(struct loading *l, const char *name)
{
	struct bulla_bytes bytes = bulla_str(name);

	TRY(make_room(l));
	TRY(policy_new(l->call, bytes, bulla_str(policy_builtin_text(bytes)), (struct bulla_end){ 0 }, &l->items[l->count]));
	l->count++;
	return BULLA_OK;
}

static int by_name(const void *a, const void *b)
{
	return bulla_compare((*(struct policy *const *)a)->name, (*(struct policy *const *)b)->name);
}

/* Stored ones come over the builtin ones. */
static enum bulla_err build(struct access *access, struct bulla_call *call, struct loading *l, struct policy_table **out)
{
	const struct document_name any = { .kind = stored_policies.name };
	size_t damaged = 0;

	TRY(document_each(&access->records.documents, call, &any, &damaged, load_one, l));
	if (l->count > 1)
		qsort(l->items, l->count, sizeof(struct policy *), by_name);
	size_t stored = l->count;

	TRY(add_builtin(l, "default"));
	TRY(add_builtin(l, "response-wrapping"));
	struct policy_table *table = policy_table_new(l->count);

	if (table == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < stored; i++)
		table->items[table->count++] = policy_hold(l->items[i]);
	for (size_t i = stored; i < l->count; i++)
		if (policy_table_find(table, l->items[i]->name) == NULL)
			policy_table_add(table, policy_hold(l->items[i]));
	table->damaged = damaged;
	*out = table;
	return BULLA_OK;
}

/* With the lock: nothing is changed here between the reading and the publishing, and what others change meanwhile is told of later. */
static enum bulla_err load(struct access *access, struct bulla_call *call)
{
	struct bulla_call scratch = { .arena = bulla_arena_new(4096), .may_block = true };
	struct loading l = { .present = access->policy_table, .call = &scratch };
	struct policy_table *table = NULL;

	if (scratch.arena == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = build(access, call, &l, &table);

	drop_loaded(&l);
	bulla_arena_free(scratch.arena);
	if (err == BULLA_OK)
		policy_table_publish(access, table);
	return err;
}

enum bulla_err policy_store_load(struct access *access, struct bulla_call *call)
{
	pthread_mutex_lock(&access->policy_lock);
	enum bulla_err err = load(access, call);

	pthread_mutex_unlock(&access->policy_lock);
	return err;
}

enum bulla_err policy_store_collection(struct access *access, struct store_id *out)
{
	const struct record_name any = { .kind = &stored_policies };

	return record_slot(&access->records, &any, out);
}

void policy_store_empty(struct access *access)
{
	pthread_mutex_lock(&access->policy_lock);
	if (access->policy_table != NULL)
		policy_table_publish(access, NULL);
	pthread_mutex_unlock(&access->policy_lock);
}

enum bulla_err policy_store_tell(struct access *access, struct bulla_call *call)
{
	enum bulla_err err = BULLA_OK;

	pthread_mutex_lock(&access->policy_lock);
	struct policy_table *table = access->policy_table;

	for (size_t i = 0; table != NULL && !table->told && err == BULLA_OK && i < table->count; i++)
		if (table->items[i]->broken)
			err = bulla_warn(call, "the policy \"%.*s\" cannot be read: tokens that have it are denied everything",
					 (int)table->items[i]->name.len, (const char *)table->items[i]->name.ptr);
	if (table != NULL && !table->told && err == BULLA_OK && table->damaged > 0)
		err = bulla_warn(call, "the record of a policy is damaged: tokens with a policy that is not found are denied everything");
	if (table != NULL && err == BULLA_OK)
		table->told = true;
	pthread_mutex_unlock(&access->policy_lock);
	return err;
}
