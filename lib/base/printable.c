/* printable.c: which characters can be shown, as Go's unicode.IsPrint says it. Stateless: any thread. */
#include "bulla/utf8.h"

#include "printable_table.h"

#define EDGES (sizeof edges / sizeof edges[0])

bool bulla_is_printable(uint32_t code)
{
	size_t low = 0, high = EDGES; /* how many edges are at code or before it */

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (edges[middle] <= code)
			low = middle + 1;
		else
			high = middle;
	}
	return low % 2 == 1;
}

bool bulla_all_printable(struct bulla_bytes text)
{
	for (size_t i = 0; i < text.len;) {
		if (text.ptr[i] >= 0x20 && text.ptr[i] < 0x7F) {
			i++;
			continue;
		}
		size_t n = utf8_sequence(text.ptr + i, text.len - i);

		if (n > 0 && !bulla_is_printable(utf8_code(text.ptr + i, n)))
			return false;
		i += n > 0 ? n : 1;
	}
	return true;
}
