/* import.c: owns the import of keys and the reading of what is imported. Workers. */
#include "bulla/clock.h"
#include "crypto/pkey_read.h"
#include "crypto/x509.h"
#include "transit/import.h"

#define NAME_MAX_BYTES 32

void incoming_clear(struct incoming *incoming)
{
	material_clear(&incoming->bytes);
}

enum bulla_err incoming_refuse(struct bulla_call *call, const char *why)
{
	return bulla_fail(call, BULLA_E_INVALID_500, "error importing key: %s", why);
}

const struct alg *incoming_alg(struct bulla_bytes name)
{
	uint8_t lower[NAME_MAX_BYTES];

	if (name.len > sizeof lower)
		return NULL;
	for (size_t i = 0; i < name.len; i++)
		lower[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (uint8_t)(name.ptr[i] | 0x20) : name.ptr[i];
	return alg_by_name(bulla_mem(lower, name.len));
}

enum bulla_err incoming_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			     const struct bulla_import_source *source, const struct alg *alg, struct incoming *out)
{
	enum digest hash;

	out->private = source->wrapped;
	if (!source->wrapped) {
		if ((alg->can & ALG_PKEY) == 0)
			return bulla_fail(call, BULLA_E_INVALID_500, "provided type does not support public_key import");
		if (source->text.len == 0 || source->text.len > MATERIAL_MAX)
			return incoming_refuse(call, "error parsing public key: not in PEM format");
		return material_copy(source->text, &out->bytes);
	}
	if (!wrapping_hash(source->hash, &hash))
		return bulla_fail(call, BULLA_E_INVALID, "unknown hash function: %.*s", (int)source->hash.len,
				  (const char *)source->hash.ptr);
	return wrapping_open(engine, call, mount, source->text, hash, &out->bytes);
}

/* ---- material ---------------------------------------------------------------------------------------------------------------- */

static enum bulla_err open_public(struct bulla_call *call, const struct incoming *incoming, const struct alg *alg,
				  struct pkey **out, struct pkey_fault *fault)
{
	BULLA_CLEANUP(material_clear) struct material der = { 0 };
	char label[PEM_LABEL];

	if (pem_read(material_bytes(&incoming->bytes), label, &der, NULL) != BULLA_OK)
		return incoming_refuse(call, "error parsing public key: not in PEM format");
	return pkey_read_public(alg, material_bytes(&der), out, fault);
}

static enum bulla_err open_incoming(struct bulla_call *call, const struct incoming *incoming, const struct alg *alg,
				    struct pkey **out)
{
	struct pkey_fault fault;
	enum bulla_err err = incoming->private ? pkey_read_private(alg, material_bytes(&incoming->bytes), out, &fault)
					       : open_public(call, incoming, alg, out, &fault);

	return err == BULLA_E_BAD_KEY_MATERIAL ? incoming_refuse(call, fault.text) : err;
}

enum bulla_err incoming_parse(struct bulla_call *call, const struct incoming *incoming, const struct alg *alg,
			      struct material *material, struct pkey **pkey)
{
	BULLA_CLEANUP(pkey_release) struct pkey *opened = NULL;

	if ((alg->can & ALG_PKEY) == 0) {
		if (!alg_fits(alg, incoming->bytes.len))
			return bulla_fail(call, BULLA_E_INVALID_500, "error importing key: invalid key size %zu bytes for key type %s",
					  incoming->bytes.len, alg->name);
		return material_copy(material_bytes(&incoming->bytes), material);
	}
	TRY(bulla_work(call, BULLA_WORK_CPU));
	TRY(open_incoming(call, incoming, alg, &opened));
	TRY(pkey_encode(opened, incoming->private ? PKEY_PKCS8 : PKEY_PUBLIC, material)); /* without what else was in it */
	if (pkey != NULL)
		*pkey = pkey_hold(opened);
	return BULLA_OK;
}

enum bulla_err incoming_version(const struct material *material, bool public_only, uint8_t hmac_key[KEY_HMAC_BYTES],
				struct key_version *out)
{
	TRY(random_bytes(hmac_key, KEY_HMAC_BYTES));
	*out = (struct key_version){ .created_date_ns = bulla_wall_ns(), .key = material->ptr, .key_len = material->len,
				     .hmac_key = hmac_key, .public_only = public_only };
	return BULLA_OK;
}

/* ---- the operation ----------------------------------------------------------------------------------------------------------- */

#define EXISTS_TEXT \
	"the import path cannot be used with an existing key; use import-version to rotate an existing imported key"

/* What the peer checks first, in its order. */
static enum bulla_err check(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			    const struct bulla_import_args *args, const struct alg **alg)
{
	bool exists = false;

	if (args->auto_rotate_s > 0 && !args->allow_rotation)
		return bulla_fail(call, BULLA_E_INVALID_500, "allow_rotation must be set to true if auto-rotation is enabled");
	*alg = incoming_alg(args->type);
	if (*alg == NULL)
		return bulla_fail(call, BULLA_E_INVALID, "unknown key type: %.*s", (int)args->type.len, (const char *)args->type.ptr);
	TRY(bulla_key_exists(engine, call, mount, name, &exists));
	if (exists)
		return bulla_fail(call, BULLA_E_INVALID_500, EXISTS_TEXT);
	if (args->auto_rotate_s < 0 || (args->auto_rotate_s > 0 && args->auto_rotate_s < 3600))
		return bulla_fail(call, BULLA_E_INVALID, "auto rotate period must be 0 to disable or at least an hour");
	if (args->derived && ((*alg)->can & (ALG_DERIVE | ALG_PKEY)) != ALG_DERIVE)
		return bulla_fail(call, BULLA_E_INVALID_500, "error importing key: a key of type %s cannot be imported as a derived one",
				  (*alg)->name);
	return BULLA_OK;
}

static enum bulla_err install(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			      const struct bulla_import_args *args, const struct alg *alg, const struct key_version *version)
{
	const struct key_facts facts = {
		.alg = alg, .derived = args->derived, .counter_kdf = args->derived, .exportable = args->exportable,
		.plaintext_backup = args->allow_plaintext_backup, .imported = true, .rotatable = args->allow_rotation, .latest = 1,
		.min_decryption = 1, .auto_rotate_s = args->auto_rotate_s,
	};
	enum bulla_err err = keyring_install(engine->keyring, call, mount, name, &facts, version, false, NULL);

	return err == BULLA_E_KEY_EXISTS ? bulla_fail(call, BULLA_E_INVALID_500, EXISTS_TEXT) : err;
}

enum bulla_err bulla_key_import(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, const struct bulla_import_args *args)
{
	BULLA_CLEANUP(incoming_clear) struct incoming incoming = { 0 };
	BULLA_CLEANUP(material_clear) struct material material = { 0 };
	uint8_t hmac_key[KEY_HMAC_BYTES];
	struct key_version version;
	const struct alg *alg = NULL;

	TRY(bulla_work(call, BULLA_WORK_CPU));
	TRY(check(engine, call, mount, name, args, &alg));
	TRY(incoming_read(engine, call, mount, &args->source, alg, &incoming));
	TRY(incoming_parse(call, &incoming, alg, &material, NULL));
	TRY(incoming_version(&material, !incoming.private, hmac_key, &version));
	version.version = 1;
	enum bulla_err err = install(engine, call, mount, name, args, alg, &version);

	bulla_wipe(hmac_key, sizeof hmac_key);
	return err;
}
