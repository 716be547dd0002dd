/* httpd_audit.c: holds requests until their records are written. Both records of all requests of a turn go to the audit devices as
 * one group at its end, those that workers have served with them; when it is written they are resumed as one group. Runs on the
 * loop's thread, but for written(). */
#include <stdlib.h>

#include "http/httpd_internal.h"

void audit_hold(struct task *task)
{
	struct loop *loop = task->conn->loop;

	task->next = loop->recorded;
	loop->recorded = task;
}

/* On a device's thread, or on the loop's own. */
static void written(struct bulla_audit_group *group)
{
	struct recording *recording = (struct recording *)(void *)group;
	struct loop *loop = recording->loop;
	struct recording *top = atomic_load_explicit(&loop->written, memory_order_relaxed);

	do
		recording->next = top; /* once it is pushed, it is the loop's */
	while (!atomic_compare_exchange_weak_explicit(&loop->written, &top, recording, memory_order_release,
						      memory_order_relaxed));
	if (top == NULL && !pthread_equal(loop->thread, pthread_self())) /* the loop itself looks after it has submitted */
		loop_wake(loop);
}

static void submit(struct loop *loop, struct bulla_audit_lines *lines, struct task *tasks)
{
	struct recording *recording = loop->spare_recording != NULL ? loop->spare_recording : calloc(1, sizeof *recording);

	loop->spare_recording = NULL;
	if (recording == NULL) {
		for (struct task *task = tasks, *next; task != NULL; task = next) {
			next = task->next;
			reply_refuse(task, BULLA_E_AUDIT); /* no answer without a record */
			resume_task(loop, task);
		}
		bulla_audit_lines_free(lines);
		return;
	}
	recording->group.lines = lines;
	recording->group.done = written;
	recording->loop = loop;
	recording->tasks = tasks;
	recording->since_ms = loop->now_ms;
	recording->flying = loop->flying;
	loop->flying = recording;
	bulla_audit_submit(&recording->group);
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

void audit_submit(struct loop *loop)
{
	struct bulla_audit_lines *lines = loop->lines;

	if (loop->recorded == NULL)
		return;
	loop->lines = NULL;
	if (lines != NULL) {
		struct task *tasks = gather(loop, lines, true);

		submit(loop, lines, tasks);
	}
	/* what other devices are for: a change came between */
	while (loop->recorded != NULL) {
		lines = loop->recorded->reply.lines;
		struct task *tasks = gather(loop, lines, false);

		submit(loop, lines, tasks);
	}
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
	for (struct task *task = recording->tasks, *next; task != NULL; task = next) {
		next = task->next;
		if (!recording->group.recorded)
			reply_refuse(task, BULLA_E_AUDIT); /* no answer without a record */
		resume_task(loop, task);
	}
	keep(loop, recording);
}

bool audit_resume(struct loop *loop)
{
	struct recording *recording = atomic_exchange_explicit(&loop->written, NULL, memory_order_acquire);
	bool any = recording != NULL;

	for (struct recording *next; recording != NULL; recording = next) {
		next = recording->next;
		land(loop, recording);
	}
	return any;
}

void audit_sweep(struct loop *loop)
{
	for (struct recording *r = loop->flying, *next; r != NULL; r = next) {
		next = r->flying;
		if (loop->now_ms - r->since_ms > BULLA_AUDIT_WAIT_S * 1000)
			bulla_audit_expire(&r->group);
	}
}
