/* random.h: what init.c needs of random.c; the rest is in crypto.h. */
#ifndef BULLA_CRYPTO_RANDOM_H
#define BULLA_CRYPTO_RANDOM_H

#include "bulla/error.h"

/* Has the stores dropped in a child after fork. Once, before threads start. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err random_init(void);

#endif
