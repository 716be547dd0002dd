/* httpd_body.c: owns the body of a request while it is received: its growing buffer, its limit, the budget of all large
 * bodies. Runs on the loop's thread. */
#include <stdlib.h>

#include "http/httpd_internal.h"

/* Large buffers count against one budget of the server: many slow uploads must not take all memory. */
void body_drop(struct task *task)
{
	bulla_wipe(task->body, task->body_len);
	task->body_len = 0;
	if (task->body_cap <= SMALL_BODY)
		return;
	atomic_fetch_sub_explicit(&task->conn->loop->httpd->body_bytes, task->body_cap, memory_order_relaxed);
	free(task->body);
	task->body = NULL;
	task->body_cap = 0;
}

static bool body_reserve(struct task *task, size_t need)
{
	struct httpd *httpd = task->conn->loop->httpd;
	size_t cap = task->body_cap * 2 > need ? task->body_cap * 2 : need, before = task->body_cap > SMALL_BODY ? task->body_cap : 0;

	if (need <= task->body_cap)
		return true;
	cap = cap < 1024 ? 1024 : cap > httpd->config.max_request_bytes && cap > SMALL_BODY ? httpd->config.max_request_bytes : cap;
	if (cap > SMALL_BODY) {
		size_t held = atomic_fetch_add_explicit(&httpd->body_bytes, cap - before, memory_order_relaxed);

		if (held + cap - before > httpd->max_body_bytes) {
			atomic_fetch_sub_explicit(&httpd->body_bytes, cap - before, memory_order_relaxed);
			return false;
		}
	}
	uint8_t *grown = malloc(cap);

	if (grown == NULL) {
		if (cap > SMALL_BODY)
			atomic_fetch_sub_explicit(&httpd->body_bytes, cap - before, memory_order_relaxed);
		return false;
	}
	if (task->body_len > 0)
		memcpy(grown, task->body, task->body_len);
	bulla_wipe(task->body, task->body_len);
	free(task->body);
	task->body = grown;
	task->body_cap = cap;
	return true;
}

/* Past the limit the body is read on and dropped, since many clients read no answer before they have sent all; twice the
 * limit is enough patience. */
static void body_discard(struct task *task, size_t len)
{
	body_drop(task);
	task->discarded += len;
	if (task->discarded > 2 * (uint64_t)task->conn->loop->httpd->config.max_request_bytes)
		conn_kill(task->conn);
}

void body_receive(struct task *task, struct bulla_bytes data)
{
	size_t max = task->conn->loop->httpd->config.max_request_bytes;

	if (!task->request.body_too_large && data.len > max - task->body_len)
		task->request.body_too_large = true;
	if (task->request.body_too_large || task->state != TASK_RECEIVING) {
		body_discard(task, data.len);
		return;
	}
	if (!body_reserve(task, task->body_len + data.len)) {
		reply_refuse(task, BULLA_E_BUSY);
		task->state = TASK_REFUSED;
		body_discard(task, data.len);
		return;
	}
	memcpy(task->body + task->body_len, data.ptr, data.len);
	task->body_len += data.len;
}
