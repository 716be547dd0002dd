/* ciphertext.c: owns the printed form of what a key sealed. Stateless: any thread. */
#include "bulla/encode.h"
#include "bulla/transit.h"

#define PREFIX "vault:v"

static size_t digits(uint32_t v)
{
	size_t n = 1;

	while (v >= 10) {
		v /= 10;
		n++;
	}
	return n;
}

size_t bulla_ciphertext_len(uint32_t version, size_t n)
{
	return strlen(PREFIX) + digits(version) + 1 + BULLA_BASE64_LEN(n);
}

void bulla_ciphertext_print(uint32_t version, struct bulla_bytes sealed, char *out)
{
	size_t n = digits(version);

	memcpy(out, PREFIX, strlen(PREFIX));
	out += strlen(PREFIX);
	for (size_t i = n; i > 0; i--, version /= 10)
		out[i - 1] = (char)('0' + version % 10);
	out[n] = ':';
	bulla_base64_encode(sealed, out + n + 1);
}
