/* engine_clock.c: owns the kept point of the clock: a small sealed record that says how far the store's time has come, so that a restart
 * goes on from there whatever the system's clock says (docs/DECISIONS.md, "Time"; docs/FORMATS.md, "The clock"). Read at the first
 * unsealing, written by the tick and at the end. Under clock->lock; workers. */
#include "engine_private.h"

#include "bulla/clock.h"
#include "bulla/encode.h"

#define NS_PER_S INT64_C(1000000000)
#define FORMAT 1
#define RECORD_BYTES 9
#define WITH_OTHERS_NS (10 * NS_PER_S) /* so old may it get while something else is written, */
#define BY_ITSELF_NS (60 * NS_PER_S)   /* and so old while nothing is */

static enum bulla_err slot(struct seal *seal, struct store_id *out)
{
	const struct barrier_name name = { .kind = "clock" };

	return barrier_slot(seal, &name, out);
}

/* *kept_ns 0: there is none. */
static enum bulla_err read_kept(struct bulla *engine, struct bulla_call *call, int64_t *kept_ns)
{
	struct engine_clock *clock = &engine_of(engine)->clock;
	struct store_record record = { 0 };
	struct bulla_bytes plaintext;
	struct store_id id;

	*kept_ns = 0;
	clock->revision = 0;
	TRY(slot(engine->seal, &id));
	enum bulla_err err = store_get(engine->store, call, &id, &record);

	if (err == BULLA_E_NOT_FOUND)
		return BULLA_OK;
	TRY(err);
	clock->revision = record.revision;
	TRY(barrier_open(engine->seal, call, &record, &plaintext));
	if (plaintext.len != RECORD_BYTES || plaintext.ptr[0] != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	uint64_t kept = bulla_get_u64(plaintext.ptr + 1);

	if (kept == 0 || kept > (uint64_t)BULLA_CLOCK_LAST_NS)
		return BULLA_E_STORE_DAMAGED;
	*kept_ns = (int64_t)kept;
	return BULLA_OK;
}

/* ---- going on ----------------------------------------------------------------------------------------------------------------- */

static double seconds(int64_t ns)
{
	return (double)(ns < 0 ? -ns : ns) / 1e9;
}

static void tell(const struct bulla *engine, enum bulla_clock_resumed how, int64_t clock_ns, int64_t date_ns)
{
	if (seconds(date_ns - clock_ns) < 1)
		return;
	if (how == BULLA_CLOCK_IS_AHEAD)
		audit_log(engine->audit, "warn", "the system's clock is %.0f s behind the time that this store has reached: lifetimes and "
			  "periods go on from there", seconds(date_ns - clock_ns));
	if (how == BULLA_CLOCK_IS_FAR_BEHIND)
		audit_log(engine->audit, "warn", "the system's clock is %.1f days ahead of the time that this store has reached, too many to "
			  "be believed: lifetimes and periods go on from there; if it is right, start once with -clock-from-wall",
			  seconds(date_ns - clock_ns) / 86400);
}

/* What the store says: a kept point, or at least when it was made. */
static int64_t known_ns(const struct bulla *engine, int64_t kept_ns)
{
	int64_t created_s = store_identity(engine->store)->created_s;

	if (kept_ns != 0)
		return kept_ns;
	return created_s > 0 && created_s <= BULLA_CLOCK_LAST_NS / NS_PER_S ? created_s * NS_PER_S : 1;
}

static void settle(struct bulla *engine, int64_t kept_ns)
{
	struct engine_clock *clock = &engine_of(engine)->clock;
	int64_t date_ns = bulla_wall_ns(), known = known_ns(engine, kept_ns), at_ns;
	enum bulla_clock_resumed how = bulla_clock_resume_at(kept_ns, date_ns, bulla_elapsed_ns() - clock->opened_ns, &at_ns);

	if (bulla_clock_is_settled()) { /* sealed and unsealed: time went on meanwhile; or another server has come further */
		(void)bulla_clock_settle(known);
		return;
	}
	if (clock->from_wall) {
		(void)bulla_clock_resume_at(0, date_ns, 0, &at_ns);
		audit_log(engine->audit, "warn", "lifetimes and periods go on from the system's clock, as it was asked for: %.0f s %s what this "
			  "store had reached", seconds(at_ns - known), at_ns >= known ? "after" : "before");
		(void)bulla_clock_settle(at_ns);
		return;
	}
	if (kept_ns == 0 && at_ns < known) {
		at_ns = known;
		how = BULLA_CLOCK_IS_AHEAD;
	}
	tell(engine, how, at_ns, date_ns);
	(void)bulla_clock_settle(at_ns);
}

enum bulla_err engine_clock_resume(struct bulla *engine, struct bulla_call *call)
{
	struct engine_clock *clock = &engine_of(engine)->clock;
	int64_t kept_ns;

	pthread_mutex_lock(&clock->lock);
	enum bulla_err err = read_kept(engine, call, &kept_ns);

	if (err == BULLA_E_STORE_DAMAGED) { /* no reason to stay sealed: it is as with stores of older versions, which have none */
		audit_log(engine->audit, "error", "the record of the store's clock is damaged: lifetimes and periods go on from the system's "
			  "clock");
		call->detail = (struct bulla_bytes){ 0 };
		err = BULLA_OK;
	}
	if (err == BULLA_OK)
		settle(engine, kept_ns);
	clock->known = err == BULLA_OK;
	clock->kept_ns = kept_ns;
	pthread_mutex_unlock(&clock->lock);
	return err;
}

/* ---- keeping ------------------------------------------------------------------------------------------------------------------- */

static enum bulla_err write_kept(struct bulla *engine, struct bulla_call *call, int64_t now_ns)
{
	struct engine_clock *clock = &engine_of(engine)->clock;
	struct store_write write = { .change = STORE_PUT, .expected = clock->revision };
	uint8_t plaintext[RECORD_BYTES] = { FORMAT };

	bulla_put_u64(plaintext + 1, (uint64_t)now_ns);
	TRY(slot(engine->seal, &write.id));
	TRY(barrier_seal(engine->seal, call, &write.id, store_revision(&write), bulla_mem(plaintext, sizeof plaintext), &write.bytes));
	TRY(store_commit(engine->store, call, &write, 1, NULL));
	clock->revision++;
	clock->kept_ns = now_ns;
	return BULLA_OK;
}

static enum bulla_err keep_held(struct bulla *engine, struct bulla_call *call)
{
	struct engine_clock *clock = &engine_of(engine)->clock;
	int64_t now_ns = bulla_clock_ns();

	if (now_ns <= 0 || now_ns > BULLA_CLOCK_LAST_NS)
		return BULLA_OK; /* no point that could be taken over */
	enum bulla_err err = write_kept(engine, call, now_ns);

	if (err != BULLA_E_CONFLICT)
		return err;
	/* another server keeps it as well: the later one counts, and ours follows if that is the other's */
	TRY(read_kept(engine, call, &clock->kept_ns));
	(void)bulla_clock_settle(known_ns(engine, clock->kept_ns));
	return write_kept(engine, call, bulla_clock_ns());
}

static bool is_due(const struct bulla *engine, const struct engine_clock *clock)
{
	int64_t age_ns = bulla_clock_ns() - clock->kept_ns;
	bool written = store_counts(engine->store).batches != clock->batches;

	return age_ns < 0 || age_ns >= BY_ITSELF_NS || (written && age_ns >= WITH_OTHERS_NS);
}

enum bulla_err engine_clock_keep(struct bulla *engine, struct bulla_call *call, bool at_once)
{
	struct engine_clock *clock = &engine_of(engine)->clock;
	enum bulla_err err = BULLA_OK;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(seal_hold(engine->seal));
	pthread_mutex_lock(&clock->lock);
	if (clock->known && (at_once || is_due(engine, clock))) {
		err = keep_held(engine, call);
		clock->batches = store_counts(engine->store).batches;
	}
	pthread_mutex_unlock(&clock->lock);
	seal_release(engine->seal);
	return err;
}
