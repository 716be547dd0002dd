/* clients.h: how much of something each client address holds: connections, or requests in flight. One entry for each
 * address that holds any; IPv6 by its /64, which is what one subscriber has. Thread-safe. */
#ifndef BULLA_HTTP_CLIENTS_H
#define BULLA_HTTP_CLIENTS_H

#include <bulla.h>

struct clients;
struct client;
struct sockaddr;

/* For so many addresses at most; all of its memory is taken now. NULL: no memory, no randomness. */
struct clients *clients_new(size_t most);
void clients_free(struct clients *clients);

/* One more for the address. NULL: it has none (a unix socket), or the table is full: it is not counted. */
struct client *clients_enter(struct clients *clients, const struct sockaddr *address);
/* The same for "192.0.2.1:80", "[2001:db8::1]:80". */
struct client *clients_enter_text(struct clients *clients, struct bulla_bytes address);
/* By what addresses are told apart, for other accounts: all of an IPv4 one, the first 64 bits of an IPv6 one. False: it is none. */
bool clients_bits(struct bulla_bytes address, uint64_t *bits);
/* One less; NULL does nothing. */
void clients_leave(struct clients *clients, struct client *client);

/* How many the address has; 0: none, or it is no address. */
unsigned clients_held(struct clients *clients, const struct sockaddr *address);
unsigned client_held(const struct client *client);
/* What each may have of so many: an equal part for each address and for one that is not here yet; at least 1. */
unsigned clients_share(const struct clients *clients, unsigned all);

#endif
