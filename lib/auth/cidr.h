/* cidr.h: blocks of IP addresses (RFC 4632, RFC 4291) as the settings of roles and users have them. Any thread; never blocks. */
#ifndef BULLA_AUTH_CIDR_H
#define BULLA_AUTH_CIDR_H

#include "bulla/call.h"

struct cidr {
	bool v6;
	unsigned bits;     /* of the prefix */
	uint8_t bytes[16]; /* the address as it was written, behind the prefix too */
};

/* "10.0.0.0/8", "fe80::/10"; with plain also an address alone, which is a block of one. false: it is neither. */
BULLA_MUST_USE bool cidr_parse(struct bulla_bytes text, bool plain, struct cidr *out);

/* As the peer prints it: a block of one as the address alone. NULL ptr: no memory. */
struct bulla_bytes cidr_print(struct bulla_call *call, const struct cidr *cidr) BULLA_MUST_USE;

/* Whether all of inner lies in outer. */
bool cidr_contains(const struct cidr *outer, const struct cidr *inner);

#endif
