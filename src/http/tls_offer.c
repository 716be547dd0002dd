/* tls_offer.c: which versions and cipher suites of TLS are offered: forward secrecy and authenticated encryption
 * only. Stateless: any thread. */
#include "http/tls_internal.h"

#include <string.h>

#define BASE "NORMAL:-VERS-ALL:+VERS-TLS1.3"
/* X25519 first: nearly all clients send a share of it unasked, and any other choice is answered by a second
 * ClientHello. No FFDHE, which lets a client have milliseconds of ours for each hello. */
#define GROUPS ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1"
#define SUITES GROUPS ":-RSA:-DHE-RSA:-AES-128-CBC:-AES-256-CBC:-SHA1:%SERVER_PRECEDENCE"
#define RSA_KEY 1u   /* a suite's number is that of its cipher, and this if it is for RSA keys */
#define TLS13 0x100u /* in a set: a suite of TLS 1.3 has been named, which says nothing of TLS 1.2 */

/* In the order in which we like them. */
static const char *const ciphers[] = { "AES-256-GCM", "CHACHA20-POLY1305", "AES-128-GCM" };

static const struct {
	const char *name;
	unsigned bit;
} suites[] = {
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 1u << 0 },
	{ "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 1u << (0 + RSA_KEY) },
	{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 1u << 2 },
	{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 1u << (2 + RSA_KEY) },
	{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", 1u << 2 }, /* the names that Go had before */
	{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", 1u << (2 + RSA_KEY) },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 1u << 4 },
	{ "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 1u << (4 + RSA_KEY) },
	{ "TLS_AES_128_GCM_SHA256", TLS13 },
	{ "TLS_AES_256_GCM_SHA384", TLS13 },
	{ "TLS_CHACHA20_POLY1305_SHA256", TLS13 },
	/* known, and too weak to be offered */
	{ "TLS_RSA_WITH_RC4_128_SHA", 0 },
	{ "TLS_RSA_WITH_3DES_EDE_CBC_SHA", 0 },
	{ "TLS_RSA_WITH_AES_128_CBC_SHA", 0 },
	{ "TLS_RSA_WITH_AES_256_CBC_SHA", 0 },
	{ "TLS_RSA_WITH_AES_128_CBC_SHA256", 0 },
	{ "TLS_RSA_WITH_AES_128_GCM_SHA256", 0 },
	{ "TLS_RSA_WITH_AES_256_GCM_SHA384", 0 },
	{ "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", 0 },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0 },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0 },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 0 },
	{ "TLS_ECDHE_RSA_WITH_RC4_128_SHA", 0 },
	{ "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", 0 },
	{ "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0 },
	{ "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0 },
	{ "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", 0 },
};

const char *tls_priorities(const char *min_version)
{
	if (min_version == NULL || strcmp(min_version, "tls12") == 0)
		return BASE ":+VERS-TLS1.2" SUITES;
	if (strcmp(min_version, "tls13") == 0)
		return BASE SUITES;
	return NULL;
}

static bool add_suite(struct bulla_arena *arena, struct bulla_bytes name, unsigned *set, struct bulla_bytes *why)
{
	const char *what = "is unknown";

	for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
		if (!bulla_is(name, suites[i].name))
			continue;
		*set |= suites[i].bit;
		if (suites[i].bit != 0)
			return true;
		what = "is not offered: it has no forward secrecy or no authenticated encryption";
	}
	*why = bulla_arena_printf(arena, "cipher suite \"%.*s\" %s", (int)name.len, (const char *)name.ptr, what);
	return false;
}

bool tls_suites_parse(struct bulla_arena *arena, const char *text, unsigned *set, struct bulla_bytes *why)
{
	unsigned found = 0;

	for (;;) {
		size_t before = strspn(text, " \t"), len = strcspn(text, ","), end = len;

		while (end > before && (text[end - 1] == ' ' || text[end - 1] == '\t'))
			end--;
		if (before > end)
			before = end;
		if (!add_suite(arena, bulla_mem(text + before, end - before), &found, why))
			return false;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	*set = found;
	return true;
}

struct bulla_bytes tls_priorities12(struct bulla_arena *arena, unsigned set, bool rsa)
{
	struct bulla_bytes text = bulla_str("");

	for (unsigned i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++)
		if ((set >> (2 * i + (rsa ? RSA_KEY : 0)) & 1) != 0)
			text = bulla_arena_printf(arena, "%.*s:+%s", (int)text.len, (const char *)text.ptr, ciphers[i]);
	if (text.len == 0)
		return text;
	return bulla_arena_printf(arena, "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL%.*s%s", (int)text.len,
				  (const char *)text.ptr, SUITES);
}
