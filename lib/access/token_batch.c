/* token_batch.c: batch tokens. Such a token is its own record, sealed by the barrier: making and checking one takes no write and,
 * without a parent, no read. So it can be neither revoked by itself nor renewed; it ends with its time, or with its parent.
 * Any thread. */
#include "access/access_private.h"
#include "bulla/encode.h"

#define PREFIX "b."
#define PREFIX_BYTES 2
#define NS_PER_S INT64_C(1000000000)

bool batch_is(struct bulla_bytes text)
{
	return text.len >= PREFIX_BYTES && memcmp(text.ptr, PREFIX, PREFIX_BYTES) == 0;
}

/* No record lies there: what is sealed for it opens nowhere else, and nothing of the store opens as a token. */
static enum bulla_err batch_slot(struct access *access, struct store_id *out)
{
	const struct barrier_name name = { .kind = "batch-token" };

	return barrier_slot(access->seal, &name, out);
}

static enum bulla_err print(struct bulla_call *call, struct bulla_bytes sealed, struct bulla_bytes *text)
{
	char *p = bulla_arena_alloc(call->arena, PREFIX_BYTES + BULLA_BASE64_LEN(sealed.len));

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(p, PREFIX, PREFIX_BYTES);
	*text = bulla_mem(p, PREFIX_BYTES + bulla_base64url_encode(sealed, p + PREFIX_BYTES));
	return BULLA_OK;
}

/* One token has one text: what decodes to the same bytes is refused, or it could be counted as another caller. */
static enum bulla_err decode(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *sealed)
{
	struct bulla_bytes digits = bulla_mem(text.ptr + PREFIX_BYTES, text.len - PREFIX_BYTES), again;
	uint8_t *p = bulla_arena_alloc(call->arena, BULLA_BASE64_MAX_DECODED(digits.len));
	size_t len, bad_at;

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	if (bulla_base64url_decode(digits, p, &len, &bad_at) != BULLA_OK)
		return BULLA_E_NO_TOKEN;
	TRY(print(call, bulla_mem(p, len), &again));
	if (!bulla_equal(again, text))
		return BULLA_E_NO_TOKEN;
	*sealed = bulla_mem(p, len);
	return BULLA_OK;
}

static enum bulla_err check_length(struct bulla_call *call, struct bulla_bytes text)
{
	if (text.len <= TOKEN_MAX_BATCH_BYTES)
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "with these policies and metadata the batch token would have %zu of at most %d bytes",
			  text.len, TOKEN_MAX_BATCH_BYTES);
}

enum bulla_err batch_make(struct access *access, struct bulla_call *call, const struct token_new *args, struct bulla_bytes *text,
			  struct token **out)
{
	struct bulla_token t = args->token;
	struct bulla_bytes record, sealed;
	struct store_id seat, slot;

	t.type = BULLA_TOKEN_BATCH;
	t.accessor = (struct bulla_bytes){ 0 };
	/* whole seconds as dates, as OpenBao prints them */
	t.created_date_ns = bulla_date_of(bulla_clock_ns()) / NS_PER_S * NS_PER_S;
	t.issued_ns = bulla_clock_of(t.created_date_ns);
	t.num_uses = 0;
	t.period_s = t.explicit_max_ttl_s = 0;
	t.renewable = false;
	TRY(token_pack(call, &t, &args->parent, &record));
	TRY(batch_slot(access, &seat));
	TRY(barrier_seal(access->seal, call, &seat, 1, record, &sealed));
	TRY(print(call, sealed, text));
	TRY(check_length(call, *text));
	TRY(token_slot(access, *text, &slot));
	return token_unpack(record, &slot, 1, out);
}

static enum bulla_err open_sealed(struct access *access, struct bulla_call *call, struct bulla_bytes text,
				  struct bulla_bytes *record)
{
	struct store_record sealed = { .revision = 1 };

	TRY(decode(call, text, &sealed.bytes));
	TRY(batch_slot(access, &sealed.id));
	enum bulla_err err = barrier_open(access->seal, call, &sealed, record);

	if (err != BULLA_E_STORE_DAMAGED)
		return err;
	call->detail = (struct bulla_bytes){ 0 };
	return BULLA_E_NO_TOKEN;
}

enum bulla_err batch_open(struct access *access, struct bulla_call *call, struct bulla_bytes text, struct token **out)
{
	unsigned revocations = atomic_load(&access->revocations);
	struct bulla_bytes record;
	struct store_id slot;

	if (text.len > TOKEN_MAX_BATCH_BYTES)
		return BULLA_E_NO_TOKEN;
	TRY(open_sealed(access, call, text, &record));
	TRY(token_slot(access, text, &slot));
	TRY(token_unpack(record, &slot, 1, out));
	(*out)->snapshot.epoch = snapshots_epoch(&access->cache, &slot); /* it has no record that could change */
	(*out)->generation = revocations;
	return BULLA_OK;
}

enum bulla_err batch_load(struct access *access, struct bulla_call *call, struct bulla_bytes text, struct token **out)
{
	unsigned generation = atomic_load(&access->generation);
	struct token *token;

	TRY(batch_open(access, call, text, &token));
	enum bulla_err err = token_is_dead(token, bulla_clock_ns()) ? BULLA_E_NO_TOKEN
								  : check_ancestors(access, call, token, generation);

	if (err != BULLA_OK) {
		token_put(token);
		return err;
	}
	*out = token;
	return BULLA_OK;
}
