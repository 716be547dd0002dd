/* httpd_reply.c: sends a reply. Its body becomes libmicrohttpd's, which wipes and frees it when it has been sent. */
#include <stdio.h>

#include "http/envelope.h"
#include "http/httpd_internal.h"

#define JSON_TYPE "application/json"
#define RETRY_AFTER_S 1

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

static bool add_rate(struct MHD_Response *response, const struct bulla_rate_state *rate)
{
	const struct {
		const char *name;
		int64_t value;
	} headers[] = { { "X-Ratelimit-Limit", rate->limit }, { "X-Ratelimit-Remaining", rate->remaining },
			{ "X-Ratelimit-Reset", rate->reset_s } };

	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		char number[24];

		snprintf(number, sizeof number, "%lld", (long long)headers[i].value);
		if (MHD_add_response_header(response, headers[i].name, number) != MHD_YES)
			return false;
	}
	return true;
}

static bool add_optional(struct MHD_Response *response, const struct task *task)
{
	const struct reply *reply = &task->reply;
	char number[16];

	if (reply->location.len > 0 &&
	    MHD_add_response_header(response, "Location", (const char *)reply->location.ptr) != MHD_YES)
		return false;
	if (reply->allow != NULL && MHD_add_response_header(response, "Allow", reply->allow) != MHD_YES)
		return false;
	if (reply->retry_after_s > 0) {
		snprintf(number, sizeof number, "%d", reply->retry_after_s);
		if (MHD_add_response_header(response, "Retry-After", number) != MHD_YES)
			return false;
	}
	if (reply->rate.show && !add_rate(response, &reply->rate))
		return false;
	if (!task->closes && !task->conn->refused && !task->conn->loop->draining)
		return true;
	return MHD_add_response_header(response, "Connection", "close") == MHD_YES;
}

static bool add_headers(struct MHD_Response *response, const struct task *task)
{
	const char *type = task->reply.content_type;

	return MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
	       (type == NULL || MHD_add_response_header(response, "Content-Type", type) == MHD_YES) &&
	       MHD_add_response_header(response, "Strict-Transport-Security", "max-age=31536000; includeSubDomains") == MHD_YES &&
	       add_optional(response, task);
}

enum MHD_Result reply_send(struct task *task)
{
	if (task->reply.body.failed || task->reply.status == 0)
		reply_refuse(task, BULLA_E_INTERNAL);
	struct MHD_Response *response = response_of(&task->reply.body);
	enum MHD_Result result = MHD_NO;

	if (response == NULL)
		return MHD_NO;
	if (add_headers(response, task))
		result = MHD_queue_response(task->mhd, (unsigned)task->reply.status, response);
	MHD_destroy_response(response);
	return result;
}
