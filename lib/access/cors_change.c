/* cors_change.c: the record of who may call from web pages (docs/FORMATS.md), and its changes. Workers only, one writer
 * at a time. */
#include "access/access_private.h"
#include "access/cors_private.h"

#define FORM 1
#define MAX_ITEMS 256
#define MAX_HEADER_TEXT 4096 /* it has to fit into a reply's head */

/* ---- the record -------------------------------------------------------------------------------------------------- */

struct stored_cors {
	struct record record;
	struct bulla_cors_config public;
};

static void encode(struct pack *pack, const void *record)
{
	const struct bulla_cors_config *config = &((const struct stored_cors *)record)->public;

	pack_u8(pack, FORM);
	pack_u8(pack, config->credentials);
	pack_list(pack, config->origins, config->origin_count);
	pack_list(pack, config->headers, config->header_count);
}

static enum bulla_err decode(struct bulla_call *call, struct unpack *in, void *record)
{
	struct bulla_cors_config *config = &((struct stored_cors *)record)->public;

	if (unpack_u8(in) != FORM)
		return BULLA_E_STORE_DAMAGED;
	config->enabled = true;
	config->credentials = unpack_u8(in) != 0;
	TRY(unpack_list(in, call->arena, &config->origins, &config->origin_count));
	return unpack_list(in, call->arena, &config->headers, &config->header_count);
}

static const struct record_kind kind = { .name = "cors", .size = sizeof(struct stored_cors), .replaced = true, .encode = encode,
					 .decode = decode };
const struct record_name cors_name = { .kind = &kind, .item = { (const uint8_t *)"config", 6 } };

enum bulla_err cors_get(const struct cors *cors, struct bulla_call *call, struct bulla_cors_config *out)
{
	struct stored_cors stored;

	TRY(record_read(cors->records, call, &cors_name, &stored));
	*out = stored.public;
	return BULLA_OK;
}

/* ---- changing ---------------------------------------------------------------------------------------------------- */

static enum bulla_err check(struct bulla_call *call, const struct bulla_cors_config *config)
{
	size_t text = 0;

	if (config->origin_count == 0)
		return bulla_fail(call, BULLA_E_INVALID_500, "at least one origin or the wildcard must be provided");
	for (size_t i = 0; i < config->origin_count; i++)
		if (config->origin_count > 1 && bulla_is(config->origins[i], "*"))
			return bulla_fail(call, BULLA_E_INVALID_500,
					  "to allow all origins the '*' must be the only value for allowed_origins");
	if (config->origin_count > MAX_ITEMS || config->header_count > MAX_ITEMS)
		return bulla_fail(call, BULLA_E_INVALID, "more than %d origins or headers", MAX_ITEMS);
	for (size_t i = 0; i < config->origin_count; i++)
		if (config->origins[i].len > CORS_MAX_ORIGIN)
			return bulla_fail(call, BULLA_E_INVALID, "an origin is longer than %d bytes", CORS_MAX_ORIGIN);
	for (size_t i = 0; i < config->header_count; i++)
		text += config->headers[i].len + 1;
	if (text > MAX_HEADER_TEXT)
		return bulla_fail(call, BULLA_E_INVALID, "the headers are longer than %d bytes in all",
				  MAX_HEADER_TEXT);
	return BULLA_OK;
}

static enum bulla_err replace(struct bulla_call *call, void *record, void *context)
{
	(void)call;
	((struct stored_cors *)record)->public = *(const struct bulla_cors_config *)context;
	return BULLA_OK;
}

/* config NULL: off. */
static enum bulla_err change(struct cors *cors, struct bulla_call *call, struct bulla_cors_config *config)
{
	struct cors_rules *rules = NULL;

	if (config != NULL)
		TRY(cors_rules_make(config, &rules));
	enum bulla_err err = config != NULL ? record_change(cors->records, call, &cors_name, replace, config)
					    : record_remove(cors->records, call, &cors_name);

	if (err == BULLA_OK)
		cors_publish(cors, rules);
	else
		cors_rules_free(rules);
	return err;
}

enum bulla_err bulla_cors_enable(struct bulla *engine, struct bulla_call *call, const struct bulla_cors_config *config)
{
	struct cors *cors = engine->access->cors;
	struct bulla_cors_config given = *config;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(check(call, config));
	pthread_mutex_lock(&cors->lock);
	enum bulla_err err = change(cors, call, &given);

	pthread_mutex_unlock(&cors->lock);
	return err;
}

enum bulla_err bulla_cors_disable(struct bulla *engine, struct bulla_call *call)
{
	struct cors *cors = engine->access->cors;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&cors->lock);
	enum bulla_err err = change(cors, call, NULL);

	pthread_mutex_unlock(&cors->lock);
	return err;
}
