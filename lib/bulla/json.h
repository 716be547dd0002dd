/* json.h: a strict JSON reader for HTTP bodies and key backups, and a printer for them. Not in the umbrella bulla.h: its short names
 * are those of other JSON libraries too. The reader borrows from the text, which it never
 * changes (a request may have to be read again on a worker): only strings with escapes or bad UTF-8 are copied. Nodes and
 * copies are in the arena. One thread at a time. (RFC 8259.) */
#ifndef BULLA_JSON_H
#define BULLA_JSON_H

#include "call.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	bool boolean;
	struct bulla_bytes name;  /* within an object: the member's name, unescaped */
	struct bulla_bytes text;  /* NUMBER: as written; STRING: unescaped, UTF-8 (bad bytes and lone surrogates became U+FFFD) */
	struct json *first;       /* ARRAY, OBJECT: children in order; of duplicate names only the last is kept */
	struct json *next;        /* sibling */
	size_t count;             /* children */
};

#define JSON_MAX_DEPTH 300
#define JSON_MAX_VALUES 500000 /* 32 MiB of nodes */

/* Parses one value; white space around it only. text must outlive the tree.
 * BAD_JSON (detail: what and at which byte, never the text itself), NO_MEMORY. */
BULLA_MUST_USE enum bulla_err json_parse(struct bulla_call *call, const uint8_t *text, size_t len, struct json **out);

/* A request's body, with the peer's liberties: *out is NULL when there is nothing, only white space or null; any other value
 * must be an object; what follows the first value is not read, but must begin like a value. Numbers that no double can hold are
 * refused.
 * BAD_JSON, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err json_parse_body(struct bulla_call *call, const uint8_t *text, size_t len, struct json **out);

/* A tree under the name that public headers have for it, which lack this one: they go together with other JSON libraries. NULL is fine. */
static inline const struct bulla_json *json_document(const struct json *value)
{
	return (const struct bulla_json *)value;
}

static inline const struct json *json_of_document(const struct bulla_json *document)
{
	return (const struct json *)document;
}

/* The member of an object; NULL: absent, or not an object. */
const struct json *json_get(const struct json *object, const char *name);

/* ---- printing -------------------------------------------------------------- */

/* A growing buffer that is wiped when it moves and when it is cleared. After a failed growth it swallows all that follows and
 * failed is set: check once, at the end. */
struct out {
	uint8_t *ptr;
	size_t len, cap;
	bool failed;
	bool comma; /* a separator is due before the next value */
};

bool out_grow(struct out *out, size_t more);      /* for out_reserve alone */

/* Room for more bytes behind len; false: failed. */
static inline bool out_reserve(struct out *out, size_t more)
{
	return !out->failed && (out->cap - out->len >= more || out_grow(out, more));
}

void out_clear(struct out *out);                  /* wipes and frees */
void out_cut(struct out *out, size_t len);         /* back to len bytes; wipes the rest */
void out_raw(struct out *out, struct bulla_bytes bytes);
static inline void out_text(struct out *out, const char *text) /* inline: the length of a constant is one */
{
	out_raw(out, bulla_str(text));
}

void json_open(struct out *out, char bracket);    /* '{' or '[' */
void json_close(struct out *out, char bracket);   /* '}' or ']' */
void json_key_plain(struct out *out, struct bulla_bytes name); /* needs no escapes */
static inline void json_key(struct out *out, const char *name) /* a constant that needs no escapes */
{
	json_key_plain(out, bulla_str(name));
}
void json_key_bytes(struct out *out, struct bulla_bytes name);
void json_text(struct out *out, struct bulla_bytes text); /* bad UTF-8 is printed as U+FFFD */
/* one string of three parts; before and after are constants */
void json_string_between(struct out *out, const char *before, struct bulla_bytes text, const char *after);
/* a string of len characters known to need no escapes (base64, numbers): returns where to write them, NULL on failure */
char *json_plain_string(struct out *out, size_t len);
void json_int(struct out *out, int64_t value);
void json_bool(struct out *out, bool value);
void json_nil(struct out *out);
void json_strings(struct out *out, const struct bulla_bytes *items, size_t count); /* ["a","b"] */
void json_pairs(struct out *out, const struct bulla_pair *pairs, size_t count);    /* {"a":"b"}; keys as they are given */
void json_value(struct out *out, const struct json *value); /* a parsed tree, numbers as they were written */

/* shorthands: key and value */
static inline void json_put_string(struct out *out, const char *key, struct bulla_bytes text)
{
	json_key(out, key);
	json_text(out, text);
}

static inline void json_put_text(struct out *out, const char *key, const char *text)
{
	json_put_string(out, key, bulla_str(text));
}

static inline void json_put_int(struct out *out, const char *key, int64_t value)
{
	json_key(out, key);
	json_int(out, value);
}

static inline void json_put_bool(struct out *out, const char *key, bool value)
{
	json_key(out, key);
	json_bool(out, value);
}

static inline void json_put_strings(struct out *out, const char *key, const struct bulla_bytes *items, size_t count)
{
	json_key(out, key);
	json_strings(out, items, count);
}

static inline void json_put_pairs(struct out *out, const char *key, const struct bulla_pair *pairs, size_t count)
{
	json_key(out, key);
	json_pairs(out, pairs, count);
}

static inline void json_put_null(struct out *out, const char *key)
{
	json_key(out, key);
	json_nil(out);
}

#endif
