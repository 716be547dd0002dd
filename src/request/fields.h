/* fields.h: field specs bind a JSON document (or, on GET and LIST, the query) to a struct: weakly typed as the peer does it
 * ("5" for 5, "true" for true, null for the zero value; conformance NOTES 8 and 9). */
#ifndef BULLA_REQUEST_FIELDS_H
#define BULLA_REQUEST_FIELDS_H

#include <bulla/duration.h>

#include "request/json.h"

enum field_type {
	FIELD_STRING,    /* struct bulla_bytes */
	FIELD_BOOL,      /* bool */
	FIELD_INT,       /* int64_t */
	FIELD_SECONDS,   /* int64_t: 5, "5", "5s", "1h30m", "2d" */
	FIELD_SIGNED_SECONDS, /* the same, also less than 0 */
	FIELD_STRINGS,   /* struct field_strings: a list, or one string cut at commas */
	FIELD_LIST,      /* struct field_strings: a list, or one string as it is */
	FIELD_PAIRS,     /* struct field_pairs: an object of strings */
	FIELD_JSON,      /* const struct json *: as it is */
};

struct field_strings {
	struct bulla_bytes *items;
	size_t count;
};

struct field_pairs {
	struct bulla_pair *items;
	size_t count;
};

/* offset: of the member in the struct bound; set_bit: ORed into the unsigned at set_offset when the field is there
 * (0: nobody asks). */
struct field {
	const char *name;
	enum field_type type;
	size_t offset;
	size_t set_offset;
	unsigned set_bit;
};

#define FIELD(structure, member, field_type) { .name = #member, .type = field_type, .offset = offsetof(structure, member) }
#define FIELD_AS(structure, text, member, field_type) { .name = text, .type = field_type, .offset = offsetof(structure, member) }
#define FIELD_SET(structure, text, member, field_type, mask, bit) \
	{ .name = text, .type = field_type, .offset = offsetof(structure, member), .set_offset = offsetof(structure, mask), .set_bit = bit }
#define FIELD_END { .name = NULL }

/* object: NULL or JSON null bind nothing. Members that the spec does not name are ignored here; serve() warns of them.
 * BAD_FIELD: "error converting input for field %q: ..." with or without the peer's prefix "Field validation failed: ". */
BULLA_MUST_USE enum bulla_err fields_bind(struct bulla_call *call, const struct json *object, const struct field *fields,
					  bool with_prefix, void *structure);

/* Single conversions, for batches: BAD_FIELD without a detail. */
BULLA_MUST_USE enum bulla_err field_int(const struct json *value, int64_t *out);
BULLA_MUST_USE enum bulla_err field_bool(const struct json *value, bool *out);
BULLA_MUST_USE enum bulla_err field_string(struct bulla_call *call, const struct json *value, struct bulla_bytes *out);

/* Go's name of a decoded value's type, as the peer's messages give it: "[]interface {}". Static storage. */
const char *field_type_name(const struct json *value);

/* Decodes standard base64 into the arena. BAD_BASE64 with the peer's "illegal base64 data at input byte N". */
BULLA_MUST_USE enum bulla_err field_base64(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out);

#endif
