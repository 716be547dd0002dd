/* tail.c: finds where a file's chain ends, when the device opens: the chain goes on from there, also after a crash, and after the
 * file was moved away or made new. Reads backwards. Blocks. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_private.h"

#define FIRST_BYTES 65536
#define MOST_BYTES ((off_t)256 << 20) /* of one line: the largest request makes less */

/* The end of the file, of at most want bytes, into text. */
static bool read_end(int fd, off_t size, size_t want, uint8_t *text)
{
	size_t done = 0;

	while (done < want) {
		ssize_t n = pread(fd, text + done, want - done, size - (off_t)want + (off_t)done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void take_line(struct bulla_bytes line, struct chain *chain)
{
	uint8_t previous[SHA256_BYTES];
	uint64_t number;

	if (!chain_read(line, &number, previous) || number < chain->records)
		return;
	chain->records = number;
	sha256(line, chain->head);
}

/* Looks through the last lines in text, newest first, for one of the chain: a torn one has no place in it. */
static bool search(struct bulla_bytes text, bool whole, struct chain *chain, bool *torn)
{
	uint64_t before = chain->records;
	size_t end = text.len;

	*torn = text.len > 0 && text.ptr[text.len - 1] != '\n';
	while (end > 0 && text.ptr[end - 1] != '\n')
		end--; /* the torn one */
	while (end > 0) {
		size_t last = end - 1; /* the end of line */
		const uint8_t *start = last == 0 ? NULL : memrchr(text.ptr, '\n', last);
		size_t from = start == NULL ? 0 : (size_t)(start + 1 - text.ptr);
		uint8_t previous[SHA256_BYTES];
		uint64_t number;

		if (start == NULL && !whole)
			return false; /* its beginning is not there */
		if (chain_read(bulla_mem(text.ptr + from, last - from), &number, previous)) {
			take_line(bulla_mem(text.ptr + from, last - from), chain);
			return true;
		}
		end = from;
	}
	return whole || chain->records != before;
}

void tail_read(const char *path, struct chain *chain, bool *torn)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	*torn = false;
	if (fd < 0)
		return;
	bool found = fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0;

	for (off_t want = FIRST_BYTES; !found; want *= 8) {
		size_t n = (size_t)(want < st.st_size ? want : st.st_size);
		uint8_t *text = n > (size_t)MOST_BYTES ? NULL : malloc(n);

		if (text == NULL || !read_end(fd, st.st_size, n, text))
			found = true;
		else
			found = search(bulla_mem(text, n), n == (size_t)st.st_size, chain, torn);
		free(text);
	}
	(void)close(fd);
}
