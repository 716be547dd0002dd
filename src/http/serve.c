/* serve.c: the pipeline: the gates, the handler, one reply. The only place that makes a reply.
 * Stateless: any thread; a request is served by one thread at a time, perhaps twice (on a loop, then on a worker). */
#include "http/serve.h"

#include "http/envelope.h"
#include "http/gates.h"
#include "http/help.h"
#include "http/record.h"

/* A string of what a handler printed; empty: there is none of that name. NO_MEMORY. */
static enum bulla_err member_of(struct bulla_call *call, struct bulla_bytes printed, const char *name, struct bulla_bytes *out)
{
	struct json *doc = NULL;

	*out = (struct bulla_bytes){ 0 };
	if (printed.len > 0)
		TRY(json_parse(call, printed.ptr, printed.len, &doc));
	const struct json *accessor = json_get(doc, name);

	if (accessor != NULL && accessor->type == JSON_STRING)
		*out = accessor->text;
	return BULLA_OK;
}

/* The accessor in the reply's auth. */
static enum bulla_err accessor_of(struct bulla_call *call, const struct out *auth, struct bulla_bytes *out)
{
	return member_of(call, bulla_mem(auth->ptr, auth->len), "accessor", out);
}

/* What is about to be wrapped: of the token in it or, from an approle mount, of the secret id. */
static enum bulla_err wrapped_accessor(struct passage *p)
{
	const struct exchange *x = &p->x;

	if (p->auth.len > 0 || x->mount == NULL || x->mount->kind != BULLA_MOUNT_APPROLE)
		return accessor_of(x->call, &p->auth, &p->wrapped_accessor);
	struct bulla_bytes data = bulla_arena_copy(x->call->arena, bulla_mem(p->reply->body.ptr + p->data_at, p->data_end - p->data_at));

	if (data.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return member_of(x->call, data, "secret_id_accessor", &p->wrapped_accessor); /* it outlives the body */
}

/* Who has logged in, whose token is about to be wrapped. Of a batch token, which has no accessor, it stays empty. */
static enum bulla_err name_of_login(struct passage *p, struct bulla_bytes *name)
{
	struct bulla_call *call = p->x.call;
	const struct bulla_token *token;

	if (call->token != NULL || p->wrapped_accessor.len == 0)
		return BULLA_OK;
	TRY(bulla_token_lookup_accessor(p->x.engine, call, p->wrapped_accessor, &token));
	*name = bulla_arena_copy(call->arena, token->display_name);
	bulla_token_put(token);
	return BULLA_OK;
}

/* Vault's word for what has answered. A reply that only names a wrapping is of nothing. NULL: it is not told. */
static const char *mount_type(const struct exchange *x, bool wrapping)
{
	if (!x->server->vault_reply_fields)
		return NULL;
	return wrapping ? "" : x->mount != NULL ? x->mount->type : "system";
}

/* Puts the finished reply away, and answers with its wrapping. If that fails, nothing of it goes out. */
static enum bulla_err wrap_reply(struct passage *p)
{
	struct exchange *x = &p->x;
	struct out *body = &p->reply->body;
	struct bulla_wrapping_args args = {
		.reply = { bulla_mem(body->ptr, body->len), p->reply->status }, .ttl_s = x->wrap_ttl_s, .creation_path = x->path,
	};

	if (body->failed || p->auth.failed)
		return BULLA_E_NO_MEMORY;
	TRY(wrapped_accessor(p));
	TRY(name_of_login(p, &args.display_name));
	TRY(bulla_wrapping_new(x->engine, x->call, &args, &p->wrapping));
	p->wrapped = true;
	out_cut(body, 0);
	envelope_wrapping(body, &p->wrapping, p->wrapped_accessor, mount_type(x, true));
	p->reply->status = 200;
	return body->failed ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* A handler that made a wrapping itself has no other answer. */
static enum bulla_err answer_wrapping(struct passage *p)
{
	out_cut(&p->reply->body, 0);
	envelope_wrapping(&p->reply->body, p->x.wrapping, (struct bulla_bytes){ 0 }, mount_type(&p->x, true));
	p->reply->status = 200;
	p->reply->content_type = "application/json";
	return p->reply->body.failed ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* Room that is there before the handler begins: for the answers of nearly all that changes something, so that no change is made whose
 * answer then finds no memory. */
#define ROOM_BYTES 256
#define ROOM_OF_CHANGES 4096
#define ROOM_OF_AUTH 1024

/* Whether the handler may have made something durable: only workers do. */
static bool changes(const struct exchange *x)
{
	return x->call->may_block && x->method != METHOD_GET && x->method != METHOD_HEAD && x->method != METHOD_LIST && x->method != METHOD_SCAN;
}

static enum bulla_err prepare_reply(struct passage *p, bool raw)
{
	struct out *body = &p->reply->body;
	bool durable = changes(&p->x);

	if (!out_reserve(body, durable ? ROOM_OF_CHANGES : ROOM_BYTES) || (durable && !out_reserve(&p->auth, ROOM_OF_AUTH)))
		return BULLA_E_NO_MEMORY;
	if (!raw) {
		if (p->id[0] == 0) /* else it is on record already */
			TRY(bulla_uuid(p->id));
		envelope_begin(body, p->id);
	}
	p->data_at = body->len;
	return BULLA_OK;
}

/* What the handler printed becomes the reply. */
static enum bulla_err finish_reply(struct passage *p, bool raw)
{
	struct exchange *x = &p->x;
	struct out *body = &p->reply->body;

	if (body->failed || p->auth.failed) /* some of it, perhaps all, is missing: what is there says nothing */
		return BULLA_E_NO_MEMORY;
	if (x->wrapping != NULL)
		return answer_wrapping(p);
	p->data_end = body->len;
	bool printed = p->data_end > p->data_at || p->auth.len > 0;
	bool mirror = (x->route->flags & ROUTE_MIRROR) != 0 && x->wrap_ttl_s == 0; /* wrapped replies are printed once, as data */
	bool answers = printed || x->call->warnings != NULL;

	/* the peer's warnings of fields go with what its framework answers, not with a status that the handler chose */
	if (answers && x->status == 0)
		TRY(notices_fields(x));
	p->reply->status = x->status != 0 ? x->status : answers ? 200 : 204;
	p->reply->content_type = "application/json";
	const struct envelope envelope = { &p->auth, x->call->warnings, mount_type(x, false), mirror };

	if (!raw && answers)
		envelope_end(body, p->data_at, &envelope);
	else if (!answers)
		out_clear(body);
	if (answers && x->wrap_ttl_s > 0)
		return wrap_reply(p);
	return body->failed ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* A token that nobody is going to hear of. If it cannot be revoked, it lives until it ends. */
static void revoke_unheard(struct passage *p)
{
	struct bulla_call *call = p->x.call;
	struct bulla_bytes accessor = { 0 };
	enum bulla_err err = p->auth.failed ? BULLA_E_NO_MEMORY : accessor_of(call, &p->auth, &accessor);

	if (err == BULLA_OK && accessor.len > 0)
		err = bulla_token_revoke_accessor(p->x.engine, call, accessor);
	(void)err;
}

/* The handler's answer cannot be given, because of err: what it made is undone, or told. */
static enum bulla_err lose_reply(struct passage *p, enum bulla_err err)
{
	if (err == BULLA_E_MUST_BLOCK || !changes(&p->x)) {
		p->x.call->detail = (struct bulla_bytes){ 0 };
		return err;
	}
	revoke_unheard(p);
	p->x.call->detail = (struct bulla_bytes){ 0 };
	return bulla_fail(p->x.call, BULLA_E_REPLY_LOST, "%s", bulla_err_row(err)->text);
}

static enum bulla_err run_handler(struct passage *p)
{
	struct exchange *x = &p->x;
	bool raw = (x->route->flags & ROUTE_RAW) != 0;

	TRY(prepare_reply(p, raw));
	x->data = &p->reply->body;
	x->auth = &p->auth;
	enum bulla_err err = x->route->fn(x);

	if (err != BULLA_OK) /* without memory it may have failed behind what it made */
		return err == BULLA_E_NO_MEMORY ? lose_reply(p, err) : err;
	err = finish_reply(p, raw);
	return err == BULLA_OK ? BULLA_OK : lose_reply(p, err);
}

static enum bulla_err answer_help(struct passage *p)
{
	p->reply->status = 200;
	p->reply->content_type = "application/json";
	return help_print(&p->x, p->x.mount->kind, p->path, p->rest, &p->reply->body);
}

static void log_fault(const struct passage *p, const struct bulla_err_row *row)
{
	const struct exchange *x = &p->x;
	const struct service *service = p->service;

	if (service->log == NULL)
		return;
	struct bulla_bytes mount = x->mount != NULL ? x->mount->path : (struct bulla_bytes){ 0 };
	struct bulla_bytes detail = x->call->detail;
	struct bulla_bytes line = bulla_arena_printf(x->call->arena, "%s at %.*s%s: %.*s", row->name, (int)mount.len,
						     (const char *)mount.ptr, p->path != NULL ? p->path->pattern : "",
						     (int)detail.len, (const char *)detail.ptr);

	service->log(service->log_context, "error", line.ptr != NULL ? (const char *)line.ptr : row->name);
}

/* The methods that the path has, for Allow. */
static const char *allowed(const struct passage *p)
{
	static const struct {
		enum method method;
		const char *name;
	} names[] = { { METHOD_GET, "GET" }, { METHOD_HEAD, "HEAD" }, { METHOD_LIST, "LIST" }, { METHOD_POST, "POST, PUT" },
		      { METHOD_DELETE, "DELETE" }, { METHOD_PATCH, "PATCH" } };
	char *list = p->path != NULL ? bulla_arena_alloc(p->x.call->arena, 64) : NULL;

	if (list == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (p->path->rows[names[i].method] != NULL) {
			if (list[0] != 0)
				strcat(list, ", ");
			strcat(list, names[i].name);
		}
	return list[0] != 0 ? list : NULL;
}

static void answer_error(struct passage *p, enum bulla_err err)
{
	const struct bulla_err_row *row = bulla_err_row(err);
	struct reply *reply = p->reply;
	struct bulla_bytes text = bulla_call_text(p->x.call, err);

	if (row->kind == BULLA_CLASS_FAULT) {
		log_fault(p, row);
		if (err != BULLA_E_STORE_DAMAGED) /* whoever asked for the key is told that it is that one */
			text = bulla_str(row->text);
	}
	out_clear(&reply->body);
	reply->status = row->status;
	reply->content_type = row->style == BULLA_STYLE_NOBODY ? NULL : "application/json";
	reply->retry_after_s = row->kind != BULLA_CLASS_BUSY ? 0 : p->x.call->retry_after_s > 0 ? p->x.call->retry_after_s : 1;
	if (row->status == 405)
		reply->allow = allowed(p);
	envelope_error(&reply->body, row, text);
	if (reply->body.failed)
		out_clear(&reply->body); /* the status alone has to do */
}

static void answer_redirect(struct passage *p)
{
	struct reply *reply = p->reply;
	enum method method = p->x.request->method;

	reply->status = 307;
	if (method != METHOD_GET && method != METHOD_HEAD)
		return;
	reply->content_type = "text/html; charset=utf-8";
	envelope_redirect(&reply->body, reply->location);
}

/* An address without its port: "10.1.2.3" of "10.1.2.3:4711", "::1" of "[::1]:4711". */
static struct bulla_bytes without_port(struct bulla_bytes remote)
{
	while (remote.len > 0 && remote.ptr[remote.len - 1] != ':')
		remote.len--;
	if (remote.len > 0)
		remote.len--;
	if (remote.len > 1 && remote.ptr[0] == '[' && remote.ptr[remote.len - 1] == ']')
		return bulla_mem(remote.ptr + 1, remote.len - 2);
	return remote;
}

/* Gives back what the gates took. */
static void release(struct passage *p)
{
	struct bulla_call *call = p->x.call;

	bulla_token_put(call->token);
	call->token = NULL;
	bulla_grant_put(call->grant);
	call->grant = NULL;
	bulla_mount_put(p->x.mount);
	out_clear(&p->auth);
}

/* Whether the caller is told that the fault is his: not while there was no memory to find out. */
static bool is_blame(enum bulla_err err)
{
	const struct bulla_err_row *row = bulla_err_row(err);

	return row->kind == BULLA_CLASS_CALLER && row->status != 503;
}

enum bulla_err serve_check(struct bulla_call *call)
{
	return routes_init(call);
}

uint64_t serve_family(const struct service *service, const struct request *request)
{
	return bulla_token_family(service->engine, request->token);
}

static struct passage passage_open(const struct service *service, struct bulla_call *call, const struct request *request, struct reply *reply)
{
	*reply = (struct reply){ 0 };
	bulla_shortage_forget();
	call->remote_ip = without_port(request->remote);
	call->client_chain = request->client_chain;
	call->client_chain_count = request->client_chain_count;
	return (struct passage){
		.x = { .engine = service->engine, .call = call, .server = &service->info, .request = request, .method = request->method },
		.service = service, .reply = reply, .started_date_ns = bulla_wall_ns(),
	};
}

/* Puts the answer on record and completes the reply. */
static void conclude(struct passage *p, enum bulla_err err)
{
	struct bulla_call *call = p->x.call;

	if (err != BULLA_OK && bulla_shortage() && is_blame(err))
		err = lose_reply(p, BULLA_E_NO_MEMORY);
	enum bulla_err recorded = record_after(p, err);

	if (recorded == BULLA_E_NO_MEMORY && err == BULLA_OK && p->x.route != NULL)
		recorded = lose_reply(p, recorded);
	if (recorded != BULLA_OK)
		call->detail = (struct bulla_bytes){ 0 };
	err = recorded != BULLA_OK ? recorded : err;
	if (err != BULLA_OK)
		answer_error(p, err);
	else if (p->reply->location.len > 0)
		answer_redirect(p);
	release(p);
}

/* Nothing has happened yet. */
static void forget(struct passage *p)
{
	release(p);
	out_clear(&p->reply->body);
	*p->reply = (struct reply){ 0 };
	p->x.call->detail = (struct bulla_bytes){ 0 };
	p->x.call->warnings = NULL;
}

bool serve_head(const struct service *service, struct bulla_call *call, const struct request *request, struct reply *reply, bool *known)
{
	struct passage p = passage_open(service, call, request, reply);
	enum bulla_err err = gates_pass(&p);

	*known = call->token != NULL;
	if (err != BULLA_OK && err != BULLA_E_MUST_BLOCK) {
		conclude(&p, err);
		return false;
	}
	forget(&p);
	return true;
}

bool serve(const struct service *service, struct bulla_call *call, const struct request *request, struct reply *reply)
{
	struct passage p = passage_open(service, call, request, reply);
	enum bulla_err err = gates_pass(&p);

	if (err == BULLA_OK)
		err = record_before(&p);
	if (err == BULLA_OK && p.help)
		err = answer_help(&p);
	else if (err == BULLA_OK && reply->location.len == 0 && !p.answered)
		err = run_handler(&p);
	if (err == BULLA_E_MUST_BLOCK && !call->may_block) {
		forget(&p);
		return false;
	}
	conclude(&p, err);
	return true;
}
