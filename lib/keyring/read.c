/* read.c: owns looking at keys from outside. Any thread. */
#include "keyring/internal.h"

enum bulla_err bulla_key_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			      struct bulla_bytes name, struct bulla_key_info *out)
{
	return bulla_key_read_derived(engine, call, mount, name, (struct bulla_bytes){ 0 }, out);
}

/* Old versions that have encrypted much are no cause for concern any more. */
static enum bulla_err warn_count(const struct key *key, struct bulla_call *call)
{
	const struct key_version *latest = key_version(key, key_latest(key));

	if (latest == NULL || !keyring_count_high(latest))
		return BULLA_OK;
	return bulla_warn(call, "version %u of the key has encrypted so many messages that the key should be rotated soon",
			  latest->version);
}

enum bulla_err bulla_key_read_derived(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				      struct bulla_bytes name, struct bulla_bytes context, struct bulla_key_info *out)
{
	const struct key *key;

	TRY(info_prepare(engine->keyring, call, mount, name));
	TRY(keyring_begin(engine->keyring, call, mount, name, &key));
	enum bulla_err err = key_info(key, call, context, out);

	if (err == BULLA_OK)
		err = warn_count(key, call);
	keyring_end(key);
	return err;
}

enum bulla_err bulla_key_exists(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, bool *exists)
{
	const struct key *key;
	enum bulla_err err = keyring_begin(engine->keyring, call, mount, name, &key);

	if (err == BULLA_OK)
		keyring_end(key);
	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	*exists = err == BULLA_OK;
	return BULLA_OK;
}
