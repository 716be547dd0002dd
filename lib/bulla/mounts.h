/* mounts.h: which engine answers at which path. The table is an immutable snapshot: a mount found in it is good until it is
 * put back, also when it is disabled meanwhile. */
#ifndef BULLA_MOUNTS_H
#define BULLA_MOUNTS_H

#include "call.h"

BULLA_DECLS_BEGIN

struct bulla;

/* Numbers are stored: new kinds go to the end. */
enum bulla_mount_kind { BULLA_MOUNT_TRANSIT, BULLA_MOUNT_SYSTEM, BULLA_MOUNT_TOKEN, BULLA_MOUNT_CUBBYHOLE, BULLA_MOUNT_IDENTITY,
			BULLA_MOUNT_APPROLE, BULLA_MOUNT_USERPASS, BULLA_MOUNT_CERT, BULLA_MOUNT_JWT };

/* Of a mount: how many failed logins lock a user out, and for how long. 0: as the server has it. */
enum bulla_lockout_set {
	BULLA_LOCKOUT_THRESHOLD = 1 << 0, BULLA_LOCKOUT_DURATION = 1 << 1, BULLA_LOCKOUT_RESET = 1 << 2,
	BULLA_LOCKOUT_DISABLE = 1 << 3, BULLA_LOCKOUT_GIVEN = 1 << 4, /* some of it was tuned once: then all of it is shown */
};
struct bulla_mount_lockout {
	unsigned set;      /* of enum bulla_lockout_set; in a mount: 0 or GIVEN */
	int64_t threshold, duration_s, reset_s;
	bool disable;
};

/* All bytes are owned by the snapshot. */
struct bulla_mount {
	struct bulla_bytes path; /* "transit/": without the first slash, with the last */
	enum bulla_mount_kind kind;
	const char *type;        /* "transit", "system", "token", "cubbyhole", "identity", "approle", "userpass", "cert", "jwt" */
	uint8_t uuid[16];
	char uuid_text[37];
	struct bulla_bytes accessor; /* "transit_0ad69626" */
	struct bulla_bytes description;
	int64_t default_lease_ttl_s, max_lease_ttl_s; /* 0: the server's; below 0, too, but shown */
	bool force_no_cache, local, seal_wrap, external_entropy_access;
	const struct bulla_pair *options; /* {"version":"2"} */
	size_t option_count;
	bool options_null;                /* printed as null, not {} */
	/* lists of strings, as tuned; count -1: not set */
	const struct bulla_bytes *audit_non_hmac_request_keys, *audit_non_hmac_response_keys;
	const struct bulla_bytes *passthrough_request_headers, *allowed_response_headers;
	int audit_request_count, audit_response_count, passthrough_count, allowed_count;
	struct bulla_bytes listing_visibility; /* "", "hidden", "unauth" */
	bool builtin; /* cannot be disabled or moved */
	/* of a transit mount: settings for all of its keys */
	int64_t cache_size;  /* shown to who asks; it bounds nothing */
	bool disable_upsert; /* encrypt makes no key */
	/* of an auth mount */
	struct bulla_bytes token_type;  /* "default-service", "default-batch", "service", "batch" */
	struct bulla_mount_lockout lockout;
};

#define BULLA_AUTH_PATH "auth/" /* below it are the auth methods */

/* Of an auth method, not of a secrets engine. */
static inline bool bulla_mount_is_auth(const struct bulla_mount *mount)
{
	return bulla_begins(mount->path, BULLA_AUTH_PATH);
}

/* The mount whose path is the longest prefix of path ("transit/encrypt/k" or "transit"); rest gets what follows.
 * NULL: none. Give it back with bulla_mount_put. Never blocks. */
const struct bulla_mount *bulla_mount_find(struct bulla *engine, struct bulla_bytes path, struct bulla_bytes *rest);
void bulla_mount_put(const struct bulla_mount *mount); /* NULL is fine */

/* All of them, sorted by path; *list in the arena, each to be put back (bulla_mount_put). */
BULLA_MUST_USE enum bulla_err bulla_mount_list(struct bulla *engine, struct bulla_call *call,
					       const struct bulla_mount ***list, size_t *count);

/* Which of the following were given; unset ones are left as they are (enable: the default). */
enum bulla_mount_set {
	BULLA_MOUNT_DESCRIPTION = 1 << 0, BULLA_MOUNT_DEFAULT_TTL = 1 << 1, BULLA_MOUNT_MAX_TTL = 1 << 2,
	BULLA_MOUNT_LISTING = 1 << 3, BULLA_MOUNT_AUDIT_REQUEST = 1 << 4, BULLA_MOUNT_AUDIT_RESPONSE = 1 << 5,
	BULLA_MOUNT_PASSTHROUGH = 1 << 6, BULLA_MOUNT_ALLOWED = 1 << 7, BULLA_MOUNT_OPTIONS = 1 << 8,
	BULLA_MOUNT_NO_CACHE = 1 << 9, BULLA_MOUNT_CACHE_SIZE = 1 << 10, BULLA_MOUNT_DISABLE_UPSERT = 1 << 11,
	BULLA_MOUNT_TOKEN_TYPE = 1 << 12, BULLA_MOUNT_LOCKOUT = 1 << 13, /* only auth mounts */
};
struct bulla_mount_settings {
	unsigned set;
	struct bulla_mount values; /* only the members that set names, and local, seal_wrap, external_entropy_access on enable */
};

/* The types that can be enabled: of auth methods, or of secrets engines; sorted, static. */
#define BULLA_MOUNT_TYPES 8
size_t bulla_mount_types(bool auth, struct bulla_bytes out[BULLA_MOUNT_TYPES]);

/* INVALID with the peer's texts: "path is already in use at x/", "plugin not found in the catalog: y", reserved paths. Blocks. */
BULLA_MUST_USE enum bulla_err bulla_mount_enable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
						 struct bulla_bytes type, const struct bulla_mount_settings *settings);
/* The same for an auth method, which answers at auth/name/. */
BULLA_MUST_USE enum bulla_err bulla_auth_enable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
						struct bulla_bytes type, const struct bulla_mount_settings *settings);
/* Destroys every key of the mount. An unknown path is fine, as at the peer. Blocks. */
BULLA_MUST_USE enum bulla_err bulla_mount_disable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path);
/* Revokes every token that came from the method at auth/name/, and destroys its settings. */
BULLA_MUST_USE enum bulla_err bulla_auth_disable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name);
BULLA_MUST_USE enum bulla_err bulla_mount_tune(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
					       const struct bulla_mount_settings *settings);
/* Moves a mount to another path: its keys go with it. id names the move (a UUID, NUL-terminated). Blocks. */
BULLA_MUST_USE enum bulla_err bulla_mount_move(struct bulla *engine, struct bulla_call *call, struct bulla_bytes from,
					       struct bulla_bytes to, char id[37]);
/* One of the last moves of this process, by its id; in the arena. NOT_FOUND. */
struct bulla_mount_move {
	struct bulla_bytes from, to;
};
BULLA_MUST_USE enum bulla_err bulla_mount_moved(struct bulla *engine, struct bulla_call *call, struct bulla_bytes id,
						struct bulla_mount_move *out);

BULLA_DECLS_END

#endif
