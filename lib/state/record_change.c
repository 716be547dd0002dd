/* record_change.c: changes of records by compare-and-set (records.h). Workers. */
#include "state/records_private.h"

#include <time.h>

#include "crypto/crypto.h"

#define COMMIT_MAX 9 /* of them RECORD_OWN_WRITES: itself, where it is filed, and what led to the one in its place */
#define AT_ONCE 2    /* tries; later ones stand back, or of many nodes one would lose for ever */

struct record_commit {
	struct records *records;
	struct bulla_call *call;
	struct store_write writes[COMMIT_MAX];
	size_t count;
	record_committer *by; /* NULL: records_commit */
	void *context;
};

void record_commit_by(struct record_commit *commit, record_committer *by, void *context)
{
	commit->by = by;
	commit->context = context;
}

/* Also after an error: it may have been written. */
static void drop_kept(struct records *records, const struct store_write *writes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		snapshots_drop(&records->cache, &writes[i].id);
}

enum bulla_err records_commit(struct records *records, struct bulla_call *call, const struct store_write *writes, size_t count)
{
	TRY(seal_hold(records->documents.seal));
	enum bulla_err err = store_commit(records->documents.store, call, writes, count, NULL);

	drop_kept(records, writes, count);
	seal_release(records->documents.seal);
	return err;
}

/* ---- writes of a commit --------------------------------------------------------------------------------------------------------- */

static enum bulla_err add_put(struct record_commit *commit, const struct record_name *name, uint64_t expected, const void *record)
{
	const struct document_name document = record_document(name);
	struct pack pack = { .arena = commit->call->arena };
	struct bulla_bytes value;

	name->kind->encode(&pack, record);
	TRY(pack_finish(&pack, &value));
	TRY(document_write(&commit->records->documents, commit->call, &document, expected, value, &commit->writes[commit->count]));
	commit->count++;
	return BULLA_OK;
}

static enum bulla_err add_removal(struct record_commit *commit, const struct record_name *name, uint64_t expected)
{
	const struct document_name document = record_document(name);

	TRY(document_removal(&commit->records->documents, &document, expected, &commit->writes[commit->count]));
	commit->count++;
	return BULLA_OK;
}

static bool takes(const struct record_commit *commit, const struct record_kind *kind)
{
	return kind->end_ns == NULL && commit->count < COMMIT_MAX - RECORD_OWN_WRITES;
}

enum bulla_err record_write_too(struct record_commit *commit, const struct record_name *name, const void *record)
{
	const struct record *head = record;

	return takes(commit, name->kind) ? add_put(commit, name, head->revision, record) : BULLA_E_INTERNAL;
}

enum bulla_err record_remove_too(struct record_commit *commit, const struct record_name *name, uint64_t expected)
{
	return takes(commit, name->kind) ? add_removal(commit, name, expected) : BULLA_E_INTERNAL;
}

/* ---- one attempt ------------------------------------------------------------------------------------------------------------------- */

/* What the store has of a record: one that has ended counts as none, but that is what the commit goes by. */
struct standing {
	uint64_t expected;
	struct record_place place;
};

static struct record *no_record(const struct record_kind *kind, struct bulla_bytes item, struct record *record)
{
	memset(record, 0, kind->size);
	record->item = item;
	return record;
}

static enum bulla_err look(struct records *records, struct bulla_call *call, const struct record_name *name, const struct store_id *id,
			   struct record *record, struct standing *standing)
{
	struct document document = { 0 };
	enum bulla_err err = record_fetch(records, call, id, &document);

	if (err == BULLA_OK)
		err = record_decode(name->kind, call, &document, record);
	if (err == BULLA_OK)
		TRY(record_place(records, name->kind, name->scope, id, record, &standing->place));
	bool none = err == BULLA_E_NOT_FOUND || (err == BULLA_E_STORE_DAMAGED && name->kind->replaced);

	TRY(none ? BULLA_OK : err);
	standing->expected = document.revision;
	if (none)
		call->detail = (struct bulla_bytes){ 0 };
	if (none || record_has_ended(name->kind, record))
		(void)no_record(name->kind, name->item, record);
	return BULLA_OK;
}

static enum bulla_err make(struct record_commit *commit)
{
	if (commit->by == NULL)
		return commit->count > 0 ? records_commit(commit->records, commit->call, commit->writes, commit->count) : BULLA_OK;
	enum bulla_err err = commit->by(commit->call, commit->writes, commit->count, commit->context);

	drop_kept(commit->records, commit->writes, commit->count);
	return err;
}

static enum bulla_err write_down(struct record_commit *commit, const struct record_name *name, const struct store_id *id,
				 const struct standing *standing, const struct record *record)
{
	bool stays = record->fate == RECORD_PUT;
	struct record_place place = { 0 };

	if (stays) {
		TRY(record_place(commit->records, name->kind, name->scope, id, record, &place));
		TRY(add_put(commit, name, standing->expected, record));
	} else if (standing->expected != 0) {
		TRY(add_removal(commit, name, standing->expected));
	}
	TRY(record_refile(commit->records, commit->call, name->kind, &standing->place, &place, commit->writes, &commit->count));
	return make(commit);
}

static enum bulla_err attempt(struct records *records, struct bulla_call *call, const struct record_name *name, const struct store_id *id,
			      record_step *step, void *context)
{
	struct record_commit commit = { .records = records, .call = call };
	struct record *record = bulla_arena_alloc(call->arena, name->kind->size);
	struct standing standing = { 0 };

	if (record == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(look(records, call, name, id, record, &standing));
	record->commit = &commit;
	TRY(step(call, record, context));
	return record->fate == RECORD_LEAVE ? BULLA_OK : write_down(&commit, name, id, &standing, record);
}

/* ---- until nobody else comes before ------------------------------------------------------------------------------------------------ */

/* Some quarters of a millisecond, at random, twice as many after each. */
static void stand_back(int tries)
{
	uint16_t random = UINT16_MAX / 2;
	int doublings = tries - AT_ONCE < 6 ? tries - AT_ONCE : 6;

	if (random_bytes(&random, sizeof random) != BULLA_OK)
		random = UINT16_MAX / 2;
	const struct timespec while_ns = { .tv_nsec = (long)random * 8 << doublings };

	(void)nanosleep(&while_ns, NULL);
}

static struct bulla_warning *last_warning(const struct bulla_call *call)
{
	struct bulla_warning *last = call->warnings;

	while (last != NULL && last->next != NULL)
		last = last->next;
	return last;
}

/* As the call was before the attempt. */
static void begin_anew(struct bulla_call *call, struct bulla_warning *last)
{
	call->detail = (struct bulla_bytes){ 0 };
	if (last == NULL)
		call->warnings = NULL;
	else
		last->next = NULL;
}

static enum bulla_err change_locked(struct records *records, struct bulla_call *call, const struct record_name *name,
				    const struct store_id *id, record_step *step, void *context)
{
	struct bulla_warning *last = last_warning(call);
	enum bulla_err err = BULLA_E_CONFLICT;

	for (int tries = 0; tries < STORE_TRIES && err == BULLA_E_CONFLICT; tries++) {
		begin_anew(call, last);
		if (tries > AT_ONCE)
			stand_back(tries);
		err = attempt(records, call, name, id, step, context);
	}
	return err;
}

enum bulla_err record_change(struct records *records, struct bulla_call *call, const struct record_name *name, record_step *step,
			     void *context)
{
	struct store_id id;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(record_slot(records, name, &id));
	pthread_mutex_t *stripe = &records->stripes[id.bytes[31] % RECORD_STRIPES];

	pthread_mutex_lock(stripe);
	enum bulla_err err = change_locked(records, call, name, &id, step, context);

	pthread_mutex_unlock(stripe);
	return err;
}

/* ---- removing ------------------------------------------------------------------------------------------------------------------------ */

static enum bulla_err remove_step(struct bulla_call *call, void *record, void *context)
{
	(void)call;
	(void)context;
	((struct record *)record)->fate = RECORD_DELETE;
	return BULLA_OK;
}

/* Whatever is there. An entry that files it stays, and goes when its minute is over. */
static enum bulla_err remove_any(struct records *records, struct bulla_call *call, const struct record_name *name)
{
	const struct document_name document = record_document(name);
	struct store_write write;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(document_removal(&records->documents, &document, STORE_ANY_REVISION, &write));
	return records_commit(records, call, &write, 1);
}

enum bulla_err record_remove(struct records *records, struct bulla_call *call, const struct record_name *name)
{
	if (name->kind->end_ns == NULL)
		return remove_any(records, call, name);
	enum bulla_err err = record_change(records, call, name, remove_step, NULL);

	if (err != BULLA_E_STORE_DAMAGED)
		return err;
	call->detail = (struct bulla_bytes){ 0 };
	return remove_any(records, call, name);
}
