/* info.c: owns what a reader is told of a key: never its private material. Within a read section, or by who changes the key. */
#include "bulla/encode.h"
#include "keyring/internal.h"

/* How many keys an event loop opens in one call, at some 100 us each, or 400 for RSA; and a worker before others may go by. */
#define INLINE_OPENINGS 3
#define INLINE_RSA_OPENINGS 1
#define OPENINGS_AT_ONCE 4

static struct bulla_bytes print_pem(struct bulla_call *call, const char *label, struct bulla_bytes der)
{
	size_t len = pem_len(label, der.len);
	char *text = bulla_arena_alloc(call->arena, len);

	if (text == NULL)
		return (struct bulla_bytes){ 0 };
	pem_print(label, der, text);
	return bulla_mem(text, len);
}

static struct bulla_bytes print_base64(struct bulla_call *call, struct bulla_bytes bytes)
{
	char *text = bulla_arena_alloc(call->arena, BULLA_BASE64_LEN(bytes.len));

	return text == NULL ? (struct bulla_bytes){ 0 } : bulla_mem(text, bulla_base64_encode(bytes, text));
}

/* ---- public keys --------------------------------------------------------------------------------------------------------- */

/* The public key of a derived key's child. */
static enum bulla_err derive_public(const struct key *key, const struct key_version *version, struct bulla_call *call,
				    struct bulla_bytes context, struct bulla_bytes *out)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL, *child = NULL;
	BULLA_CLEANUP(material_clear) struct material public = { 0 };

	TRY(keyring_pkey(key, version, &pkey));
	TRY(pkey_derive(pkey, context, &child));
	TRY(pkey_number(child, PKEY_ED25519_PUBLIC, &public));
	*out = print_base64(call, material_bytes(&public));
	return out->ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* As the peer prints it: Ed25519 bare, in base64; the others in PEM. A derived key has none without a context. */
static enum bulla_err print_public(const struct key *key, const struct key_version *version, struct bulla_call *call,
				   struct bulla_bytes context, struct bulla_bytes *out)
{
	struct bulla_bytes der;

	if (key_derived(key) && context.len == 0)
		return BULLA_OK;
	if (key_derived(key))
		return derive_public(key, version, call, context, out);
	TRY(version_public(key, version, &der));
	*out = key_alg(key) == &alg_ed25519 ? print_base64(call, bulla_mem(der.ptr + der.len - 32, 32))
					    : print_pem(call, "PUBLIC KEY", der);
	return out->ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* ---- certificates -------------------------------------------------------------------------------------------------------- */

/* Bytes of the DER element that begins there; 0: it does not fit. What is stored was parsed before. */
static size_t element_len(struct bulla_bytes der)
{
	size_t n = der.len < 2 ? 0 : der.ptr[1], bytes = n & 0x7f;

	if (der.len < 2 || n < 0x80)
		return der.len < 2 || n + 2 > der.len ? 0 : n + 2;
	if (bytes > 3 || bytes + 2 > der.len)
		return 0;
	n = 0;
	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | der.ptr[2 + i];
	return n + 2 + bytes > der.len ? 0 : n + 2 + bytes;
}

static enum bulla_err print_chain(struct bulla_call *call, struct bulla_bytes chain, struct bulla_bytes *out)
{
	size_t len = 0, n;

	for (size_t at = 0; at < chain.len && (n = element_len(bulla_mem(chain.ptr + at, chain.len - at))) > 0; at += n)
		len += pem_len("CERTIFICATE", n);
	char *text = bulla_arena_alloc(call->arena, len);

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	*out = bulla_mem(text, len);
	for (size_t at = 0; at < chain.len && (n = element_len(bulla_mem(chain.ptr + at, chain.len - at))) > 0; at += n) {
		pem_print("CERTIFICATE", bulla_mem(chain.ptr + at, n), text);
		text += pem_len("CERTIFICATE", n);
	}
	if (len > 0)
		out->len--; /* no newline at the end, as the peer */
	return BULLA_OK;
}

/* ---- versions ------------------------------------------------------------------------------------------------------------- */

/* One that is damaged is told without its public key: the others can be used. */
static enum bulla_err describe_version(const struct key *key, uint32_t number, struct bulla_call *call,
				       struct bulla_bytes context, struct bulla_key_version_info *out)
{
	const struct key_version *version = key_version(key, number);

	*out = (struct bulla_key_version_info){ .version = number, .created_date_ns = version == NULL ? 0 : version->created_date_ns };
	if (key_alg(key)->family == NULL || version == NULL || version->key == NULL)
		return BULLA_OK;
	enum bulla_err err = print_public(key, version, call, context, &out->public_key);

	if (err == BULLA_E_STORE_DAMAGED)
		return BULLA_OK;
	TRY(err);
	return print_chain(call, version->chain, &out->certificate_chain);
}

static enum bulla_err check_inline(const struct key *key, struct bulla_call *call, uint32_t first, bool derive)
{
	uint32_t openings = 0, most = (key_alg(key)->can & ALG_ENCRYPT) != 0 ? INLINE_RSA_OPENINGS : INLINE_OPENINGS;

	if (call->may_block || key_alg(key)->family == NULL || (key_derived(key) && !derive))
		return BULLA_OK;
	for (uint32_t number = first; number <= key_latest(key); number++) {
		const struct key_version *version = key_version(key, number);

		openings += derive || (version != NULL && !version_public_known(version));
		if (openings > most)
			return bulla_work(call, BULLA_WORK_CPU);
	}
	return BULLA_OK;
}

/* Opens a few of the versions from *number on, within a read section. false: there are no more. */
static bool open_some(const struct key *key, uint32_t *number)
{
	struct bulla_bytes ignored;

	if (*number < key_first(key))
		*number = key_first(key);
	for (unsigned opened = 0; *number <= key_latest(key) && opened < OPENINGS_AT_ONCE; ++*number) {
		const struct key_version *version = key_version(key, *number);

		if (version == NULL || version->key == NULL || version_public_known(version))
			continue;
		opened++;
		if (version_public(key, version, &ignored) != BULLA_OK) /* whoever needs it says so */
			continue;
	}
	return *number <= key_latest(key);
}

enum bulla_err info_prepare(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name)
{
	const struct key *key;

	for (uint32_t number = 0;;) {
		enum bulla_err err = call->may_block ? keyring_begin(keyring, call, mount, name, &key) : BULLA_E_NOT_FOUND;

		if (err == BULLA_E_NOT_FOUND)
			return BULLA_OK;
		TRY(err);
		bool more = key_alg(key)->family != NULL && !key_derived(key) && open_some(key, &number);

		keyring_end(key);
		if (!more)
			return BULLA_OK;
		TRY(bulla_work(call, BULLA_WORK_CPU));
		TRY(bulla_yield(call));
	}
}

static enum bulla_err list_versions(const struct key *key, struct bulla_call *call, struct bulla_bytes context,
				    struct bulla_key_info *info)
{
	uint32_t first = key->head.min_decryption > key_first(key) ? key->head.min_decryption : key_first(key);
	struct bulla_key_version_info *list;

	TRY(check_inline(key, call, first, key_derived(key) && context.len > 0));
	info->version_count = key->head.latest - first + 1;
	list = bulla_arena_alloc(call->arena, info->version_count * sizeof *list);
	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < info->version_count; i++)
		TRY(describe_version(key, first + (uint32_t)i, call, context, &list[i]));
	info->versions = list;
	return BULLA_OK;
}

enum bulla_err key_info(const struct key *key, struct bulla_call *call, struct bulla_bytes context, struct bulla_key_info *out)
{
	const struct key_head *head = &key->head;
	struct bulla_key_info info = {
		.name = bulla_arena_copy(call->arena, key_name(key)),
		.type = head->alg->name,
		.derived = key_derived(key),
		.convergent = key_convergent(key),
		.counter_kdf = key_counter_kdf(key),
		.exportable = key_exportable(key),
		.allow_plaintext_backup = key_plaintext_backup(key),
		.deletion_allowed = head->flags & KEY_DELETABLE,
		.imported = head->flags & KEY_IMPORTED,
		.imported_rotatable = head->flags & KEY_ROTATABLE,
		.backup = head->backup,
		.restore = head->restore,
		.soft_deleted = key_soft_deleted(key),
		.convergent_version = head->convergent_version,
		.asymmetric = head->alg->can & ALG_PKEY,
		.version_name = head->alg->title,
		.key_size = key_size(key),
		.can_encrypt = head->alg->can & ALG_ENCRYPT,
		.can_sign = head->alg->can & ALG_SIGN,
		.can_derive = head->alg->can & ALG_DERIVE,
		.latest = head->latest,
		.min_decryption = head->min_decryption,
		.min_encryption = head->min_encryption,
		.min_available = head->min_available,
		.auto_rotate_s = head->auto_rotate_s,
	};

	if (info.name.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(list_versions(key, call, context, &info));
	*out = info;
	return BULLA_OK;
}
