/* httpd_body.c: owns the body of a request while it is received: its buffer, its limit, who may send much. Runs on the loop's thread. */
#include <stdlib.h>

#include "http/httpd_internal.h"

void body_drop(struct task *task)
{
	body_free(task);
	memory_give_back(task, 0);
}

/* What is small is kept for the next request. */
void body_free(struct task *task)
{
	bulla_wipe(task->body, task->body_len);
	task->body_len = 0;
	if (task->body_cap <= SMALL_BODY)
		return;
	memory_body_free(task->body, task->body_cap);
	task->body = NULL;
	task->body_cap = 0;
}

/* The capacity for need bytes. A declared length is believed up to FIRST_STEP, and wholly once that much has arrived: whoever declares
 * much and sends nothing costs nothing. */
static size_t next_capacity(const struct task *task, size_t need)
{
	size_t max = task->conn->loop->httpd->config.max_request_bytes;
	size_t declared = task->declared_len < max ? (size_t)task->declared_len : max;
	size_t cap = task->body_cap * 2 > need ? task->body_cap * 2 : need;

	if (declared >= need)
		cap = declared <= FIRST_STEP || task->body_cap >= FIRST_STEP ? declared : FIRST_STEP > need ? FIRST_STEP : need;
	return cap < 1024 ? 1024 : cap;
}

static bool body_reserve(struct task *task, size_t need)
{
	if (need > SMALL_REQUEST && !memory_charge_body(task, need))
		return false;
	if (need <= task->body_cap)
		return true;
	size_t cap = next_capacity(task, need);
	uint8_t *grown = memory_body_grow(task->body, task->body_len, task->body_cap, cap);

	if (grown == NULL)
		return false;
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

static void body_refuse(struct task *task, enum bulla_err err)
{
	reply_refuse(task, err);
	task->state = TASK_REFUSED;
	body_drop(task);
}

/* Nobody told how long it is going to be. */
static void check_late(struct task *task, size_t len)
{
	if (task->head_checked || task->body_len + len <= SMALL_REQUEST)
		return;
	task->request.body_len = 0;
	if (!request_may_send(task) && (!task->reply.audited || audit_record(task)))
		task->state = TASK_REFUSED; /* the answer goes out when the rest has been read and dropped */
}

void body_receive(struct task *task, struct bulla_bytes data)
{
	size_t max = task->conn->loop->httpd->config.max_request_bytes;

	if (!task->request.body_too_large && data.len > max - task->body_len)
		task->request.body_too_large = true;
	if (task->state == TASK_RECEIVING && !task->request.body_too_large)
		check_late(task, data.len);
	if (task->request.body_too_large || task->state != TASK_RECEIVING) {
		body_discard(task, data.len);
		return;
	}
	if (!body_reserve(task, task->body_len + data.len)) {
		body_refuse(task, BULLA_E_BUSY);
		body_discard(task, data.len);
		return;
	}
	memcpy(task->body + task->body_len, data.ptr, data.len);
	task->body_len += data.len;
}

/* A large body that comes slower than SLOW_BYTES_PER_S gives its memory back where that is short. */
void body_sweep(struct task *task, int64_t now_ms)
{
	int64_t since_ms = now_ms - task->started_ms;

	if (task->state != TASK_RECEIVING || task->charged == 0 || since_ms < SLOW_AFTER_MS)
		return;
	if ((int64_t)task->body_len < since_ms * SLOW_BYTES_PER_S / 1000 && memory_is_short(task->conn->loop->httpd))
		body_refuse(task, BULLA_E_BUSY);
}
