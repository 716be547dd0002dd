/* password.h: how passwords are kept: Argon2id (RFC 9106); and checked, in Argon2id or in bcrypt as other servers kept it.
 * Each takes tens to hundreds of milliseconds, and Argon2id PASSWORD_MEMORY bytes: to be done as BULLA_WORK_CPU, of which there are as many at a
 * time as cores. After crypto_init. */
#ifndef BULLA_CRYPTO_PASSWORD_H
#define BULLA_CRYPTO_PASSWORD_H

#include "bulla/bytes.h"
#include "bulla/error.h"

#define PASSWORD_MAX_BYTES 4096
#define PASSWORD_MEMORY (19u << 20) /* docs/DECISIONS.md */
#define PASSWORD_TEXT 128           /* room for a hash, with its NUL */

/* The hash as text, with its salt and its parameters. NO_MEMORY; INVALID: longer than PASSWORD_MAX_BYTES. */
BULLA_MUST_USE enum bulla_err password_hash(struct bulla_bytes password, char out[PASSWORD_TEXT]);

/* hash: of password_hash, or a bcrypt hash; where it is neither, no password is right. A hash that is empty is nobody's: it takes as
 * long as one of password_hash, and no password is right. NO_MEMORY: it is not known. */
BULLA_MUST_USE enum bulla_err password_verify(struct bulla_bytes password, struct bulla_bytes hash, bool *right);

/* Whether hash is a bcrypt hash ("$2b$10$..." of 60 characters), and its cost. */
bool password_bcrypt_cost(struct bulla_bytes hash, unsigned *cost);

#endif
