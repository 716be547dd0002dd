/* results.c: owns the reading of batch_results. A batch is read once, from front to end, where a tree of it would cost a dozen
 * allocations a card. Stateless: any thread. */
#include "results.h"

#include <string.h>

#define DEPTH_MAX 16

struct scan {
	const char *at, *end;
	results_take *take;
	void *cls;
	size_t count;
	bool found; /* batch_results */
};

typedef bool member_reader(struct scan *scan, struct results_text name, unsigned depth, void *cls);

static bool skip_value(struct scan *scan, unsigned depth);

static char peek(struct scan *scan)
{
	while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r' || *scan->at == '\n'))
		scan->at++;
	return scan->at < scan->end ? *scan->at : '\0';
}

/* The next sign, if it is c. */
static bool take_sign(struct scan *scan, char c)
{
	bool is = peek(scan) == c && scan->at < scan->end;

	scan->at += is ? 1 : 0;
	return is;
}

static bool read_text(struct scan *scan, struct results_text *out)
{
	if (!take_sign(scan, '"'))
		return false;
	const char *begin = scan->at;

	for (; scan->at < scan->end && *scan->at != '"'; scan->at++) {
		if ((unsigned char)*scan->at < ' ')
			return false;
		if (*scan->at == '\\' && (++scan->at == scan->end || *scan->at == '\0' || strchr("\"\\/bfnrtu", *scan->at) == NULL))
			return false;
	}
	if (scan->at == scan->end)
		return false;
	*out = (struct results_text){ begin, (size_t)(scan->at++ - begin) };
	return true;
}

static bool is(struct results_text name, const char *word)
{
	return name.len == strlen(word) && memcmp(name.at, word, name.len) == 0;
}

/* An object; read is called where the value of each member begins. */
static bool read_object(struct scan *scan, unsigned depth, member_reader *read, void *cls)
{
	struct results_text name;

	if (depth == 0 || !take_sign(scan, '{'))
		return false;
	if (take_sign(scan, '}'))
		return true;
	do {
		if (!read_text(scan, &name) || !take_sign(scan, ':') || !read(scan, name, depth - 1, cls))
			return false;
	} while (take_sign(scan, ','));
	return take_sign(scan, '}');
}

static bool skip_member(struct scan *scan, struct results_text name, unsigned depth, void *cls)
{
	(void)name;
	(void)cls;
	return skip_value(scan, depth);
}

static bool skip_array(struct scan *scan, unsigned depth)
{
	if (depth == 0 || !take_sign(scan, '['))
		return false;
	if (take_sign(scan, ']'))
		return true;
	do {
		if (!skip_value(scan, depth - 1))
			return false;
	} while (take_sign(scan, ','));
	return take_sign(scan, ']');
}

/* Numbers, true, false, null: of no use here, so that their form is not looked at. */
static bool skip_word(struct scan *scan)
{
	static const char signs[] = "+-.0123456789Eabcdefghijklmnopqrstuvwxyz";
	const char *begin = scan->at;

	while (scan->at < scan->end && *scan->at != '\0' && strchr(signs, *scan->at) != NULL)
		scan->at++;
	return scan->at > begin;
}

static bool skip_value(struct scan *scan, unsigned depth)
{
	struct results_text text;

	switch (peek(scan)) {
	case '{': return read_object(scan, depth, skip_member, NULL);
	case '[': return skip_array(scan, depth);
	case '"': return read_text(scan, &text);
	default: return skip_word(scan);
	}
}

static bool read_field(struct scan *scan, struct results_text name, unsigned depth, void *cls)
{
	struct results_item *item = cls;
	struct { const char *name; struct results_text *text; } fields[] = {
		{ "ciphertext", &item->ciphertext }, { "plaintext", &item->plaintext }, { "hmac", &item->hmac }, { "error", &item->error },
		{ "reference", &item->reference },
	};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		if (!is(name, fields[i].name))
			continue;
		if (fields[i].text->at != NULL)
			return false;
		return peek(scan) == '"' ? read_text(scan, fields[i].text) : skip_value(scan, depth);
	}
	return skip_value(scan, depth);
}

static bool read_items(struct scan *scan, unsigned depth)
{
	if (scan->found || !take_sign(scan, '['))
		return false;
	scan->found = true;
	if (take_sign(scan, ']'))
		return true;
	do {
		struct results_item item = { 0 };

		if (!read_object(scan, depth, read_field, &item))
			return false;
		if (scan->take != NULL)
			scan->take(scan->cls, scan->count, &item);
		scan->count++;
	} while (take_sign(scan, ','));
	return take_sign(scan, ']');
}

static bool read_data(struct scan *scan, struct results_text name, unsigned depth, void *cls)
{
	(void)cls;
	return is(name, "batch_results") ? read_items(scan, depth) : skip_value(scan, depth);
}

static bool read_answer(struct scan *scan, struct results_text name, unsigned depth, void *cls)
{
	(void)cls;
	return is(name, "data") && peek(scan) == '{' ? read_object(scan, depth, read_data, NULL) : skip_value(scan, depth);
}

bool results_read(const char *json, size_t len, results_take *take, void *cls, size_t *count)
{
	struct scan scan = { .at = json, .end = json + len, .take = take, .cls = cls };
	bool good = read_object(&scan, DEPTH_MAX, read_answer, NULL) && peek(&scan) == '\0' && scan.at == scan.end && scan.found;

	if (good)
		*count = scan.count;
	return good;
}
