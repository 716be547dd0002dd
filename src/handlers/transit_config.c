/* transit_config.c: what holds for all keys of a mount. Any thread, one exchange at a time. */
#include "http/routes.h"

/* ---- cache-config -------------------------------------------------------------------------------------------------------- */

#define MIN_CACHE_SIZE 10

struct cache_fields {
	int64_t size;
};

static const struct field cache_fields[] = {
	FIELD(struct cache_fields, size, FIELD_INT),
	FIELD_END,
};

static enum bulla_err print_cache(struct exchange *x, int64_t size)
{
	json_open(x->data, '{');
	json_put_int(x->data, "size", size);
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err read_cache(struct exchange *x)
{
	return print_cache(x, x->mount->cache_size);
}

/* The number is kept and shown, and that is all: what bounds our cache is the memory that keys take, not how many they are. */
static enum bulla_err configure_cache(struct exchange *x)
{
	struct bulla_mount_settings settings = { .set = BULLA_MOUNT_CACHE_SIZE };
	struct cache_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, cache_fields, true, &f));
	if (f.size != 0 && f.size < MIN_CACHE_SIZE)
		return bulla_fail(x->call, BULLA_E_INVALID, "size must be 0 or a value greater or equal to %d", MIN_CACHE_SIZE);
	settings.values.cache_size = f.size;
	TRY(bulla_mount_tune(x->engine, x->call, x->mount->path, &settings));
	return print_cache(x, f.size);
}

/* ---- config/keys ---------------------------------------------------------------------------------------------------------- */

struct keys_fields {
	bool disable_upsert;
};

static const struct field keys_fields[] = {
	FIELD(struct keys_fields, disable_upsert, FIELD_BOOL),
	FIELD_END,
};

static enum bulla_err print_keys(struct exchange *x, bool disable_upsert)
{
	json_open(x->data, '{');
	json_put_bool(x->data, "disable_upsert", disable_upsert);
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err read_keys(struct exchange *x)
{
	return print_keys(x, x->mount->disable_upsert);
}

/* What is not given is false again. */
static enum bulla_err configure_keys(struct exchange *x)
{
	struct bulla_mount_settings settings = { .set = BULLA_MOUNT_DISABLE_UPSERT };
	struct keys_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, keys_fields, true, &f));
	settings.values.disable_upsert = f.disable_upsert;
	TRY(bulla_mount_tune(x->engine, x->call, x->mount->path, &settings));
	return print_keys(x, f.disable_upsert);
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(method, path, handler_, flags_, known, anchor)                                                                  \
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(method), .pattern = path, .fn = handler_, .flags = ROUTE_TOKEN | flags_, \
	  .fields = known, .doc = anchor }

const struct route transit_config_routes[] = {
	ROW(GET, "cache-config", read_cache, 0, NULL, "cache-config"),
	ROW(POST, "cache-config", configure_cache, ROUTE_BLOCKS, cache_fields, "cache-config"),
	ROW(GET, "config/keys", read_keys, 0, NULL, "config-keys"),
	ROW(POST, "config/keys", configure_keys, ROUTE_BLOCKS, keys_fields, "config-keys"),
	{ .fn = NULL },
};
