/* create.c: owns making a named key, and what may be asked of a new one. Any thread; what writes needs a worker. */
#include "keyring/internal.h"

#define LEAST_AUTO_ROTATE_S 3600

/* Every version made here knows how its convergent nonces are made: the peer says -1 of such a key. */
#define CONVERGENT_PER_VERSION (-1)

struct creation {
	const struct bulla_key_create_args *args;
	const struct alg *alg;
	bool created;
};

/* What the peer checks before it looks whether the key exists. */
static enum bulla_err check_args(struct bulla_call *call, const struct bulla_key_create_args *args, const struct alg **alg)
{
	struct bulla_bytes type = args->type.ptr != NULL ? args->type : bulla_str("aes256-gcm96");

	if (args->auto_rotate_s != 0 && args->auto_rotate_s < LEAST_AUTO_ROTATE_S)
		return bulla_fail(call, BULLA_E_INVALID, "auto rotate period must be 0 to disable or at least an hour");
	if (args->convergent && !args->derived)
		return bulla_fail(call, BULLA_E_INVALID, "convergent encryption requires derivation to be enabled");
	*alg = alg_by_name(type);
	if (*alg == NULL)
		return bulla_fail(call, BULLA_E_INVALID, "unknown key type %.*s", (int)type.len, (const char *)type.ptr);
	if (args->key_size != 0)
		return bulla_fail(call, BULLA_E_INVALID, "key_size is not valid for algorithm %s", (*alg)->name);
	return BULLA_OK;
}

static enum bulla_err check_type(struct bulla_call *call, const struct creation *creation)
{
	const struct alg *alg = creation->alg;

	if (creation->args->derived && !(alg->can & ALG_DERIVE))
		return bulla_fail(call, BULLA_E_INVALID_500,
				  "key derivation and convergent encryption not supported for keys of type %s", alg->name);
	if (creation->args->convergent && !(alg->can & ALG_CONVERGE))
		return bulla_fail(call, BULLA_E_INVALID_500, "convergent encryption not supported for keys of type %s",
				  alg->name);
	return BULLA_OK;
}

static unsigned flags_of(const struct bulla_key_create_args *args)
{
	return (args->derived ? (unsigned)KEY_DERIVED : 0) | (args->convergent ? (unsigned)KEY_CONVERGENT : 0) |
	       (args->exportable ? (unsigned)KEY_EXPORTABLE : 0) | (args->allow_plaintext_backup ? (unsigned)KEY_BACKUP : 0);
}

static enum bulla_err create_step(struct change *change, void *context)
{
	struct creation *creation = context;
	struct key_head head = {
		.alg = creation->alg,
		.flags = flags_of(creation->args),
		.min_decryption = 1,
		.convergent_version = creation->args->convergent ? CONVERGENT_PER_VERSION : 0,
		.auto_rotate_s = creation->args->auto_rotate_s,
	};

	creation->created = false;
	if (change->old != NULL)
		return BULLA_OK;
	TRY(check_type(change->call, creation));
	change->next = key_new(change->id, &head, 1);
	if (change->next == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(random_bytes(change->next->data_key, DATA_KEY_BYTES));
	TRY(change_new_version(change));
	creation->created = true;
	return change_write_head(change);
}

/* As framework.GenericNameRegex of the peer: word characters, and within also '-' and '.'. The router has checked it already. */
static bool is_word(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool name_allowed(struct bulla_bytes name)
{
	if (name.len == 0 || name.len > BULLA_KEY_NAME_MAX || !is_word(name.ptr[0]) || !is_word(name.ptr[name.len - 1]))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!is_word(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '.')
			return false;
	return true;
}

enum bulla_err bulla_key_create(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, const struct bulla_key_create_args *args, struct bulla_key_info *out,
				bool *created)
{
	struct creation creation = { .args = args };

	if (!name_allowed(name))
		return bulla_fail(call, BULLA_E_INVALID, "invalid key name: 1 to %d letters, digits, '_', and within '-' and '.'",
				  BULLA_KEY_NAME_MAX);
	TRY(check_args(call, args, &creation.alg));
	enum bulla_err err = bulla_key_read(engine, call, mount, name, out);

	if (err == BULLA_E_NOT_FOUND)
		err = change_run(engine->keyring, call, mount, name, create_step, &creation, out);
	if (err == BULLA_OK)
		*created = creation.created;
	return err;
}
