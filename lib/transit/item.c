/* item.c: owns what every operation does around its items: finding the key, and where an item's error goes. Any thread. */
#include "access/grant.h"
#include "transit/transit.h"

enum bulla_err transit_begin(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			     struct bulla_bytes name, const struct key **out)
{
	enum bulla_err err = keyring_begin(engine->keyring, call, mount, name, out);

	return err == BULLA_E_NOT_FOUND ? BULLA_E_KEY_NOT_FOUND : err;
}

void transit_end(const struct key **key)
{
	if (*key != NULL)
		keyring_end(*key);
	*key = NULL;
}

enum bulla_err transit_begin_heavy(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				   struct bulla_bytes name, enum transit_op op, size_t items, size_t bytes, const struct key **out)
{
	TRY(transit_begin(engine, call, mount, name, out));
	uint64_t ns = transit_weight(key_alg(*out), op, items, bytes);

	if (ns <= TRANSIT_INLINE_NS)
		return BULLA_OK;
	transit_end(out); /* nobody waits within it */
	TRY(transit_weigh(call, ns));
	return transit_begin(engine, call, mount, name, out);
}

enum bulla_err transit_usable(struct bulla_call *call, const struct key *key)
{
	if (key_soft_deleted(key))
		return bulla_fail(call, BULLA_E_INVALID, "refusing to use soft-deleted key");
	return BULLA_OK;
}

enum bulla_err transit_encrypts(struct bulla_call *call, const struct key *key, const char *what)
{
	if ((key_alg(key)->can & ALG_ENCRYPT) == 0)
		return bulla_fail(call, BULLA_E_INVALID, "message %s not supported for key type %s", what, key_alg(key)->name);
	return BULLA_OK;
}

/* The peer counts items, also a single one; a data key is none. */
static enum bulla_err refuse_option(struct bulla_call *call, size_t at, const char *name, const char *why, const char *what)
{
	if (at == TRANSIT_NO_INDEX)
		return bulla_fail(call, BULLA_E_INVALID_OPTION, "'%s' %s%s", name, why, what);
	return bulla_fail(call, BULLA_E_INVALID_OPTION, "'[%zu].%s' %s%s", at, name, why, what);
}

enum bulla_err transit_check_options(struct bulla_call *call, const struct key *key, size_t at, const struct bulla_binding *binding,
				     struct bulla_bytes padding)
{
	static const char non_aead[] = "provided for non-AEAD cipher suite ";
	const struct alg *alg = key_alg(key);
	enum pkey_padding scheme;

	if ((alg->can & ALG_AAD) == 0 && (binding->aad.len > 0 || binding->aad_bad))
		return refuse_option(call, at, "associated_data", non_aead, alg->name);
	if ((alg->can & ALG_AAD) == 0 && binding->pair_count > 0)
		return refuse_option(call, at, "encryption_context", non_aead, alg->name);
	if (padding.len == 0)
		return BULLA_OK;
	if (!rsa_padding(padding, &scheme))
		return refuse_option(call, at, "padding_scheme", "invalid: ", "unknown padding scheme");
	if (!transit_is_rsa(key))
		return refuse_option(call, at, "padding_scheme", "invalid: unsupported key type for padding scheme: ", alg->name);
	return BULLA_OK;
}

enum bulla_err transit_granted(const struct bulla_call *call, size_t at, const struct bulla_binding *binding)
{
	if (call->grant == NULL)
		return BULLA_OK;
	if (at != TRANSIT_NO_INDEX)
		TRY(grant_check_index(call, at));
	return grant_check_context(call, binding->pairs, binding->pair_count);
}

enum bulla_err transit_granted_rewrap(const struct bulla_call *call, size_t at, const struct bulla_binding *old,
				      const struct bulla_binding *new)
{
	if (call->grant == NULL)
		return BULLA_OK;
	if (at != TRANSIT_NO_INDEX)
		TRY(grant_check_index(call, at));
	return grant_check_contexts(call, old->pairs, old->pair_count, new->pairs, new->pair_count);
}

bool bulla_item_granted(const struct bulla_call *call, size_t at, const struct bulla_binding *binding)
{
	return transit_granted(call, at, binding) == BULLA_OK;
}

bool bulla_item_rewrap_granted(const struct bulla_call *call, size_t at, const struct bulla_binding *old,
			       const struct bulla_binding *new)
{
	return transit_granted_rewrap(call, at, old, new) == BULLA_OK;
}

enum bulla_err transit_use_version(struct bulla_call *call, const struct key *key, uint32_t number, const struct key_version **out)
{
	enum bulla_err err = number < key_min_decryption(key) ? BULLA_E_NOT_FOUND : key_version_use(key, number, call, out);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, "no such key version");
	return err;
}

/* A batch has it once. */
static enum bulla_err warn_high(struct bulla_call *call, uint32_t version)
{
	static const char text[] = "has encrypted so many messages that the key should be rotated soon";

	for (const struct bulla_warning *w = call->warnings; w != NULL; w = w->next)
		if (w->text.len >= strlen(text) && memcmp(w->text.ptr + w->text.len - strlen(text), text, strlen(text)) == 0)
			return BULLA_OK;
	return bulla_warn(call, "version %u of the key %s", version, text);
}

enum bulla_err transit_count(struct bulla_call *call, const struct key *key, const struct key_version *version)
{
	TRY(keyring_count(key, version));
	return keyring_count_high(version) ? warn_high(call, version->version) : BULLA_OK;
}

enum bulla_err transit_count_on(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, int64_t version, uint64_t messages)
{
	enum bulla_err err = keyring_count_on(engine->keyring, call, mount, name, version, messages);

	return err == BULLA_E_NOT_FOUND ? BULLA_E_KEY_NOT_FOUND : err;
}

/* One that is an item's own. A caller who is gone gets no more items. */
static bool is_of_item(enum bulla_err err)
{
	return err == BULLA_E_STORE_DAMAGED || (bulla_err_row(err)->kind == BULLA_CLASS_CALLER && err != BULLA_E_REVOKED);
}

enum bulla_err transit_settle_as(struct bulla_call *call, enum bulla_err err, enum bulla_err *item_err,
				 struct bulla_bytes *item_error)
{
	if (err == BULLA_OK)
		return BULLA_OK;
	if (!is_of_item(err))
		return err;
	if (bulla_shortage())
		return BULLA_E_NO_MEMORY;
	*item_err = err;
	*item_error = bulla_call_text(call, err);
	call->detail = (struct bulla_bytes){ 0 };
	return BULLA_OK;
}

enum bulla_err transit_settle(struct bulla_call *call, enum bulla_err err, struct bulla_item_result *result)
{
	struct bulla_item_result settled = { 0 };

	TRY(transit_settle_as(call, err, &settled.err, &settled.error));
	if (err != BULLA_OK)
		*result = settled;
	return BULLA_OK;
}

enum bulla_err transit_too_new(struct bulla_call *call, const struct key *key, const char *text)
{
	return key_may_have(key, call) ? BULLA_E_KEY_OUTDATED : bulla_fail(call, BULLA_E_INVALID, "%s", text);
}

bool transit_again(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
		   enum bulla_err *err)
{
	if (*err != BULLA_E_KEY_OUTDATED)
		return false;
	*err = keyring_renew(engine->keyring, call, mount, name);
	if (*err == BULLA_E_NOT_FOUND)
		*err = BULLA_E_KEY_NOT_FOUND;
	return *err == BULLA_OK;
}

bool transit_goes_on(const struct bulla_call *call, enum bulla_err err)
{
	return err == BULLA_OK || (err == BULLA_E_MUST_BLOCK && call->may_block);
}

enum bulla_err transit_go_on(struct bulla *engine, struct bulla_call *call, enum bulla_err err, const struct transit_rest *rest,
			     struct bulla_item_result *results, size_t *at)
{
	if (err == BULLA_OK)
		return transit_yield(engine, call);
	err = transit_count_on(engine, call, rest->mount, rest->name, rest->version, rest->count);
	TRY(transit_settle(call, err, &results[*at]));
	*at += err != BULLA_OK;
	return BULLA_OK;
}
