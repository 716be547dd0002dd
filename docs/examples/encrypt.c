/* encrypt.c: Bulla without a server: a C program that keeps its keys in a sealed file, and encrypts and decrypts with them.
 *
 *   cc encrypt.c -o encrypt $(pkg-config --cflags --libs bulla)
 *   (umask 077; head -c 32 /dev/urandom >seal.key)
 *   ./encrypt 4111111111111111
 *
 * The store is cards.db, and seal.key opens it. The first run makes both of them ready; each later one gives the key a new version. */
#include <bulla.h>
#include <stdio.h>
#include <stdlib.h>

static struct bulla_call call = { .may_block = true }; /* one thread, which may wait for the disk */

static void check(enum bulla_err err, const char *what)
{
	if (err == BULLA_OK)
		return;
	struct bulla_bytes why = bulla_call_text(&call, err);

	fprintf(stderr, "%s: %.*s\n", what, (int)why.len, (const char *)why.ptr);
	exit(1);
}

static struct bulla *open_store(void)
{
	struct bulla_config config = { .storage_path = "cards.db", .seal = { BULLA_SEAL_STATIC, bulla_str("example"), { NULL, 0 } } };
	uint8_t *key = bulla_secret_alloc(32); /* in memory that is not swapped, and wiped when it is freed */
	FILE *file = fopen("seal.key", "r");
	struct bulla *engine;

	if (key == NULL || file == NULL || fread(key, 1, 32, file) != 32) {
		fputs("seal.key: 32 bytes are wanted\n", stderr);
		exit(1);
	}
	fclose(file);
	config.seal.key = bulla_mem(key, 32);
	check(bulla_open(&config, &call, &engine), "cards.db");
	bulla_secret_free(key, 32);
	return engine;
}

/* A new store gets its keys and a mount for ours; the root token and recovery keys, for a server on the same file, are not kept here. */
static const struct bulla_mount *ready(struct bulla *engine)
{
	const struct bulla_init_args init = { 0 };
	const struct bulla_mount_settings plain = { 0 };
	struct bulla_init_result made;
	struct bulla_bytes rest;

	if (!bulla_is_initialised(engine)) {
		check(bulla_init(engine, &call, &init, &made), "init");
		check(bulla_mount_enable(engine, &call, bulla_str("transit/"), bulla_str("transit"), &plain), "mount");
	} else {
		check(bulla_unseal_auto(engine, &call), "unseal");
	}
	return bulla_mount_find(engine, bulla_str("transit/"), &rest);
}

static struct bulla_bytes encrypt(struct bulla *engine, const struct bulla_mount *mount, const char *text)
{
	const struct bulla_pair row = { bulla_str("row"), bulla_str("7") }; /* what it belongs to: needed again to decrypt */
	const struct bulla_encrypt_item item = { .plaintext = bulla_str(text), .binding = { .pairs = &row, .pair_count = 1 } };
	const struct bulla_encrypt_args args = { .mount = mount, .name = bulla_str("cards"), .items = &item, .count = 1 };
	struct bulla_item_result sealed;

	check(bulla_encrypt(engine, &call, &args, &sealed), "encrypt");
	check(sealed.err, "encrypt");
	size_t len = bulla_ciphertext_len(sealed.key_version, sealed.bytes.len);
	char *out = bulla_arena_alloc(call.arena, len);

	check(out == NULL ? BULLA_E_NO_MEMORY : BULLA_OK, "encrypt");
	bulla_ciphertext_print(sealed.key_version, sealed.bytes, out);
	return bulla_mem(out, len);
}

/* The outcome is the item's: AUTH_FAILED where it was encrypted for another row. */
static struct bulla_item_result decrypt(struct bulla *engine, const struct bulla_mount *mount, struct bulla_bytes ciphertext, const char *row)
{
	const struct bulla_pair pair = { bulla_str("row"), bulla_str(row) };
	const struct bulla_decrypt_item item = { .ciphertext = ciphertext, .binding = { .pairs = &pair, .pair_count = 1 } };
	const struct bulla_decrypt_args args = { .mount = mount, .name = bulla_str("cards"), .items = &item, .count = 1 };
	struct bulla_item_result opened;

	check(bulla_decrypt(engine, &call, &args, &opened), "decrypt");
	return opened;
}

int main(int argc, char **argv)
{
	const struct bulla_key_create_args aes = { 0 }; /* aes256-gcm96 */
	struct bulla_key_info key;
	bool created;

	if (argc != 2) {
		fputs("usage: encrypt TEXT\n", stderr);
		return 2;
	}
	check(bulla_memory_init(false), "memory");
	call.arena = bulla_arena_new(65536); /* of what the calls return; wiped at the end */
	if (call.arena == NULL)
		return 1;
	struct bulla *engine = open_store();
	const struct bulla_mount *mount = ready(engine);

	check(bulla_key_create(engine, &call, mount, bulla_str("cards"), &aes, &key, &created), "key");
	if (!created)
		check(bulla_key_rotate(engine, &call, mount, bulla_str("cards"), &key), "rotate");
	struct bulla_bytes ciphertext = encrypt(engine, mount, argv[1]);
	struct bulla_item_result opened = decrypt(engine, mount, ciphertext, "7"), other = decrypt(engine, mount, ciphertext, "8");

	printf("%.*s\nrow 7: %.*s\nrow 8: %.*s\n", (int)ciphertext.len, (const char *)ciphertext.ptr, (int)opened.bytes.len,
	       (const char *)opened.bytes.ptr, (int)other.error.len, (const char *)other.error.ptr);
	bulla_mount_put(mount);
	bulla_close(engine);
	bulla_arena_free(call.arena);
	return opened.err == BULLA_OK && other.err == BULLA_E_AUTH_FAILED ? 0 : 1;
}
