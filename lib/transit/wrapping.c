/* wrapping.c: owns the mount's wrapping key and the wrapping of keys that travel: RSA-OAEP around an ephemeral AES-256 key, AES-KWP
 * (RFC 5649) around the key (PKCS#11's CKM_RSA_AES_KEY_WRAP, as the peer has it). Workers. */
#define _GNU_SOURCE
#include "bulla/clock.h"
#include "bulla/encode.h"
#include "crypto/crypto.h"
#include "crypto/keywrap.h"
#include "crypto/pkey_read.h"
#include "crypto/x509.h"
#include "transit/import.h"

#include <pthread.h>

#define EPHEMERAL 32
#define WRAPPING_BYTES 512 /* of RSA-4096 */

/* ---- the key ---------------------------------------------------------------------------------------------------------------- */

/* Who makes the key of which mount: one at a time, and who comes meanwhile waits and finds it made. */
struct maker {
	const struct bulla_mount *mount;
	struct maker *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct maker *makers;

#define LOOK_NS 100000000 /* how often who waits looks whether he still has to */

/* With the lock. */
static bool is_made(const struct bulla_mount *mount)
{
	for (const struct maker *m = makers; m != NULL; m = m->next)
		if (memcmp(m->mount->uuid, mount->uuid, sizeof mount->uuid) == 0)
			return true;
	return false;
}

static bool begin_making(struct maker *own)
{
	pthread_mutex_lock(&lock);
	bool mine = !is_made(own->mount);

	if (mine) {
		own->next = makers;
		makers = own;
	}
	pthread_mutex_unlock(&lock);
	return mine;
}

static void end_making(const struct maker *own)
{
	struct maker **at = &makers;

	pthread_mutex_lock(&lock);
	while (*at != own)
		at = &(*at)->next;
	*at = own->next;
	pthread_cond_broadcast(&ended);
	pthread_mutex_unlock(&lock);
}

static enum bulla_err wait_for_maker(struct bulla_call *call, const struct bulla_mount *mount)
{
	uint64_t key;

	memcpy(&key, mount->uuid, sizeof key);
	TRY(bulla_work_remote(call, key));
	for (bool made = true; made;) {
		TRY(bulla_yield(call));
		const struct timespec until = bulla_until(LOOK_NS);

		pthread_mutex_lock(&lock);
		if (is_made(mount))
			(void)pthread_cond_clockwait(&ended, &lock, CLOCK_MONOTONIC, &until);
		made = is_made(mount);
		pthread_mutex_unlock(&lock);
	}
	return BULLA_OK;
}

static enum bulla_err make_wrapping_key(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount)
{
	struct maker own = { .mount = mount };
	bool exists = false;

	TRY(bulla_work(call, BULLA_WORK_CPU));
	if (!begin_making(&own))
		return wait_for_maker(call, mount);
	enum bulla_err err = bulla_key_exists(engine, call, mount, bulla_str(WRAPPING_KEY_NAME), &exists);

	if (err == BULLA_OK && !exists)
		err = keyring_make(engine, call, mount, bulla_str(WRAPPING_KEY_NAME), &alg_rsa_4096);
	end_making(&own);
	return err;
}

/* With a reference; the key is made if there is none. */
static enum bulla_err wrapping_pkey(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				    struct pkey **out)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	struct bulla_bytes name = bulla_str(WRAPPING_KEY_NAME);
	const struct key_version *version;
	enum bulla_err err;

	/* whoever it was that made it may have given up */
	while ((err = keyring_begin(engine->keyring, call, mount, name, &key)) == BULLA_E_NOT_FOUND)
		TRY(make_wrapping_key(engine, call, mount));
	TRY(err);
	TRY(key_version_use(key, key_latest(key), call, &version));
	return keyring_pkey(key, version, out);
}

enum bulla_err bulla_wrapping_key(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				  struct bulla_bytes *pem)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;
	BULLA_CLEANUP(material_clear) struct material public = { 0 };

	enum bulla_err err = wrapping_pkey(engine, call, mount, &pkey);

	if (err == BULLA_E_MUST_BLOCK)
		call->needs = BULLA_WORK_CPU; /* it may have to be made */
	TRY(err);
	TRY(pkey_encode(pkey, PKEY_PUBLIC, &public));
	return export_pem(call, "PUBLIC KEY", material_bytes(&public), pem);
}

/* The bounds of KWP at the peer. */
#define LEAST_BYTES 16
#define MOST_BYTES 8192

/* ---- wrapping ---------------------------------------------------------------------------------------------------------------- */

bool wrapping_hash(struct bulla_bytes name, enum digest *out)
{
	static const struct {
		const char *name;
		enum digest digest;
	} hashes[] = { { "SHA1", DIGEST_SHA1 }, { "SHA224", DIGEST_SHA2_224 }, { "SHA256", DIGEST_SHA2_256 },
		       { "SHA384", DIGEST_SHA2_384 }, { "SHA512", DIGEST_SHA2_512 } };

	for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++)
		if (bulla_is_nocase(name, hashes[i].name)) {
			*out = hashes[i].digest;
			return true;
		}
	return false;
}

static struct pkey_params oaep(enum digest hash)
{
	return (struct pkey_params){ .digest = hash, .padding = PKEY_OAEP };
}

enum bulla_err wrapping_seal(struct bulla_call *call, const struct pkey *pkey, enum digest hash, struct bulla_bytes material,
			     struct bulla_bytes *out)
{
	BULLA_CLEANUP(material_clear) struct material ephemeral = { 0 };
	size_t first = pkey_modulus_bytes(pkey), len = first + keywrap_len(material.len);
	uint8_t *sealed = bulla_arena_alloc(call->arena, len);
	struct pkey_params params = oaep(hash);

	if (sealed == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(material_random(EPHEMERAL, &ephemeral));
	enum bulla_err err = pkey_encrypt(pkey, &params, material_bytes(&ephemeral), sealed);

	if (err == BULLA_E_BAD_FIELD)
		return bulla_fail(call, BULLA_E_INVALID_500,
				  "failed to wrap target key for import: failed to encrypt ephemeral wrapping key with public key: "
				  "crypto/rsa: message too long for RSA key size");
	TRY(err);
	TRY(keywrap_wrap(material_bytes(&ephemeral), material, sealed + first));
	return export_base64(call, bulla_mem(sealed, len), out);
}

static enum bulla_err open_public(struct bulla_call *call, struct bulla_bytes pem, struct pkey **out)
{
	BULLA_CLEANUP(material_clear) struct material der = { 0 };
	char label[PEM_LABEL];
	struct pkey_fault fault;

	if (pem_read(pem, label, &der, NULL) != BULLA_OK || strcmp(label, "PUBLIC KEY") != 0)
		return bulla_fail(call, BULLA_E_INVALID, "failed to parse wrapping key: not a public key in PEM");
	enum bulla_err err = pkey_read_public(&alg_rsa_4096, material_bytes(&der), out, &fault);

	return err == BULLA_E_BAD_KEY_MATERIAL ? bulla_fail(call, BULLA_E_INVALID, "failed to parse wrapping key: %s", fault.text) : err;
}

enum bulla_err bulla_wrap_init(void)
{
	return crypto_init();
}

enum bulla_err bulla_wrap_for_import(struct bulla_call *call, struct bulla_bytes pem, struct bulla_bytes hash, struct bulla_bytes material,
				     struct bulla_bytes *out)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;
	enum digest digest;

	if (material.len < LEAST_BYTES || material.len > MOST_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "failure wrapping source key: kwp: key size to wrap too %s",
				  material.len < LEAST_BYTES ? "small" : "large");
	if (!wrapping_hash(hash, &digest))
		return bulla_fail(call, BULLA_E_INVALID, "unknown hash function: %.*s", (int)hash.len, (const char *)hash.ptr);
	TRY(open_public(call, pem, &pkey));
	return wrapping_seal(call, pkey, digest, material, out);
}

static enum bulla_err decode(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	uint8_t *bytes = bulla_arena_alloc(call->arena, BULLA_BASE64_MAX_DECODED(text.len));
	size_t len, bad_at;

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	if (bulla_base64_decode(text, bytes, &len, &bad_at) != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID_500, "illegal base64 data at input byte %zu", bad_at);
	if (len <= WRAPPING_BYTES)
		return bulla_fail(call, BULLA_E_INVALID_500, "provided ciphertext is too short");
	*out = bulla_mem(bytes, len);
	return BULLA_OK;
}

static enum bulla_err open_ephemeral(struct bulla_call *call, const struct pkey *pkey, enum digest hash, struct bulla_bytes sealed,
				     struct material *out)
{
	BULLA_CLEANUP(material_clear) struct material room = { 0 };
	struct pkey_params params = oaep(hash);
	size_t len = 0;

	TRY(material_new(WRAPPING_BYTES, &room));
	enum bulla_err err = pkey_decrypt(pkey, &params, sealed, room.ptr, &len);

	if (err == BULLA_E_AUTH_FAILED)
		return bulla_fail(call, BULLA_E_INVALID_500, "crypto/rsa: decryption error");
	TRY(err);
	if (len != EPHEMERAL)
		return bulla_fail(call, BULLA_E_INVALID_500, "expected ephemeral AES key to be 256-bit");
	return material_copy(bulla_mem(room.ptr, len), out);
}

/* Of what KWP made of 16 bytes to 8 KiB: OpenBao's bounds and texts. */
static enum bulla_err check_size(struct bulla_call *call, size_t len)
{
	const char *why = len < LEAST_BYTES + 8 ? "kwp: wrapped key size too small" : len > MOST_BYTES + 8 ? "kwp: wrapped key size too large" :
			  len % 8 != 0 ? "kwp: wrapped key size must be a multiple of 8 bytes" : NULL;

	return why == NULL ? BULLA_OK : bulla_fail(call, BULLA_E_INVALID_500, "%s", why);
}

enum bulla_err wrapping_open(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			     struct bulla_bytes text, enum digest hash, struct material *out)
{
	BULLA_CLEANUP(material_clear) struct material ephemeral = { 0 }, room = { 0 };
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;
	struct bulla_bytes sealed = { 0 };
	size_t len = 0;

	TRY(decode(call, text, &sealed));
	TRY(wrapping_pkey(engine, call, mount, &pkey));
	TRY(bulla_work(call, BULLA_WORK_CPU));
	TRY(open_ephemeral(call, pkey, hash, bulla_mem(sealed.ptr, WRAPPING_BYTES), &ephemeral));
	struct bulla_bytes inner = bulla_mem(sealed.ptr + WRAPPING_BYTES, sealed.len - WRAPPING_BYTES);

	TRY(check_size(call, inner.len));
	TRY(material_new(inner.len - 8, &room));
	enum bulla_err err = keywrap_unwrap(material_bytes(&ephemeral), inner, room.ptr, &len);

	if (err == BULLA_E_AUTH_FAILED)
		return bulla_fail(call, BULLA_E_INVALID_500, "kwp: unwrap failed integrity check");
	TRY(err);
	return material_copy(bulla_mem(room.ptr, len), out);
}
