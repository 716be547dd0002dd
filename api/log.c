/* log.c: owns the form of a log line. One write a line, so that threads do not mix theirs. */
#define _GNU_SOURCE
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 1024

static const char *name = "card";

void log_open(const char *program)
{
	name = program;
}

void log_line(const char *format, ...)
{
	char line[LINE_SIZE], at[32];
	time_t now = time(NULL);
	struct tm utc;
	va_list args;

	gmtime_r(&now, &utc);
	strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &utc);
	size_t n = (size_t)snprintf(line, sizeof line, "%s %s: ", at, name);

	va_start(args, format);
	n += (size_t)vsnprintf(line + n, sizeof line - n, format, args);
	va_end(args);
	if (n > sizeof line - 1)
		n = sizeof line - 1;
	line[n] = '\n';
	if (write(STDERR_FILENO, line, n + 1) < 0)
		return; /* a log that is gone must not stop the service */
}
