/* scan.h: looks for bytes in this process's whole writable memory, stacks included. What is looked for is held masked, so
 * that the search does not find itself. Not under sanitizers: their shadow memory is too large to walk. */
#ifndef TESTS_SCAN_H
#define TESTS_SCAN_H

#include <check.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#define SCAN_MASK 0x5a
#define SCAN_BYTES 16

struct scan_needle {
	uint8_t masked[SCAN_BYTES];
};

/* volatile: or the compiler keeps the whole unmasked needle somewhere */
static inline struct scan_needle scan_mask(const volatile uint8_t *bytes)
{
	struct scan_needle needle;

	for (size_t i = 0; i < SCAN_BYTES; i++)
		needle.masked[i] = bytes[i] ^ SCAN_MASK;
	return needle;
}

static inline void scan_unmask(const struct scan_needle *needle, volatile uint8_t *bytes)
{
	for (size_t i = 0; i < SCAN_BYTES; i++)
		bytes[i] = needle->masked[i] ^ SCAN_MASK;
}

static inline size_t scan_region(const volatile uint8_t *at, const volatile uint8_t *end, const struct scan_needle *needle)
{
	size_t found = 0;

	for (; at + SCAN_BYTES <= end; at++) {
		size_t same = 0;

		while (same < SCAN_BYTES && (at[same] ^ SCAN_MASK) == needle->masked[same])
			same++;
		found += same == SCAN_BYTES;
	}
	return found;
}

/* How often the needle is in writable memory. */
static inline size_t scan_count(const struct scan_needle *needle)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], mode[5];
	unsigned long from, to;
	size_t found = 0, regions = 0;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof line, maps) != NULL) {
		ck_assert_int_eq(sscanf(line, "%lx-%lx %4s", &from, &to, mode), 3);
		if (mode[0] != 'r' || mode[1] != 'w')
			continue;
		found += scan_region((const volatile uint8_t *)from, (const volatile uint8_t *)to, needle);
		regions++;
	}
	fclose(maps);
	ck_assert_uint_ge(regions, 3);
	return found;
}

#endif
