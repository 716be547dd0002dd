/* material.c: owns the memory of key material on its way. Any thread. */
#include "crypto/material.h"

#include "crypto/crypto.h"

enum bulla_err material_new(size_t len, struct material *out)
{
	uint8_t *ptr = len == 0 || len > MATERIAL_MAX ? NULL : bulla_secret_alloc(len);

	if (ptr == NULL)
		return BULLA_E_NO_MEMORY;
	*out = (struct material){ .ptr = ptr, .len = len, .size = len };
	return BULLA_OK;
}

enum bulla_err material_copy(struct bulla_bytes from, struct material *out)
{
	TRY(material_new(from.len, out));
	memcpy(out->ptr, from.ptr, from.len);
	return BULLA_OK;
}

enum bulla_err material_random(size_t len, struct material *out)
{
	struct material made = { 0 };

	TRY(material_new(len, &made));
	enum bulla_err err = random_bytes(made.ptr, len);

	if (err != BULLA_OK) {
		material_clear(&made);
		return err;
	}
	*out = made;
	return BULLA_OK;
}

void material_clear(struct material *material)
{
	bulla_secret_free(material->ptr, material->size);
	*material = (struct material){ 0 };
}
