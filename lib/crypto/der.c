/* der.c: owns the reading of DER (X.690, section 10). Stateless: any thread. */
#include "crypto/der.h"

#define MAX_LENGTH_BYTES 3 /* 16 MiB: more than any key */

/* Bytes of tag and length at the cursor, 0: malformed. *len: of the content. */
static size_t header(struct bulla_bytes cursor, size_t *len)
{
	if (cursor.len < 2)
		return 0;
	size_t more = cursor.ptr[1] & 0x7F;

	if (cursor.ptr[1] < 0x80) {
		*len = cursor.ptr[1];
		return 2;
	}
	if (more == 0 || more > MAX_LENGTH_BYTES || cursor.len < 2 + more || cursor.ptr[2] == 0)
		return 0;
	*len = 0;
	for (size_t i = 0; i < more; i++)
		*len = *len << 8 | cursor.ptr[2 + i];
	return *len < 0x80 ? 0 : 2 + more;
}

bool der_is_next(struct bulla_bytes cursor, unsigned tag)
{
	return cursor.len > 0 && cursor.ptr[0] == tag;
}

bool der_take(struct bulla_bytes *cursor, unsigned tag, struct bulla_bytes *content)
{
	size_t len = 0, before = der_is_next(*cursor, tag) ? header(*cursor, &len) : 0;

	if (before == 0 || len > cursor->len - before)
		return false;
	*content = bulla_mem(cursor->ptr + before, len);
	*cursor = bulla_mem(cursor->ptr + before + len, cursor->len - before - len);
	return true;
}

bool der_take_small(struct bulla_bytes *cursor, unsigned *value)
{
	struct bulla_bytes rest = *cursor, content;

	if (!der_take(&rest, DER_INTEGER, &content) || content.len != 1 || content.ptr[0] > 127)
		return false;
	*value = content.ptr[0];
	*cursor = rest;
	return true;
}

bool der_take_bits(struct bulla_bytes *cursor, unsigned tag, struct bulla_bytes *bytes)
{
	struct bulla_bytes rest = *cursor, content;

	if (!der_take(&rest, tag, &content) || content.len < 1 || content.ptr[0] != 0)
		return false;
	*bytes = bulla_mem(content.ptr + 1, content.len - 1);
	*cursor = rest;
	return true;
}
