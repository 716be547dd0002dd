/* records_unit.h: what the tests of records share: records of some kinds over a store in memory, at a clock that they set. */
#ifndef TESTS_RECORDS_UNIT_H
#define TESTS_RECORDS_UNIT_H

#include "seal_unit.h"

#include "bulla/clock.h"
#include "state/due.h"
#include "state/records.h"

#define NS_PER_S INT64_C(1000000000)
#define MINUTE_NS (60 * NS_PER_S)

static struct store *store;
static struct seal *seal;
static struct records records;
static struct bulla_call call;
static _Atomic int64_t now_ns;

static inline int64_t clock_ns(void)
{
	return now_ns;
}

static inline void begin_records(const struct record_kind *const *ending)
{
	struct bulla_seal_config config = static_config("a");

	now_ns = 30000000 * MINUTE_NS;
	bulla_clock_replace(clock_ns, clock_ns);
	begin_sealed(NULL, 0, &config, &call, &store, &seal);
	memset(&records, 0, sizeof records);
	ck_assert_ok(records_init(&records, store, seal, ending, 1 << 20));
}

static inline void end_records(void)
{
	records_end(&records);
	end_sealed(&call, store, seal);
	bulla_clock_replace(NULL, NULL);
}

static inline bool is_in_store(const struct store_id *slot)
{
	struct store_record record;
	enum bulla_err err = store_get(store, &call, slot, &record);

	ck_assert(err == BULLA_OK || err == BULLA_E_NOT_FOUND);
	return err == BULLA_OK;
}

#endif
