/* token_count.c: how many tokens there are in the store. Workers only. */
#include "access/access_private.h"

#define AT_ONCE 4096 /* entries between two looks at who else waits: some milliseconds */

struct counting {
	uint64_t count;
	size_t seen;
	struct store_id next;
	bool more;
};

/* Each token has an entry under its accessor. Nothing of it is opened: that would cost more than all the rest. */
static enum bulla_err visit(const struct store_record *record, void *context)
{
	struct counting *counting = context;

	counting->next = record->id;
	counting->more = counting->seen == AT_ONCE;
	if (counting->more)
		return BULLA_E_BUSY; /* enough: the scan stops here */
	counting->seen++;
	counting->count++;
	return BULLA_OK;
}

static enum bulla_err count_some(struct access *access, struct bulla_call *call, struct counting *counting)
{
	struct store_id first = counting->next;

	counting->seen = 0;
	counting->more = false;
	enum bulla_err err = store_scan_from(access->store, call, &first, visit, counting);

	return err == BULLA_E_BUSY && counting->more ? BULLA_OK : err;
}

static enum bulla_err begin(struct access *access, struct bulla_call *call, struct counting *counting)
{
	TRY(access_begin(access, call));
	return access_end(access, first_accessor(access, &counting->next));
}

/* The seal is held for one step at a time: sealing does not wait for a count. */
enum bulla_err bulla_token_count(struct bulla *engine, struct bulla_call *call, uint64_t *out)
{
	struct access *access = engine->access;
	struct counting counting = { .more = true };

	TRY(begin(access, call, &counting));
	while (counting.more) {
		TRY(access_begin(access, call));
		TRY(access_end(access, count_some(access, call, &counting)));
		TRY(bulla_yield(call));
	}
	*out = counting.count;
	return BULLA_OK;
}
