/* httpd_reply.c: sends a reply. Its body becomes libmicrohttpd's, which wipes and frees it when it has been sent. */
#include <stdio.h>
#include <strings.h>

#include "http/envelope.h"
#include "http/httpd_internal.h"

#define JSON_TYPE "application/json"
#define RETRY_AFTER_S 1
#define MAX_LOCATION 2048 /* the head of a reply has to fit into libmicrohttpd's memory for the connection */

void reply_refuse(struct task *task, enum bulla_err err)
{
	reply_refuse_because(task, err, bulla_str(bulla_err_row(err)->text));
}

void reply_refuse_because(struct task *task, enum bulla_err err, struct bulla_bytes text)
{
	const struct bulla_err_row *row = bulla_err_row(err);
	struct out *body = &task->reply.body;

	out_clear(body);
	task->reply = (struct reply){
		.status = row->status, .content_type = JSON_TYPE, .retry_after_s = row->status == 503 ? RETRY_AFTER_S : 0,
	};
	envelope_error(body, row, text);
}

static void reply_refuse_status(struct task *task, unsigned status, const char *text)
{
	struct out *body = &task->reply.body;

	out_clear(body);
	task->reply = (struct reply){ .status = (int)status, .content_type = JSON_TYPE };
	envelope_error(body, bulla_err_row(BULLA_E_BAD_REQUEST), bulla_str(text));
}

void reply_refuse_framing(struct task *task)
{
	const struct framing *framing = &task->conn->framing;

	task->closes = true;
	reply_refuse_status(task, framing->status, framing->text);
}

static struct MHD_Response *response_of(struct out *body)
{
	static char nothing[1];

	if (body->len == 0)
		return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback(body->len, body->ptr, bulla_wiping_free);

	if (response != NULL)
		*body = (struct out){ 0 }; /* moved */
	return response;
}

/* ---- the head ------------------------------------------------------------------------------------------------------------------ */

/* What a reply's head gets: at once, or where the listener's settings may replace some of it, from a list when all is known. */
struct head {
	struct MHD_Response *response;
	struct bulla_arena *arena;
	struct reply_header *list; /* NULL: at once */
	size_t count;
};

#define MOST_HEADERS 24    /* that the server itself gives to one reply */
#define MAX_NAMESPACE 1024 /* a longer one is not said back: head of request and head of reply share their memory */

static bool put(struct head *head, const char *name, const char *value)
{
	if (head->list == NULL)
		return MHD_add_response_header(head->response, name, value) == MHD_YES;
	struct bulla_bytes copy = bulla_arena_copy(head->arena, bulla_str(value));
	size_t i = 0;

	while (i < head->count && strcasecmp(head->list[i].name, name) != 0)
		i++;
	head->list[i] = (struct reply_header){ name, (const char *)copy.ptr };
	head->count += i == head->count;
	return copy.ptr != NULL;
}

static bool put_number(struct head *head, const char *name, int64_t value)
{
	char number[24];

	snprintf(number, sizeof number, "%lld", (long long)value);
	return put(head, name, number);
}

static bool put_rate(struct head *head, const struct bulla_rate_state *rate)
{
	return put_number(head, "X-Ratelimit-Limit", rate->limit) && put_number(head, "X-Ratelimit-Remaining", rate->remaining) &&
	       put_number(head, "X-Ratelimit-Reset", rate->reset_s);
}

static bool put_cors(struct head *head, const struct reply_cors *cors)
{
	if (!put(head, "Access-Control-Allow-Origin", cors->origin) || !put(head, "Vary", "Origin"))
		return false;
	if (cors->credentials && !put(head, "Access-Control-Allow-Credentials", "true"))
		return false;
	return cors->headers == NULL || (put(head, "Access-Control-Allow-Methods", "DELETE,GET,OPTIONS,POST,PUT,LIST,SCAN") &&
					 put(head, "Access-Control-Allow-Headers", cors->headers) &&
					 put(head, "Access-Control-Max-Age", "300"));
}

/* The namespace that was asked for, as it was said; not where it is what was wrong with the request. */
static bool put_namespace(struct head *head, struct bulla_bytes name)
{
	if (name.len > MAX_NAMESPACE)
		return true;
	for (size_t i = 0; i < name.len; i++)
		if ((name.ptr[i] < 0x20 && name.ptr[i] != '\t') || name.ptr[i] == 0x7f)
			return true;
	return put(head, "X-Vault-Namespace", (const char *)name.ptr);
}

static bool put_optional(struct head *head, const struct task *task)
{
	const struct reply *reply = &task->reply;

	if (reply->location.len > 0 && !put(head, "Location", (const char *)reply->location.ptr))
		return false;
	if (reply->allow != NULL && !put(head, "Allow", reply->allow))
		return false;
	if (reply->retry_after_s > 0 && !put_number(head, "Retry-After", reply->retry_after_s))
		return false;
	if (reply->rate.show && !put_rate(head, &reply->rate))
		return false;
	if (reply->cors != NULL && !put_cors(head, reply->cors))
		return false;
	if (task->request.namespace.len > 0 && !put_namespace(head, task->request.namespace))
		return false;
	if (!task->closes && !task->conn->refused && !task->conn->loop->draining && !conn_is_last(task->conn))
		return true;
	return put(head, "Connection", "close");
}

/* A preflight's answer has none of the settings', as with OpenBao. */
static bool is_preflight(const struct reply *reply)
{
	return reply->cors != NULL && reply->cors->headers != NULL;
}

static bool put_all(struct head *head, const struct task *task, bool transport)
{
	const char *type = task->reply.content_type;

	return put(head, "Cache-Control", "no-store") && (type == NULL || put(head, "Content-Type", type)) &&
	       (!transport || put(head, STRICT_TRANSPORT, STRICT_TRANSPORT_VALUE)) && put_optional(head, task);
}

static bool put_own(struct head *head, const struct reply_headers *own, int status)
{
	for (size_t i = 0; i < own->count; i++) {
		const struct reply_rule *rule = &own->rules[i];

		for (size_t j = 0; status >= rule->first && status <= rule->last && j < rule->count; j++)
			if (!put(head, rule->headers[j].name, rule->headers[j].value))
				return false;
	}
	return true;
}

/* The settings' headers take the place of those of the same name. */
static bool add_with_own(struct head *head, const struct task *task, const struct reply_headers *own)
{
	size_t room = MOST_HEADERS;

	for (size_t i = 0; i < own->count; i++)
		room += own->rules[i].count;
	head->list = bulla_arena_alloc(head->arena, room * sizeof *head->list);
	if (head->list == NULL || !put_all(head, task, false) || !put_own(head, own, task->reply.status))
		return false;
	for (size_t i = 0; i < head->count; i++)
		if (MHD_add_response_header(head->response, head->list[i].name, head->list[i].value) != MHD_YES)
			return false;
	return true;
}

static bool add_headers(struct MHD_Response *response, const struct task *task)
{
	struct head head = { .response = response, .arena = task->arena };
	const struct own_headers *own = atomic_load_explicit(&task->conn->endpoint->headers, memory_order_acquire);
	bool preflight = is_preflight(&task->reply);

	if (own != NULL && !preflight)
		return add_with_own(&head, task, own->rules);
	return put_all(&head, task, !preflight);
}

enum MHD_Result reply_send(struct task *task)
{
	if (task->reply.location.len > MAX_LOCATION)
		reply_refuse_status(task, 414, "the request target is too long to be redirected");
	if (task->reply.body.failed || task->reply.status == 0)
		reply_refuse(task, BULLA_E_INTERNAL);
	const struct framing *framing = &task->conn->framing;

	if (framing->state == FRAMING_REFUSED && task->conn->done + 1 == framing->heads)
		task->closes = true; /* nothing is read behind this request */
	struct MHD_Response *response = response_of(&task->reply.body);
	enum MHD_Result result = MHD_NO;

	if (response == NULL)
		return MHD_NO;
	if (add_headers(response, task))
		result = MHD_queue_response(task->mhd, (unsigned)task->reply.status, response);
	MHD_destroy_response(response);
	return result;
}
