/* The header of the PROXY protocol: what is said of a stream's beginning stays true whatever follows, is said after so many bytes at
 * the latest, and a header that is read has the length that it says. */
#include <sys/socket.h>

#include "fuzz.h"
#include "http/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum proxy_header before = PROXY_HEADER_MORE;
	size_t before_whole = 0;

	for (size_t len = 0; len <= size && len <= 2 * PROXY_HEADER_LOOK; len++) {
		struct bulla_bytes text = fuzz_exact(data, len);
		struct sockaddr_storage client = { 0 };
		size_t whole = 0;
		enum proxy_header header = proxy_header_read(text.ptr, len, &whole, &client);

		require(before == PROXY_HEADER_MORE || (header == before && whole == before_whole));
		require(header != PROXY_HEADER_MORE || len < PROXY_HEADER_LOOK);
		require((header == PROXY_HEADER_NAMES) == (client.ss_family == AF_INET || client.ss_family == AF_INET6));
		require((whole > 0) == (header == PROXY_HEADER_NAMES || header == PROXY_HEADER_LOCAL));
		require(whole == 0 || (data[0] == 'P' ? whole <= len && data[whole - 1] == '\n' : whole >= 16 && whole <= 16 + 65535));
		before = header;
		before_whole = whole;
		fuzz_free(text);
	}
	return 0;
}
