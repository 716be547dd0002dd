/* pack.c: writes and reads the plaintext of sealed records (base/pack.h). Stateless: any thread, one object each. */
#include "base/pack.h"

#include "bulla/encode.h"

/* Room for n more bytes, NULL: none. The old block stays in the arena, which is wiped as a whole. */
static uint8_t *grow(struct pack *pack, size_t n)
{
	if (pack->failed || n > SIZE_MAX / 4 - pack->len) {
		pack->failed = true;
		return NULL;
	}
	if (pack->cap - pack->len < n) {
		size_t cap = (pack->len + n) * 2 > 256 ? (pack->len + n) * 2 : 256;
		uint8_t *p = bulla_arena_alloc(pack->arena, cap);

		if (p == NULL) {
			pack->failed = true;
			return NULL;
		}
		if (pack->len > 0)
			memcpy(p, pack->ptr, pack->len);
		pack->ptr = p;
		pack->cap = cap;
	}
	uint8_t *at = pack->ptr + pack->len;

	pack->len += n;
	return at;
}

void pack_u8(struct pack *pack, uint8_t value)
{
	uint8_t *p = grow(pack, 1);

	if (p != NULL)
		*p = value;
}

void pack_u32(struct pack *pack, uint32_t value)
{
	uint8_t *p = grow(pack, 4);

	if (p != NULL)
		bulla_put_u32(p, value);
}

void pack_u64(struct pack *pack, uint64_t value)
{
	uint8_t *p = grow(pack, 8);

	if (p != NULL)
		bulla_put_u64(p, value);
}

void pack_i64(struct pack *pack, int64_t value)
{
	pack_u64(pack, (uint64_t)value);
}

void pack_raw(struct pack *pack, const void *bytes, size_t n)
{
	uint8_t *p = grow(pack, n);

	if (p != NULL && n > 0)
		memcpy(p, bytes, n);
}

void pack_bytes(struct pack *pack, struct bulla_bytes bytes)
{
	if (bytes.len > UINT32_MAX - 1) {
		pack->failed = true;
		return;
	}
	pack_u32(pack, (uint32_t)bytes.len);
	pack_raw(pack, bytes.ptr, bytes.len);
}

void pack_list(struct pack *pack, const struct bulla_bytes *items, size_t count)
{
	pack_u32(pack, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		pack_bytes(pack, items[i]);
}

void pack_pairs(struct pack *pack, const struct bulla_pair *pairs, size_t count)
{
	pack_u32(pack, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		pack_bytes(pack, pairs[i].key);
		pack_bytes(pack, pairs[i].value);
	}
}

enum bulla_err pack_finish(const struct pack *pack, struct bulla_bytes *out)
{
	if (pack->failed)
		return BULLA_E_NO_MEMORY;
	*out = bulla_mem(pack->ptr, pack->len);
	return BULLA_OK;
}

const uint8_t *unpack_raw(struct unpack *unpack, size_t n)
{
	if (unpack->failed || unpack->left < n) {
		unpack->failed = true;
		return NULL;
	}
	const uint8_t *p = unpack->ptr;

	unpack->ptr += n;
	unpack->left -= n;
	return p;
}

uint8_t unpack_u8(struct unpack *unpack)
{
	const uint8_t *p = unpack_raw(unpack, 1);

	return p == NULL ? 0 : *p;
}

uint32_t unpack_u32(struct unpack *unpack)
{
	const uint8_t *p = unpack_raw(unpack, 4);

	return p == NULL ? 0 : bulla_get_u32(p);
}

uint64_t unpack_u64(struct unpack *unpack)
{
	const uint8_t *p = unpack_raw(unpack, 8);

	return p == NULL ? 0 : bulla_get_u64(p);
}

int64_t unpack_i64(struct unpack *unpack)
{
	return (int64_t)unpack_u64(unpack);
}

struct bulla_bytes unpack_bytes(struct unpack *unpack)
{
	uint32_t n = unpack_u32(unpack);
	const uint8_t *p = unpack_raw(unpack, n);

	return p == NULL ? (struct bulla_bytes){ 0 } : bulla_mem(p, n);
}

uint32_t unpack_count(struct unpack *unpack, size_t min_bytes)
{
	uint32_t n = unpack_u32(unpack);

	if (n > unpack->left / min_bytes)
		unpack->failed = true;
	return unpack->failed ? 0 : n;
}

enum bulla_err unpack_list(struct unpack *unpack, struct bulla_arena *arena, const struct bulla_bytes **items, size_t *count)
{
	uint32_t n = unpack_count(unpack, 4);
	struct bulla_bytes *list = bulla_arena_alloc(arena, n * sizeof *list);

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	for (uint32_t i = 0; i < n; i++)
		list[i] = unpack_bytes(unpack);
	*items = list;
	*count = n;
	return BULLA_OK;
}

enum bulla_err unpack_pairs(struct unpack *unpack, struct bulla_arena *arena, const struct bulla_pair **pairs, size_t *count)
{
	uint32_t n = unpack_count(unpack, 8);
	struct bulla_pair *list = bulla_arena_alloc(arena, n * sizeof *list);

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	for (uint32_t i = 0; i < n; i++) {
		list[i].key = unpack_bytes(unpack);
		list[i].value = unpack_bytes(unpack);
	}
	*pairs = list;
	*count = n;
	return BULLA_OK;
}

enum bulla_err unpack_finish(const struct unpack *unpack)
{
	return unpack->failed || unpack->left > 0 ? BULLA_E_STORE_DAMAGED : BULLA_OK;
}
