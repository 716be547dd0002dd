/* names.h: where a mount's documents are, and how names are written. Any thread; never blocks. */
#ifndef BULLA_AUTH_NAMES_H
#define BULLA_AUTH_NAMES_H

#include "bulla/mounts.h"

/* The scope of a mount's documents: its uuid. */
static inline struct bulla_bytes mount_scope(const struct bulla_mount *mount)
{
	return bulla_mem(mount->uuid, sizeof mount->uuid);
}

/* In lower case (ASCII), in the arena. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err lower_case(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out);

#endif
