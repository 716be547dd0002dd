/* quota.c: rate limits. The rules are an immutable snapshot; the counts of clients are in counters.h. Checking takes no lock where
 * there are no rules; writers are workers, one at a time. */
#include "access/quota.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>

#include "access/access_private.h"
#include "access/counters.h"
#include "base/pack.h"
#include "bulla/encode.h"
#include "crypto/crypto.h"
#include "seal/documents.h"

#define RULE "rate-limit"
#define CONFIG "quota-config"
#define FORMAT 1
#define NS_PER_S INT64_C(1000000000)
#define MAX_RULES 1000
#define MAX_CLIENTS 200000
#define MAX_RATE 1e9
#define MAX_INTERVAL_S (INT64_C(366) * 86400)

/* Const once it is published. */
struct rules {
	struct rcu_later later;
	struct bulla_arena *arena; /* owned: all texts */
	struct bulla_rate_limit *items;
	size_t count;
	struct bulla_quota_config config;
};

struct quotas {
	struct documents documents;
	pthread_mutex_t lock;   /* one writer; held over its commit */
	struct rules *rules;    /* rcu; NULL: no rules, nothing is counted */
	struct counters *clients;
};

static const char *const default_exempt[] = {
	"sys/generate-recovery-token/attempt", "sys/generate-recovery-token/update", "sys/generate-root/attempt",
	"sys/generate-root/update", "sys/health", "sys/seal-status", "sys/unseal",
};
#define DEFAULT_EXEMPT (sizeof default_exempt / sizeof default_exempt[0])

enum bulla_err quotas_new(struct store *store, struct seal *seal, struct quotas **out)
{
	struct quotas *quotas = calloc(1, sizeof *quotas);

	if (quotas == NULL)
		return BULLA_E_NO_MEMORY;
	quotas->documents = (struct documents){ store, seal };
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
	publish(quotas, NULL);
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

/* ---- records ------------------------------------------------------------------------------------------------------------------ */

static struct document_name rule_name(struct bulla_bytes name)
{
	return (struct document_name){ .kind = RULE, .item = name };
}

static const struct document_name config_name = { .kind = CONFIG, .item = { (const uint8_t *)"config", 6 } };

static enum bulla_err pack_rule(struct bulla_call *call, const struct bulla_rate_limit *limit, struct bulla_bytes *out)
{
	struct pack pack = { .arena = call->arena };
	uint64_t bits;

	memcpy(&bits, &limit->rate, sizeof bits);
	pack_u8(&pack, FORMAT);
	pack_u8(&pack, limit->inheritable);
	pack_u64(&pack, bits); /* IEEE 754 */
	pack_i64(&pack, limit->interval_s);
	pack_i64(&pack, limit->block_interval_s);
	pack_bytes(&pack, limit->path);
	return pack_finish(&pack, out);
}

static enum bulla_err unpack_rule(const struct document *document, struct bulla_rate_limit *out)
{
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };
	struct bulla_rate_limit limit = { .name = document->item };
	uint8_t format = unpack_u8(&in);

	limit.inheritable = unpack_u8(&in);
	uint64_t bits = unpack_u64(&in);

	memcpy(&limit.rate, &bits, sizeof bits);
	limit.interval_s = unpack_i64(&in);
	limit.block_interval_s = unpack_i64(&in);
	limit.path = unpack_bytes(&in);
	if (format != FORMAT || !(limit.rate > 0) || limit.interval_s <= 0)
		return BULLA_E_STORE_DAMAGED;
	TRY(unpack_finish(&in));
	*out = limit;
	return BULLA_OK;
}

static enum bulla_err read_config(const struct documents *documents, struct bulla_call *call, struct bulla_quota_config *out,
				  uint64_t *revision)
{
	struct document found;
	enum bulla_err err = document_get(documents, call, &config_name, &found);
	struct bulla_bytes *paths = bulla_arena_alloc(call->arena, DEFAULT_EXEMPT * sizeof *paths);

	*revision = 0;
	if (paths == NULL)
		return BULLA_E_NO_MEMORY;
	if (err == BULLA_E_NOT_FOUND) {
		for (size_t i = 0; i < DEFAULT_EXEMPT; i++)
			paths[i] = bulla_str(default_exempt[i]);
		*out = (struct bulla_quota_config){ .exempt_paths = paths, .exempt_count = DEFAULT_EXEMPT };
		return BULLA_OK;
	}
	TRY(err);
	struct unpack in = { .ptr = found.value.ptr, .left = found.value.len };
	struct bulla_quota_config config = { 0 };
	uint8_t format = unpack_u8(&in);

	config.response_headers = unpack_u8(&in);
	config.audit_logging = unpack_u8(&in);
	config.exempt_count = unpack_count(&in, 4);
	paths = bulla_arena_alloc(call->arena, config.exempt_count * sizeof *paths);
	for (size_t i = 0; paths != NULL && i < config.exempt_count; i++)
		paths[i] = unpack_bytes(&in);
	config.exempt_paths = paths;
	if (format != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	TRY(unpack_finish(&in));
	*revision = found.revision;
	*out = config;
	return paths != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

/* ---- the snapshot ------------------------------------------------------------------------------------------------------------- */

static enum bulla_err add_rule(const struct document *document, void *context)
{
	struct rules *rules = context;
	struct bulla_rate_limit limit;

	TRY(unpack_rule(document, &limit));
	if (rules->count == MAX_RULES)
		return BULLA_E_STORE_DAMAGED;
	limit.name = bulla_arena_copy(rules->arena, limit.name);
	limit.path = bulla_arena_copy(rules->arena, limit.path);
	if (limit.name.ptr == NULL || limit.path.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	rules->items[rules->count++] = limit;
	return BULLA_OK;
}

/* The longest path first: the most particular. */
static int by_path(const void *a, const void *b)
{
	size_t one = ((const struct bulla_rate_limit *)a)->path.len, other = ((const struct bulla_rate_limit *)b)->path.len;

	return one > other ? -1 : one < other;
}

static enum bulla_err fill(const struct documents *documents, struct bulla_call *call, struct rules *rules)
{
	struct document_name any = { .kind = RULE };
	struct bulla_call own = { .arena = rules->arena, .may_block = true };
	uint64_t revision;

	rules->items = bulla_arena_alloc(rules->arena, MAX_RULES * sizeof *rules->items);
	if (rules->items == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(document_each(documents, call, &any, false, add_rule, rules));
	qsort(rules->items, rules->count, sizeof *rules->items, by_path);
	return read_config(documents, &own, &rules->config, &revision);
}

enum bulla_err quotas_load(struct quotas *quotas, struct bulla_call *call)
{
	struct rules *rules = calloc(1, sizeof *rules);

	if (rules == NULL || (rules->arena = bulla_arena_new(MAX_RULES * sizeof *rules->items)) == NULL) {
		free(rules);
		return BULLA_E_NO_MEMORY;
	}
	enum bulla_err err = fill(&quotas->documents, call, rules);

	if (err != BULLA_OK || rules->count == 0) {
		rules_free(rules);
		rules = NULL;
	}
	if (err == BULLA_OK)
		publish(quotas, rules);
	return err;
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

/* A rule of a mount is for what lies in it, one of a longer path for that very path. */
static const struct bulla_rate_limit *rule_for(const struct rules *rules, struct bulla_bytes path)
{
	for (size_t i = 0; i < rules->count; i++) {
		struct bulla_bytes at = rules->items[i].path;
		bool whole = at.len == 0 || at.ptr[at.len - 1] == '/';

		if (whole ? begins(path, at) : bulla_equal(path, at))
			return &rules->items[i];
	}
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
	int64_t limit = rule->rate >= 1 ? (int64_t)rule->rate : 1;
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
	*state = (struct bulla_rate_state){ .show = state->show, .limit = limit, .remaining = limit - counter->used,
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
	const struct bulla_rate_limit *rule = is_exempt(rules, path) ? NULL : rule_for(rules, path);
	uint8_t key[COUNTER_KEY], of_rule[SHA256_BYTES], address[16];
	int64_t now_ns = bulla_now_ns();

	if (rule == NULL)
		return BULLA_OK;
	sha256(rule->name, of_rule);
	hmac_sha256(bulla_mem(of_rule, sizeof of_rule), network_of(call->remote_ip, address), (struct bulla_bytes){ 0 }, key);
	struct counter *counter = counters_get(quotas->clients, key, now_ns, now_ns + rule->interval_s * NS_PER_S);

	if (counter == NULL)
		return BULLA_E_BUSY;
	state->show = rules->config.response_headers;
	enum bulla_err err = count(rule, call, counter, now_ns, state);

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

/* ---- changing ------------------------------------------------------------------------------------------------------------------ */

static enum bulla_err check_limit(struct bulla *engine, struct bulla_call *call, const struct bulla_rate_limit *limit)
{
	struct bulla_bytes rest;

	if (!(limit->rate > 0) || limit->rate > MAX_RATE)
		return bulla_fail(call, BULLA_E_INVALID, "'rate' is invalid");
	if (limit->interval_s < 0 || limit->interval_s > MAX_INTERVAL_S)
		return bulla_fail(call, BULLA_E_INVALID, "'interval' is invalid");
	if (limit->block_interval_s < 0 || limit->block_interval_s > MAX_INTERVAL_S)
		return bulla_fail(call, BULLA_E_INVALID, "'block' is invalid");
	if (limit->path.len == 0)
		return BULLA_OK;
	const struct bulla_mount *mount = bulla_mount_find(engine, limit->path, &rest);

	bulla_mount_put(mount);
	if (mount != NULL)
		return BULLA_OK;
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, limit->path);

	return bulla_fail(call, BULLA_E_INVALID, "invalid mount path %.*s", (int)quoted.len, (const char *)quoted.ptr);
}

/* A mount is named with a slash at its end, whether that was given or not. */
static enum bulla_err clean_path(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path, struct bulla_bytes *out)
{
	struct bulla_bytes rest, slashed;

	while (path.len > 0 && path.ptr[0] == '/')
		path = bulla_mem(path.ptr + 1, path.len - 1);
	*out = path;
	if (path.len == 0)
		return BULLA_OK;
	slashed = bulla_arena_printf(call->arena, "%.*s/", (int)path.len, (const char *)path.ptr);
	if (slashed.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	const struct bulla_mount *mount = bulla_mount_find(engine, path, &rest);

	if (mount == NULL || bulla_equal(mount->path, slashed))
		*out = path.ptr[path.len - 1] == '/' ? path : slashed;
	bulla_mount_put(mount);
	return BULLA_OK;
}

static enum bulla_err check_double(struct quotas *quotas, struct bulla_call *call, const struct bulla_rate_limit *limit)
{
	enum bulla_err err = BULLA_OK;

	rcu_read_begin();
	const struct rules *rules = rcu_load(quotas->rules);

	for (size_t i = 0; rules != NULL && err == BULLA_OK && i < rules->count; i++)
		if (bulla_equal(rules->items[i].path, limit->path) && !bulla_equal(rules->items[i].name, limit->name))
			err = bulla_fail(call, BULLA_E_INVALID, "quota rule with similar properties exists under the name \"%.*s\"",
					 (int)rules->items[i].name.len, (const char *)rules->items[i].name.ptr);
	if (err == BULLA_OK && rules != NULL && rules->count >= MAX_RULES)
		err = bulla_fail(call, BULLA_E_INVALID, "there are more than %d rate limits", MAX_RULES);
	rcu_read_end();
	return err;
}

static enum bulla_err store_rule(struct quotas *quotas, struct bulla_call *call, const struct bulla_rate_limit *limit)
{
	struct document_name name = rule_name(limit->name);
	struct document before = { 0 };
	struct bulla_bytes value;

	TRY(check_double(quotas, call, limit));
	enum bulla_err err = document_get(&quotas->documents, call, &name, &before);

	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	TRY(pack_rule(call, limit, &value));
	TRY(document_put(&quotas->documents, call, &name, before.revision, value));
	return quotas_load(quotas, call);
}

enum bulla_err bulla_rate_limit_write(struct bulla *engine, struct bulla_call *call, const struct bulla_rate_limit *given)
{
	struct quotas *quotas = engine->access->quotas;
	struct bulla_rate_limit limit = *given;

	if (!call->may_block)
		return BULLA_E_MUST_BLOCK;
	TRY(clean_path(engine, call, given->path, &limit.path));
	TRY(check_limit(engine, call, &limit));
	limit.interval_s = limit.interval_s == 0 ? 1 : limit.interval_s;
	limit.inheritable = limit.path.len == 0;
	pthread_mutex_lock(&quotas->lock);
	enum bulla_err err = store_rule(quotas, call, &limit);

	pthread_mutex_unlock(&quotas->lock);
	return err;
}

enum bulla_err bulla_rate_limit_read(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name, struct bulla_rate_limit *out)
{
	struct document_name at = rule_name(name);
	struct document found;

	TRY(document_get(&engine->access->quotas->documents, call, &at, &found));
	return unpack_rule(&found, out);
}

enum bulla_err bulla_rate_limit_delete(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name)
{
	struct quotas *quotas = engine->access->quotas;
	struct document_name at = rule_name(name);

	if (!call->may_block)
		return BULLA_E_MUST_BLOCK;
	pthread_mutex_lock(&quotas->lock);
	enum bulla_err err = document_remove(&quotas->documents, call, &at, STORE_ANY_REVISION);

	if (err == BULLA_OK)
		err = quotas_load(quotas, call);
	pthread_mutex_unlock(&quotas->lock);
	return err;
}

enum bulla_err bulla_rate_limit_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes **names, size_t *count)
{
	struct document_name any = { .kind = RULE };

	return document_names(&engine->access->quotas->documents, call, &any, names, count);
}

static enum bulla_err store_config(struct quotas *quotas, struct bulla_call *call, const struct bulla_quota_config *config)
{
	struct pack pack = { .arena = call->arena };
	struct bulla_quota_config before;
	struct bulla_bytes value;
	uint64_t revision;

	TRY(read_config(&quotas->documents, call, &before, &revision));
	pack_u8(&pack, FORMAT);
	pack_u8(&pack, config->response_headers);
	pack_u8(&pack, config->audit_logging);
	pack_u32(&pack, (uint32_t)config->exempt_count);
	for (size_t i = 0; i < config->exempt_count; i++)
		pack_bytes(&pack, config->exempt_paths[i]);
	TRY(pack_finish(&pack, &value));
	TRY(document_put(&quotas->documents, call, &config_name, revision, value));
	return quotas_load(quotas, call);
}

enum bulla_err bulla_quota_config_write(struct bulla *engine, struct bulla_call *call, const struct bulla_quota_config *config)
{
	struct quotas *quotas = engine->access->quotas;

	if (!call->may_block)
		return BULLA_E_MUST_BLOCK;
	pthread_mutex_lock(&quotas->lock);
	enum bulla_err err = store_config(quotas, call, config);

	pthread_mutex_unlock(&quotas->lock);
	return err;
}

enum bulla_err bulla_quota_config_read(struct bulla *engine, struct bulla_call *call, struct bulla_quota_config *out)
{
	uint64_t revision;

	return read_config(&engine->access->quotas->documents, call, out, &revision);
}
