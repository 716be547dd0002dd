/* policy_store.c: owns the stored policies: records of the kind "policy" (docs/FORMATS.md), and their changes, which are made one at a time
 * under access->policy_lock, durable first and published then. Their ends are looked at here: one that ends by a date is not deleted, and
 * none is filed by its end. Workers; bulla_policy_names: any thread. */
#include "access/policy_table.h"

#include <stdlib.h>

#include "access/policy_defaults.h"
#include "base/rcu.h"
#include "bulla/clock.h"

#define FORMAT 1

enum { FLAG_CAS = 1 << 0, FLAG_WILDCARDS = 1 << 1, FLAG_SLASHES = 1 << 2,
       FLAG_BY_CLOCK = 1 << 3 }; /* the end: without it a date, as all ends of older versions are */

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
const char *policy_builtin_text(struct bulla_bytes name)
{
	return bulla_is(name, "default") ? policy_default_text : bulla_is(name, "response-wrapping") ? policy_wrapping_text : NULL;
}

/* ---- records ----------------------------------------------------------------------------------------------------------- */

static void encode(struct pack *pack, const void *record)
{
	const struct bulla_policy_info *info = &((const struct stored_policy *)record)->public;

	pack_u8(pack, FORMAT);
	pack_u8(pack, (uint8_t)((info->cas_required ? FLAG_CAS : 0) | (info->template_wildcards ? FLAG_WILDCARDS : 0) |
				(info->template_slashes ? FLAG_SLASHES : 0) |
				(info->end.ns != 0 && !info->end.by_date ? FLAG_BY_CLOCK : 0)));
	pack_i64(pack, info->version);
	pack_i64(pack, info->modified_date_ns);
	pack_i64(pack, info->end.ns);
	pack_bytes(pack, info->text);
}

static enum bulla_err decode(struct bulla_call *call, struct unpack *in, void *record)
{
	struct bulla_policy_info *info = &((struct stored_policy *)record)->public;
	uint8_t format = unpack_u8(in), flags = unpack_u8(in);

	(void)call;
	if (format != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	info->cas_required = (flags & FLAG_CAS) != 0;
	info->template_wildcards = (flags & FLAG_WILDCARDS) != 0;
	info->template_slashes = (flags & FLAG_SLASHES) != 0;
	info->version = unpack_i64(in);
	info->modified_date_ns = unpack_i64(in);
	info->end = (struct bulla_end){ unpack_i64(in), (flags & FLAG_BY_CLOCK) == 0 };
	info->text = unpack_bytes(in);
	return BULLA_OK;
}

const struct record_kind stored_policies = { .name = "policy", .size = sizeof(struct stored_policy), .encode = encode, .decode = decode };

static struct record_name place(struct bulla_bytes name)
{
	return (struct record_name){ .kind = &stored_policies, .item = name };
}

static bool has_ended(const struct bulla_policy_info *info)
{
	const struct bulla_now now = bulla_now();

	return bulla_end_is_over(info->end, &now);
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

/* NOT_FOUND: it is not built in. */
static enum bulla_err builtin_info(struct bulla_bytes name, struct bulla_policy_info *out)
{
	const char *text = policy_builtin_text(name);

	if (text == NULL)
		return BULLA_E_NOT_FOUND;
	*out = (struct bulla_policy_info){ .text = bulla_str(text), .version = 1 };
	return BULLA_OK;
}

/* What is stored, or built in. NOT_FOUND. */
static enum bulla_err read_info(struct access *access, struct bulla_call *call, struct bulla_bytes name, struct bulla_policy_info *out)
{
	const struct record_name at = place(name);
	struct stored_policy stored;
	enum bulla_err err = record_read(&access->records, call, &at, &stored);

	if (err == BULLA_E_NOT_FOUND)
		return builtin_info(name, out);
	TRY(err);
	*out = stored.public;
	return BULLA_OK;
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

static enum bulla_err put_step(struct bulla_call *call, void *record, void *context)
{
	const struct bulla_policy_put_args *args = context;
	struct stored_policy *stored = record;
	struct bulla_policy_info before = stored->public;

	if (stored->record.revision == 0)
		(void)builtin_info(stored->record.item, &before); /* else all zero */
	if (has_ended(&before))
		before = (struct bulla_policy_info){ 0 };
	TRY(check_cas(call, args, &before));
	stored->public = (struct bulla_policy_info){
		.text = args->text, .version = before.version + 1, .modified_date_ns = bulla_wall_ns(),
		.end = args->end, .cas_required = args->cas_required,
		.template_wildcards = args->template_wildcards, .template_slashes = args->template_slashes,
	};
	return BULLA_OK;
}

/* Of one that has ended by the clock. By a date it only is not there: the system's clock may be wrong, and set right again. */
static enum bulla_err drop_step(struct bulla_call *call, void *record, void *context)
{
	struct stored_policy *stored = record;
	bool *dropped = context;

	(void)call;
	*dropped = stored->record.revision != 0 && has_ended(&stored->public) && !stored->public.end.by_date;
	stored->record.fate = *dropped ? RECORD_DELETE : RECORD_LEAVE;
	return BULLA_OK;
}

/* With the lock. What there is but for the policy of that name, to be published once that is durable. */
static enum bulla_err table_without(struct access *access, struct bulla_bytes name, struct policy_table **out)
{
	if (access->policy_table == NULL)
		return BULLA_E_SEALED;
	*out = policy_table_copy(access->policy_table, name);
	return *out != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

/* wanted false: something else holds. */
static enum bulla_err publish_if(struct access *access, enum bulla_err err, bool wanted, struct policy_table *table)
{
	if (err == BULLA_OK && wanted)
		policy_table_publish(access, table);
	else
		policy_table_put(table);
	return err;
}

static enum bulla_err put_locked(struct access *access, struct bulla_call *call, struct bulla_policy_put_args *args, struct bulla_bytes name,
				 struct policy *policy)
{
	const struct record_name at = place(name);
	struct policy_table *table;

	TRY(table_without(access, name, &table));
	policy_table_add(table, policy_hold(policy));
	return publish_if(access, record_change(&access->records, call, &at, put_step, args), true, table);
}

static enum bulla_err delete_locked(struct access *access, struct bulla_call *call, struct bulla_bytes name)
{
	const struct record_name at = place(name);
	struct policy_table *table;

	TRY(table_without(access, name, &table));
	return publish_if(access, record_remove(&access->records, call, &at), true, table);
}

static enum bulla_err drop_locked(struct access *access, struct bulla_call *call, struct bulla_bytes name)
{
	const struct record_name at = place(name);
	struct policy_table *table;
	bool dropped = false;

	TRY(table_without(access, name, &table));
	enum bulla_err err = record_change(&access->records, call, &at, drop_step, &dropped);

	return publish_if(access, err, dropped, table);
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
	struct bulla_policy_put_args given = *args;
	struct policy *policy;
	struct bulla_bytes name;

	TRY(clean_name(call, args->name, &name));
	if (args->text.len > BULLA_POLICY_MAX_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "a policy is at most %u bytes long", BULLA_POLICY_MAX_BYTES);
	if (has_ended(&(struct bulla_policy_info){ .end = args->end }))
		return bulla_fail(call, BULLA_E_INVALID, "refusing to update policy as expiration time has already elapsed");
	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(refuse_text(call, policy_new(call, name, args->text, args->end, &policy)));
	enum bulla_err err;

	if (is_fixed(name)) {
		err = bulla_fail(call, BULLA_E_INVALID, "cannot update \"%.*s\" policy", (int)name.len, (const char *)name.ptr);
	} else {
		pthread_mutex_lock(&access->policy_lock);
		err = put_locked(access, call, &given, name, policy);
		pthread_mutex_unlock(&access->policy_lock);
	}
	policy_put(policy);
	return err;
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
	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&access->policy_lock);
	enum bulla_err err = delete_locked(access, call, name);

	pthread_mutex_unlock(&access->policy_lock);
	return err;
}

/* One that has ended goes when it is met, unless it was replaced meanwhile. NOT_FOUND. */
static enum bulla_err drop_ended(struct access *access, struct bulla_call *call, struct bulla_bytes name)
{
	pthread_mutex_lock(&access->policy_lock);
	enum bulla_err err = drop_locked(access, call, name);

	pthread_mutex_unlock(&access->policy_lock);
	return err == BULLA_OK ? BULLA_E_NOT_FOUND : err;
}

enum bulla_err bulla_policy_get(struct bulla *engine, struct bulla_call *call, struct bulla_bytes wanted, struct bulla_policy_info *out)
{
	struct access *access = engine->access;
	struct bulla_policy_info info = { 0 };
	struct bulla_bytes name;

	TRY(clean_name(call, wanted, &name));
	if (!bulla_is(name, "root"))
		TRY(read_info(access, call, name, &info));
	if (has_ended(&info))
		return drop_ended(access, call, name);
	info.name = name;
	*out = info;
	return BULLA_OK;
}
