/* quota.c: rate limits. The rules are an immutable snapshot; the counts of clients are in counters.h. Checking takes no lock where
 * there are no rules; writers are workers, one at a time. */
#include "access/quota_private.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "access/access_private.h"
#include "access/counters.h"

#define NS_PER_S INT64_C(1000000000)
#define MAX_CLIENTS 200000

enum bulla_err quotas_new(struct records *records, struct quotas **out)
{
	struct quotas *quotas = calloc(1, sizeof *quotas);

	if (quotas == NULL)
		return BULLA_E_NO_MEMORY;
	quotas->records = records;
	pthread_mutex_init(&quotas->lock, NULL);
	enum bulla_err err = counters_new(MAX_CLIENTS, &quotas->clients);

	if (err != BULLA_OK) {
		quotas_free(quotas);
		return err;
	}
	*out = quotas;
	return BULLA_OK;
}

static void rules_free(struct rules *rules)
{
	if (rules == NULL)
		return;
	bulla_arena_free(rules->arena);
	free(rules);
}

static void free_later(struct rcu_later *later)
{
	rules_free((struct rules *)(void *)later); /* it is the first member */
}

static void publish(struct quotas *quotas, struct rules *rules)
{
	struct rules *before = quotas->rules;

	rcu_publish(quotas->rules, rules);
	if (before != NULL)
		rcu_later(&before->later, free_later);
}

void quotas_empty(struct quotas *quotas)
{
	pthread_mutex_lock(&quotas->lock);
	publish(quotas, NULL);
	pthread_mutex_unlock(&quotas->lock);
	counters_empty(quotas->clients);
}

void quotas_free(struct quotas *quotas)
{
	if (quotas == NULL)
		return;
	if (quotas->clients != NULL)
		quotas_empty(quotas);
	counters_free(quotas->clients);
	pthread_mutex_destroy(&quotas->lock);
	free(quotas);
}

/* ---- the snapshot ------------------------------------------------------------------------------------------------------------- */

static enum bulla_err counters_key(const struct stored_rule *stored, struct bulla_arena *arena, uint8_t key[SHA256_BYTES])
{
	struct pack pack = { .arena = arena };
	struct bulla_bytes text;

	pack_bytes(&pack, stored->record.item);
	pack_u64(&pack, stored->record.revision);
	quota_rules.encode(&pack, stored);
	TRY(pack_finish(&pack, &text));
	sha256(text, key);
	return BULLA_OK;
}

static enum bulla_err add_rule(const void *record, void *context)
{
	const struct stored_rule *stored = record;
	struct rules *rules = context;
	struct rule rule = { .public = stored->public };

	if (rules->count == QUOTA_MAX_RULES)
		return BULLA_E_STORE_DAMAGED;
	TRY(counters_key(stored, rules->arena, rule.key));
	rule.public.name = bulla_arena_copy(rules->arena, stored->record.item);
	rule.public.path = rule.path = bulla_arena_copy(rules->arena, rule.public.path);
	if (rule.public.name.ptr == NULL || rule.path.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	uint8_t last = rule.path.len > 0 ? rule.path.ptr[rule.path.len - 1] : '/';

	rule.reach = last == '/' ? QUOTA_MOUNT : last == '*' ? QUOTA_BEGINNING : QUOTA_PATH;
	rule.path.len -= rule.reach == QUOTA_BEGINNING;
	rules->items[rules->count++] = rule;
	return BULLA_OK;
}

/* The most particular first: of a kind, the longest. Two of one path, which two nodes may make at the same time: by name, so that the same
 * one counts on all nodes. */
static int by_reach(const void *a, const void *b)
{
	const struct rule *one = a, *other = b;

	if (one->reach != other->reach)
		return one->reach < other->reach ? -1 : 1;
	if (one->path.len != other->path.len)
		return one->path.len > other->path.len ? -1 : 1;
	return bulla_compare(one->public.name, other->public.name);
}

static enum bulla_err fill(struct records *records, struct bulla_call *call, struct rules *rules)
{
	struct bulla_call own = { .arena = rules->arena, .may_block = true };

	rules->items = bulla_arena_alloc(rules->arena, QUOTA_MAX_RULES * sizeof *rules->items);
	if (rules->items == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(record_each(records, call, &quota_any_rule, NULL, add_rule, rules));
	qsort(rules->items, rules->count, sizeof *rules->items, by_reach);
	return quota_config_get(records, &own, &rules->config);
}

enum bulla_err quotas_read(struct quotas *quotas, struct bulla_call *call)
{
	struct rules *rules = calloc(1, sizeof *rules);

	if (rules == NULL || (rules->arena = bulla_arena_new(QUOTA_MAX_RULES * sizeof *rules->items)) == NULL) {
		free(rules);
		return BULLA_E_NO_MEMORY;
	}
	enum bulla_err err = fill(quotas->records, call, rules);

	if (err != BULLA_OK || rules->count == 0) {
		rules_free(rules);
		rules = NULL;
	}
	if (err == BULLA_OK)
		publish(quotas, rules);
	return err;
}

enum bulla_err quotas_load(struct quotas *quotas, struct bulla_call *call)
{
	pthread_mutex_lock(&quotas->lock);
	enum bulla_err err = quotas_read(quotas, call);

	pthread_mutex_unlock(&quotas->lock);
	return err;
}

static enum bulla_err rules_collection(void *owner, struct store_id *out)
{
	return record_slot(((struct quotas *)owner)->records, &quota_any_rule, out);
}

static enum bulla_err config_collection(void *owner, struct store_id *out)
{
	return record_slot(((struct quotas *)owner)->records, &quota_config_name, out);
}

static enum bulla_err reload(void *owner, struct bulla_call *call)
{
	return quotas_load(owner, call);
}

enum bulla_err quotas_follow(struct quotas *quotas, struct follow *follow)
{
	TRY(follow_add(follow, (struct follower){ quotas, rules_collection, NULL, reload }));
	return follow_add(follow, (struct follower){ quotas, config_collection, NULL, reload });
}

/* ---- checking ------------------------------------------------------------------------------------------------------------------ */

static bool begins(struct bulla_bytes path, struct bulla_bytes with)
{
	return path.len >= with.len && (with.len == 0 || memcmp(path.ptr, with.ptr, with.len) == 0);
}

static bool is_exempt(const struct rules *rules, struct bulla_bytes path)
{
	for (size_t i = 0; i < rules->config.exempt_count; i++) {
		struct bulla_bytes exempt = rules->config.exempt_paths[i];
		bool prefix = exempt.len > 0 && exempt.ptr[exempt.len - 1] == '*';

		if (prefix ? begins(path, bulla_mem(exempt.ptr, exempt.len - 1)) : bulla_equal(path, exempt))
			return true;
	}
	return false;
}

/* A list goes by its path without the slash, as at the peer. */
static bool reaches(const struct rule *rule, struct bulla_bytes path, struct bulla_bytes bare)
{
	switch (rule->reach) {
	case QUOTA_PATH:
		return bulla_equal(bare, rule->path);
	case QUOTA_BEGINNING:
		return begins(bare, rule->path);
	default:
		return begins(path, rule->path);
	}
}

static const struct rule *rule_for(const struct rules *rules, struct bulla_bytes path)
{
	struct bulla_bytes bare = bulla_mem(path.ptr, path.len - (path.len > 0 && path.ptr[path.len - 1] == '/'));

	for (size_t i = 0; i < rules->count; i++)
		if (reaches(&rules->items[i], path, bare))
			return &rules->items[i];
	return NULL;
}

static int64_t seconds_up(int64_t ns)
{
	return (ns + NS_PER_S - 1) / NS_PER_S;
}

/* used counts in this interval; window is its end; until_ns of a client that went over is when it may come again. */
static enum bulla_err count(const struct bulla_rate_limit *rule, struct bulla_call *call, struct counter *counter, int64_t now_ns,
			    struct bulla_rate_state *state)
{
	int64_t whole = (int64_t)rule->rate, limit = whole + (rule->rate > (double)whole); /* rounded up, as at the peer */
	bool again = call->request_counted; /* on a worker: only what the headers say is wanted */
	bool blocked = !again && counter->reserved > now_ns;

	if (now_ns >= counter->window) {
		counter->window = now_ns + rule->interval_s * NS_PER_S;
		counter->used = 0;
	}
	bool over = !again && !blocked && counter->used >= limit;

	if (over && rule->block_interval_s > 0)
		counter->reserved = now_ns + rule->block_interval_s * NS_PER_S;
	if (!over && !blocked && !again)
		counter->used++;
	counter->until_ns = counter->window > counter->reserved ? counter->window : counter->reserved;
	*state = (struct bulla_rate_state){ .show = state->show, .audit = state->audit, .limit = limit, .remaining = limit - counter->used,
					    .reset_s = seconds_up(counter->window - now_ns) };
	if (!over && !blocked)
		return BULLA_OK;
	call->retry_after_s = (int)seconds_up((counter->reserved > now_ns ? counter->reserved : counter->window) - now_ns);
	return BULLA_E_RATE_LIMITED;
}

/* Who an address belongs to: of IPv6 the first 64 bits, for whoever has one has all that begin so (RFC 6177). */
static struct bulla_bytes network_of(struct bulla_bytes ip, uint8_t bytes[16])
{
	char text[INET6_ADDRSTRLEN];

	if (ip.len == 0 || ip.len >= sizeof text || memchr(ip.ptr, ':', ip.len) == NULL)
		return ip;
	memcpy(text, ip.ptr, ip.len);
	text[ip.len] = 0;
	return inet_pton(AF_INET6, text, bytes) == 1 ? bulla_mem(bytes, 8) : ip;
}

static enum bulla_err check(struct quotas *quotas, const struct rules *rules, struct bulla_call *call, struct bulla_bytes path,
			    struct bulla_rate_state *state)
{
	const struct rule *rule = is_exempt(rules, path) ? NULL : rule_for(rules, path);
	uint8_t key[COUNTER_KEY], address[16];
	int64_t now_ns = bulla_clock_ns();

	if (rule == NULL)
		return BULLA_OK;
	hmac_sha256(bulla_mem(rule->key, sizeof rule->key), network_of(call->remote_ip, address), (struct bulla_bytes){ 0 }, key);
	struct counter *counter = counters_get(quotas->clients, key, now_ns, now_ns + rule->public.interval_s * NS_PER_S);

	if (counter == NULL)
		return BULLA_E_BUSY;
	state->show = rules->config.response_headers;
	state->audit = rules->config.audit_logging;
	enum bulla_err err = count(&rule->public, call, counter, now_ns, state);

	counters_put(quotas->clients, counter);
	return err;
}

enum bulla_err bulla_rate_check(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path, struct bulla_rate_state *state)
{
	struct quotas *quotas = engine->access->quotas;
	enum bulla_err err = BULLA_OK;

	rcu_read_begin();
	const struct rules *rules = rcu_load(quotas->rules);

	if (rules != NULL)
		err = check(quotas, rules, call, path, state);
	rcu_read_end();
	call->request_counted = true;
	if (err == BULLA_E_RATE_LIMITED)
		return bulla_fail(call, err, "request path \"%.*s\": rate limit quota exceeded", (int)path.len, (const char *)path.ptr);
	return err;
}
