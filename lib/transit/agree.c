/* agree.c: owns keys made by key agreement: ECDH (SP 800-56A), then HKDF-SHA256 without salt and info, as the peer has it. Workers. */
#include "crypto/pkey_read.h"
#include "crypto/x509.h"
#include "transit/import.h"

struct agreement {
	const struct bulla_derive_key_args *args;
	const struct alg *alg; /* of the key that is made */
	struct pkey *base;
	struct material secret;
	uint8_t hmac_key[KEY_HMAC_BYTES];
};

static void agreement_clear(struct agreement *agreement)
{
	pkey_put(agreement->base);
	material_clear(&agreement->secret);
	bulla_wipe(agreement->hmac_key, sizeof agreement->hmac_key);
}

static enum bulla_err check_args(struct bulla_call *call, struct agreement *agreement)
{
	const struct bulla_derive_key_args *args = agreement->args;

	if (!bulla_is(args->algorithm, "ecdh"))
		return bulla_fail(call, BULLA_E_INVALID, "key derivation algorithm %.*s not supported", (int)args->algorithm.len,
				  (const char *)args->algorithm.ptr);
	if (args->peer.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "peer public key not provided");
	agreement->alg = incoming_alg(args->type);
	if (agreement->alg == NULL || agreement->alg->key_bytes == 0)
		return bulla_fail(call, BULLA_E_INVALID, "unknown key type %.*s", (int)args->type.len, (const char *)args->type.ptr);
	return BULLA_OK;
}

static enum bulla_err refuse(struct bulla_call *call, const char *why)
{
	return bulla_fail(call, BULLA_E_INVALID_500, "%s", why);
}

static enum bulla_err choose_version(struct bulla_call *call, const struct key *key, int64_t wanted, const struct key_version **out)
{
	if (wanted < 0)
		return refuse(call, "requested version of the base key is negative");
	if (wanted > key_latest(key))
		return refuse(call, "requested version of the base key is higher than the latest key version");
	if (wanted != 0 && wanted < key_min_available(key))
		return refuse(call, "requested version of the base key is less than the minimum available key version");
	uint32_t number = wanted == 0 ? key_latest(key) : (uint32_t)wanted;
	enum bulla_err err = number < key_min_decryption(key) ? BULLA_E_NOT_FOUND : key_version_use(key, number, call, out);

	return err == BULLA_E_NOT_FOUND ? refuse(call, "no such key version") : err;
}

static enum bulla_err find_base(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct agreement *agreement)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	const struct key_version *version = NULL;

	if (agreement->args->base.len == 0)
		return refuse(call, "cannot load policy with relative name");
	enum bulla_err err = keyring_begin(engine->keyring, call, mount, agreement->args->base, &key);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, "specified base key not found");
	TRY(err);
	if ((key_alg(key)->can & ALG_AGREE) == 0)
		return bulla_fail(call, BULLA_E_INVALID, "base key type %s does not support key agreement", key_alg(key)->name);
	if (key_soft_deleted(key))
		return BULLA_E_KEY_SOFT_DELETED;
	TRY(choose_version(call, key, agreement->args->base_version, &version));
	if (version->public_only)
		return refuse(call, "the base key version has no private part");
	return keyring_pkey(key, version, &agreement->base);
}

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum bulla_err refuse_pem(struct bulla_call *call, const char *why)
{
	return bulla_fail(call, BULLA_E_INVALID_500, "failed to parse supplied peer public key PEM: %s ", why);
}

/* The DER of one PEM block with nothing but white space behind it; of a certificate, that of its public key. */
static enum bulla_err read_pem(struct bulla_call *call, struct bulla_bytes text, struct material *der)
{
	BULLA_CLEANUP(material_clear) struct material block = { 0 };
	struct x509_facts facts = { 0 };
	struct bulla_bytes rest = { 0 };
	char label[PEM_LABEL];

	if (pem_read(text, label, &block, &rest) != BULLA_OK)
		return refuse_pem(call, "data does not contain any valid public keys");
	for (size_t i = 0; i < rest.len; i++)
		if (!is_space(rest.ptr[i]))
			return refuse_pem(call, "unexpected trailing data after parsed PEM block");
	if (x509_certificate(material_bytes(&block), &facts) == BULLA_OK) {
		*der = facts.public;
		return BULLA_OK;
	}
	return material_copy(material_bytes(&block), der);
}

/* The key of the other side. */
static enum bulla_err read_other(struct bulla_call *call, const struct alg *own, struct bulla_bytes text, struct pkey **out)
{
	BULLA_CLEANUP(material_clear) struct material der = { 0 };
	struct pkey_fault fault;

	TRY(read_pem(call, text, &der));
	enum bulla_err err = pkey_read_public(own, material_bytes(&der), out, &fault);

	if (err != BULLA_E_BAD_KEY_MATERIAL)
		return err;
	if (fault.kind == PKEY_OTHER_CURVE)
		return bulla_fail(call, BULLA_E_INVALID_500, "base private key type %s does not match peer public key curve", own->name);
	if (fault.kind == PKEY_OTHER_TYPE)
		return refuse(call, "supplied peer public key is not an ECDSA key");
	return refuse_pem(call, "x509: malformed certificate");
}

static enum bulla_err agree(struct bulla_call *call, struct agreement *agreement)
{
	BULLA_CLEANUP(material_clear) struct material shared = { 0 };
	BULLA_CLEANUP(pkey_release) struct pkey *peer = NULL;
	size_t len = 0;

	TRY(read_other(call, pkey_alg(agreement->base), agreement->args->peer, &peer));
	TRY(material_new(PKEY_MAX_SHARED, &shared));
	TRY(pkey_agree(agreement->base, peer, shared.ptr, &len));
	TRY(material_new(agreement->alg->key_bytes, &agreement->secret));
	return hkdf_sha256(bulla_mem(shared.ptr, len), bulla_mem(NULL, 0), bulla_mem(NULL, 0), agreement->secret.ptr,
			   agreement->secret.len);
}

/* A key that is there gets a further version, as at the peer. */
static enum bulla_err append(struct bulla_call *call, const struct key *key, void *context, struct key_edit *edit)
{
	struct agreement *agreement = context;

	if (key == NULL)
		return BULLA_E_CONFLICT; /* it went away just now */
	if (key_soft_deleted(key))
		return BULLA_E_KEY_SOFT_DELETED;
	if (key_alg(key)->key_bytes != agreement->secret.len || key_convergent(key))
		return bulla_fail(call, BULLA_E_INVALID_500, "error importing key: invalid key size %zu bytes for key type %s",
				  agreement->secret.len, key_alg(key)->name);
	return incoming_version(&agreement->secret, false, agreement->hmac_key, &edit->version);
}

static enum bulla_err keep(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			   struct agreement *agreement)
{
	const struct key_facts facts = { .alg = agreement->alg, .imported = true, .latest = 1, .min_decryption = 1 };
	struct key_version version;

	TRY(incoming_version(&agreement->secret, false, agreement->hmac_key, &version));
	version.version = 1;
	enum bulla_err err = keyring_install(engine->keyring, call, mount, name, &facts, &version, false, NULL);

	return err == BULLA_E_KEY_EXISTS ? keyring_edit(engine->keyring, call, mount, name, append, agreement, NULL) : err;
}

enum bulla_err bulla_derive_key(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, const struct bulla_derive_key_args *args)
{
	BULLA_CLEANUP(agreement_clear) struct agreement agreement = { .args = args };

	TRY(bulla_work(call, BULLA_WORK_CPU));
	TRY(check_args(call, &agreement));
	TRY(find_base(engine, call, mount, &agreement));
	TRY(bulla_work(call, BULLA_WORK_CPU)); /* the key may have come from the disk */
	TRY(agree(call, &agreement));
	return keep(engine, call, mount, name, &agreement);
}
