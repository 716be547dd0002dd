/* token_make.c: writes a new token with its accessor and its place below its parent, in one commit. Workers only. */
#include "access/access_private.h"
#include "base/pack.h"
#include "crypto/crypto.h"

#define ID_CHARS 24 /* base62: 142 bits */

static enum bulla_err random_base62(char *out, size_t n)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	for (size_t i = 0; i < n;) {
		uint8_t bytes[32];

		TRY(random_bytes(bytes, sizeof bytes));
		for (size_t j = 0; j < sizeof bytes && i < n; j++)
			if (bytes[j] < 248) /* 4 * 62: without bias */
				out[i++] = alphabet[bytes[j] % 62];
		bulla_wipe(bytes, sizeof bytes);
	}
	return BULLA_OK;
}

static enum bulla_err random_id(struct bulla_call *call, const char *prefix, struct bulla_bytes *out)
{
	size_t n = strlen(prefix);
	char *p = bulla_arena_alloc(call->arena, n + ID_CHARS);

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(p, prefix, n);
	TRY(random_base62(p + n, ID_CHARS));
	*out = bulla_mem(p, n + ID_CHARS);
	return BULLA_OK;
}

/* One of the records that say where a token is: format, its slot, and for an accessor its name. */
static enum bulla_err pointer(struct access *access, struct bulla_call *call, const struct store_id *id,
			      const struct store_id *slot, const struct bulla_bytes *name, struct store_write *out)
{
	struct pack pack = { .arena = call->arena };
	struct bulla_bytes plain;

	pack_u8(&pack, 1);
	pack_raw(&pack, slot->bytes, sizeof slot->bytes);
	if (name != NULL)
		pack_bytes(&pack, *name);
	TRY(pack_finish(&pack, &plain));
	*out = (struct store_write){ .id = *id, .change = STORE_PUT, .expected = 0 };
	return barrier_seal(access->seal, call, id, 1, plain, &out->bytes);
}

static enum bulla_err write_new(struct access *access, struct bulla_call *call, const struct token_new *args,
				const struct store_id *slot, struct token **out)
{
	struct store_write writes[TOKEN_MAX_WRITES] = { { .id = *slot, .change = STORE_PUT, .expected = 0 } };
	struct bulla_bytes record;
	struct store_id id;
	struct token *made;
	size_t count = 2;

	TRY(token_pack(call, &args->token, &args->parent, &record));
	TRY(store_begin_anew(&writes[0]));
	TRY(barrier_seal(access->seal, call, slot, store_revision(&writes[0]), record, &writes[0].bytes));
	TRY(accessor_slot(access, args->token.accessor, &id));
	TRY(pointer(access, call, &id, slot, &args->token.accessor, &writes[1]));
	if (!args->token.orphan) {
		TRY(child_slot(access, &args->parent, slot, &id));
		TRY(pointer(access, call, &id, slot, NULL, &writes[count++]));
	}
	if (args->also != NULL)
		TRY(args->also(access, call, args, slot, writes, &count));
	TRY(token_unpack(record, slot, store_revision(&writes[0]), &made));
	enum bulla_err err = expiry_file(access, call, made, writes, &count);

	if (err == BULLA_OK)
		err = store_commit(access->store, call, writes, count, NULL);
	if (err != BULLA_OK) {
		token_put(made);
		return err;
	}
	*out = made;
	return BULLA_OK;
}

enum bulla_err token_make(struct access *access, struct bulla_call *call, const struct token_new *args, struct bulla_bytes *text,
			  struct token **out)
{
	struct token_new new = *args;
	struct store_id slot;

	new.token.issued_ns = bulla_clock_ns();
	new.token.created_date_ns = bulla_date_of(new.token.issued_ns);
	*text = args->wanted;
	if (text->len == 0)
		TRY(random_id(call, "s.", text));
	TRY(random_id(call, "", &new.token.accessor));
	TRY(token_slot(access, *text, &slot));
	enum bulla_err err = write_new(access, call, &new, &slot, out);

	if (err == BULLA_E_CONFLICT && args->wanted.len > 0)
		return bulla_fail(call, BULLA_E_INVALID, "cannot create a token with a duplicate ID");
	return err;
}
