/* grant_private.h: what a grant is made of: for policy.c and grant.c alone. */
#ifndef BULLA_ACCESS_GRANT_PRIVATE_H
#define BULLA_ACCESS_GRANT_PRIVATE_H

#include "access/grant.h"
#include "access/policy_table.h"

/* In the call's arena; a reference keeps the rule. */
struct bulla_grant {
	struct acl *acl;
	const struct acl_rule *rule;
	unsigned need;       /* the capability that was asked for */
	int64_t page_limit;  /* of a list; 0: as asked for */
};

#endif
