/* audit_internal.h: the audit devices, for the engine. Public operations: bulla/audit.h. */
#ifndef BULLA_AUDIT_AUDIT_INTERNAL_H
#define BULLA_AUDIT_AUDIT_INTERNAL_H

#include "base/parts.h"
#include "bulla/audit.h"
#include "state/follow.h"
#include "state/records.h"

struct audit_config {
	const struct bulla_audit_spec *specs; /* of the configuration file; copied */
	size_t spec_count;
	bool allow_prefix;
	struct store *store; /* audit_new's */
	struct bulla_bytes node; /* copied; empty: the store is not shared */
	/* one line an event; NULL: nobody listens. Any thread; no secret */
	void (*log)(void *context, const char *level, const char *text);
	void *log_context;
};

BULLA_MUST_USE enum bulla_err audit_new(struct store *store, struct seal *seal, const struct audit_config *config,
					struct audit **out);
/* After unsealing, before requests are let through: brings the devices in line with the configuration and opens them all. One
 * that cannot be opened stays on, and refuses, until it can be. CONFIG: the configuration contradicts what is stored; STORE*. */
BULLA_MUST_USE enum bulla_err audit_load(struct audit *audit, struct bulla_call *call);
/* Has the rules of headers read anew when another node changes them. INTERNAL. */
BULLA_MUST_USE enum bulla_err audit_follow(struct audit *audit, struct follow *follow);
/* Before sealing: no more records; each device signs a last checkpoint, and how far it came is stored. Not loaded is fine. */
void audit_close(struct audit *audit);
void audit_free(struct audit *audit); /* closes first; NULL is fine */
/* One line to the server's log. */
void audit_log(const struct audit *audit, const char *level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Stores how far each device came, where it went on. STORE*. */
BULLA_MUST_USE enum bulla_err audit_tick(struct audit *audit, struct bulla_call *call);

#endif
