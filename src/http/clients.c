/* clients.c: owns the table of client addresses: chains of entries from one block, under one lock. It is asked once a
 * connection, and once a request while connections are scarce. */
#include "http/clients.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ADDRESS_MAX 64

struct key {
	uint64_t bits; /* the first 64 of an IPv6 address, or all of an IPv4 one */
	bool v6;
};

struct client {
	struct key key;
	struct client *next; /* of its chain, or of the spare ones */
	atomic_uint held;
};

struct clients {
	pthread_mutex_t lock;
	uint64_t seed[2];    /* nobody outside can choose addresses that share a chain */
	size_t mask;
	struct client **chains;
	struct client *spare;
	atomic_uint addresses;
	struct client entries[];
};

struct clients *clients_new(size_t most)
{
	struct clients *c = calloc(1, sizeof *c + most * sizeof c->entries[0]);
	size_t chains = 1;

	while (chains < most)
		chains *= 2;
	if (c == NULL)
		return NULL;
	c->chains = calloc(chains, sizeof c->chains[0]);
	if (c->chains == NULL || bulla_random(c->seed, sizeof c->seed) != BULLA_OK) {
		free(c->chains);
		free(c);
		return NULL;
	}
	c->mask = chains - 1;
	pthread_mutex_init(&c->lock, NULL);
	for (size_t i = most; i > 0; i--) {
		c->entries[i - 1].next = c->spare;
		c->spare = &c->entries[i - 1];
	}
	return c;
}

void clients_free(struct clients *clients)
{
	if (clients == NULL)
		return;
	pthread_mutex_destroy(&clients->lock);
	free(clients->chains);
	free(clients);
}

static struct key v4_key(uint32_t address)
{
	return (struct key){ .bits = address };
}

static struct key v6_key(const struct in6_addr *address)
{
	struct key key = { .v6 = true };
	uint32_t v4;

	if (IN6_IS_ADDR_V4MAPPED(address)) {
		memcpy(&v4, &address->s6_addr[12], sizeof v4);
		return v4_key(v4);
	}
	memcpy(&key.bits, address->s6_addr, sizeof key.bits);
	return key;
}

static bool key_of(const struct sockaddr *address, struct key *key)
{
	if (address->sa_family == AF_INET)
		*key = v4_key(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);
	else if (address->sa_family == AF_INET6)
		*key = v6_key(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
	else
		return false;
	return true;
}

/* Without its port and brackets. */
static bool key_of_text(struct bulla_bytes text, struct key *key)
{
	char host[ADDRESS_MAX];
	struct in6_addr v6;
	struct in_addr v4;
	size_t len = text.len;

	while (len > 0 && text.ptr[len - 1] != ':')
		len--;
	if (len < 2 || len > sizeof host)
		return false;
	bool bracketed = text.ptr[0] == '[' && text.ptr[len - 2] == ']';

	if (bracketed)
		text.ptr++, len -= 2;
	memcpy(host, text.ptr, len - 1);
	host[len - 1] = '\0';
	if (bracketed ? inet_pton(AF_INET6, host, &v6) != 1 : inet_pton(AF_INET, host, &v4) != 1)
		return false;
	*key = bracketed ? v6_key(&v6) : v4_key(v4.s_addr);
	return true;
}

/* With the lock. */
static struct client **chain_of(struct clients *c, struct key key)
{
	uint64_t h = (key.bits ^ c->seed[0]) * UINT64_C(0x9e3779b97f4a7c15) + key.v6;

	h = (h ^ h >> 32 ^ c->seed[1]) * UINT64_C(0xd6e8feb86659fd93);
	return &c->chains[(h ^ h >> 32) & c->mask];
}

/* With the lock. */
static struct client *find(struct clients *c, struct key key)
{
	struct client *client = *chain_of(c, key);

	while (client != NULL && (client->key.bits != key.bits || client->key.v6 != key.v6))
		client = client->next;
	return client;
}

/* With the lock. */
static struct client *make(struct clients *c, struct key key)
{
	struct client *client = c->spare, **chain = chain_of(c, key);

	if (client == NULL)
		return NULL;
	c->spare = client->next;
	client->key = key;
	client->next = *chain;
	*chain = client;
	atomic_fetch_add_explicit(&c->addresses, 1, memory_order_relaxed);
	return client;
}

static struct client *enter(struct clients *c, struct key key)
{
	pthread_mutex_lock(&c->lock);
	struct client *client = find(c, key);

	if (client == NULL)
		client = make(c, key);
	if (client != NULL)
		atomic_fetch_add_explicit(&client->held, 1, memory_order_relaxed);
	pthread_mutex_unlock(&c->lock);
	return client;
}

struct client *clients_enter(struct clients *c, const struct sockaddr *address)
{
	struct key key;

	return key_of(address, &key) ? enter(c, key) : NULL;
}

struct client *clients_enter_text(struct clients *c, struct bulla_bytes address)
{
	struct key key;

	return key_of_text(address, &key) ? enter(c, key) : NULL;
}

bool clients_bits(struct bulla_bytes address, uint64_t *bits)
{
	struct key key;

	if (!key_of_text(address, &key))
		return false;
	*bits = key.bits;
	return true;
}

void clients_leave(struct clients *c, struct client *client)
{
	if (client == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	if (atomic_fetch_sub_explicit(&client->held, 1, memory_order_relaxed) == 1) {
		struct client **at = chain_of(c, client->key);

		while (*at != client)
			at = &(*at)->next;
		*at = client->next;
		client->next = c->spare;
		c->spare = client;
		atomic_fetch_sub_explicit(&c->addresses, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&c->lock);
}

unsigned clients_held(struct clients *c, const struct sockaddr *address)
{
	struct key key;

	if (!key_of(address, &key))
		return 0;
	pthread_mutex_lock(&c->lock);
	const struct client *client = find(c, key);
	unsigned held = client == NULL ? 0 : client_held(client);

	pthread_mutex_unlock(&c->lock);
	return held;
}

unsigned client_held(const struct client *client)
{
	return atomic_load_explicit(&client->held, memory_order_relaxed);
}

unsigned clients_share(const struct clients *c, unsigned all)
{
	unsigned share = all / (atomic_load_explicit(&c->addresses, memory_order_relaxed) + 1);

	return share == 0 ? 1 : share;
}
