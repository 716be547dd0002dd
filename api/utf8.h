/* utf8.h: names in UTF-8, whatever the locale of the process. */
#ifndef CARD_UTF8_H
#define CARD_UTF8_H

#include "card.h"

/* Well-formed UTF-8 (RFC 3629) without control characters (C0, DEL, C1, line and paragraph separators, and the marks that turn the
 * direction of text around); its length in characters. */
bool utf8_length(const char *text, size_t *chars);

/* How many decimal digits of any script text has. */
size_t utf8_digits(const char *text);

#define UPPER_SIZE (2 * NAME_SIZE)

/* text in upper case. What is not well-formed, and control characters, become '?': the text is for a terminal. CONFIG: the C library has
 * no C.UTF-8 locale. */
MUST_USE enum card_err utf8_upper(const char *text, char out[UPPER_SIZE]);

#endif
