/* Passwords: what is no hash, what is too long, published bcrypt hashes, and that a hash tells nothing twice. */
#include "unit.h"

#include "crypto/password.h"

#define RIGHT bulla_str("correct horse battery staple")

static bool verifies(struct bulla_bytes password, struct bulla_bytes hash)
{
	bool right;

	ck_assert_ok(password_verify(password, hash, &right));
	return right;
}

START_TEST(refused)
{
	static char long_one[PASSWORD_MAX_BYTES + 1];
	char hash[PASSWORD_TEXT];

	memset(long_one, 'a', sizeof long_one);
	ck_assert_err(password_hash(bulla_mem(long_one, sizeof long_one), hash), BULLA_E_INVALID);
	ck_assert_ok(password_hash(RIGHT, hash));
	ck_assert(!verifies(bulla_mem(long_one, sizeof long_one), bulla_str(hash)));
	ck_assert(!verifies(bulla_str("correct horse battery stapl"), bulla_str(hash)));
	ck_assert(!verifies(bulla_str("correct horse battery staples"), bulla_str(hash)));
	ck_assert(!verifies(bulla_str(""), bulla_str(hash)));
	ck_assert(!verifies(RIGHT, bulla_str("")));             /* nobody's */
	ck_assert(!verifies(bulla_str(""), bulla_str("")));
	ck_assert(!verifies(RIGHT, bulla_str("correct horse battery staple")));
	ck_assert(!verifies(RIGHT, bulla_mem(hash, strlen(hash) - 1)));
	hash[strlen(hash) - 1] ^= 1;
	ck_assert(!verifies(RIGHT, bulla_str(hash)));
}
END_TEST

START_TEST(argon2)
{
	char one[PASSWORD_TEXT], other[PASSWORD_TEXT];
	static const char start[] = "$argon2id$v=19$m=19456,t=2,p=1$";

	ck_assert_ok(password_hash(RIGHT, one));
	ck_assert_ok(password_hash(RIGHT, other));
	ck_assert_str_ne(one, other);
	ck_assert_int_eq(strncmp(one, start, sizeof start - 1), 0);
	ck_assert(verifies(RIGHT, bulla_str(one)));
	ck_assert(verifies(RIGHT, bulla_str(other)));
	ck_assert_ok(password_hash(bulla_mem("a\0b", 3), one));
	ck_assert(verifies(bulla_mem("a\0b", 3), bulla_str(one)));
	ck_assert(!verifies(bulla_str("a"), bulla_str(one)));
}
END_TEST

/* Of crypt_blowfish's own tests. */
static const struct {
	const char *hash, *password;
} published[] = {
	{ "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U" },
	{ "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*" },
	{ "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "U*U*U" },
};

START_TEST(bcrypt)
{
	struct bulla_bytes hash = bulla_str(published[_i].hash), password = bulla_str(published[_i].password);
	unsigned cost;

	ck_assert(password_bcrypt_cost(hash, &cost));
	ck_assert_uint_eq(cost, 5);
	ck_assert(!verifies(bulla_mem(password.ptr, password.len - 1), hash));
	ck_assert(!verifies(bulla_mem(password.ptr, password.len + 1), hash)); /* with its NUL */
	ck_assert(verifies(password, hash));
}
END_TEST

START_TEST(no_bcrypt)
{
	static const char *const bad[] = {
		"", "x", "$2a$05$", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW", "$1a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "$2a$5$CCCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC!E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
	};
	unsigned cost = 77;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!password_bcrypt_cost(bulla_str(bad[i]), &cost), "%s", bad[i]);
	ck_assert_uint_eq(cost, 77);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crypto/password");
	TCase *tc = tcase_create("password");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, argon2);
	tcase_add_loop_test(tc, bcrypt, 0, (int)(sizeof published / sizeof published[0]));
	tcase_add_test(tc, no_bcrypt);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
