/* log.h: one line an event on standard error, written at once. Never given a PAN, a name, a token or a caller's text. */
#ifndef CARD_LOG_H
#define CARD_LOG_H

#include <stddef.h>

/* Names the program in each line; call before threads start. */
void log_open(const char *program);

/* Time, program, text, end of line; longer than 1 KB is cut. Any thread. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Lines that are written together. One thread's; starts zeroed. */
struct log_lines {
	size_t len;
	char text[4096]; /* PIPE_BUF: what other threads write does not stand in between */
};

/* As log_line, but written by log_write, or when there is no more room. */
void log_add(struct log_lines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_write(struct log_lines *lines);

#endif
