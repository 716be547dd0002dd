/* export_form.c: owns the forms in which material leaves: base64, DER and PEM as the peer prints them, newlines included. */
#include "bulla/encode.h"
#include "transit/document.h"
#include "transit/import.h"

enum bulla_err export_base64(struct bulla_call *call, struct bulla_bytes bytes, struct bulla_bytes *out)
{
	char *text = bulla_arena_alloc(call->arena, BULLA_BASE64_LEN(bytes.len));

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	*out = bulla_mem(text, bulla_base64_encode(bytes, text));
	return BULLA_OK;
}

enum bulla_err export_pem(struct bulla_call *call, const char *label, struct bulla_bytes der, struct bulla_bytes *out)
{
	size_t len = pem_len(label, der.len);
	char *text = bulla_arena_alloc(call->arena, len);

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	pem_print(label, der, text);
	*out = bulla_mem(text, len);
	return BULLA_OK;
}

static bool is_ed25519(const struct pkey *pkey) { return pkey_alg(pkey) == &alg_ed25519; }
static bool is_rsa(const struct pkey *pkey) { return pkey_modulus_bytes(pkey) > 0; }

/* Ed25519 has a raw form, and it is the default. The others have none. */
static enum bulla_err check_raw(struct bulla_call *call, const struct pkey *pkey, struct bulla_bytes format)
{
	if (!bulla_is(format, "raw") || is_ed25519(pkey))
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID_500, "unknown key format for %s key; supported values are ``, `der`, or `pem`",
			  is_rsa(pkey) ? "rsa" : "ec");
}

static bool wants_raw(const struct pkey *pkey, struct bulla_bytes format)
{
	return is_ed25519(pkey) && (format.len == 0 || bulla_is(format, "raw"));
}

static enum bulla_err print_number(struct bulla_call *call, const struct pkey *pkey, enum pkey_number which, struct bulla_bytes *out)
{
	BULLA_CLEANUP(material_clear) struct material number = { 0 };

	TRY(pkey_number(pkey, which, &number));
	return export_base64(call, material_bytes(&number), out);
}

/* PEM of RSA keys alone ends in a newline. */
static enum bulla_err print_form(struct bulla_call *call, const struct pkey *pkey, enum pkey_form form, const char *label,
				 struct bulla_bytes format, struct bulla_bytes *out)
{
	BULLA_CLEANUP(material_clear) struct material der = { 0 };

	TRY(pkey_encode(pkey, form, &der));
	if (bulla_is(format, "der"))
		return export_base64(call, material_bytes(&der), out);
	TRY(export_pem(call, label, material_bytes(&der), out));
	if (!is_rsa(pkey))
		out->len--;
	return BULLA_OK;
}

enum bulla_err export_private(struct bulla_call *call, const struct pkey *pkey, struct bulla_bytes format, struct bulla_bytes *out)
{
	TRY(check_raw(call, pkey, format));
	*out = bulla_str("");
	if (!pkey_is_private(pkey))
		return BULLA_OK;
	if (wants_raw(pkey, format))
		return print_number(call, pkey, PKEY_ED25519_PRIVATE, out);
	if (format.len > 0)
		return print_form(call, pkey, PKEY_PKCS8, "PRIVATE KEY", format, out);
	return print_form(call, pkey, PKEY_TRADITIONAL, is_rsa(pkey) ? "RSA PRIVATE KEY" : "EC PRIVATE KEY", format, out);
}

enum bulla_err export_public(struct bulla_call *call, const struct pkey *pkey, struct bulla_bytes format, struct bulla_bytes *out)
{
	TRY(check_raw(call, pkey, format));
	if (wants_raw(pkey, format))
		return print_number(call, pkey, PKEY_ED25519_PUBLIC, out);
	return print_form(call, pkey, PKEY_PUBLIC, "PUBLIC KEY", format, out);
}

enum bulla_err export_chain(struct bulla_call *call, struct bulla_bytes chain, struct bulla_bytes *out)
{
	struct bulla_bytes rest = chain, certificate;
	size_t len = 0;

	if (chain.len == 0)
		return bulla_fail(call, BULLA_E_INVALID_500, "selected key version does not have a certificate chain imported");
	while (document_next_certificate(&rest, &certificate))
		len += pem_len("CERTIFICATE", certificate.len);
	char *text = bulla_arena_alloc(call->arena, len);

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	*out = bulla_mem(text, len - (len > 0));
	for (rest = chain; document_next_certificate(&rest, &certificate); text += pem_len("CERTIFICATE", certificate.len))
		pem_print("CERTIFICATE", certificate, text);
	return BULLA_OK;
}
