/* glob.h: texts with stars. Any thread. */
#ifndef BULLA_BASE_GLOB_H
#define BULLA_BASE_GLOB_H

#include "bulla/bytes.h"

/* Whether text fits pattern, in which each '*' stands for any bytes. Takes pattern.len * text.len steps at most. */
bool glob_match(struct bulla_bytes pattern, struct bulla_bytes text);

#endif
