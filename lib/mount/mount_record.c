/* mount_record.c: a mount's record, and the immutable snapshot made from it. Every snapshot is made by reading a record, so
 * that what is in memory and what is stored cannot differ. Any thread. */
#include <stdlib.h>

#include "base/pack.h"
#include "mount/mount_private.h"

#define RECORD_FORMAT 1
#define RECORD_FORMAT_KEYS 2 /* with settings for all keys of the mount: only where there are some */
#define RECORD_FORMAT_AUTH 3 /* of auth methods: with the type of their tokens and their lockout */
#define UNSET UINT32_MAX /* the count of a list that was never set */

enum {
	FLAG_LOCAL = 1 << 0, FLAG_SEAL_WRAP = 1 << 1, FLAG_EXTERNAL_ENTROPY = 1 << 2, FLAG_NO_CACHE = 1 << 3,
	FLAG_OPTIONS_NULL = 1 << 4, FLAG_BUILTIN = 1 << 5, FLAG_DYING = 1 << 6, FLAGS_KNOWN = (1 << 7) - 1,
};

enum { LOCKOUT_GIVEN = 1 << 0, LOCKOUT_DISABLE = 1 << 1, LOCKOUT_KNOWN = (1 << 2) - 1 };

static const char *const kinds[] = {
	[BULLA_MOUNT_TRANSIT] = "transit", [BULLA_MOUNT_SYSTEM] = "system", [BULLA_MOUNT_TOKEN] = "token",
	[BULLA_MOUNT_CUBBYHOLE] = "cubbyhole", [BULLA_MOUNT_IDENTITY] = "identity",
	[BULLA_MOUNT_APPROLE] = "approle", [BULLA_MOUNT_USERPASS] = "userpass", [BULLA_MOUNT_CERT] = "cert", [BULLA_MOUNT_JWT] = "jwt",
};
#define KINDS (sizeof kinds / sizeof kinds[0])

const char *mount_kind_name(enum bulla_mount_kind kind)
{
	return (size_t)kind < KINDS ? kinds[kind] : NULL;
}

bool mount_kind_by_name(struct bulla_bytes name, enum bulla_mount_kind *out)
{
	for (size_t i = 0; i < KINDS; i++)
		if (bulla_is(name, kinds[i])) {
			*out = (enum bulla_mount_kind)i;
			return true;
		}
	return false;
}

bool mounts_kind_is_method(enum bulla_mount_kind kind)
{
	return kind == BULLA_MOUNT_APPROLE || kind == BULLA_MOUNT_USERPASS || kind == BULLA_MOUNT_CERT || kind == BULLA_MOUNT_JWT;
}

bool mounts_kind_is_engine(enum bulla_mount_kind kind)
{
	return kind == BULLA_MOUNT_TRANSIT;
}

static int by_bytes(const void *a, const void *b)
{
	return bulla_compare(*(const struct bulla_bytes *)a, *(const struct bulla_bytes *)b);
}

size_t bulla_mount_types(bool auth, struct bulla_bytes out[BULLA_MOUNT_TYPES])
{
	size_t count = 0;

	for (size_t i = 0; i < KINDS && count < BULLA_MOUNT_TYPES; i++)
		if (auth ? mounts_kind_is_method((enum bulla_mount_kind)i) : mounts_kind_is_engine((enum bulla_mount_kind)i))
			out[count++] = bulla_str(kinds[i]);
	qsort(out, count, sizeof *out, by_bytes);
	return count;
}

static void pack_optional(struct pack *pack, const struct bulla_bytes *items, int count)
{
	pack_u32(pack, count < 0 ? UNSET : (uint32_t)count);
	for (int i = 0; i < count; i++)
		pack_bytes(pack, items[i]);
}

static void pack_auth(struct pack *pack, const struct bulla_mount *m)
{
	pack_bytes(pack, m->token_type);
	pack_u8(pack, (uint8_t)((m->lockout.set != 0 ? LOCKOUT_GIVEN : 0) | (m->lockout.disable ? LOCKOUT_DISABLE : 0)));
	pack_i64(pack, m->lockout.threshold);
	pack_i64(pack, m->lockout.duration_s);
	pack_i64(pack, m->lockout.reset_s);
}

static uint8_t format_of(const struct bulla_mount *m)
{
	if (mounts_kind_is_method(m->kind))
		return RECORD_FORMAT_AUTH;
	return m->cache_size != 0 || m->disable_upsert ? RECORD_FORMAT_KEYS : RECORD_FORMAT;
}

enum bulla_err mount_pack(struct bulla_call *call, const struct bulla_mount *m, bool dying, struct bulla_bytes *out)
{
	struct pack pack = { .arena = call->arena };
	uint8_t format = format_of(m);

	pack_u8(&pack, format);
	pack_u8(&pack, (uint8_t)m->kind);
	pack_u8(&pack, (uint8_t)((m->local ? FLAG_LOCAL : 0) | (m->seal_wrap ? FLAG_SEAL_WRAP : 0) |
				 (m->external_entropy_access ? FLAG_EXTERNAL_ENTROPY : 0) |
				 (m->force_no_cache ? FLAG_NO_CACHE : 0) | (m->options_null ? FLAG_OPTIONS_NULL : 0) |
				 (m->builtin ? FLAG_BUILTIN : 0) | (dying ? FLAG_DYING : 0)));
	pack_raw(&pack, m->uuid, sizeof m->uuid);
	pack_bytes(&pack, m->path);
	pack_bytes(&pack, m->accessor);
	pack_bytes(&pack, m->description);
	pack_bytes(&pack, m->listing_visibility);
	pack_i64(&pack, m->default_lease_ttl_s);
	pack_i64(&pack, m->max_lease_ttl_s);
	pack_optional(&pack, m->audit_non_hmac_request_keys, m->audit_request_count);
	pack_optional(&pack, m->audit_non_hmac_response_keys, m->audit_response_count);
	pack_optional(&pack, m->passthrough_request_headers, m->passthrough_count);
	pack_optional(&pack, m->allowed_response_headers, m->allowed_count);
	pack_pairs(&pack, m->options, m->option_count);
	if (format == RECORD_FORMAT_KEYS) {
		pack_i64(&pack, m->cache_size);
		pack_u8(&pack, m->disable_upsert);
	}
	if (format == RECORD_FORMAT_AUTH)
		pack_auth(&pack, m);
	return pack_finish(&pack, out);
}

/* Where the arrays of a snapshot come from: one block, as large as the record's elements can need. */
struct lists {
	struct bulla_bytes *next;
	size_t left;
};

static const struct bulla_bytes *unpack_optional(struct unpack *in, struct lists *lists, int *count)
{
	uint32_t n = unpack_u32(in);
	struct bulla_bytes *items = lists->next;

	*count = -1;
	if (n == UNSET)
		return NULL;
	if (n > in->left / 4 || n > lists->left)
		in->failed = true;
	if (in->failed)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		items[i] = unpack_bytes(in);
	lists->next += n;
	lists->left -= n;
	*count = (int)n;
	return items;
}

_Static_assert(sizeof(struct bulla_pair) == 2 * sizeof(struct bulla_bytes), "pairs are read as two byte strings");

static void unpack_options(struct unpack *in, struct lists *lists, struct bulla_mount *m)
{
	uint32_t n = unpack_count(in, 8);
	struct bulla_pair *pairs = (struct bulla_pair *)(void *)lists->next;

	if (n > lists->left / 2)
		in->failed = true;
	for (uint32_t i = 0; i < n && !in->failed; i++) {
		pairs[i].key = unpack_bytes(in);
		pairs[i].value = unpack_bytes(in);
	}
	m->options = pairs;
	m->option_count = in->failed ? 0 : n;
}

static void print_uuid(const uint8_t uuid[16], char out[37])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[uuid[i] >> 4];
		*out++ = digits[uuid[i] & 15];
	}
	*out = '\0';
}

static void unpack_auth(struct unpack *in, struct bulla_mount *m)
{
	m->token_type = unpack_bytes(in);
	uint8_t flags = unpack_u8(in);

	if ((flags & ~LOCKOUT_KNOWN) != 0)
		in->failed = true;
	m->lockout.set = flags & LOCKOUT_GIVEN ? BULLA_LOCKOUT_GIVEN : 0;
	m->lockout.disable = flags & LOCKOUT_DISABLE;
	m->lockout.threshold = unpack_i64(in);
	m->lockout.duration_s = unpack_i64(in);
	m->lockout.reset_s = unpack_i64(in);
}

static enum bulla_err unpack_public(struct mount *mount)
{
	struct unpack in = { .ptr = mount->record, .left = mount->record_len };
	struct lists lists = { mount->lists, mount->record_len / 4 };
	struct bulla_mount *m = &mount->public;
	uint8_t format = unpack_u8(&in), kind = unpack_u8(&in), flags = unpack_u8(&in);
	const uint8_t *uuid = unpack_raw(&in, sizeof m->uuid);

	if (format < RECORD_FORMAT || format > RECORD_FORMAT_AUTH || uuid == NULL || mount_kind_name(kind) == NULL ||
	    (flags & ~FLAGS_KNOWN) != 0 || (format == RECORD_FORMAT_AUTH) != mounts_kind_is_method(kind))
		return BULLA_E_STORE_DAMAGED;
	m->kind = kind;
	m->type = mount_kind_name(kind);
	m->local = flags & FLAG_LOCAL;
	m->seal_wrap = flags & FLAG_SEAL_WRAP;
	m->external_entropy_access = flags & FLAG_EXTERNAL_ENTROPY;
	m->force_no_cache = flags & FLAG_NO_CACHE;
	m->options_null = flags & FLAG_OPTIONS_NULL;
	m->builtin = flags & FLAG_BUILTIN;
	mount->dying = flags & FLAG_DYING;
	memcpy(m->uuid, uuid, sizeof m->uuid);
	print_uuid(m->uuid, m->uuid_text);
	m->path = unpack_bytes(&in);
	m->accessor = unpack_bytes(&in);
	m->description = unpack_bytes(&in);
	m->listing_visibility = unpack_bytes(&in);
	m->default_lease_ttl_s = unpack_i64(&in);
	m->max_lease_ttl_s = unpack_i64(&in);
	m->audit_non_hmac_request_keys = unpack_optional(&in, &lists, &m->audit_request_count);
	m->audit_non_hmac_response_keys = unpack_optional(&in, &lists, &m->audit_response_count);
	m->passthrough_request_headers = unpack_optional(&in, &lists, &m->passthrough_count);
	m->allowed_response_headers = unpack_optional(&in, &lists, &m->allowed_count);
	unpack_options(&in, &lists, m);
	if (format == RECORD_FORMAT_KEYS) {
		m->cache_size = unpack_i64(&in);
		m->disable_upsert = unpack_u8(&in) != 0;
	}
	if (format == RECORD_FORMAT_AUTH)
		unpack_auth(&in, m);
	if (m->token_type.len == 0)
		m->token_type = bulla_str("default-service");
	if (m->path.len == 0 || m->path.ptr[m->path.len - 1] != '/')
		return BULLA_E_STORE_DAMAGED;
	return unpack_finish(&in);
}

static struct mount_life *life_new(void)
{
	struct mount_life *life = calloc(1, sizeof *life);

	if (life == NULL)
		return NULL;
	pthread_mutex_init(&life->lock, NULL);
	pthread_cond_init(&life->gone, NULL);
	return life;
}

static void life_join(struct mount_life *life)
{
	atomic_fetch_add(&life->refs, 1);
	pthread_mutex_lock(&life->lock);
	life->snapshots++;
	pthread_mutex_unlock(&life->lock);
}

static void life_leave(struct mount_life *life)
{
	pthread_mutex_lock(&life->lock);
	life->snapshots--;
	pthread_cond_broadcast(&life->gone);
	pthread_mutex_unlock(&life->lock);
	life_put(life);
}

void life_put(struct mount_life *life)
{
	if (atomic_fetch_sub(&life->refs, 1) != 1)
		return;
	pthread_cond_destroy(&life->gone);
	pthread_mutex_destroy(&life->lock);
	free(life);
}

static void mount_free(struct mount *mount)
{
	if (mount->life != NULL)
		life_leave(mount->life);
	free(mount->record);
	free(mount->lists);
	free(mount);
}

void mount_put(struct mount *mount)
{
	if (atomic_fetch_sub(&mount->refs, 1) == 1)
		mount_free(mount);
}

enum bulla_err mount_unpack(struct bulla_bytes record, uint64_t revision, struct mount_life *life, struct mount **out)
{
	struct mount *mount = calloc(1, sizeof *mount);

	if (mount == NULL)
		return BULLA_E_NO_MEMORY;
	mount->refs = 1;
	mount->revision = revision;
	mount->record_len = record.len;
	mount->record = malloc(record.len + 1);
	mount->lists = calloc(record.len / 4 + 1, sizeof(struct bulla_bytes)); /* an element takes 4 bytes at least */
	mount->life = life != NULL ? life : life_new();
	if (mount->life != NULL)
		life_join(mount->life);
	if (mount->record == NULL || mount->lists == NULL || mount->life == NULL) {
		mount_free(mount);
		return BULLA_E_NO_MEMORY;
	}
	memcpy(mount->record, record.ptr, record.len);
	enum bulla_err err = unpack_public(mount);

	if (err != BULLA_OK) {
		mount_free(mount);
		return err;
	}
	*out = mount;
	return BULLA_OK;
}
