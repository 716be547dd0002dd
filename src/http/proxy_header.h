/* proxy_header.h: the header of the PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt), by which a proxy that passes bytes
 * through says whose they are. Knows no sockets. Stateless: any thread. */
#ifndef BULLA_HTTP_PROXY_HEADER_H
#define BULLA_HTTP_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#define PROXY_HEADER_LOOK 107 /* bytes that are enough to judge by: the longest line of version 1 */

struct sockaddr_storage;

/* MORE: it cannot be said yet. NONE: the stream begins with something else. LOCAL: a header that names no client with an IP
 * address: the connection is the proxy's own, or of another family. NAMES: it does. WRONG: it begins like one, and is none. */
enum proxy_header { PROXY_HEADER_MORE, PROXY_HEADER_NONE, PROXY_HEADER_LOCAL, PROXY_HEADER_NAMES, PROXY_HEADER_WRONG };

/* bytes: the first len of a stream, of which at most PROXY_HEADER_LOOK are looked at. With LOCAL and NAMES *whole is how many bytes the
 * header has, which may be more than len: what lies behind the addresses is for nobody here, and not looked at. With NAMES *client is
 * the source's address and port: IPv4 or IPv6. Nothing is set otherwise. */
enum proxy_header proxy_header_read(const uint8_t *bytes, size_t len, size_t *whole, struct sockaddr_storage *client);

#endif
