/* reply_headers.c: see reply_headers.h. Stateless: any thread. */
#include "http/reply_headers.h"

#include <stdlib.h>

/* How much room all of it takes: the struct, the rules, the headers, the texts. */
static size_t size_of(const struct reply_headers *headers)
{
	size_t bytes = sizeof *headers + headers->count * sizeof headers->rules[0];

	for (size_t i = 0; i < headers->count; i++)
		for (size_t j = 0; j < headers->rules[i].count; j++)
			bytes += sizeof(struct reply_header) + strlen(headers->rules[i].headers[j].name) + 1 +
				 strlen(headers->rules[i].headers[j].value) + 1;
	return bytes;
}

static const char *put(char **to, const char *text)
{
	char *at = *to;
	size_t n = strlen(text) + 1;

	memcpy(at, text, n);
	*to += n;
	return at;
}

struct reply_headers *reply_headers_copy(const struct reply_headers *headers)
{
	struct reply_headers *copy = calloc(1, size_of(headers));
	size_t total = 0;

	if (copy == NULL)
		return NULL;
	for (size_t i = 0; i < headers->count; i++)
		total += headers->rules[i].count;
	struct reply_rule *rules = (struct reply_rule *)(void *)(copy + 1);
	struct reply_header *at = (struct reply_header *)(void *)(rules + headers->count);
	char *texts = (char *)(at + total);

	copy->rules = rules;
	copy->count = headers->count;
	for (size_t i = 0; i < headers->count; i++) {
		rules[i] = headers->rules[i];
		rules[i].headers = at;
		for (size_t j = 0; j < rules[i].count; j++, at++)
			*at = (struct reply_header){ put(&texts, headers->rules[i].headers[j].name),
						     put(&texts, headers->rules[i].headers[j].value) };
	}
	return copy;
}

bool reply_headers_have(const struct reply_headers *headers, struct bulla_bytes name)
{
	if (headers == NULL)
		return bulla_is_nocase(name, STRICT_TRANSPORT);
	for (size_t i = 0; i < headers->count; i++)
		for (size_t j = 0; j < headers->rules[i].count; j++)
			if (bulla_is_nocase(name, headers->rules[i].headers[j].name))
				return true;
	return false;
}
