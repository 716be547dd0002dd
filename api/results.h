/* results.h: the results of a batch, out of the JSON of an answer, without a copy of it. */
#ifndef CARD_RESULTS_H
#define CARD_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

/* A text as it stands between its quotation marks: escapes are not undone. at is NULL where there is none, or something else than a text. */
struct results_text {
	const char *at;
	size_t len;
};

/* One element of batch_results. The texts lie in the answer. */
struct results_item {
	struct results_text ciphertext, plaintext, hmac, error, reference;
};

/* Called for each element in its order, i from 0. */
typedef void results_take(void *cls, size_t i, const struct results_item *item);

/* Reads {"data": {"batch_results": [{...}, ...]}}, whatever else stands in between. False: this is no JSON, has no such array, has
 * another element than an object in it, or batch_results or a text of an element twice; take may have been called by then. take may be NULL. */
bool results_read(const char *json, size_t len, results_take *take, void *cls, size_t *count);

#endif
