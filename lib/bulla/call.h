/* call.h: one call into the library: its memory, who makes it, and what it has to say beside its result. */
#ifndef BULLA_CALL_H
#define BULLA_CALL_H

#include "memory.h"

BULLA_DECLS_BEGIN

struct bulla_token; /* access: an authenticated caller, an immutable snapshot */
struct bulla_grant; /* access: what lets the call through, and on which conditions */

struct bulla_warning {
	struct bulla_bytes text;
	struct bulla_warning *next;
};

/* What a call does that no event loop may do. Whoever runs calls keeps these apart, so that none of them waits behind another kind. */
enum bulla_work {
	BULLA_WORK_DISK,   /* reads and writes of the store, and the locks that are held over them */
	BULLA_WORK_CPU,    /* computing for longer than half a millisecond */
	BULLA_WORK_REMOTE, /* waiting for somebody else: another server, or another call */
};

/* How a call on a worker's thread has its turn among others; given by whoever runs it. Neither is called with a lock held or within a read
 * section. */
struct bulla_turn {
	/* The call goes on with work; of REMOTE, for what key stands for. It may wait for that. BUSY: too many wait; CANCELLED: nobody waits
	 * for the call's result any more, or the program ends; NO_MEMORY. */
	enum bulla_err (*enter)(struct bulla_turn *turn, enum bulla_work work, uint64_t key);
	/* Lets others go by if they wait and the call has computed for its share. CANCELLED. */
	enum bulla_err (*yield)(struct bulla_turn *turn);
};

/* Made by the caller of the library, one a request, used by one thread at a time.
 * may_block: false on an event loop. A function that would wait for a disk, a lock or a long computation
 * then returns MUST_BLOCK before any effect, with `needs` set, and the caller runs the whole request again on a worker. */
struct bulla_call {
	struct bulla_arena *arena; /* borrowed */
	bool may_block;
	enum bulla_work needs;     /* set beside MUST_BLOCK: what is to be done first */
	struct bulla_turn *turn;   /* borrowed; NULL: a thread of its own, that waits for nobody's turn */
	uint8_t caller[32];        /* set with token: the id of the record that it stands and falls with, its own or a parent's; */
	bool caller_stored;        /* if there is one. What the call writes to a store that others share is refused once that is gone: REVOKED */
	uint64_t family;           /* set with token: the same for all tokens that have an ancestor below a root token in common; 0: unknown */
	struct bulla_bytes detail; /* of the error, in the arena; len 0: the row's own text serves */
	struct bulla_warning *warnings; /* in the order they were given */
	const struct bulla_token *token; /* who calls; NULL: nobody was authenticated; held by the request pipeline */
	const struct bulla_grant *grant; /* set by bulla_authorise; NULL: on no condition; held by the request pipeline */
	struct bulla_bytes remote_ip; /* of the client, as text without a port: "10.1.2.3", "::1"; empty: unknown (a unix socket) */
	const struct bulla_bytes *client_chain; /* certificates in DER that the client proved itself with over TLS, its own first;
						   nobody has looked at who issued them; borrowed; NULL: none */
	size_t client_chain_count;
	bool key_renewed;          /* its key was read anew, for a version that was not known here yet */
	bool request_counted, budget_taken; /* it was counted, and so were its items: it is run again */
	int retry_after_s;         /* set beside BUDGET, RATE_LIMITED and BUSY: when to come again */
};

/* From here on the call does work of this kind; to be called before it begins, where no lock is held and no read section is open, and before any
 * effect. On an event loop MUST_BLOCK, always. On a worker it may wait for the call's turn: CANCELLED, BUSY, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_work(struct bulla_call *call, enum bulla_work work);
/* The same of BULLA_WORK_REMOTE: of those with the same key only a few wait at a time. */
BULLA_MUST_USE enum bulla_err bulla_work_remote(struct bulla_call *call, uint64_t key);
/* Between two parts of a long computation, where the same holds: lets others go by. CANCELLED: the call is to end; what it has done so far stays. */
BULLA_MUST_USE enum bulla_err bulla_yield(struct bulla_call *call);

/* Sets the detail text and returns err, so that one writes: return bulla_fail(call, BULLA_E_INVALID, "...").
 * The text may reach the client: no secret, no plaintext. */
enum bulla_err bulla_fail(struct bulla_call *call, enum bulla_err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same of a text that a client chose, as bulla_arena_quote writes it, between two others. Or NO_MEMORY. */
enum bulla_err bulla_fail_quoting(struct bulla_call *call, enum bulla_err err, const char *before, struct bulla_bytes text, const char *after);

/* Adds a warning to the reply. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_warn(struct bulla_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The text of err for a person: the call's detail, else the row's. */
struct bulla_bytes bulla_call_text(const struct bulla_call *call, enum bulla_err err);

BULLA_DECLS_END

#endif
