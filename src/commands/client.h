/* client.h: one connection to a server's HTTP API. client.c is the only file that knows libcurl. One thread. */
#ifndef BULLA_COMMANDS_CLIENT_H
#define BULLA_COMMANDS_CLIENT_H

#include <bulla.h>

/* All borrowed; NULL or false: not given. */
struct client_config {
	const char *address; /* "http://host:port", "https://host:port", "unix:///path" */
	const char *ca_cert, *client_cert, *client_key; /* files of PEM */
	const char *ca_path;         /* a folder of such */
	const char *ca_bytes;        /* PEM text of CAs, instead of a file */
	const char *tls_server_name; /* the name that the server's certificate must have */
	bool tls_skip_verify;
	const char *token, *namespace_;
	const char *wrap_ttl;        /* of the replies: "60", "5m" */
	const char *mfa;             /* for the server, which has no second factor: it is only told */
	bool policy_override;
	bool hurries;                /* somebody waits at a prompt: give up after two seconds */
	const char *const *headers;  /* further ones, each "name=value" */
	size_t header_count;
};

struct client;

struct client_answer {
	int status;               /* HTTP */
	struct bulla_bytes body;  /* in the client; good until the next request */
};

#define CLIENT_ERROR_MAX 512
#define CLIENT_ANSWER_MAX_BYTES ((size_t)256 << 20)

/* Checks the configuration and prepares a handle. NULL: error says why (no secret in it). Free with client_free. */
struct client *client_new(const struct client_config *config, char error[CLIENT_ERROR_MAX]);
void client_free(struct client *client); /* NULL is fine */

/* target: what follows the address, already escaped, with its query: "/v1/sys/health". body: NULL ptr: none is sent; else
 * JSON, also when len is 0. False: no answer came, and error says why. Redirects are not followed: the token would go along. */
bool client_send(struct client *client, const char *method, const char *target, struct bulla_bytes body,
		 struct client_answer *answer, char error[CLIENT_ERROR_MAX]);

/* What URLs begin with: "http://127.0.0.1:8200", "http://localhost" for a socket. */
const char *client_base(const struct client *client);

#endif
