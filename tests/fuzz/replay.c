/* replay.c: runs a fuzz target without a fuzzer: every file of its corpus, then COUNT mutations of them, seeded.
 *   usage: TARGET [-s SEED] [-n COUNT] [FILE | FOLDER]...     without files: the corpus that the build knows
 * A failure names the file that has its input, to be replayed. */
#include "config.h" /* _GNU_SOURCE: first */

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#ifndef MUTATIONS
#define MUTATIONS 20000 /* a target that checks RSA keys wants fewer */
#endif

#define MOST_SEEDS 1024
#define MOST_BYTES 65536

static struct bulla_bytes seeds[MOST_SEEDS];
static size_t seed_count;
static uint8_t input[MOST_BYTES];
static size_t input_len;
static uint64_t state = 20261121;

static uint32_t below(uint32_t limit)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % limit;
}

/* Bytes that some parser looks at are more likely than others. */
static uint8_t likely_byte(void)
{
	static const char likely[] = "\"\\{}<[]:,0123456789eE+-.tfnu \r\n\t\x7f\x80\xC3\xE2\xED\xF0\xFF%/?&=;~_AZaz\0";

	return below(3) == 0 ? (uint8_t)below(256) : (uint8_t)likely[below(sizeof likely - 1)];
}

static void insert(size_t at, const uint8_t *bytes, size_t n)
{
	if (input_len + n > MOST_BYTES)
		return;
	memmove(input + at + n, input + at, input_len - at);
	memmove(input + at, bytes, n);
	input_len += n;
}

static void cut(size_t at, size_t n)
{
	memmove(input + at, input + at + n, input_len - at - n);
	input_len -= n;
}

static void mutate(void)
{
	size_t at = below((uint32_t)input_len + 1), n = below((uint32_t)(input_len - at) + 1);
	struct bulla_bytes other = seeds[below((uint32_t)seed_count)];
	uint8_t byte = likely_byte(), copy[64];

	n = n < sizeof copy ? n : sizeof copy;
	switch (below(7)) {
	case 0:
	case 1:
		insert(at, &byte, 1);
		break;
	case 2:
		if (at < input_len)
			input[at] = byte;
		break;
	case 3:
		if (at < input_len)
			input[at] ^= (uint8_t)(1 << below(8));
		break;
	case 4:
		cut(at, n);
		break;
	case 5: /* twice */
		memcpy(copy, input + at, n);
		insert(at, copy, n);
		break;
	default: /* a piece of another seed */
		if (other.len > 0) {
			size_t from = below((uint32_t)other.len);

			insert(at, other.ptr + from, below((uint32_t)(other.len - from)) + 1);
		}
	}
}

/* What was being run goes to a file. */
static void keep_input(void)
{
	char name[256];

	snprintf(name, sizeof name, "fuzz-%s.input", program_invocation_short_name);
	FILE *file = fopen(name, "w");

	if (file == NULL)
		return;
	(void)!fwrite(input, 1, input_len, file);
	(void)fclose(file);
	fprintf(stderr, "the input is in %s (%zu bytes)\n", name, input_len);
}

static void on_signal(int number)
{
	keep_input();
	signal(number, SIG_DFL);
	raise(number);
}

/* There when built with a sanitizer, whose own handlers must stay. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void watch(void)
{
	signal(SIGABRT, on_signal);
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(keep_input);
	else
		signal(SIGSEGV, on_signal);
}

static void add_file(const char *path)
{
	FILE *file = fopen(path, "r");

	if (file == NULL || seed_count == MOST_SEEDS) {
		fprintf(stderr, "%s: %s\n", path, file ? "too many files" : strerror(errno));
		exit(2);
	}
	size_t n = fread(input, 1, MOST_BYTES, file);

	fclose(file);
	seeds[seed_count++] = fuzz_exact(input, n);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void add(const char *path)
{
	struct dirent **entries;
	struct stat status;

	if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode)) {
		add_file(path);
		return;
	}
	int count = scandir(path, &entries, visible, alphasort); /* sorted: a seed gives the same run anywhere */

	if (count < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	for (int i = 0; i < count; i++) {
		char file[4096];

		snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
		add_file(file);
		free(entries[i]);
	}
	free(entries);
}

static void load_seed(size_t index)
{
	input_len = seeds[index].len;
	memcpy(input, seeds[index].ptr, input_len);
}

static void run(unsigned long mutations)
{
	for (size_t i = 0; i < seed_count; i++) {
		load_seed(i);
		(void)LLVMFuzzerTestOneInput(input, input_len);
	}
	for (unsigned long i = 0; i < mutations; i++) {
		load_seed(below((uint32_t)seed_count));
		for (uint32_t n = below(6) + 1; n > 0; n--)
			mutate();
		(void)LLVMFuzzerTestOneInput(input, input_len);
	}
}

int main(int argc, char **argv)
{
	unsigned long mutations = MUTATIONS;

	for (int option; (option = getopt(argc, argv, "s:n:")) != -1;) {
		if (option == 's')
			state = strtoull(optarg, NULL, 10);
		else if (option == 'n')
			mutations = strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	for (int i = optind; i < argc; i++)
		add(argv[i]);
	if (optind == argc)
		add(CORPUS);
	if (seed_count == 0) {
		fprintf(stderr, "no corpus\n");
		return 2;
	}
	watch();
	run(mutations);
	printf("%zu inputs, %lu mutations: as promised\n", seed_count, mutations);
	for (size_t i = 0; i < seed_count; i++)
		fuzz_free(seeds[i]);
	return 0;
}
