/* quota_change.c: reading and writing rate limits and their settings. Writers are workers, one at a time. */
#include "access/access_private.h"
#include "access/quota_private.h"
#include "bulla/encode.h"

#define MAX_RATE 1e9
#define MAX_INTERVAL_S (INT64_C(366) * 86400)

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

/* A mount is named with a slash at its end, whether that was given or not; a path in it without. */
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

	bool slash = path.ptr[path.len - 1] == '/', whole = mount == NULL || bulla_equal(mount->path, slash ? path : slashed);

	*out = !whole ? bulla_mem(path.ptr, path.len - slash) : slash ? path : slashed;
	bulla_mount_put(mount);
	return BULLA_OK;
}

static enum bulla_err check_double(struct quotas *quotas, struct bulla_call *call, const struct bulla_rate_limit *limit)
{
	enum bulla_err err = BULLA_OK;

	rcu_read_begin();
	const struct rules *rules = rcu_load(quotas->rules);

	for (size_t i = 0; rules != NULL && err == BULLA_OK && i < rules->count; i++)
		if (bulla_equal(rules->items[i].public.path, limit->path) && !bulla_equal(rules->items[i].public.name, limit->name))
			err = bulla_fail(call, BULLA_E_INVALID, "quota rule with similar properties exists under the name \"%.*s\"",
					 (int)rules->items[i].public.name.len, (const char *)rules->items[i].public.name.ptr);
	if (err == BULLA_OK && rules != NULL && rules->count >= QUOTA_MAX_RULES)
		err = bulla_fail(call, BULLA_E_INVALID, "there are more than %d rate limits", QUOTA_MAX_RULES);
	rcu_read_end();
	return err;
}

static struct record_name place(struct bulla_bytes name)
{
	return (struct record_name){ .kind = &quota_rules, .item = name };
}

static enum bulla_err replace_rule(struct bulla_call *call, void *record, void *context)
{
	(void)call;
	((struct stored_rule *)record)->public = *(const struct bulla_rate_limit *)context;
	return BULLA_OK;
}

static enum bulla_err write_rule(struct quotas *quotas, struct bulla_call *call, struct bulla_rate_limit *limit)
{
	const struct record_name at = place(limit->name);

	TRY(check_double(quotas, call, limit));
	TRY(record_change(quotas->records, call, &at, replace_rule, limit));
	return quotas_read(quotas, call);
}

enum bulla_err bulla_rate_limit_write(struct bulla *engine, struct bulla_call *call, const struct bulla_rate_limit *given)
{
	struct quotas *quotas = engine->access->quotas;
	struct bulla_rate_limit limit = *given;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(clean_path(engine, call, given->path, &limit.path));
	TRY(check_limit(engine, call, &limit));
	limit.interval_s = limit.interval_s == 0 ? 1 : limit.interval_s;
	limit.inheritable = limit.path.len == 0;
	pthread_mutex_lock(&quotas->lock);
	enum bulla_err err = write_rule(quotas, call, &limit);

	pthread_mutex_unlock(&quotas->lock);
	return err;
}

enum bulla_err bulla_rate_limit_read(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name, struct bulla_rate_limit *out)
{
	const struct record_name at = place(name);
	struct stored_rule rule;

	TRY(record_read(engine->access->quotas->records, call, &at, &rule));
	*out = rule.public;
	out->name = rule.record.item;
	return BULLA_OK;
}

static enum bulla_err remove_rule(struct quotas *quotas, struct bulla_call *call, struct bulla_bytes name)
{
	const struct record_name at = place(name);

	TRY(record_remove(quotas->records, call, &at));
	return quotas_read(quotas, call);
}

enum bulla_err bulla_rate_limit_delete(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name)
{
	struct quotas *quotas = engine->access->quotas;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&quotas->lock);
	enum bulla_err err = remove_rule(quotas, call, name);

	pthread_mutex_unlock(&quotas->lock);
	return err;
}

enum bulla_err bulla_rate_limit_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes **names, size_t *count)
{
	return record_list(engine->access->quotas->records, call, &quota_any_rule, names, count);
}

/* ---- settings --------------------------------------------------------------------------------------------------------------- */

static enum bulla_err replace_config(struct bulla_call *call, void *record, void *context)
{
	(void)call;
	((struct stored_quota_config *)record)->public = *(const struct bulla_quota_config *)context;
	return BULLA_OK;
}

static enum bulla_err write_config(struct quotas *quotas, struct bulla_call *call, const struct bulla_quota_config *config)
{
	struct bulla_quota_config given = *config;

	TRY(record_change(quotas->records, call, &quota_config_name, replace_config, &given));
	return quotas_read(quotas, call);
}

enum bulla_err bulla_quota_config_write(struct bulla *engine, struct bulla_call *call, const struct bulla_quota_config *config)
{
	struct quotas *quotas = engine->access->quotas;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&quotas->lock);
	enum bulla_err err = write_config(quotas, call, config);

	pthread_mutex_unlock(&quotas->lock);
	return err;
}

enum bulla_err bulla_quota_config_read(struct bulla *engine, struct bulla_call *call, struct bulla_quota_config *out)
{
	return quota_config_get(engine->access->quotas->records, call, out);
}
