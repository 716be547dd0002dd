/* versions.c: owns the versions of keys: a persistent tree with 64 children a branch. A tree is never changed once it is
 * shared: a change copies the branches from the root to the version and shares all others by reference count, so that a
 * rotation costs the same at version 2 and at version 10,000. Trees of one writer at a time; reference counts: any thread. */
#include "keyring/internal.h"

#include <stdlib.h>

#define BITS 6
#define FANOUT (1u << BITS)

/* Children are branches, on the lowest level versions. size: how many there is room for: a key with one version is small. */
struct branch {
	atomic_uint refs;
	unsigned size;
	void *child[];
};

static _Atomic(uint64_t) branches_made;

uint64_t versions_branches_made(void)
{
	return atomic_load(&branches_made);
}

struct version *version_new(uint32_t number, int64_t created_date_ns, uint32_t convergent_version, size_t key_len)
{
	struct version *version = calloc(1, sizeof *version);

	if (version == NULL)
		return NULL;
	version->pub = (struct key_version){ .version = number, .created_date_ns = created_date_ns,
					     .convergent_version = convergent_version, .key_len = key_len };
	atomic_init(&version->refs, 1);
	if (key_len == 0)
		return version;
	version->cell_bytes = KEY_HMAC_BYTES + key_len;
	version->cell = bulla_secret_alloc(version->cell_bytes);
	if (version->cell == NULL) {
		free(version);
		return NULL;
	}
	version->pub.hmac_key = version->cell;
	version->pub.hmac_key_len = KEY_HMAC_BYTES;
	version->pub.key = version->cell + KEY_HMAC_BYTES;
	return version;
}

/* Whether that was the last reference. */
static bool drop(atomic_uint *refs)
{
	return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

void version_put(struct version *version)
{
	if (version == NULL || !drop(&version->refs))
		return;
	version_close(version);
	bulla_secret_free(version->cell, version->cell_bytes);
	free(version->chain);
	free(version);
}

enum bulla_err version_set_chain(struct version *version, struct bulla_bytes chain)
{
	uint8_t *copy = chain.len > 0 ? malloc(chain.len) : NULL;

	if (chain.len > 0 && copy == NULL)
		return BULLA_E_NO_MEMORY;
	if (chain.len > 0)
		memcpy(copy, chain.ptr, chain.len);
	free(version->chain);
	version->chain = copy;
	version->pub.chain = bulla_mem(copy, chain.len);
	return BULLA_OK;
}

static void branch_put(struct branch *branch, unsigned height)
{
	if (branch == NULL || !drop(&branch->refs))
		return;
	for (unsigned i = 0; i < branch->size; i++) {
		if (height == 1)
			version_put(branch->child[i]);
		else
			branch_put(branch->child[i], height - 1);
	}
	free(branch);
}

static void child_hold(void *child, unsigned height)
{
	if (child == NULL)
		return;
	atomic_uint *refs = height == 1 ? &((struct version *)child)->refs : &((struct branch *)child)->refs;

	atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* Room for the child at index: small while it is the lowest level of a young key, else whole. */
static unsigned room_for(unsigned index)
{
	unsigned size = 1;

	while (size <= index)
		size *= 2;
	return size;
}

/* A copy of from (NULL: an empty branch) with room for index; the copy shares from's children. */
static struct branch *branch_copy(const struct branch *from, unsigned height, unsigned index)
{
	unsigned had = from == NULL ? 0 : from->size, size = room_for(index);

	if (size < had)
		size = had;
	struct branch *branch = calloc(1, sizeof *branch + size * sizeof branch->child[0]);

	if (branch == NULL)
		return NULL;
	atomic_init(&branch->refs, 1);
	branch->size = size;
	for (unsigned i = 0; i < had; i++) {
		branch->child[i] = from->child[i];
		child_hold(branch->child[i], height);
	}
	atomic_fetch_add_explicit(&branches_made, 1, memory_order_relaxed);
	return branch;
}

/* Which child of a branch of that height leads to place (counted from 0). */
static unsigned index_at(uint32_t place, unsigned height)
{
	return place >> (BITS * (height - 1)) & (FANOUT - 1);
}

static bool fits(uint32_t place, unsigned height)
{
	return BITS * height >= 32 || place >> (BITS * height) == 0;
}

struct version *versions_get(const struct version_tree *tree, uint32_t number)
{
	if (number == 0 || tree->root == NULL || !fits(number - 1, tree->height))
		return NULL;
	const struct branch *branch = tree->root;

	for (unsigned height = tree->height;; height--) {
		unsigned index = index_at(number - 1, height);

		if (index >= branch->size || branch->child[index] == NULL)
			return NULL;
		if (height == 1)
			return branch->child[index];
		branch = branch->child[index];
	}
}

static struct branch *branch_with(const struct branch *from, unsigned height, uint32_t place, struct version *version)
{
	unsigned index = index_at(place, height);
	struct branch *branch = branch_copy(from, height, index);

	if (branch == NULL)
		return NULL;
	if (height == 1) {
		version_put(branch->child[index]);
		branch->child[index] = version;
		return branch;
	}
	struct branch *below = branch_with(branch->child[index], height - 1, place, version);

	if (below == NULL) {
		branch_put(branch, height);
		return NULL;
	}
	branch_put(branch->child[index], height - 1);
	branch->child[index] = below;
	return branch;
}

struct version_tree versions_share(const struct version_tree *tree)
{
	if (tree->root != NULL)
		atomic_fetch_add_explicit(&tree->root->refs, 1, memory_order_relaxed);
	return *tree;
}

void versions_put(struct version_tree *tree)
{
	branch_put(tree->root, tree->height);
	*tree = (struct version_tree){ 0 };
}

/* Adds roots above the present one until place fits. tree is the caller's own. */
static enum bulla_err grow(struct version_tree *tree, uint32_t place)
{
	while (tree->height == 0 || !fits(place, tree->height)) {
		struct branch *root = NULL;

		if (tree->root != NULL) {
			root = branch_copy(NULL, tree->height + 1, 0);
			if (root == NULL)
				return BULLA_E_NO_MEMORY;
			root->child[0] = tree->root;
		}
		*tree = (struct version_tree){ root, tree->height + 1 };
	}
	return BULLA_OK;
}

enum bulla_err versions_with(const struct version_tree *tree, struct version *version, struct version_tree *out)
{
	struct version_tree BULLA_CLEANUP(versions_put) grown = versions_share(tree);
	uint32_t place = version->pub.version - 1;

	TRY(grow(&grown, place));
	struct branch *root = branch_with(grown.root, grown.height, place, version);

	if (root == NULL)
		return BULLA_E_NO_MEMORY;
	*out = (struct version_tree){ root, grown.height };
	return BULLA_OK;
}

/* A copy without what leads only to places below min. */
static struct branch *branch_from(const struct branch *from, unsigned height, uint32_t min)
{
	unsigned edge = index_at(min, height);
	struct branch *branch = branch_copy(from, height, 0);

	if (branch == NULL)
		return NULL;
	for (unsigned i = 0; i < branch->size && i < edge; i++) {
		if (height == 1)
			version_put(branch->child[i]);
		else
			branch_put(branch->child[i], height - 1);
		branch->child[i] = NULL;
	}
	if (height == 1 || edge >= branch->size || branch->child[edge] == NULL)
		return branch;
	struct branch *below = branch_from(branch->child[edge], height - 1, min);

	if (below == NULL) {
		branch_put(branch, height);
		return NULL;
	}
	branch_put(branch->child[edge], height - 1);
	branch->child[edge] = below;
	return branch;
}

enum bulla_err versions_from(const struct version_tree *tree, uint32_t min, struct version_tree *out)
{
	if (min <= 1 || tree->root == NULL) {
		*out = versions_share(tree);
		return BULLA_OK;
	}
	if (!fits(min - 1, tree->height)) {
		*out = (struct version_tree){ 0 };
		return BULLA_OK;
	}
	struct branch *root = branch_from(tree->root, tree->height, min - 1);

	if (root == NULL)
		return BULLA_E_NO_MEMORY;
	*out = (struct version_tree){ root, tree->height };
	return BULLA_OK;
}
