/* httpd_audit.c: sends no answer before its records are written. Where the devices write at once, a request is answered at once, by the
 * handler that served it. Where they take their time, requests are suspended meanwhile: the records of all that are served until the
 * end of a turn go to the devices as one group, those that workers have served with them; when it is written they are resumed as one
 * group. Runs on the loop's thread, but for written(). */
#include <stdlib.h>

#include "http/httpd_internal.h"

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

	do
		recording->next = top; /* once it is pushed, it is the loop's */
	while (!atomic_compare_exchange_weak_explicit(&loop->written, &top, recording, memory_order_release,
						      memory_order_relaxed));
	if (top == NULL)
		loop_wake(loop);
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

static void resume(struct loop *loop, struct task *tasks, struct recording *recording)
{
	for (struct task *task = tasks, *next; task != NULL; task = next) {
		next = task->next;
		if (!is_recorded(recording))
			reply_refuse(task, BULLA_E_AUDIT);
		resume_task(loop, task);
	}
	if (recording != NULL)
		keep(loop, recording);
}

bool audit_at_once(struct task *task)
{
	struct loop *loop = task->conn->loop;
	struct bulla_audit_lines *lines = loop->lines;
	struct recording *recording;

	/* while a device is at others' records, more are gathered */
	if (loop->recorded != NULL || loop->flying != NULL || task->reply.lines != NULL || lines == NULL) {
		audit_hold(task);
		return false;
	}
	loop->lines = NULL;
	task->next = NULL;
	if (!submit(loop, lines, task, &recording))
		return false;
	if (!is_recorded(recording))
		reply_refuse(task, BULLA_E_AUDIT);
	if (recording != NULL)
		keep(loop, recording);
	return true;
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

/* Hands over lines with all whose records are among them. True: these go on already. */
static bool submit_group(struct loop *loop, struct bulla_audit_lines *lines, bool turn)
{
	struct recording *recording;
	struct task *tasks = gather(loop, lines, turn);

	if (!submit(loop, lines, tasks, &recording))
		return false;
	resume(loop, tasks, recording);
	return true;
}

bool audit_submit(struct loop *loop)
{
	struct bulla_audit_lines *lines = loop->lines;
	bool any = false;

	if (loop->recorded == NULL)
		return false;
	loop->lines = NULL;
	if (lines != NULL)
		any = submit_group(loop, lines, true);
	/* what other devices are for: a change came between */
	while (loop->recorded != NULL)
		any |= submit_group(loop, loop->recorded->reply.lines, false);
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
		if (loop->now_ms - r->since_ms > BULLA_AUDIT_WAIT_S * 1000)
			bulla_audit_expire(&r->group);
	}
}
