/* httpd_request.c: gathers one request from libmicrohttpd's callbacks, within its limits, and has it served: at once, or by a
 * worker while the connection is suspended. Runs on the loop's thread, but for task_work.
 *
 * libmicrohttpd does not wipe its buffers when a connection ends: tokens and bodies are copied out and wiped in place. */
#include <stdlib.h>

#include "http/forwarded.h"
#include "http/httpd_internal.h"

#define ARENA_BYTES 8192
#define SPARE_TASKS 64

/* ---- tasks ------------------------------------------------------------------ */

static void task_free(struct task *task)
{
	if (task == NULL)
		return;
	bulla_arena_free(task->arena);
	memory_body_free(task->body, task->body_cap);
	free(task);
}

void task_free_spares(struct loop *loop)
{
	for (struct task *task = loop->spare, *next; task != NULL; task = next) {
		next = task->next;
		task_free(task);
	}
	loop->spare = NULL;
}

static struct task *task_new(struct loop *loop)
{
	struct task *task = loop->spare;

	if (task != NULL) {
		loop->spare = task->next;
		loop->spare_count--;
		return task;
	}
	task = calloc(1, sizeof *task);
	if (task == NULL || (task->arena = bulla_arena_new(ARENA_BYTES)) == NULL) {
		free(task);
		return NULL;
	}
	return task;
}

static void task_recycle(struct loop *loop, struct task *task)
{
	bulla_audit_lines_free(task->reply.lines);
	out_clear(&task->reply.body);
	body_drop(task);
	bulla_arena_reset(task->arena);
	*task = (struct task){ .arena = task->arena, .body = task->body, .body_cap = task->body_cap };
	if (loop->spare_count >= SPARE_TASKS) {
		task_free(task);
		return;
	}
	task->next = loop->spare;
	loop->spare = task;
	loop->spare_count++;
}

/* ---- what libmicrohttpd tells of a request ---------------------------------- */

void *request_line(void *context, const char *target, struct MHD_Connection *mhd)
{
	struct loop *loop = context;

	(void)target; /* a placeholder */
	struct conn *conn = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	/* no request that was not framed */
	struct task *task = conn == NULL || conn->denied || conn->done >= conn->framing.heads ? NULL : task_new(loop);

	if (task == NULL)
		return NULL; /* request_access closes the connection */
	task->conn = conn;
	task->mhd = mhd;
	task->started_ms = loop->now_ms;
	task->call.arena = task->arena;
	task->request.remote = bulla_str(conn->remote);
	if (conn->endpoint->tls != NULL)
		task->request.client_chain = tls_client_chain(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session,
							      task->arena, &task->request.client_chain_count);
	if (!heads_begin(conn, task))
		task->malformed = true;
	conn->task = task;
	task->began_ms = loop->now_ms;
	conn_due(conn, loop->now_ms + (int64_t)loop->httpd->config.max_request_s * 1000);
	return task;
}

void request_completed(void *context, struct MHD_Connection *mhd, void **task, enum MHD_RequestTerminationCode code)
{
	struct loop *loop = context;

	(void)mhd, (void)code;
	if (*task == NULL)
		return;
	struct conn *conn = ((struct task *)*task)->conn;

	audit_forget(*task);
	shares_done(*task);
	task_recycle(loop, *task);
	*task = NULL;
	conn->task = NULL;
	conn->settled = true;
	conn->quiet_since_ms = loop->now_ms;
	conn->done++;
	conn_due(conn, loop->now_ms + IDLE_S * 1000);
}

/* ---- serving ------------------------------------------------------------------ */

static void set_call(struct task *task, bool may_block)
{
	task->call = (struct bulla_call){ .arena = task->arena, .may_block = may_block, .turn = may_block ? &task->job.turn : NULL,
					  .request_counted = task->call.request_counted, .budget_taken = task->call.budget_taken };
	task->request.body = task->body;
	task->request.body_len = task->body_len;
	out_clear(&task->reply.body);
	task->reply = (struct reply){ 0 };
	/* on the loop into the turn's lines; a worker must not touch them */
	task->request.lines = may_block ? NULL : &task->conn->loop->lines;
	task->request.groups_records = may_block;
	task->request.headers = task->headers;
}

/* false: the answer is made. */
static bool charge_work(struct task *task)
{
	size_t bytes = memory_estimate(&task->request);

	if (bytes > task->conn->loop->httpd->config.max_request_memory)
		reply_refuse_because(task, BULLA_E_TOO_LARGE, bulla_str("the request takes more memory than max_request_memory allows"));
	else if (!memory_charge_work(task, bytes))
		reply_refuse(task, BULLA_E_BUSY);
	else
		return true;
	return false;
}

/* A large request is served: but for its answer nothing of it is needed any more, while that may take long to send. */
static void settle(struct task *task)
{
	/* what the reply's head is made of lies in the arena, which then stays, and is paid for, until the request is completed */
	bool needed = task->reply.location.len > 0 || task->reply.allow != NULL || task->reply.cors != NULL ||
		      task->request.namespace.len > 0;

	body_free(task);
	if (needed)
		return;
	bulla_arena_reset(task->arena);
	memory_give_back(task, task->reply.body.cap);
}

/* What reading and serving a large body takes is charged before, and but for the answer given back when it is served. */
static bool serve_task(struct task *task, bool may_block)
{
	const struct service *service = task->conn->loop->httpd->service;
	bool large = task->body_len > SMALL_REQUEST;

	set_call(task, may_block);
	if (large && may_block && !charge_work(task))
		return true;
	bool served = serve(service, &task->call, &task->request, &task->reply);

	if (large && served)
		settle(task);
	return served;
}

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001B3);
	return hash;
}

/* The client's address without its port; on a unix socket the listener's. */
static uint64_t place_of(const struct task *task)
{
	const char *address = task->conn->endpoint->listener->address;
	uint64_t bits;

	if (!clients_bits(task->request.remote, &bits))
		return mix(1, address, strlen(address));
	return mix(0, (const char *)&bits, sizeof bits);
}

bool request_may_send(struct task *task)
{
	bool known = false;

	task->head_checked = true;
	set_call(task, false);
	task->request.body_to_come = true;
	bool passes = serve_head(task->conn->loop->httpd->service, &task->call, &task->request, &task->reply, &known);

	task->request.body_to_come = false;
	task->caller = known && task->call.family != 0 ? task->call.family : place_of(task);
	return passes;
}

/* On a worker's thread. The loop does not touch the task, but to cancel its job, until it is on its done list. */
static void task_work(struct sched_job *job)
{
	struct task *task = (struct task *)(void *)job;

	if (!serve_task(task, true))
		reply_refuse(task, BULLA_E_INTERNAL);
}

static void task_done(struct sched_job *job)
{
	struct task *task = (struct task *)(void *)job;
	struct loop *loop = task->conn->loop;
	struct task *top = atomic_load_explicit(&loop->done, memory_order_relaxed);

	do
		task->next = top; /* once it is pushed, the task is the loop's */
	while (!atomic_compare_exchange_weak_explicit(&loop->done, &top, task, memory_order_release, memory_order_relaxed));
	if (top == NULL)
		loop_wake(loop);
}

/* Who takes turns with others: the family of a token that is known to be good, or whoever sits at an address. */
static struct sched_caller task_caller(const struct task *task)
{
	uint64_t place = place_of(task), family = task->call.family;

	if (family == 0)
		family = serve_family(task->conn->loop->httpd->service, &task->request);
	return (struct sched_caller){ .family = family != 0 ? family : place, .place = place, .anonymous = family == 0 };
}

/* Whoever has the task now resumes: by this thread only, so that it cannot come too early. */
static enum MHD_Result suspend(struct task *task)
{
	task->state = TASK_WORKING;
	task->conn->loop->suspended++;
	MHD_suspend_connection(task->mhd);
	return MHD_YES;
}

/* whole: the request is, so that libmicrohttpd asks again for the answer. */
static enum MHD_Result answer(struct task *task, bool whole)
{
	if (!task->reply.audited || audit_record(task)) {
		task->state = TASK_ANSWERED;
		return reply_send(task);
	}
	return whole ? MHD_YES : suspend(task);
}

static enum MHD_Result run(struct task *task, bool whole)
{
	struct loop *loop = task->conn->loop;

	if (serve_task(task, false))
		return answer(task, whole);
	const struct sched_caller caller = task_caller(task);

	task->job.run = task_work;
	task->job.done = task_done;
	if (sched_submit(loop->httpd->sched, &task->job, task->call.needs, &caller))
		return suspend(task);
	reply_refuse(task, BULLA_E_BUSY);
	task->state = TASK_ANSWERED;
	return reply_send(task);
}

/* Whether the framing machine has refused this very request. */
static bool is_refused(const struct task *task)
{
	const struct framing *framing = &task->conn->framing;

	return framing->status != 0 && task->conn->done + 1 == framing->heads;
}

/* All of the request is there that will come. */
static enum MHD_Result run_whole(struct task *task)
{
	const struct framing *framing = &task->conn->framing;

	if (is_refused(task)) {
		reply_refuse_framing(task);
		return reply_send(task);
	}
	if (framing->too_large && task->conn->done + 1 == framing->heads)
		task->request.body_too_large = task->closes = true;
	return run(task, true);
}

/* The answer is made. Whoever asks whether to send is told at once; of whoever sends anyway, and may read no answer before he has sent all,
 * the body is dropped as it comes. */
static enum MHD_Result refuse_body(struct task *task)
{
	if (task->expects)
		return answer(task, false);
	if (!task->reply.audited || audit_record(task))
		task->state = TASK_REFUSED;
	return MHD_YES;
}

/* Headers are there, the body is not. Whoever asks first whether to send too much, or would send without end, is answered
 * now; libmicrohttpd then closes the connection. */
static enum MHD_Result begin(struct task *task, const char *method)
{
	size_t max = task->conn->loop->httpd->config.max_request_bytes;

	task->state = TASK_RECEIVING;
	task->request.method = header_method(method);
	if (is_refused(task)) {
		reply_refuse_framing(task);
		return reply_send(task);
	}
	if (task->malformed) {
		reply_refuse(task, BULLA_E_BAD_REQUEST);
		return reply_send(task);
	}
	const struct listener *listener = task->conn->endpoint->listener;

	task->request.may_generate_root = listener->may_generate_root;
	if (forwarded_apply(&listener->forwarding, &task->call, task->forwarded_for, &task->request.remote) != BULLA_OK) {
		reply_refuse_because(task, BULLA_E_BAD_REQUEST, bulla_call_text(&task->call, BULLA_E_BAD_REQUEST));
		return reply_send(task);
	}
	if (task->conn->refused || !shares_admit(task)) {
		reply_refuse(task, BULLA_E_BUSY);
		task->state = task->declared_len > max ? TASK_ANSWERED : TASK_REFUSED;
		return task->declared_len > max ? reply_send(task) : MHD_YES;
	}
	task->request.body_too_large = task->declared_len > max;
	if (task->declared_len > SMALL_REQUEST && !task->request.body_too_large && !request_may_send(task))
		return refuse_body(task);
	if (task->request.body_too_large && (task->expects || task->declared_len > 2 * (uint64_t)max))
		return run(task, false);
	return MHD_YES;
}

enum MHD_Result request_access(void *context, struct MHD_Connection *mhd, const char *url, const char *method,
			       const char *version, const char *data, size_t *size, void **task_at)
{
	struct task *task = *task_at;

	(void)context, (void)mhd, (void)url, (void)version;
	if (task == NULL)
		return MHD_NO;
	if (task->state == TASK_NEW)
		return begin(task, method);
	if (*size > 0) {
		body_receive(task, bulla_mem(data, *size));
		wipe_in_place(bulla_mem(data, *size));
		*size = 0;
		return MHD_YES;
	}
	switch (task->state) {
	case TASK_REFUSED:
		task->state = TASK_ANSWERED;
		return reply_send(task);
	case TASK_ANSWERED:
		return reply_send(task);
	case TASK_RECORDING:
		return MHD_YES;
	case TASK_FLYING:
		return suspend(task);
	default:
		return run_whole(task);
	}
}
