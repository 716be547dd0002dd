/* material.h: bytes of key material, in secret memory. One owner at a time. */
#ifndef BULLA_CRYPTO_MATERIAL_H
#define BULLA_CRYPTO_MATERIAL_H

#include "bulla/bytes.h"
#include "bulla/error.h"
#include "bulla/memory.h"

#define MATERIAL_MAX 16384

/* Starts as zeros, BULLA_CLEANUP(material_clear). */
struct material {
	uint8_t *ptr;
	size_t len;  /* bytes that count */
	size_t size; /* bytes there are */
};

/* len bytes of zeros, 1 to MATERIAL_MAX. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err material_new(size_t len, struct material *out);
/* A copy. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err material_copy(struct bulla_bytes from, struct material *out);
/* len random bytes. NO_MEMORY, NO_RANDOM. */
BULLA_MUST_USE enum bulla_err material_random(size_t len, struct material *out);
void material_clear(struct material *material);

static inline struct bulla_bytes material_bytes(const struct material *material)
{
	return bulla_mem(material->ptr, material->len);
}

#endif
