/* jwt.h: logins by signed JSON Web Tokens (RFC 7519): auth/jwt. What Kubernetes service accounts and most CI systems have. Tokens
 * are checked with static public keys, a key set at a URL (RFC 7517), or that of an OpenID issuer. The browser flow of OpenID
 * Connect is not offered. All functions block. */
#ifndef BULLA_JWT_H
#define BULLA_JWT_H

#include "mounts.h"
#include "token_params.h"

BULLA_DECLS_BEGIN

/* In the arena where it is read. Exactly one of public_keys, jwks_url and oidc_discovery_url is set. */
struct bulla_jwt_config {
	const struct bulla_bytes *public_keys, *algs; /* PEM; "RS256" ...: none: all that there are */
	size_t public_key_count, alg_count;
	struct bulla_bytes jwks_url, jwks_ca_pem, oidc_discovery_url, oidc_discovery_ca_pem;
	struct bulla_bytes bound_issuer, default_role;
	bool namespace_in_state; /* kept and shown: it says something to the browser flow only */
	/* of a write: */
	bool skip_validation;    /* a URL that does not answer is a warning, not an error */
	bool keep_namespace;     /* namespace_in_state is as it was; true, if nothing was */
};

/* Replaces the settings. INVALID with the peer's texts. */
BULLA_MUST_USE enum bulla_err bulla_jwt_config_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						     const struct bulla_jwt_config *config);
/* NOT_FOUND: there are none. */
BULLA_MUST_USE enum bulla_err bulla_jwt_config_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						    struct bulla_jwt_config *out);

/* A list that knows whether it was ever given. */
struct bulla_jwt_list {
	const struct bulla_bytes *items;
	size_t count;
	bool given;
};

/* What a role says of logins by browser: kept and shown, as the peer does, and of no effect. */
struct bulla_jwt_browser {
	struct bulla_jwt_list redirect_uris, scopes, metadata;
	struct bulla_bytes callback_mode; /* "client", "direct" or "device" */
	int64_t max_age_s, poll_interval_s;
	bool disable_confirmation, verbose;
};

/* In the arena where it is read. */
struct bulla_jwt_role {
	struct bulla_jwt_browser browser;
	struct bulla_role_params params;
	const struct bulla_bytes *audiences;
	size_t audience_count;
	struct bulla_bytes subject, user_claim, groups_claim;
	struct bulla_bytes bound_claims;   /* a JSON object; empty: none */
	const struct bulla_pair *mappings; /* claim: key of the token's metadata */
	size_t mapping_count;
	int64_t expiration_leeway_s, not_before_leeway_s, clock_skew_leeway_s;
	bool globs;                        /* bound_claims_type is "glob" */
	bool user_claim_is_pointer;
};

/* Lays what is given over what there is (zeros: it is new). Called anew with what there is then, if somebody else came before. */
typedef enum bulla_err bulla_jwt_role_merge(struct bulla_call *call, struct bulla_jwt_role *role, const void *given);
/* INVALID with the peer's texts, and merge's errors. */
BULLA_MUST_USE enum bulla_err bulla_jwt_role_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						   struct bulla_bytes name, const struct bulla_role_params_change *change,
						   bulla_jwt_role_merge *merge, const void *given);
/* NOT_FOUND. */
BULLA_MUST_USE enum bulla_err bulla_jwt_role_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						  struct bulla_bytes name, struct bulla_jwt_role *out);
/* None of that name is fine. */
BULLA_MUST_USE enum bulla_err bulla_jwt_role_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						    struct bulla_bytes name);
/* Sorted, in the arena. */
BULLA_MUST_USE enum bulla_err bulla_jwt_role_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						  struct bulla_bytes **names, size_t *count);

/* role empty: the default one. *out as of bulla_token_create. INVALID, DENIED with the peer's texts. */
BULLA_MUST_USE enum bulla_err bulla_jwt_login(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					      struct bulla_bytes role, struct bulla_bytes token, struct bulla_auth *out);

BULLA_DECLS_END

#endif
