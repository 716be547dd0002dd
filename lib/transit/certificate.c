/* certificate.c: owns certificate requests signed by named keys, and the certificates that are kept with them. Workers. */
#include "crypto/x509.h"
#include "transit/import.h"

/* What both ask of a key, in the peer's order. */
static enum bulla_err check_key(struct bulla_call *call, const struct key *key, struct bulla_bytes name)
{
	if (key == NULL)
		return bulla_fail(call, BULLA_E_INVALID, "key with provided name '%.*s' not found", (int)name.len,
				  (const char *)name.ptr);
	if ((key_alg(key)->can & ALG_SIGN) == 0)
		return bulla_fail(call, BULLA_E_INVALID, "key type '%s' does not support signing", key_alg(key)->name);
	if (key_derived(key))
		return bulla_fail(call, BULLA_E_INVALID, "operation not supported for keys with derivation enabled");
	return BULLA_OK;
}

/* NOT_FOUND: there is no such version in use. */
static enum bulla_err find_version(struct bulla_call *call, const struct key *key, const int64_t *wanted,
				   const struct key_version **out)
{
	int64_t number = wanted != NULL ? *wanted : key_latest(key);

	if (number < key_min_decryption(key) || number > key_latest(key))
		return BULLA_E_NOT_FOUND;
	return key_version_use(key, (uint32_t)number, call, out);
}

/* ---- requests ----------------------------------------------------------------------------------------------------------------- */

/* With a reference. err tells why there is none, but counts only after the template. */
struct signer {
	struct pkey *pkey;
	enum bulla_err err;
	const char *type;
};

static void signer_clear(struct signer *signer)
{
	pkey_put(signer->pkey);
}

static enum bulla_err find_signer(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				  struct bulla_bytes name, const int64_t *wanted, struct signer *out)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	const struct key_version *version = NULL;
	enum bulla_err err = keyring_begin(engine->keyring, call, mount, name, &key);

	if (err != BULLA_E_NOT_FOUND)
		TRY(err);
	TRY(check_key(call, err == BULLA_OK ? key : NULL, name));
	out->type = key_alg(key)->name;
	out->err = find_version(call, key, wanted, &version);
	if (out->err == BULLA_OK)
		TRY(keyring_pkey(key, version, &out->pkey));
	return BULLA_OK;
}

static enum bulla_err read_template(struct bulla_call *call, struct bulla_bytes text, struct material *der)
{
	char label[PEM_LABEL];

	if (text.len > 0 && pem_read(text, label, der, NULL) != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID, "could not decode PEM CSR");
	return BULLA_OK;
}

static enum bulla_err sign(struct bulla_call *call, const struct signer *signer, const struct material *template,
			   struct bulla_bytes *pem)
{
	BULLA_CLEANUP(material_clear) struct material request = { 0 };

	if (signer->err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, "could not create the csr: no such key version");
	TRY(signer->err);
	if (!pkey_is_private(signer->pkey))
		return bulla_fail(call, BULLA_E_INVALID, "could not create the csr: private key not imported for key version selected");
	enum bulla_err err = x509_request(signer->pkey, material_bytes(template), &request);

	if (err == BULLA_E_BAD_FIELD)
		return bulla_fail(call, BULLA_E_INVALID, "could not parse the CSR template");
	TRY(err);
	return export_pem(call, "CERTIFICATE REQUEST", material_bytes(&request), pem);
}

enum bulla_err bulla_key_csr(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			     const int64_t *version, struct bulla_bytes template, const char **type, struct bulla_bytes *pem)
{
	BULLA_CLEANUP(signer_clear) struct signer signer = { 0 };
	BULLA_CLEANUP(material_clear) struct material der = { 0 };

	TRY(bulla_work(call, BULLA_WORK_CPU));
	TRY(find_signer(engine, call, mount, name, version, &signer));
	TRY(read_template(call, template, &der));
	TRY(bulla_work(call, BULLA_WORK_CPU)); /* the key may have come from the disk */
	TRY(sign(call, &signer, &der, pem));
	*type = signer.type;
	return BULLA_OK;
}

/* ---- certificates ------------------------------------------------------------------------------------------------------------- */

struct chain {
	struct bulla_bytes name;
	const int64_t *wanted;
	uint8_t *der;             /* KEY_CHAIN_MAX bytes */
	size_t len, count;
	struct x509_facts leaf;
	bool ca_between, last_ca; /* of those behind the leaf: all but the last are CAs; the last one is */
	struct bulla_bytes text;
	const char *type;
};

static void chain_clear(struct chain *chain)
{
	material_clear(&chain->leaf.public);
}

static enum bulla_err refuse(struct bulla_call *call, const char *why)
{
	return bulla_fail(call, BULLA_E_INVALID, "%s", why);
}

static enum bulla_err add_certificate(struct bulla_call *call, struct chain *chain, struct bulla_bytes der)
{
	BULLA_CLEANUP(chain_clear) struct chain other = { 0 };
	struct x509_facts *facts = chain->count == 0 ? &chain->leaf : &other.leaf;

	if (der.len > KEY_CHAIN_MAX - chain->len)
		return bulla_fail(call, BULLA_E_INVALID, "the certificate chain is too long: it may have %d bytes", KEY_CHAIN_MAX);
	enum bulla_err err = x509_certificate(der, facts);

	if (err == BULLA_E_BAD_FIELD)
		return refuse(call, "could not parse a certificate in the certificate chain");
	TRY(err);
	if (chain->count > 1)
		chain->ca_between = chain->ca_between && chain->last_ca;
	chain->last_ca = facts->is_ca;
	memcpy(chain->der + chain->len, der.ptr, der.len);
	chain->len += der.len;
	chain->count++;
	return BULLA_OK;
}

static struct bulla_bytes trim(struct bulla_bytes text)
{
	while (text.len > 0 && strchr(" \t\n\v\f\r", text.ptr[0]) != NULL && text.ptr[0] != 0)
		text = bulla_mem(text.ptr + 1, text.len - 1);
	while (text.len > 0 && strchr(" \t\n\v\f\r", text.ptr[text.len - 1]) != NULL && text.ptr[text.len - 1] != 0)
		text.len--;
	return text;
}

static enum bulla_err read_chain(struct bulla_call *call, struct chain *chain)
{
	struct bulla_bytes rest = trim(chain->text);

	chain->ca_between = true;
	while (rest.len > 0) {
		BULLA_CLEANUP(material_clear) struct material der = { 0 };
		char label[PEM_LABEL];

		if (pem_read(rest, label, &der, &rest) != BULLA_OK)
			return refuse(call, "could not decode a PEM block in the certificate chain");
		rest = trim(rest);
		if (strcmp(label, "CERTIFICATE") == 0 || strcmp(label, "X509 CERTIFICATE") == 0)
			TRY(add_certificate(call, chain, material_bytes(&der)));
	}
	if (chain->count == 0)
		return refuse(call, "provided certificate chain did not contain any valid PEM encoded certificate");
	return BULLA_OK;
}

static enum bulla_err check_order(struct bulla_call *call, const struct chain *chain)
{
	if (chain->leaf.is_ca)
		return refuse(call, "failed to persist certificate chain: certificate in the first element is not a valid leaf certificate");
	if (chain->count > 1 && !chain->last_ca)
		return refuse(call, "failed to persist certificate chain: certificate in the last element is not a valid CA certificate");
	if (!chain->ca_between)
		return refuse(call, "failed to persist certificate chain: could not validate if there is only one leaf certificate in the "
				    "provided chain");
	return BULLA_OK;
}

static const char *algorithm_of(const struct alg *alg)
{
	return alg == &alg_ed25519 ? "Ed25519" : strncmp(alg->name, "rsa-", 4) == 0 ? "RSA" : "ECDSA";
}

/* Of the version, the public key in DER. */
static enum bulla_err public_of(const struct key *key, const struct key_version *version, struct material *out)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;

	TRY(keyring_pkey(key, version, &pkey));
	return pkey_encode(pkey, PKEY_PUBLIC, out);
}

static enum bulla_err set_chain(struct bulla_call *call, const struct key *key, void *context, struct key_edit *edit)
{
	BULLA_CLEANUP(material_clear) struct material public = { 0 };
	const struct key_version *version = NULL;
	struct chain *chain = context;

	TRY(check_key(call, key, chain->name));
	chain->type = key_alg(key)->name;
	TRY(check_order(call, chain));
	enum bulla_err err = find_version(call, key, chain->wanted, &version);

	if (err == BULLA_E_NOT_FOUND)
		return refuse(call, "failed to persist certificate chain: no such key version");
	TRY(err);
	if (strcmp(chain->leaf.algorithm, algorithm_of(key_alg(key))) != 0)
		return bulla_fail(call, BULLA_E_INVALID,
				  "failed to persist certificate chain: could not validate key match between leaf certificate key and key "
				  "entry in transit: provided leaf certificate public key algorithm '%s' does not match the transit key "
				  "type '%s'", chain->leaf.algorithm, key_alg(key)->name);
	TRY(public_of(key, version, &public));
	if (!bulla_equal(material_bytes(&public), material_bytes(&chain->leaf.public)))
		return bulla_fail(call, BULLA_E_INVALID_500, "failed to persist certificate chain: leaf certificate public key does not "
							     "match the selected key version");
	edit->version = *version;
	edit->version.chain = bulla_mem(chain->der, chain->len);
	return BULLA_OK;
}

/* That the key will do, before its certificates are read. */
static enum bulla_err look_first(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				 struct bulla_bytes name)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	enum bulla_err err = keyring_begin(engine->keyring, call, mount, name, &key);

	if (err != BULLA_E_NOT_FOUND)
		TRY(err);
	return check_key(call, err == BULLA_OK ? key : NULL, name);
}

enum bulla_err bulla_key_set_certificate(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					 struct bulla_bytes name, const int64_t *version, struct bulla_bytes text, const char **type)
{
	BULLA_CLEANUP(chain_clear) struct chain chain = { .name = name, .wanted = version, .text = text };

	TRY(bulla_work(call, BULLA_WORK_CPU));
	TRY(look_first(engine, call, mount, name));
	chain.der = bulla_arena_alloc(call->arena, KEY_CHAIN_MAX);
	if (chain.der == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(bulla_work(call, BULLA_WORK_CPU)); /* the key may have come from the disk */
	TRY(read_chain(call, &chain));
	TRY(keyring_edit(engine->keyring, call, mount, name, set_chain, &chain, NULL));
	*type = chain.type;
	return BULLA_OK;
}
