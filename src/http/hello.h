/* hello.h: what the first bytes of a connection to a TLS listener are. Knows no library. Stateless: any thread. */
#ifndef BULLA_HTTP_HELLO_H
#define BULLA_HTTP_HELLO_H

#include <stddef.h>
#include <stdint.h>

#define HELLO_HEAD 5        /* bytes that are enough to judge by: a record's head */
#define HELLO_MOST 16384    /* bytes that a record may carry after its head (RFC 8446, 5.1) */

/* MORE: not whole yet. WHOLE: a record of the handshake, which a TLS library may have. HTTP: a request without TLS.
 * LONG, EMPTY, SSL2: TLS, but not as it should be. STRANGE: anything else. */
enum hello { HELLO_MORE, HELLO_WHOLE, HELLO_HTTP, HELLO_LONG, HELLO_EMPTY, HELLO_SSL2, HELLO_STRANGE };

/* head: the first head_len bytes, of which at most HELLO_HEAD are looked at; unread: how many have come in all. */
enum hello hello_judge(const uint8_t *head, size_t head_len, size_t unread);

/* What is answered before the connection is closed, and its length; NULL: nothing is. */
const char *hello_answer(enum hello hello, size_t *len);

/* In words, for the log. */
const char *hello_text(enum hello hello);

#endif
