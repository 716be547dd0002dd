/* json_oracle.h: what jansson thinks of a text. A file of its own: its names collide with those of bulla/json.h. */
#ifndef TESTS_UNIT_JSON_ORACLE_H
#define TESTS_UNIT_JSON_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

enum oracle { ORACLE_YES, ORACLE_NO, ORACLE_NARROWER /* refused for what the peer accepts: bad UTF-8, lone surrogates, big numbers, \u0000 in names */ };

enum oracle oracle_accepts(const char *text, size_t len);

/* Whether both texts are accepted and mean the same. */
bool oracle_same(const char *a, size_t a_len, const char *b, size_t b_len);

/* Whether part, an object, stands within whole: each member, deeply. Lists must be equal member by member. On failure why gets
 * a path. A string "%any" in part stands for whatever is there. */
bool oracle_contains(const char *whole, size_t whole_len, const char *part, char *why, size_t why_size);

#endif
