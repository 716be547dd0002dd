/* jwt_sets.c: owns the key sets that were fetched: one a mount, in memory only, and the fetches. A set is fetched by a thread of its own, one
 * fetch at a time, so that nobody waits for it but who has no other way: a login whose kid is not in the set. The keys of before serve
 * meanwhile. Workers, and those threads. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "auth/jwt_sets.h"
#include "bulla/clock.h"

#define MAX_SETS 64         /* mounts whose sets are kept; others fetch at each login */
#define MAX_FLIGHTS 16      /* fetches at a time */
#define AGAIN_S 10          /* from the end of a fetch to the next: unknown kids do not make us a nuisance to the issuer ... */
#define AGAIN_MOST_S 300    /* ... and longer, twice as long each time, while it fails, up to this */
#define RENEW_S 1800        /* a key that was withdrawn works no longer than about this, if the issuer can be asked ... */
#define KEPT_S 86400        /* ... and not longer than this if it cannot */
#define LOOK_NS 100000000   /* how often who waits looks whether he is waited for */
#define PATIENCE_LOOKS 100  /* a fetch ends long before: it has a time limit */
#define ARENA_BYTES 65536
#define STACK_BYTES (1u << 20)
#define WHY_BYTES 512

/* Of the process alone: a set that was fetched dies with it. */
static int64_t now_s(void)
{
	return bulla_elapsed_ns() / INT64_C(1000000000);
}

struct jwt_kept {
	atomic_uint refs;
	struct jwt_keys keys;
};

/* All but uuid and the settings under sets->lock. */
struct jwt_set {
	uint8_t uuid[16];
	struct jwt_sets *sets;
	pthread_cond_t landed;
	unsigned users;
	bool gone;            /* forgotten: freed by its last user */
	bool flying;
	uint64_t flights;     /* that have ended */
	unsigned failures;    /* of them, without a success since */
	int64_t fetched_s, ended_s, used_s; /* by now_s; 0: never */
	struct jwt_kept *kept;
	char why[WHY_BYTES];  /* the last one failed */
	/* of the mount's configuration: what it is fetched by. In an arena of its own; changed by none but who made it */
	struct bulla_arena *arena;
	struct bulla_jwt_config settings;
};

struct jwt_sets {
	pthread_mutex_t lock;
	pthread_cond_t none_flies;
	unsigned flights;
	struct flight *landed; /* whose threads are past the lock, and to be joined */
	size_t count;
	struct jwt_set *sets[MAX_SETS];
};

/* A fetch and its thread. */
struct flight {
	struct auth *auth;
	struct jwt_set *set;
	pthread_t thread;
	struct flight *next; /* of the landed */
};

enum bulla_err jwt_sets_new(struct jwt_sets **out)
{
	struct jwt_sets *sets = calloc(1, sizeof *sets);

	if (sets == NULL)
		return BULLA_E_NO_MEMORY;
	pthread_mutex_init(&sets->lock, NULL);
	pthread_cond_init(&sets->none_flies, NULL);
	*out = sets;
	return BULLA_OK;
}

/* ---- the keys ------------------------------------------------------------------------------------------------------------------- */

void jwt_kept_put(struct jwt_kept **kept)
{
	if (*kept != NULL && atomic_fetch_sub(&(*kept)->refs, 1) == 1) {
		jwt_keys_clear(&(*kept)->keys);
		free(*kept);
	}
	*kept = NULL;
}

const struct jwt_keys *jwt_kept_keys(const struct jwt_kept *kept)
{
	return &kept->keys;
}

struct jwt_kept *jwt_set_keys(struct jwt_set *set)
{
	struct jwt_kept *kept = NULL;
	int64_t now = now_s();

	pthread_mutex_lock(&set->sets->lock);
	set->used_s = now;
	if (set->kept != NULL && now - set->fetched_s < KEPT_S) {
		kept = set->kept;
		atomic_fetch_add(&kept->refs, 1);
	}
	pthread_mutex_unlock(&set->sets->lock);
	return kept;
}

/* ---- sets ----------------------------------------------------------------------------------------------------------------------- */

static void set_free(struct jwt_set *set)
{
	jwt_kept_put(&set->kept);
	bulla_arena_free(set->arena);
	pthread_cond_destroy(&set->landed);
	free(set);
}

/* With sets->lock. */
static void put_held(struct jwt_set *set)
{
	if (--set->users == 0 && set->gone)
		set_free(set);
}

/* With sets->lock. */
static void remove_at(struct jwt_sets *sets, size_t i)
{
	struct jwt_set *set = sets->sets[i];

	sets->sets[i] = sets->sets[--sets->count];
	set->gone = true;
	set->users++;
	put_held(set);
}

void jwt_sets_forget(struct jwt_sets *sets, const uint8_t *uuid)
{
	pthread_mutex_lock(&sets->lock);
	for (size_t i = sets->count; i-- > 0;)
		if (uuid == NULL || memcmp(sets->sets[i]->uuid, uuid, 16) == 0)
			remove_at(sets, i);
	pthread_mutex_unlock(&sets->lock);
}

/* With the lock. A thread that nobody joined could still be in OpenSSL's destructors when the process ends. */
static void join_landed(struct jwt_sets *sets)
{
	for (struct flight *flight = sets->landed, *next; flight != NULL; flight = next) {
		next = flight->next;
		(void)pthread_join(flight->thread, NULL);
		free(flight);
	}
	sets->landed = NULL;
}

void jwt_sets_free(struct jwt_sets *sets)
{
	if (sets == NULL)
		return;
	jwt_sets_forget(sets, NULL);
	pthread_mutex_lock(&sets->lock);
	while (sets->flights > 0)
		pthread_cond_wait(&sets->none_flies, &sets->lock);
	join_landed(sets);
	pthread_mutex_unlock(&sets->lock);
	pthread_cond_destroy(&sets->none_flies);
	pthread_mutex_destroy(&sets->lock);
	free(sets);
}

static bool copy(struct bulla_arena *arena, struct bulla_bytes from, struct bulla_bytes *to)
{
	*to = from.len > 0 ? bulla_arena_copy(arena, from) : (struct bulla_bytes){ 0 };
	return from.len == 0 || to->ptr != NULL;
}

static struct jwt_set *set_new(struct jwt_sets *sets, const uint8_t uuid[16], const struct bulla_jwt_config *config)
{
	struct jwt_set *set = calloc(1, sizeof *set);

	if (set == NULL)
		return NULL;
	memcpy(set->uuid, uuid, sizeof set->uuid);
	set->sets = sets;
	pthread_cond_init(&set->landed, NULL);
	set->arena = bulla_arena_new(4096);
	if (set->arena != NULL && copy(set->arena, config->jwks_url, &set->settings.jwks_url) &&
	    copy(set->arena, config->jwks_ca_pem, &set->settings.jwks_ca_pem) &&
	    copy(set->arena, config->oidc_discovery_url, &set->settings.oidc_discovery_url) &&
	    copy(set->arena, config->oidc_discovery_ca_pem, &set->settings.oidc_discovery_ca_pem))
		return set;
	set_free(set);
	return NULL;
}

static bool is_fetched_by(const struct jwt_set *set, const struct bulla_jwt_config *config)
{
	const struct bulla_jwt_config *own = &set->settings;

	return bulla_equal(own->jwks_url, config->jwks_url) && bulla_equal(own->jwks_ca_pem, config->jwks_ca_pem) &&
	       bulla_equal(own->oidc_discovery_url, config->oidc_discovery_url) &&
	       bulla_equal(own->oidc_discovery_ca_pem, config->oidc_discovery_ca_pem);
}

/* With sets->lock. The one in the list is of the settings that were used last. */
static struct jwt_set *find_or_make(struct jwt_sets *sets, const uint8_t uuid[16], const struct bulla_jwt_config *config)
{
	size_t i = 0;

	while (i < sets->count && memcmp(sets->sets[i]->uuid, uuid, 16) != 0)
		i++;
	if (i < sets->count && is_fetched_by(sets->sets[i], config))
		return sets->sets[i];
	struct jwt_set *set = set_new(sets, uuid, config);

	if (set == NULL)
		return NULL;
	if (i < sets->count)
		remove_at(sets, i);
	set->gone = sets->count == MAX_SETS; /* there is no room to keep it */
	if (!set->gone)
		sets->sets[sets->count++] = set;
	return set;
}

enum bulla_err jwt_set_take(struct jwt_sets *sets, const uint8_t uuid[16], const struct bulla_jwt_config *config, struct jwt_set **out)
{
	pthread_mutex_lock(&sets->lock);
	struct jwt_set *set = find_or_make(sets, uuid, config);

	if (set != NULL)
		set->users++;
	pthread_mutex_unlock(&sets->lock);
	if (set == NULL)
		return BULLA_E_NO_MEMORY;
	*out = set;
	return BULLA_OK;
}

void jwt_set_put(struct jwt_set **set)
{
	struct jwt_sets *sets = *set != NULL ? (*set)->sets : NULL;

	if (sets == NULL)
		return;
	pthread_mutex_lock(&sets->lock);
	put_held(*set);
	pthread_mutex_unlock(&sets->lock);
	*set = NULL;
}

/* ---- fetching ------------------------------------------------------------------------------------------------------------------- */

/* With sets->lock. */
static void land(struct jwt_set *set, enum bulla_err err, struct jwt_kept *kept, struct bulla_bytes why)
{
	struct jwt_sets *sets = set->sets;

	set->flying = false;
	set->flights++;
	set->ended_s = now_s();
	set->failures = err == BULLA_OK ? 0 : set->failures + 1;
	set->why[0] = 0;
	if (err == BULLA_OK) {
		jwt_kept_put(&set->kept);
		set->kept = kept;
		set->fetched_s = set->ended_s;
	} else {
		size_t n = why.len < WHY_BYTES - 1 ? why.len : WHY_BYTES - 1;

		memcpy(set->why, why.ptr, n);
		set->why[n] = 0;
	}
	pthread_cond_broadcast(&set->landed);
	put_held(set);
	if (--sets->flights == 0)
		pthread_cond_broadcast(&sets->none_flies);
}

static void *fly(void *context)
{
	struct flight *flight = context;
	struct bulla_call call = { .arena = bulla_arena_new(ARENA_BYTES), .may_block = true };
	struct jwt_kept *kept = calloc(1, sizeof *kept);
	struct jwt_sets *sets = flight->set->sets;
	enum bulla_err err = call.arena == NULL || kept == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;

	if (err == BULLA_OK)
		err = jwt_source_fetch(flight->auth, &call, &flight->set->settings, &kept->keys);
	if (err == BULLA_OK) {
		kept->refs = 1;
	} else {
		free(kept);
		kept = NULL;
	}
	pthread_mutex_lock(&sets->lock);
	land(flight->set, err, kept, bulla_call_text(&call, err));
	flight->next = sets->landed;
	sets->landed = flight;
	pthread_mutex_unlock(&sets->lock);
	bulla_arena_free(call.arena);
	return NULL;
}

static bool start_thread(struct flight *flight)
{
	pthread_attr_t attr;
	sigset_t all, before;

	if (pthread_attr_init(&attr) != 0)
		return false;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
#endif
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	bool started = pthread_create(&flight->thread, &attr, fly, flight) == 0;

	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return started;
}

/* With sets->lock. */
static bool take_off(struct auth *auth, struct jwt_set *set)
{
	struct jwt_sets *sets = set->sets;
	struct flight *flight = sets->flights < MAX_FLIGHTS ? malloc(sizeof *flight) : NULL;

	join_landed(sets);
	if (flight == NULL)
		return false;
	*flight = (struct flight){ .auth = auth, .set = set };
	sets->flights++;
	set->users++;
	set->flying = true;
	if (start_thread(flight))
		return true;
	free(flight);
	sets->flights--;
	set->users--;
	set->flying = false;
	return false;
}

/* With sets->lock: how long after the end of a fetch the next may begin. */
static int64_t pause_s(const struct jwt_set *set)
{
	int64_t s = AGAIN_S;

	for (unsigned i = 1; i < set->failures && s < AGAIN_MOST_S; i++)
		s *= 2;
	return s < AGAIN_MOST_S ? s : AGAIN_MOST_S;
}

static bool may_fly(const struct jwt_set *set)
{
	return set->flights == 0 || now_s() - set->ended_s >= pause_s(set);
}

enum jwt_fetching jwt_set_fetch(struct auth *auth, struct jwt_set *set, uint64_t *number)
{
	enum jwt_fetching state = JWT_FETCHING;

	pthread_mutex_lock(&set->sets->lock);
	if (!set->flying && !may_fly(set))
		state = JWT_FETCHED_LATELY;
	else if (!set->flying && !take_off(auth, set))
		state = JWT_FETCHES_TOO_MANY;
	*number = set->flights;
	pthread_mutex_unlock(&set->sets->lock);
	return state;
}

void jwt_set_renew(struct auth *auth, struct jwt_set *set)
{
	pthread_mutex_lock(&set->sets->lock);
	if (!set->flying && set->fetched_s != 0 && now_s() - set->fetched_s >= RENEW_S && may_fly(set))
		(void)take_off(auth, set); /* else the next login, or tick, tries it */
	pthread_mutex_unlock(&set->sets->lock);
}

void jwt_sets_tick(struct auth *auth)
{
	struct jwt_sets *sets = auth->jwt_sets;
	int64_t now = now_s();

	pthread_mutex_lock(&sets->lock);
	join_landed(sets);
	for (size_t i = 0; i < sets->count; i++) {
		struct jwt_set *set = sets->sets[i];
		bool due = set->fetched_s != 0 && now - set->fetched_s >= RENEW_S && now - set->used_s < KEPT_S;

		if (due && !set->flying && may_fly(set))
			(void)take_off(auth, set);
	}
	pthread_mutex_unlock(&sets->lock);
}

/* A step of waiting. True: it has ended. */
static bool look(struct jwt_set *set, uint64_t number)
{
	const struct timespec until = bulla_until(LOOK_NS);

	pthread_mutex_lock(&set->sets->lock);
	if (set->flights == number)
		(void)pthread_cond_clockwait(&set->landed, &set->sets->lock, CLOCK_MONOTONIC, &until);
	bool ended = set->flights != number;

	pthread_mutex_unlock(&set->sets->lock);
	return ended;
}

enum bulla_err jwt_set_wait(struct bulla_call *call, struct jwt_set *set, uint64_t number)
{
	uint64_t key;
	bool ended = false;

	memcpy(&key, set->uuid, sizeof key);
	TRY(bulla_work_remote(call, key));
	for (int i = 0; !ended && i < PATIENCE_LOOKS; i++) {
		TRY(bulla_yield(call));
		ended = look(set, number);
	}
	return ended ? BULLA_OK : BULLA_E_BUSY;
}

bool jwt_set_failed(struct bulla_call *call, struct jwt_set *set, struct bulla_bytes *why)
{
	pthread_mutex_lock(&set->sets->lock);
	bool failed = set->failures > 0;

	*why = failed ? bulla_arena_copy(call->arena, bulla_str(set->why)) : (struct bulla_bytes){ 0 };
	pthread_mutex_unlock(&set->sets->lock);
	return failed;
}
