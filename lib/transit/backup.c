/* backup.c: owns the plaintext backup of a key, in the peer's format. Workers: the backup is marked on the key, durably. */
#include <stdio.h>

#include "bulla/clock.h"
#include "bulla/encode.h"
#include "transit/document.h"
#include "transit/transit.h"

#define NS_PER_S 1000000000

static enum bulla_err refuse(struct bulla_call *call, const char *why)
{
	return bulla_fail(call, BULLA_E_INVALID_500, "%s", why);
}

struct backup {
	struct bulla_bytes name;
	struct bulla_bytes *out;
};

static enum bulla_err check(struct bulla_call *call, const struct key *key, void *context)
{
	const struct backup *backup = context;

	if (key == NULL)
		return bulla_fail(call, BULLA_E_INVALID_500, "key \"%.*s\" not found", (int)backup->name.len,
				  (const char *)backup->name.ptr);
	if (key_soft_deleted(key))
		return BULLA_E_KEY_SOFT_DELETED;
	if (!key_exportable(key))
		return refuse(call, "exporting is disallowed on the policy");
	if (!key_plaintext_backup(key))
		return refuse(call, "plaintext backup is disallowed on the policy");
	return BULLA_OK;
}

static uint32_t first_version(const struct key *key)
{
	return key_min_available(key) > 1 ? key_min_available(key) : 1;
}

static enum bulla_err put_version(struct bulla_call *call, struct out *out, const struct key *key, uint32_t number)
{
	const struct key_version *version;

	TRY(key_version_use(key, number, call, &version));
	return document_put_entry(out, key, version);
}

/* The versions in use. */
static enum bulla_err put_keys(struct bulla_call *call, struct out *out, const struct key *key)
{
	char name[12];

	json_key(out, "keys");
	json_open(out, '{');
	for (uint32_t number = key_min_decryption(key); number <= key_latest(key); number++) {
		json_key_bytes(out, bulla_mem(name, (size_t)snprintf(name, sizeof name, "%u", (unsigned)number)));
		TRY(put_version(call, out, key, number));
	}
	json_close(out, '}');
	return BULLA_OK;
}

static void put_mark(struct out *out, const char *name, const struct bulla_key_mark *mark)
{
	char time[BULLA_TIME_TEXT];

	json_key(out, name);
	if (mark->version == 0) {
		json_nil(out);
		return;
	}
	json_open(out, '{');
	bulla_time_print(mark->at_date_ns, time);
	json_put_text(out, "time", time);
	json_put_int(out, "version", mark->version);
	json_close(out, '}');
}

/* In the peer's order, so that the documents can be compared. */
static enum bulla_err put_policy(struct bulla_call *call, struct out *out, const struct key *key)
{
	struct key_facts facts = key_facts(key);
	const struct key_version *latest = key_version(key, facts.latest);

	json_key(out, "policy");
	json_open(out, '{');
	json_put_string(out, "name", key_name(key));
	if ((facts.alg->can & ALG_HMAC) != 0 && latest != NULL)
		json_put_int(out, "key_size", (int64_t)latest->key_len);
	TRY(put_keys(call, out, key));
	json_put_bool(out, "derived", facts.derived);
	json_put_int(out, "kdf", facts.derived && !facts.counter_kdf ? 1 : 0);
	json_put_bool(out, "convergent_encryption", facts.convergent);
	json_put_bool(out, "exportable", facts.exportable);
	json_put_int(out, "min_decryption_version", facts.min_decryption);
	json_put_int(out, "min_encryption_version", facts.min_encryption);
	json_put_int(out, "latest_version", facts.latest);
	json_put_int(out, "archive_version", facts.latest);
	json_put_int(out, "archive_min_version", facts.min_available);
	json_put_int(out, "min_available_version", facts.min_available);
	json_put_bool(out, "deletion_allowed", facts.deletable);
	json_put_int(out, "convergent_version", facts.convergent_version);
	json_put_int(out, "type", document_type(facts.alg));
	put_mark(out, "backup_info", &facts.backup);
	put_mark(out, "restore_info", &facts.restore);
	json_put_bool(out, "allow_plaintext_backup", facts.plaintext_backup);
	json_put_text(out, "version_template", "");
	json_put_text(out, "storage_prefix", "");
	json_put_int(out, "auto_rotate_period", facts.auto_rotate_s * NS_PER_S);
	json_put_bool(out, "Imported", facts.imported);
	json_put_bool(out, "AllowImportedKeyRotation", facts.rotatable);
	json_put_bool(out, "soft_deleted", facts.soft_deleted);
	json_close(out, '}');
	return BULLA_OK;
}

/* All versions that there are: the place is the version's number less min_available, so that a key that was never trimmed has
 * a blank at the start. */
static enum bulla_err put_archive(struct bulla_call *call, struct out *out, const struct key *key)
{
	json_key(out, "archived_keys");
	json_open(out, '{');
	json_key(out, "keys");
	json_open(out, '[');
	if (key_min_available(key) == 0)
		TRY(document_put_entry(out, key, NULL));
	for (uint32_t number = first_version(key); number <= key_latest(key); number++)
		TRY(put_version(call, out, key, number));
	json_close(out, ']');
	json_close(out, '}');
	return BULLA_OK;
}

static enum bulla_err print(struct bulla_call *call, const struct key *key, void *context)
{
	const struct backup *backup = context;
	BULLA_CLEANUP(out_clear) struct out out = { 0 };

	json_open(&out, '{');
	TRY(put_policy(call, &out, key));
	TRY(put_archive(call, &out, key));
	json_close(&out, '}');
	out_text(&out, "\n"); /* as the peer's encoder ends */
	char *text = out.failed ? NULL : bulla_arena_alloc(call->arena, BULLA_BASE64_LEN(out.len));

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	*backup->out = bulla_mem(text, bulla_base64_encode(bulla_mem(out.ptr, out.len), text));
	return BULLA_OK;
}

enum bulla_err bulla_key_backup(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, struct bulla_bytes *out)
{
	struct bulla_bytes text = { 0 };
	struct backup backup = { .name = name, .out = &text };

	TRY(keyring_backup(engine->keyring, call, mount, name, check, print, &backup));
	*out = text;
	return BULLA_OK;
}
