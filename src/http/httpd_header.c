/* httpd_header.c: takes from a request's headers what serve() and the framing need. Runs on the loop's thread. */
#include <ctype.h>
#include <stdlib.h>

#include "http/httpd_internal.h"

#define MAX_AUDITED_HEADERS 64

enum method header_method(const char *text)
{
	static const char *const names[] = {
		[METHOD_GET] = "GET", [METHOD_POST] = "POST", [METHOD_PUT] = "PUT", [METHOD_DELETE] = "DELETE",
		[METHOD_LIST] = "LIST", [METHOD_PATCH] = "PATCH", [METHOD_HEAD] = "HEAD", [METHOD_OPTIONS] = "OPTIONS",
		[METHOD_SCAN] = "SCAN",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(text, names[i]) == 0)
			return (enum method)i;
	return METHOD_UNKNOWN;
}

void wipe_in_place(struct bulla_bytes bytes)
{
	bulla_wipe((void *)(uintptr_t)bytes.ptr, bytes.len);
}

/* The first of two counts, even if it is empty; then the first Authorization with "Bearer ". */
static bool take_token(struct task *task, struct bulla_bytes value, bool bearer)
{
	struct bulla_bytes *token = &task->request.token, text = value;
	bool *seen = bearer ? &task->saw_bearer : &task->saw_token;

	if (bearer && !bulla_begins(value, "Bearer "))
		return true;
	if (bearer)
		text = framing_trim(bulla_mem(value.ptr + 7, value.len - 7));
	if (!*seen && text.len > 0 && (!bearer || token->len == 0)) {
		*token = bulla_arena_copy(task->arena, text);
		if (token->ptr == NULL)
			return false;
	}
	*seen = true;
	return true;
}

static bool take(struct task *task, struct bulla_bytes *field, struct bulla_bytes value)
{
	if (field->ptr != NULL)
		return true;
	*field = bulla_arena_copy(task->arena, value);
	return field->ptr != NULL;
}

/* Several lines are one list (RFC 9110 section 5.3). */
static bool take_forwarded(struct task *task, struct bulla_bytes value)
{
	struct bulla_bytes before = task->forwarded_for;

	if (task->conn->endpoint->listener->forwarding.authorized_count == 0)
		return true;
	task->forwarded_for = before.ptr == NULL ? bulla_arena_copy(task->arena, value)
						 : bulla_arena_printf(task->arena, "%.*s,%.*s", (int)before.len, (const char *)before.ptr,
								      (int)value.len, (const char *)value.ptr);
	return task->forwarded_for.ptr != NULL;
}

/* Content-Length and Transfer-Encoding decide where the request ends: nothing may be left to opinion (RFC 9112, 6.3 and 11.2).
 * Where both stand, the coding counts, as at the peer, and the connection ends with the reply: whatever a proxy before us took
 * for the next request is not read. The framing machine has refused a length that is not a number. */
static bool take_length(struct task *task, struct bulla_bytes value)
{
	if (task->has_length)
		return false;
	task->has_length = true;
	task->closes |= task->chunked;
	task->declared_len = 0;
	for (size_t i = 0; !task->chunked && i < value.len; i++) /* digits, of a number that 64 bits hold; nothing ends them but their count */
		task->declared_len = 10 * task->declared_len + (uint64_t)(value.ptr[i] - '0');
	return true;
}

static bool take_coding(struct task *task, struct bulla_bytes value)
{
	if (task->chunked || !bulla_is_nocase(value, "chunked"))
		return false;
	task->chunked = true;
	task->closes |= task->has_length;
	task->declared_len = 0;
	return true;
}

/* What only CORS asks for. */
static bool take_browser(struct task *task, struct bulla_bytes *field, struct bulla_bytes value)
{
	return bulla_cors_on(task->conn->loop->httpd->service->engine) ? take(task, field, value) : true;
}

/* All that take_header() has a case for: others never come so far. */
bool header_wanted(struct bulla_bytes name)
{
	switch (name.len) {
	case 6:
		return framing_is_name(name, "Expect") || framing_is_name(name, "Origin");
	case 12:
		return framing_is_name(name, "Content-Type");
	case 13:
		return framing_is_name(name, "X-Vault-Token") || framing_is_name(name, "Authorization");
	case 14:
		return framing_is_name(name, "Content-Length");
	case 15:
		return framing_is_name(name, "X-Vault-Request") || framing_is_name(name, "X-Forwarded-For");
	case 16:
		return framing_is_name(name, "X-Vault-Wrap-TTL");
	case 17:
		return framing_is_name(name, "X-Vault-Namespace") || framing_is_name(name, "Transfer-Encoding");
	case 29:
		return framing_is_name(name, "Access-Control-Request-Method");
	default:
		return false;
	}
}

static bool take_header(struct task *task, struct bulla_bytes name, struct bulla_bytes value)
{
	struct request *request = &task->request;

	switch (name.len) {
	case 6:
		if (framing_is_name(name, "Expect"))
			task->expects = bulla_is_nocase(value, "100-continue");
		return framing_is_name(name, "Origin") ? take_browser(task, &request->origin, value) : true;
	case 12:
		return framing_is_name(name, "Content-Type") ? take(task, &request->content_type, value) : true;
	case 13:
		return framing_is_name(name, "X-Vault-Token") ? take_token(task, value, false) :
		       framing_is_name(name, "Authorization") ? take_token(task, value, true) : true;
	case 14:
		return framing_is_name(name, "Content-Length") ? take_length(task, value) : true;
	case 15:
		if (framing_is_name(name, "X-Vault-Request"))
			request->vault_client = bulla_is_nocase(value, "true");
		return framing_is_name(name, "X-Forwarded-For") ? take_forwarded(task, value) : true;
	case 16:
		return framing_is_name(name, "X-Vault-Wrap-TTL") ? take(task, &request->wrap_ttl, value) : true;
	case 17:
		return framing_is_name(name, "X-Vault-Namespace") ? take(task, &request->namespace, value) :
		       framing_is_name(name, "Transfer-Encoding") ? take_coding(task, value) : true;
	case 29:
		return framing_is_name(name, "Access-Control-Request-Method") ? take_browser(task, &request->wanted_method, value) : true;
	default:
		return true;
	}
}

/* For the audit log. */
static bool keep_header(struct task *task, struct bulla_bytes name, struct bulla_bytes value)
{
	struct request *request = &task->request;

	if (request->header_count == MAX_AUDITED_HEADERS)
		return true;
	if (task->headers == NULL)
		task->headers = bulla_arena_alloc(task->arena, MAX_AUDITED_HEADERS * sizeof *task->headers);
	struct bulla_bytes copy = bulla_arena_copy(task->arena, name);

	if (task->headers == NULL || copy.ptr == NULL)
		return false;
	for (size_t i = 0; i < copy.len; i++)
		((uint8_t *)(uintptr_t)copy.ptr)[i] = (uint8_t)tolower(copy.ptr[i]);
	struct bulla_audit_header *header = &task->headers[request->header_count++];

	header->name = copy;
	header->value = bulla_arena_copy(task->arena, value);
	return header->value.ptr != NULL;
}

void header_take(struct task *task, struct bulla_bytes name, struct bulla_bytes value)
{
	const struct bulla *engine = task->conn->loop->httpd->service->engine;

	if (bulla_audit_wants_headers(engine) && bulla_audit_wants_header(engine, name) && !keep_header(task, name, value))
		task->malformed = true;
	if (!take_header(task, name, value))
		task->malformed = true;
}
