/* commands: flags, durations, K=V values, targets, and how values and tables are printed. What needs a server is in tests/e2e. */
#include "unit.h"

#include <unistd.h>

#include "commands/output.h"
#include "commands/values.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct cli cli;

static void begin(void)
{
	static char name[] = "x", *argv[] = { name, NULL };
	static const struct cli_spec spec = { .usage = "x", .about = "" };

	ck_assert_int_eq(setenv("BULLA_ADDR", "http://127.0.0.1:1", 1), 0);
	ck_assert_int_eq(cli_begin(&cli, &spec, 1, argv), CLI_GO_ON);
}

static void end(void)
{
	cli_end(&cli);
}

/* Nobody wants to read the mistakes that the tests provoke. */
static void be_silent(void)
{
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
}

/* ---- flags --------------------------------------------------------------- */

static struct {
	const char *text;
	bool yes;
	int64_t number, seconds;
	struct flag_list list, pairs;
} got;

static const struct flag own[] = {
	{ "text", FLAG_STRING, &got.text, "" }, { "yes", FLAG_BOOL, &got.yes, "" }, { "number", FLAG_INT, &got.number, "" },
	{ "ttl", FLAG_DURATION, &got.seconds, "" }, { "list", FLAG_LIST, &got.list, "" }, { "pair", FLAG_PAIRS, &got.pairs, "" }, { 0 },
};
static const struct flag *const tables[] = { own, NULL };

static char *argv[32];
static int argc; /* what is left, with the program's name */

static enum flags_result parse(const char *line)
{
	static char copy[512];

	argc = 0;

	memset(&got, 0, sizeof got);
	snprintf(copy, sizeof copy, "program %s", line);
	for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return flags_parse(tables, &argc, argv);
}

static const char *const wrong_lines[] = {
	"-nosuch", "-text", "-tex=a", "-textt=a", "-yes=maybe", "-number=x", "-number=1x", "-number=", "-number=99999999999999999999",
	"-ttl=1y", "-ttl=h", "-pair=novalue", "-=x", "--=x",
};

START_TEST(refuses_flags)
{
	be_silent();
	ck_assert_int_eq(parse(wrong_lines[_i]), FLAGS_WRONG);
}
END_TEST

START_TEST(too_many_of_a_list)
{
	static char word[] = "-list=a", *many[FLAG_LIST_MAX + 2];
	int count = FLAG_LIST_MAX + 1;

	be_silent();
	memset(&got, 0, sizeof got);
	for (size_t i = 0; i < FLAG_LIST_MAX + 2; i++)
		many[i] = word;
	ck_assert_int_eq(flags_parse(tables, &count, many), FLAGS_OK);
	ck_assert_int_eq(count, 1);
	count = FLAG_LIST_MAX + 2;
	memset(&got, 0, sizeof got);
	ck_assert_int_eq(flags_parse(tables, &count, many), FLAGS_WRONG);
}
END_TEST

START_TEST(takes_flags)
{
	ck_assert_int_eq(parse("-text=a=b -yes --number -5 -ttl 1h30m -list=a -list b -pair k=v=w path -text=c"), FLAGS_OK);
	ck_assert_int_eq(argc, 2);
	ck_assert_str_eq(argv[1], "path");
	ck_assert_str_eq(got.text, "c"); /* also behind the arguments */
	ck_assert(got.yes);
	ck_assert_int_eq(got.number, -5);
	ck_assert_int_eq(got.seconds, 5400);
	ck_assert_uint_eq(got.list.count, 2);
	ck_assert_str_eq(got.list.items[1], "b");
	ck_assert_str_eq(got.pairs.items[0], "k=v=w");
	ck_assert_int_eq(parse("-yes x -h"), FLAGS_HELP);
	ck_assert_int_eq(parse("-yes -h"), FLAGS_HELP);
	ck_assert_int_eq(parse("--help"), FLAGS_HELP);
}
END_TEST

START_TEST(keeps_arguments)
{
	ck_assert_int_eq(parse("-yes=false -- -text=a -yes"), FLAGS_OK);
	ck_assert_int_eq(argc, 3);
	ck_assert_str_eq(argv[1], "-text=a");
	ck_assert_str_eq(argv[2], "-yes");
	ck_assert(!got.yes && got.text == NULL);
	ck_assert_int_eq(parse("- -text=a k=- -nosuch=1 -nosuch -- --"), FLAGS_OK);
	ck_assert_int_eq(argc, 6);
	ck_assert_str_eq(argv[1], "-");
	ck_assert_str_eq(argv[2], "k=-");
	ck_assert_str_eq(argv[3], "-nosuch=1");
	ck_assert_str_eq(argv[4], "-nosuch");
	ck_assert_str_eq(argv[5], "--");
	ck_assert_str_eq(got.text, "a");
}
END_TEST

static const struct {
	int64_t seconds;
	const char *longer, *shorter;
} durations[] = {
	{ 0, "0s", "0s" }, { 5, "5s", "5s" }, { 60, "1m0s", "1m" }, { 61, "1m1s", "1m1s" }, { 3600, "1h0m0s", "1h" },
	{ 3601, "1h0m1s", "1h0m1s" }, { 3660, "1h1m0s", "1h1m" }, { 2764800, "768h0m0s", "768h" },
};

START_TEST(prints_durations)
{
	char text[DURATION_TEXT_MAX];

	duration_print(durations[_i].seconds, text);
	ck_assert_str_eq(text, durations[_i].longer);
	duration_print_short(durations[_i].seconds, text);
	ck_assert_str_eq(text, durations[_i].shorter);
}
END_TEST

/* ---- targets ------------------------------------------------------------- */

static const struct {
	const char *path, *target;
} targets[] = {
	{ "", "/v1" }, { "a", "/v1/a" }, { "/a/b/", "/v1/a/b" }, { "a//b", "/v1/a/b" }, { "a/./b", "/v1/a/b" }, { "a/../b", "/v1/b" },
	{ "../../b", "/v1/b" }, { "..", "/v1" }, { "...", "/v1/..." }, { "a b", "/v1/a%20b" }, { "a?b#c", "/v1/a%3Fb%23c" },
	{ "a%2Fb", "/v1/a%252Fb" }, { "caf\xc3\xa9", "/v1/caf%C3%A9" }, { "a:b@c,d;e=f+g&h$i", "/v1/a:b@c,d;e=f+g&h$i" },
};

START_TEST(cleans_targets)
{
	ck_assert_str_eq(cli_target(&cli, targets[_i].path), targets[_i].target);
}
END_TEST

START_TEST(adds_queries)
{
	json_t *query = json_pack("{s:s, s:[s,s]}", "a b", "c&d=e", "list", "x", "y+z");

	ck_assert_str_eq(cli_target_with(&cli, "/v1/p", query), "/v1/p?a%20b=c%26d%3De&list=x&list=y%2Bz");
	ck_assert_str_eq(cli_target_with(&cli, "/v1/p", NULL), "/v1/p");
	json_decref(query);
}
END_TEST

START_TEST(mount_paths)
{
	ck_assert_str_eq(cli_mount_path(&cli, "a"), "a/");
	ck_assert_str_eq(cli_mount_path(&cli, "//a/b//"), "a/b/");
}
END_TEST

/* ---- values -------------------------------------------------------------- */

static json_t *values(const char *a, const char *b)
{
	char first[64], second[64], *pairs[] = { first, second };

	snprintf(first, sizeof first, "%s", a);
	snprintf(second, sizeof second, "%s", b != NULL ? b : "");
	return values_parse(&cli, b != NULL ? 2 : 1, pairs);
}

static const char *const wrong_values[] = { "novalue", "", "k=@/no/such/file", "@/no/such/file", "k=\xff", "-nodash" };

START_TEST(refuses_values)
{
	be_silent();
	ck_assert_ptr_null(values(wrong_values[_i], NULL));
	ck_assert_ptr_null(values("good=1", wrong_values[_i]));
}
END_TEST

static const struct {
	const char *a, *b, *json;
} good_values[] = {
	{ "k=v", NULL, "{\"k\":\"v\"}" }, { "k=", NULL, "{\"k\":\"\"}" }, { "k=a=b", NULL, "{\"k\":\"a=b\"}" },
	{ "k=\\@x", NULL, "{\"k\":\"@x\"}" }, { "k=1", "k=2", "{\"k\":[\"1\",\"2\"]}" }, { "a=1", "b=2", "{\"a\":\"1\",\"b\":\"2\"}" },
};

START_TEST(takes_values)
{
	json_t *object = values(good_values[_i].a, good_values[_i].b);
	char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);

	ck_assert_str_eq(text, good_values[_i].json);
	bulla_wiping_free(text);
	json_decref(object);
}
END_TEST

START_TEST(values_of_flags)
{
	struct flag_list none = { 0 }, some = { { "a=b", "c=d=e" }, 2 };
	json_t *list = values_of_list(&some), *pairs = values_of_pairs(&cli, &some);

	ck_assert_ptr_null(values_of_list(&none));
	ck_assert_ptr_null(values_of_pairs(&cli, &none));
	ck_assert_str_eq(json_string_value(json_array_get(list, 1)), "c=d=e");
	ck_assert_str_eq(json_string_value(json_object_get(pairs, "c")), "d=e");
	json_decref(list);
	json_decref(pairs);
}
END_TEST

/* ---- output -------------------------------------------------------------- */

static const struct {
	const char *json, *text;
} printed[] = {
	{ "null", "<nil>" }, { "true", "true" }, { "false", "false" }, { "-5", "-5" }, { "\"\"", "" }, { "\"a b\"", "a b" },
	{ "[]", "[]" }, { "[1,\"x\",null]", "[1 x <nil>]" }, { "{}", "map[]" }, { "{\"b\":1,\"a\":{\"c\":[]}}", "map[a:map[c:[]] b:1]" },
	{ "1.5", "1.5" },
};

START_TEST(prints_values)
{
	json_t *value = json_loads(printed[_i].json, JSON_DECODE_ANY, NULL);

	ck_assert_str_eq(output_value(&cli, value), printed[_i].text);
	json_decref(value);
}
END_TEST

/* What fn(doc) prints on stdout. */
static const char *captured(json_t *doc, int *status)
{
	static char text[4096];
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);

	ck_assert_ptr_nonnull(file);
	fflush(stdout);
	ck_assert_int_ge(dup2(fileno(file), STDOUT_FILENO), 0);
	*status = output_answer(&cli, doc);
	fflush(stdout);
	ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
	close(saved);
	rewind(file);
	size_t n = fread(text, 1, sizeof text - 1, file);

	text[n] = '\0';
	fclose(file);
	return text;
}

START_TEST(prints_answers)
{
	json_t *doc = json_loads("{\"request_id\":\"r\",\"data\":{\"ttl\":3600,\"b\":\"\",\"a\":\"x\"}}", 0, NULL);
	int status;

	ck_assert_str_eq(captured(doc, &status), "Key    Value\n---    -----\na      x\nb      n/a\nttl    1h\n");
	ck_assert_int_eq(status, CLI_DONE);
	cli.field = "a";
	ck_assert_str_eq(captured(doc, &status), "x");
	cli.field = "nosuch";
	be_silent();
	ck_assert_str_eq(captured(doc, &status), "");
	ck_assert_int_eq(status, CLI_LOCAL_ERROR);
	cli.field = NULL;
	cli.format = "json";
	ck_assert_str_eq(captured(doc, &status),
			 "{\n  \"request_id\": \"r\",\n  \"lease_id\": \"\",\n  \"lease_duration\": 0,\n  \"renewable\": false,\n"
			 "  \"data\": {\n    \"a\": \"x\",\n    \"b\": \"\",\n    \"ttl\": 3600\n  },\n  \"warnings\": null\n}\n");
	json_decref(doc);
}
END_TEST

START_TEST(data_of_answers)
{
	json_t *wrapped = json_loads("{\"data\":{\"a\":1}}", 0, NULL), *bare = json_loads("{\"sealed\":true}", 0, NULL);

	ck_assert_ptr_eq(output_data(wrapped), json_object_get(wrapped, "data"));
	ck_assert_ptr_eq(output_data(bare), bare);
	json_decref(wrapped);
	json_decref(bare);
}
END_TEST

/* ---- client -------------------------------------------------------------- */

static const struct client_config wrong_configs[] = {
	{ .address = "" }, { .address = "127.0.0.1:8200" }, { .address = "ftp://x" }, { .address = "http://" },
	{ .address = "http://x", .token = "a\nb" }, { .address = "http://x", .token = "a\x7f" }, { .address = "http://x", .namespace_ = "a\rb" },
};

START_TEST(refuses_configs)
{
	char error[CLIENT_ERROR_MAX] = "";

	ck_assert_ptr_null(client_new(&wrong_configs[_i], error));
	ck_assert_int_gt(strlen(error), 0);
}
END_TEST

START_TEST(unreachable)
{
	static const struct client_config config = { .address = "unix:///no/such/socket/" };
	char error[CLIENT_ERROR_MAX] = "";
	struct client *client = client_new(&config, error);
	struct client_answer answer = { .status = 77 };

	ck_assert_ptr_nonnull(client);
	ck_assert_str_eq(client_base(client), "http://localhost");
	ck_assert(!client_send(client, "GET", "/v1/sys/health", (struct bulla_bytes){ 0 }, &answer, error));
	ck_assert_int_gt(strlen(error), 0);
	ck_assert_int_eq(answer.status, 77);
	client_free(client);
	client_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commands");
	TCase *plain = tcase_create("flags"), *with_cli = tcase_create("cli");

	tcase_add_loop_test(plain, refuses_flags, 0, COUNT(wrong_lines));
	tcase_add_test(plain, too_many_of_a_list);
	tcase_add_test(plain, takes_flags);
	tcase_add_test(plain, keeps_arguments);
	tcase_add_loop_test(plain, prints_durations, 0, COUNT(durations));
	tcase_add_loop_test(plain, refuses_configs, 0, COUNT(wrong_configs));
	tcase_add_test(plain, unreachable);
	suite_add_tcase(suite, plain);
	tcase_add_checked_fixture(with_cli, begin, end);
	tcase_add_loop_test(with_cli, cleans_targets, 0, COUNT(targets));
	tcase_add_test(with_cli, adds_queries);
	tcase_add_test(with_cli, mount_paths);
	tcase_add_loop_test(with_cli, refuses_values, 0, COUNT(wrong_values));
	tcase_add_loop_test(with_cli, takes_values, 0, COUNT(good_values));
	tcase_add_test(with_cli, values_of_flags);
	tcase_add_loop_test(with_cli, prints_values, 0, COUNT(printed));
	tcase_add_test(with_cli, prints_answers);
	tcase_add_test(with_cli, data_of_answers);
	suite_add_tcase(suite, with_cli);
	return unit_main(suite);
}
