/* restore.c: owns making a key of a backup (docs/FORMATS.md, "Key backups"). The document comes from outside: whatever is not as
 * a key of ours would be is refused, and then nothing was changed. Workers. */
#include "bulla/clock.h"
#include "bulla/encode.h"
#include "transit/document.h"
#include "transit/transit.h"

#define NS_PER_S 1000000000
#define VERSION_TEMPLATE "vault:v{{version}}:"

static enum bulla_err decode(struct bulla_call *call, struct bulla_bytes text, struct json **out)
{
	uint8_t *bytes = bulla_arena_alloc(call->arena, BULLA_BASE64_MAX_DECODED(text.len));
	size_t len, bad_at;

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	if (bulla_base64_decode(text, bytes, &len, &bad_at) != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID_500, "illegal base64 data at input byte %zu", bad_at);
	enum bulla_err err = json_parse(call, bytes, len, out);

	return err == BULLA_E_BAD_JSON ? BULLA_E_INVALID_500 : err; /* the detail stays: it says where */
}

/* ---- the policy ------------------------------------------------------------------------------------------------------------ */

/* The numbers as they stand in the document. */
struct numbers {
	struct bulla_bytes name; /* of the key, for what is said of them */
	int64_t latest, min_decryption, min_encryption, min_available, convergent_version, type, kdf, rotate_ns;
};

static enum bulla_err read_numbers(struct bulla_call *call, const struct json *policy, struct numbers *n)
{
	TRY(document_int(call, policy, "latest_version", &n->latest));
	TRY(document_int(call, policy, "min_decryption_version", &n->min_decryption));
	TRY(document_int(call, policy, "min_encryption_version", &n->min_encryption));
	TRY(document_int(call, policy, "min_available_version", &n->min_available));
	TRY(document_int(call, policy, "convergent_version", &n->convergent_version));
	TRY(document_int(call, policy, "type", &n->type));
	TRY(document_int(call, policy, "kdf", &n->kdf));
	return document_int(call, policy, "auto_rotate_period", &n->rotate_ns);
}

static enum bulla_err out_of_order(struct bulla_call *call, const struct numbers *n, const char *what, int64_t value,
				   const char *than, int64_t other)
{
	return bulla_fail(call, BULLA_E_INVALID_500, "failed to restore the policy \"%.*s\": %s of %lld %s %lld", (int)n->name.len,
			  (const char *)n->name.ptr, what, (long long)value, than, (long long)other);
}

static enum bulla_err check_numbers(struct bulla_call *call, const struct numbers *n)
{
	if (n->min_decryption < 1)
		return out_of_order(call, n, "minimum decryption version", n->min_decryption, "is less than", 1);
	if (n->latest < 1 || n->latest >= UINT32_MAX)
		return out_of_order(call, n, "latest version", n->latest, "is not from 1 to", UINT32_MAX - 1);
	if (n->min_decryption > n->latest)
		return out_of_order(call, n, "minimum decryption version", n->min_decryption, "is greater than the latest version",
				    n->latest);
	if (n->min_encryption < 0 || n->min_encryption > n->latest ||
	    (n->min_encryption > 0 && n->min_encryption < n->min_decryption))
		return out_of_order(call, n, "minimum encryption version", n->min_encryption,
				    "does not go with a minimum decryption version of", n->min_decryption);
	if (n->min_available < 0 || n->min_available > n->min_decryption)
		return out_of_order(call, n, "minimum available version", n->min_available,
				    "is greater than the minimum decryption version", n->min_decryption);
	if (n->rotate_ns < 0 || (n->rotate_ns > 0 && n->rotate_ns < 3600 * (int64_t)NS_PER_S))
		return bulla_fail(call, BULLA_E_INVALID_500, "auto rotate period must be 0 to disable or at least an hour");
	return BULLA_OK;
}

static enum bulla_err read_flags(struct bulla_call *call, const struct json *policy, struct key_facts *facts)
{
	TRY(document_bool(call, policy, "derived", &facts->derived));
	TRY(document_bool(call, policy, "convergent_encryption", &facts->convergent));
	TRY(document_bool(call, policy, "exportable", &facts->exportable));
	TRY(document_bool(call, policy, "allow_plaintext_backup", &facts->plaintext_backup));
	TRY(document_bool(call, policy, "deletion_allowed", &facts->deletable));
	TRY(document_bool(call, policy, "Imported", &facts->imported));
	TRY(document_bool(call, policy, "AllowImportedKeyRotation", &facts->rotatable));
	return document_bool(call, policy, "soft_deleted", &facts->soft_deleted);
}

/* What the peer has had in its past, and we never had. */
static enum bulla_err check_kind(struct bulla_call *call, const struct json *policy, const struct numbers *n,
				 const struct key_facts *facts)
{
	struct bulla_bytes template;

	TRY(document_text(call, policy, "version_template", &template));
	if (facts->alg == NULL)
		return bulla_fail(call, BULLA_E_INVALID_500, "key type %lld is not supported", (long long)n->type);
	if (template.len > 0 && !bulla_is(template, VERSION_TEMPLATE))
		return bulla_fail(call, BULLA_E_INVALID_500, "a version template is not supported");
	if ((facts->derived && (facts->alg->can & ALG_DERIVE) == 0) || (facts->convergent && (facts->alg->can & ALG_CONVERGE) == 0))
		return bulla_fail(call, BULLA_E_INVALID_500,
				  "key derivation and convergent encryption not supported for keys of type %s", facts->alg->name);
	if (facts->convergent && !facts->derived)
		return bulla_fail(call, BULLA_E_INVALID_500, "convergent encryption requires derivation to be enabled");
	if (facts->derived && n->kdf != 1 && (n->kdf != 0 || facts->convergent || (facts->alg->can & ALG_PKEY) != 0))
		return bulla_fail(call, BULLA_E_INVALID_500, "a key derivation other than HKDF is not supported");
	if (facts->convergent && n->convergent_version != -1)
		return bulla_fail(call, BULLA_E_INVALID_500, "convergent encryption of version %lld is not supported",
				  (long long)n->convergent_version);
	return BULLA_OK;
}

static enum bulla_err read_mark(struct bulla_call *call, const struct json *policy, const char *name, struct bulla_key_mark *out)
{
	const struct json *mark = json_get(policy, name);
	int64_t version = 0;

	if (mark == NULL || mark->type == JSON_NULL)
		return BULLA_OK;
	TRY(document_int(call, mark, "version", &version));
	TRY(document_time(call, mark, "time", &out->at_date_ns));
	out->version = version > 0 && version < UINT32_MAX ? (uint32_t)version : 0;
	return BULLA_OK;
}

static enum bulla_err read_policy(struct bulla_call *call, struct bulla_bytes name, const struct json *policy,
				  struct key_facts *facts)
{
	struct numbers n = { .name = name };

	TRY(read_numbers(call, policy, &n));
	TRY(check_numbers(call, &n));
	TRY(read_flags(call, policy, facts));
	facts->alg = document_alg(n.type);
	TRY(check_kind(call, policy, &n, facts));
	TRY(read_mark(call, policy, "backup_info", &facts->backup));
	facts->counter_kdf = facts->derived && n.kdf == 0;
	facts->latest = (uint32_t)n.latest;
	facts->min_decryption = (uint32_t)n.min_decryption;
	facts->min_encryption = (uint32_t)n.min_encryption;
	facts->min_available = (uint32_t)n.min_available;
	facts->convergent_version = facts->convergent ? -1 : 0;
	facts->auto_rotate_s = n.rotate_ns / NS_PER_S;
	facts->restore = (struct bulla_key_mark){ .at_date_ns = bulla_wall_ns(), .version = facts->latest };
	return BULLA_OK;
}

/* ---- the versions ---------------------------------------------------------------------------------------------------------- */

struct entries {
	uint32_t first;
	size_t count;
	const struct json **at; /* by number less first; NULL: not seen yet */
};

static void place(struct entries *entries, int64_t number, const struct json *entry)
{
	int64_t index = number - entries->first;

	if (index >= 0 && (uint64_t)index < entries->count && entry->type == JSON_OBJECT)
		entries->at[index] = entry;
}

/* The number that a member's name is, -1: none. */
static int64_t number_of(struct bulla_bytes name)
{
	int64_t v = 0;

	if (name.len == 0 || name.len > 10)
		return -1;
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] < '0' || name.ptr[i] > '9')
			return -1;
		v = v * 10 + (name.ptr[i] - '0');
	}
	return v;
}

/* The archive has all versions, by place: the number less min_available. Those in use count where they stand in both. */
static enum bulla_err find_entries(struct bulla_call *call, const struct json *document, const struct key_facts *facts,
				   struct entries *entries)
{
	const struct json *keys = json_get(json_get(document, "policy"), "keys");
	const struct json *archive = json_get(json_get(document, "archived_keys"), "keys");
	size_t known = (keys != NULL ? keys->count : 0) + (archive != NULL ? archive->count : 0);
	int64_t number = facts->min_available;

	entries->first = facts->min_available > 1 ? facts->min_available : 1;
	entries->count = (size_t)facts->latest - entries->first + 1;
	if (entries->count > known)
		return bulla_fail(call, BULLA_E_INVALID_500, "the backup lacks versions of the key");
	entries->at = bulla_arena_alloc(call->arena, entries->count * sizeof *entries->at);
	if (entries->at == NULL)
		return BULLA_E_NO_MEMORY;
	if (archive != NULL && archive->type == JSON_ARRAY)
		for (const struct json *entry = archive->first; entry != NULL; entry = entry->next)
			place(entries, number++, entry);
	if (keys != NULL && keys->type == JSON_OBJECT)
		for (const struct json *entry = keys->first; entry != NULL; entry = entry->next)
			place(entries, number_of(entry->name), entry);
	return BULLA_OK;
}

static enum bulla_err read_versions(struct bulla_call *call, const struct entries *entries, const struct key_facts *facts,
				    struct key_version **out)
{
	struct key_version *versions = bulla_arena_alloc(call->arena, entries->count * sizeof *versions);

	if (versions == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < entries->count; i++) {
		versions[i].version = entries->first + (uint32_t)i;
		if (entries->at[i] == NULL)
			return bulla_fail(call, BULLA_E_INVALID_500, "the backup lacks version %u of the key", versions[i].version);
		TRY(document_read_entry(call, entries->at[i], facts, &versions[i]));
		TRY(bulla_yield(call));
	}
	*out = versions;
	return BULLA_OK;
}

/* ---- the operation --------------------------------------------------------------------------------------------------------- */

static enum bulla_err choose_name(struct bulla_call *call, const struct json *policy, struct bulla_bytes *name)
{
	if (name->len == 0)
		TRY(document_text(call, policy, "name", name));
	if (name->len == 0)
		return bulla_fail(call, BULLA_E_INVALID_500, "failed restored policy name validator: entry would not be accessible");
	if (memchr(name->ptr, '/', name->len) != NULL)
		return bulla_fail(call, BULLA_E_INVALID_500, "key names cannot be paths");
	if (!keyring_name_allowed(*name))
		return bulla_fail(call, BULLA_E_INVALID_500, "invalid key name");
	return BULLA_OK;
}

static enum bulla_err already_exists(struct bulla_call *call, struct bulla_bytes name)
{
	return bulla_fail(call, BULLA_E_KEY_EXISTS, "key \"%.*s\" already exists", (int)name.len, (const char *)name.ptr);
}

enum bulla_err bulla_key_restore(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				 struct bulla_bytes name, struct bulla_bytes backup, bool force)
{
	struct entries entries = { 0 };
	struct key_version *versions = NULL;
	struct key_facts facts = { 0 };
	struct json *document;
	bool exists;

	TRY(bulla_work(call, BULLA_WORK_CPU));
	TRY(decode(call, backup, &document));
	const struct json *policy = json_get(document, "policy");

	if (policy == NULL || policy->type != JSON_OBJECT)
		return bulla_fail(call, BULLA_E_INVALID_500, "the backup holds no policy");
	TRY(choose_name(call, policy, &name));
	TRY(bulla_key_exists(engine, call, mount, name, &exists));
	if (exists && !force)
		return already_exists(call, name);
	TRY(bulla_work(call, BULLA_WORK_CPU)); /* it may have been looked for on the disk */
	TRY(read_policy(call, name, policy, &facts));
	TRY(find_entries(call, document, &facts, &entries));
	TRY(read_versions(call, &entries, &facts, &versions));
	enum bulla_err err = keyring_install(engine->keyring, call, mount, name, &facts, versions, force, NULL);

	return err == BULLA_E_KEY_EXISTS ? already_exists(call, name) : err;
}
