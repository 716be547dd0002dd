/* log.c: owns the form of a log line. One write for each line or group of lines, so that threads do not mix theirs. */
#define _GNU_SOURCE
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "utc.h"

#define LINE_SIZE 1024

static const char *name = "card";

void log_open(const char *program)
{
	name = program;
}

/* Prints a line with its end into out, and returns its length. */
static size_t print(char out[LINE_SIZE], const char *format, va_list args)
{
	char at[UTC_SIZE];

	utc_print(at, time(NULL));
	size_t n = (size_t)snprintf(out, LINE_SIZE, "%s %s: ", at, name);

	n += (size_t)vsnprintf(out + n, LINE_SIZE - n, format, args);
	if (n > LINE_SIZE - 1)
		n = LINE_SIZE - 1;
	out[n] = '\n';
	return n + 1;
}

static void write_out(const char *text, size_t n)
{
	if (write(STDERR_FILENO, text, n) < 0)
		return; /* a log that is gone must not stop the service */
}

void log_line(const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, format);
	write_out(line, print(line, format, args));
	va_end(args);
}

void log_add(struct log_lines *lines, const char *format, ...)
{
	va_list args;

	if (lines->len + LINE_SIZE > sizeof lines->text)
		log_write(lines);
	va_start(args, format);
	lines->len += print(lines->text + lines->len, format, args);
	va_end(args);
}

void log_write(struct log_lines *lines)
{
	if (lines->len > 0)
		write_out(lines->text, lines->len);
	lines->len = 0;
}
