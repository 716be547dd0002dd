/* memory.h: where secrets may live.
 *   secrets  key material: locked, guarded, wiped on free (slabs cut from sodium_malloc)
 *   arena    one call's memory: grows, never moves what it gave out, wiped whole at the end
 *   wipe     for anything else
 */
#ifndef BULLA_MEMORY_H
#define BULLA_MEMORY_H

#include <stdarg.h>

#include "bytes.h"
#include "error.h"

BULLA_DECLS_BEGIN

/* Overwrites n bytes with zeros; the compiler cannot drop it. NULL with 0 is fine. */
void bulla_wipe(void *p, size_t n);

/* ---- cleanup by attribute ------------------------------------------------ */
#define BULLA_CLEANUP(fn) __attribute__((cleanup(fn)))

/* ---- secrets: locked memory ---------------------------------------------- */

/* Call before any other function here; again, before the first secret, to demand what was not demanded. Sets up libsodium, forbids core dumps (RLIMIT_CORE 0, PR_SET_DUMPABLE 0).
 * With need_lock, memory that cannot be locked is an error at allocation; without, it is used unlocked.
 * NO_MEMORY: libsodium could not start or, with need_lock, a probe allocation could not be locked. Threads: call before they start. */
BULLA_MUST_USE enum bulla_err bulla_memory_init(bool need_lock);

/* n bytes (1 to 65536), zeroed, locked. NULL when there is no memory or it cannot be locked. Thread-safe. */
void *bulla_secret_alloc(size_t n) BULLA_MUST_USE;

/* Wipes and gives back; n is the size asked for. NULL is fine. Thread-safe. */
void bulla_secret_free(void *p, size_t n);

/* Bytes of locked memory held now, for a metric and tests. */
size_t bulla_secret_in_use(void);

/* Bytes that may be locked in all: SIZE_MAX when nothing limits it (RLIMIT_MEMLOCK, CAP_IPC_LOCK) or locking is not demanded.
 * Caches of secrets keep well below it, so that others find room. Settled by bulla_memory_init. */
size_t bulla_secret_limit(void);

/* ---- arena: the memory of one call --------------------------------------- */
struct bulla_arena;

/* A new arena, with a first block of about first_bytes. NULL: no memory. Not thread-safe: one call, one thread at a time. */
struct bulla_arena *bulla_arena_new(size_t first_bytes) BULLA_MUST_USE;

/* Wipes all that was handed out and frees it. NULL is fine. */
void bulla_arena_free(struct bulla_arena *arena);

/* Wipes all; keeps a block for the next call, of 128 KiB at most unless the first one was larger. */
void bulla_arena_reset(struct bulla_arena *arena);

/* n bytes, zeroed, aligned for any type; n may be 0 (a valid pointer). NULL: no memory. Lives until reset or free. */
void *bulla_arena_alloc(struct bulla_arena *arena, size_t n) BULLA_MUST_USE;

/* The same, not zeroed: for what is written whole at once. Whoever fails in the midst of it must not show it to anybody. */
void *bulla_arena_raw(struct bulla_arena *arena, size_t n) BULLA_MUST_USE;

/* A copy of the bytes with a NUL behind it that does not count. NULL ptr: no memory. */
struct bulla_bytes bulla_arena_copy(struct bulla_arena *arena, struct bulla_bytes bytes) BULLA_MUST_USE;

/* printf into the arena. NULL ptr: no memory. Never for secrets. */
struct bulla_bytes bulla_arena_printf(struct bulla_arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3))) BULLA_MUST_USE;
struct bulla_bytes bulla_arena_vprintf(struct bulla_arena *arena, const char *format, va_list args)
	__attribute__((format(printf, 2, 0))) BULLA_MUST_USE;

/* The text in double quotes as Go prints it with %q, which the peer's messages have: escapes for quotes, backslashes, what
 * cannot be shown (bulla_is_printable) and bytes that are not UTF-8. NULL ptr: no memory. */
struct bulla_bytes bulla_arena_quote(struct bulla_arena *arena, struct bulla_bytes text) BULLA_MUST_USE;
/* As Go prints a list with %q: ["a" "b"]. */
struct bulla_bytes bulla_arena_quote_list(struct bulla_arena *arena, const struct bulla_bytes *items, size_t count) BULLA_MUST_USE;

/* ---- when memory is short -------------------------------------------------- */

/* Libraries often tell a failed allocation as what they were to find out: "the signature is wrong". So those who allocate (arenas, secrets,
 * the allocators below, which OpenSSL and GnuTLS have) note here that one failed, and whoever is about to tell a caller that he is at
 * fault, or that something is not valid, looks. Of this thread, since it last forgot. */
void bulla_shortage_note(void);
void bulla_shortage_forget(void);
bool bulla_shortage(void);

/* ---- allocators for libraries that would leave secrets on the heap -------- */

/* malloc, realloc, free that wipe before they free: for GnuTLS, OpenSSL and jansson (set before their first use). */
void *bulla_wiping_malloc(size_t n);
void *bulla_wiping_realloc(void *p, size_t n);
void bulla_wiping_free(void *p);

BULLA_DECLS_END

#endif
