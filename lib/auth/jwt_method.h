/* jwt_method.h: what the files of auth/jwt share. Nobody else includes it. Workers only. */
#ifndef BULLA_AUTH_JWT_METHOD_H
#define BULLA_AUTH_JWT_METHOD_H

#include "auth/auth.h"
#include "auth/jwt.h"
#include "bulla/jwt.h"

/* Kinds of documents. */
#define JWT_CONFIG "jwt-config"
#define JWT_ROLE "jwt-role"

extern const struct auth_method auth_jwt; /* its row */

/* For logins, which may see what another node changed a moment ago as it was (state/records.h). NOT_FOUND. */
BULLA_MUST_USE enum bulla_err jwt_config_get(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
					     struct bulla_jwt_config *out);
BULLA_MUST_USE enum bulla_err jwt_role_get(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
					   struct bulla_bytes name, struct bulla_jwt_role *out);

/* ---- jwt_source.c: where keys come from ---------------------------------------------------------------------------------------- */

/* Fetches the keys at the configuration's URL, now. FAILED or INVALID with a text that says why. */
BULLA_MUST_USE enum bulla_err jwt_source_fetch(struct auth *auth, struct bulla_call *call, const struct bulla_jwt_config *config,
					       struct jwt_keys *out);

/* Verifies a token with the configuration's keys. A set at a URL is fetched apart from logins: every half hour, while the keys of before serve; and
 * for a kid that it does not have, which is waited for (jwt_sets.h). INVALID with OpenBao's texts; BUSY: too many wait for this set. */
BULLA_MUST_USE enum bulla_err jwt_source_verify(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
						const struct bulla_jwt_config *config, struct bulla_bytes token,
						const struct json **claims);

/* All sets that are kept. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err jwt_sets_new(struct jwt_sets **out);
void jwt_sets_free(struct jwt_sets *sets); /* NULL is fine */

/* Drops the kept set of a mount; of all. */
void jwt_source_forget(struct auth *auth, const uint8_t uuid[16]);
void jwt_source_forget_all(struct auth *auth);

#endif
