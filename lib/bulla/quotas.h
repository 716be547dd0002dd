/* quotas.h: rate limits by client address, as the peer has them: sys/quotas. A rule is for the whole server, for a mount, or for a
 * path below one; the most particular one counts. Counts are of this process and start anew with it. */
#ifndef BULLA_QUOTAS_H
#define BULLA_QUOTAS_H

#include "call.h"

BULLA_DECLS_BEGIN

struct bulla;

struct bulla_rate_limit {
	struct bulla_bytes name;
	struct bulla_bytes path;   /* "", "transit/", "transit/encrypt/cards", "transit/encrypt/" and a star for all that begin so */
	double rate;               /* requests of one client in an interval, rounded up */
	int64_t interval_s;        /* 0 in a write: 1 */
	int64_t block_interval_s;  /* how long a client is refused that went over it; 0: until the interval's end */
	bool inheritable;          /* shown, as the peer has it for namespaces */
};

/* All of them block, but for bulla_rate_check. INVALID with the peer's texts. Names are as they are given. */
BULLA_MUST_USE enum bulla_err bulla_rate_limit_write(struct bulla *engine, struct bulla_call *call, const struct bulla_rate_limit *limit);
/* NOT_FOUND; in the arena. */
BULLA_MUST_USE enum bulla_err bulla_rate_limit_read(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
						    struct bulla_rate_limit *out);
BULLA_MUST_USE enum bulla_err bulla_rate_limit_delete(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name);
BULLA_MUST_USE enum bulla_err bulla_rate_limit_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes **names,
						    size_t *count);

struct bulla_quota_config {
	const struct bulla_bytes *exempt_paths; /* a '*' at the end: whatever begins so */
	size_t exempt_count;
	bool response_headers, audit_logging;
};
BULLA_MUST_USE enum bulla_err bulla_quota_config_write(struct bulla *engine, struct bulla_call *call,
						       const struct bulla_quota_config *config);
/* In the arena. */
BULLA_MUST_USE enum bulla_err bulla_quota_config_read(struct bulla *engine, struct bulla_call *call, struct bulla_quota_config *out);

/* What the reply's headers say, where that was asked for. */
struct bulla_rate_state {
	bool show;
	bool audit; /* a refusal is to be on record */
	int64_t limit, remaining, reset_s;
};
/* Counts a request to path (below /v1/) of call->remote_ip. RATE_LIMITED, with call->retry_after_s. Never blocks; free where there
 * are no rules. */
BULLA_MUST_USE enum bulla_err bulla_rate_check(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
					       struct bulla_rate_state *state);

BULLA_DECLS_END

#endif
