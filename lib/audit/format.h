/* format.h: what format.c and format_caller.c share. */
#ifndef BULLA_AUDIT_FORMAT_H
#define BULLA_AUDIT_FORMAT_H

#include "audit/audit_private.h"

#define NS_PER_S INT64_C(1000000000)

/* One request, for one device. */
struct format {
	const struct audit *audit;
	const struct device *device;
	const struct bulla_audit_entry *entry;
	struct bulla_call *call;
	struct hashing how;
	struct out *out;
	struct kept *kept;
	bool known;          /* the caller is the kept one */
};

/* ---- format.c ---- */
void format_hashed(struct format *f, const char *key, struct bulla_bytes text);
void format_accessor(struct format *f, const char *key, struct bulla_bytes accessor);

static inline void format_text(struct out *out, const char *key, struct bulla_bytes text)
{
	if (text.len > 0)
		json_put_string(out, key, text);
}

/* ---- format_caller.c ---- */
void format_know(struct format *f);   /* first: whether what was kept is this request's */
void format_auth(struct format *f);   /* "auth" */
void format_shown(struct format *f);  /* of "request": the token, and the namespace */
void format_mount(struct format *f, enum mount_place place);

#endif
