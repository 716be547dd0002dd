/* describe.c: what is known of the devices that are on. Any thread. */
#include "audit/audit_private.h"

static enum bulla_err copy(struct bulla_call *call, struct bulla_bytes from, struct bulla_bytes *to)
{
	*to = bulla_arena_copy(call->arena, from);
	return to->ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

static enum bulla_err describe(struct bulla_call *call, struct device *device, struct bulla_audit_device *out)
{
	struct bulla_pair *options = bulla_arena_alloc(call->arena, device->option_count * sizeof *options);
	char trouble[sizeof device->trouble];

	if (options == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < device->option_count; i++) {
		TRY(copy(call, device->option_list[i].key, &options[i].key));
		TRY(copy(call, device->option_list[i].value, &options[i].value));
	}
	TRY(copy(call, device->path, &out->path));
	TRY(copy(call, device->type, &out->type));
	TRY(copy(call, device->description, &out->description));
	TRY(copy(call, bulla_str(device->id), &out->id));
	out->local = device->local;
	out->from_config = device->from_config;
	out->options = options;
	out->option_count = device->option_count;
	memcpy(out->public_key, device->public_key, sizeof out->public_key);
	pthread_mutex_lock(&device->lock);
	out->healthy = !device->failed;
	out->records = device->chain.records;
	out->signed_records = device->chain.signed_records;
	out->queued_bytes = device->queued_bytes + device->apart.held_bytes;
	out->lost_records = device->apart.lost;
	memcpy(out->head, device->chain.head, sizeof out->head);
	memcpy(trouble, device->trouble, sizeof trouble);
	pthread_mutex_unlock(&device->lock);
	return copy(call, bulla_str(trouble), &out->trouble);
}

enum bulla_err bulla_audit_devices(struct bulla *engine, struct bulla_call *call, struct bulla_audit_device **list, size_t *count)
{
	struct audit_set *set = set_get(engine->audit);
	enum bulla_err err = BULLA_OK;

	*count = set == NULL ? 0 : set->count;
	*list = bulla_arena_alloc(call->arena, *count * sizeof **list);
	if (*list == NULL)
		err = BULLA_E_NO_MEMORY;
	for (size_t i = 0; err == BULLA_OK && i < *count; i++)
		err = describe(call, set->devices[i], &(*list)[i]);
	set_put(set);
	return err;
}
