/* rcu.c: liburcu behind base/rcu.h; under ThreadSanitizer, which does not understand it, a rwlock instead. Any thread.
 *
 * Nothing here allocates once rcu_start has been called: liburcu ends the process when an allocation of its own fails. So its thread is
 * made at the start, its urcu_memb_barrier (which allocates) is not used, and its hash table (which does when it grows) neither:
 * base/rcu_table.c. */
#include "base/rcu.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#ifndef BULLA_TSAN

static pthread_key_t leave_key;
static pthread_once_t leave_once = PTHREAD_ONCE_INIT, start_once = PTHREAD_ONCE_INIT;
static __thread bool registered;
static bool started;

static void leave(void *unused)
{
	(void)unused;
	registered = false;
	urcu_memb_unregister_thread();
}

static void make_key(void)
{
	if (pthread_key_create(&leave_key, leave) != 0)
		abort();
}

static void join(void)
{
	pthread_once(&leave_once, make_key);
	urcu_memb_register_thread();
	registered = true;
	/* the key was made early in the process, so that its number is small, and no memory is needed here */
	if (pthread_setspecific(leave_key, &registered) != 0)
		abort(); /* the thread would end registered, and hang every writer */
}

/* Signals are for the thread that waits for them, not for liburcu's. */
static void start(void)
{
	sigset_t all, before;

	pthread_once(&leave_once, make_key);
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return;
	started = urcu_memb_get_default_call_rcu_data() != NULL;
	if (pthread_sigmask(SIG_SETMASK, &before, NULL) != 0)
		started = false;
}

bool rcu_start(void)
{
	pthread_once(&start_once, start);
	return started;
}

void rcu_read_begin(void)
{
	if (!registered)
		join();
	urcu_memb_read_lock();
}

void rcu_read_end(void)
{
	urcu_memb_read_unlock();
}

static void run_later(struct rcu_head *head)
{
	struct rcu_later *later = rcu_entry(head, struct rcu_later, store.head);

	later->fn(later);
}

void rcu_later(struct rcu_later *later, void (*fn)(struct rcu_later *))
{
	later->fn = fn;
	if (!registered)
		join();
	urcu_memb_call_rcu(&later->store.head, run_later);
}

void rcu_wait(void)
{
	urcu_memb_synchronize_rcu();
}

/* One lock for all who drain: it outlives them, and so may be let go after they were told. */
static pthread_mutex_t drain_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t drained = PTHREAD_COND_INITIALIZER;

struct drain {
	struct rcu_later later;
	bool done;
};

static void end_drain(struct rcu_later *later)
{
	pthread_mutex_lock(&drain_lock);
	rcu_entry(later, struct drain, later)->done = true;
	pthread_cond_broadcast(&drained);
	pthread_mutex_unlock(&drain_lock);
}

/* What is given to rcu_later is run by one thread, in order. */
void rcu_drain(void)
{
	struct drain drain = { .done = false };

	rcu_later(&drain.later, end_drain);
	pthread_mutex_lock(&drain_lock);
	while (!drain.done)
		pthread_cond_wait(&drained, &drain_lock);
	pthread_mutex_unlock(&drain_lock);
}

#else /* BULLA_TSAN */

static pthread_rwlock_t everything = PTHREAD_RWLOCK_INITIALIZER; /* glibc's default lets read locks nest */

bool rcu_start(void)
{
	return true;
}

void rcu_read_begin(void)
{
	pthread_rwlock_rdlock(&everything);
}

void rcu_read_end(void)
{
	pthread_rwlock_unlock(&everything);
}

void rcu_wait(void)
{
	pthread_rwlock_wrlock(&everything);
	pthread_rwlock_unlock(&everything);
}

void rcu_drain(void)
{
}

void rcu_later(struct rcu_later *later, void (*fn)(struct rcu_later *))
{
	later->fn = fn;
	rcu_wait();
	fn(later);
}

#endif
