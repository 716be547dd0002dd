/* client.h: HTTPS requests to one server, over a connection that stays open. */
#ifndef CARD_CLIENT_H
#define CARD_CLIENT_H

#include "card.h"

#define CLIENT_ERROR_SIZE 300

struct client;

struct client_config {
	const char *base;    /* https://host:port; kept */
	const char *ca_file; /* NULL: the system's */
	bool plain_http;     /* http:// is allowed too */
	long timeout_ms;     /* of one request */
};

/* body belongs to the client, and lasts until the next request. */
struct client_answer {
	int status;
	const char *body;
	size_t len;
};

/* config is copied, its texts are kept. NULL: no memory. For one thread at a time. Call client_init before threads start. */
struct client *client_new(const struct client_config *config) MUST_USE;
void client_free(struct client *client);

MUST_USE enum card_err client_init(void);

/* A request in two steps, so that another client's can be under way meanwhile: begin sends it, end waits for the answer. After a
 * begin that was OK call end exactly once; after one that failed, not. header: a whole line such as "X-Vault-Token: ...", or NULL; json: the body, or NULL. The
 * certificate is checked, redirects are not followed, proxies are not asked. UNAVAILABLE: no answer; error says why, without anything of the
 * request. */
MUST_USE enum card_err client_begin(struct client *client, const char *method, const char *path, const char *header, const char *json,
				    char error[CLIENT_ERROR_SIZE]);
MUST_USE enum card_err client_end(struct client *client, struct client_answer *answer, char error[CLIENT_ERROR_SIZE]);

/* Both. */
MUST_USE enum card_err client_send(struct client *client, const char *method, const char *path, const char *header,
				   const char *json, struct client_answer *answer, char error[CLIENT_ERROR_SIZE]);

#endif
