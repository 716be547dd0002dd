/* routes.h: the table of routes, one row a path and method. A row also feeds 405, LIST, unknown-field warnings and the tests. */
#ifndef BULLA_HTTP_ROUTES_H
#define BULLA_HTTP_ROUTES_H

#include "request/exchange.h"

enum route_flag {
	ROUTE_NO_TOKEN = 1 << 0,   /* anyone may call: sys/health. Off the edge a token may be shown, and must be good */
	ROUTE_WHILE_SEALED = 1 << 1,
	ROUTE_SUDO = 1 << 2,
	ROUTE_RAW = 1 << 3,        /* what the handler prints is the whole body */
	ROUTE_MIRROR = 1 << 4,     /* data's members stand at the top level too (sys/...) */
	ROUTE_BLOCKS = 1 << 5,     /* always on a worker: one for the disk ... */
	ROUTE_COMPUTES = 1 << 21,  /* ... or, beside BLOCKS, one for computing, which the rest of it begins with */
	ROUTE_TOKEN = 1 << 6,      /* a valid token with the capability: every row has this or NO_TOKEN, or the start fails */
	ROUTE_TOKEN_ONLY = 1 << 7, /* a valid token; no capability is asked */
	ROUTE_EDGE = 1 << 8,       /* sys/ rows that the peer answers outside of its engines (health, init, seal-status, leader, seal,
				      unseal): this very path; other methods get an empty 405 before anything else is looked at */
	ROUTE_ANY_FIELDS = 1 << 10, /* whatever stands in the body is meant */
	ROUTE_WRAPPING = 1 << 11,   /* the path is about a wrapping token: in the body, else the caller's own; it is looked at first */
	ROUTE_OWN_WRAPPING = 1 << 12, /* ... and whoever calls with that very token needs no other */
	ROUTE_LOGIN = 1 << 16,      /* NO_TOKEN, and one that is shown is not looked at: it may be the one that has ended. Its reply may
				      be wrapped for whoever has logged in. It always blocks: its handler says so, if the row does not */
	ROUTE_SEALS = 1 << 20,      /* it closes the audit devices: of its answer there is no record */
	ROUTE_CONTEXT = 1 << 13,    /* binds an encryption_context: policies may demand one */
	ROUTE_TOKEN_UNSEEN = 1 << 14, /* beside NO_TOKEN, off the edge: one that is shown is not looked at all the same */
	ROUTE_ANY_NAMESPACE = 1 << 9, /* EDGE rows that take a foreign X-Vault-Namespace (seal-status, leader) */
};

/* A set of methods: 1 << METHOD_x. PUT counts as POST. */
#define ON(m) (1u << METHOD_##m)

struct route {
	enum bulla_mount_kind mount;
	unsigned methods;
	const char *pattern;        /* below the mount: "keys/{name}/rotate". {name} takes one segment of the peer's generic names
				       (\w, - and . within), {path*} anything that is not empty, with slashes, before a fixed end.
				       A path with a LIST row also matches with a slash at its end. Begins with fixed text;
				       but "{path*}" alone takes all that no other row of the mount takes, as it came. */
	handler *fn;
	unsigned flags;
	enum bulla_capability need; /* 0: the method's own (GET read, POST update, ...). CREATE with exists: create if absent, else
				       update. Anything else than the method's own fails at start. */
	enum bulla_err (*exists)(struct exchange *x, bool *exists);
	const struct field *fields; /* that the endpoint knows: others get the peer's warning; NULL: it knows none */
	const char *doc;            /* anchor in docs/API.md */
	const char *absent;         /* names, a space between: optional parameters of the path that this row is without. They are
				       empty, whatever members of the body have these names */
};

/* ---- what serve.c asks of the table (routes.c) ---------------------------------------------------------------------- */

#define ROUTE_METHODS (METHOD_UNKNOWN + 1)

/* All rows of one path. */
struct route_path {
	enum bulla_mount_kind mount;
	const char *pattern;
	struct bulla_bytes first; /* its first segment */
	bool slash;    /* one at the end is allowed: there is a LIST row */
	unsigned flags;/* those of its rows together */
	const struct route *rows[ROUTE_METHODS]; /* by enum method; NULL: not allowed */
};

/* Builds the index of all tables. CONFIG with a detail: a row without access flags, with a need that is not its method's, a
 * pattern that cannot be matched, two rows that collide. Once, at start, before routes_find. */
BULLA_MUST_USE enum bulla_err routes_init(struct bulla_call *call);

/* The path below a mount of that kind; params gets what the pattern's {} matched. NULL: none. Any thread. */
const struct route_path *routes_find(enum bulla_mount_kind mount, struct bulla_bytes rest, struct bulla_bytes params[MAX_PARAMS]);

/* Whether rest lies below what nobody needs a token for: where a row without a token has its first {}. Any thread. */
bool routes_open_below(enum bulla_mount_kind mount, struct bulla_bytes rest);

/* Calls fn with each path, in the order of the index: for tests and documents. */
void routes_each(void (*fn)(const struct route_path *path, void *context), void *context);

/* What the method itself needs: GET read, POST update, DELETE delete, LIST list, PATCH patch, SCAN scan, others root. */
enum bulla_capability routes_capability(enum method method);

/* The i-th {name} of a pattern, without braces and star; empty: there is none. */
struct bulla_bytes routes_param(const char *pattern, size_t i);

/* Tables of the handlers, ended by a row without fn. One array a file in handlers/. */
extern const struct route transit_backup_routes[], transit_certificate_routes[], transit_import_routes[];
extern const struct route transit_key_routes[], transit_crypt_routes[], transit_export_routes[];
extern const struct route transit_datakey_routes[], transit_hmac_routes[], transit_tool_routes[];
extern const struct route transit_sign_routes[];
extern const struct route sys_audit_routes[];
extern const struct route sys_seal_routes[], sys_mount_routes[], sys_remount_routes[], sys_misc_routes[], sys_wrapping_routes[];
extern const struct route cubbyhole_routes[];
extern const struct route sys_policy_routes[], sys_acl_routes[];
extern const struct route token_routes[], token_role_routes[], transit_config_routes[];
extern const struct route userpass_routes[], sys_lockout_routes[];
extern const struct route approle_routes[], approle_field_routes[], approle_secret_routes[];
extern const struct route sys_quota_routes[], sys_config_routes[];
extern const struct route auth_cert_routes[], auth_jwt_routes[], auth_jwt_role_routes[];
extern const struct route sys_root_routes[], sys_lease_routes[], sys_counter_routes[], sys_plugin_routes[];

#endif
