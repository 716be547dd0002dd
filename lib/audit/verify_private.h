/* verify_private.h: what verify.c and verify_checkpoint.c share. */
#ifndef BULLA_AUDIT_VERIFY_PRIVATE_H
#define BULLA_AUDIT_VERIFY_PRIVATE_H

#include "audit/audit_private.h"

struct place {
	const char *file;
	uint64_t line;
};

struct verify {
	struct bulla_call *call;
	const struct bulla_audit_verify_args *args;
	struct bulla_audit_verdict *verdict;
	struct place here;
	bool begun;                       /* a line of the chain was seen */
	struct place last;                /* the last such line */
	uint8_t head[SHA256_BYTES];       /* of it */
	uint8_t prefix[64];               /* what stands before its brace, or the beginning of that */
	size_t prefix_bytes;
	struct place strays;              /* the first of those without a place in the chain since then */
	uint64_t stray_count;
	bool stray_cut;                   /* the first of them is the beginning of a record */
	uint64_t signed_record;
};

/* What a good checkpoint says of the lines before it. */
struct event {
	char name[16];        /* "": it is none, or no good one */
	uint64_t lost, after; /* of a gap: records that were not given to the device; those after number after may not have arrived */
};

static inline bool is_event(const struct event *event, const char *name)
{
	return strcmp(event->name, name) == 0;
}

void verify_report(struct verify *v, enum bulla_audit_finding finding, struct place place, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* ---- verify_checkpoint.c ---- */

/* Whether the line is one, by its beginning, which nobody who is recorded has a hand in; *rest is what comes behind that. */
bool checkpoint_begins(struct bulla_bytes line, struct bulla_bytes *rest);
/* A line that says it is a checkpoint: reports what is wrong with it. event stays as it is unless it is a good one. */
void verify_checkpoint(struct verify *v, struct bulla_bytes line, struct bulla_bytes rest, uint64_t number,
		       const uint8_t previous[SHA256_BYTES], struct event *event);

#endif
