/* cors_change.c: the record of who may call from web pages (docs/FORMATS.md), and its changes. Workers only, one writer
 * at a time. */
#include "access/access_private.h"
#include "access/cors_private.h"
#include "base/pack.h"

#define FORM 1
#define MAX_ITEMS 256
#define MAX_HEADER_TEXT 4096 /* it has to fit into a reply's head */

const struct document_name cors_document = { .kind = "cors", .item = { (const uint8_t *)"config", 6 } };

/* ---- the record -------------------------------------------------------------------------------------------------- */

static enum bulla_err unpack_config(struct bulla_call *call, const struct document *document,
				    struct bulla_cors_config *out)
{
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };
	struct bulla_cors_config config = { .enabled = true };
	uint8_t form = unpack_u8(&in);

	config.credentials = unpack_u8(&in) != 0;
	TRY(unpack_list(&in, call->arena, &config.origins, &config.origin_count));
	TRY(unpack_list(&in, call->arena, &config.headers, &config.header_count));
	TRY(unpack_finish(&in));
	*out = config;
	return form == FORM ? BULLA_OK : BULLA_E_STORE_DAMAGED;
}

enum bulla_err cors_get(const struct cors *cors, struct bulla_call *call, struct bulla_cors_config *out)
{
	struct document document;

	TRY(document_get(&cors->documents, call, &cors_document, &document));
	return unpack_config(call, &document, out);
}

static enum bulla_err store(struct cors *cors, struct bulla_call *call, const struct bulla_cors_config *config)
{
	struct pack pack = { .arena = call->arena };
	struct document before = { 0 };
	struct bulla_bytes value;
	enum bulla_err err = document_get(&cors->documents, call, &cors_document, &before);

	if (err == BULLA_E_STORE_DAMAGED)
		TRY(document_remove(&cors->documents, call, &cors_document, STORE_ANY_REVISION));
	else if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	call->detail = (struct bulla_bytes){ 0 };
	pack_u8(&pack, FORM);
	pack_u8(&pack, config->credentials);
	pack_list(&pack, config->origins, config->origin_count);
	pack_list(&pack, config->headers, config->header_count);
	TRY(pack_finish(&pack, &value));
	return document_put(&cors->documents, call, &cors_document, err == BULLA_OK ? before.revision : 0, value);
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

/* config NULL: off. */
static enum bulla_err change(struct cors *cors, struct bulla_call *call, const struct bulla_cors_config *config)
{
	struct cors_rules *rules = NULL;

	if (config != NULL)
		TRY(cors_rules_make(config, &rules));
	enum bulla_err err = config != NULL ? store(cors, call, config)
					    : document_remove(&cors->documents, call, &cors_document, STORE_ANY_REVISION);

	if (err == BULLA_OK)
		cors_publish(cors, rules);
	else
		cors_rules_free(rules);
	return err;
}

enum bulla_err bulla_cors_enable(struct bulla *engine, struct bulla_call *call, const struct bulla_cors_config *config)
{
	struct cors *cors = engine->access->cors;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(check(call, config));
	pthread_mutex_lock(&cors->lock);
	enum bulla_err err = change(cors, call, config);

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
