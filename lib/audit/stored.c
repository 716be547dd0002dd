/* stored.c: what is stored of the audit devices, as sealed documents (docs/FORMATS.md): how each is to be, with its salt and the
 * seed of its signing key; how far its chain came; which headers are recorded. All blocks. */
#include <stdlib.h>

#include "audit/audit_private.h"
#include "base/pack.h"

#define FORM 1
#define KIND_DEVICE "audit-device"
#define KIND_HEAD "audit-head"

static struct document_name name_of(const char *kind, struct bulla_bytes item)
{
	return (struct document_name){ .kind = kind, .item = item };
}

/* What belongs to a node of several has its name behind a zero byte, which no path has. */
static enum bulla_err node_name_of(struct bulla_call *call, const char *kind, struct bulla_bytes item, struct bulla_bytes node, struct document_name *out)
{
	uint8_t *p = node.len > 0 ? bulla_arena_alloc(call->arena, item.len + 1 + node.len) : NULL;

	*out = name_of(kind, item);
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

enum bulla_err stored_put(struct audit *audit, struct bulla_call *call, const struct stored_device *device)
{
	struct pack pack = { .arena = call->arena };
	struct document_name name;
	struct bulla_bytes value;

	pack_u8(&pack, FORM);
	pack_bytes(&pack, device->spec.type);
	pack_bytes(&pack, device->spec.description);
	pack_u8(&pack, (uint8_t)((device->spec.local ? 1 : 0) | (device->from_config ? 2 : 0)));
	pack_raw(&pack, device->id, UUID_TEXT);
	pack_raw(&pack, device->secrets.salt, SALT_BYTES);
	pack_raw(&pack, device->secrets.seed, SIGNING_SEED_BYTES);
	pack_u32(&pack, (uint32_t)device->spec.option_count);
	for (size_t i = 0; i < device->spec.option_count; i++) {
		pack_bytes(&pack, device->spec.options[i].key);
		pack_bytes(&pack, device->spec.options[i].value);
	}
	TRY(pack_finish(&pack, &value));
	TRY(node_name_of(call, KIND_DEVICE, device->spec.path, device->node, &name));
	return document_put(&audit->documents, call, &name, device->revision, value);
}

/* On all nodes. */
static enum bulla_err remove_heads(struct audit *audit, struct bulla_call *call, const char *id)
{
	struct document_name all = name_of(KIND_HEAD, (struct bulla_bytes){ 0 });
	struct bulla_bytes *names;
	size_t count;

	TRY(document_names(&audit->documents, call, &all, &names, &count));
	for (size_t i = 0; i < count; i++) {
		struct document_name name = name_of(KIND_HEAD, names[i]);
		struct bulla_bytes of = names[i];

		(void)split_node(&of);
		if (bulla_is(of, id))
			TRY(document_remove(&audit->documents, call, &name, STORE_ANY_REVISION));
	}
	return BULLA_OK;
}

enum bulla_err stored_remove(struct audit *audit, struct bulla_call *call, struct bulla_bytes path, bool from_config, const char *id)
{
	struct document_name name, head;

	TRY(node_name_of(call, KIND_DEVICE, path, from_config ? audit->config.node : (struct bulla_bytes){ 0 }, &name));
	TRY(node_name_of(call, KIND_HEAD, bulla_str(id), audit->config.node, &head));
	TRY(document_remove(&audit->documents, call, &name, STORE_ANY_REVISION));
	if (!from_config)
		return remove_heads(audit, call, id);
	return document_remove(&audit->documents, call, &head, STORE_ANY_REVISION);
}

static enum bulla_err read_device(struct bulla_call *call, const struct document *document, struct stored_device *out)
{
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };

	if (unpack_u8(&in) != FORM)
		return BULLA_E_STORE_DAMAGED;
	out->spec.path = document->item;
	out->node = split_node(&out->spec.path);
	out->spec.type = unpack_bytes(&in);
	out->spec.description = unpack_bytes(&in);
	uint8_t flags = unpack_u8(&in);
	const uint8_t *id = unpack_raw(&in, UUID_TEXT), *salt = unpack_raw(&in, SALT_BYTES),
		      *seed = unpack_raw(&in, SIGNING_SEED_BYTES);
	uint32_t count = unpack_count(&in, 8);
	struct bulla_pair *options = bulla_arena_alloc(call->arena, count * sizeof *options);

	if (options == NULL)
		return BULLA_E_NO_MEMORY;
	for (uint32_t i = 0; i < count; i++) {
		options[i].key = unpack_bytes(&in);
		options[i].value = unpack_bytes(&in);
	}
	TRY(unpack_finish(&in));
	out->spec.local = (flags & 1) != 0;
	out->from_config = (flags & 2) != 0;
	out->spec.options = options;
	out->spec.option_count = count;
	memcpy(out->id, id, UUID_TEXT);
	memcpy(out->secrets.salt, salt, SALT_BYTES);
	memcpy(out->secrets.seed, seed, SIGNING_SEED_BYTES);
	out->revision = document->revision;
	return BULLA_OK;
}

enum bulla_err stored_list(struct audit *audit, struct bulla_call *call, struct stored_device **list, size_t *count)
{
	struct document_name all = name_of(KIND_DEVICE, (struct bulla_bytes){ 0 });
	struct bulla_bytes *names;

	TRY(document_names(&audit->documents, call, &all, &names, count));
	*list = bulla_arena_alloc(call->arena, *count * sizeof **list);
	if (*list == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < *count; i++) {
		struct document_name name = name_of(KIND_DEVICE, names[i]);
		struct document document;

		TRY(document_get(&audit->documents, call, &name, &document));
		TRY(read_device(call, &document, &(*list)[i]));
	}
	return BULLA_OK;
}

enum bulla_err stored_head_get(struct audit *audit, struct bulla_call *call, const char *id, struct chain *out)
{
	struct document_name name;
	struct document document;

	TRY(node_name_of(call, KIND_HEAD, bulla_str(id), audit->config.node, &name));
	enum bulla_err err = document_get(&audit->documents, call, &name, &document);

	*out = (struct chain){ 0 };
	if (err == BULLA_E_NOT_FOUND) {
		call->detail = (struct bulla_bytes){ 0 };
		return BULLA_OK;
	}
	TRY(err);
	struct unpack in = { .ptr = document.value.ptr, .left = document.value.len };
	uint8_t form = unpack_u8(&in);

	out->records = unpack_u64(&in);
	out->signed_records = unpack_u64(&in);
	const uint8_t *head = unpack_raw(&in, SHA256_BYTES);

	TRY(unpack_finish(&in));
	if (form != FORM)
		return BULLA_E_STORE_DAMAGED;
	memcpy(out->head, head, SHA256_BYTES);
	return BULLA_OK;
}

/* One writer: whoever holds audit->lock. */
enum bulla_err stored_head_put(struct audit *audit, struct bulla_call *call, const char *id, const struct chain *chain)
{
	struct pack pack = { .arena = call->arena };
	struct document before = { 0 };
	struct document_name name;
	struct bulla_bytes value;

	TRY(node_name_of(call, KIND_HEAD, bulla_str(id), audit->config.node, &name));
	enum bulla_err err = document_get(&audit->documents, call, &name, &before);

	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	call->detail = (struct bulla_bytes){ 0 };
	pack_u8(&pack, FORM);
	pack_u64(&pack, chain->records);
	pack_u64(&pack, chain->signed_records);
	pack_raw(&pack, chain->head, SHA256_BYTES);
	TRY(pack_finish(&pack, &value));
	return document_put(&audit->documents, call, &name, err == BULLA_OK ? before.revision : 0, value);
}
