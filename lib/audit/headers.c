/* headers.c: owns which request headers are recorded: an immutable snapshot, read without a lock, changed under audit->lock. */
#include <ctype.h>
#include <stdlib.h>

#include "audit/audit_private.h"
#include "base/pack.h"

#define KIND_HEADERS "audit-headers"
#define FORM 1
#define MAX_HEADERS 100
#define MAX_NAME 256

static const struct document_name stored_name = { .kind = KIND_HEADERS };

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

static enum bulla_err read_rules(struct bulla_call *call, const struct document *document, struct bulla_audit_header_rule **list,
				 size_t *count)
{
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };
	uint8_t form = unpack_u8(&in);

	*count = unpack_count(&in, 5);
	*list = bulla_arena_alloc(call->arena, (*count + 1) * sizeof **list);
	if (*list == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < *count; i++) {
		(*list)[i].name = unpack_bytes(&in);
		(*list)[i].hmac = unpack_u8(&in) != 0;
	}
	TRY(unpack_finish(&in));
	return form == FORM ? BULLA_OK : BULLA_E_STORE_DAMAGED;
}

/* revision 0: nothing was stored yet. The list has room for one more. */
static enum bulla_err load(struct audit *audit, struct bulla_call *call, struct bulla_audit_header_rule **list, size_t *count,
			   uint64_t *revision)
{
	struct document document = { 0 };
	enum bulla_err err = document_get(&audit->documents, call, &stored_name, &document);

	*count = 0;
	*revision = 0;
	if (err == BULLA_E_NOT_FOUND) {
		call->detail = (struct bulla_bytes){ 0 };
		*list = bulla_arena_alloc(call->arena, sizeof **list);
		return *list == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
	}
	TRY(err);
	*revision = document.revision;
	return read_rules(call, &document, list, count);
}

/* With the lock. */
static enum bulla_err read_and_publish(struct audit *audit, struct bulla_call *call)
{
	struct bulla_audit_header_rule *list;
	struct header_rules *rules;
	uint64_t revision;
	size_t count;

	TRY(load(audit, call, &list, &count, &revision));
	TRY(make(list, count, &rules));
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
	return document_slot(&((struct audit *)owner)->documents, &stored_name, out);
}

static enum bulla_err reload(void *owner, struct bulla_call *call)
{
	return headers_load(owner, call);
}

enum bulla_err audit_follow(struct audit *audit, struct follow *follow)
{
	return follow_add(follow, (struct follower){ audit, collection, NULL, reload });
}

static enum bulla_err store(struct audit *audit, struct bulla_call *call, const struct bulla_audit_header_rule *list, size_t count,
			    uint64_t revision)
{
	struct pack pack = { .arena = call->arena };
	struct bulla_bytes value;

	pack_u8(&pack, FORM);
	pack_u32(&pack, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		pack_bytes(&pack, list[i].name);
		pack_u8(&pack, list[i].hmac);
	}
	TRY(pack_finish(&pack, &value));
	return document_put(&audit->documents, call, &stored_name, revision, value);
}

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
static size_t place_of(const struct bulla_audit_header_rule *list, size_t count, struct bulla_bytes name)
{
	size_t at = 0;

	while (at < count && bulla_compare(list[at].name, name) < 0)
		at++;
	return at;
}

static enum bulla_err change(struct audit *audit, struct bulla_call *call, struct bulla_bytes name, bool hmac, bool remove)
{
	struct bulla_audit_header_rule *list;
	struct header_rules *rules;
	uint64_t revision;
	size_t count;

	TRY(load(audit, call, &list, &count, &revision));
	size_t at = place_of(list, count, name);
	bool there = at < count && bulla_equal(list[at].name, name);

	if (remove && !there)
		return BULLA_OK;
	if (remove) {
		memmove(&list[at], &list[at + 1], (count - at - 1) * sizeof list[0]);
		count--;
	} else {
		if (!there && count == MAX_HEADERS)
			return bulla_fail(call, BULLA_E_INVALID, "more than %d headers", MAX_HEADERS);
		if (!there)
			memmove(&list[at + 1], &list[at], (count++ - at) * sizeof list[0]);
		list[at] = (struct bulla_audit_header_rule){ .name = name, .hmac = hmac };
	}
	TRY(make(list, count, &rules));
	enum bulla_err err = store(audit, call, list, count, revision);

	if (err == BULLA_OK)
		publish(audit, rules);
	else
		free(rules);
	return err;
}

enum bulla_err bulla_audit_header_set(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name, bool hmac, bool remove)
{
	struct audit *audit = engine->audit;
	struct bulla_bytes lowered;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	if (name.len == 0 || name.len > MAX_NAME)
		return bulla_fail(call, BULLA_E_INVALID, name.len == 0 ? "missing header name" : "the header's name is too long");
	TRY(lower(call, name, &lowered));
	pthread_mutex_lock(&audit->lock);
	enum bulla_err err = change(audit, call, lowered, hmac, remove);

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
