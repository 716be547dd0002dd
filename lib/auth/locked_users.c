/* locked_users.c: who is kept out for a while, and what keeps him out: his failures to log in, which each node counts for itself in memory
 * (lockout.c), become a record once they are too many, so that he is kept out by every node, and after a restart. Only users that there
 * are get so far: there are no more records than users. Layout: docs/FORMATS.md, "Who is locked out". Workers. */
#include <stdlib.h>

#include "auth/auth.h"
#include "auth/log_in.h"
#include "bulla/clock.h"

#define FORMAT 1
#define NS_PER_S INT64_C(1000000000)

/* ---- the kind of record --------------------------------------------------------------------------------------------------------- */

struct locked_user {
	struct record record;
	int64_t end_ns;
};

static void encode(struct pack *pack, const void *record)
{
	pack_u8(pack, FORMAT);
	pack_i64(pack, ((const struct locked_user *)record)->end_ns);
}

static enum bulla_err decode(struct bulla_call *call, struct unpack *in, void *record)
{
	(void)call;
	if (unpack_u8(in) != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	((struct locked_user *)record)->end_ns = unpack_i64(in);
	return BULLA_OK;
}

static int64_t end_ns(const void *record)
{
	return ((const struct locked_user *)record)->end_ns;
}

const struct record_kind locked_users = { .name = "locked-user", .size = sizeof(struct locked_user), .cached = true, .replaced = true,
					  .encode = encode, .decode = decode, .end_ns = end_ns,
					  .due = "locked-user-end", .due_from = "locked-user-end-from" };

/* The mount by its accessor: that is how callers name it, and another mount at the same path has another one. */
static enum bulla_err place(struct bulla_call *call, const struct lockout_user *user, struct record_name *out)
{
	struct pack item = { .arena = call->arena };

	pack_bytes(&item, user->mount);
	pack_raw(&item, user->name.ptr, user->name.len);
	*out = (struct record_name){ .kind = &locked_users };
	return pack_finish(&item, &out->item);
}

static struct bulla_locked_user user_of(struct bulla_bytes item)
{
	struct unpack in = { .ptr = item.ptr, .left = item.len };
	struct bulla_bytes mount = unpack_bytes(&in);

	return (struct bulla_locked_user){ mount, bulla_mem(in.ptr, in.left) };
}

/* ---- whether there are any -----------------------------------------------------------------------------------------------------------
 * Mostly nobody is locked out, and no login has to ask the store for it: a tick has looked, and nobody was locked out since. Where other nodes
 * may do that, each login asks. */

void locked_users_forget(struct auth *auth)
{
	atomic_fetch_add(&auth->lockouts, 1);
}

static bool may_be_any(const struct auth *auth)
{
	return store_is_shared(auth->records.documents.store) || atomic_load(&auth->lockouts) != atomic_load(&auth->lockouts_over);
}

static enum bulla_err stop(const void *record, void *context)
{
	(void)record;
	*(bool *)context = true;
	return BULLA_E_BUSY;
}

/* One that is damaged is one. */
enum bulla_err locked_users_tick(struct auth *auth, struct bulla_call *call)
{
	const struct record_name any = { .kind = &locked_users };
	uint64_t seen = atomic_load(&auth->lockouts); /* before the store is read */
	bool found = false;
	size_t damaged = 0;

	if (store_is_shared(auth->records.documents.store) || seen == atomic_load(&auth->lockouts_over))
		return BULLA_OK;
	enum bulla_err err = record_each(&auth->records, call, &any, &damaged, stop, &found);

	if (found)
		return BULLA_OK;
	TRY(err);
	if (damaged == 0)
		atomic_store(&auth->lockouts_over, seen);
	return BULLA_OK;
}

/* ---- at a login ------------------------------------------------------------------------------------------------------------------ */

/* The server's rule for the method, with what was tuned for the mount. */
static struct bulla_lockout_rule rule_of(const struct auth *auth, const struct bulla_mount *mount)
{
	struct bulla_lockout_rule rule = mount->kind == BULLA_MOUNT_APPROLE ? auth->approle_rule : auth->userpass_rule;
	const struct bulla_mount_lockout *own = &mount->lockout;

	if (own->threshold != 0)
		rule.threshold = own->threshold;
	if (own->duration_s != 0)
		rule.duration_s = own->duration_s;
	if (own->reset_s != 0)
		rule.reset_s = own->reset_s;
	rule.disabled = rule.disabled || own->disable;
	return rule;
}

static enum bulla_err look(struct auth *auth, struct bulla_call *call, const struct bulla_lockout_rule *rule,
			   const struct lockout_user *user, bool *locked)
{
	struct locked_user found;
	struct record_name name;

	*locked = lockout_is_locked(auth->lockout, rule, user, bulla_clock_ns());
	if (*locked || rule->disabled || user->name.len > LOCKOUT_MAX_NAME || !may_be_any(auth))
		return BULLA_OK;
	TRY(place(call, user, &name));
	enum bulla_err err = record_get(&auth->records, call, &name, &found);

	*locked = err == BULLA_OK;
	return err == BULLA_E_NOT_FOUND ? BULLA_OK : err;
}

enum bulla_err auth_check_lockout(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				  const struct lockout_user *user)
{
	const struct bulla_lockout_rule rule = rule_of(auth, mount);
	bool locked;

	TRY(look(auth, call, &rule, user, &locked));
	return locked ? bulla_fail(call, BULLA_E_FORBIDDEN, "permission denied") : BULLA_OK;
}

/* Whoever was locked out by another node meanwhile stays so until the later end. */
static enum bulla_err lock_step(struct bulla_call *call, void *record, void *context)
{
	struct locked_user *user = record;
	const int64_t *until_ns = context;

	(void)call;
	if (user->end_ns < *until_ns)
		user->end_ns = *until_ns;
	return BULLA_OK;
}

/* From then on the count begins anew. If it cannot be written, what is in memory locks out, on this node. */
static enum bulla_err lock(struct auth *auth, struct bulla_call *call, const struct lockout_user *user, int64_t until_ns)
{
	struct record_name name;

	TRY(place(call, user, &name));
	enum bulla_err err = record_change(&auth->records, call, &name, lock_step, &until_ns);

	atomic_fetch_add(&auth->lockouts, 1); /* after an error, too: it may have been written */
	if (err == BULLA_OK)
		lockout_forget(auth->lockout, user);
	return err;
}

enum bulla_err auth_note_login(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
			       const struct lockout_user *user, enum bulla_err outcome)
{
	const struct bulla_lockout_rule rule = rule_of(auth, mount);
	const struct bulla_bytes detail = call->detail;
	int64_t now_ns = bulla_clock_ns();

	if (outcome == BULLA_OK)
		lockout_forget(auth->lockout, user);
	if (outcome != BULLA_E_BAD_TOKEN)
		return outcome;
	if (lockout_fail(auth->lockout, &rule, user, now_ns))
		(void)lock(auth, call, user, now_ns + rule.duration_s * NS_PER_S);
	call->detail = detail; /* of the login */
	return BULLA_E_INVALID;
}

/* ---- for callers of the library ---------------------------------------------------------------------------------------------- */

void bulla_lockout_set(struct bulla *engine, enum bulla_mount_kind kind, const struct bulla_lockout_rule *rule)
{
	if (kind == BULLA_MOUNT_USERPASS)
		engine->auth->userpass_rule = *rule;
	if (kind == BULLA_MOUNT_APPROLE)
		engine->auth->approle_rule = *rule;
}

struct listing {
	struct bulla_bytes mount;    /* empty: of all */
	struct document_names names; /* as records are called */
};

static enum bulla_err add(const void *record, void *context)
{
	struct bulla_bytes item = ((const struct record *)record)->item;
	struct listing *l = context;

	if (l->mount.len > 0 && !bulla_equal(user_of(item).mount_accessor, l->mount))
		return BULLA_OK;
	return document_names_add(&l->names, item);
}

/* Of this node alone: what could not be written. */
static enum bulla_err add_unwritten(struct auth *auth, struct bulla_call *call, struct listing *l)
{
	struct bulla_locked_user *users;
	struct record_name name;
	size_t count;

	TRY(lockout_list(auth->lockout, call, l->mount, bulla_clock_ns(), &users, &count));
	for (size_t i = 0; i < count; i++) {
		const struct lockout_user user = { users[i].mount_accessor, users[i].name };

		TRY(place(call, &user, &name));
		TRY(document_names_add(&l->names, name.item));
	}
	return BULLA_OK;
}

static int by_mount_and_name(const void *a, const void *b)
{
	const struct bulla_locked_user *one = a, *other = b;
	int order = bulla_compare(one->mount_accessor, other->mount_accessor);

	return order != 0 ? order : bulla_compare(one->name, other->name);
}

/* One may be in both: his record was written by another node since. */
static enum bulla_err to_users(struct bulla_call *call, const struct document_names *names, struct bulla_locked_user **out, size_t *count)
{
	struct bulla_locked_user *users = bulla_arena_alloc(call->arena, names->count * sizeof *users);
	size_t n = 0;

	if (users == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < names->count; i++)
		users[i] = user_of(names->items[i]);
	if (names->count > 1)
		qsort(users, names->count, sizeof *users, by_mount_and_name);
	for (size_t i = 0; i < names->count; i++)
		if (n == 0 || by_mount_and_name(&users[n - 1], &users[i]) != 0)
			users[n++] = users[i];
	*out = users;
	*count = n;
	return BULLA_OK;
}

enum bulla_err bulla_lockout_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes mount_accessor,
				  struct bulla_locked_user **users, size_t *count)
{
	const struct record_name any = { .kind = &locked_users };
	struct listing l = { .mount = mount_accessor, .names.call = call };
	struct auth *auth = engine->auth;
	size_t damaged = 0;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(add_unwritten(auth, call, &l));
	TRY(record_each(&auth->records, call, &any, &damaged, add, &l));
	TRY(document_warn_damaged(call, damaged, l.names.count));
	return to_users(call, &l.names, users, count);
}

enum bulla_err bulla_lockout_unlock(struct bulla *engine, struct bulla_call *call, struct bulla_bytes mount_accessor,
				    struct bulla_bytes name)
{
	const struct lockout_user user = { mount_accessor, name };
	struct auth *auth = engine->auth;
	struct record_name at;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(place(call, &user, &at));
	TRY(record_remove(&auth->records, call, &at));
	lockout_forget(auth->lockout, &user);
	return BULLA_OK;
}
