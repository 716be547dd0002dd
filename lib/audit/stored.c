/* stored.c: what is stored of the audit devices, as kinds of records (docs/FORMATS.md): how each is to be, with its salt and the seed of
 * its signing key; how far its chain came. All blocks. */
#include "audit/audit_private.h"

#define FORM 1

/* What belongs to a node of several has its name behind a zero byte, which no path has. */
static enum bulla_err place(struct bulla_call *call, const struct record_kind *kind, struct bulla_bytes item, struct bulla_bytes node,
			    struct record_name *out)
{
	uint8_t *p = node.len > 0 ? bulla_arena_alloc(call->arena, item.len + 1 + node.len) : NULL;

	*out = (struct record_name){ .kind = kind, .item = item };
	if (node.len == 0)
		return BULLA_OK;
	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(p, item.ptr, item.len);
	p[item.len] = 0;
	memcpy(p + item.len + 1, node.ptr, node.len);
	out->item = bulla_mem(p, item.len + 1 + node.len);
	return BULLA_OK;
}

/* The node's name is cut off from item. */
static struct bulla_bytes split_node(struct bulla_bytes *item)
{
	const uint8_t *zero = item->len > 0 ? memchr(item->ptr, 0, item->len) : NULL;
	struct bulla_bytes node = { 0 };

	if (zero == NULL)
		return node;
	node = bulla_mem(zero + 1, item->len - (size_t)(zero - item->ptr) - 1);
	*item = bulla_mem(item->ptr, (size_t)(zero - item->ptr));
	return node;
}

/* Of all of a kind, other nodes' as well. A damaged one: STORE_DAMAGED. */
static enum bulla_err names_of(struct audit *audit, struct bulla_call *call, const struct record_kind *kind, struct bulla_bytes **names,
			       size_t *count)
{
	const struct document_name any = { .kind = kind->name };

	return document_names(&audit->records.documents, call, &any, names, count);
}

/* ---- how far a device came -------------------------------------------------------------------------------------------------- */

struct head {
	struct record record;
	struct chain chain;
};

static void encode_head(struct pack *pack, const void *record)
{
	const struct chain *chain = &((const struct head *)record)->chain;

	pack_u8(pack, FORM);
	pack_u64(pack, chain->records);
	pack_u64(pack, chain->signed_records);
	pack_raw(pack, chain->head, SHA256_BYTES);
}

static enum bulla_err decode_head(struct bulla_call *call, struct unpack *in, void *record)
{
	struct chain *chain = &((struct head *)record)->chain;

	(void)call;
	if (unpack_u8(in) != FORM)
		return BULLA_E_STORE_DAMAGED;
	chain->records = unpack_u64(in);
	chain->signed_records = unpack_u64(in);
	const uint8_t *hash = unpack_raw(in, SHA256_BYTES);

	if (hash == NULL)
		return BULLA_E_STORE_DAMAGED;
	memcpy(chain->head, hash, SHA256_BYTES);
	return BULLA_OK;
}

static const struct record_kind heads = { .name = "audit-head", .size = sizeof(struct head), .encode = encode_head, .decode = decode_head };

enum bulla_err stored_head_get(struct audit *audit, struct bulla_call *call, const char *id, struct chain *out)
{
	struct head head = { 0 };
	struct record_name at;

	TRY(place(call, &heads, bulla_str(id), audit->config.node, &at));
	enum bulla_err err = record_read(&audit->records, call, &at, &head);

	*out = head.chain;
	return err == BULLA_E_NOT_FOUND ? BULLA_OK : err;
}

static enum bulla_err set_head(struct bulla_call *call, void *record, void *context)
{
	(void)call;
	((struct head *)record)->chain = *(const struct chain *)context;
	return BULLA_OK;
}

/* One writer: whoever holds audit->heads. */
enum bulla_err stored_head_put(struct audit *audit, struct bulla_call *call, const char *id, const struct chain *chain)
{
	struct chain given = *chain;
	struct record_name at;

	TRY(place(call, &heads, bulla_str(id), audit->config.node, &at));
	return record_change(&audit->records, call, &at, set_head, &given);
}

/* On all nodes. */
static enum bulla_err remove_heads(struct audit *audit, struct bulla_call *call, const char *id)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(names_of(audit, call, &heads, &names, &count));
	for (size_t i = 0; i < count; i++) {
		const struct record_name at = { .kind = &heads, .item = names[i] };
		struct bulla_bytes of = names[i];

		(void)split_node(&of);
		if (bulla_is(of, id))
			TRY(record_remove(&audit->records, call, &at));
	}
	return BULLA_OK;
}

/* ---- devices ------------------------------------------------------------------------------------------------------------------ */

struct kept_device {
	struct record record; /* its item: the path, and whose it is */
	struct stored_device public;
};

static void encode_device(struct pack *pack, const void *record)
{
	const struct stored_device *device = &((const struct kept_device *)record)->public;

	pack_u8(pack, FORM);
	pack_bytes(pack, device->spec.type);
	pack_bytes(pack, device->spec.description);
	pack_u8(pack, (uint8_t)((device->spec.local ? 1 : 0) | (device->from_config ? 2 : 0)));
	pack_raw(pack, device->id, UUID_TEXT);
	pack_raw(pack, device->secrets.salt, SALT_BYTES);
	pack_raw(pack, device->secrets.seed, SIGNING_SEED_BYTES);
	pack_pairs(pack, device->spec.options, device->spec.option_count);
}

static enum bulla_err decode_device(struct bulla_call *call, struct unpack *in, void *record)
{
	struct stored_device *out = &((struct kept_device *)record)->public;

	if (unpack_u8(in) != FORM)
		return BULLA_E_STORE_DAMAGED;
	out->spec.type = unpack_bytes(in);
	out->spec.description = unpack_bytes(in);
	uint8_t flags = unpack_u8(in);
	const uint8_t *id = unpack_raw(in, UUID_TEXT), *salt = unpack_raw(in, SALT_BYTES), *seed = unpack_raw(in, SIGNING_SEED_BYTES);

	if (seed == NULL) /* nor, then, is the rest there */
		return BULLA_E_STORE_DAMAGED;
	out->spec.local = (flags & 1) != 0;
	out->from_config = (flags & 2) != 0;
	memcpy(out->id, id, UUID_TEXT);
	memcpy(out->secrets.salt, salt, SALT_BYTES);
	memcpy(out->secrets.seed, seed, SIGNING_SEED_BYTES);
	return unpack_pairs(in, call->arena, &out->spec.options, &out->spec.option_count);
}

static const struct record_kind devices = { .name = "audit-device", .size = sizeof(struct kept_device), .encode = encode_device,
					    .decode = decode_device };

static enum bulla_err make_device(struct bulla_call *call, void *record, void *context)
{
	struct kept_device *device = record;

	if (device->record.revision != 0)
		return bulla_fail(call, BULLA_E_INVALID, "path already in use");
	device->public = *(const struct stored_device *)context;
	return BULLA_OK;
}

enum bulla_err stored_put(struct audit *audit, struct bulla_call *call, struct stored_device *device)
{
	struct record_name at;

	TRY(place(call, &devices, device->spec.path, device->node, &at));
	return record_change(&audit->records, call, &at, make_device, device);
}

enum bulla_err stored_remove(struct audit *audit, struct bulla_call *call, struct bulla_bytes path, bool from_config, const char *id)
{
	struct record_name at, head;

	TRY(place(call, &devices, path, from_config ? audit->config.node : (struct bulla_bytes){ 0 }, &at));
	TRY(place(call, &heads, bulla_str(id), audit->config.node, &head));
	TRY(record_remove(&audit->records, call, &at));
	return from_config ? record_remove(&audit->records, call, &head) : remove_heads(audit, call, id);
}

static enum bulla_err read_device(struct audit *audit, struct bulla_call *call, struct bulla_bytes item, struct stored_device *out)
{
	const struct record_name at = { .kind = &devices, .item = item };
	struct kept_device device;

	TRY(record_read(&audit->records, call, &at, &device));
	*out = device.public;
	out->spec.path = device.record.item;
	out->node = split_node(&out->spec.path);
	bulla_wipe(&device, sizeof device);
	return BULLA_OK;
}

enum bulla_err stored_list(struct audit *audit, struct bulla_call *call, struct stored_device **list, size_t *count)
{
	struct bulla_bytes *names;

	TRY(names_of(audit, call, &devices, &names, count));
	*list = bulla_arena_alloc(call->arena, *count * sizeof **list);
	if (*list == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < *count; i++)
		TRY(read_device(audit, call, names[i], &(*list)[i]));
	return BULLA_OK;
}
