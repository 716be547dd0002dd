/* http.h: the HTTPS server: gathers a request within its limits, hands it to a handler, sends the reply. */
#ifndef CARD_HTTP_H
#define CARD_HTTP_H

#include "settings.h"

#define HTTP_BODY_MAX 4096
#define HTTP_TARGET_MAX 256

struct http;

/* What a handler fills in. body is malloc'ed and taken over. */
struct reply {
	int status;
	const char *type;      /* static; NULL: JSON */
	char *body;            /* NULL: empty */
	size_t len;
	const char *allow;     /* static: for 405 */
	char location[64];     /* empty: none */
	int retry_after_s;     /* 0: none */
	bool ask_for_token;    /* for 401 */
};

struct request {
	const char *method;         /* GET for HEAD, too: the body of the answer is left away then */
	char path[HTTP_TARGET_MAX]; /* as it came: not decoded */
	char body[HTTP_BODY_MAX + 1];
	size_t len;
	struct reply reply;
	bool too_big;          /* body or path: what is there of them is cut, or was not waited for */
	bool malformed;        /* where its body ends is a matter of opinion */
	void *extra;           /* the handler's; freed with the request */
	struct http *http;     /* this and the rest: http.c's */
	void *connection;
	bool at_once, handled, suspended;
};

/* Called when the whole request is there, by a thread of the server, which must not be held up. Either fills request->reply, or calls
 * http_suspend and has another thread fill it and call http_resume. */
typedef void http_handler(void *app, struct request *request);

/* Listens. CONFIG: address, certificate or key are no good; logged. */
MUST_USE enum card_err http_start(const struct settings *settings, http_handler *handler, void *app, struct http **out);

/* Stops accepting; gives the replies under way up to 2 s. No suspended request may be left. */
void http_stop(struct http *http);

/* Before the request is handed to another thread. */
void http_suspend(struct request *request);
void http_resume(struct request *request);

/* A header, or a parameter after '?', as it came; NULL: none. Valid as long as the request. */
const char *http_header(const struct request *request, const char *name);
const char *http_parameter(const struct request *request, const char *name);

#endif
