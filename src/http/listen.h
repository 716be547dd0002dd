/* listen.h: listening sockets, TCP and unix. Knows no HTTP library. One thread. */
#ifndef BULLA_HTTP_LISTEN_H
#define BULLA_HTTP_LISTEN_H

#include <sys/types.h>

#include "http/httpd.h"

/* Room for a peer's or our own address as text. */
#define ADDRESS_TEXT 64

/* Opens a non-blocking, close-on-exec socket that listens where the listener says. A stale unix socket is replaced,
 * one that answers or any other file is not. CONFIG, ADDRESS_IN_USE (a server listens there) with a detail. */
BULLA_MUST_USE enum bulla_err listen_open(const struct listener *listener, struct bulla_call *call, int *fd);

/* Removes the file of a unix socket, if it is still the one with these numbers: another server may have put its own
 * there. */
void listen_remove(const struct listener *listener, dev_t device, ino_t inode);
/* Those numbers; 0, 0: none. */
void listen_file(const struct listener *listener, dev_t *device, ino_t *inode);

/* Whether text has the form "host:port" or "[host]:port". */
bool listen_is_address(const char *text);

/* The port of a TCP socket; 0: none. */
unsigned listen_port(int fd);

struct sockaddr;
/* "127.0.0.1:4711", "[::1]:4711"; "" for a unix socket. */
void address_print(const struct sockaddr *address, char text[ADDRESS_TEXT]);
/* Whether an address that was printed so is one of these addresses and CIDR blocks. False for "". */
bool address_is_among(const char *text, const struct bulla_bytes *cidrs, size_t count);

#endif
