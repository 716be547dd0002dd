/* create.c: owns making a named key, and what may be asked of a new one. Any thread; what writes needs a worker. */
#include "keyring/internal.h"

#define LEAST_AUTO_ROTATE_S 3600

/* Every version made here knows how its convergent nonces are made: the peer says -1 of such a key. */
#define CONVERGENT_PER_VERSION (-1)

struct creation {
	const struct bulla_key_create_args *args;
	const struct alg *alg;
	struct material material; /* made ahead where that takes long */
	bool created;
};

static enum bulla_err check_size(struct bulla_call *call, const struct bulla_key_create_args *args, const struct alg *alg)
{
	if (args->key_size == 0)
		return BULLA_OK;
	if (alg->max_key_size == 0)
		return bulla_fail(call, BULLA_E_INVALID, "key_size is not valid for algorithm %s", alg->name);
	if (args->key_size < (int64_t)alg->min_key_size || args->key_size > (int64_t)alg->max_key_size)
		return bulla_fail(call, BULLA_E_INVALID, "invalid key_size %lld", (long long)args->key_size);
	return BULLA_OK;
}

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
	return check_size(call, args, *alg);
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
	if (alg->max_key_size > 0 && creation->args->key_size == 0)
		return bulla_fail(call, BULLA_E_INVALID_500, "invalid key size for HMAC key, must be between %zu and %zu bytes",
				  alg->min_key_size, alg->max_key_size);
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
	change->next = key_new(change->id, &head);
	if (change->next == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(random_bytes(change->next->data_key, DATA_KEY_BYTES));
	TRY(change_new_version(change, material_bytes(&creation->material), (size_t)creation->args->key_size));
	creation->created = true;
	return change_write_head(change);
}

/* There is no key of that name, as far as is known. What takes long is made before others are kept waiting for the locks. */
static enum bulla_err create(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			     struct bulla_bytes name, struct creation *creation, struct bulla_key_info *out)
{
	bool slow = creation->alg->can & ALG_SLOW_MAKE;

	TRY(bulla_work(call, slow ? BULLA_WORK_CPU : BULLA_WORK_DISK));
	TRY(check_type(call, creation));
	if (slow)
		TRY(alg_make(creation->alg, 0, call, &creation->material));
	return change_run(engine->keyring, call, mount, name, create_step, creation, out);
}

/* As framework.GenericNameRegex of the peer: word characters, and within also '-' and '.'. The router has checked it already. */
bool keyring_name_allowed(struct bulla_bytes name)
{
	if (name.len == 0 || name.len > BULLA_KEY_NAME_MAX || !bulla_is_word(name.ptr[0]) || !bulla_is_word(name.ptr[name.len - 1]))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!bulla_is_word(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '.')
			return false;
	return true;
}

enum bulla_err bulla_key_create(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, const struct bulla_key_create_args *args, struct bulla_key_info *out,
				bool *created)
{
	struct creation creation = { .args = args };

	if (!keyring_name_allowed(name))
		return bulla_fail(call, BULLA_E_INVALID, "invalid key name: 1 to %d letters, digits, '_', and within '-' and '.'",
				  BULLA_KEY_NAME_MAX);
	TRY(check_args(call, args, &creation.alg));
	enum bulla_err err = bulla_key_read(engine, call, mount, name, out);

	if (err == BULLA_E_MUST_BLOCK && creation.alg->can & ALG_SLOW_MAKE)
		call->needs = BULLA_WORK_CPU; /* most likely it is not there */
	if (err == BULLA_E_NOT_FOUND)
		err = create(engine, call, mount, name, &creation, out);
	material_clear(&creation.material);
	if (err == BULLA_OK)
		*created = creation.created;
	return err;
}

enum bulla_err keyring_make(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			    const struct alg *alg)
{
	const struct bulla_key_create_args args = { 0 };
	struct creation creation = { .args = &args, .alg = alg };
	enum bulla_err err = create(engine, call, mount, name, &creation, NULL);

	material_clear(&creation.material);
	return err;
}
