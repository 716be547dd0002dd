/* pipeline.h: tests as arrays of steps, each a request through serve() in this process, on a real engine in memory. */
#ifndef TESTS_PIPELINE_H
#define TESTS_PIPELINE_H

#include <check.h>

#include "http/routes.h"
#include "http/serve.h"

struct step {
	const char *request;      /* "POST transit/keys/k": the path is below /v1/ unless it begins with a slash */
	const char *body;         /* NULL: none */
	int status;
	const char *expect;       /* JSON that must stand within the answer; "%any" stands for whatever is there; NULL: any body;
				     "": an empty one */
	const char *token;        /* NULL: the root token; "": none */
	const char *save;         /* "ct=data.ciphertext": $ct stands for that value in later steps */
	const char *absent;       /* "data.x": must not be there */
	const char *namespace, *wrap_ttl, *content_type;
	const char *location;     /* of a redirect */
	const char *allow;
	const char *client_certificate; /* base64 of what the client proved itself with; NULL: nothing */
	bool root_listener;       /* it came where anybody may take part in making a root token */
	bool too_large;           /* the body was over the limit */
	void (*before)(void);     /* run ahead of the request */
	bool refuses_always;      /* the row has no other answer */
};

/* Runs steps until one without a request. */
void pipeline_run(const struct step *steps);

/* One request, of which nothing is expected: its status, and the body as a string, cut to room. */
int pipeline_send(const struct step *step, char *body, size_t room);

/* An engine that is initialised and unsealed, with the root token "root" and transit at transit/; and one that is neither. */
void pipeline_begin(void);
void pipeline_begin_uninitialised(void);
void pipeline_end(void);

/* $name stands for value in the steps that follow. */
void pipeline_save(const char *name, const char *value);

/* Before pipeline_begin: the engine's clock stands a minute after a midnight, so that no window of a budget ends in the case. */
void pipeline_day_begun(void);

/* For a step's before: the engine's clock goes this far ahead, until pipeline_end. */
void pipeline_hour_later(void);
void pipeline_minute_later(void);

extern struct bulla *pipeline_engine;
extern struct bulla_bytes pipeline_unseal_key;
/* What was logged since pipeline_begin, last line; "" if nothing. */
extern char pipeline_log[512];

/* How many rows have been answered without an error so far in this process, and the first that has not; for the last case. */
size_t pipeline_rows_answered(size_t *rows, char missing[128]);

/* Text with each $name of a saved value replaced; to be freed. */
char *pipeline_substitute(const char *text);
/* Whether sys/audit may enable devices; true at pipeline_begin. */
extern bool pipeline_allow_audit;

/* Suites, one a file. */
Suite *approle_suite(void);
Suite *audit_suite(void);
Suite *userpass_suite(void);
Suite *gates_suite(void);
Suite *moving_suite(void);
Suite *transit_suite(void);
Suite *sys_suite(void);
Suite *token_suite(void);
Suite *signing_suite(void);
Suite *wrapping_suite(void);
Suite *quota_suite(void);
Suite *cert_suite(void);
Suite *policies_suite(void);
Suite *walk_suite(void);
Suite *jwt_suite(void);
Suite *cubbyhole_suite(void);
Suite *leases_suite(void);

#endif
