/* headers.c: owns which request headers are recorded: an immutable snapshot, read without a lock, changed under audit->lock. */
#include <ctype.h>
#include <stdlib.h>

#include "audit/audit_private.h"

#define FORM 1
#define MAX_HEADERS 100
#define MAX_NAME 256

/* ---- the record ------------------------------------------------------------------------------------------------------------ */

struct stored_rules {
	struct record record;
	struct bulla_audit_header_rule *items; /* sorted by name; with room for one more, unless nothing is stored */
	size_t count;
};

static void encode(struct pack *pack, const void *record)
{
	const struct stored_rules *stored = record;

	pack_u8(pack, FORM);
	pack_u32(pack, (uint32_t)stored->count);
	for (size_t i = 0; i < stored->count; i++) {
		pack_bytes(pack, stored->items[i].name);
		pack_u8(pack, stored->items[i].hmac);
	}
}

static enum bulla_err decode(struct bulla_call *call, struct unpack *in, void *record)
{
	struct stored_rules *stored = record;

	if (unpack_u8(in) != FORM)
		return BULLA_E_STORE_DAMAGED;
	stored->count = unpack_count(in, 5);
	stored->items = bulla_arena_alloc(call->arena, (stored->count + 1) * sizeof stored->items[0]);
	if (stored->items == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < stored->count; i++) {
		stored->items[i].name = unpack_bytes(in);
		stored->items[i].hmac = unpack_u8(in) != 0;
	}
	return BULLA_OK;
}

static const struct record_kind kind = { .name = "audit-headers", .size = sizeof(struct stored_rules), .encode = encode, .decode = decode };
static const struct record_name stored_name = { .kind = &kind };

/* ---- what is published ------------------------------------------------------------------------------------------------------- */

static void free_later(struct rcu_later *later)
{
	free(rcu_entry(later, struct header_rules, later));
}

static void publish(struct audit *audit, struct header_rules *rules)
{
	struct header_rules *old = audit->headers;

	rcu_publish(audit->headers, rules);
	if (old != NULL)
		rcu_later(&old->later, free_later);
}

void headers_drop(struct audit *audit)
{
	publish(audit, NULL);
}

/* A copy in one piece; no rules: NULL. */
static enum bulla_err make(const struct bulla_audit_header_rule *rules, size_t count, struct header_rules **out)
{
	size_t bytes = sizeof **out + count * sizeof rules[0];

	*out = NULL;
	if (count == 0)
		return BULLA_OK;
	for (size_t i = 0; i < count; i++)
		bytes += rules[i].name.len;
	struct header_rules *made = calloc(1, bytes);

	if (made == NULL)
		return BULLA_E_NO_MEMORY;
	uint8_t *to = (uint8_t *)&made->rules[count];

	made->count = count;
	for (size_t i = 0; i < count; i++) {
		made->rules[i] = (struct bulla_audit_header_rule){ .name = bulla_mem(to, rules[i].name.len), .hmac = rules[i].hmac };
		memcpy(to, rules[i].name.ptr, rules[i].name.len);
		to += rules[i].name.len;
	}
	*out = made;
	return BULLA_OK;
}

/* With the lock. */
static enum bulla_err read_and_publish(struct audit *audit, struct bulla_call *call)
{
	struct stored_rules stored = { 0 };
	struct header_rules *rules;
	enum bulla_err err = record_read(&audit->records, call, &stored_name, &stored);

	TRY(err == BULLA_E_NOT_FOUND ? BULLA_OK : err);
	TRY(make(stored.items, stored.count, &rules));
	publish(audit, rules);
	return BULLA_OK;
}

enum bulla_err headers_load(struct audit *audit, struct bulla_call *call)
{
	pthread_mutex_lock(&audit->lock);
	enum bulla_err err = read_and_publish(audit, call);

	pthread_mutex_unlock(&audit->lock);
	return err;
}

static enum bulla_err collection(void *owner, struct store_id *out)
{
	return record_slot(&((struct audit *)owner)->records, &stored_name, out);
}

static enum bulla_err reload(void *owner, struct bulla_call *call)
{
	return headers_load(owner, call);
}

enum bulla_err audit_follow(struct audit *audit, struct follow *follow)
{
	return follow_add(follow, (struct follower){ audit, collection, NULL, reload });
}

/* ---- changing ------------------------------------------------------------------------------------------------------------------ */

static enum bulla_err lower(struct bulla_call *call, struct bulla_bytes name, struct bulla_bytes *out)
{
	uint8_t *text = bulla_arena_alloc(call->arena, name.len);

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < name.len; i++)
		text[i] = name.ptr[i] < 0x80 ? (uint8_t)tolower(name.ptr[i]) : name.ptr[i];
	*out = bulla_mem(text, name.len);
	return BULLA_OK;
}

/* Where name is, or belongs. */
static size_t place_of(const struct stored_rules *stored, struct bulla_bytes name, bool *there)
{
	size_t at = 0;

	while (at < stored->count && bulla_compare(stored->items[at].name, name) < 0)
		at++;
	*there = at < stored->count && bulla_equal(stored->items[at].name, name);
	return at;
}

static enum bulla_err put_rule(struct bulla_call *call, struct stored_rules *stored, const struct bulla_audit_header_rule *rule)
{
	bool there;

	if (stored->items == NULL && (stored->items = bulla_arena_alloc(call->arena, sizeof stored->items[0])) == NULL)
		return BULLA_E_NO_MEMORY;
	size_t at = place_of(stored, rule->name, &there);

	if (!there && stored->count == MAX_HEADERS)
		return bulla_fail(call, BULLA_E_INVALID, "more than %d headers", MAX_HEADERS);
	if (!there)
		memmove(&stored->items[at + 1], &stored->items[at], (stored->count++ - at) * sizeof stored->items[0]);
	stored->items[at] = *rule;
	return BULLA_OK;
}

static void drop_rule(struct stored_rules *stored, struct bulla_bytes name)
{
	bool there;
	size_t at = place_of(stored, name, &there);

	if (there)
		memmove(&stored->items[at], &stored->items[at + 1], (--stored->count - at) * sizeof stored->items[0]);
	else
		stored->record.fate = RECORD_LEAVE;
}

struct rule_wish {
	struct bulla_audit_header_rule rule;
	bool remove;
	struct header_rules *made; /* of what is to be stored; NULL: no rules */
};

static enum bulla_err change_rules(struct bulla_call *call, void *record, void *context)
{
	struct stored_rules *stored = record;
	struct rule_wish *wish = context;

	free(wish->made);
	wish->made = NULL;
	if (wish->remove)
		drop_rule(stored, wish->rule.name);
	else
		TRY(put_rule(call, stored, &wish->rule));
	return make(stored->items, stored->count, &wish->made);
}

/* With the lock. */
static enum bulla_err change(struct audit *audit, struct bulla_call *call, struct rule_wish *wish)
{
	enum bulla_err err = record_change(&audit->records, call, &stored_name, change_rules, wish);

	if (err == BULLA_OK)
		publish(audit, wish->made);
	else
		free(wish->made);
	return err;
}

enum bulla_err bulla_audit_header_set(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name, bool hmac, bool remove)
{
	struct audit *audit = engine->audit;
	struct rule_wish wish = { .rule.hmac = hmac, .remove = remove };

	TRY(bulla_work(call, BULLA_WORK_DISK));
	if (name.len == 0 || name.len > MAX_NAME)
		return bulla_fail(call, BULLA_E_INVALID, name.len == 0 ? "missing header name" : "the header's name is too long");
	TRY(lower(call, name, &wish.rule.name));
	pthread_mutex_lock(&audit->lock);
	enum bulla_err err = change(audit, call, &wish);

	pthread_mutex_unlock(&audit->lock);
	return err;
}

enum bulla_err bulla_audit_headers(struct bulla *engine, struct bulla_call *call, struct bulla_audit_header_rule **list, size_t *count)
{
	rcu_read_begin();
	const struct header_rules *rules = rcu_load(engine->audit->headers);
	bool failed = false;

	*count = rules == NULL ? 0 : rules->count;
	*list = bulla_arena_alloc(call->arena, *count * sizeof **list);
	for (size_t i = 0; *list != NULL && i < *count; i++) {
		(*list)[i] = rules->rules[i];
		(*list)[i].name = bulla_arena_copy(call->arena, rules->rules[i].name);
		failed |= (*list)[i].name.ptr == NULL;
	}
	rcu_read_end();
	return *list == NULL || failed ? BULLA_E_NO_MEMORY : BULLA_OK;
}

bool bulla_audit_wants_headers(const struct bulla *engine)
{
	return engine != NULL && rcu_load(engine->audit->headers) != NULL;
}

static bool same_name(struct bulla_bytes lowered, struct bulla_bytes name)
{
	bool same = lowered.len == name.len;

	for (size_t i = 0; same && i < name.len; i++)
		same = lowered.ptr[i] == (name.ptr[i] < 0x80 ? (uint8_t)tolower(name.ptr[i]) : name.ptr[i]);
	return same;
}

bool bulla_audit_wants_header(const struct bulla *engine, struct bulla_bytes name)
{
	bool wanted = false;

	rcu_read_begin();
	const struct header_rules *rules = rcu_load(engine->audit->headers);

	for (size_t i = 0; rules != NULL && !wanted && i < rules->count; i++)
		wanted = same_name(rules->rules[i].name, name);
	rcu_read_end();
	return wanted;
}
