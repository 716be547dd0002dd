/* envelope.c: the JSON around what handlers print, and around errors. Stateless: any thread. */
#include "http/envelope.h"

void envelope_begin(struct out *body, const char id[36])
{
	out_text(body, "{\"request_id\":\"");
	out_raw(body, bulla_mem(id, 36));
	out_text(body, "\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\"data\":");
	body->comma = false;
}

static void print_warnings(struct out *body, const struct bulla_warning *warnings)
{
	json_key(body, "warnings");
	if (warnings == NULL) {
		json_nil(body);
		return;
	}
	json_open(body, '[');
	for (; warnings != NULL; warnings = warnings->next)
		json_text(body, warnings->text);
	json_close(body, ']');
}

/* The members of the object that lies in body from at on, once more. */
static void repeat_members(struct out *body, size_t at, size_t end)
{
	size_t n = end - at;

	if (n <= 2 || body->failed || body->ptr[at] != '{' || !out_reserve(body, n))
		return;
	body->ptr[body->len++] = ',';
	memcpy(body->ptr + body->len, body->ptr + at + 1, n - 2);
	body->len += n - 2;
}

static void print_mount_type(struct out *body, const char *mount_type)
{
	if (mount_type != NULL)
		json_put_text(body, "mount_type", mount_type);
}

void envelope_end(struct out *body, size_t data_at, const struct envelope *envelope)
{
	size_t data_end = body->len;

	if (data_end == data_at)
		json_nil(body);
	json_put_null(body, "wrap_info");
	print_warnings(body, envelope->warnings);
	json_key(body, "auth");
	if (envelope->auth->len > 0) {
		out_raw(body, bulla_mem(envelope->auth->ptr, envelope->auth->len));
		body->comma = true;
	}
	if (envelope->auth->len == 0)
		json_nil(body);
	print_mount_type(body, envelope->mount_type);
	if (envelope->mirror)
		repeat_members(body, data_at, data_end);
	out_text(body, "}\n");
}

void envelope_wrapping(struct out *body, const struct bulla_wrapping *wrapping, struct bulla_bytes wrapped_accessor, const char *mount_type)
{
	char time[BULLA_TIME_TEXT];

	(void)bulla_time_print(wrapping->created_date_ns, time);
	out_text(body, "{\"request_id\":\"\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\"data\":null,\"wrap_info\":");
	body->comma = false;
	json_open(body, '{');
	json_put_string(body, "token", wrapping->token);
	json_put_string(body, "accessor", wrapping->accessor);
	json_put_int(body, "ttl", wrapping->ttl_s);
	json_put_text(body, "creation_time", time);
	json_put_string(body, "creation_path", wrapping->creation_path);
	if (wrapped_accessor.len > 0)
		json_put_string(body, "wrapped_accessor", wrapped_accessor);
	json_close(body, '}');
	json_put_null(body, "warnings");
	json_put_null(body, "auth");
	print_mount_type(body, mount_type);
	out_text(body, "}\n");
}

void envelope_error(struct out *body, const struct bulla_err_row *row, struct bulla_bytes text)
{
	if (row->style == BULLA_STYLE_NOBODY)
		return;
	out_text(body, "{\"errors\":[");
	body->comma = false;
	if (row->style == BULLA_STYLE_PLAIN)
		json_text(body, text);
	if (row->style == BULLA_STYLE_LISTED)
		json_string_between(body, "1 error occurred:\n\t* ", text, "\n\n");
	out_text(body, "]}\n");
}

void envelope_redirect(struct out *body, struct bulla_bytes location)
{
	out_text(body, "<a href=\"");
	for (size_t i = 0; i < location.len; i++) {
		const char *entity = NULL;

		switch (location.ptr[i]) {
		case '&': entity = "&amp;"; break;
		case '<': entity = "&lt;"; break;
		case '>': entity = "&gt;"; break;
		case '"': entity = "&#34;"; break;
		case '\'': entity = "&#39;"; break;
		default: break;
		}
		out_raw(body, entity != NULL ? bulla_str(entity) : bulla_mem(location.ptr + i, 1));
	}
	out_text(body, "\">Temporary Redirect</a>.\n\n");
}
