/* decimal.h: whole numbers of any size, as big-endian bytes and as decimal text: how Go prints big integers into JSON, which key
 * backups hold. No state; scratch is wiped. Any thread. */
#ifndef BULLA_BASE_DECIMAL_H
#define BULLA_BASE_DECIMAL_H

#include "bulla/bytes.h"
#include "bulla/error.h"

#define DECIMAL_MAX_BYTES 1024 /* 8192 bits: twice the largest RSA modulus */
#define DECIMAL_MAX_TEXT 2467  /* digits of the largest of them */

/* Writes the digits of number (at most DECIMAL_MAX_BYTES) to out, which has room for DECIMAL_MAX_TEXT, no NUL; returns how many.
 * Empty is 0. */
size_t decimal_print(struct bulla_bytes number, char *out);

/* Reads digits alone (no sign, no leading zero but of 0 itself). out has room for DECIMAL_MAX_BYTES; *len of them count, without
 * leading zeros. BAD_FIELD: another character, none, or too many. */
BULLA_MUST_USE enum bulla_err decimal_parse(struct bulla_bytes text, uint8_t *out, size_t *len);

#endif
