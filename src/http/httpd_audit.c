/* httpd_audit.c: sends no answer before its records are written. The records of all requests of a turn, and of those that workers have
 * served, go to the devices as one group at its end, and are most often written then. libmicrohttpd asks again for an answer that it was
 * not given, so that connections need not be suspended for it; only what a device takes its time for is. A loop with one request a turn
 * has its records written by the handler that served it. Runs on the loop's thread, but for written(). */
#include <stdlib.h>

#include "http/httpd_internal.h"

#define GROUP_BYTES 32768 /* of records: more in one write is not faster, and leaves the caches */

void audit_hold(struct task *task)
{
	struct loop *loop = task->conn->loop;

	task->next = loop->recorded;
	loop->recorded = task;
}

/* By whoever has written the records: the loop's own thread while it submits them, or another; or the loop's when it submits others and
 * finds these still waiting. */
static void written(struct bulla_audit_group *group)
{
	struct recording *recording = (struct recording *)(void *)group;
	struct loop *loop = recording->loop;

	if (pthread_equal(loop->thread, pthread_self()) && recording->submitting) {
		recording->written = true;
		return;
	}
	struct recording *top = atomic_load_explicit(&loop->written, memory_order_relaxed);

	atomic_fetch_add_explicit(&loop->waking, 1, memory_order_relaxed); /* once it is pushed, it is the loop's, which could end before it is woken */
	do
		recording->next = top;
	while (!atomic_compare_exchange_weak_explicit(&loop->written, &top, recording, memory_order_release,
						      memory_order_relaxed));
	if (top == NULL)
		loop_wake(loop);
	atomic_fetch_sub_explicit(&loop->waking, 1, memory_order_release);
}

/* Hands over the records of lines, which answer tasks. True: they are written, or could not be (group.recorded); else they fly. NULL in
 * *out: there is no memory for that, and lines were freed. */
static bool submit(struct loop *loop, struct bulla_audit_lines *lines, struct task *tasks, struct recording **out)
{
	struct recording *recording = loop->spare_recording != NULL ? loop->spare_recording : calloc(1, sizeof *recording);

	loop->spare_recording = NULL;
	*out = recording;
	if (recording == NULL) {
		bulla_audit_lines_free(lines);
		return true;
	}
	recording->group.lines = lines;
	recording->group.done = written;
	recording->loop = loop;
	recording->tasks = tasks;
	recording->since_ms = loop->now_ms;
	recording->written = false;
	recording->submitting = true;
	bulla_audit_submit(&recording->group); /* only this thread lands it, or sweeps: it need not fly yet */
	recording->submitting = false;
	if (recording->written)
		return true;
	recording->flying = loop->flying;
	loop->flying = recording;
	return false;
}

/* For the next turn: the buffers have grown to what a turn needs. */
static void keep(struct loop *loop, struct recording *recording)
{
	struct bulla_audit_lines *lines = recording->group.lines;

	if (loop->lines == NULL)
		loop->lines = bulla_audit_lines_reuse(loop->httpd->service->engine, lines);
	else
		bulla_audit_lines_free(lines);
	if (loop->spare_recording == NULL)
		loop->spare_recording = recording;
	else
		free(recording);
}

/* No answer without a record. NULL: it could not even be handed over. */
static bool is_recorded(const struct recording *recording)
{
	return recording != NULL && recording->group.recorded;
}

/* libmicrohttpd asks again for what was not suspended. */
static void go_on(struct loop *loop, struct task *task)
{
	if (task->state == TASK_WORKING)
		resume_task(loop, task);
	else
		task->state = TASK_ANSWERED;
}

static void resume(struct loop *loop, struct task *tasks, struct recording *recording)
{
	for (struct task *task = tasks, *next; task != NULL; task = next) {
		next = task->next;
		if (!is_recorded(recording))
			reply_refuse(task, recording != NULL ? bulla_audit_refusal(&recording->group) : BULLA_E_AUDIT);
		go_on(loop, task);
	}
	if (recording != NULL)
		keep(loop, recording);
}

/* Those of the list whose records are among lines: the turn's (they have none of their own), or of the same devices. */
static struct task *gather(struct loop *loop, struct bulla_audit_lines *lines, bool turn)
{
	struct task *found = NULL, **at = &loop->recorded;

	while (*at != NULL) {
		struct task *task = *at;
		struct bulla_audit_lines *own = task->reply.lines;
		bool belongs = own == NULL ? turn : own == lines || bulla_audit_lines_join(lines, own);

		if (!belongs) {
			at = &task->next;
			continue;
		}
		task->reply.lines = NULL;
		*at = task->next;
		task->next = found;
		found = task;
	}
	return found;
}

/* Takes task out of list, if it is there. */
static bool take_out(struct task **list, const struct task *task)
{
	for (; *list != NULL; list = &(*list)->next)
		if (*list == task) {
			*list = task->next;
			return true;
		}
	return false;
}

/* Hands over lines with all whose records are among them. */
static void submit_group(struct loop *loop, struct bulla_audit_lines *lines, bool turn)
{
	struct recording *recording;
	struct task *tasks = gather(loop, lines, turn);

	if (submit(loop, lines, tasks, &recording)) {
		resume(loop, tasks, recording);
		return;
	}
	for (struct task *task = tasks; task != NULL; task = task->next)
		task->state = task->state == TASK_RECORDING ? TASK_FLYING : task->state;
}

static void submit_held(struct loop *loop)
{
	struct bulla_audit_lines *lines = loop->lines;

	loop->lines = NULL;
	if (lines != NULL)
		submit_group(loop, lines, true);
	/* what other devices are for: a change came between */
	while (loop->recorded != NULL)
		submit_group(loop, loop->recorded->reply.lines, false);
}

bool audit_record(struct task *task)
{
	struct loop *loop = task->conn->loop;
	bool others = loop->turn_records > 0 || loop->records_before > 1; /* where the last turn had some, this one most likely has */
	bool large = loop->lines != NULL && bulla_audit_lines_bytes(loop->lines) >= GROUP_BYTES;

	loop->turn_records++;
	task->state = TASK_RECORDING;
	audit_hold(task);
	/* while a device is at others' records, more are gathered */
	if (loop->flying == NULL && (large || !others))
		submit_held(loop);
	return task->state == TASK_ANSWERED;
}

/* It was served: that goes on record, though nobody hears of it. */
void audit_forget(struct task *task)
{
	struct loop *loop = task->conn->loop;

	if (task->state == TASK_RECORDING)
		submit_held(loop);
	for (struct recording *r = loop->flying; task->state == TASK_FLYING && r != NULL; r = r->flying)
		if (take_out(&r->tasks, task))
			return;
}

bool audit_ended(struct loop *loop)
{
	return loop->recorded == NULL && loop->flying == NULL && atomic_load_explicit(&loop->waking, memory_order_acquire) == 0;
}

bool audit_end_turn(struct loop *loop)
{
	bool any = loop->recorded != NULL;

	if (loop->turn_records > 0)
		loop->records_before = loop->turn_records;
	loop->turn_records = 0;
	if (any)
		submit_held(loop);
	return any;
}

void audit_free_spares(struct loop *loop)
{
	bulla_audit_lines_free(loop->lines);
	free(loop->spare_recording);
	loop->lines = NULL;
	loop->spare_recording = NULL;
}

static void land(struct loop *loop, struct recording *recording)
{
	struct recording **at = &loop->flying;

	while (*at != recording)
		at = &(*at)->flying;
	*at = recording->flying;
	resume(loop, recording->tasks, recording);
}

void audit_resume(struct loop *loop)
{
	struct recording *recording = atomic_exchange_explicit(&loop->written, NULL, memory_order_acquire);

	for (struct recording *next; recording != NULL; recording = next) {
		next = recording->next;
		land(loop, recording);
	}
}

void audit_sweep(struct loop *loop)
{
	for (struct recording *r = loop->flying, *next; r != NULL; r = next) {
		next = r->flying;
		bulla_audit_expire(&r->group, loop->now_ms - r->since_ms);
	}
}
