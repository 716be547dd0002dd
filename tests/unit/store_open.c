/* Which files the store refuses to open, and that it leaves them as they are. */
#include "store_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct contents {
	uint8_t bytes[262144];
	size_t len;
};

static struct contents *slurp(const char *path)
{
	struct contents *c = calloc(1, sizeof *c);
	int fd = open(path, O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_ptr_nonnull(c);
	c->len = (size_t)read(fd, c->bytes, sizeof c->bytes);
	close(fd);
	return c;
}

static void spill(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static bool exists(const char *suffix)
{
	char path[128];

	snprintf(path, sizeof path, "%s%s", file, suffix);
	return access(path, F_OK) == 0;
}

/* Opening fails with err; afterwards the file is as it was and nothing lies beside it. */
static void refused_unchanged(enum bulla_err err)
{
	struct contents *before = slurp(file);
	struct store *store = NULL;

	ck_assert_err(open_at(file, 0, &store), err);
	ck_assert_ptr_null(store);
	struct contents *after = slurp(file);

	ck_assert_uint_eq(before->len, after->len);
	ck_assert_int_eq(memcmp(before->bytes, after->bytes, after->len), 0);
	ck_assert(!exists("-wal") && !exists("-shm") && !exists("-journal"));
	free(before);
	free(after);
}

static void make_good(void)
{
	struct store *store;

	ck_assert_ok(open_at(file, 0, &store));
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "hello")));
	store_close(store);
	ck_assert(!exists("-wal") && !exists("-shm"));
}

static void patch(off_t at, const void *bytes, size_t n)
{
	int fd = open(file, O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, n, at), (ssize_t)n);
	close(fd);
}

static const struct {
	off_t at;
	const char *bytes;
	size_t n;
	enum bulla_err err;
} patches[] = {
	{ 0, "X", 1, BULLA_E_STORE_DAMAGED },      /* the magic */
	{ 15, "1", 1, BULLA_E_STORE_DAMAGED },
	{ 16, "\x10\x01", 2, BULLA_E_STORE_DAMAGED }, /* page size */
	{ 16, "\0\0", 2, BULLA_E_STORE_DAMAGED },
	{ 18, "\x03", 1, BULLA_E_STORE_DAMAGED },  /* file formats */
	{ 19, "\0", 1, BULLA_E_STORE_DAMAGED },
	{ 20, "\x01", 1, BULLA_E_STORE_DAMAGED },
	{ 21, "\x41", 1, BULLA_E_STORE_DAMAGED },
	{ 28, "\0\0\xff\xff", 4, BULLA_E_STORE_DAMAGED }, /* pages */
	{ 52, "\0\0\0\2", 4, BULLA_E_STORE_DAMAGED }, /* auto_vacuum */
	{ 44, "\0\0\0\x05", 4, BULLA_E_STORE_DAMAGED },
	{ 56, "\0\0\0\x02", 4, BULLA_E_STORE_DAMAGED },
	{ 60, "\0\0\0\0", 4, BULLA_E_STORE_DAMAGED }, /* user_version */
	{ 60, "\0\0\0\x03", 4, BULLA_E_STORE_NEWER },
	{ 60, "\xff\xff\xff\xff", 4, BULLA_E_STORE_NEWER },
	{ 68, "\0\0\0\0", 4, BULLA_E_STORE_FOREIGN }, /* application_id */
	{ 68, "Bulb", 4, BULLA_E_STORE_FOREIGN },
};

START_TEST(header_patched)
{
	make_good();
	patch(patches[_i].at, patches[_i].bytes, patches[_i].n);
	refused_unchanged(patches[_i].err);
}
END_TEST

START_TEST(foreign_files)
{
	uint8_t noise[8192];

	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (uint8_t)(i * 37 + 11);
	spill(file, noise, sizeof noise);
	refused_unchanged(BULLA_E_STORE_FOREIGN);
	spill(file, "x", 1);
	refused_unchanged(BULLA_E_STORE_FOREIGN);
	memset(noise, 0, sizeof noise);
	spill(file, noise, sizeof noise);
	refused_unchanged(BULLA_E_STORE_FOREIGN);
}
END_TEST

START_TEST(truncated)
{
	static const off_t sizes[] = { 1, 16, 99, 100, 512, 4095, 4096, 8192 };

	make_good();
	ck_assert_int_eq(truncate(file, sizes[_i]), 0);
	refused_unchanged(BULLA_E_STORE_DAMAGED);
}
END_TEST

/* The header is good, the pages behind it are not: found by SQLite, and still an error that names the file. */
START_TEST(body_destroyed)
{
	static const uint8_t zeros[4096];
	struct store *store = NULL;

	make_good();
	patch(100, zeros, 3996);
	ck_assert_err(open_at(file, 0, &store), BULLA_E_STORE_DAMAGED);
	ck_assert_ptr_null(store);
}
END_TEST

START_TEST(empty_is_new)
{
	struct store *store;

	spill(file, "", 0);
	ck_assert_ok(open_at(file, 0, &store));
	store_close(store);
	ck_assert_ok(open_at(file, 0, &store));
	store_close(store);
}
END_TEST

/* SQLite would throw the log away. */
START_TEST(empty_with_log)
{
	char wal[128];

	spill(file, "", 0);
	snprintf(wal, sizeof wal, "%s-wal", file);
	spill(wal, "log", 3);
	struct store *store = NULL;

	ck_assert_err(open_at(file, 0, &store), BULLA_E_STORE_DAMAGED);
	struct contents *after = slurp(wal);

	ck_assert_uint_eq(after->len, 3);
	free(after);
}
END_TEST

START_TEST(not_a_file)
{
	struct store *store = NULL;
	char missing[160];

	ck_assert_int_eq(mkfifo(file, 0600), 0);
	ck_assert_err(open_at(file, 0, &store), BULLA_E_STORE_FOREIGN);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(mkdir(file, 0700), 0);
	ck_assert_err(open_at(file, 0, &store), BULLA_E_STORE);
	snprintf(missing, sizeof missing, "%s/missing/bulla.db", folder);
	ck_assert_err(open_at(missing, 0, &store), BULLA_E_STORE);
	ck_assert_ptr_null(store);
}
END_TEST

START_TEST(mode_is_private)
{
	struct stat st;
	struct store *store;
	char wal[128];

	umask(0);
	ck_assert_ok(open_at(file, 0, &store));
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "hello")));
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	snprintf(wal, sizeof wal, "%s-wal", file);
	ck_assert_int_eq(stat(wal, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert(!exists("-shm"));
	store_close(store);
}
END_TEST

/* The first store goes on undisturbed, and still keeps others out: a closed descriptor would have dropped its fcntl locks. */
START_TEST(second_open_same_process)
{
	struct store *first, *second = NULL;
	char link_name[128];

	ck_assert_ok(open_at(file, 0, &first));
	ck_assert_err(open_at(file, 0, &second), BULLA_E_STORE_LOCKED);
	snprintf(link_name, sizeof link_name, "%s/other.db", folder);
	ck_assert_int_eq(symlink(file, link_name), 0);
	ck_assert_err(open_at(link_name, 0, &second), BULLA_E_STORE_LOCKED);
	ck_assert_ptr_null(second);
	ck_assert_ok(commit_one(first, put(id_of(1, 1), 0, "hello")));

	int fd = open("/proc/locks", O_RDONLY);
	char locks[65536] = "", wanted[64];
	struct stat st;

	ck_assert_int_ge(fd, 0);
	for (size_t n = 0; n < sizeof locks - 1;) {
		ssize_t more = read(fd, locks + n, sizeof locks - 1 - n);

		if (more <= 0)
			break;
		n += (size_t)more;
	}
	close(fd);
	ck_assert_int_eq(stat(file, &st), 0);
	snprintf(wanted, sizeof wanted, ":%ju ", (uintmax_t)st.st_ino);
	bool ours = false;

	for (char *line = strtok(locks, "\n"); line != NULL; line = strtok(NULL, "\n"))
		ours |= strstr(line, "POSIX") != NULL && strstr(line, "WRITE") != NULL && strstr(line, wanted) != NULL;
	ck_assert_msg(ours, "SQLite's lock is gone");
	store_close(first);
	ck_assert_ok(open_at(file, 0, &second));
	store_close(second);
}
END_TEST

static int open_in_child(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct bulla_call call = { .arena = bulla_arena_new(4096), .may_block = true };
		struct store *store = NULL;
		char *copy = strdup(file);
		/* not by the parent's list: as another process would, without the fork's memory */
		int fd = open(copy, O_RDWR);
		bool locked = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
		enum bulla_err err = store_open(&(struct store_options){ copy, 0 }, &call, &store);

		_exit(err == BULLA_OK ? 0 : err == BULLA_E_STORE_LOCKED && locked ? 1 : 2);
	}
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

START_TEST(second_process)
{
	struct store *first;

	ck_assert_ok(open_at(file, 0, &first));
	ck_assert_int_eq(open_in_child(), 1);
	ck_assert_ok(commit_one(first, put(id_of(1, 1), 0, "hello")));
	store_close(first);
}
END_TEST

/* Killed without closing: the log is there, and what was committed is found again. */
START_TEST(killed)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct store *store;

		if (open_at(file, 0, &store) != BULLA_OK || commit_one(store, put(id_of(1, 1), 0, "hello")) != BULLA_OK)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	int status;
	struct store *store;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert(exists("-wal"));
	ck_assert_ok(open_at(file, 0, &store));
	ck_assert_str_eq(text_of(store, id_of(1, 1), NULL), "hello");
	store_close(store);
}
END_TEST

START_TEST(identity_stays)
{
	struct store *store, *other;
	struct store_identity identity, zero = { { 0 }, 0 };
	char name[128];

	ck_assert_ok(open_at(file, 0, &store));
	identity = *store_identity(store);
	ck_assert_int_ne(memcmp(identity.cluster_id, zero.cluster_id, 16), 0);
	ck_assert_int_gt(identity.created_s, 1500000000);
	ck_assert_str_eq(store_kind(store), "sqlite");
	store_close(store);
	snprintf(name, sizeof name, "%s/moved.db", folder);
	ck_assert_int_eq(rename(file, name), 0);
	ck_assert_ok(open_at(name, 0, &store));
	ck_assert_int_eq(memcmp(identity.cluster_id, store_identity(store)->cluster_id, 16), 0);
	ck_assert_ok(open_at(NULL, 0, &other));
	ck_assert_str_eq(store_kind(other), "inmem");
	ck_assert_int_ne(memcmp(identity.cluster_id, store_identity(other)->cluster_id, 16), 0);
	store_close(other);
	store_close(store);
}
END_TEST

START_TEST(may_not_block)
{
	struct bulla_call call = call_begin();
	struct store *store = NULL;

	call.may_block = false;
	ck_assert_err(store_open(&(struct store_options){ file, 0 }, &call, &store), BULLA_E_MUST_BLOCK);
	ck_assert(!exists(""));
	call_end(&call);
	store_close(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/open");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, folder_make, folder_remove);
	tcase_add_loop_test(tc, header_patched, 0, sizeof patches / sizeof patches[0]);
	tcase_add_test(tc, foreign_files);
	tcase_add_loop_test(tc, truncated, 0, 8);
	tcase_add_test(tc, body_destroyed);
	tcase_add_test(tc, empty_is_new);
	tcase_add_test(tc, empty_with_log);
	tcase_add_test(tc, not_a_file);
	tcase_add_test(tc, mode_is_private);
	tcase_add_test(tc, second_open_same_process);
	tcase_add_test(tc, second_process);
	tcase_add_test(tc, killed);
	tcase_add_test(tc, identity_stays);
	tcase_add_test(tc, may_not_block);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
