/* httpd_heads.c: owns what the framing machine has taken of a connection's heads, until libmicrohttpd begins their
 * requests: several, if they came in one piece. One buffer holds them one behind another: of each its target, then
 * its headers, then an end. A loop keeps one spare buffer, so that a request most often needs none to be made. Runs
 * on the loop's thread. */
#include <stdlib.h>

#include "http/httpd_internal.h"

#define FIRST_CAP 2048
#define END UINT16_MAX
/* in front of each name and value */
struct lengths {
	uint16_t name, value; /* less than FRAMING_MAX_HEAD; name is END: of the head */
};

static bool make_room(struct conn *conn, size_t more)
{
	struct heads *heads = &conn->heads;

	if (heads->bytes == NULL && conn->loop->spare_heads.bytes != NULL) {
		*heads = conn->loop->spare_heads;
		conn->loop->spare_heads = (struct heads){ 0 };
	}
	if (heads->cap - heads->len >= more)
		return true;
	if (heads->at > 0) {
		memmove(heads->bytes, heads->bytes + heads->at, heads->len - heads->at);
		heads->len -= heads->at;
		heads->begun -= heads->at;
		bulla_wipe(heads->bytes + heads->len, heads->at); /* the end of what was moved stands there still */
		heads->at = 0;
	}
	if (heads->cap - heads->len >= more)
		return true;
	size_t cap = heads->cap > 0 ? heads->cap : FIRST_CAP;

	while (cap - heads->len < more)
		cap *= 2;
	uint8_t *grown = malloc(cap);

	if (grown == NULL)
		return false;
	if (heads->len > 0)
		memcpy(grown, heads->bytes, heads->len);
	bulla_wipe(heads->bytes, heads->len);
	free(heads->bytes);
	heads->bytes = grown;
	heads->cap = cap;
	return true;
}

static bool append(struct conn *conn, struct lengths lengths, struct bulla_bytes name, struct bulla_bytes value)
{
	struct heads *heads = &conn->heads;

	/* there is always room for the end */
	if (!make_room(conn, sizeof lengths + name.len + value.len + sizeof lengths))
		return false;
	memcpy(heads->bytes + heads->len, &lengths, sizeof lengths);
	heads->len += sizeof lengths;
	if (name.len > 0)
		memcpy(heads->bytes + heads->len, name.ptr, name.len);
	heads->len += name.len;
	if (value.len > 0)
		memcpy(heads->bytes + heads->len, value.ptr, value.len);
	heads->len += value.len;
	return true;
}

enum framing_taken heads_take(void *context, struct bulla_bytes name, struct bulla_bytes value)
{
	struct conn *conn = context;
	const struct bulla *engine = conn->loop->httpd->service->engine;
	struct lengths lengths = { (uint16_t)name.len, (uint16_t)value.len };

	bool audited = bulla_audit_wants_headers(engine) && bulla_audit_wants_header(engine, name);

	if (name.len > 0 && !header_wanted(name) && !audited)
		return FRAMING_NOT_WANTED;
	return append(conn, lengths, name, value) ? FRAMING_TAKEN : FRAMING_NO_MEMORY;
}

void heads_end(void *context, bool refused)
{
	struct conn *conn = context;
	struct heads *heads = &conn->heads;

	if (refused && heads->len > heads->begun) {
		bulla_wipe(heads->bytes + heads->begun, heads->len - heads->begun);
		heads->len = heads->begun;
	}
	if (!refused) { /* it has a target, behind which append() left room for this */
		const struct lengths end = { .name = END };

		memcpy(heads->bytes + heads->len, &end, sizeof end);
		heads->len += sizeof end;
	}
	heads->begun = heads->len;
}

static void give_back(struct conn *conn)
{
	struct heads *heads = &conn->heads, *spare = &conn->loop->spare_heads;

	if (spare->bytes == NULL && heads->cap <= FIRST_CAP)
		*spare = (struct heads){ .bytes = heads->bytes, .cap = heads->cap };
	else
		free(heads->bytes);
	*heads = (struct heads){ 0 };
}

void heads_drop(struct conn *conn)
{
	if (conn->heads.bytes == NULL)
		return;
	bulla_wipe(conn->heads.bytes, conn->heads.len);
	give_back(conn);
}

void heads_free_spare(struct loop *loop)
{
	free(loop->spare_heads.bytes);
	loop->spare_heads = (struct heads){ 0 };
}

/* The first is the target, whose name is empty. */
static void take_fields(struct conn *conn, struct task *task)
{
	struct heads *heads = &conn->heads;
	struct lengths lengths;

	while (heads->at < heads->begun) {
		memcpy(&lengths, heads->bytes + heads->at, sizeof lengths);
		heads->at += sizeof lengths;
		if (lengths.name == END)
			return;
		struct bulla_bytes name = bulla_mem(heads->bytes + heads->at, lengths.name);
		struct bulla_bytes value = bulla_mem(name.ptr + name.len, lengths.value);

		heads->at += name.len + value.len;
		if (name.len > 0)
			header_take(task, name, value);
		else
			task->request.target = bulla_arena_copy(task->arena, value);
	}
}

bool heads_begin(struct conn *conn, struct task *task)
{
	struct heads *heads = &conn->heads;
	size_t from = heads->at;

	take_fields(conn, task);
	if (heads->bytes != NULL)
		bulla_wipe(heads->bytes + from, heads->at - from);
	if (heads->at == heads->len && heads->bytes != NULL)
		give_back(conn);
	return task->request.target.ptr != NULL;
}
