/* settings.h: what the programs are told by their environment. Secrets are never there: the environment names files that hold them. */
#ifndef CARD_SETTINGS_H
#define CARD_SETTINGS_H

#include <stdio.h>

#include "card.h"

/* Which program a setting is for. */
enum program {
	PROGRAM_API = 1,
	PROGRAM_PROCESSOR = 2,
	PROGRAM_REWRAP = 4,
	PROGRAM_HEALTH = 8,
};

/* Borrowed from the environment: as long as the process. NULL: not set, and has no default. */
struct settings {
	const char *listen;
	const char *tls_cert, *tls_key;
	const char *db;
	const char *vault_addr, *vault_cacert;
	const char *role_id_file, *secret_id_file;
	const char *approle_mount, *transit_mount;
	const char *key, *hmac_key, *canary_key;
	const char *api_token_file;
	const char *api_url, *api_cacert;
	const char *plain_http_text;
	bool plain_http;
};

/* Reads and checks what that program needs. CONFIG: said on standard error what is wrong. */
MUST_USE enum card_err settings_read(enum program program, struct settings *out);

/* The variables of that program, one a line with their defaults. */
void settings_help(enum program program, FILE *out);

#define SECRET_SIZE 512

/* The first line of a file, without blanks around it: a token or an id. CONFIG: there is none, or it is too long or holds control
 * characters; said in the log. Wipe out when it has served. */
MUST_USE enum card_err settings_secret(const char *path, char out[SECRET_SIZE]);

#endif
