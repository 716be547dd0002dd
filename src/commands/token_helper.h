/* token_helper.h: where a token is kept between commands: a file of the user's, or a program that the user has named. */
#ifndef BULLA_COMMANDS_TOKEN_HELPER_H
#define BULLA_COMMANDS_TOKEN_HELPER_H

#include <bulla.h>

#define TOKEN_MAX_BYTES 8192

/* The configuration of the client is the file that BULLA_CONFIG_PATH (BAO_, VAULT_) names, else ~/.bulla, ~/.bao or ~/.vault:
 *
 *     token_helper = "/usr/local/bin/keep-token"
 *
 * The program is run with one argument: get (it prints the token), store (it reads one from standard input). Without one it is a file:
 * ~/.bulla-token if that is there, else ~/.vault-token.
 *
 * Both: CONFIG with a text that has no token in it (the file, the program and how it ended), NO_MEMORY. One thread. */

/* *token: in the arena, without the white space around it; NULL: none is kept. */
BULLA_MUST_USE enum bulla_err token_helper_get(struct bulla_call *call, const char **token);
BULLA_MUST_USE enum bulla_err token_helper_store(struct bulla_call *call, const char *token);

#endif
