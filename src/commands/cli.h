/* cli.h: what the client commands share: flags, environment, requests, errors and exit statuses. One thread, one command a process. */
#ifndef BULLA_COMMANDS_CLI_H
#define BULLA_COMMANDS_CLI_H

#include <jansson.h>

#include "commands/client.h"
#include "commands/completion.h"
#include "commands/flags.h"

/* Vault's exit statuses. */
enum { CLI_DONE = 0, CLI_LOCAL_ERROR = 1, CLI_SERVER_ERROR = 2 };
/* No exit status yet: the command goes on. */
enum { CLI_GO_ON = -1 };

/* What a command's line looks like. Tables and texts are borrowed. */
struct cli_spec {
	const char *usage;        /* "read [options] PATH [K=V...]" */
	const char *about;        /* lines for -h */
	const struct flag *flags; /* the command's own; NULL: none */
	int min_args, max_args;   /* max_args -1: any number */
	bool no_format, has_field, has_raw;
	enum completes completes; /* what arguments may be */
	bool no_token; /* none is looked for */
	bool no_http; /* no server is asked: nothing of the client is prepared */
};

struct cli {
	struct bulla_arena *arena; /* all texts of the command */
	struct client_config config;
	struct client *client;
	const char *format, *field; /* field NULL: all */
	const char *agent_address;  /* NULL, "": none; else it goes before the address */
	bool curl_string, policy;   /* nothing is sent: it is printed instead */
	bool non_interactive;       /* nothing is asked for on the terminal */
	struct flag_list headers;
	struct bulla_bytes body;    /* of the last answer, in the client */
	const char *wrap_ttl;       /* NULL: not given */
	int argc;                   /* the arguments after the flags */
	char **argv;
};

/* An answer, read. doc is NULL when the body is no JSON object. Clear with cli_answer_clear. */
struct cli_answer {
	int status;
	json_t *doc;
	const char *method, *url;
	struct bulla_bytes body;
};

/* Parses the line, reads the environment and prepares the client. CLI_GO_ON, or the status to end with (after -h, a mistake). */
int cli_begin(struct cli *cli, const struct cli_spec *spec, int argc, char **argv);
/* For BULLA_CLEANUP. */
void cli_end(struct cli *cli);
void cli_answer_clear(struct cli_answer *answer);
void cli_json_clear(json_t **json);

/* Whether answers are to be printed as what came (JSON, YAML), not as a table. */
bool cli_wants_json(const struct cli *cli);
bool cli_wants_yaml(const struct cli *cli);

/* Says so and ends the process. The type lets callers write: return cli_out_of_memory(). */
const char *cli_out_of_memory(void) __attribute__((noreturn));

/* printf into the command's memory; ends the process when there is none. */
const char *cli_printf(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Another token for the requests that follow; NULL: none. CLI_GO_ON, or CLI_LOCAL_ERROR (told on stderr). */
int cli_use_token(struct cli *cli, const char *token);
/* Whether a variable of the environment gives the token. */
bool cli_token_is_of_environment(void);

/* "/v1/" and the path, cleaned as Go's path.Join does (so that "a//b" and "./a" mean what they say) and escaped. */
const char *cli_target(struct cli *cli, const char *path);
/* Adds "?k=v" pairs for the object's members (strings and lists of strings); NULL adds nothing. */
const char *cli_target_with(struct cli *cli, const char *target, json_t *query);
/* A path without the slashes around it, then a slash. */
const char *cli_mount_path(struct cli *cli, const char *path);

/* Sends; body NULL: none, json_null() is sent as null. what begins the message on stderr: "Error reading x". CLI_GO_ON when an
 * answer of any status came, else CLI_SERVER_ERROR; CLI_DONE when the request was only to be shown. */
int cli_send(struct cli *cli, const char *what, const char *method, const char *target, json_t *body, struct cli_answer *answer);
/* The same, and a status of 400 or more is told on stderr and gives CLI_SERVER_ERROR. */
int cli_call(struct cli *cli, const char *what, const char *method, const char *target, json_t *body, struct cli_answer *answer);
/* Tells of a refused request, as Vault's CLI does. */
int cli_refused(const char *what, const struct cli_answer *answer);

/* "-" is read from standard input, to the end of the line; anything else is the value. NULL: it could not be read. */
const char *cli_secret_argument(struct cli *cli, const char *argument);

#endif
