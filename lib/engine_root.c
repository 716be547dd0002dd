/* engine_root.c: owns the attempt at a new root token: its nonce, its one-time pad, and how far it is. The seal has the shares.
 * Any thread, but for updates, which are workers'. */
#include "engine_private.h"

#include "bulla/encode.h"
#include "bulla/root_token.h"
#include "crypto/crypto.h"

/* ---- the pad ------------------------------------------------------------------------------------------------------------ */

enum bulla_err bulla_root_otp(struct bulla_call *call, struct bulla_bytes *otp)
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint8_t *text = bulla_arena_alloc(call->arena, BULLA_ROOT_TOKEN_BYTES);

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < BULLA_ROOT_TOKEN_BYTES;) {
		uint8_t byte;

		TRY(random_bytes(&byte, 1));
		if (byte < 248) /* 4 times 62: each letter as likely as the others */
			text[i++] = (uint8_t)letters[byte % 62];
	}
	*otp = bulla_mem(text, BULLA_ROOT_TOKEN_BYTES);
	return BULLA_OK;
}

/* Base64 without padding (RFC 4648) of token XOR pad; both of one length. */
static enum bulla_err encode(struct bulla_call *call, struct bulla_bytes token, const uint8_t *pad, struct bulla_bytes *out)
{
	uint8_t *mixed = bulla_arena_alloc(call->arena, token.len);
	char *text = bulla_arena_alloc(call->arena, BULLA_BASE64_LEN(token.len) + 1);

	if (mixed == NULL || text == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < token.len; i++)
		mixed[i] = token.ptr[i] ^ pad[i];
	size_t len = bulla_base64_encode(bulla_mem(mixed, token.len), text);

	while (len > 0 && text[len - 1] == '=')
		len--;
	*out = bulla_mem(text, len);
	return BULLA_OK;
}

static enum bulla_err decode(struct bulla_call *call, struct bulla_bytes encoded, uint8_t **bytes, size_t *len)
{
	struct bulla_bytes padded = bulla_arena_printf(call->arena, "%.*s%.*s", (int)encoded.len, (const char *)encoded.ptr,
						       (int)(-encoded.len & 3), "===");
	size_t bad_at = 0;

	*bytes = bulla_arena_alloc(call->arena, encoded.len + 4);
	if (padded.ptr == NULL || *bytes == NULL)
		return BULLA_E_NO_MEMORY;
	if (memchr(encoded.ptr, '=', encoded.len) != NULL || bulla_base64_decode(padded, *bytes, len, &bad_at) != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID, "error decoding base64'd token: illegal base64 data at input byte %zu", bad_at);
	return BULLA_OK;
}

enum bulla_err bulla_root_decode(struct bulla_call *call, struct bulla_bytes encoded, struct bulla_bytes otp,
				 struct bulla_bytes *token)
{
	uint8_t *bytes;
	size_t len = 0;

	if (encoded.len == 0 || otp.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "provided 'encoded_token' or 'otp' is empty");
	TRY(decode(call, encoded, &bytes, &len));
	if (len != otp.len)
		return bulla_fail(call, BULLA_E_INVALID, "error xoring token: length of byte slices is not equivalent: %zu != %zu", len,
				  otp.len);
	for (size_t i = 0; i < len; i++)
		bytes[i] ^= otp.ptr[i];
	*token = bulla_mem(bytes, len);
	return BULLA_OK;
}

/* ---- the attempt ---------------------------------------------------------------------------------------------------------- */

/* With root->lock. */
static void end(struct bulla *engine, struct root_attempt *root)
{
	bulla_secret_free(root->otp, BULLA_ROOT_TOKEN_BYTES);
	root->otp = NULL;
	root->nonce[0] = '\0';
	seal_prove_reset(engine->seal);
}

void bulla_root_cancel(struct bulla *engine)
{
	struct root_attempt *root = &engine_of(engine)->root;

	pthread_mutex_lock(&root->lock);
	end(engine, root);
	pthread_mutex_unlock(&root->lock);
}

void bulla_root_status(struct bulla *engine, struct bulla_root_status *out)
{
	struct root_attempt *root = &engine_of(engine)->root;
	struct bulla_seal_status seal;

	seal_status(engine->seal, &seal);
	pthread_mutex_lock(&root->lock);
	out->started = root->otp != NULL;
	memcpy(out->nonce, root->nonce, sizeof out->nonce);
	out->progress = seal_prove_progress(engine->seal);
	out->required = seal.threshold;
	pthread_mutex_unlock(&root->lock);
}

/* With root->lock. */
static enum bulla_err begin(struct root_attempt *root, struct bulla_call *call, struct bulla_bytes otp)
{
	if (root->otp != NULL)
		return bulla_fail(call, BULLA_E_INVALID, "root generation already in progress for this namespace");
	uint8_t *copy = bulla_secret_alloc(BULLA_ROOT_TOKEN_BYTES);

	if (copy == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(copy, otp.ptr, otp.len);
	enum bulla_err err = random_uuid(root->nonce);

	if (err != BULLA_OK) {
		bulla_secret_free(copy, BULLA_ROOT_TOKEN_BYTES);
		root->nonce[0] = '\0';
		return err;
	}
	root->nonce[UUID_TEXT] = '\0';
	root->otp = copy;
	return BULLA_OK;
}

enum bulla_err bulla_root_begin(struct bulla *engine, struct bulla_call *call, struct bulla_bytes otp, struct bulla_bytes *made)
{
	struct root_attempt *root = &engine_of(engine)->root;
	struct bulla_bytes pad = otp;

	if (otp.len == 0)
		TRY(bulla_root_otp(call, &pad));
	if (pad.len != BULLA_ROOT_TOKEN_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "OTP string has incorrect length");
	TRY(seal_hold(engine->seal));
	pthread_mutex_lock(&root->lock);
	enum bulla_err err = begin(root, call, pad);

	pthread_mutex_unlock(&root->lock);
	seal_release(engine->seal);
	TRY(err);
	if (otp.len == 0)
		*made = pad;
	return BULLA_OK;
}

/* With root->lock. The attempt ends only when the token is on disk. */
static enum bulla_err finish(struct bulla *engine, struct bulla_call *call, struct root_attempt *root, struct bulla_bytes *encoded)
{
	struct bulla_bytes token;

	TRY(access_make_root(engine->access, call, (struct bulla_bytes){ 0 }, &token));
	if (token.len != BULLA_ROOT_TOKEN_BYTES)
		return bulla_fail(call, BULLA_E_INTERNAL, "a token of another length than its pad");
	TRY(encode(call, token, root->otp, encoded));
	end(engine, root);
	return BULLA_OK;
}

/* With root->lock. */
static enum bulla_err update(struct bulla *engine, struct bulla_call *call, struct root_attempt *root, struct bulla_bytes nonce,
			     struct bulla_bytes share, struct bulla_root_progress *out)
{
	if (root->otp == NULL)
		return bulla_fail(call, BULLA_E_BAD_SHARE, "no root generation in progress");
	if (!bulla_is(nonce, root->nonce))
		return bulla_fail(call, BULLA_E_BAD_SHARE,
				  "incorrect nonce supplied; nonce for this root generation operation is \"%s\"", root->nonce);
	TRY(seal_prove(engine->seal, call, share, &out->progress, &out->complete));
	return out->complete ? finish(engine, call, root, &out->encoded) : BULLA_OK;
}

enum bulla_err bulla_root_update(struct bulla *engine, struct bulla_call *call, struct bulla_bytes nonce, struct bulla_bytes share,
				 struct bulla_root_progress *out)
{
	struct root_attempt *root = &engine_of(engine)->root;
	struct bulla_root_progress progress = { 0 };
	struct bulla_seal_status status;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	seal_status(engine->seal, &status);
	progress.required = status.threshold;
	TRY(seal_hold(engine->seal));
	pthread_mutex_lock(&root->lock);
	enum bulla_err err = update(engine, call, root, nonce, share, &progress);

	pthread_mutex_unlock(&root->lock);
	seal_release(engine->seal);
	TRY(err);
	*out = progress;
	return BULLA_OK;
}
