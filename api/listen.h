/* listen.h: what a server needs before it can serve: a socket, and its files. */
#ifndef CARD_LISTEN_H
#define CARD_LISTEN_H

#include "card.h"

/* Listens on "127.0.0.1:8443", "[::1]:8443" or ":8443" (every address). CONFIG: logged. */
MUST_USE enum card_err listen_open(const char *address, int *out_fd);

/* A text file of up to max bytes; the caller's to free. CONFIG: logged. */
MUST_USE enum card_err listen_read_file(const char *path, size_t max, char **out);

#endif
