/* x509_client.c: what stands in clients' certificates, as OpenSSL reads it; who issued them: x509_chain.c. Stateless: any thread. */
#include "crypto/x509_private.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

X509 *x509_parse(struct bulla_bytes der)
{
	const unsigned char *p = der.ptr;
	X509 *certificate = der.len > 0 && der.len <= LONG_MAX ? d2i_X509(NULL, &p, (long)der.len) : NULL;

	if (certificate != NULL && p != der.ptr + der.len) {
		X509_free(certificate);
		certificate = NULL;
	}
	ERR_clear_error();
	return certificate;
}

static enum bulla_err copy(struct bulla_call *call, const void *bytes, size_t n, struct bulla_bytes *out)
{
	struct bulla_bytes copied = bulla_arena_copy(call->arena, bulla_mem(bytes, n));

	if (copied.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	*out = copied;
	return BULLA_OK;
}

/* A full list, which has as many items as a power of two, gets twice the room: who is not known yet decides how long it is. */
static enum bulla_err make_room(struct bulla_call *call, struct x509_list *list)
{
	if ((list->count & (list->count - 1)) != 0)
		return BULLA_OK;
	struct bulla_bytes *grown = bulla_arena_alloc(call->arena, (list->count > 0 ? 2 * list->count : 1) * sizeof *grown);

	if (grown == NULL)
		return BULLA_E_NO_MEMORY;
	if (list->count > 0)
		memcpy(grown, list->items, list->count * sizeof *grown);
	list->items = grown;
	return BULLA_OK;
}

static enum bulla_err append(struct bulla_call *call, struct x509_list *list, struct bulla_bytes text)
{
	TRY(make_room(call, list));
	TRY(copy(call, text.ptr, text.len, &list->items[list->count]));
	list->count++;
	return BULLA_OK;
}

/* ---- names ---------------------------------------------------------------------------------------------------------------------- */

/* As UTF-8, from whatever kind of string it is. Empty: it cannot be read, or holds a NUL. OpenSSL's: freed by the caller. */
static struct bulla_bytes to_utf8(const ASN1_STRING *string, unsigned char **text)
{
	int n = ASN1_STRING_to_UTF8(text, string);

	if (n <= 0 || memchr(*text, 0, (size_t)n) != NULL)
		return (struct bulla_bytes){ 0 };
	return bulla_mem(*text, (size_t)n);
}

static enum bulla_err read_subject(struct bulla_call *call, const X509 *certificate, struct x509_names *out)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	enum bulla_err err = BULLA_OK;

	for (int i = 0; err == BULLA_OK && i < X509_NAME_entry_count(subject); i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, i);
		int kind = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
		unsigned char *text = NULL;
		struct bulla_bytes bytes = to_utf8(X509_NAME_ENTRY_get_data(entry), &text);

		if (bytes.len > 0 && kind == NID_commonName)
			err = copy(call, bytes.ptr, bytes.len, &out->common_name);
		if (bytes.len > 0 && kind == NID_organizationalUnitName)
			err = append(call, &out->units, bytes);
		OPENSSL_free(text);
	}
	return err;
}

static enum bulla_err add_alternative(struct bulla_call *call, const GENERAL_NAME *name, struct x509_names *out)
{
	struct x509_list *list = name->type == GEN_DNS ? &out->dns : name->type == GEN_EMAIL ? &out->emails :
				 name->type == GEN_URI ? &out->uris : NULL;

	if (list == NULL)
		return BULLA_OK;
	const ASN1_IA5STRING *text = name->d.ia5;
	const unsigned char *bytes = ASN1_STRING_get0_data(text);
	size_t n = (size_t)ASN1_STRING_length(text);

	if (n == 0 || memchr(bytes, 0, n) != NULL)
		return BULLA_OK;
	return append(call, list, bulla_mem(bytes, n));
}

static enum bulla_err read_alternatives(struct bulla_call *call, const X509 *certificate, struct x509_names *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	enum bulla_err err = BULLA_OK;

	for (int i = 0; err == BULLA_OK && i < sk_GENERAL_NAME_num(names); i++)
		err = add_alternative(call, sk_GENERAL_NAME_value(names, i), out);
	GENERAL_NAMES_free(names);
	return err;
}

static enum bulla_err read_serial(struct bulla_call *call, X509 *certificate, struct bulla_bytes *out)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	char *text = number != NULL ? BN_bn2dec(number) : NULL;
	enum bulla_err err = text != NULL ? copy(call, text, strlen(text), out) : BULLA_E_NO_MEMORY;

	OPENSSL_free(text);
	BN_free(number);
	return err;
}

static enum bulla_err read_key_ids(struct bulla_call *call, X509 *certificate, struct x509_names *out)
{
	const ASN1_OCTET_STRING *subject = X509_get0_subject_key_id(certificate);
	const ASN1_OCTET_STRING *authority = X509_get0_authority_key_id(certificate);

	if (subject != NULL)
		TRY(copy(call, ASN1_STRING_get0_data(subject), (size_t)ASN1_STRING_length(subject), &out->subject_key_id));
	if (authority != NULL)
		TRY(copy(call, ASN1_STRING_get0_data(authority), (size_t)ASN1_STRING_length(authority), &out->authority_key_id));
	return BULLA_OK;
}

static enum bulla_err read_all(struct bulla_call *call, X509 *certificate, struct x509_names *out)
{
	struct x509_names names = { 0 };
	uint32_t flags = X509_get_extension_flags(certificate);
	uint32_t usage = X509_get_extended_key_usage(certificate); /* all bits where there is none */

	if ((flags & EXFLAG_INVALID) != 0)
		return BULLA_E_BAD_FIELD;
	names.is_ca = (flags & EXFLAG_BCONS) != 0 && (flags & EXFLAG_CA) != 0;
	names.for_clients = (flags & EXFLAG_XKUSAGE) == 0 || (usage & (XKU_SSL_CLIENT | XKU_ANYEKU)) != 0;
	TRY(read_subject(call, certificate, &names));
	TRY(read_alternatives(call, certificate, &names));
	TRY(read_serial(call, certificate, &names.serial));
	TRY(read_key_ids(call, certificate, &names));
	*out = names;
	return BULLA_OK;
}

enum bulla_err x509_names_read(struct bulla_call *call, struct bulla_bytes der, struct x509_names *out)
{
	X509 *certificate = x509_parse(der);
	enum bulla_err err = certificate != NULL ? read_all(call, certificate, out) : BULLA_E_BAD_FIELD;

	X509_free(certificate);
	ERR_clear_error();
	return err;
}

/* ---- PEM ------------------------------------------------------------------------------------------------------------------------ */

static bool is_certificate(const char *name, const char *header)
{
	return header[0] == 0 && (strcmp(name, "CERTIFICATE") == 0 || strcmp(name, "TRUSTED CERTIFICATE") == 0);
}

static enum bulla_err read_blocks(struct bulla_call *call, BIO *bio, struct x509_list *out)
{
	char *name, *header;
	unsigned char *data;
	long n;
	enum bulla_err err = BULLA_OK;

	while (err == BULLA_OK && out->count < X509_MAX_CERTIFICATES && PEM_read_bio(bio, &name, &header, &data, &n) == 1) {
		X509 *certificate = is_certificate(name, header) ? x509_parse(bulla_mem(data, (size_t)n)) : NULL;

		if (certificate != NULL)
			err = append(call, out, bulla_mem(data, (size_t)n));
		X509_free(certificate);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(data);
	}
	return err;
}

enum bulla_err x509_pem_all(struct bulla_call *call, struct bulla_bytes pem, struct x509_list *out)
{
	BIO *bio = pem.len > 0 && pem.len <= INT_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
	struct x509_list list = { 0 };

	if (bio == NULL)
		return pem.len == 0 ? BULLA_E_BAD_FIELD : BULLA_E_NO_MEMORY;
	enum bulla_err err = read_blocks(call, bio, &list);

	BIO_free(bio);
	ERR_clear_error();
	TRY(err);
	if (list.count == 0)
		return BULLA_E_BAD_FIELD;
	*out = list;
	return BULLA_OK;
}

/* ---- extensions ------------------------------------------------------------------------------------------------------------------ */

static enum bulla_err read_extension(struct bulla_call *call, const X509 *certificate, const ASN1_OBJECT *oid, struct bulla_bytes *out)
{
	int at = X509_get_ext_by_OBJ(certificate, oid, -1);
	X509_EXTENSION *extension = at >= 0 ? X509_get_ext(certificate, at) : NULL;

	if (extension == NULL)
		return BULLA_E_NOT_FOUND;
	const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
	const unsigned char *p = ASN1_STRING_get0_data(value), *end = p + ASN1_STRING_length(value);
	ASN1_STRING *string = d2i_ASN1_PRINTABLE(NULL, &p, ASN1_STRING_length(value));
	unsigned char *text = NULL;
	struct bulla_bytes bytes = string != NULL && p == end ? to_utf8(string, &text) : (struct bulla_bytes){ 0 };
	enum bulla_err err = copy(call, bytes.ptr, bytes.len, out);

	OPENSSL_free(text);
	ASN1_STRING_free(string);
	return err;
}

enum bulla_err x509_extension(struct bulla_call *call, struct bulla_bytes der, struct bulla_bytes oid, struct bulla_bytes *out)
{
	struct bulla_bytes name = bulla_arena_copy(call->arena, oid);
	ASN1_OBJECT *object = name.ptr != NULL ? OBJ_txt2obj((const char *)name.ptr, 1) : NULL;
	X509 *certificate = x509_parse(der);
	enum bulla_err err = object != NULL && certificate != NULL ? read_extension(call, certificate, object, out) : BULLA_E_NOT_FOUND;

	X509_free(certificate);
	ASN1_OBJECT_free(object);
	ERR_clear_error();
	return err;
}
