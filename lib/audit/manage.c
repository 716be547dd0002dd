/* manage.c: enabling and disabling devices, and bringing them in line with the configuration. Changes are made one at a
 * time, under audit->lock; what a request sees is the set (audit.c). */
#include <stdlib.h>
#include <sys/stat.h>

#include "audit/audit_private.h"

#define MAX_PATH_BYTES 256

/* ---- specs ------------------------------------------------------------------------------------------------------------- */

static int compare_pairs(const void *a, const void *b)
{
	return bulla_compare(((const struct bulla_pair *)a)->key, ((const struct bulla_pair *)b)->key);
}

/* The path with its slash, the options sorted. */
static enum bulla_err normalise(struct bulla_call *call, const struct bulla_audit_spec *in, struct bulla_audit_spec *out)
{
	struct bulla_pair *options = bulla_arena_alloc(call->arena, in->option_count * sizeof *options);
	struct bulla_bytes path = in->path;

	while (path.len > 0 && path.ptr[path.len - 1] == '/')
		path.len--;
	*out = *in;
	out->path = bulla_arena_printf(call->arena, "%.*s/", (int)path.len, (const char *)path.ptr);
	if (options == NULL || out->path.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	if (path.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "backend path must be specified");
	if (path.len > MAX_PATH_BYTES || !bulla_utf8_valid(path) || memchr(path.ptr, 0, path.len) != NULL)
		return bulla_fail(call, BULLA_E_INVALID, "the path is too long or no text");
	if (in->option_count > 0)
		memcpy(options, in->options, in->option_count * sizeof *options);
	qsort(options, in->option_count, sizeof *options, compare_pairs);
	out->options = options;
	return BULLA_OK;
}

static bool begins_with(struct bulla_bytes text, struct bulla_bytes start)
{
	return text.len >= start.len && memcmp(text.ptr, start.ptr, start.len) == 0;
}

static struct device *find(const struct audit *audit, struct bulla_bytes path)
{
	for (size_t i = 0; audit->set != NULL && i < audit->set->count; i++)
		if (bulla_equal(audit->set->devices[i]->path, path))
			return audit->set->devices[i];
	return NULL;
}

/* ---- changes, under the lock --------------------------------------------------------------------------------------------- */

/* A device that another node has configured at this path is the same: one salt, so that a token's hash is the same in all logs, and
 * one key. found: as it is stored there. */
static enum bulla_err secrets_elsewhere(struct audit *audit, struct bulla_call *call, struct stored_device *out, bool *found)
{
	struct stored_device *list;
	size_t count;

	TRY(stored_list(audit, call, &list, &count));
	for (size_t i = 0; i < count; i++) {
		if (!list[i].from_config || !bulla_equal(list[i].spec.path, out->spec.path))
			continue;
		memcpy(out->id, list[i].id, sizeof out->id);
		out->secrets = list[i].secrets;
		*found = true;
	}
	return BULLA_OK;
}

static enum bulla_err make_secrets(struct audit *audit, struct bulla_call *call, struct stored_device *out)
{
	bool found = false;

	if (out->node.len > 0)
		TRY(secrets_elsewhere(audit, call, out, &found));
	if (found)
		return BULLA_OK;
	TRY(random_uuid(out->id));
	TRY(random_uuid(out->secrets.salt));
	return random_bytes(out->secrets.seed, sizeof out->secrets.seed);
}

/* Puts the device into the set, in the order of paths. */
static enum bulla_err add_to_set(struct audit *audit, struct device *device)
{
	struct device *devices[BULLA_AUDIT_MAX_DEVICES];
	size_t count = audit->set == NULL ? 0 : audit->set->count, at = 0;

	while (at < count && bulla_compare(audit->set->devices[at]->path, device->path) < 0)
		at++;
	for (size_t i = 0; i < count; i++)
		devices[i + (i >= at)] = audit->set->devices[i];
	devices[at] = device;
	return set_replace(audit, devices, count + 1);
}

static enum bulla_err remove_from_set(struct audit *audit, const struct device *device)
{
	struct device *devices[BULLA_AUDIT_MAX_DEVICES];
	size_t count = 0;

	for (size_t i = 0; i < audit->set->count; i++)
		if (audit->set->devices[i] != device)
			devices[count++] = audit->set->devices[i];
	return set_replace(audit, devices, count);
}

/* Where a file device is to write; NULL: it is none, or names none. */
static const char *file_of(struct bulla_call *call, const struct bulla_audit_spec *spec)
{
	struct bulla_bytes path = { 0 };

	for (size_t i = 0; i < spec->option_count; i++) /* sorted: "path", the older name, comes last and does not count */
		if (path.ptr == NULL && (bulla_is(spec->options[i].key, "file_path") || bulla_is(spec->options[i].key, "path")))
			path = spec->options[i].value;
	return bulla_is(spec->type, "file") && path.ptr != NULL ? (const char *)bulla_arena_copy(call->arena, path).ptr : NULL;
}

static bool same_file(const char *a, const char *b)
{
	struct stat one, other;

	if (strcmp(a, b) == 0)
		return true;
	return stat(a, &one) == 0 && stat(b, &other) == 0 && S_ISREG(one.st_mode) && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* Of two devices that write to one file neither has a chain. */
static enum bulla_err check_file(struct audit *audit, struct bulla_call *call, const struct bulla_audit_spec *spec)
{
	size_t count = audit->set == NULL ? 0 : audit->set->count;
	const char *path = file_of(call, spec);

	for (size_t i = 0; path != NULL && i < count; i++) {
		const struct device *device = audit->set->devices[i];
		bool has_file = device->kind == SINK_FILE && !device->options.to_stdout && !device->options.discard;

		if (has_file && same_file(device->options.file_path, path))
			return bulla_fail(call, BULLA_E_INVALID, "file_path is the log of audit device %.*s already", (int)device->path.len,
					  (const char *)device->path.ptr);
	}
	return BULLA_OK;
}

static enum bulla_err check_free(struct audit *audit, struct bulla_call *call, const struct bulla_audit_spec *spec)
{
	size_t count = audit->set == NULL ? 0 : audit->set->count;

	for (size_t i = 0; i < count; i++)
		if (begins_with(audit->set->devices[i]->path, spec->path) || begins_with(spec->path, audit->set->devices[i]->path))
			return bulla_fail(call, BULLA_E_INVALID, "path already in use");
	if (count == BULLA_AUDIT_MAX_DEVICES)
		return bulla_fail(call, BULLA_E_INVALID, "more than %d audit devices", BULLA_AUDIT_MAX_DEVICES);
	for (size_t i = 0; i < spec->option_count; i++)
		if (bulla_is(spec->options[i].key, "prefix") && !audit->config.allow_prefix)
			return bulla_fail(call, BULLA_E_INVALID, "audit log prefixing is not allowed");
	return check_file(audit, call, spec);
}

/* A new one: it must work, and is stored before it counts. */
static enum bulla_err enable(struct audit *audit, struct bulla_call *call, const struct bulla_audit_spec *wanted, bool from_config)
{
	struct stored_device stored = { .from_config = from_config, .node = from_config ? audit->config.node : (struct bulla_bytes){ 0 } };
	struct device *device;

	TRY(normalise(call, wanted, &stored.spec));
	TRY(check_free(audit, call, &stored.spec));
	TRY(make_secrets(audit, call, &stored));
	const struct device_new args = { .spec = &stored.spec, .id = stored.id, .from_config = from_config, .must_work = true,
					 .secrets = &stored.secrets, .config = &audit->config };
	enum bulla_err err = device_open(call, &args, &device);

	if (err == BULLA_OK) {
		err = stored_put(audit, call, &stored);
		if (err == BULLA_OK)
			err = add_to_set(audit, device);
		if (err != BULLA_OK)
			device_end(device, DEVICE_DISABLED);
		device_put(device);
	}
	bulla_wipe(&stored, sizeof stored);
	return err;
}

static enum bulla_err remove_device(struct audit *audit, struct bulla_call *call, struct device *device)
{
	TRY(stored_remove(audit, call, device->path, device->from_config, device->id));
	return remove_from_set(audit, device);
}

static enum bulla_err disable(struct audit *audit, struct bulla_call *call, struct device *device)
{
	device_hold(device);
	pthread_mutex_lock(&audit->heads); /* nobody stores how far it came once that is removed */
	enum bulla_err err = remove_device(audit, call, device);

	pthread_mutex_unlock(&audit->heads);
	if (err == BULLA_OK)
		device_end(device, DEVICE_DISABLED);
	device_put(device);
	return err;
}

static void log_change(const struct audit *audit, const char *what, struct bulla_bytes path)
{
	audit_log(audit, "info", "audit device %.*s %s", (int)path.len, (const char *)path.ptr, what);
}

/* ---- loading ----------------------------------------------------------------------------------------------------------- */

static enum bulla_err open_stored(struct audit *audit, struct bulla_call *call, const struct stored_device *stored)
{
	struct device_new args = { .spec = &stored->spec, .id = stored->id, .from_config = stored->from_config,
				   .secrets = &stored->secrets, .config = &audit->config };
	struct device *device;

	TRY(stored_head_get(audit, call, stored->id, &args.chain));
	TRY(device_open(call, &args, &device));
	enum bulla_err err = add_to_set(audit, device);

	if (err != BULLA_OK)
		device_end(device, DEVICE_CLOSED);
	device_put(device);
	return err;
}

static enum bulla_err load_stored(struct audit *audit, struct bulla_call *call, const struct stored_device *stored)
{
	struct bulla_audit_spec spec;

	if (stored->from_config && !bulla_equal(stored->node, audit->config.node))
		return BULLA_OK; /* another node's */
	for (size_t i = 0; i < audit->config.spec_count; i++) {
		TRY(normalise(call, &audit->config.specs[i], &spec));
		if (!bulla_equal(spec.path, stored->spec.path))
			continue;
		TRY(spec_agrees(call, &stored->spec, stored->from_config, &spec));
		return open_stored(audit, call, stored);
	}
	if (!stored->from_config)
		return open_stored(audit, call, stored);
	log_change(audit, "is no longer in the configuration: disabled", stored->spec.path);
	return stored_remove(audit, call, stored->spec.path, true, stored->id);
}

static enum bulla_err add_configured(struct audit *audit, struct bulla_call *call)
{
	for (size_t i = 0; i < audit->config.spec_count; i++) {
		struct bulla_audit_spec spec;

		TRY(normalise(call, &audit->config.specs[i], &spec));
		if (find(audit, spec.path) != NULL)
			continue;
		enum bulla_err err = enable(audit, call, &spec, true);

		if (err == BULLA_E_INVALID)
			return bulla_fail(call, BULLA_E_CONFIG, "audit device %.*s: %.*s", (int)spec.path.len,
					  (const char *)spec.path.ptr, (int)call->detail.len, (const char *)call->detail.ptr);
		TRY(err);
		log_change(audit, "enabled", spec.path);
	}
	return BULLA_OK;
}

enum bulla_err manage_load(struct audit *audit, struct bulla_call *call)
{
	struct stored_device *list;
	size_t count;

	TRY(stored_list(audit, call, &list, &count));
	for (size_t i = 0; i < count; i++)
		TRY(load_stored(audit, call, &list[i]));
	return add_configured(audit, call);
}

/* ---- the configuration has changed ------------------------------------------------------------------------------------- */

/* Nothing is done before all of it can be. */
static enum bulla_err check_unchanged(struct audit *audit, struct bulla_call *call, const struct bulla_audit_spec *specs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bulla_audit_spec spec;

		TRY(normalise(call, &specs[i], &spec));
		const struct device *device = find(audit, spec.path);

		if (device == NULL)
			continue;
		const struct bulla_audit_spec made = { .path = device->path, .type = device->type, .description = device->description,
						       .local = device->local, .options = device->option_list,
						       .option_count = device->option_count };

		TRY(spec_agrees(call, &made, device->from_config, &spec));
	}
	return BULLA_OK;
}

static enum bulla_err is_configured(const struct audit *audit, struct bulla_call *call, const struct device *device, bool *out)
{
	*out = false;
	for (size_t i = 0; i < audit->config.spec_count; i++) {
		struct bulla_audit_spec spec;

		TRY(normalise(call, &audit->config.specs[i], &spec));
		*out |= bulla_equal(spec.path, device->path);
	}
	return BULLA_OK;
}

static enum bulla_err remove_gone(struct audit *audit, struct bulla_call *call)
{
	for (size_t i = audit->set == NULL ? 0 : audit->set->count; i-- > 0;) {
		struct device *device = audit->set->devices[i];
		bool wanted = true;

		if (device->from_config)
			TRY(is_configured(audit, call, device, &wanted));
		if (wanted)
			continue;
		log_change(audit, "is no longer in the configuration: disabled", device->path);
		TRY(disable(audit, call, device));
		if (audit->set == NULL)
			break;
	}
	return BULLA_OK;
}

static enum bulla_err configure(struct audit *audit, struct bulla_call *call, const struct bulla_audit_spec *specs, size_t count,
				bool allow_prefix)
{
	if (audit->loaded)
		TRY(check_unchanged(audit, call, specs, count));
	TRY(audit_keep_specs(audit, specs, count));
	audit->config.allow_prefix = allow_prefix;
	if (!audit->loaded)
		return BULLA_OK;
	TRY(add_configured(audit, call));
	return remove_gone(audit, call);
}

enum bulla_err bulla_audit_configure(struct bulla *engine, struct bulla_call *call, const struct bulla_audit_spec *specs, size_t count,
				     bool allow_prefix)
{
	struct audit *audit = engine->audit;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&audit->lock);
	enum bulla_err err = configure(audit, call, specs, count, allow_prefix);

	pthread_mutex_unlock(&audit->lock);
	return err;
}

/* ---- requests ---------------------------------------------------------------------------------------------------------- */

enum bulla_err bulla_audit_enable(struct bulla *engine, struct bulla_call *call, const struct bulla_audit_spec *spec)
{
	struct audit *audit = engine->audit;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&audit->lock);
	enum bulla_err err = audit->closing ? BULLA_E_SEALED : enable(audit, call, spec, false);

	if (err == BULLA_OK)
		log_change(audit, "enabled", spec->path);
	pthread_mutex_unlock(&audit->lock);
	return err;
}

enum bulla_err bulla_audit_disable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path)
{
	const struct bulla_audit_spec named = { .path = path };
	struct audit *audit = engine->audit;
	struct bulla_audit_spec spec;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(normalise(call, &named, &spec));
	pthread_mutex_lock(&audit->lock);
	struct device *device = find(audit, spec.path);
	enum bulla_err err = BULLA_OK;

	if (device != NULL && device->from_config)
		err = bulla_fail(call, BULLA_E_INVALID, "cannot disable configuration-managed audit device");
	else if (device != NULL)
		err = disable(audit, call, device);
	if (device != NULL && err == BULLA_OK)
		log_change(audit, "disabled", spec.path);
	pthread_mutex_unlock(&audit->lock);
	return err;
}

enum bulla_err bulla_audit_hash(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path, struct bulla_bytes input,
				struct bulla_bytes *out)
{
	const struct bulla_audit_spec named = { .path = path };
	struct bulla_audit_spec spec;
	char *hash = bulla_arena_alloc(call->arena, HASH_TEXT);
	bool found = false;

	TRY(normalise(call, &named, &spec));
	if (hash == NULL)
		return BULLA_E_NO_MEMORY;
	struct audit_set *set = set_get(engine->audit);

	for (size_t i = 0; set != NULL && i < set->count && !found; i++)
		if (bulla_equal(set->devices[i]->path, spec.path)) {
			device_hash(set->devices[i], input, hash);
			found = true;
		}
	set_put(set);
	*out = bulla_mem(hash, HASH_TEXT);
	if (found)
		return BULLA_OK;
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, spec.path);

	return bulla_fail(call, BULLA_E_INVALID, "unknown audit backend %.*s", (int)quoted.len, (const char *)quoted.ptr);
}
