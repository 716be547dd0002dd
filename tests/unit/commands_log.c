/* commands_log.c: what a line of the log looks like, what is left out, and that the file can be moved away. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/log.h"
#include "unit.h"

static char folder[] = "/tmp/bulla-log-XXXXXX", file[64], moved[64];

static void begin(enum log_level level, bool json)
{
	struct bulla_call call = call_begin();
	struct log_config config = { level, json, file };

	(void)unlink(file);
	ck_assert_ok(log_open(&config, &call));
	call_end(&call);
}

static const char *contents(const char *from)
{
	static char text[16384];
	int fd = open(from, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	text[n] = '\0';
	return text;
}

START_TEST(cannot_open)
{
	struct bulla_call call = call_begin();
	struct log_config config = { LOG_LEVEL_INFO, false, "/no/such/file" };

	ck_assert_err(log_open(&config, &call), BULLA_E_CONFIG);
	ck_assert_str_eq((const char *)call.detail.ptr, "log_file /no/such/file: No such file or directory");
	call_end(&call);
}
END_TEST

START_TEST(writes_lines)
{
	struct stat st;
	int ms, line_end = 0;

	begin(LOG_LEVEL_INFO, false);
	log_write(LOG_LEVEL_DEBUG, "too little");
	log_write(LOG_LEVEL_WARN, "a %d\nb\x1b[31m\x7f", 5);
	log_text(NULL, "debug", "too little");
	log_text(NULL, "error", "from serve");
	log_text(NULL, "strange", "counts as info");
	const char *text = contents(file);

	ck_assert_int_eq(sscanf(text, "%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%3dZ [WARN]  a 5%n", &ms, &line_end), 1);
	ck_assert_int_gt(line_end, 0);
	ck_assert_ptr_nonnull(strstr(text, " [WARN]  a 5\\x0ab\\x1b[31m\\x7f\n"));
	ck_assert_ptr_nonnull(strstr(text, " [ERROR] from serve\n"));
	ck_assert_ptr_nonnull(strstr(text, " [INFO]  counts as info\n"));
	ck_assert_ptr_null(strstr(text, "too little"));
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(writes_json)
{
	begin(LOG_LEVEL_TRACE, true);
	log_write(LOG_LEVEL_TRACE, "say \"%s\"\n", "x\x01");
	json_t *line = json_loads(contents(file), JSON_REJECT_DUPLICATES, NULL);

	ck_assert_ptr_nonnull(line);
	ck_assert_str_eq(json_string_value(json_object_get(line, "@level")), "trace");
	ck_assert_str_eq(json_string_value(json_object_get(line, "@message")), "say \"x\x01\"\n");
	ck_assert_uint_eq(strlen(json_string_value(json_object_get(line, "@timestamp"))), strlen("2026-11-21T19:05:40.725Z"));
	json_decref(line);
	ck_assert_ptr_eq(strchr(contents(file), '\n') + 1, strchr(contents(file), '\0')); /* one line */
}
END_TEST

START_TEST(cuts_long_lines)
{
	char *much = malloc(100001);

	ck_assert_ptr_nonnull(much);
	memset(much, '\n', 100000);
	much[100000] = '\0';
	begin(LOG_LEVEL_INFO, false);
	log_write(LOG_LEVEL_INFO, "%s", much);
	log_text(NULL, "info", much);
	log_write(LOG_LEVEL_INFO, "after");
	const char *text = contents(file);
	unsigned lines = 0;

	for (const char *c = text; *c != '\0'; c++)
		lines += *c == '\n';
	ck_assert_uint_eq(lines, 3);
	ck_assert_ptr_nonnull(strstr(text, " after\n"));
	free(much);
}
END_TEST

START_TEST(reopens)
{
	struct bulla_call call = call_begin();

	begin(LOG_LEVEL_INFO, false);
	log_write(LOG_LEVEL_INFO, "first");
	ck_assert_int_eq(rename(file, moved), 0);
	log_write(LOG_LEVEL_INFO, "second");
	ck_assert_ok(log_reopen(&call));
	log_write(LOG_LEVEL_INFO, "third");
	ck_assert_ptr_nonnull(strstr(contents(moved), "second"));
	ck_assert_ptr_null(strstr(contents(moved), "third"));
	ck_assert_ptr_nonnull(strstr(contents(file), "third"));
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(mkdir(file, 0700), 0); /* cannot be opened: the old one stays */
	ck_assert_err(log_reopen(&call), BULLA_E_CONFIG);
	ck_assert_int_eq(rmdir(file), 0);
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commands/log");
	TCase *tc = tcase_create("log");

	if (mkdtemp(folder) == NULL)
		return 99;
	snprintf(file, sizeof file, "%s/log", folder);
	snprintf(moved, sizeof moved, "%s/log.1", folder);
	tcase_add_test(tc, cannot_open);
	tcase_add_test(tc, writes_lines);
	tcase_add_test(tc, writes_json);
	tcase_add_test(tc, cuts_long_lines);
	tcase_add_test(tc, reopens);
	suite_add_tcase(suite, tc);
	int status = unit_main(suite);

	(void)unlink(file);
	(void)unlink(moved);
	(void)rmdir(folder);
	return status;
}
