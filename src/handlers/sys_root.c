/* sys_root.c: a new root token by agreement of those who hold shares: for callers with a token (generate-root-token), and, where
 * the listener lets them, for anybody (generate-root). Any thread, one exchange at a time. */
#include "handlers/share.h"
#include "http/routes.h"

struct begin_fields {
	struct bulla_bytes otp, pgp_key;
};

static const struct field begin_fields[] = {
	FIELD(struct begin_fields, otp, FIELD_STRING),
	FIELD(struct begin_fields, pgp_key, FIELD_STRING),
	FIELD_END,
};

static enum bulla_err begin_attempt(struct exchange *x, struct bulla_bytes *otp)
{
	struct begin_fields f = { 0 };

	*otp = bulla_str("");
	TRY(fields_bind(x->call, x->doc, begin_fields, true, &f));
	if (f.otp.len == 0 && f.pgp_key.len > 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "encrypting keys with PGP is not supported");
	return bulla_root_begin(x->engine, x->call, f.otp, otp);
}

static enum bulla_err cancel(struct exchange *x)
{
	bulla_root_cancel(x->engine);
	return BULLA_OK;
}

struct update_fields {
	struct bulla_bytes nonce, key;
};

static const struct field update_fields[] = {
	FIELD(struct update_fields, nonce, FIELD_STRING),
	FIELD(struct update_fields, key, FIELD_STRING),
	FIELD_END,
};

static enum bulla_err give_share(struct exchange *x, const struct update_fields *f, struct bulla_root_progress *progress)
{
	struct bulla_bytes share;

	TRY(share_decode(x->call, f->key, &share));
	return bulla_root_update(x->engine, x->call, f->nonce, share, progress);
}

/* ---- with a token --------------------------------------------------------------------------------------------------------- */

static void print_attempt(struct exchange *x, struct bulla_bytes otp)
{
	struct bulla_root_status status;
	struct out *out = x->data;

	bulla_root_status(x->engine, &status);
	json_open(out, '{');
	json_put_bool(out, "complete", false);
	if (status.started)
		json_put_text(out, "nonce", status.nonce);
	json_put_string(out, "otp", otp);
	json_put_int(out, "otp_length", BULLA_ROOT_TOKEN_BYTES);
	if (status.started)
		json_put_text(out, "pgp_fingerprint", "");
	json_put_int(out, "progress", status.progress);
	json_put_int(out, "required", status.required);
	json_put_bool(out, "started", status.started);
	json_close(out, '}');
}

static enum bulla_err read_attempt(struct exchange *x)
{
	print_attempt(x, bulla_str(""));
	return BULLA_OK;
}

static enum bulla_err begin(struct exchange *x)
{
	struct bulla_bytes otp;

	TRY(begin_attempt(x, &otp));
	print_attempt(x, otp);
	return BULLA_OK;
}

/* What is wrong with a share is a 500 here, as at the peer. */
static enum bulla_err update(struct exchange *x)
{
	struct bulla_root_progress progress;
	struct update_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, update_fields, true, &f));
	if (f.nonce.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "nonce is required");
	if (f.key.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "key is required");
	enum bulla_err err = give_share(x, &f, &progress);

	if (err == BULLA_E_INVALID || err == BULLA_E_BAD_SHARE)
		return BULLA_E_INVALID_500;
	TRY(err);
	json_open(x->data, '{');
	json_put_bool(x->data, "complete", progress.complete);
	json_put_string(x->data, "encoded_token", progress.encoded);
	json_put_string(x->data, "nonce", f.nonce);
	json_put_text(x->data, "pgp_fingerprint", "");
	json_put_int(x->data, "progress", progress.progress);
	json_put_int(x->data, "required", progress.required);
	json_put_bool(x->data, "started", true);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- without ---------------------------------------------------------------------------------------------------------------- */

static void print_open(struct exchange *x, const struct bulla_root_status *status, const struct bulla_root_progress *progress,
		       struct bulla_bytes otp, int otp_length)
{
	struct out *out = x->data;

	json_open(out, '{');
	json_put_text(out, "nonce", status->nonce);
	json_put_bool(out, "started", status->started);
	json_put_int(out, "progress", progress->progress);
	json_put_int(out, "required", progress->required);
	json_put_bool(out, "complete", progress->complete);
	json_put_string(out, "encoded_token", progress->encoded);
	json_put_string(out, "encoded_root_token", progress->encoded);
	json_put_text(out, "pgp_fingerprint", "");
	json_put_string(out, "otp", otp);
	json_put_int(out, "otp_length", otp_length);
	json_close(out, '}');
}

static void print_open_attempt(struct exchange *x, struct bulla_bytes otp)
{
	struct bulla_root_status status;

	bulla_root_status(x->engine, &status);
	const struct bulla_root_progress progress = { .progress = status.progress, .required = status.required };

	print_open(x, &status, &progress, otp, BULLA_ROOT_TOKEN_BYTES);
}

static enum bulla_err open_gate(const struct exchange *x)
{
	return x->request->may_generate_root ? BULLA_OK : BULLA_E_OPEN_METHOD;
}

static enum bulla_err open_read(struct exchange *x)
{
	TRY(open_gate(x));
	print_open_attempt(x, bulla_str(""));
	return BULLA_OK;
}

static enum bulla_err open_begin(struct exchange *x)
{
	struct bulla_bytes otp;

	TRY(open_gate(x));
	TRY(begin_attempt(x, &otp));
	print_open_attempt(x, otp);
	return BULLA_OK;
}

static enum bulla_err open_cancel(struct exchange *x)
{
	TRY(open_gate(x));
	return cancel(x);
}

static enum bulla_err open_update(struct exchange *x)
{
	struct bulla_root_status status = { .started = true };
	struct bulla_root_progress progress;
	struct update_fields f = { 0 };

	TRY(open_gate(x));
	TRY(fields_bind(x->call, x->doc, update_fields, true, &f));
	if (f.key.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "'key' must be specified in request body as JSON");
	TRY(give_share(x, &f, &progress));
	memcpy(status.nonce, f.nonce.ptr, f.nonce.len < sizeof status.nonce ? f.nonce.len : 0);
	print_open(x, &status, &progress, bulla_str(""), 0);
	return BULLA_OK;
}

/* ---- decoding --------------------------------------------------------------------------------------------------------------- */

struct decode_fields {
	struct bulla_bytes encoded_token, otp;
};

static const struct field decode_fields[] = {
	FIELD(struct decode_fields, encoded_token, FIELD_STRING),
	FIELD(struct decode_fields, otp, FIELD_STRING),
	FIELD_END,
};

static enum bulla_err decode(struct exchange *x)
{
	struct decode_fields f = { 0 };
	struct bulla_bytes token;

	TRY(fields_bind(x->call, x->doc, decode_fields, true, &f));
	TRY(bulla_root_decode(x->call, f.encoded_token, f.otp, &token));
	json_open(x->data, '{');
	json_put_string(x->data, "token", token);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- routes ----------------------------------------------------------------------------------------------------------------- */

#define ROW(method, path, handler_, flags_, known, anchor)                                                     \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(method), .pattern = path, .fn = handler_, .flags = flags_, \
	  .fields = known, .doc = anchor }
#define OPEN (ROUTE_EDGE | ROUTE_NO_TOKEN | ROUTE_RAW | ROUTE_BLOCKS)
#define ASKED (ROUTE_TOKEN | ROUTE_BLOCKS)

const struct route sys_root_routes[] = {
	ROW(GET, "generate-root-token/attempt", read_attempt, ROUTE_TOKEN, NULL, "generate-root-token"),
	ROW(POST, "generate-root-token/attempt", begin, ASKED, begin_fields, "generate-root-token"),
	ROW(DELETE, "generate-root-token/attempt", cancel, ASKED, NULL, "generate-root-token"),
	ROW(POST, "generate-root-token/update", update, ASKED, update_fields, "generate-root-token"),
	ROW(GET, "generate-root/attempt", open_read, OPEN, NULL, "generate-root-token"),
	ROW(POST, "generate-root/attempt", open_begin, OPEN, begin_fields, "generate-root-token"),
	ROW(DELETE, "generate-root/attempt", open_cancel, OPEN, NULL, "generate-root-token"),
	ROW(POST, "generate-root/update", open_update, OPEN, update_fields, "generate-root-token"),
	ROW(POST, "decode-token", decode, ROUTE_NO_TOKEN | ROUTE_TOKEN_UNSEEN, decode_fields, "decode-token"),
	{ .fn = NULL },
};
