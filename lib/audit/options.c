/* options.c: what a device's options say, checked as the peer checks them, and more strictly where it ignores what it does not
 * know: who misspells "log_raw" must not find out from the log. Stateless: any thread. */
#include <stddef.h>
#include <stdlib.h>
#include <strings.h>
#include <syslog.h>

#include "audit/audit_private.h"

#define MAX_PATH 4000
#define DEFAULT_TIMEOUT_MS 2000
#define DEFAULT_CHECKPOINT_RECORDS 10000
#define DEFAULT_CHECKPOINT_S 10
#define DEFAULT_QUEUE_BYTES (INT64_C(64) << 20)

enum option_kind { OPTION_BOOL, OPTION_TEXT, OPTION_MODE, OPTION_MILLISECONDS, OPTION_COUNT, OPTION_FORMAT, OPTION_FACILITY,
		   OPTION_PREFIX };

struct option_row {
	const char *name;
	unsigned kinds; /* of sinks that have it */
	enum option_kind kind;
	size_t offset;
};

#define ALL (1u << SINK_FILE | 1u << SINK_SOCKET | 1u << SINK_SYSLOG)
#define ROW(text, sinks, kind, member) { text, sinks, kind, offsetof(struct audit_options, member) }
static const struct option_row rows[] = {
	ROW("log_raw", ALL, OPTION_BOOL, log_raw),
	ROW("hmac_accessor", ALL, OPTION_BOOL, hmac_accessor),
	ROW("elide_list_responses", ALL, OPTION_BOOL, elide_list),
	ROW("skip_test", ALL, OPTION_BOOL, skip_test),
	ROW("prefix", ALL, OPTION_PREFIX, prefix),
	{ "format", ALL, OPTION_FORMAT, 0 },
	ROW("checkpoint_records", ALL, OPTION_COUNT, checkpoint_records),
	ROW("checkpoint_seconds", ALL, OPTION_COUNT, checkpoint_s),
	ROW("max_queue_bytes", ALL, OPTION_COUNT, max_queue_bytes),
	ROW("path", 1u << SINK_FILE, OPTION_TEXT, file_path), /* the older name: the other one wins */
	ROW("file_path", 1u << SINK_FILE, OPTION_TEXT, file_path),
	ROW("mode", 1u << SINK_FILE, OPTION_MODE, mode),
	ROW("sync", 1u << SINK_FILE, OPTION_BOOL, sync),
	ROW("address", 1u << SINK_SOCKET | 1u << SINK_SYSLOG, OPTION_TEXT, address),
	ROW("socket_type", 1u << SINK_SOCKET, OPTION_TEXT, socket_type),
	ROW("write_timeout", 1u << SINK_SOCKET, OPTION_MILLISECONDS, write_timeout_ms),
	ROW("facility", 1u << SINK_SYSLOG, OPTION_FACILITY, facility),
	ROW("tag", 1u << SINK_SYSLOG, OPTION_TEXT, tag),
};

static const struct {
	const char *name;
	int facility;
} facilities[] = {
	{ "KERN", LOG_KERN }, { "USER", LOG_USER }, { "MAIL", LOG_MAIL }, { "DAEMON", LOG_DAEMON }, { "AUTH", LOG_AUTH },
	{ "SYSLOG", LOG_SYSLOG }, { "LPR", LOG_LPR }, { "NEWS", LOG_NEWS }, { "UUCP", LOG_UUCP }, { "CRON", LOG_CRON },
	{ "AUTHPRIV", LOG_AUTHPRIV }, { "FTP", LOG_FTP }, { "LOCAL0", LOG_LOCAL0 }, { "LOCAL1", LOG_LOCAL1 },
	{ "LOCAL2", LOG_LOCAL2 }, { "LOCAL3", LOG_LOCAL3 }, { "LOCAL4", LOG_LOCAL4 }, { "LOCAL5", LOG_LOCAL5 },
	{ "LOCAL6", LOG_LOCAL6 }, { "LOCAL7", LOG_LOCAL7 },
};

static enum bulla_err fail_syntax(struct bulla_call *call, const char *parser, struct bulla_bytes text)
{
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, text);

	return bulla_fail(call, BULLA_E_INVALID, "strconv.%s: parsing %.*s: invalid syntax", parser, (int)quoted.len,
			  (const char *)quoted.ptr);
}

static enum bulla_err read_bool(struct bulla_call *call, struct bulla_bytes text, bool *out)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		if (bulla_is(text, yes[i]) || bulla_is(text, no[i])) {
			*out = bulla_is(text, yes[i]);
			return BULLA_OK;
		}
	return fail_syntax(call, "ParseBool", text);
}

/* Digits of a base, nothing else, up to max. */
static bool read_number(struct bulla_bytes text, int64_t base, int64_t max, int64_t *out)
{
	int64_t value = 0;

	for (size_t i = 0; i < text.len; i++) {
		int digit = text.ptr[i] - '0';

		if (digit < 0 || digit >= base || value > (max - digit) / base)
			return false;
		value = value * base + digit;
	}
	*out = value;
	return text.len > 0;
}

/* As the peer: execution bits are taken off; 0 leaves the file's mode as it is. */
static enum bulla_err read_mode(struct bulla_call *call, struct bulla_bytes text, unsigned *out)
{
	int64_t mode;

	if (!read_number(text, 8, UINT32_MAX, &mode))
		return fail_syntax(call, "ParseUint", text);
	if ((mode & ~INT64_C(0777)) != 0)
		return bulla_fail(call, BULLA_E_INVALID, "file mode does not represent a regular file");
	*out = (unsigned)mode & ~0111u;
	return BULLA_OK;
}

/* "2s", "500ms", "1m", "3": seconds. */
static enum bulla_err read_duration(struct bulla_call *call, struct bulla_bytes text, int64_t *out_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "", 1000 } };
	int64_t value;

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		size_t n = strlen(units[i].unit);

		if (text.len < n || (n > 0 && memcmp(text.ptr + text.len - n, units[i].unit, n) != 0))
			continue;
		if (!read_number(bulla_mem(text.ptr, text.len - n), 10, 3600, &value) || value == 0)
			break;
		*out_ms = value * units[i].ms;
		return BULLA_OK;
	}
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, text);

	return bulla_fail(call, BULLA_E_INVALID, "time: invalid duration %.*s", (int)quoted.len, (const char *)quoted.ptr);
}

static enum bulla_err read_format(struct bulla_call *call, struct bulla_bytes text)
{
	if (bulla_is(text, "json"))
		return BULLA_OK;
	if (bulla_is(text, "jsonx"))
		return bulla_fail(call, BULLA_E_INVALID, "jsonx formatting has been removed, consider switching to json by omitting "
				  "\"format\" or setting it to \"json\"");
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, text);

	return bulla_fail(call, BULLA_E_INVALID, "unknown format type %.*s", (int)quoted.len, (const char *)quoted.ptr);
}

static enum bulla_err read_facility(struct bulla_call *call, struct bulla_bytes text, int *out)
{
	for (size_t i = 0; i < sizeof facilities / sizeof facilities[0]; i++)
		if (bulla_is_nocase(text, facilities[i].name)) {
			*out = facilities[i].facility;
			return BULLA_OK;
		}
	return bulla_fail(call, BULLA_E_INVALID, "invalid syslog facility: %.*s", (int)text.len, (const char *)text.ptr);
}

static enum bulla_err read_text(struct bulla_call *call, const char *name, struct bulla_bytes text, const char **out)
{
	struct bulla_bytes copy = bulla_arena_copy(call->arena, text);

	if (copy.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	if (text.len == 0 || text.len > MAX_PATH || memchr(text.ptr, 0, text.len) != NULL)
		return bulla_fail(call, BULLA_E_INVALID, "option \"%s\" is empty, too long or no text", name);
	*out = (const char *)copy.ptr;
	return BULLA_OK;
}

/* It stands before each line: what ends one, or begins a record, would make the log unreadable. */
static enum bulla_err read_prefix(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < 0x20 || text.ptr[i] == '{')
			return bulla_fail(call, BULLA_E_INVALID, "option \"prefix\" holds a control character or a brace");
	*out = bulla_arena_copy(call->arena, text);
	return out->ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

static enum bulla_err read_option(struct bulla_call *call, const struct option_row *row, struct bulla_bytes text,
				  struct audit_options *options)
{
	void *at = (char *)options + row->offset;

	switch (row->kind) {
	case OPTION_BOOL:
		return read_bool(call, text, at);
	case OPTION_TEXT:
		return read_text(call, row->name, text, at);
	case OPTION_MODE:
		return read_mode(call, text, at);
	case OPTION_MILLISECONDS:
		return read_duration(call, text, at);
	case OPTION_FORMAT:
		return read_format(call, text);
	case OPTION_FACILITY:
		return read_facility(call, text, at);
	case OPTION_PREFIX:
		return read_prefix(call, text, at);
	case OPTION_COUNT:
		break;
	}
	int64_t value;

	if (!read_number(text, 10, INT64_C(1) << 40, &value) || value == 0)
		return bulla_fail(call, BULLA_E_INVALID, "option \"%s\" must be a number above 0", row->name);
	*(int64_t *)at = value;
	return BULLA_OK;
}

static const struct bulla_pair *option(const struct bulla_audit_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->option_count; i++)
		if (bulla_is(spec->options[i].key, name))
			return &spec->options[i];
	return NULL;
}

static enum bulla_err refuse_unknown(struct bulla_call *call, const struct bulla_audit_spec *spec, enum sink_kind kind)
{
	for (size_t i = 0; i < spec->option_count; i++) {
		bool known = false;

		for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
			known |= (rows[k].kinds & 1u << kind) != 0 && bulla_is(spec->options[i].key, rows[k].name);
		if (!known) {
			struct bulla_bytes quoted = bulla_arena_quote(call->arena, spec->options[i].key);

			return bulla_fail(call, BULLA_E_INVALID, "unknown option %.*s", (int)quoted.len, (const char *)quoted.ptr);
		}
	}
	return BULLA_OK;
}

static enum bulla_err check(struct bulla_call *call, enum sink_kind kind, struct audit_options *options)
{
	static const char *const types[] = { "tcp", "udp", "unix" };

	if (kind == SINK_FILE && options->file_path == NULL)
		return bulla_fail(call, BULLA_E_INVALID, "file_path is required");
	if (kind == SINK_SOCKET && options->address == NULL)
		return bulla_fail(call, BULLA_E_INVALID, "address is required");
	options->to_stdout = kind == SINK_FILE && strcasecmp(options->file_path, "stdout") == 0;
	options->discard = kind == SINK_FILE && strcasecmp(options->file_path, "discard") == 0;
	for (size_t i = 0; kind == SINK_SOCKET && i < sizeof types / sizeof types[0]; i++)
		if (strcmp(options->socket_type, types[i]) == 0)
			return BULLA_OK;
	if (kind == SINK_SOCKET)
		return bulla_fail(call, BULLA_E_INVALID, "unknown socket_type: \"tcp\", \"udp\" and \"unix\" are known");
	return BULLA_OK;
}

enum bulla_err options_read(struct bulla_call *call, const struct bulla_audit_spec *spec, enum sink_kind *kind,
			    struct audit_options *out)
{
	static const char *const types[] = { [SINK_FILE] = "file", [SINK_SOCKET] = "socket", [SINK_SYSLOG] = "syslog" };
	struct audit_options options = {
		.hmac_accessor = true, .mode = 0600, .socket_type = "tcp", .write_timeout_ms = DEFAULT_TIMEOUT_MS, .facility = LOG_AUTH,
		.tag = "bulla", .checkpoint_records = DEFAULT_CHECKPOINT_RECORDS, .checkpoint_s = DEFAULT_CHECKPOINT_S,
		.max_queue_bytes = DEFAULT_QUEUE_BYTES,
	};
	size_t found = 0;

	while (found < sizeof types / sizeof types[0] && !bulla_is(spec->type, types[found]))
		found++;
	if (found == sizeof types / sizeof types[0]) {
		struct bulla_bytes quoted = bulla_arena_quote(call->arena, spec->type);

		return bulla_fail(call, BULLA_E_INVALID, "unknown backend type: %.*s", (int)quoted.len, (const char *)quoted.ptr);
	}
	TRY(refuse_unknown(call, spec, (enum sink_kind)found));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct bulla_pair *pair = (rows[i].kinds & 1u << found) != 0 ? option(spec, rows[i].name) : NULL;

		if (pair != NULL)
			TRY(read_option(call, &rows[i], pair->value, &options));
	}
	TRY(check(call, (enum sink_kind)found, &options));
	*kind = (enum sink_kind)found;
	*out = options;
	return BULLA_OK;
}
