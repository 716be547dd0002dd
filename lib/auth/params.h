/* params.h: the token_* parameters of a role or user: how a request changes them, and how they are stored. Every auth method's file
 * uses it. Any thread; never blocks. */
#ifndef BULLA_AUTH_PARAMS_H
#define BULLA_AUTH_PARAMS_H

#include "base/pack.h"
#include "bulla/token_params.h"

/* The changed parameters, as the peer checks them: what came by new names, then the rules, then what came by old names.
 * INVALID with the peer's texts; NO_MEMORY. What params borrows afterwards is the change's or in the arena. */
BULLA_MUST_USE enum bulla_err params_change(struct bulla_call *call, const struct bulla_role_params_change *change,
					    struct bulla_role_params *params);

/* Policies as the peer cleans them where it does: lower case, trimmed, sorted, each once; with root among them only root.
 * In the arena. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err params_clean_policies(struct bulla_call *call, const struct bulla_bytes *policies, size_t count,
						    const struct bulla_bytes **out, size_t *out_count);

/* In and out of a document (docs/FORMATS.md). What unpack gives out borrows from its text and from the arena. A document that is
 * not what it should be shows in unpack->failed; NO_MEMORY. */
void params_pack(struct pack *pack, const struct bulla_role_params *params);
BULLA_MUST_USE enum bulla_err params_unpack(struct bulla_call *call, struct unpack *unpack, struct bulla_role_params *out);

#endif
