/* exchange.h: one request on its way down and its reply on the way up. http/ fills in the request and sends the reply,
 * serve() runs the gates between, handlers see only this. */
#ifndef BULLA_REQUEST_EXCHANGE_H
#define BULLA_REQUEST_EXCHANGE_H

#include "request/fields.h"
#include "request/json.h"

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_DELETE, METHOD_LIST, METHOD_PATCH, METHOD_HEAD, METHOD_OPTIONS,
	      METHOD_SCAN, METHOD_UNKNOWN };

/* As it came over HTTP, decoded no further than counted bytes. All of it borrowed from the connection's arena. */
struct request {
	enum method method;
	struct bulla_bytes target;     /* raw: "/v1/transit/keys/a%20b?list=true" */
	struct bulla_bytes token;      /* of X-Vault-Token, else of Authorization: Bearer */
	struct bulla_bytes namespace;  /* of X-Vault-Namespace */
	bool vault_client;             /* X-Vault-Request: true, as libraries of Vault and OpenBao send it */
	struct bulla_bytes wrap_ttl;   /* of X-Vault-Wrap-TTL */
	struct bulla_bytes content_type;
	struct bulla_bytes remote;     /* "127.0.0.1:4711", or "" on a unix socket */
	const struct bulla_bytes *client_chain; /* certificates that the client sent over TLS, in DER, its own first; NULL: none */
	size_t client_chain_count;
	const uint8_t *body;           /* stays as it is: it may be read again on a worker */
	size_t body_len;
	bool body_too_large;           /* the body was discarded: over the limit */
	bool body_to_come;             /* it is large, and only asked whether it may be sent: serve_head() */
	const struct bulla_audit_header *headers; /* those that the audit log wants; names in lower case */
	size_t header_count;
	/* where records of the request are added; NULL: they get lines of their own, which are the reply's if groups_records, and
	 * else are written before serve() returns */
	struct bulla_audit_lines **lines;
	bool groups_records;
	struct bulla_bytes origin, wanted_method; /* of Origin and Access-Control-Request-Method, where anybody asks; a NUL behind them */
	bool may_generate_root;        /* it came where anybody may take part in making a root token */
};

/* What the script of a web page is told (gate_cors.c). */
struct reply_cors {
	const char *origin;
	bool credentials;
	const char *headers; /* of a preflight; NULL: it is none */
};

struct reply {
	int status;
	const char *content_type;      /* NULL: none */
	struct out body;               /* owned: whoever sends it takes it over */
	struct bulla_bytes location;   /* of a redirect; in the arena, a NUL behind it */
	const char *allow;             /* 405: methods, NULL: none */
	int retry_after_s;             /* 503, 429: 0: none */
	const struct reply_cors *cors; /* in the arena; NULL: nothing */
	struct bulla_rate_state rate;  /* shown in headers where rate.show is set */
	bool audited;                  /* not to be sent before its records are written */
	struct bulla_audit_lines *lines; /* owned: its records, where they are not among the request's lines */
};

/* What the server knows that a handler may print. */
struct server_info {
	const char *version, *build_date, *cluster_name;
	const char *api_addr;
	size_t max_request_bytes;
	bool allow_api_audit;    /* sys/audit may enable devices */
	bool vault_reply_fields; /* replies have the fields that Vault's have and OpenBao's have not */
	/* whether some reply of some listener has a header of that name, by its settings; NULL: none has any */
	bool (*sends_header)(const void *context, struct bulla_bytes name);
	const void *sends_context;
};

#define MAX_PARAMS 4

struct route;

struct exchange {
	struct bulla *engine;
	struct bulla_call *call;
	const struct server_info *server;
	const struct request *request;
	enum method method;             /* after LIST, ?list=true and PUT were folded */
	struct bulla_bytes path;        /* decoded, below /v1/: "transit/keys/a b" */
	const struct json *query;       /* the query as an object of strings; NULL: none */
	const struct json *doc;         /* the body as an object, or NULL; on GET, LIST, DELETE the query */
	const struct bulla_mount *mount;/* held by serve(); NULL on ROUTE_EDGE rows */
	const struct route *route;
	struct bulla_bytes params[MAX_PARAMS]; /* what the pattern's {} matched, in order */
	int64_t wrap_ttl_s;             /* how long the reply is to wait in a wrapping; 0: none was asked for */
	struct bulla_bytes wrapping_token;     /* on ROUTE_WRAPPING paths: the token that the request is about; it was good a moment ago */
	const struct bulla_wrapping *wrapping; /* set by a handler: the reply is this wrapping, and nothing else */
	struct out *data;               /* the handler prints one JSON value here: the reply's "data" (or the whole, if the route is raw) */
	struct out *auth;               /* ... and here, if it has one, the reply's "auth" */
	int status;                     /* 0: 200 if data or auth was printed or a warning was given, else 204 */
};

/* Reads parameters, makes one call into the library, names the reply's fields. What it printed is dropped if it fails. */
typedef enum bulla_err handler(struct exchange *x);

#endif
