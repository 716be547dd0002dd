/* cors.c: owns which web pages' scripts may call: an immutable snapshot, read without a lock, changed by one writer at
 * a time. At a seal it stays, as with OpenBao: a page must be told that the server is sealed, and origins are no
 * secrets. */
#include "access/cors_private.h"

#include <stdlib.h>

#include "access/access_private.h"

/* What OpenBao's clients send. */
static const char *const standard[] = {
	"Content-Type", "Authorization", "X-Vault-Token", "X-Vault-MFA", "X-Vault-No-Request-Forwarding",
	"X-Vault-Wrap-Format", "X-Vault-Wrap-TTL", "X-Requested-With", "X-Vault-AWS-IAM-Server-ID",
	"X-Vault-Policy-Override",
};
#define STANDARD (sizeof standard / sizeof standard[0])

struct cors *cors_new(struct records *records)
{
	struct cors *cors = calloc(1, sizeof *cors);

	if (cors == NULL)
		return NULL;
	cors->records = records;
	pthread_mutex_init(&cors->lock, NULL);
	return cors;
}

void cors_rules_free(struct cors_rules *rules)
{
	if (rules == NULL)
		return;
	bulla_arena_free(rules->arena);
	free(rules);
}

static void free_later(struct rcu_later *later)
{
	cors_rules_free(rcu_entry(later, struct cors_rules, later));
}

void cors_publish(struct cors *cors, struct cors_rules *rules)
{
	struct cors_rules *before = cors->rules;

	rcu_publish(cors->rules, rules);
	if (before != NULL)
		rcu_later(&before->later, free_later);
}

void cors_free(struct cors *cors)
{
	if (cors == NULL)
		return;
	cors_publish(cors, NULL);
	rcu_drain();
	pthread_mutex_destroy(&cors->lock);
	free(cors);
}

/* ---- the snapshot ------------------------------------------------------------------------------------------------ */

static struct cors_rules *rules_new(void)
{
	struct cors_rules *rules = calloc(1, sizeof *rules);

	if (rules != NULL && (rules->arena = bulla_arena_new(1024)) == NULL) {
		free(rules);
		rules = NULL;
	}
	return rules;
}

static enum bulla_err copy_list(struct bulla_arena *arena, const struct bulla_bytes *items, size_t count,
				struct bulla_bytes *out)
{
	for (size_t i = 0; i < count; i++) {
		out[i] = bulla_arena_copy(arena, items[i]);
		if (out[i].ptr == NULL)
			return BULLA_E_NO_MEMORY;
	}
	return BULLA_OK;
}

/* With commas between. What would end a header or may not stand in one becomes a space, as Go makes it. */
static enum bulla_err join(struct bulla_arena *arena, const struct bulla_bytes *items, size_t count,
			   struct bulla_bytes *out)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += items[i].len + (i > 0);
	uint8_t *text = bulla_arena_alloc(arena, len + 1), *to = text;

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*to++ = ',';
		for (size_t j = 0; j < items[i].len; j++, to++)
			*to = (items[i].ptr[j] < 0x20 && items[i].ptr[j] != '\t') || items[i].ptr[j] == 0x7f
				      ? ' '
				      : items[i].ptr[j];
	}
	*to = 0;
	*out = bulla_mem(text, len);
	return BULLA_OK;
}

static enum bulla_err fill(struct cors_rules *rules, const struct bulla_cors_config *config)
{
	struct bulla_bytes *origins = bulla_arena_alloc(rules->arena, config->origin_count * sizeof *origins);
	size_t header_count = STANDARD + config->header_count;
	struct bulla_bytes *headers = bulla_arena_alloc(rules->arena, header_count * sizeof *headers);

	if (origins == NULL || headers == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < STANDARD; i++)
		headers[i] = bulla_str(standard[i]);
	TRY(copy_list(rules->arena, config->origins, config->origin_count, origins));
	TRY(copy_list(rules->arena, config->headers, config->header_count, headers + STANDARD));
	rules->config = (struct bulla_cors_config){
		.enabled = true, .origins = origins, .origin_count = config->origin_count, .headers = headers,
		.header_count = header_count, .credentials = config->credentials,
	};
	return join(rules->arena, headers, rules->config.header_count, &rules->headers);
}

enum bulla_err cors_rules_make(const struct bulla_cors_config *config, struct cors_rules **out)
{
	struct cors_rules *rules = rules_new();

	if (rules == NULL)
		return BULLA_E_NO_MEMORY;
	rules->damaged = config == NULL;
	enum bulla_err err = config != NULL ? fill(rules, config) : BULLA_OK;

	if (err != BULLA_OK) {
		cors_rules_free(rules);
		return err;
	}
	*out = rules;
	return BULLA_OK;
}

static enum bulla_err load(struct cors *cors, struct bulla_call *call)
{
	struct bulla_cors_config config;
	struct cors_rules *rules = NULL;
	enum bulla_err err = cors_get(cors, call, &config);

	if (err == BULLA_E_NOT_FOUND || err == BULLA_E_STORE_DAMAGED)
		call->detail = (struct bulla_bytes){ 0 };
	else
		TRY(err);
	if (err != BULLA_E_NOT_FOUND)
		TRY(cors_rules_make(err == BULLA_OK ? &config : NULL, &rules));
	cors_publish(cors, rules);
	return BULLA_OK;
}

enum bulla_err cors_load(struct cors *cors, struct bulla_call *call)
{
	pthread_mutex_lock(&cors->lock);
	enum bulla_err err = load(cors, call);

	pthread_mutex_unlock(&cors->lock);
	return err;
}

static enum bulla_err collection(void *owner, struct store_id *out)
{
	return record_slot(((struct cors *)owner)->records, &cors_name, out);
}

static enum bulla_err reload(void *owner, struct bulla_call *call)
{
	return cors_load(owner, call);
}

enum bulla_err cors_follow(struct cors *cors, struct follow *follow)
{
	return follow_add(follow, (struct follower){ cors, collection, NULL, reload });
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static enum bulla_err copy_out(struct bulla_call *call, const struct cors_rules *rules, struct bulla_cors_config *out)
{
	struct bulla_cors_config config = rules->config;
	struct bulla_bytes *origins = bulla_arena_alloc(call->arena, config.origin_count * sizeof *origins);
	struct bulla_bytes *headers = bulla_arena_alloc(call->arena, config.header_count * sizeof *headers);

	if (origins == NULL || headers == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(copy_list(call->arena, config.origins, config.origin_count, origins));
	TRY(copy_list(call->arena, config.headers, config.header_count, headers));
	config.origins = origins;
	config.headers = headers;
	*out = config;
	return BULLA_OK;
}

enum bulla_err bulla_cors_read(struct bulla *engine, struct bulla_call *call, struct bulla_cors_config *out)
{
	enum bulla_err err = BULLA_OK;

	*out = (struct bulla_cors_config){ 0 };
	rcu_read_begin();
	const struct cors_rules *rules = rcu_load(engine->access->cors->rules);

	if (rules != NULL)
		err = rules->damaged ? BULLA_E_STORE_DAMAGED : copy_out(call, rules, out);
	rcu_read_end();
	return err;
}

static bool is_allowed(const struct bulla_cors_config *config, struct bulla_bytes origin)
{
	if (config->origin_count == 1 && bulla_is(config->origins[0], "*"))
		return true;
	for (size_t i = 0; i < config->origin_count; i++)
		if (bulla_equal(config->origins[i], origin))
			return true;
	return false;
}

enum bulla_err bulla_cors_ask(struct bulla *engine, struct bulla_call *call, struct bulla_bytes origin, bool preflight,
			      struct bulla_cors_answer *out)
{
	struct bulla_cors_answer answer = { 0 };

	rcu_read_begin();
	const struct cors_rules *rules = rcu_load(engine->access->cors->rules);

	answer.on = rules != NULL && !rules->damaged;
	answer.allowed = answer.on && origin.len <= CORS_MAX_ORIGIN && is_allowed(&rules->config, origin);
	answer.credentials = answer.allowed && rules->config.credentials;
	if (answer.allowed && preflight)
		answer.headers = bulla_arena_copy(call->arena, rules->headers);
	rcu_read_end();
	if (answer.allowed && preflight && answer.headers.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	*out = answer;
	return BULLA_OK;
}

bool bulla_cors_on(const struct bulla *engine)
{
	return engine != NULL && rcu_load(engine->access->cors->rules) != NULL;
}
