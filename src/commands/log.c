/* log.c: owns the log's file descriptor and prints lines. The descriptor is replaced under it (dup3) when the log is reopened,
 * so that writers need no lock. */
#define _GNU_SOURCE
#include "commands/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "request/json.h"

#define LINE_MAX_BYTES 4096

static struct log_config config = { .level = LOG_LEVEL_INFO };
static atomic_int least = LOG_LEVEL_INFO; /* config.level, which SIGHUP may change */
static int fd = STDERR_FILENO;

static const char *const names[] = { "trace", "debug", "info", "warn", "error" };
static const char *const tags[] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR" };

/* Whether text, but for case and white space around it, is the word. */
static bool is_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	text += strspn(text, " \t\r\n");
	return strncasecmp(text, word, n) == 0 && text[n + strspn(text + n, " \t\r\n")] == '\0';
}

bool log_level_parse(const char *text, enum log_level *out)
{
	static const struct {
		const char *word;
		enum log_level level;
	} words[] = {
		{ "trace", LOG_LEVEL_TRACE }, { "debug", LOG_LEVEL_DEBUG }, { "info", LOG_LEVEL_INFO }, { "notice", LOG_LEVEL_INFO },
		{ "warn", LOG_LEVEL_WARN }, { "warning", LOG_LEVEL_WARN }, { "error", LOG_LEVEL_ERROR }, { "err", LOG_LEVEL_ERROR },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (is_word(text, words[i].word)) {
			*out = words[i].level;
			return true;
		}
	}
	return false;
}

bool log_format_parse(const char *text, bool *json)
{
	*json = is_word(text, "json");
	return *json || is_word(text, "standard");
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&least, level, memory_order_relaxed);
}

static enum bulla_err open_file(struct bulla_call *call, int *out)
{
	int opened = open(config.file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);

	if (opened < 0)
		return bulla_fail(call, BULLA_E_CONFIG, "log_file %s: %s", config.file, strerror(errno));
	*out = opened;
	return BULLA_OK;
}

enum bulla_err log_open(const struct log_config *wanted, struct bulla_call *call)
{
	config = *wanted;
	log_set_level(config.level);
	return config.file == NULL ? BULLA_OK : open_file(call, &fd);
}

enum bulla_err log_reopen(struct bulla_call *call)
{
	int opened;

	if (config.file == NULL)
		return BULLA_OK;
	TRY(open_file(call, &opened));
	bool good = dup3(opened, fd, O_CLOEXEC) >= 0;

	close(opened);
	return good ? BULLA_OK : bulla_fail(call, BULLA_E_CONFIG, "log_file %s: %s", config.file, strerror(errno));
}

/* The time to the millisecond, as a fixed width. */
static int print_time(char out[BULLA_TIME_TEXT])
{
	int64_t now = bulla_wall_ns(), s = now / 1000000000;
	int n = bulla_time_print(s * 1000000000, out);

	return n - 1 + snprintf(out + n - 1, (size_t)(BULLA_TIME_TEXT - n + 1), ".%03dZ", (int)(now / 1000000 % 1000));
}

/* text with control characters, quotes of JSON aside, escaped; cut to room. */
static size_t escape(const char *text, char *out, size_t room)
{
	size_t n = 0;

	for (const unsigned char *c = (const unsigned char *)text; *c != '\0' && n + 5 < room; c++) {
		if (*c >= 0x20 && *c != 0x7f)
			out[n++] = (char)*c;
		else
			n += (size_t)snprintf(out + n, room - n, "\\x%02x", *c);
	}
	out[n] = '\0';
	return n;
}

static void write_all(const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return; /* nobody is left to tell */
		if (done > 0)
			p += done, n -= (size_t)done;
	}
}

static void print_json(enum log_level level, const char *time, const char *text)
{
	struct out line = { 0 };

	json_open(&line, '{');
	json_put_text(&line, "@timestamp", time);
	json_put_text(&line, "@level", names[level]);
	json_put_text(&line, "@message", text);
	json_close(&line, '}');
	out_text(&line, "\n");
	if (!line.failed)
		write_all(line.ptr, line.len);
	out_clear(&line);
}

static void print_line(enum log_level level, const char *text)
{
	char time[BULLA_TIME_TEXT], line[LINE_MAX_BYTES + 64];

	print_time(time);
	if (config.json) {
		print_json(level, time, text);
		return;
	}
	int n = snprintf(line, sizeof line, "%s [%s]%*s ", time, tags[level], (int)(5 - strlen(tags[level])), "");

	n += (int)escape(text, line + n, sizeof line - (size_t)n - 2);
	line[n++] = '\n';
	write_all((const uint8_t *)line, (size_t)n);
}

void log_write(enum log_level level, const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;

	if ((int)level < atomic_load_explicit(&least, memory_order_relaxed))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	print_line(level, text);
}

void log_text(void *context, const char *level, const char *text)
{
	enum log_level found = LOG_LEVEL_INFO;

	(void)context;
	for (int i = LOG_LEVEL_TRACE; i <= LOG_LEVEL_ERROR; i++)
		if (strcmp(level, names[i]) == 0)
			found = (enum log_level)i;
	if ((int)found >= atomic_load_explicit(&least, memory_order_relaxed))
		print_line(found, text);
}
