/* mount_print.h: how a mount is printed: shared by what lists mounts. */
#ifndef BULLA_HANDLERS_MOUNT_PRINT_H
#define BULLA_HANDLERS_MOUNT_PRINT_H

#include "request/exchange.h"

/* A mount of auth/ is named without it ("token/"). */
struct bulla_bytes mount_name(const struct bulla_mount *mount);

/* The object of a mount; path: with its name as a member. */
void mount_print(struct exchange *x, const struct bulla_mount *mount, bool path);
/* The members of tune's answer: with the times that hold, whether set or not. */
void mount_print_tune(struct exchange *x, const struct bulla_mount *mount);

/* Puts back what bulla_mount_list gave. */
void mounts_put(const struct bulla_mount *const *mounts, size_t count);

/* path with one slash behind it, as texts have it; in the arena. */
struct bulla_bytes mount_slashed(struct exchange *x, struct bulla_bytes path);

#endif
