/* utc.h: a time as it is logged and shown. */
#ifndef CARD_UTC_H
#define CARD_UTC_H

#include <stdint.h>

#define UTC_SIZE 24

/* Seconds since 1970 as 2026-11-22T02:15:04Z; before 1970: as 1970; after 9999: as its last second. */
void utc_print(char out[UTC_SIZE], int64_t s);

#endif
