/* audit.c: owns struct audit and the set of devices that are on, an immutable snapshot; lines. Records are added by any
 * thread without a lock; changes of the set are manage.c's, under audit->lock. */
#include <stdio.h>
#include <stdlib.h>

#include "audit/audit_private.h"

/* ---- the set ----------------------------------------------------------------------------------------------------------- */

struct audit_set *set_get(const struct audit *audit)
{
	rcu_read_begin();
	struct audit_set *set = rcu_load(audit->set);

	if (set != NULL)
		atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
	rcu_read_end();
	return set;
}

/* Lines without a reference to their set, of count devices. */
static void lines_drop(struct bulla_audit_lines *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		out_clear(&lines->of[i]);
		format_forget(&lines->kept[i]);
	}
	free(lines);
}

void set_put(struct audit_set *set)
{
	if (set == NULL || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (struct bulla_audit_lines *lines = set->spares, *next; lines != NULL; lines = next) {
		next = lines->next;
		lines_drop(lines, set->count);
	}
	for (size_t i = 0; i < set->count; i++)
		device_put(set->devices[i]);
	pthread_mutex_destroy(&set->lock);
	free(set);
}

static void drop_later(struct rcu_later *later)
{
	set_put(rcu_entry(later, struct audit_set, later));
}

enum bulla_err set_replace(struct audit *audit, struct device *const *devices, size_t count)
{
	struct audit_set *set = count == 0 ? NULL : calloc(1, sizeof *set), *old = audit->set;

	if (count > 0 && set == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		set->devices[i] = device_hold(devices[i]);
	if (set != NULL) {
		atomic_init(&set->refs, 1);
		pthread_mutex_init(&set->lock, NULL);
		set->count = count;
	}
	rcu_publish(audit->set, set);
	if (old != NULL)
		rcu_later(&old->later, drop_later);
	return BULLA_OK;
}

bool bulla_audit_on(const struct bulla *engine)
{
	return rcu_load(engine->audit->set) != NULL || __atomic_load_n(&engine->audit->closing, __ATOMIC_RELAXED);
}

/* ---- lines ------------------------------------------------------------------------------------------------------------- */

#define KEEP_LINES_BYTES (1 << 20)
#define MAX_SPARES 4
#define KEEP_SPARE_BYTES (1 << 18)

/* Empties lines, if they are worth keeping. */
static bool lines_empty(struct bulla_audit_lines *lines, size_t max_bytes)
{
	for (size_t i = 0; i < lines->set->count; i++)
		if (lines->of[i].cap > max_bytes || lines->of[i].failed)
			return false;
	for (size_t i = 0; i < lines->set->count; i++)
		lines->of[i].len = 0; /* not wiped: it was written to the log */
	lines->next = NULL;
	return true;
}

static void lines_free(struct bulla_audit_lines *lines)
{
	struct audit_set *set = lines->set;
	bool kept = lines_empty(lines, KEEP_SPARE_BYTES);

	pthread_mutex_lock(&set->lock);
	kept = kept && set->spare_count < MAX_SPARES;
	if (kept) {
		lines->next = set->spares;
		set->spares = lines;
		set->spare_count++;
	}
	pthread_mutex_unlock(&set->lock);
	if (!kept)
		lines_drop(lines, set->count);
	set_put(set);
}

void bulla_audit_lines_free(struct bulla_audit_lines *lines)
{
	for (struct bulla_audit_lines *next; lines != NULL; lines = next) {
		next = lines->next;
		lines_free(lines);
	}
}

struct bulla_audit_lines *bulla_audit_lines_reuse(const struct bulla *engine, struct bulla_audit_lines *lines)
{
	if (lines == NULL)
		return NULL;
	bulla_audit_lines_free(lines->next);
	lines->next = NULL;
	if (rcu_load(engine->audit->set) == lines->set && lines_empty(lines, KEEP_LINES_BYTES))
		return lines;
	bulla_audit_lines_free(lines);
	return NULL;
}

size_t bulla_audit_lines_bytes(const struct bulla_audit_lines *lines)
{
	size_t most = 0;

	for (size_t i = 0; i < lines->set->count; i++)
		most = lines->of[i].len > most ? lines->of[i].len : most;
	return most;
}

bool bulla_audit_lines_join(struct bulla_audit_lines *lines, struct bulla_audit_lines *more)
{
	if (lines->set != more->set)
		return false;
	more->next = lines->next;
	lines->next = more;
	return true;
}

/* Takes the set over. */
static struct bulla_audit_lines *lines_new(struct audit_set *set)
{
	pthread_mutex_lock(&set->lock);
	struct bulla_audit_lines *lines = set->spares;

	if (lines != NULL) {
		set->spares = lines->next;
		set->spare_count--;
	}
	pthread_mutex_unlock(&set->lock);
	if (lines == NULL)
		lines = calloc(1, sizeof *lines);
	if (lines == NULL) {
		set_put(set);
		return NULL;
	}
	lines->set = set;
	lines->next = NULL;
	return lines;
}

static enum bulla_err add(struct audit *audit, struct bulla_call *call, const struct bulla_audit_entry *entry,
			  enum bulla_audit_which which, struct bulla_audit_lines *lines)
{
	size_t before[BULLA_AUDIT_MAX_DEVICES];
	bool failed = false;

	for (size_t i = 0; i < lines->set->count; i++) {
		before[i] = lines->of[i].len;
		format_entry(audit, lines->set->devices[i], entry, which, call, &lines->kept[i], &lines->of[i]);
		failed |= lines->of[i].failed;
	}
	for (size_t i = 0; failed && i < lines->set->count; i++) {
		out_cut(&lines->of[i], before[i]); /* all or nothing */
		lines->of[i].failed = false;
	}
	return failed ? BULLA_E_NO_MEMORY : BULLA_OK;
}

enum bulla_err bulla_audit_add(struct bulla *engine, struct bulla_call *call, const struct bulla_audit_entry *entry,
			       enum bulla_audit_which which, struct bulla_audit_lines **lines, bool *fits)
{
	struct audit *audit = engine->audit;

	*fits = true;
	if (*lines != NULL && rcu_load(audit->set) != (*lines)->set) {
		*fits = false;
		return BULLA_OK;
	}
	if (*lines != NULL)
		return add(audit, call, entry, which, *lines);
	struct audit_set *set = set_get(audit);

	if (set == NULL) /* closing was set before the set was taken away */
		return __atomic_load_n(&audit->closing, __ATOMIC_ACQUIRE) ? BULLA_E_SEALED : BULLA_OK;
	struct bulla_audit_lines *made = lines_new(set);

	if (made == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = add(audit, call, entry, which, made);

	if (err == BULLA_OK)
		*lines = made;
	else
		bulla_audit_lines_free(made);
	return err;
}

/* ---- the devices that are on --------------------------------------------------------------------------------------------- */

void bulla_audit_reopen(struct bulla *engine)
{
	struct audit_set *set = set_get(engine->audit);

	for (size_t i = 0; set != NULL && i < set->count; i++)
		device_reopen(set->devices[i]);
	set_put(set);
}

void audit_log(const struct audit *audit, const char *level, const char *format, ...)
{
	char text[512];
	va_list args;

	if (audit->config.log == NULL)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	audit->config.log(audit->config.log_context, level, text);
}

/* ---- from opening to closing ------------------------------------------------------------------------------------------- */

static bool copy_bytes(struct bulla_arena *arena, struct bulla_bytes from, struct bulla_bytes *to)
{
	*to = bulla_arena_copy(arena, from);
	return to->ptr != NULL;
}

static bool copy_spec(struct bulla_arena *arena, const struct bulla_audit_spec *from, struct bulla_audit_spec *to)
{
	struct bulla_pair *options = bulla_arena_alloc(arena, from->option_count * sizeof *options);

	*to = *from;
	to->options = options;
	if (options == NULL || !copy_bytes(arena, from->path, &to->path) || !copy_bytes(arena, from->type, &to->type) ||
	    !copy_bytes(arena, from->description, &to->description))
		return false;
	for (size_t i = 0; i < from->option_count; i++)
		if (!copy_bytes(arena, from->options[i].key, &options[i].key) || !copy_bytes(arena, from->options[i].value, &options[i].value))
			return false;
	return true;
}

enum bulla_err audit_keep_specs(struct audit *audit, const struct bulla_audit_spec *specs, size_t count)
{
	struct bulla_arena *arena = bulla_arena_new(1024);
	struct bulla_audit_spec *copies = arena == NULL ? NULL : bulla_arena_alloc(arena, count * sizeof *copies);
	bool good = copies != NULL;

	for (size_t i = 0; good && i < count; i++)
		good = copy_spec(arena, &specs[i], &copies[i]);
	if (!good) {
		bulla_arena_free(arena);
		return BULLA_E_NO_MEMORY;
	}
	bulla_arena_free(audit->config_arena);
	audit->config_arena = arena;
	audit->config.specs = copies;
	audit->config.spec_count = count;
	return BULLA_OK;
}

enum bulla_err audit_new(struct store *store, struct seal *seal, const struct audit_config *config, struct audit **out)
{
	struct audit *audit = calloc(1, sizeof *audit);

	if (audit == NULL)
		return BULLA_E_NO_MEMORY;
	audit->config = *config;
	audit->config.store = store;
	if (config->node.len > 0)
		memcpy(audit->node, config->node.ptr, config->node.len);
	audit->config.node = bulla_mem(audit->node, config->node.len);
	pthread_mutex_init(&audit->lock, NULL);
	pthread_mutex_init(&audit->heads, NULL);
	enum bulla_err err = records_init(&audit->records, store, seal, NULL, 0);

	if (err == BULLA_OK)
		err = audit_keep_specs(audit, config->specs, config->spec_count);
	if (err == BULLA_OK)
		*out = audit;
	else
		audit_free(audit);
	return err;
}

enum bulla_err audit_load(struct audit *audit, struct bulla_call *call)
{
	TRY(headers_load(audit, call));
	pthread_mutex_lock(&audit->lock);
	enum bulla_err err = manage_load(audit, call);

	audit->loaded = err == BULLA_OK;
	pthread_mutex_unlock(&audit->lock);
	if (err == BULLA_OK)
		__atomic_store_n(&audit->closing, false, __ATOMIC_RELEASE);
	else
		audit_close(audit);
	return err;
}

/* Where device came to, if that is news for the store. With audit->heads. */
static enum bulla_err store_head(struct audit *audit, struct bulla_call *call, struct device *device)
{
	pthread_mutex_lock(&device->lock);
	struct chain chain = device->chain;

	pthread_mutex_unlock(&device->lock);
	if (chain.records == device->stored_records)
		return BULLA_OK;
	TRY(stored_head_put(audit, call, device->id, &chain));
	device->stored_records = chain.records;
	return BULLA_OK;
}

enum bulla_err audit_tick(struct audit *audit, struct bulla_call *call)
{
	enum bulla_err first = BULLA_OK;

	if (rcu_load(audit->set) == NULL)
		return BULLA_OK;
	pthread_mutex_lock(&audit->heads); /* not the lock: a disk that does not answer must not keep the devices from being closed */
	struct audit_set *set = set_get(audit);

	for (size_t i = 0; set != NULL && i < set->count; i++) {
		enum bulla_err err = store_head(audit, call, set->devices[i]);

		first = first == BULLA_OK ? err : first;
	}
	pthread_mutex_unlock(&audit->heads);
	set_put(set);
	return first;
}

/* What cannot be stored is found in the file's end, the next time. */
static void store_end(struct audit *audit, struct device *device)
{
	struct bulla_call call = { .arena = bulla_arena_new(1024), .may_block = true };

	if (call.arena != NULL && store_head(audit, &call, device) != BULLA_OK)
		audit_log(audit, "warn", "how far audit device %.*s came could not be stored", (int)device->path.len,
			  (const char *)device->path.ptr);
	bulla_arena_free(call.arena);
}

void audit_close(struct audit *audit)
{
	pthread_mutex_lock(&audit->lock);
	__atomic_store_n(&audit->closing, true, __ATOMIC_RELEASE);
	audit->loaded = false;
	struct audit_set *set = set_get(audit);

	if (set != NULL && set_replace(audit, NULL, 0) == BULLA_OK) {
		for (size_t i = 0; i < set->count; i++)
			device_stop(set->devices[i], DEVICE_CLOSED); /* all at once: none waits for another's last write */
		for (size_t i = 0; i < set->count; i++)
			device_end(set->devices[i], DEVICE_CLOSED);
		pthread_mutex_lock(&audit->heads);
		for (size_t i = 0; i < set->count; i++)
			store_end(audit, set->devices[i]);
		pthread_mutex_unlock(&audit->heads);
	}
	set_put(set);
	headers_drop(audit);
	pthread_mutex_unlock(&audit->lock);
}

void audit_free(struct audit *audit)
{
	if (audit == NULL)
		return;
	audit_close(audit);
	rcu_drain();
	bulla_arena_free(audit->config_arena);
	records_end(&audit->records);
	pthread_mutex_destroy(&audit->heads);
	pthread_mutex_destroy(&audit->lock);
	free(audit);
}
