/* signature_form.c: owns what the bytes of an ECDSA signature may look like. The peer tells malformed ones from wrong ones, as
 * Go's encoding/asn1 does. Stateless: any thread. */
#include "transit/transit.h"

#define TAG_SEQUENCE 0x30
#define TAG_INTEGER 0x02

/* The length at *at (behind the tag), DER: the shortest form, below 8 MiB. false: none. */
static bool read_length(struct bulla_bytes der, size_t *at, size_t *len)
{
	if (*at >= der.len)
		return false;
	size_t n = der.ptr[(*at)++], bytes = n & 0x7F;

	if (n >= 0x80) {
		if (bytes == 0 || bytes > 3 || *at + bytes > der.len || der.ptr[*at] == 0)
			return false;
		for (n = 0; bytes > 0; bytes--)
			n = n << 8 | der.ptr[(*at)++];
		if (n < 0x80 || n >= 1u << 23)
			return false;
	}
	*len = n;
	return true;
}

/* Takes an element with that tag from the front of *der. */
static bool take(struct bulla_bytes *der, uint8_t tag, struct bulla_bytes *content)
{
	size_t at = 1, len;

	if (der->len == 0 || der->ptr[0] != tag || !read_length(*der, &at, &len) || len > der->len - at)
		return false;
	*content = bulla_mem(der->ptr + at, len);
	*der = bulla_mem(der->ptr + at + len, der->len - at - len);
	return true;
}

static bool take_integer(struct bulla_bytes *der)
{
	struct bulla_bytes v;

	if (!take(der, TAG_INTEGER, &v) || v.len == 0)
		return false;
	if (v.len == 1)
		return true;
	bool high = (v.ptr[1] & 0x80) != 0;

	return !((v.ptr[0] == 0 && !high) || (v.ptr[0] == 0xFF && high)); /* not the shortest */
}

enum signature_form signature_form(struct bulla_bytes der)
{
	struct bulla_bytes numbers;

	if (!take(&der, TAG_SEQUENCE, &numbers) || !take_integer(&numbers) || !take_integer(&numbers))
		return FORM_BAD;
	return der.len > 0 ? FORM_EXTRA : FORM_GOOD;
}

static bool pad(struct bulla_bytes number, size_t n, uint8_t *out)
{
	while (number.len > 0 && number.ptr[0] == 0)
		number = bulla_mem(number.ptr + 1, number.len - 1);
	if (number.len > n)
		return false;
	memset(out, 0, n);
	if (number.len > 0)
		memcpy(out + n - number.len, number.ptr, number.len);
	return true;
}

bool signature_pad(struct bulla_bytes halves, size_t field_bytes, uint8_t *out)
{
	size_t half = halves.len / 2;

	return pad(bulla_mem(halves.ptr, half), field_bytes, out) &&
	       pad(bulla_mem(halves.ptr + half, halves.len - half), field_bytes, out + field_bytes);
}
