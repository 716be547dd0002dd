/* pkey_read.c: owns the reading of asymmetric keys that come from elsewhere: from DER to numbers, and from numbers to a key of ours.
 * Stateless: any thread. Texts of refusals follow OpenBao's, where it has one. */
#include "crypto/pkey_read.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <stdarg.h>
#include <stdio.h>

#include "crypto/der.h"
#include "crypto/pkey_private.h"

#define SEED 32
#define OID_TEXT 80

/* What a key says of itself, before it is a key. All borrowed from the DER. */
struct parsed {
	const struct kind *kind;      /* which algorithm */
	struct bulla_bytes curve;     /* EC: content of the OID */
	struct bulla_bytes seed;      /* Ed25519 */
	struct bulla_bytes beside;    /* the public key that came with a private one (RFC 5958), as the algorithm writes it */
	struct pkey_numbers numbers;
};

struct reading {
	const struct alg *alg;
	bool private;
	struct pkey_fault *fault;
};

/* An algorithm identifier, and how what it labels is read. */
struct kind {
	struct bulla_bytes oid;
	const char *type;             /* OpenSSL's name, as in a family */
	const char *go_private, *go_public; /* what OpenBao's texts call them */
	enum bulla_err (*private)(const struct reading *r, struct bulla_bytes inner, struct parsed *p);
	enum bulla_err (*public)(const struct reading *r, struct bulla_bytes bits, struct parsed *p);
};

__attribute__((format(printf, 3, 4))) static enum bulla_err refuse_as(const struct reading *r, int kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(r->fault->text, sizeof r->fault->text, format, args);
	va_end(args);
	r->fault->kind = kind;
	return BULLA_E_BAD_KEY_MATERIAL;
}

#define refuse(r, ...) refuse_as(r, PKEY_MALFORMED, __VA_ARGS__)

/* A positive INTEGER without the zero that keeps it positive. */
static bool take_number(struct bulla_bytes *cursor, struct bulla_bytes *number)
{
	if (!der_take(cursor, DER_INTEGER, number) || number->len == 0 || number->ptr[0] > 127)
		return false;
	if (number->ptr[0] == 0 && number->len > 1 && number->ptr[1] < 128)
		return false; /* not the shortest form */
	while (number->len > 0 && number->ptr[0] == 0)
		*number = bulla_mem(number->ptr + 1, number->len - 1);
	return true;
}

/* ---- RSA (RFC 8017, appendix A.1) -------------------------------------------------------------------------------------------- */

/* SEQUENCE { n, e } with nothing behind it. */
static bool read_modulus(struct bulla_bytes der, struct bulla_bytes *n, struct bulla_bytes *e)
{
	struct bulla_bytes in;

	return der_take(&der, DER_SEQUENCE, &in) && der.len == 0 && take_number(&in, n) && take_number(&in, e) && in.len == 0;
}

static enum bulla_err check_modulus(const struct reading *r, struct bulla_bytes n)
{
	if (n.len != r->alg->bits / 8)
		return refuse_as(r, PKEY_OTHER_SIZE, "invalid key size: expected %u bytes, got %zu bytes", r->alg->bits / 8, n.len);
	return BULLA_OK;
}

/* dP, dQ and qInv are computed anew. A key of more than two primes (version 1) is none of ours: its backup could not be written. */
static enum bulla_err read_rsa_private(const struct reading *r, struct bulla_bytes inner, struct parsed *p)
{
	struct bulla_bytes in, unused, n, e;
	unsigned version;

	if (!der_take(&inner, DER_SEQUENCE, &in) || inner.len > 0 || !der_take_small(&in, &version))
		return refuse(r, "error parsing asymmetric key: malformed RSA private key");
	if (version != 0)
		return refuse(r, "error parsing asymmetric key: RSA keys of more than two primes are not supported");
	if (!take_number(&in, &p->numbers.n) || !take_number(&in, &p->numbers.e) || !take_number(&in, &p->numbers.d) ||
	    !take_number(&in, &p->numbers.p) || !take_number(&in, &p->numbers.q) || !take_number(&in, &unused) ||
	    !take_number(&in, &unused) || !take_number(&in, &unused) || in.len > 0)
		return refuse(r, "error parsing asymmetric key: malformed RSA private key");
	if (p->beside.ptr != NULL && !(read_modulus(p->beside, &n, &e) && bulla_equal(n, p->numbers.n) && bulla_equal(e, p->numbers.e)))
		return refuse(r, "the public key that comes with the private key does not belong to it");
	return check_modulus(r, p->numbers.n);
}

static enum bulla_err read_rsa_public(const struct reading *r, struct bulla_bytes bits, struct parsed *p)
{
	if (!read_modulus(bits, &p->numbers.n, &p->numbers.e))
		return refuse(r, "error parsing public key: malformed RSA public key");
	return check_modulus(r, p->numbers.n);
}

/* ---- elliptic curves (RFC 5915, RFC 5480) ------------------------------------------------------------------------------------- */

static const struct {
	struct bulla_bytes oid;
	const char *name;
} curves[] = {
	{ { (const uint8_t *)"\x2B\x81\x04\x00\x21", 5 }, "P-224" },
	{ { (const uint8_t *)"\x2A\x86\x48\xCE\x3D\x03\x01\x07", 8 }, "P-256" },
	{ { (const uint8_t *)"\x2B\x81\x04\x00\x22", 5 }, "P-384" },
	{ { (const uint8_t *)"\x2B\x81\x04\x00\x23", 5 }, "P-521" },
};

/* What NSS calls Ed25519 (draft-josefsson-pkix-newcurves), and the number of X25519 that others put in its place. */
static const struct bulla_bytes ed25519_curves[] = {
	{ (const uint8_t *)"\x2B\x06\x01\x04\x01\xDA\x47\x0F\x01", 9 },
	{ (const uint8_t *)"\x2B\x65\x6E", 3 },
};

static bool is_ed25519_curve(struct bulla_bytes oid)
{
	return bulla_equal(oid, ed25519_curves[0]) || bulla_equal(oid, ed25519_curves[1]);
}

/* An OID's content as a name or in dotted form. */
static const char *oid_text(struct bulla_bytes oid, char text[OID_TEXT])
{
	uint8_t der[OID_TEXT];
	const uint8_t *at = der;

	for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
		if (bulla_equal(oid, curves[i].oid))
			return curves[i].name;
	if (oid.len == 0 || oid.len > 60)
		return "an unknown one";
	der[0] = DER_OID;
	der[1] = (uint8_t)oid.len;
	memcpy(der + 2, oid.ptr, oid.len);
	ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &at, (long)oid.len + 2);
	int n = object == NULL ? 0 : OBJ_obj2txt(text, OID_TEXT, object, 0);

	ASN1_OBJECT_free(object);
	return n > 0 ? text : "an unknown one";
}

static enum bulla_err check_curve(const struct reading *r, struct bulla_bytes oid)
{
	char text[OID_TEXT];
	const char *got = oid_text(oid, text);

	if (strcmp(got, r->alg->title) != 0)
		return refuse_as(r, PKEY_OTHER_CURVE, "invalid curve: expected %s, got %s", r->alg->title, got);
	return BULLA_OK;
}

/* ECPrivateKey ::= SEQUENCE { 1, OCTET STRING, [0] curve OPTIONAL, [1] BIT STRING OPTIONAL } */
static bool read_sec1(struct bulla_bytes der, struct bulla_bytes *d, struct bulla_bytes *curve, struct bulla_bytes *point)
{
	struct bulla_bytes in, tagged;
	unsigned version;

	if (!der_take(&der, DER_SEQUENCE, &in) || der.len > 0 || !der_take_small(&in, &version) || version != 1 ||
	    !der_take(&in, DER_OCTET_STRING, d))
		return false;
	if (der_take(&in, DER_CONTEXT_0, &tagged) && !(der_take(&tagged, DER_OID, curve) && tagged.len == 0))
		return false;
	if (der_take(&in, DER_CONTEXT_1, &tagged) && !(der_take_bits(&tagged, DER_BIT_STRING, point) && tagged.len == 0))
		return false;
	return in.len == 0;
}

static enum bulla_err read_ec_private(const struct reading *r, struct bulla_bytes inner, struct parsed *p)
{
	struct bulla_bytes d = { 0 }, curve = { 0 }, point = { 0 };

	if (!read_sec1(inner, &d, &curve, &point))
		return refuse(r, "error parsing asymmetric key: malformed EC private key");
	if (curve.ptr != NULL && !bulla_equal(curve, p->curve))
		return refuse(r, "error parsing asymmetric key: the EC private key names two curves");
	TRY(check_curve(r, p->curve));
	while (d.len > 0 && d.ptr[0] == 0)
		d = bulla_mem(d.ptr + 1, d.len - 1);
	p->numbers.d = d;
	p->numbers.point = point;
	return BULLA_OK;
}

static enum bulla_err read_ec_public(const struct reading *r, struct bulla_bytes bits, struct parsed *p)
{
	TRY(check_curve(r, p->curve));
	p->numbers.point = bits;
	return BULLA_OK;
}

/* ---- Ed25519 (RFC 8410) -------------------------------------------------------------------------------------------------------- */

static enum bulla_err check_seed(const struct reading *r, struct bulla_bytes seed, struct parsed *p)
{
	if (seed.len != SEED)
		return refuse(r, "error parsing asymmetric key: an Ed25519 private key has 32 bytes, this one %zu", seed.len);
	p->seed = seed;
	return BULLA_OK;
}

static enum bulla_err read_ed25519_private(const struct reading *r, struct bulla_bytes inner, struct parsed *p)
{
	struct bulla_bytes seed;

	if (!der_take(&inner, DER_OCTET_STRING, &seed) || inner.len > 0)
		return refuse(r, "error parsing asymmetric key: malformed Ed25519 private key");
	return check_seed(r, seed, p);
}

static enum bulla_err read_ed25519_public(const struct reading *r, struct bulla_bytes bits, struct parsed *p)
{
	if (bits.len != SEED)
		return refuse(r, "error parsing public key: an Ed25519 public key has 32 bytes, this one %zu", bits.len);
	p->numbers.public_key = bits;
	return BULLA_OK;
}

/* An ECPrivateKey whose curve is Ed25519, in PKCS#8 (outer: the curve named there) or bare. The point is made anew. */
static enum bulla_err read_nss(const struct reading *r, struct bulla_bytes der, struct bulla_bytes outer, struct parsed *p)
{
	struct bulla_bytes seed = { 0 }, curve = outer, point = { 0 };

	if (!read_sec1(der, &seed, &curve, &point) || !is_ed25519_curve(curve))
		return refuse(r, "error parsing asymmetric key: malformed Ed25519 private key");
	return check_seed(r, seed, p);
}

/* ---- the envelope -------------------------------------------------------------------------------------------------------------- */

static const struct kind kinds[] = {
	{ { (const uint8_t *)"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01", 9 }, "RSA", "*rsa.PrivateKey", "*rsa.PublicKey",
	  read_rsa_private, read_rsa_public },
	{ { (const uint8_t *)"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0A", 9 }, "RSA", "*rsa.PrivateKey", "*rsa.PublicKey", /* PSS */
	  read_rsa_private, read_rsa_public },
	{ { (const uint8_t *)"\x2A\x86\x48\xCE\x3D\x02\x01", 7 }, "EC", "*ecdsa.PrivateKey", "*ecdsa.PublicKey",
	  read_ec_private, read_ec_public },
	{ { (const uint8_t *)"\x2B\x65\x70", 3 }, "ED25519", "ed25519.PrivateKey", "ed25519.PublicKey",
	  read_ed25519_private, read_ed25519_public },
};

static const struct kind kind_nss = { .type = "ED25519", .go_private = "ed25519.PrivateKey", .go_public = "ed25519.PublicKey" };

/* AlgorithmIdentifier: which kind, and the curve where it has one. RSA's parameters are NULL, absent or, of PSS, a sequence. */
static enum bulla_err read_algorithm(const struct reading *r, struct bulla_bytes id, struct parsed *p)
{
	struct bulla_bytes oid, unused;
	char text[OID_TEXT];

	if (!der_take(&id, DER_OID, &oid))
		return refuse(r, "malformed algorithm identifier");
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (bulla_equal(oid, kinds[i].oid))
			p->kind = &kinds[i];
	if (p->kind == NULL)
		return refuse(r, "unknown algorithm: %s", oid_text(oid, text));
	if (p->kind->private == read_ec_private && !der_take(&id, DER_OID, &p->curve))
		return refuse(r, "elliptic curves are known by their names only, not by parameters");
	if (p->kind->private == read_rsa_private)
		(void)(der_take(&id, DER_NULL, &unused) || der_take(&id, DER_SEQUENCE, &unused));
	return id.len == 0 ? BULLA_OK : refuse(r, "malformed algorithm identifier");
}

/* What is no PKCS#8 at all, most often: the other forms that tools write. */
static enum bulla_err refuse_form(const struct reading *r, struct bulla_bytes der)
{
	struct bulla_bytes in, unused;
	unsigned version;

	if (bulla_begins(der, "-----BEGIN "))
		return refuse(r, "error parsing asymmetric key: this is PEM text; a private key is wrapped as PKCS#8 in DER");
	if (!der_take(&der, DER_SEQUENCE, &in))
		return refuse(r, "error parsing asymmetric key: this is no PKCS#8 in DER");
	if (der.len > 0)
		return refuse(r, "error parsing asymmetric key: trailing bytes after the key");
	if (der_is_next(in, DER_SEQUENCE))
		return refuse(r, "error parsing asymmetric key: this is a public key or an encrypted private one; "
				 "PKCS#8 in clear is expected");
	if (der_take_small(&in, &version) && version <= 1 && der_is_next(in, DER_INTEGER))
		return refuse(r, "error parsing asymmetric key: x509: failed to parse private key "
				 "(use ParsePKCS1PrivateKey instead for this key format)");
	if (der_take(&in, DER_OCTET_STRING, &unused))
		return refuse(r, "error parsing asymmetric key: x509: failed to parse private key "
				 "(use ParseECPrivateKey instead for this key format)");
	return refuse(r, "error parsing asymmetric key: this is no PKCS#8 in DER");
}

/* OneAsymmetricKey ::= SEQUENCE { version, algorithm, OCTET STRING, [0] attributes OPTIONAL, [1] public key OPTIONAL } */
static enum bulla_err read_pkcs8(const struct reading *r, struct bulla_bytes der, struct parsed *p)
{
	struct bulla_bytes rest = der, in, id, inner, unused;
	unsigned version;

	if (!der_take(&rest, DER_SEQUENCE, &in) || rest.len > 0 || !der_take_small(&in, &version) || version > 1 ||
	    !der_take(&in, DER_SEQUENCE, &id) || !der_take(&in, DER_OCTET_STRING, &inner)) {
		p->kind = &kind_nss;
		return read_nss(r, der, (struct bulla_bytes){ 0 }, p) == BULLA_OK ? BULLA_OK : refuse_form(r, der);
	}
	TRY(read_algorithm(r, id, p));
	(void)der_take(&in, DER_CONTEXT_0, &unused);
	if (der_is_next(in, DER_IMPLICIT_1) && !der_take_bits(&in, DER_IMPLICIT_1, &p->beside))
		return refuse(r, "error parsing asymmetric key: malformed public key");
	if (in.len > 0)
		return refuse(r, "error parsing asymmetric key: unknown elements in the PKCS#8 structure");
	if (is_ed25519_curve(p->curve)) {
		p->kind = &kind_nss;
		return read_nss(r, inner, p->curve, p);
	}
	return strcmp(p->kind->type, r->alg->family->type) == 0 ? p->kind->private(r, inner, p) : BULLA_OK;
}

/* SubjectPublicKeyInfo ::= SEQUENCE { algorithm, BIT STRING } */
static enum bulla_err read_spki(const struct reading *r, struct bulla_bytes der, struct parsed *p)
{
	struct bulla_bytes in, id, bits;

	if (!der_take(&der, DER_SEQUENCE, &in) || !der_take(&in, DER_SEQUENCE, &id) || !der_take_bits(&in, DER_BIT_STRING, &bits) ||
	    in.len > 0)
		return refuse(r, "error parsing public key: this is no SubjectPublicKeyInfo");
	if (der.len > 0)
		return refuse(r, "error parsing public key: trailing bytes after the key");
	TRY(read_algorithm(r, id, p));
	return strcmp(p->kind->type, r->alg->family->type) == 0 ? p->kind->public(r, bits, p) : BULLA_OK;
}

/* ---- from numbers to a key ------------------------------------------------------------------------------------------------------ */

static enum bulla_err check_type(const struct reading *r, const struct parsed *p)
{
	if (strcmp(p->kind->type, r->alg->family->type) == 0)
		return BULLA_OK;
	return refuse_as(r, PKEY_OTHER_TYPE, "invalid key type: expected %s, got %s", r->alg->name, r->private ? p->kind->go_private : p->kind->go_public);
}

/* EC and NSS keys can bring a second public key, which nothing has been compared with yet. */
static enum bulla_err check_beside(const struct reading *r, const struct parsed *p, const struct pkey *pkey)
{
	BULLA_CLEANUP(pkey_release) struct pkey *other = NULL;
	const struct pkey_numbers numbers = { .point = p->beside, .public_key = p->beside };

	if (p->beside.ptr == NULL || strcmp(p->kind->type, "RSA") == 0)
		return BULLA_OK;
	enum bulla_err err = pkey_from_numbers(r->alg, &numbers, &other);

	if (err != BULLA_OK && err != BULLA_E_BAD_KEY_MATERIAL)
		return err;
	if (err != BULLA_OK || !pkey_same_public(other, pkey))
		return refuse(r, "the public key that comes with the private key does not belong to it");
	return BULLA_OK;
}

static enum bulla_err make(const struct reading *r, struct parsed *p, struct pkey **out)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;

	TRY(check_type(r, p));
	p->numbers.ed25519 = p->seed;
	enum bulla_err err = pkey_from_numbers(r->alg, &p->numbers, &pkey);

	if (err == BULLA_E_BAD_KEY_MATERIAL)
		return refuse(r, r->private ? "the numbers of the private key do not belong together"
					    : "the public key is not one of this algorithm");
	TRY(err);
	TRY(check_beside(r, p, pkey));
	*out = pkey_hold(pkey);
	return BULLA_OK;
}

static enum bulla_err read(const struct alg *alg, bool private, struct bulla_bytes der, struct pkey **out, struct pkey_fault *fault)
{
	const struct reading r = { alg, private, fault };
	struct parsed p = { 0 };

	*fault = (struct pkey_fault){ .kind = PKEY_MALFORMED };
	if (alg->family == NULL)
		return BULLA_E_BAD_KEY_MATERIAL;
	if (der.len == 0 || der.len > MATERIAL_MAX)
		return refuse(&r, "a key has 1 to %d bytes, this one %zu", MATERIAL_MAX, der.len);
	enum bulla_err err = private ? read_pkcs8(&r, der, &p) : read_spki(&r, der, &p);

	if (err == BULLA_OK)
		err = make(&r, &p, out);
	ERR_clear_error();
	return err;
}

enum bulla_err pkey_read_private(const struct alg *alg, struct bulla_bytes der, struct pkey **out, struct pkey_fault *fault)
{
	return read(alg, true, der, out, fault);
}

enum bulla_err pkey_read_public(const struct alg *alg, struct bulla_bytes der, struct pkey **out, struct pkey_fault *fault)
{
	return read(alg, false, der, out, fault);
}
