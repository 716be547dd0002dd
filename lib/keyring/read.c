/* read.c: owns looking at keys from outside. Any thread. */
#include "keyring/internal.h"

enum bulla_err bulla_key_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			      struct bulla_bytes name, struct bulla_key_info *out)
{
	return bulla_key_read_derived(engine, call, mount, name, (struct bulla_bytes){ 0 }, out);
}

enum bulla_err bulla_key_read_derived(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				      struct bulla_bytes name, struct bulla_bytes context, struct bulla_key_info *out)
{
	const struct key *key;

	TRY(keyring_begin(engine->keyring, call, mount, name, &key));
	enum bulla_err err = key_info(key, call, context, out);

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
