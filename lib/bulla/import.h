/* import.h: keys that come from outside, or leave for another server, wrapped; certificates; key agreement.
 *
 * All of these block (MUST_BLOCK on an event loop) and change all or nothing. Where no error is said: INVALID, INVALID_500 with
 * the peer's texts, KEY_SOFT_DELETED, STORE_DAMAGED, SEALED, CRYPTO, NO_MEMORY, the store's. Results are in the call's arena. */
#ifndef BULLA_IMPORT_H
#define BULLA_IMPORT_H

#include "transit.h"

BULLA_DECLS_BEGIN

/* ---- import ------------------------------------------------------------------------------------------------------------ */

/* The public half of the mount's RSA-4096 wrapping key, in PEM. It is made when it is first asked for, which takes seconds. */
BULLA_MUST_USE enum bulla_err bulla_wrapping_key(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						 struct bulla_bytes *pem);

/* Key material, wrapped: base64 of an AES-256 key under RSA-OAEP (512 bytes) and the key under that (AES-KWP, RFC 5649): symmetric
 * bytes or PKCS#8. Or a public key in PEM. */
struct bulla_import_source {
	bool wrapped;               /* which of both it is */
	struct bulla_bytes text;
	struct bulla_bytes hash;    /* of OAEP: SHA1, SHA224, SHA256, SHA384, SHA512, in any case */
};

struct bulla_import_args {
	struct bulla_bytes type;    /* in any case */
	struct bulla_import_source source;
	bool derived, exportable, allow_plaintext_backup, allow_rotation;
	int64_t auto_rotate_s;
};
BULLA_MUST_USE enum bulla_err bulla_key_import(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, const struct bulla_import_args *args);

/* A further version; or, given the private key of a version that is a public key alone, that version's (version NULL: the
 * latest's, if they belong together). */
BULLA_MUST_USE enum bulla_err bulla_key_import_version(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						       struct bulla_bytes name, const struct bulla_import_source *source,
						       const int64_t *version);

/* Once, after bulla_memory_init, before threads start and before anybody else uses OpenSSL (libcurl does): for what follows. CRYPTO,
 * NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_wrap_init(void);
/* For who brings a key, without an engine: material (symmetric bytes or PKCS#8; 16 bytes to 8 KiB) wrapped for the source above under
 * the server's wrapping key (PEM), base64, in the arena. Nothing of material is left behind. INVALID: the sizes, the hash, a PEM that
 * is no RSA public key; the texts are the peer's. */
BULLA_MUST_USE enum bulla_err bulla_wrap_for_import(struct bulla_call *call, struct bulla_bytes pem, struct bulla_bytes hash,
						    struct bulla_bytes material, struct bulla_bytes *out);

/* ---- export for another server's import ------------------------------------------------------------------------------------ */

struct bulla_byok_args {
	const struct bulla_mount *mount;
	struct bulla_bytes destination; /* an RSA key: the other server's wrapping key */
	struct bulla_bytes source;
	struct bulla_bytes version;     /* as in struct bulla_export_args */
	struct bulla_bytes hash;
};
BULLA_MUST_USE enum bulla_err bulla_byok_export(struct bulla *engine, struct bulla_call *call, const struct bulla_byok_args *args,
						struct bulla_export_result *out);

/* ---- certificates ------------------------------------------------------------------------------------------------------------ */

/* A certificate request (PKCS#10, RFC 2986) of a signing key, in PEM, with the subject and the extensions of like (PEM; empty:
 * none). version NULL: the latest. */
BULLA_MUST_USE enum bulla_err bulla_key_csr(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					    struct bulla_bytes name, const int64_t *version, struct bulla_bytes like,
					    const char **type, struct bulla_bytes *pem);

/* Keeps certificates (PEM, the leaf first) with the version whose public key the leaf has. Nothing else of them is checked but
 * that CAs stand behind the leaf. */
BULLA_MUST_USE enum bulla_err bulla_key_set_certificate(struct bulla *engine, struct bulla_call *call,
							const struct bulla_mount *mount, struct bulla_bytes name,
							const int64_t *version, struct bulla_bytes chain, const char **type);

/* ---- key agreement ----------------------------------------------------------------------------------------------------------- */

struct bulla_derive_key_args {
	struct bulla_bytes algorithm; /* "ecdh" */
	struct bulla_bytes base;      /* name of an EC key */
	int64_t base_version;         /* 0: the latest */
	struct bulla_bytes peer;      /* the other side's public key, PEM */
	struct bulla_bytes type;      /* of the key that is made; in any case */
};
/* A key, or a further version of one, of HKDF-SHA256 over the shared secret (no salt, no info), as the peer makes it. */
BULLA_MUST_USE enum bulla_err bulla_derive_key(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, const struct bulla_derive_key_args *args);

BULLA_DECLS_END

#endif
