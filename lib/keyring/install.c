/* install.c: owns making a key of what came from outside: restore and import. Workers. */
#include "keyring/internal.h"

struct key_facts key_facts(const struct key *key)
{
	const struct key_head *head = &key->head;

	return (struct key_facts){
		.alg = head->alg,
		.derived = head->flags & KEY_DERIVED,
		.convergent = head->flags & KEY_CONVERGENT,
		.counter_kdf = head->flags & KEY_COUNTER_KDF,
		.exportable = head->flags & KEY_EXPORTABLE,
		.plaintext_backup = head->flags & KEY_BACKUP,
		.deletable = head->flags & KEY_DELETABLE,
		.imported = head->flags & KEY_IMPORTED,
		.rotatable = head->flags & KEY_ROTATABLE,
		.soft_deleted = head->flags & KEY_SOFT_DELETED,
		.latest = head->latest,
		.min_decryption = head->min_decryption,
		.min_encryption = head->min_encryption,
		.min_available = head->min_available,
		.convergent_version = head->convergent_version,
		.auto_rotate_s = head->auto_rotate_s,
		.backup = head->backup,
		.restore = head->restore,
	};
}

static unsigned flag(bool set, enum key_flag bit)
{
	return set ? (unsigned)bit : 0;
}

static struct key_head head_of(const struct key_facts *facts)
{
	return (struct key_head){
		.alg = facts->alg,
		.flags = flag(facts->derived, KEY_DERIVED) | flag(facts->convergent, KEY_CONVERGENT) |
			 flag(facts->counter_kdf, KEY_COUNTER_KDF) |
			 flag(facts->exportable, KEY_EXPORTABLE) | flag(facts->plaintext_backup, KEY_BACKUP) |
			 flag(facts->deletable, KEY_DELETABLE) | flag(facts->imported, KEY_IMPORTED) |
			 flag(facts->rotatable, KEY_ROTATABLE) | flag(facts->soft_deleted, KEY_SOFT_DELETED),
		.latest = facts->latest,
		.min_decryption = facts->min_decryption,
		.min_encryption = facts->min_encryption,
		.min_available = facts->min_available,
		.convergent_version = facts->convergent_version,
		.auto_rotate_s = facts->auto_rotate_s,
		.backup = facts->backup,
		.restore = facts->restore,
	};
}

static bool lengths_fit(const struct key_head *head, const struct key_version *from)
{
	return alg_fits(head->alg, from->key_len) && (!from->public_only || (head->alg->can & ALG_PKEY) != 0) &&
	       from->chain.len <= KEY_CHAIN_MAX && (from->convergent_version != 0) == ((head->flags & KEY_CONVERGENT) != 0);
}

enum bulla_err version_copy(struct bulla_call *call, const struct key_head *head, const struct key_version *from, uint32_t number,
			    struct version **out)
{
	if (!lengths_fit(head, from))
		return bulla_fail(call, BULLA_E_INVALID, "version %u is not of type %s", number, head->alg->name);
	struct version *version = version_new(number, from->created_date_ns, from->convergent_version, from->key_len);

	if (version == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(version->cell, from->hmac_key, KEY_HMAC_BYTES);
	memcpy(version->cell + KEY_HMAC_BYTES, from->key, from->key_len);
	version->pub.public_only = from->public_only;
	enum bulla_err err = version_set_chain(version, from->chain);

	if (err != BULLA_OK) {
		version_put(version);
		return err;
	}
	*out = version;
	return BULLA_OK;
}

struct installation {
	struct key_head head;
	const struct key_version *versions;
	bool replace;
};

static enum bulla_err add_versions(struct change *change, const struct installation *in)
{
	for (uint32_t number = key_first(change->next); number <= in->head.latest; number++) {
		const struct key_version *from = &in->versions[number - key_first(change->next)];
		struct version *version;

		TRY(version_copy(change->call, &in->head, from, number, &version));
		count_begin(change->keyring, version);
		enum bulla_err err = change_write_version(change, version);

		if (err != BULLA_OK) {
			version_put(version);
			return err;
		}
		TRY(key_add(change->next, version));
	}
	return BULLA_OK;
}

static enum bulla_err install_step(struct change *change, void *context)
{
	const struct installation *in = context;

	if (change->old != NULL && !in->replace)
		return BULLA_E_KEY_EXISTS;
	change->next = key_new(change->id, &in->head);
	if (change->next == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(random_bytes(change->next->data_key, DATA_KEY_BYTES));
	if (change->old != NULL) {
		change->wipes = true;
		TRY(change_delete_versions(change, key_first(change->old), change->old->head.latest + 1));
	}
	TRY(add_versions(change, in));
	return change_write_head(change);
}

enum bulla_err keyring_install(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
			       struct bulla_bytes name, const struct key_facts *facts, const struct key_version *versions,
			       bool replace, struct bulla_key_info *out)
{
	struct installation in = { .head = head_of(facts), .versions = versions, .replace = replace };

	if (!record_head_makes_sense(&in.head))
		return bulla_fail(call, BULLA_E_INVALID, "the numbers of the key's versions are not in order");
	return change_run(keyring, call, mount, name, install_step, &in, out);
}
