/* jwt_sets.h: key sets that were fetched, for jwt_source.c and auth.c. Workers. */
#ifndef BULLA_AUTH_JWT_SETS_H
#define BULLA_AUTH_JWT_SETS_H

#include "auth/jwt_method.h"

struct jwt_set;  /* of one mount and one configuration */
struct jwt_kept; /* the keys of a set, immutable and counted */

/* With a reference: jwt_set_put. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err jwt_set_take(struct jwt_sets *sets, const uint8_t uuid[16], const struct bulla_jwt_config *config,
					   struct jwt_set **out);
void jwt_set_put(struct jwt_set **set); /* BULLA_CLEANUP */

/* The keys that serve now, with a reference; NULL: there are none, or they are a day old. */
struct jwt_kept *jwt_set_keys(struct jwt_set *set);
const struct jwt_keys *jwt_kept_keys(const struct jwt_kept *kept);
void jwt_kept_put(struct jwt_kept **kept); /* BULLA_CLEANUP */

/* Has the set fetched, by a thread of its own, if it is half an hour old and may be. */
void jwt_set_renew(struct auth *auth, struct jwt_set *set);

/* Has it fetched now. FETCHING: it is being fetched, as number, which jwt_set_wait takes. FETCHED_LATELY: the last fetch has ended less than its
 * pause ago (10 s; after failures up to 5 minutes), whatever came of it. TOO_MANY: sets are being fetched. */
enum jwt_fetching { JWT_FETCHING, JWT_FETCHED_LATELY, JWT_FETCHES_TOO_MANY };
enum jwt_fetching jwt_set_fetch(struct auth *auth, struct jwt_set *set, uint64_t *number);
/* As BULLA_WORK_REMOTE, of which only a few of a mount wait. CANCELLED, BUSY. */
BULLA_MUST_USE enum bulla_err jwt_set_wait(struct bulla_call *call, struct jwt_set *set, uint64_t number);
/* Whether the last fetch failed, and why, in the arena. */
bool jwt_set_failed(struct bulla_call *call, struct jwt_set *set, struct bulla_bytes *why);

/* Forgets the set of a mount, NULL: all. */
void jwt_sets_forget(struct jwt_sets *sets, const uint8_t *uuid);
/* Has those fetched that are old and in use (bulla_tick). */
void jwt_sets_tick(struct auth *auth);

#endif
