/* log.h: one line an event on standard error, written at once. Never given a PAN, a name, a token or a caller's text. */
#ifndef CARD_LOG_H
#define CARD_LOG_H

/* Names the program in each line; call before threads start. */
void log_open(const char *program);

/* Time, program, text, end of line; longer than 1 KB is cut. Any thread. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
