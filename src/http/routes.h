/* routes.h: the table of routes, one row a path and method. A row also feeds 405, LIST, unknown-field warnings and the tests. */
#ifndef BULLA_HTTP_ROUTES_H
#define BULLA_HTTP_ROUTES_H

#include "request/exchange.h"

enum route_flag {
	ROUTE_NO_TOKEN = 1 << 0,   /* anyone may call: sys/health */
	ROUTE_WHILE_SEALED = 1 << 1,
	ROUTE_SUDO = 1 << 2,
	ROUTE_RAW = 1 << 3,        /* what the handler prints is the whole body */
	ROUTE_MIRROR = 1 << 4,     /* data's members stand at the top level too (sys/...) */
	ROUTE_BLOCKS = 1 << 5,     /* always on a worker */
	ROUTE_TOKEN = 1 << 6,      /* a valid token with the capability: every row has this or NO_TOKEN, or the start fails */
	ROUTE_TOKEN_ONLY = 1 << 7, /* a valid token; no capability is asked */
};

/* A set of methods: 1 << METHOD_x. PUT counts as POST. */
#define ON(m) (1u << METHOD_##m)

struct route {
	enum bulla_mount_kind mount;
	unsigned methods;
	const char *pattern;        /* below the mount: "keys/{name}/rotate"; {} takes one segment, {*} the rest with slashes */
	handler *fn;
	unsigned flags;
	enum bulla_capability need; /* of ROUTE_TOKEN; CREATE with exists: create if absent, else update */
	enum bulla_err (*exists)(struct exchange *x, bool *exists);
	const struct field *fields; /* that the endpoint knows: others get the peer's warning; NULL: none is checked */
	const char *doc;            /* anchor in docs/API.md */
};

/* Tables of the handlers, ended by a row without fn. One array a file in handlers/. */
extern const struct route transit_key_routes[], transit_crypt_routes[], transit_export_routes[];
extern const struct route sys_seal_routes[], sys_mount_routes[], sys_misc_routes[];
extern const struct route token_routes[];

#endif
