/* policy_store.c: owns the stored policies: documents of the kind "policy" (docs/FORMATS.md), and their changes, which are made one
 * at a time under access->policy_lock, durable first and published then. Workers; bulla_policy_names: any thread. */
#include "access/policy_table.h"

#include <stdlib.h>

#include "access/policy_defaults.h"
#include "base/pack.h"
#include "base/rcu.h"
#include "bulla/clock.h"
#include "seal/documents.h"

#define FORMAT 1

enum { FLAG_CAS = 1 << 0, FLAG_WILDCARDS = 1 << 1, FLAG_SLASHES = 1 << 2,
       FLAG_BY_CLOCK = 1 << 3 }; /* the end: without it a date, as all ends of older versions are */

static struct documents documents_of(const struct access *access)
{
	return (struct documents){ .store = access->store, .seal = access->seal };
}

static struct document_name document_of(struct bulla_bytes name)
{
	return (struct document_name){ .kind = "policy", .item = name };
}

/* ---- names ------------------------------------------------------------------------------------------------------------- */

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* In lower case, without space around it; in the arena. INVALID. */
static enum bulla_err clean_name(struct bulla_call *call, struct bulla_bytes name, struct bulla_bytes *out)
{
	while (name.len > 0 && is_space(name.ptr[0]))
		name = bulla_mem(name.ptr + 1, name.len - 1);
	while (name.len > 0 && is_space(name.ptr[name.len - 1]))
		name.len--;
	if (name.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "policy name must be provided in the URL");
	if (name.len > BULLA_POLICY_NAME_MAX_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "the name of a policy is at most %d bytes long", BULLA_POLICY_NAME_MAX_BYTES);
	struct bulla_bytes copy = bulla_arena_copy(call->arena, name);
	uint8_t *p = (uint8_t *)(uintptr_t)copy.ptr;

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < copy.len; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] += 'a' - 'A';
	*out = copy;
	return BULLA_OK;
}

static bool is_fixed(struct bulla_bytes name)
{
	return bulla_is(name, "root") || bulla_is(name, "response-wrapping");
}

/* What is there without having been stored. */
static const char *builtin_text(struct bulla_bytes name)
{
	return bulla_is(name, "default") ? policy_default_text : bulla_is(name, "response-wrapping") ? policy_wrapping_text : NULL;
}

/* ---- records ----------------------------------------------------------------------------------------------------------- */

static enum bulla_err pack_info(struct bulla_call *call, const struct bulla_policy_info *info, struct bulla_bytes *out)
{
	struct pack pack = { .arena = call->arena };

	pack_u8(&pack, FORMAT);
	pack_u8(&pack, (uint8_t)((info->cas_required ? FLAG_CAS : 0) | (info->template_wildcards ? FLAG_WILDCARDS : 0) |
				 (info->template_slashes ? FLAG_SLASHES : 0) |
				 (info->end.ns != 0 && !info->end.by_date ? FLAG_BY_CLOCK : 0)));
	pack_i64(&pack, info->version);
	pack_i64(&pack, info->modified_date_ns);
	pack_i64(&pack, info->end.ns);
	pack_bytes(&pack, info->text);
	return pack_finish(&pack, out);
}

/* Borrows from the document. */
static enum bulla_err unpack_info(const struct document *document, struct bulla_policy_info *out)
{
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };
	uint8_t format = unpack_u8(&in), flags = unpack_u8(&in);
	struct bulla_policy_info info = { .name = document->item, .cas_required = (flags & FLAG_CAS) != 0,
					  .template_wildcards = (flags & FLAG_WILDCARDS) != 0,
					  .template_slashes = (flags & FLAG_SLASHES) != 0 };

	info.version = unpack_i64(&in);
	info.modified_date_ns = unpack_i64(&in);
	info.end = (struct bulla_end){ unpack_i64(&in), (flags & FLAG_BY_CLOCK) == 0 };
	info.text = unpack_bytes(&in);
	TRY(unpack_finish(&in));
	if (format != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	*out = info;
	return BULLA_OK;
}

static bool has_ended(const struct bulla_policy_info *info)
{
	const struct bulla_now now = bulla_now();

	return bulla_end_is_over(info->end, &now);
}

/* ---- loading ----------------------------------------------------------------------------------------------------------- */

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
	struct bulla_policy_info info;
	enum bulla_err err = unpack_info(document, &info);

	if (err == BULLA_OK)
		err = policy_new(call, document->item, info.text, info.end, out);
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
	l->count = 0;
}

static enum bulla_err load_documents(struct access *access, struct bulla_call *call, struct loading *l, size_t *damaged)
{
	struct documents documents = documents_of(access);
	struct document_name name = document_of((struct bulla_bytes){ 0 });
	enum bulla_err err = document_each(&documents, call, &name, NULL, load_one, l);

	if (err != BULLA_E_STORE_DAMAGED)
		return err;
	drop_loaded(l);
	call->detail = (struct bulla_bytes){ 0 };
	return document_each(&documents, call, &name, damaged, load_one, l);
}

static enum bulla_err add_builtin(struct loading *l, const char *name)
{
	struct bulla_bytes bytes = bulla_str(name);

	TRY(make_room(l));
	TRY(policy_new(l->call, bytes, bulla_str(builtin_text(bytes)), (struct bulla_end){ 0 }, &l->items[l->count]));
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
	size_t damaged = 0;

	TRY(load_documents(access, call, l, &damaged));
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
	free(l.items);
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
	const struct documents documents = documents_of(access);
	const struct document_name any = document_of((struct bulla_bytes){ 0 });

	return document_slot(&documents, &any, out);
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

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

/* What is stored, or built in: revision 0. NOT_FOUND. */
static enum bulla_err read_info(struct access *access, struct bulla_call *call, struct bulla_bytes name, uint64_t *revision,
				struct bulla_policy_info *out)
{
	struct documents documents = documents_of(access);
	struct document_name key = document_of(name);
	const char *text = builtin_text(name);
	struct document document;
	enum bulla_err err = document_get(&documents, call, &key, &document);

	*revision = 0;
	if (err == BULLA_E_NOT_FOUND && text != NULL) {
		*out = (struct bulla_policy_info){ .name = name, .text = bulla_str(text), .version = 1 };
		return BULLA_OK;
	}
	TRY(err);
	*revision = document.revision;
	return unpack_info(&document, out);
}

static bool is_listed(const struct policy *policy, struct bulla_bytes prefix, const struct bulla_now *now)
{
	if (bulla_is(policy->name, "response-wrapping") || bulla_end_is_over(policy->end, now))
		return false;
	return policy->name.len >= prefix.len && (prefix.len == 0 || memcmp(policy->name.ptr, prefix.ptr, prefix.len) == 0);
}

static int by_bytes(const void *a, const void *b)
{
	return bulla_compare(*(const struct bulla_bytes *)a, *(const struct bulla_bytes *)b);
}

/* In a read section. */
static enum bulla_err list_names(const struct policy_table *table, struct bulla_call *call, struct bulla_bytes prefix,
				 struct bulla_bytes **names, size_t *count)
{
	struct bulla_bytes *list = bulla_arena_alloc(call->arena, (table->count + 1) * sizeof *list);
	const struct bulla_now now = bulla_now();
	size_t n = 0;

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < table->count; i++) {
		if (!is_listed(table->items[i], prefix, &now))
			continue;
		list[n] = bulla_arena_copy(call->arena, table->items[i]->name);
		if (list[n++].ptr == NULL)
			return BULLA_E_NO_MEMORY;
	}
	qsort(list, n, sizeof *list, by_bytes);
	if (prefix.len == 0)
		list[n++] = bulla_str("root"); /* at the end: it lies nowhere, and is added to what does */
	*names = list;
	*count = n;
	if (table->damaged > 0)
		return bulla_warn(call, "policies whose stored record is damaged are not listed: %zu", table->damaged);
	return BULLA_OK;
}

enum bulla_err bulla_policy_names(struct bulla *engine, struct bulla_call *call, struct bulla_bytes prefix, struct bulla_bytes **names,
				  size_t *count)
{
	rcu_read_begin();
	const struct policy_table *table = rcu_load(engine->access->policy_table);
	enum bulla_err err = table != NULL ? list_names(table, call, prefix, names, count) : BULLA_E_SEALED;

	rcu_read_end();
	return err;
}

/* ---- changing ---------------------------------------------------------------------------------------------------------- */

static enum bulla_err check_cas(struct bulla_call *call, const struct bulla_policy_put_args *args, const struct bulla_policy_info *before)
{
	if (!args->cas_set && (args->cas_required || before->cas_required))
		return bulla_fail(call, BULLA_E_INVALID, "check-and-set parameter required for this call");
	if (!args->cas_set)
		return BULLA_OK;
	if (args->cas == -1 && before->version > 0)
		return bulla_fail(call, BULLA_E_INVALID, "check-and-set parameter set to -1 on existing entry");
	if (args->cas != -1 && args->cas != before->version)
		return bulla_fail(call, BULLA_E_INVALID, "check-and-set parameter %lld did not match the current version %lld",
				  (long long)args->cas, (long long)before->version);
	return BULLA_OK;
}

/* With the lock: makes it durable, then known. */
static enum bulla_err change(struct access *access, struct bulla_call *call, const struct bulla_policy_put_args *args,
			     struct bulla_bytes name, struct policy *policy)
{
	struct documents documents = documents_of(access);
	struct document_name key = document_of(name);
	struct bulla_policy_info before = { 0 };
	struct bulla_bytes value;
	uint64_t revision;
	enum bulla_err err = read_info(access, call, name, &revision, &before);

	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	if (has_ended(&before))
		before = (struct bulla_policy_info){ 0 };
	TRY(check_cas(call, args, &before));
	struct bulla_policy_info info = {
		.name = name, .text = args->text, .version = before.version + 1, .modified_date_ns = bulla_wall_ns(),
		.end = args->end, .cas_required = args->cas_required,
		.template_wildcards = args->template_wildcards, .template_slashes = args->template_slashes,
	};

	TRY(pack_info(call, &info, &value));
	struct policy_table *table = policy_table_copy(access->policy_table, name);

	if (table == NULL)
		return BULLA_E_NO_MEMORY;
	err = document_put(&documents, call, &key, revision, value);
	if (err != BULLA_OK) {
		policy_table_put(table);
		return err;
	}
	policy_table_add(table, policy_hold(policy));
	policy_table_publish(access, table);
	return BULLA_OK;
}

static enum bulla_err refuse_text(struct bulla_call *call, enum bulla_err err)
{
	struct bulla_bytes why = call->detail;

	if (err != BULLA_E_INVALID)
		return err;
	return bulla_fail(call, BULLA_E_INVALID, "failed to parse policy: %.*s", (int)why.len, (const char *)why.ptr);
}

enum bulla_err bulla_policy_put(struct bulla *engine, struct bulla_call *call, const struct bulla_policy_put_args *args)
{
	struct access *access = engine->access;
	struct policy *policy;
	struct bulla_bytes name;

	TRY(clean_name(call, args->name, &name));
	if (args->text.len > BULLA_POLICY_MAX_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "a policy is at most %u bytes long", BULLA_POLICY_MAX_BYTES);
	if (has_ended(&(struct bulla_policy_info){ .end = args->end }))
		return bulla_fail(call, BULLA_E_INVALID, "refusing to update policy as expiration time has already elapsed");
	TRY(access_begin(access, call));
	enum bulla_err err = refuse_text(call, policy_new(call, name, args->text, args->end, &policy));

	if (err != BULLA_OK)
		return access_end(access, err);
	if (is_fixed(name)) {
		err = bulla_fail(call, BULLA_E_INVALID, "cannot update \"%.*s\" policy", (int)name.len, (const char *)name.ptr);
	} else {
		pthread_mutex_lock(&access->policy_lock);
		err = change(access, call, args, name, policy);
		pthread_mutex_unlock(&access->policy_lock);
	}
	policy_put(policy);
	return access_end(access, err);
}

static enum bulla_err delete_locked(struct access *access, struct bulla_call *call, struct bulla_bytes name)
{
	struct documents documents = documents_of(access);
	struct document_name key = document_of(name);
	struct policy_table *table = policy_table_copy(access->policy_table, name);

	if (table == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = document_remove(&documents, call, &key, STORE_ANY_REVISION);

	if (err != BULLA_OK) {
		policy_table_put(table);
		return err;
	}
	policy_table_publish(access, table);
	return BULLA_OK;
}

enum bulla_err bulla_policy_delete(struct bulla *engine, struct bulla_call *call, struct bulla_bytes wanted)
{
	struct access *access = engine->access;
	struct bulla_bytes name;

	TRY(clean_name(call, wanted, &name));
	if (is_fixed(name))
		return bulla_fail(call, BULLA_E_INVALID, "cannot delete \"%.*s\" policy", (int)name.len, (const char *)name.ptr);
	if (bulla_is(name, "default"))
		return bulla_fail(call, BULLA_E_INVALID, "cannot delete default policy");
	TRY(access_begin(access, call));
	pthread_mutex_lock(&access->policy_lock);
	enum bulla_err err = delete_locked(access, call, name);

	pthread_mutex_unlock(&access->policy_lock);
	return access_end(access, err);
}

/* One that has ended goes when it is met, unless it was replaced meanwhile. By a date it only is not there: the system's clock may
 * be wrong, and set right again. NOT_FOUND. */
static enum bulla_err drop_ended(struct access *access, struct bulla_call *call, struct bulla_bytes name)
{
	struct bulla_policy_info info;
	uint64_t revision;

	pthread_mutex_lock(&access->policy_lock);
	enum bulla_err err = read_info(access, call, name, &revision, &info);

	if (err == BULLA_OK && has_ended(&info) && !info.end.by_date)
		err = delete_locked(access, call, name);
	pthread_mutex_unlock(&access->policy_lock);
	return err == BULLA_OK ? BULLA_E_NOT_FOUND : err;
}

enum bulla_err bulla_policy_get(struct bulla *engine, struct bulla_call *call, struct bulla_bytes wanted, struct bulla_policy_info *out)
{
	struct access *access = engine->access;
	struct bulla_policy_info info;
	struct bulla_bytes name;
	uint64_t revision;

	TRY(clean_name(call, wanted, &name));
	if (bulla_is(name, "root")) {
		*out = (struct bulla_policy_info){ .name = name };
		return BULLA_OK;
	}
	TRY(access_begin(access, call));
	enum bulla_err err = read_info(access, call, name, &revision, &info);

	if (err == BULLA_OK && has_ended(&info))
		err = drop_ended(access, call, name);
	TRY(access_end(access, err));
	*out = info;
	return BULLA_OK;
}
