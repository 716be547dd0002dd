/* record.c: tells the audit log of a request and its answer. Stateless: any thread. */
#include "http/record.h"

static const char *operation_of(const struct passage *p)
{
	static const char *const names[] = {
		[METHOD_GET] = "read", [METHOD_POST] = "update", [METHOD_PUT] = "update", [METHOD_DELETE] = "delete",
		[METHOD_LIST] = "list", [METHOD_PATCH] = "patch", [METHOD_HEAD] = "read", [METHOD_OPTIONS] = "options",
		[METHOD_SCAN] = "scan", [METHOD_UNKNOWN] = "unknown",
	};

	if (p->help)
		return "help";
	return p->creates ? "create" : names[p->x.method];
}

static bool is_recorded(const struct passage *p)
{
	return p->recorded && bulla_audit_on(p->x.engine);
}

/* As the peer: in clear goes which kind of error it was; its text, which may repeat what the client sent, is hashed. */
static const char *error_of(const struct passage *p, const struct bulla_err_row *row, enum bulla_err err)
{
	const char *what = row->text;

	if (row->style == BULLA_STYLE_EMPTY && row->status == 404)
		return NULL;
	if (row->status == 403)
		what = "permission denied";
	else if (err == BULLA_E_NO_ROUTE || err == BULLA_E_UNSUPPORTED_PATH || err == BULLA_E_OPEN_PATH)
		what = "unsupported path";
	else if (row->status == 400)
		what = "invalid request";
	return (const char *)bulla_arena_printf(p->x.call->arena, "1 error occurred:\n\t* %s\n\n", what).ptr;
}

static void describe_error(const struct passage *p, enum bulla_err err, struct bulla_audit_entry *e)
{
	const struct bulla_err_row *row = bulla_err_row(err);

	e->error = error_of(p, row, err);
	if (err != BULLA_E_UNSUPPORTED_PATH && err != BULLA_E_OPEN_PATH && row->kind != BULLA_CLASS_FAULT)
		e->error_text = bulla_call_text(p->x.call, err);
}

/* A reply that is no envelope: the peer records its whole text. */
static void describe_raw(const struct passage *p, struct out *raw, struct bulla_audit_entry *e)
{
	const struct out *body = &p->reply->body;

	json_open(raw, '{');
	json_put_text(raw, "http_content_type", p->reply->content_type != NULL ? p->reply->content_type : "");
	json_put_string(raw, "http_raw_body", bulla_mem(body->ptr, body->len));
	json_put_int(raw, "http_status_code", p->reply->status);
	json_close(raw, '}');
	e->reply_data = bulla_mem(raw->ptr, raw->len);
}

static void describe_answer(const struct passage *p, struct out *raw, struct bulla_audit_entry *e)
{
	const struct exchange *x = &p->x;
	const struct out *body = &p->reply->body;

	e->warnings = x->call->warnings;
	if (x->wrapping != NULL || p->wrapped) {
		e->wrapping = x->wrapping != NULL ? x->wrapping : &p->wrapping;
		e->wrapped_accessor = p->wrapped_accessor;
		return;
	}
	e->reply_auth = bulla_mem(p->auth.ptr, p->auth.len);
	e->display_name = p->made_name;
	if (body->len == 0 || x->route == NULL)
		return;
	if ((x->route->flags & ROUTE_RAW) != 0)
		describe_raw(p, raw, e);
	else if (p->data_end > p->data_at)
		e->reply_data = bulla_mem(body->ptr + p->data_at, p->data_end - p->data_at);
}

/* The display name of the token that the reply hands out, which it does not show: tokens are made by workers, who may look it up. */
static void name_made_token(struct passage *p)
{
	struct bulla_call *call = p->x.call;
	const struct bulla_token *token;
	struct json *auth;

	if (p->auth.len == 0 || !call->may_block || json_parse(call, p->auth.ptr, p->auth.len, &auth) != BULLA_OK)
		return;
	const struct json *accessor = json_get(auth, "accessor");
	struct bulla_bytes detail = call->detail;

	if (accessor == NULL || bulla_token_lookup_accessor(p->x.engine, call, accessor->text, &token) != BULLA_OK) {
		call->detail = detail; /* a batch token has none: it goes without a name */
		return;
	}
	p->made_name = bulla_arena_copy(call->arena, token->display_name);
	bulla_token_put(token);
}

static enum bulla_err name_request(struct passage *p)
{
	if (p->id[0] != 0)
		return BULLA_OK;
	return bulla_uuid(p->id);
}

static struct bulla_audit_entry entry_of(const struct passage *p)
{
	const struct exchange *x = &p->x;

	return (struct bulla_audit_entry){
		.started_date_ns = p->started_date_ns, .id = bulla_mem(p->id, sizeof p->id), .operation = operation_of(p), .mount = x->mount,
		.path = x->path, .token = x->call->token, .client_token = x->request->token, .allowed = p->allowed, .data = json_document(x->doc),
		.remote = x->request->remote, .wrap_ttl_s = x->wrap_ttl_s, .headers = x->request->headers,
		.header_count = x->request->header_count,
	};
}

#define MAX_GRANTING 16

static enum bulla_err name_granting(struct passage *p, struct bulla_bytes names[MAX_GRANTING], struct bulla_audit_entry *e)
{
	if (!p->allowed || p->need == 0 || p->x.call->token == NULL)
		return BULLA_OK;
	e->granting = names;
	return bulla_granting_policies(p->x.engine, p->x.call, p->x.path, p->need, names, MAX_GRANTING, &e->granting_count);
}

/* Into the lines of the loop's turn where the request came with such; else into lines of its own. */
static enum bulla_err add(struct passage *p, const struct bulla_audit_entry *entry, enum bulla_audit_which which,
			  struct bulla_audit_lines **own)
{
	struct exchange *x = &p->x;
	bool fits = true;

	if (x->request->lines != NULL)
		TRY(bulla_audit_add(x->engine, x->call, entry, which, x->request->lines, &fits));
	if (x->request->lines != NULL && fits)
		return BULLA_OK;
	return bulla_audit_add(x->engine, x->call, entry, which, own, &fits);
}

#define SEAL_WAIT_MS 2000

/* Sealing is what is left to do on a bad day: it is done without a record, where no device takes one. */
static enum bulla_err record_sealing(const struct passage *p, enum bulla_err err)
{
	if (err != BULLA_E_AUDIT)
		return err;
	if (p->service->log != NULL)
		p->service->log(p->service->log_context, "error", "is being sealed, though no audit device could record that");
	return BULLA_OK;
}

enum bulla_err record_before(struct passage *p)
{
	const struct exchange *x = &p->x;
	struct bulla_audit_lines *lines = NULL;
	bool changes = x->method != METHOD_GET && x->method != METHOD_LIST && x->method != METHOD_HEAD && x->method != METHOD_SCAN;
	bool fits;

	if (!changes || !x->call->may_block || x->route == NULL || !is_recorded(p))
		return BULLA_OK;
	struct bulla_bytes names[MAX_GRANTING];

	TRY(name_request(p));
	struct bulla_audit_entry entry = entry_of(p);

	TRY(name_granting(p, names, &entry));
	TRY(bulla_audit_add(x->engine, x->call, &entry, BULLA_AUDIT_REQUEST, &lines, &fits));
	p->on_record = true;
	if ((x->route->flags & ROUTE_SEALS) == 0)
		return bulla_audit_commit(x->call, lines);
	return record_sealing(p, bulla_audit_commit_within(x->call, lines, SEAL_WAIT_MS));
}

enum bulla_err record_after(struct passage *p, enum bulla_err err)
{
	const struct exchange *x = &p->x;
	struct bulla_audit_lines *own = NULL;
	struct bulla_bytes names[MAX_GRANTING];
	struct out raw = { 0 };

	if (!is_recorded(p))
		return BULLA_OK;
	if (x->route != NULL && (x->route->flags & ROUTE_SEALS) != 0 && err == BULLA_OK)
		return BULLA_OK; /* it is on record that it was asked for; the devices are closed */
	TRY(name_request(p));
	struct bulla_audit_entry entry = entry_of(p);

	TRY(name_granting(p, names, &entry));
	if (err == BULLA_OK)
		name_made_token(p);
	if (err == BULLA_OK)
		describe_answer(p, &raw, &entry);
	else
		describe_error(p, err, &entry);
	if (p->refused) /* as the peer: who is known is refused in another form */
		entry.refusal = x->call->token != NULL ? entry.error : bulla_err_row(err)->text;
	enum bulla_err added = raw.failed ? BULLA_E_NO_MEMORY :
		add(p, &entry, p->on_record ? BULLA_AUDIT_RESPONSE : BULLA_AUDIT_BOTH, &own);

	out_clear(&raw);
	TRY(added);
	p->reply->audited = own != NULL || (x->request->lines != NULL && *x->request->lines != NULL);
	if (x->request->lines == NULL && !x->request->groups_records)
		return bulla_audit_commit(x->call, own);
	p->reply->lines = own;
	return BULLA_OK;
}
