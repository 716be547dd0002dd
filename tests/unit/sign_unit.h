/* sign_unit.h: transit_unit.h with keys of any type, their material made anew. */
#ifndef TESTS_SIGN_UNIT_H
#define TESTS_SIGN_UNIT_H

#include "transit_unit.h"

/* Versions 1 to head->latest; hmac keys are bytes of the version's number. */
static inline void publish_made(const char *name, const struct key_head *head)
{
	struct key_id id;

	ck_assert_ok(keyring_id(engine.keyring, mount.uuid, bulla_str(name), &id));
	struct key *key = key_new(&id, head);

	ck_assert_ptr_nonnull(key);
	for (uint32_t n = 1; n <= head->latest; n++) {
		BULLA_CLEANUP(material_clear) struct material material = { 0 };

		ck_assert_ok(alg_make(head->alg, 0, NULL, &material));
		struct version *version = version_new(n, 1000000000, 0, material.len);

		ck_assert_ptr_nonnull(version);
		memset(version->cell, (int)n, KEY_HMAC_BYTES);
		memcpy(version->cell + KEY_HMAC_BYTES, material.ptr, material.len);
		ck_assert_ok(key_add(key, version));
	}
	publish_unstored(key, &id);
}

static inline struct bulla_sign_args sign_args(const struct bulla_sign_item *item)
{
	return (struct bulla_sign_args){
		.mount = &mount, .name = bulla_str("k"), .hash = bulla_str("sha2-256"), .marshaling = bulla_str("asn1"),
		.salt_length = bulla_str("auto"), .items = item, .count = 1,
	};
}

/* An item's outcome; the operation itself must not fail. */
static inline struct bulla_signature sign_one(struct bulla_sign_args args)
{
	struct bulla_signature result;

	ck_assert_ok(bulla_sign(&engine, &call, &args, &result));
	ck_assert_uint_eq(call.detail.len, 0);
	return result;
}

static inline struct bulla_verdict verify_one(struct bulla_sign_args args)
{
	struct bulla_verdict result;

	ck_assert_ok(bulla_verify(&engine, &call, &args, &result));
	ck_assert_uint_eq(call.detail.len, 0);
	ck_assert(result.err == BULLA_OK || !result.valid);
	return result;
}

#define ck_assert_item_err(result, error_, text_)       \
	do {                                            \
		__auto_type result_ = (result);         \
		ck_assert_err(result_.err, (error_));   \
		ck_assert_bytes(result_.error, (text_)); \
	} while (0)

/* The whole operation is refused, before any item. */
#define ck_assert_call_err(expr, error_, text_)             \
	do {                                                \
		ck_assert_err((expr), (error_));            \
		ck_assert_bytes(call.detail, (text_));      \
		call.detail = (struct bulla_bytes){ 0 };    \
	} while (0)

#endif
