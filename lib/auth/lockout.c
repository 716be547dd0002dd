/* lockout.c: a bounded table of users who failed to log in, found by name, forgotten by age (lockout.h). One mutex; nothing waits under
 * it. */
#include "auth/lockout.h"

#include <pthread.h>
#include <stdlib.h>

#include "crypto/crypto.h"

#define CHAINS 1024
#define NS_PER_S INT64_C(1000000000)

struct entry {
	struct entry *chain;        /* of the same hash */
	struct entry *older, *newer; /* by the time of the last failure */
	struct bulla_lockout_rule rule; /* of the last failure */
	int64_t failures, last_ns;
	size_t mount_len, name_len;
	uint8_t text[];              /* the mount's accessor, then the name */
};

struct lockout {
	pthread_mutex_t lock;
	uint8_t key[16];             /* of the hash: a client chooses names */
	struct entry *chains[CHAINS];
	struct entry *oldest, *newest;
	size_t count;
};

enum bulla_err lockout_new(struct lockout **out)
{
	struct lockout *lockout = calloc(1, sizeof *lockout);

	if (lockout == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = random_bytes(lockout->key, sizeof lockout->key);

	if (err != BULLA_OK) {
		free(lockout);
		return err;
	}
	pthread_mutex_init(&lockout->lock, NULL);
	*out = lockout;
	return BULLA_OK;
}

void lockout_free(struct lockout *lockout)
{
	if (lockout == NULL)
		return;
	lockout_empty(lockout);
	pthread_mutex_destroy(&lockout->lock);
	free(lockout);
}

/* ---- the table: with the lock held ------------------------------------------------------------------------------------------- */

static struct entry **place_of(struct lockout *lockout, const struct lockout_user *user)
{
	return &lockout->chains[table_hash(lockout->key, user->name) % CHAINS];
}

static bool is_of(const struct entry *e, const struct lockout_user *user)
{
	return bulla_equal(bulla_mem(e->text, e->mount_len), user->mount) &&
	       bulla_equal(bulla_mem(e->text + e->mount_len, e->name_len), user->name);
}

static struct entry *find(struct lockout *lockout, const struct lockout_user *user)
{
	for (struct entry *e = *place_of(lockout, user); e != NULL; e = e->chain)
		if (is_of(e, user))
			return e;
	return NULL;
}

static void unlink_age(struct lockout *lockout, struct entry *e)
{
	*(e->older != NULL ? &e->older->newer : &lockout->oldest) = e->newer;
	*(e->newer != NULL ? &e->newer->older : &lockout->newest) = e->older;
}

static void link_newest(struct lockout *lockout, struct entry *e)
{
	e->older = lockout->newest;
	e->newer = NULL;
	*(e->older != NULL ? &e->older->newer : &lockout->oldest) = e;
	lockout->newest = e;
}

static void drop(struct lockout *lockout, struct entry *e)
{
	const struct lockout_user user = { bulla_mem(e->text, e->mount_len), bulla_mem(e->text + e->mount_len, e->name_len) };
	struct entry **at = place_of(lockout, &user);

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	unlink_age(lockout, e);
	lockout->count--;
	free(e);
}

static struct entry *add(struct lockout *lockout, const struct lockout_user *user)
{
	struct entry *e = calloc(1, sizeof *e + user->mount.len + user->name.len);
	struct entry **at = place_of(lockout, user);

	if (e == NULL)
		return NULL;
	if (lockout->count == LOCKOUT_MAX_USERS)
		drop(lockout, lockout->oldest);
	e->mount_len = user->mount.len;
	e->name_len = user->name.len;
	if (user->mount.len > 0)
		memcpy(e->text, user->mount.ptr, user->mount.len);
	if (user->name.len > 0)
		memcpy(e->text + user->mount.len, user->name.ptr, user->name.len);
	e->chain = *at;
	*at = e;
	link_newest(lockout, e);
	lockout->count++;
	return e;
}

static bool is_locked(const struct bulla_lockout_rule *rule, const struct entry *e, int64_t now_ns)
{
	return !rule->disabled && e->failures >= rule->threshold && (now_ns - e->last_ns) / NS_PER_S < rule->duration_s;
}

/* ---- the operations ---------------------------------------------------------------------------------------------------------- */

void lockout_empty(struct lockout *lockout)
{
	pthread_mutex_lock(&lockout->lock);
	while (lockout->oldest != NULL)
		drop(lockout, lockout->oldest);
	pthread_mutex_unlock(&lockout->lock);
}

bool lockout_is_locked(struct lockout *lockout, const struct bulla_lockout_rule *rule, const struct lockout_user *user,
			       int64_t now_ns)
{
	if (rule->disabled || user->name.len > LOCKOUT_MAX_NAME)
		return false;
	pthread_mutex_lock(&lockout->lock);
	const struct entry *e = find(lockout, user);
	bool locked = e != NULL && is_locked(rule, e, now_ns);

	pthread_mutex_unlock(&lockout->lock);
	return locked;
}

bool lockout_fail(struct lockout *lockout, const struct bulla_lockout_rule *rule, const struct lockout_user *user, int64_t now_ns)
{
	bool locked = false;

	if (rule->disabled || user->name.len > LOCKOUT_MAX_NAME)
		return false;
	pthread_mutex_lock(&lockout->lock);
	struct entry *e = find(lockout, user);

	if (e == NULL)
		e = add(lockout, user);
	if (e != NULL) {
		if (now_ns - e->last_ns > rule->reset_s * NS_PER_S)
			e->failures = 0;
		e->failures++;
		e->rule = *rule;
		e->last_ns = now_ns;
		unlink_age(lockout, e);
		link_newest(lockout, e);
		locked = is_locked(rule, e, now_ns);
	}
	pthread_mutex_unlock(&lockout->lock);
	return locked;
}

void lockout_forget(struct lockout *lockout, const struct lockout_user *user)
{
	pthread_mutex_lock(&lockout->lock);
	struct entry *e = find(lockout, user);

	if (e != NULL)
		drop(lockout, e);
	pthread_mutex_unlock(&lockout->lock);
}

static enum bulla_err list_locked(struct lockout *lockout, struct bulla_call *call, struct bulla_bytes mount, int64_t now_ns,
				  struct bulla_locked_user *list, size_t *count)
{
	size_t n = 0;

	for (const struct entry *e = lockout->oldest; e != NULL; e = e->newer) {
		if (!is_locked(&e->rule, e, now_ns))
			continue;
		if (mount.len > 0 && !bulla_equal(mount, bulla_mem(e->text, e->mount_len)))
			continue;
		list[n].mount_accessor = bulla_arena_copy(call->arena, bulla_mem(e->text, e->mount_len));
		list[n].name = bulla_arena_copy(call->arena, bulla_mem(e->text + e->mount_len, e->name_len));
		if (list[n].mount_accessor.ptr == NULL || list[n].name.ptr == NULL)
			return BULLA_E_NO_MEMORY;
		n++;
	}
	*count = n;
	return BULLA_OK;
}

enum bulla_err lockout_list(struct lockout *lockout, struct bulla_call *call, struct bulla_bytes mount, int64_t now_ns,
			    struct bulla_locked_user **out, size_t *count)
{
	enum bulla_err err = BULLA_E_NO_MEMORY;

	pthread_mutex_lock(&lockout->lock);
	struct bulla_locked_user *list = bulla_arena_alloc(call->arena, lockout->count * sizeof *list);

	if (list != NULL)
		err = list_locked(lockout, call, mount, now_ns, list, count);
	pthread_mutex_unlock(&lockout->lock);
	*out = list;
	return err;
}
