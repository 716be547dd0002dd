/* internal.h: what the files of the keyring share. Nobody else includes it, except the keyring's own tests.
 *
 * Who may touch what: a published struct key is const but for what the cache keeps in its snapshot. Whoever changes or loads a key holds the seal (seal_hold) and the key's stripe; locks are taken in this order:
 * seal, stripe, index, cache. No read section is open while one of them is waited for. */
#ifndef BULLA_KEYRING_INTERNAL_H
#define BULLA_KEYRING_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "crypto/crypto.h"
#include "keyring/keyring.h"
#include "mount/mounts.h"
#include "state/due.h"
#include "state/snapshots.h"
#include "store/store.h"

#define MOUNT_UUID 16
#define DATA_KEY_BYTES 32
#define KEY_LAST_VERSION (UINT32_MAX - 1)

/* ---- versions.c: the versions of a key, a persistent tree ------------------ */

/* How many messages a version has encrypted, of those types where that matters (count.c). used is added to by every encryption,
 * on all cores: the gap keeps it off the cache line of what they only read. */
struct count {
	char gap[64];
	_Atomic(uint64_t) used;  /* never below what was encrypted; begins at reserved when a key is loaded */
	_Atomic(uint64_t) limit; /* encryption stops there until more is reserved */
	atomic_bool high;        /* the number to warn from is reached */
	uint64_t reserved;       /* this and what follows: by the key's stripe. Durable: what limit may rise to */
	uint64_t block;          /* how much was reserved last */
	uint64_t revision;       /* of the stored record; 0: there is none, and COUNT_FIRST counts as reserved */
};

/* A version and its owner's bookkeeping. The secrets are one cell: the HMAC key, then the key. */
struct version {
	struct key_version pub;
	atomic_uint refs;
	uint8_t *cell;
	size_t cell_bytes;
	uint8_t *chain; /* pub.chain's bytes, or NULL */
	struct count count;
	/* of asymmetric types, once somebody asked for them: published by compare-and-set, freed with the version */
	_Atomic(struct pkey *) opened;
	_Atomic(struct public_key *) public;
};

/* One with room for key_len bytes, all zero, one reference; to be filled through cell before it is shared.
 * key_len 0: a damaged version, without secrets. NULL: no memory. */
struct version *version_new(uint32_t number, int64_t created_date_ns, uint32_t convergent_version, size_t key_len);
void version_put(struct version *version); /* NULL is fine */
/* Copies the certificates of a version that is not shared yet. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err version_set_chain(struct version *version, struct bulla_bytes chain);

struct branch;
/* height 0: empty; else versions 1 to 64^height fit in. */
struct version_tree {
	struct branch *root;
	unsigned height;
};

struct version *versions_get(const struct version_tree *tree, uint32_t number);
/* *out: the tree with version (whose reference it takes over on success), sharing all other branches with tree.
 * NO_MEMORY. */
enum bulla_err versions_with(const struct version_tree *tree, struct version *version, struct version_tree *out);
/* *out: the tree without the versions below min. NO_MEMORY. */
enum bulla_err versions_from(const struct version_tree *tree, uint32_t min, struct version_tree *out);
struct version_tree versions_share(const struct version_tree *tree);
void versions_put(struct version_tree *tree);
/* Branches made so far in this process: the copying that changes cost, for tests. */
uint64_t versions_branches_made(void);

/* ---- snapshot.c ------------------------------------------------------------ */

enum key_flag {
	KEY_DERIVED = 1 << 0, KEY_CONVERGENT = 1 << 1, KEY_EXPORTABLE = 1 << 2, KEY_BACKUP = 1 << 3,
	KEY_DELETABLE = 1 << 4, KEY_IMPORTED = 1 << 5, KEY_SOFT_DELETED = 1 << 6,
	KEY_ROTATABLE = 1 << 7, /* imported, and may yet be rotated */
	KEY_COUNTER_KDF = 1 << 8, /* derived by the peer's older function, as it has it for imported keys */
	KEY_ALL_FLAGS = (1 << 9) - 1,
};

/* What a head record says beside the data key and the name. */
struct key_head {
	const struct alg *alg;
	unsigned flags; /* enum key_flag */
	uint32_t latest, min_decryption, min_encryption, min_available;
	int32_t convergent_version;
	int64_t auto_rotate_s;
	int64_t due_s; /* since 1970: the time under which the key is filed to be rotated (schedule.c); 0: it is not */
	struct bulla_key_mark backup, restore; /* the last ones */
};

struct key {
	struct snapshot snapshot; /* its id is the head record's */
	struct key_head head;
	struct version_tree versions;
	const struct version *newest; /* borrowed from versions: the one that encryption asks for */
	uint64_t revision;            /* of the head record */
	bool shared;                  /* other nodes may have made newer versions */
	uint8_t *data_key;            /* a cell of its own */
	uint8_t mount[MOUNT_UUID];
	size_t name_len;
	uint8_t name[];
};

/* How a key is found. Borrows the uuid and the name. */
struct key_id {
	uint64_t hash;
	const uint8_t *mount;
	struct bulla_bytes name;
};

/* Without versions, with a data key of zeros; one reference. NULL: no memory. */
struct key *key_new(const struct key_id *id, const struct key_head *head);
/* The same key, of no revision yet, sharing all versions, to be altered and published. NULL: no memory. */
struct key *key_next(const struct key *key);
/* Takes over the version's reference, also on failure. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err key_add(struct key *key, struct version *version);
BULLA_MUST_USE enum bulla_err key_drop_below(struct key *key, uint32_t min);
/* Bytes of the newest version's material, for types where that was chosen; 0 for others. */
size_t key_size(const struct key *key);
/* Lowest version that exists. */
uint32_t key_first(const struct key *key);
struct key *key_hold(struct key *key);
void key_put(struct key *key); /* NULL is fine. The last one wipes. */
/* Bytes that the cache counts for it, and how many of them are secret memory: estimates, from numbers that are at hand. What
 * snapshots share is counted for each. */
size_t key_charge(const struct key *key);
size_t key_locked_charge(const struct key *key);
/* info.c. Allocates in the call's arena. context: of derived signing keys, for their public keys; may be empty.
 * MUST_BLOCK: many keys have to be opened. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err info_prepare(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
					   struct bulla_bytes name); /* on a worker: opens what key_info will tell of a key, a few at a time,
									so that others may go by; outside of read sections. No such key: OK. CANCELLED,
									BUSY, errors of keyring_begin */
BULLA_MUST_USE enum bulla_err key_info(const struct key *key, struct bulla_call *call, struct bulla_bytes context,
				       struct bulla_key_info *out);

/* ---- pkeys.c ---------------------------------------------------------------- */

/* What may be told of an asymmetric key: SubjectPublicKeyInfo in DER. */
struct public_key {
	size_t len;
	uint8_t der[];
};
/* Good as long as the version. NO_MEMORY, CRYPTO, STORE_DAMAGED: the material is none. */
BULLA_MUST_USE enum bulla_err version_public(const struct key *key, const struct key_version *version, struct bulla_bytes *der);
/* Whether that is known already and costs nothing. */
bool version_public_known(const struct key_version *version);
/* Frees what was cached. */
void version_close(struct version *version);

/* ---- record.c: docs/FORMATS.md, "Named keys" -------------------------------- */

/* Encoded records hold secrets: they lie in secret memory. */
struct secret_bytes {
	uint8_t *ptr;
	size_t len, size;
};
void secret_bytes_clear(struct secret_bytes *bytes);

/* NO_MEMORY. */
BULLA_MUST_USE enum bulla_err record_encode_head(const struct key *key, struct secret_bytes *out);
BULLA_MUST_USE enum bulla_err record_encode_version(const struct version *version, struct secret_bytes *out);

/* Whether the numbers and flags are in order, as a record's must be. */
bool record_head_makes_sense(const struct key_head *head);
/* Strict: every byte is accounted for. name and data_key are borrowed from record. STORE_DAMAGED. */
BULLA_MUST_USE enum bulla_err record_decode_head(struct bulla_bytes record, struct key_head *head, struct bulla_bytes *name,
						 const uint8_t **data_key);
/* *out with one reference. STORE_DAMAGED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err record_decode_version(struct bulla_bytes record, const struct key_head *head,
						    struct version **out);

/* Slots of the records of a key, of all heads of a mount (collection only). SEALED. */
BULLA_MUST_USE enum bulla_err record_head_slot(struct seal *seal, const uint8_t *mount, struct bulla_bytes name,
					       struct store_id *out);
/* Of the count of a version, and of all counts of a key (collection only). */
BULLA_MUST_USE enum bulla_err record_count_slot(struct seal *seal, const uint8_t *mount, struct bulla_bytes name, uint32_t version,
						struct store_id *out);
BULLA_MUST_USE enum bulla_err record_version_slot(struct seal *seal, const uint8_t *mount, struct bulla_bytes name,
						  uint32_t version, struct store_id *out);

/* ---- keyring.c, cache.c ------------------------------------------------------ */

#define STRIPES 256

struct mount_mark {
	struct mount_mark *next;
	uint8_t mount[MOUNT_UUID];
};

struct name_index;

/* What the engine is to hear of, and to tell the log: texts, the oldest first. Any thread. */
#define NOTICES 32
#define NOTICE_BYTES 320
struct notices {
	pthread_mutex_t lock;
	size_t count, dropped;
	char texts[NOTICES][NOTICE_BYTES];
};

#define KEYS_MADE 64 /* more of them at once: the index is built anew */

struct keyring {
	struct store *store;
	struct seal *seal;
	uint8_t hash_key[16];
	struct snapshots cache;
	pthread_mutex_t stripes[STRIPES]; /* by hash: one writer or loader a key */
	pthread_mutex_t lists_lock;       /* the two lists below, shortly */
	struct name_index *indexes;
	struct store_id made[KEYS_MADE];  /* heads that other nodes have made and no index has yet; of who follows (list.c) */
	size_t made_count;
	struct mount_mark *destroyed;     /* mounts that are gone: nothing may be written for them any more */
	_Atomic(uint64_t) count_warn, count_max; /* messages of one version: where warnings begin, and where it ends */
	struct notices notices;
	struct due schedule;              /* of keys that are to be rotated (schedule.c) */
};

/* NOT_FOUND: no key can have that name. */
BULLA_MUST_USE enum bulla_err keyring_id(const struct keyring *keyring, const uint8_t *mount, struct bulla_bytes name,
					 struct key_id *out);
/* Within a read section. NULL: not in the cache. */
struct key *keyring_find(const struct keyring *keyring, const struct key_id *id);
/* With a reference; no read section. NULL: not in the cache. */
struct key *keyring_hold_cached(const struct keyring *keyring, const struct key_id *id);
pthread_mutex_t *keyring_stripe(struct keyring *keyring, const struct key_id *id);
bool keyring_is_destroyed(struct keyring *keyring, const uint8_t *mount);

/* snapshots_publish. */
void cache_publish(struct keyring *keyring, struct key *key, const struct key_id *id);
/* Takes out every key of mount (NULL: every key), and waits until no reader has one and the secrets are wiped. */
void cache_forget(struct keyring *keyring, const uint8_t *mount);
/* Gives locked memory back: evicts half of the cache and waits until it is free. */
void cache_shrink(struct keyring *keyring);

/* ---- load.c -------------------------------------------------------------------- */

/* Loads a key into the cache unless it is there. MUST_BLOCK, SEALED, NOT_FOUND, STORE_DAMAGED naming it. */
BULLA_MUST_USE enum bulla_err load_into_cache(struct keyring *keyring, struct bulla_call *call, const struct key_id *id);
/* The same with a reference for the caller, who holds the seal and the stripe. */
BULLA_MUST_USE enum bulla_err load_current(struct keyring *keyring, struct bulla_call *call, const struct key_id *id,
					   struct key **out);

/* ---- change.c -------------------------------------------------------------------- */

/* One change of one key, made under the seal's and the stripe's locks. */
struct change {
	struct keyring *keyring;
	struct bulla_call *call;
	const struct key_id *id;
	struct key *old;  /* borrowed; NULL: there is no such key */
	struct key *next; /* to be made by the step, and then published; NULL: nothing changes */
	bool destroy;     /* the key goes altogether */
	int64_t postpone_s; /* not 0: the key is due then, whatever its period says */
	bool wipes;       /* secrets are destroyed: scrub and wait for readers before answering */
	struct store_write *writes;
	size_t count, size;
};

/* Looks at change->old and either fails, or leaves all as it is, or sets next (or destroy) and adds the writes.
 * It runs again when another writer was faster. */
typedef enum bulla_err change_step(struct change *change, void *context);

/* Runs step, commits, publishes; *out (may be NULL) describes the key as it is then; its name is empty when there is none.
 * MUST_BLOCK, SEALED, errors of the step, the store's. */
BULLA_MUST_USE enum bulla_err change_run(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
					 struct bulla_bytes name, change_step *step, void *context, struct bulla_key_info *out);

/* For steps: the writes of the head (of change->next, which has its versions by then), of one version of it, and of taking versions out of the store. */
BULLA_MUST_USE enum bulla_err change_write_head(struct change *change);
BULLA_MUST_USE enum bulla_err change_write_version(struct change *change, const struct version *version);
BULLA_MUST_USE enum bulla_err change_delete_versions(struct change *change, uint32_t first, uint32_t end);
BULLA_MUST_USE enum bulla_err change_delete_head(struct change *change);
/* Any other write. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err change_write(struct change *change, struct store_write write);
/* A new version on change->next, which becomes the latest, and its write. material: what was made ahead, outside of the locks;
 * empty: it is made here, in key_size bytes where the type has a choice. */
BULLA_MUST_USE enum bulla_err change_new_version(struct change *change, struct bulla_bytes material, size_t key_size);
/* change->next gets another data key, and all of its versions are written anew, so that no older record of one fits. */
BULLA_MUST_USE enum bulla_err change_rewrite(struct change *change);

/* ---- install.c -------------------------------------------------------------------- */

/* A version of copies, one reference. INVALID: its lengths are not its type's; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err version_copy(struct bulla_call *call, const struct key_head *head, const struct key_version *from,
					   uint32_t number, struct version **out);

/* ---- count.c ---------------------------------------------------------------------- */

/* Messages that a version has for its beginning, without a record: so a key that is used little costs no write. */
#define COUNT_FIRST UINT64_C(4096)
#define COUNT_BLOCK_MAX (UINT64_C(1) << 20)
/* SP 800-38D, 8.3: no more than 2^32 invocations with random 96-bit nonces. */
#define COUNT_WARN (UINT64_C(1) << 31)
#define COUNT_MAX (UINT64_C(1) << 32)

/* Whether messages under keys of this type are counted. */
bool count_applies(const struct alg *alg);
/* Of a version that is being made: it may use its first block. */
void count_begin(struct keyring *keyring, struct version *version);
/* Of a key that is being loaded, whose versions are there: takes in the record of a count. *damaged is set where it does not open. BUSY,
 * STORE*, as barrier_open. */
BULLA_MUST_USE enum bulla_err count_read(struct keyring *keyring, struct bulla_call *call, const struct store_record *record, struct key *key,
					 bool *damaged);
/* All that there are have been read. damaged: those versions without one of their own count as used up. */
void count_read_all(struct keyring *keyring, struct key *key, bool damaged);

/* ---- notices.c -------------------------------------------------------------------- */

/* Cut when it is too long; the newest is dropped when there are too many. */
void notices_add(struct notices *notices, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* All of them become warnings of the call. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err notices_take(struct notices *notices, struct bulla_call *call);

/* ---- rotate.c --------------------------------------------------------------------- */

/* Whether a key is to be rotated after all, seen under its locks. */
typedef bool rotate_when(const struct key *key, const void *context);
/* when NULL: in any case. Errors as bulla_key_rotate. */
BULLA_MUST_USE enum bulla_err rotate_key(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
					 struct bulla_bytes name, rotate_when *when, const void *context,
					 struct bulla_key_info *out);

/* ---- schedule.c ------------------------------------------------------------------- */

/* Sets up keyring->schedule, of which due_end disposes. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err schedule_init(struct keyring *keyring);

/* For change.c: sets next->head.due_s and adds the writes that move the key from old's place in the schedule. Before the head is
 * encoded and after next has its versions. */
BULLA_MUST_USE enum bulla_err schedule_change(struct change *change);
/* Of the entry of a key that is due then; only the part for the minute is the collection. SEALED. */
BULLA_MUST_USE enum bulla_err schedule_slot(struct seal *seal, int64_t due_s, const uint8_t *mount, struct bulla_bytes name,
					    struct store_id *out);

/* ---- names.c, list.c ------------------------------------------------------------- */

/* Names in byte order, each once: blocks of pointers, so that neither a million names nor their order of arrival is slow. */
struct name_block;
struct name_set {
	struct name_block **blocks;
	size_t block_count, block_size;
	size_t count;
	size_t bytes; /* of all names together */
};
/* NO_MEMORY: the set is as it was. One that is there already is fine. */
BULLA_MUST_USE enum bulla_err names_add(struct name_set *set, struct bulla_bytes name);
void names_remove(struct name_set *set, struct bulla_bytes name);
void names_clear(struct name_set *set);
/* Where a walk begins: the first name behind after (empty: the very first). */
struct name_place {
	size_t block, index;
};
struct name_place names_after(const struct name_set *set, struct bulla_bytes after);
/* The name there, and steps on. false: there are no more. */
bool names_step(const struct name_set *set, struct name_place *place, struct bulla_bytes *name);

/* After the commit. A mount without an index needs none. */
void list_add(struct keyring *keyring, const uint8_t *mount, struct bulla_bytes name);
void list_remove(struct keyring *keyring, const uint8_t *mount, struct bulla_bytes name);
/* Another node has made or deleted the key with that head; id NULL: any. list_reload adds the names of those that were made, in a
 * second step, for it reads the store. By who follows. STORE*, SEALED, NO_MEMORY, BUSY: it is to be called again. */
void list_changed(struct keyring *keyring, const struct store_id *id, enum store_news news);
BULLA_MUST_USE enum bulla_err list_reload(struct keyring *keyring, struct bulla_call *call);
/* Drops the index of mount (NULL: of every mount). */
void list_forget(struct keyring *keyring, const uint8_t *mount);

#endif
