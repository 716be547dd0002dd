/* The persistent tree of versions: old trees never change, a change copies one branch a level, and every secret is freed. */
#include "unit.h"

#include "keyring/internal.h"

static struct version *version_of(uint32_t number)
{
	struct version *version = version_new(number, number * 10, 0, 32);

	ck_assert_ptr_nonnull(version);
	memset(version->cell, (int)(number & 0xff), version->cell_bytes);
	return version;
}

static void add(struct version_tree *tree, uint32_t number)
{
	struct version_tree grown;

	ck_assert_ok(versions_with(tree, version_of(number), &grown));
	versions_put(tree);
	*tree = grown;
}

static struct version_tree tree_of(uint32_t count)
{
	struct version_tree tree = { 0 };

	for (uint32_t number = 1; number <= count; number++)
		add(&tree, number);
	return tree;
}

static void check(const struct version_tree *tree, uint32_t first, uint32_t last)
{
	for (uint32_t number = 0; number <= last + 100; number++) {
		const struct version *version = versions_get(tree, number);

		if (number < first || number > last) {
			ck_assert_ptr_null(version);
			continue;
		}
		ck_assert_ptr_nonnull(version);
		ck_assert_uint_eq(version->pub.version, number);
		ck_assert_uint_eq(version->pub.key[31], number & 0xff);
	}
}

START_TEST(empty)
{
	struct version_tree tree = { 0 }, same;

	check(&tree, 1, 0);
	ck_assert_ptr_null(versions_get(&tree, UINT32_MAX));
	ck_assert_ok(versions_from(&tree, 5, &same));
	check(&same, 1, 0);
	versions_put(&tree);
}
END_TEST

START_TEST(damaged_has_no_secrets)
{
	size_t before = bulla_secret_in_use();
	struct version *version = version_new(3, 0, 0, 0);

	ck_assert_ptr_null(version->pub.key);
	ck_assert_uint_eq(bulla_secret_in_use(), before);
	version_put(version);
	version_put(NULL);
}
END_TEST

static const uint32_t sizes[] = { 1, 2, 63, 64, 65, 128, 4095, 4096, 4097, 5000 };

START_TEST(grows)
{
	size_t before = bulla_secret_in_use();
	struct version_tree tree = tree_of(sizes[_i]);

	check(&tree, 1, sizes[_i]);
	ck_assert_ptr_null(versions_get(&tree, UINT32_MAX));
	versions_put(&tree);
	ck_assert_uint_eq(bulla_secret_in_use(), before);
}
END_TEST

START_TEST(old_trees_stay)
{
	size_t before = bulla_secret_in_use();
	struct version_tree trees[200] = { { 0 } };

	for (uint32_t n = 1; n < 200; n++)
		ck_assert_ok(versions_with(&trees[n - 1], version_of(n), &trees[n]));
	for (uint32_t n = 1; n < 200; n++)
		check(&trees[n], 1, n);
	for (uint32_t n = 1; n < 200; n += 2)
		versions_put(&trees[n]);
	for (uint32_t n = 2; n < 200; n += 2)
		check(&trees[n], 1, n);
	for (uint32_t n = 2; n < 200; n += 2)
		versions_put(&trees[n]);
	ck_assert_uint_eq(bulla_secret_in_use(), before);
}
END_TEST

START_TEST(any_order)
{
	struct version_tree tree = { 0 };

	for (uint32_t i = 0; i < 5000; i++)
		add(&tree, (i * 1979u + 7u) % 5000 + 1);
	check(&tree, 1, 5000);
	versions_put(&tree);
}
END_TEST

START_TEST(replaces)
{
	size_t before = bulla_secret_in_use();
	struct version_tree tree = tree_of(3);

	add(&tree, 2);
	check(&tree, 1, 3);
	versions_put(&tree);
	ck_assert_uint_eq(bulla_secret_in_use(), before);
}
END_TEST

START_TEST(trims)
{
	static const uint32_t mins[] = { 0, 1, 2, 63, 64, 65, 66, 4095, 4096, 4097, 4098, 5000, 5001, 9999, 300000, UINT32_MAX };
	size_t before = bulla_secret_in_use();
	struct version_tree tree = tree_of(5000), rest;

	ck_assert_ok(versions_from(&tree, mins[_i], &rest));
	check(&rest, mins[_i] > 1 ? mins[_i] : 1, 5000);
	check(&tree, 1, 5000);
	versions_put(&tree);
	/* what is trimmed is gone with the last tree that had it, not before and not later */
	uint32_t left = mins[_i] > 5000 ? 0 : 5000 - (mins[_i] > 1 ? mins[_i] : 1) + 1;

	ck_assert_uint_eq(bulla_secret_in_use(), before + left * 64);
	if (left > 0) {
		add(&rest, 5001);
		check(&rest, mins[_i] > 1 ? mins[_i] : 1, 5001);
	}
	versions_put(&rest);
	ck_assert_uint_eq(bulla_secret_in_use(), before);
}
END_TEST

/* Branches that adding the next version copies: one a level, so 1 to 64 versions cost 1, up to 4,096 cost 2 ... */
START_TEST(cost)
{
	struct version_tree tree = tree_of(10000);
	uint64_t made = versions_branches_made();

	add(&tree, 10001);
	ck_assert_uint_eq(versions_branches_made() - made, 3);
	versions_put(&tree);
	tree = tree_of(2);
	made = versions_branches_made();
	add(&tree, 3);
	ck_assert_uint_eq(versions_branches_made() - made, 1);
	versions_put(&tree);
}
END_TEST

START_TEST(far_numbers)
{
	struct version_tree tree = { 0 };

	add(&tree, 1);
	add(&tree, KEY_LAST_VERSION);
	ck_assert_uint_eq(versions_get(&tree, KEY_LAST_VERSION)->pub.version, KEY_LAST_VERSION);
	ck_assert_uint_eq(versions_get(&tree, 1)->pub.version, 1);
	ck_assert_ptr_null(versions_get(&tree, 2));
	ck_assert_ptr_null(versions_get(&tree, KEY_LAST_VERSION - 1));
	versions_put(&tree);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring/versions");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, empty);
	tcase_add_test(tc, damaged_has_no_secrets);
	tcase_add_loop_test(tc, grows, 0, sizeof sizes / sizeof sizes[0]);
	tcase_add_test(tc, old_trees_stay);
	tcase_add_test(tc, any_order);
	tcase_add_test(tc, replaces);
	tcase_add_loop_test(tc, trims, 0, 16);
	tcase_add_test(tc, cost);
	tcase_add_test(tc, far_numbers);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
