/* slot.c: where a record lies: keyed tags of names, so that the file shows none (docs/FORMATS.md). Takes no lock. */
#include <stdlib.h>

#include "bulla/encode.h"
#include "seal/seal_internal.h"

#define ON_STACK 512

enum what { OF_COLLECTION = 1, OF_RECORD = 2 };

static uint8_t *append(uint8_t *p, struct bulla_bytes part)
{
	bulla_put_u32(p, (uint32_t)part.len);
	if (part.len > 0)
		memcpy(p + 4, part.ptr, part.len);
	return p + 4 + part.len;
}

/* The collection's parts are the beginning of the record's: one buffer serves both, with the first byte changed. */
static void tags(const uint8_t *id_key, const struct barrier_name *name, uint8_t *buffer, struct store_id *out)
{
	uint8_t *p = append(buffer + 1, bulla_str(name->kind));

	p = append(p, name->scope);
	p = append(p, name->scope2);
	buffer[0] = OF_COLLECTION;
	keyed_tag(id_key, bulla_mem(buffer, (size_t)(p - buffer)), out->bytes);
	p = append(p, name->item);
	buffer[0] = OF_RECORD;
	keyed_tag(id_key, bulla_mem(buffer, (size_t)(p - buffer)), out->bytes + STORE_COLLECTION);
}

enum bulla_err barrier_slot(struct seal *seal, const struct barrier_name *name, struct store_id *out)
{
	uint8_t stack[ON_STACK];
	size_t n = 1 + 4 * 4 + strlen(name->kind) + name->scope.len + name->scope2.len + name->item.len;
	uint8_t *buffer = n <= sizeof stack ? stack : malloc(n);
	enum bulla_err err = BULLA_OK;

	if (buffer == NULL)
		return BULLA_E_NO_MEMORY;
	rcu_read_begin();
	const struct barrier_keys *keys = rcu_load(seal->keys);

	if (keys != NULL)
		tags(keys->id_key, name, buffer, out);
	if (keys == NULL)
		err = BULLA_E_SEALED;
	rcu_read_end();
	bulla_wipe(buffer, n); /* a name may be a token */
	if (buffer != stack)
		free(buffer);
	return err;
}
