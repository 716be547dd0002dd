/* audit.h: two records of each request, of what was asked and what was answered, on every audit device that is on.
 *
 * The request pipeline describes a request (struct bulla_audit_entry) and has its records added to a buffer of lines, one for
 * each device. Lines are handed over as a group: each device writes all of a group in one piece. A reply must not be sent before
 * its group was recorded by at least one device: fail closed. */
#ifndef BULLA_AUDIT_H
#define BULLA_AUDIT_H

#include "access.h"
#include "mounts.h"
#include "wrapping.h"

BULLA_DECLS_BEGIN

#define BULLA_MAX_NODE 63 /* bytes of the name of a node, of those that share a store */
#define BULLA_AUDIT_MAX_DEVICES 8

struct bulla_json;

/* ---- records --------------------------------------------------------------------------------------------------------- */

struct bulla_audit_header {
	struct bulla_bytes name, value;
};

/* A request and what came of it. All borrowed while the records are made. */
struct bulla_audit_entry {
	int64_t started_date_ns;
	struct bulla_bytes id;             /* of the request, a UUID */
	const char *operation;             /* "create", "read", "update", "delete", "list", "patch", "scan", "help" */
	const struct bulla_mount *mount;   /* NULL: none answers there */
	struct bulla_bytes path;           /* "transit/encrypt/k" */
	const struct bulla_token *token;   /* who calls; NULL: nobody who is known */
	struct bulla_bytes client_token;   /* as it was shown */
	bool allowed;                      /* a policy, or that the path is open to all, let it through */
	const struct bulla_bytes *granting; /* the policies that did */
	size_t granting_count;
	const struct bulla_json *data;     /* its parameters; NULL: none */
	struct bulla_bytes remote;         /* "127.0.0.1:4711", "" */
	int64_t wrap_ttl_s;                /* 0: no wrapping was asked for */
	const struct bulla_audit_header *headers;
	size_t header_count;
	/* the answer */
	const char *refusal;               /* of the gates, in both records; NULL: the request was run */
	const char *error;                 /* in clear: never a text that repeats what the client sent; NULL: none */
	struct bulla_bytes error_text;     /* hashed */
	struct bulla_bytes reply_data;     /* the reply's "data" as printed, in JSON; empty: none */
	struct bulla_bytes reply_auth;     /* the reply's "auth" as printed; empty: none */
	struct bulla_bytes display_name;   /* of the token in reply_auth */
	const struct bulla_warning *warnings;
	const struct bulla_wrapping *wrapping; /* the reply is this wrapping; NULL: it is not wrapped */
	struct bulla_bytes wrapped_accessor;
};

enum bulla_audit_which { BULLA_AUDIT_REQUEST = 1, BULLA_AUDIT_RESPONSE = 2, BULLA_AUDIT_BOTH = 3 };

/* Lines for the devices that were on when the first was added. One thread at a time. */
struct bulla_audit_lines;

/* Whether any device is on. One load. */
bool bulla_audit_on(const struct bulla *engine);

/* Adds the records of a request to *lines, made if it is NULL. No device is on: BULLA_OK, and *lines stays as it is. Where other
 * devices are on than *lines is for, false in *fits, and nothing was added. Never blocks. SEALED: devices are being closed.
 * NO_MEMORY; NO_RANDOM cannot happen. */
BULLA_MUST_USE enum bulla_err bulla_audit_add(struct bulla *engine, struct bulla_call *call, const struct bulla_audit_entry *entry,
					      enum bulla_audit_which which, struct bulla_audit_lines **lines, bool *fits);
/* Adds more, which is taken over, to lines: their records go out together. False, and nothing was taken: they are for other devices. */
bool bulla_audit_lines_join(struct bulla_audit_lines *lines, struct bulla_audit_lines *more);
/* Empties the first of lines for other records, and frees the rest; NULL: they are for devices that are no longer on, or grew large,
 * and were freed. NULL is fine. */
struct bulla_audit_lines *bulla_audit_lines_reuse(const struct bulla *engine, struct bulla_audit_lines *lines);
/* How long they are, for the device for which they are longest. */
size_t bulla_audit_lines_bytes(const struct bulla_audit_lines *lines);
void bulla_audit_lines_free(struct bulla_audit_lines *lines); /* NULL is fine */

/* ---- groups ---------------------------------------------------------------------------------------------------------- */

struct bulla_audit_group;

struct bulla_audit_share { /* of a device: its own affair */
	struct bulla_audit_group *group;
	struct bulla_audit_share *next;
	void *device;
	unsigned state;
};

/* Lies in the memory of whoever submits it, who does not touch it until done was called. */
struct bulla_audit_group {
	struct bulla_audit_lines *lines; /* the caller's, to be freed when it is done */
	/* Called once, by any thread, perhaps before bulla_audit_submit returns. The group is the caller's again. */
	void (*done)(struct bulla_audit_group *group);
	bool recorded;                   /* set before done: at least one device has it */
	bool sealed;                     /* set before done: if not, then because the devices are closed */
	struct bulla_audit_share shares[BULLA_AUDIT_MAX_DEVICES];
	unsigned share_count;
	/* changed by several threads, with atomic builtins: the types of C11 are none of C++ */
	unsigned left;
	bool any, closed, missed; /* missed: a device that is wanted has it not */
};

/* What a request is answered with whose group could not be recorded: SEALED, AUDIT. */
static inline enum bulla_err bulla_audit_refusal(const struct bulla_audit_group *group)
{
	return group->sealed ? BULLA_E_SEALED : BULLA_E_AUDIT;
}

/* Hands a group over. Never blocks. */
void bulla_audit_submit(struct bulla_audit_group *group);

/* The group has waited so long: from BULLA_AUDIT_LAG_MS on devices that are still writing are no longer waited for, if another has
 * recorded it (they write it later); after BULLA_AUDIT_WAIT_S they are given up. done may be called. Never blocks for long. */
void bulla_audit_expire(struct bulla_audit_group *group, int64_t waited_ms);
#define BULLA_AUDIT_LAG_MS 200
#define BULLA_AUDIT_WAIT_S 10

/* The same for one who may wait, at most for BULLA_AUDIT_WAIT_S; lines are taken over, NULL is fine. AUDIT: no device could record it;
 * SEALED: they were closed meanwhile. */
BULLA_MUST_USE enum bulla_err bulla_audit_commit(struct bulla_call *call, struct bulla_audit_lines *lines);
/* The same, at most for so long. */
BULLA_MUST_USE enum bulla_err bulla_audit_commit_within(struct bulla_call *call, struct bulla_audit_lines *lines, int64_t wait_ms);

/* ---- devices --------------------------------------------------------------------------------------------------------- */

/* How a device is to be: of the configuration, or of a request. */
struct bulla_audit_spec {
	struct bulla_bytes path;           /* "main" or "main/" */
	struct bulla_bytes type;           /* "file", "syslog", "socket" */
	struct bulla_bytes description;
	bool local;
	const struct bulla_pair *options;
	size_t option_count;
};

/* What is known of one. In the arena. */
struct bulla_audit_device {
	struct bulla_bytes path, type, description; /* path with a slash at its end */
	bool local, from_config;
	const struct bulla_pair *options;           /* sorted by key */
	size_t option_count;
	bool healthy;
	struct bulla_bytes trouble;                 /* of one that is not: what and since when */
	uint64_t records;                           /* written since it was made, checkpoints included */
	uint64_t signed_records;                    /* the last checkpoint's number; 0: none yet */
	size_t queued_bytes;                        /* waiting to be written, those that no request waits for included */
	uint64_t lost_records;                      /* neither written nor waiting, and not yet told in the log */
	struct bulla_bytes id;                      /* a UUID */
	uint8_t head[32], public_key[32];           /* SHA-256 of the last line; Ed25519, of the checkpoints */
};

/* All that are on, sorted by path. Does not block. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_audit_devices(struct bulla *engine, struct bulla_call *call,
						  struct bulla_audit_device **list, size_t *count);
/* INVALID with the peer's texts: the path is in use, the type unknown, an option wrong, the device cannot be written to. Blocks. */
BULLA_MUST_USE enum bulla_err bulla_audit_enable(struct bulla *engine, struct bulla_call *call, const struct bulla_audit_spec *spec);
/* An unknown path is fine. INVALID: it comes from the configuration. Blocks. */
BULLA_MUST_USE enum bulla_err bulla_audit_disable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path);
/* Brings the devices of the configuration in line with specs (copied): those that are new are enabled, those that are gone disabled. While
 * sealed that waits for the unsealing. CONFIG: one would have to be changed, which cannot be, and nothing was done; or one cannot be
 * enabled, and those that are gone are still on. Blocks. */
BULLA_MUST_USE enum bulla_err bulla_audit_configure(struct bulla *engine, struct bulla_call *call, const struct bulla_audit_spec *specs,
						    size_t count, bool allow_prefix);
/* How the device at path would write input: "hmac-sha256:..." in the arena. INVALID: no such device. */
BULLA_MUST_USE enum bulla_err bulla_audit_hash(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
					       struct bulla_bytes input, struct bulla_bytes *out);
/* Opens files and sockets anew, after files were moved away. What cannot be opened is logged and tried again with the next record. */
void bulla_audit_reopen(struct bulla *engine);

/* ---- request headers --------------------------------------------------------------------------------------------------- */

struct bulla_audit_header_rule {
	struct bulla_bytes name; /* in lower case */
	bool hmac;
};
/* Sorted by name, in the arena. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_audit_headers(struct bulla *engine, struct bulla_call *call,
						  struct bulla_audit_header_rule **list, size_t *count);
/* Set or, with remove, no longer set; one that is not set is fine. Blocks. */
BULLA_MUST_USE enum bulla_err bulla_audit_header_set(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
						     bool hmac, bool remove);
/* Whether any header is wanted (NULL: none, of a server without an engine), and this one. Never blocks. */
bool bulla_audit_wants_headers(const struct bulla *engine);
bool bulla_audit_wants_header(const struct bulla *engine, struct bulla_bytes name);

/* ---- looking at a log afterwards ----------------------------------------------------------------------------------------- */

enum bulla_audit_finding {
	BULLA_AUDIT_CHANGED,    /* a line is not the one that was written */
	BULLA_AUDIT_REMOVED,    /* lines are missing before this one */
	BULLA_AUDIT_INSERTED,   /* a line that does not belong there */
	BULLA_AUDIT_TRUNCATED,  /* the last line is cut off, or lines are missing behind it */
	BULLA_AUDIT_FORGED,     /* a checkpoint that was not signed with the device's key */
	BULLA_AUDIT_TORN,       /* no offence: a crash cut the line off, and the server has taken note of it */
	BULLA_AUDIT_GAP,        /* no offence: the server says that the device failed, and lost records */
	BULLA_AUDIT_DELETED,    /* no offence of this log: the server says that the file before this line was deleted */
};

struct bulla_audit_report {
	enum bulla_audit_finding finding;
	const char *file;
	uint64_t line;
	struct bulla_bytes text;  /* what is wrong, for a person */
};

struct bulla_audit_verify_args {
	const uint8_t *public_keys;  /* of 32 bytes each, one behind the other: of the device, and of those that wrote this log before */
	size_t public_key_count;     /* 0: the one of the first checkpoint is believed */
	uint64_t expect_records;     /* the device's number of records now; 0: not known */
	const uint8_t *expect_head;  /* with it: the SHA-256 of the last of them, 32 bytes */
	void (*report)(void *context, const struct bulla_audit_report *report);
	void *context;
};

struct bulla_audit_verdict {
	uint64_t lines, records, checkpoints, first_record, last_record;
	uint64_t unsigned_records;   /* behind the last checkpoint */
	uint64_t lost_records;       /* as gaps tell: the device was not given them */
	bool closed;                 /* the last line is the checkpoint that the server wrote when it stopped */
	unsigned offences;
	uint8_t public_key[32];      /* of the checkpoints; has_key: there was one */
	bool has_key;
};

/* Files in the order in which they were written; one open at a time. All offences are reported and counted; those that follow
 * from another are not. CONFIG: a file cannot be read, the detail says why. */
BULLA_MUST_USE enum bulla_err bulla_audit_verify(struct bulla_call *call, const char *const *files, size_t count,
						 const struct bulla_audit_verify_args *args, struct bulla_audit_verdict *out);

BULLA_DECLS_END

#endif
