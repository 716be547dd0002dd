/* httpd_memory.c: owns the account of what large requests take: one bound for the whole server, a share of it for each caller. Any
 * thread; a task's own charge belongs to whoever has the task.
 *
 * A request with a body of up to SMALL_REQUEST is not in it: it takes little, and is never refused for want of memory that others
 * have. A larger body is charged as it arrives, so that a declared length costs nothing; bodies that are under way have a quarter of all,
 * so that what is whole can be served however many others are under way. What reading and serving it is going to take is charged
 * before it is read. Where the charge does not fit, the request gets 503, and the body is let go at once. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "http/httpd_internal.h"

#define STEP ((size_t)64 << 10) /* charges are in steps, so that not each packet is counted */

static size_t in_steps(size_t bytes)
{
	return (bytes + STEP - 1) / STEP * STEP;
}

static atomic_size_t *share_of(struct task *task, struct memory_account *account)
{
	return &account->shares[task->caller % MEMORY_SHARES];
}

/* Adds to an account unless it passes its limit, or the caller half of that; what he asks for alone may be more, since else it could
 * never be served. */
static bool add(struct task *task, struct memory_account *account, size_t had, size_t bytes, size_t limit)
{
	size_t his = atomic_fetch_add_explicit(share_of(task, account), bytes, memory_order_relaxed);
	size_t used = atomic_fetch_add_explicit(&account->used, bytes, memory_order_relaxed);

	if (used + bytes <= limit && (his == had || his + bytes <= limit / 2))
		return true;
	atomic_fetch_sub_explicit(share_of(task, account), bytes, memory_order_relaxed);
	atomic_fetch_sub_explicit(&account->used, bytes, memory_order_relaxed);
	return false;
}

static void remove_from(struct task *task, struct memory_account *account, size_t *charged, size_t left)
{
	size_t want = in_steps(left);

	if (want >= *charged)
		return;
	atomic_fetch_sub_explicit(&account->used, *charged - want, memory_order_relaxed);
	atomic_fetch_sub_explicit(share_of(task, account), *charged - want, memory_order_relaxed);
	*charged = want;
}

bool memory_charge_body(struct task *task, size_t bytes)
{
	struct httpd *httpd = task->conn->loop->httpd;
	size_t want = in_steps(bytes), max = httpd->config.max_request_memory;

	if (want <= task->charged)
		return true;
	if (atomic_load_explicit(&httpd->working.used, memory_order_relaxed) + want - task->charged > max ||
	    !add(task, &httpd->receiving, task->charged, want - task->charged, max / 4))
		return false;
	task->charged = want;
	return true;
}

bool memory_charge_work(struct task *task, size_t bytes)
{
	struct httpd *httpd = task->conn->loop->httpd;
	size_t want = in_steps(bytes), others = atomic_load_explicit(&httpd->receiving.used, memory_order_relaxed) - task->charged;
	size_t max = httpd->config.max_request_memory;

	if (want <= task->working)
		return true;
	if (others > max || !add(task, &httpd->working, task->working, want - task->working, max - others))
		return false;
	task->working = want;
	remove_from(task, &httpd->receiving, &task->charged, 0);
	return true;
}

void memory_give_back(struct task *task, size_t left)
{
	struct httpd *httpd = task->conn->loop->httpd;

	remove_from(task, &httpd->receiving, &task->charged, 0);
	remove_from(task, &httpd->working, &task->working, left);
}

bool memory_is_short(const struct httpd *httpd)
{
	return atomic_load_explicit(&httpd->receiving.used, memory_order_relaxed) > httpd->config.max_request_memory / 8;
}

/* ---- what a request takes ------------------------------------------------------ */

/* Measured with tests/fault/starve.c over all routes with large bodies, audited and not (docs/DECISIONS.md); each is a fifth or more above
 * what was seen. */
#define PER_REQUEST ((size_t)1 << 20)
#define PER_BYTE 4         /* the body, what is decoded of it, the result, the answer */
#define PER_ODD_BYTE 7     /* with escapes or bad UTF-8 in it: strings are copied, into three times their room */
#define PER_STORED_BYTE 10 /* what is stored or wrapped: sealed, and through the database's pages */
#define STORED_MAX ((size_t)2 << 20)
#define PER_VALUE 512      /* of JSON: its node, an item, its result, its part of the audit records */

struct census {
	size_t values, odd;
};

static void count_block(const uint8_t *text, size_t len, struct census *census)
{
	uint8_t values = 0, odd = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = text[i];

		values = (uint8_t)(values + (c == ',') + (c == ':') + (c == '[') + (c == '&'));
		odd |= (uint8_t)((c >> 7) | (c == '\\') | (c == '%'));
	}
	census->values += values;
	census->odd += odd;
}

/* Values in a JSON text or a form, or some more: each but the first stands behind a comma, a colon, a bracket or an ampersand. */
static struct census count_values(const uint8_t *text, size_t len)
{
	struct census census = { .values = 1 };
	size_t at = 0;

	for (; at + 64 <= len; at += 64)
		count_block(text + at, 64, &census); /* of a constant length, so that it becomes a few instructions */
	count_block(text + at, len - at, &census);
	return census;
}

size_t memory_estimate(const struct request *request)
{
	struct census census = count_values(request->body, request->body_len);
	size_t values = census.values < JSON_MAX_VALUES ? census.values : JSON_MAX_VALUES;
	size_t stored = request->wrap_ttl.len > 0 || request->body_len < STORED_MAX ? request->body_len : STORED_MAX;

	return PER_REQUEST + request->body_len * (census.odd > 0 ? PER_ODD_BYTE : PER_BYTE) + stored * (PER_STORED_BYTE - PER_BYTE) +
	       values * PER_VALUE;
}

/* ---- the buffers of bodies ---------------------------------------------------- */

/* Large ones are mapped: pages that nothing has arrived for do not exist, growing moves no bytes, and what is let go goes back. */
uint8_t *memory_body_grow(uint8_t *body, size_t used, size_t cap, size_t want)
{
	void *p;

	if (want <= MAPPED_BODY) {
		p = malloc(want);
	} else if (cap > MAPPED_BODY) {
		p = mremap(body, cap, want, MREMAP_MAYMOVE);
		return p == MAP_FAILED ? NULL : p;
	} else {
		p = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		p = p == MAP_FAILED ? NULL : p;
	}
	if (p == NULL)
		return NULL;
	if (used > 0)
		memcpy(p, body, used);
	bulla_wipe(body, used);
	free(body);
	return p;
}

void memory_body_free(uint8_t *body, size_t cap)
{
	if (cap > MAPPED_BODY)
		(void)munmap(body, cap);
	else
		free(body);
}
