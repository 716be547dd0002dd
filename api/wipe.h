/* wipe.h: keeps card numbers and tokens out of freed memory and out of core files. */
#ifndef CARD_WIPE_H
#define CARD_WIPE_H

#include "card.h"

/* First call of main: no core files, no ptrace or /proc/PID/mem for other processes of the same user, no socket in the place of a standard
 * stream that is closed. */
MUST_USE enum card_err wipe_init(void);

/* Overwrites n bytes; the compiler cannot drop it. */
void wipe(void *p, size_t n);

/* Frees text and says NULL; for CLEANUP. Freed memory is wiped: see wipe.c. */
void wipe_free_text(char **text);

#endif
