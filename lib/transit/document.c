/* document.c: owns what backup and restore share: the peer's numbers of key types, and chains of certificates. Stateless. */
#include "transit/document.h"

/* By the peer's number. */
static const char *const types[] = {
	"aes256-gcm96", "ecdsa-p256", "ed25519", "rsa-2048", "rsa-4096", "chacha20-poly1305",
	"ecdsa-p384", "ecdsa-p521", "aes128-gcm96", "rsa-3072", "hmac", "xchacha20-poly1305",
};

#define TYPES ((int)(sizeof types / sizeof types[0]))

int document_type(const struct alg *alg)
{
	int type = 0;

	while (type < TYPES && strcmp(types[type], alg->name) != 0)
		type++;
	return type < TYPES ? type : -1;
}

const struct alg *document_alg(int64_t type)
{
	return type >= 0 && type < TYPES ? alg_by_name(bulla_str(types[type])) : NULL;
}

/* X.690: a sequence with a definite length. */
bool document_next_certificate(struct bulla_bytes *chain, struct bulla_bytes *certificate)
{
	const uint8_t *p = chain->ptr;
	size_t header = 2, len = 0;

	if (chain->len < 2 || p[0] != 0x30)
		return false;
	if (p[1] < 0x80) {
		len = p[1];
	} else {
		size_t n = p[1] & 0x7F;

		if (n < 1 || n > 4 || chain->len < 2 + n)
			return false;
		for (size_t i = 0; i < n; i++)
			len = len << 8 | p[2 + i];
		header += n;
	}
	if (chain->len - header < len)
		return false;
	*certificate = bulla_mem(p, header + len);
	*chain = bulla_mem(p + header + len, chain->len - header - len);
	return true;
}
