/* verify.c: reads a log as it was written, over its files, and says what does not fit: chain and checkpoints (chain.c) are all it
 * needs, no server and no secret. One thread.
 *
 * A line's number and hash tell what happened to it: the next line's hash of it differs: changed. Numbers are missing: removed.
 * No place in the chain, or one that was there already: inserted. Whoever computes all hashes anew is found at the next
 * checkpoint, which he cannot sign. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/audit_private.h"

#define CHECKPOINT_TEXT "bulla audit checkpoint 1\n"
#define SIGNATURE_TEXT BULLA_BASE64_LEN(SIGNATURE_BYTES)
#define KEY_TEXT BULLA_BASE64_LEN(SIGNING_PUBLIC_BYTES)

struct place {
	const char *file;
	uint64_t line;
};

struct verify {
	struct bulla_call *call;
	const struct bulla_audit_verify_args *args;
	struct bulla_audit_verdict *verdict;
	struct place here;
	bool begun;                       /* a line of the chain was seen */
	struct place last;                /* the last such line */
	uint8_t head[SHA256_BYTES];       /* of it */
	uint8_t prefix[64];               /* what stands before its brace, or the beginning of that */
	size_t prefix_bytes;
	struct place strays;              /* the first of those without a place in the chain since then */
	uint64_t stray_count;
	bool stray_cut;                   /* the first of them is the beginning of a record */
	uint64_t signed_record;
};

static void report(struct verify *v, enum bulla_audit_finding finding, struct place place, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void report(struct verify *v, enum bulla_audit_finding finding, struct place place, const char *format, ...)
{
	struct bulla_audit_report report = { .finding = finding, .file = place.file, .line = place.line };
	char text[256];
	va_list args;

	if (finding != BULLA_AUDIT_TORN)
		v->verdict->offences++;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	report.text = bulla_str(text);
	if (v->args->report != NULL)
		v->args->report(v->args->context, &report);
}

/* ---- checkpoints ------------------------------------------------------------------------------------------------------- */

struct checkpoint {
	struct bulla_bytes event, key, seq, prev, signature;
	struct bulla_bytes message; /* what is signed */
};

static bool skip(struct bulla_bytes *rest, const char *text)
{
	size_t n = strlen(text);

	if (rest->len < n || memcmp(rest->ptr, text, n) != 0)
		return false;
	*rest = bulla_mem(rest->ptr + n, rest->len - n);
	return true;
}

/* Up to stop, which is skipped. */
static bool take(struct bulla_bytes *rest, char stop, struct bulla_bytes *out)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, stop, rest->len) : NULL;

	if (end == NULL)
		return false;
	*out = bulla_mem(rest->ptr, (size_t)(end - rest->ptr));
	*rest = bulla_mem(end + 1, rest->len - out->len - 1);
	return true;
}

/* Whether the line is one, by its beginning, which nobody who is recorded has a hand in. */
static bool is_checkpoint(struct bulla_bytes line, struct bulla_bytes *rest)
{
	const uint8_t *brace = line.len > 0 ? memchr(line.ptr, '{', line.len) : NULL; /* a prefix holds none */
	struct bulla_bytes time;

	if (brace == NULL)
		return false;
	*rest = bulla_mem(brace, line.len - (size_t)(brace - line.ptr));
	return skip(rest, "{\"time\":\"") && take(rest, '"', &time) &&
	       skip(rest, ",\"type\":\"bulla_checkpoint\",\"bulla_checkpoint\":{");
}

/* rest: behind what is_checkpoint skipped. The device's name may hold escapes: it ends where its id begins. */
static bool read_checkpoint(struct bulla_bytes line, struct bulla_bytes rest, struct checkpoint *out)
{
	const uint8_t *brace = memchr(line.ptr, '{', line.len);
	struct bulla_bytes id;

	if (!skip(&rest, "\"event\":\"") || !take(&rest, '"', &out->event) || !skip(&rest, ",\"device\":\""))
		return false;
	while (rest.len > 0 && !skip(&rest, "\",\"id\":\""))
		rest = bulla_mem(rest.ptr + 1, rest.len - 1);
	if (!take(&rest, '"', &id) || !skip(&rest, ",\"key\":\"") || !take(&rest, '"', &out->key) || !skip(&rest, ",\"seq\":") ||
	    !take(&rest, ',', &out->seq) || !skip(&rest, "\"prev\":\"") || !take(&rest, '"', &out->prev))
		return false;
	out->message = bulla_mem(brace, (size_t)(rest.ptr - brace));
	return skip(&rest, ",\"signature\":\"") && take(&rest, '"', &out->signature) && skip(&rest, "},\"bulla_chain\":{");
}

static bool decode(struct bulla_bytes text, size_t chars, uint8_t *out, size_t bytes)
{
	size_t len = 0, bad_at;
	uint8_t buffer[BULLA_BASE64_MAX_DECODED(SIGNATURE_TEXT)];

	if (text.len != chars || bulla_base64_decode(text, buffer, &len, &bad_at) != BULLA_OK || len != bytes)
		return false;
	memcpy(out, buffer, bytes);
	return true;
}

/* One of the keys that are asked for; where none is, the first one seen. */
static bool is_trusted(struct verify *v, const uint8_t key[SIGNING_PUBLIC_BYTES])
{
	struct bulla_audit_verdict *verdict = v->verdict;

	if (!verdict->has_key)
		memcpy(verdict->public_key, key, SIGNING_PUBLIC_BYTES);
	verdict->has_key = true;
	if (v->args->public_key_count == 0)
		return memcmp(verdict->public_key, key, SIGNING_PUBLIC_BYTES) == 0;
	for (size_t i = 0; i < v->args->public_key_count; i++)
		if (memcmp(v->args->public_keys + i * SIGNING_PUBLIC_BYTES, key, SIGNING_PUBLIC_BYTES) == 0)
			return true;
	return false;
}

static bool signature_fits(const struct checkpoint *c, const uint8_t key[SIGNING_PUBLIC_BYTES], const uint8_t *signature)
{
	struct out message = { 0 };

	out_text(&message, CHECKPOINT_TEXT);
	out_raw(&message, c->message);
	bool fits = !message.failed && signing_verify(key, bulla_mem(message.ptr, message.len), signature);

	out_clear(&message);
	return fits;
}

/* A line that says it is a checkpoint. event gets "" unless it is a good one. */
static void check_checkpoint(struct verify *v, struct bulla_bytes line, struct bulla_bytes rest, uint64_t number,
			     const uint8_t previous[SHA256_BYTES], char event[16])
{
	uint8_t key[SIGNING_PUBLIC_BYTES], signature[SIGNATURE_BYTES];
	struct checkpoint c;
	char seq[24], prev[2 * SHA256_BYTES];

	(void)snprintf(seq, sizeof seq, "%llu", (unsigned long long)number);
	bulla_hex_encode(bulla_mem(previous, SHA256_BYTES), prev);
	if (!read_checkpoint(line, rest, &c) || !decode(c.key, KEY_TEXT, key, sizeof key) ||
	    !decode(c.signature, SIGNATURE_TEXT, signature, sizeof signature)) {
		report(v, BULLA_AUDIT_FORGED, v->here, "a checkpoint that cannot be read");
		return;
	}
	if (!is_trusted(v, key)) {
		report(v, BULLA_AUDIT_FORGED, v->here, "a checkpoint signed with another key");
		return;
	}
	if (!signature_fits(&c, key, signature)) {
		report(v, BULLA_AUDIT_FORGED, v->here, "a checkpoint whose signature does not fit it");
		return;
	}
	if (!bulla_is(c.seq, seq) || !bulla_equal(c.prev, bulla_mem(prev, sizeof prev))) {
		report(v, BULLA_AUDIT_FORGED, v->here, "the lines before this checkpoint, since record %llu, are not those that it was signed for",
		       (unsigned long long)v->signed_record + 1);
		return;
	}
	(void)snprintf(event, 16, "%.*s", (int)(c.event.len < 15 ? c.event.len : 15), (const char *)c.event.ptr);
	v->verdict->checkpoints++;
	v->signed_record = number;
}

/* ---- the chain --------------------------------------------------------------------------------------------------------- */

/* Lines without a place, when the chain goes on behind them. */
static void settle_strays(struct verify *v, bool opened)
{
	if (v->stray_count == 0)
		return;
	if (v->stray_count == 1 && opened && v->stray_cut)
		report(v, BULLA_AUDIT_TORN, v->strays, "cut off by a crash; the server has gone on behind it");
	else
		report(v, BULLA_AUDIT_INSERTED, v->strays, "%llu line%s that the server did not write",
		       (unsigned long long)v->stray_count, v->stray_count == 1 ? "" : "s");
	v->stray_count = 0;
}

static void check_next(struct verify *v, const uint8_t previous[SHA256_BYTES], bool opened)
{
	if (memcmp(previous, v->head, SHA256_BYTES) != 0)
		report(v, BULLA_AUDIT_CHANGED, v->last, "record %llu is not the one that was written",
		       (unsigned long long)v->verdict->last_record);
	settle_strays(v, opened);
}

static void check_gap(struct verify *v, uint64_t number)
{
	uint64_t missing = number - v->verdict->last_record - 1;

	if (v->stray_count == missing) {
		report(v, BULLA_AUDIT_CHANGED, v->strays, "%llu line%s without its place in the chain: not as the server wrote it",
		       (unsigned long long)missing, missing == 1 ? "" : "s");
		v->stray_count = 0;
		return;
	}
	settle_strays(v, false);
	report(v, BULLA_AUDIT_REMOVED, v->here, "records %llu to %llu are missing before this line",
	       (unsigned long long)v->verdict->last_record + 1, (unsigned long long)number - 1);
}

/* A number that was there already. True: the chain goes on from here. */
static bool check_repeated(struct verify *v, uint64_t number, bool opened)
{
	if (!opened) {
		report(v, BULLA_AUDIT_INSERTED, v->here, "record %llu stands here out of order", (unsigned long long)number);
		return false;
	}
	report(v, BULLA_AUDIT_REMOVED, v->here,
	       "when the server was started here, it found the log only up to record %llu: the lines after that were not there",
	       (unsigned long long)number - 1);
	v->stray_count = 0;
	return true;
}

static void remember_prefix(struct verify *v, struct bulla_bytes line)
{
	const uint8_t *brace = memchr(line.ptr, '{', line.len); /* a line with a place has one */
	size_t n = brace == NULL ? 0 : (size_t)(brace - line.ptr);

	v->prefix_bytes = n < sizeof v->prefix ? n : sizeof v->prefix;
	memcpy(v->prefix, line.ptr, v->prefix_bytes);
}

static void check_placed(struct verify *v, struct bulla_bytes line, uint64_t number, const uint8_t previous[SHA256_BYTES])
{
	struct bulla_audit_verdict *verdict = v->verdict;
	struct bulla_bytes rest;
	char event[16] = "";

	if (is_checkpoint(line, &rest))
		check_checkpoint(v, line, rest, number, previous, event);
	bool opened = strcmp(event, "open") == 0;

	if (!v->begun) {
		verdict->first_record = number;
		settle_strays(v, opened);
	} else if (number <= verdict->last_record) {
		if (!check_repeated(v, number, opened))
			return;
	} else if (number > verdict->last_record + 1) {
		check_gap(v, number);
	} else {
		check_next(v, previous, opened);
	}
	v->begun = true;
	v->last = v->here;
	verdict->last_record = number;
	verdict->records++;
	verdict->closed = strcmp(event, "close") == 0;
	sha256(line, v->head);
	remember_prefix(v, line);
}

/* Whether all that was opened is closed: then it is a whole document, of which a crash leaves no such beginning. */
static bool is_whole(struct bulla_bytes text)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t b = text.ptr[i];

		if (quoted && b == '\\')
			i++;
		else if (b == '"')
			quoted = !quoted;
		else if (!quoted && (b == '{' || b == '['))
			depth++;
		else if (!quoted && (b == '}' || b == ']') && depth-- <= 1)
			return true;
	}
	return false;
}

/* Whether a crash may have left this of a record: its beginning (or some of the prefix, which holds no brace), and no more. */
static bool is_cut(const struct verify *v, struct bulla_bytes line)
{
	static const char start[] = "{\"time\":\"";
	const uint8_t *brace = line.len > 0 ? memchr(line.ptr, '{', line.len) : NULL;

	if (brace == NULL)
		return line.len <= v->prefix_bytes && memcmp(line.ptr, v->prefix, line.len) == 0;
	struct bulla_bytes text = bulla_mem(brace, line.len - (size_t)(brace - line.ptr));
	size_t n = text.len < sizeof start - 1 ? text.len : sizeof start - 1;

	return memcmp(text.ptr, start, n) == 0 && !is_whole(text);
}

static void check_line(struct verify *v, struct bulla_bytes line)
{
	uint8_t previous[SHA256_BYTES];
	uint64_t number;

	v->verdict->lines++;
	if (chain_read(line, &number, previous)) {
		check_placed(v, line, number, previous);
		return;
	}
	if (v->stray_count++ == 0) {
		v->strays = v->here;
		v->stray_cut = is_cut(v, line);
	}
}

/* ---- files ------------------------------------------------------------------------------------------------------------- */

static enum bulla_err read_file(struct verify *v, const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (file == NULL)
		return bulla_fail(v->call, BULLA_E_CONFIG, "%s: %s", path, strerror(errno));
	v->here = (struct place){ .file = path };
	while ((n = getline(&line, &room, file)) > 0) {
		v->here.line++;
		check_line(v, bulla_mem(line, (size_t)n - (line[n - 1] == '\n')));
	}
	int failed = ferror(file) ? errno : 0;

	free(line);
	if (file != stdin)
		(void)fclose(file);
	if (failed != 0)
		return bulla_fail(v->call, BULLA_E_CONFIG, "%s: %s", path, strerror(failed));
	return BULLA_OK;
}

/* What only the end shows. */
static void check_end(struct verify *v)
{
	const struct bulla_audit_verify_args *args = v->args;
	struct bulla_audit_verdict *verdict = v->verdict;

	if (v->stray_count > 0)
		report(v, BULLA_AUDIT_TRUNCATED, v->strays, v->stray_count == 1 ? "the last line is cut off in the middle, or was not "
		       "written by the server" : "the log ends with lines that the server did not write");
	if (args->expect_records > verdict->last_record)
		report(v, BULLA_AUDIT_TRUNCATED, v->here, "records %llu to %llu are missing at the end",
		       (unsigned long long)verdict->last_record + 1, (unsigned long long)args->expect_records);
	if (args->expect_head != NULL && args->expect_records == verdict->last_record &&
	    memcmp(args->expect_head, v->head, SHA256_BYTES) != 0)
		report(v, BULLA_AUDIT_CHANGED, v->last, "record %llu is not the one that was written",
		       (unsigned long long)verdict->last_record);
	verdict->unsigned_records = verdict->records == 0 ? 0 : v->signed_record == 0 ? verdict->records :
				    verdict->last_record - v->signed_record;
}

enum bulla_err bulla_audit_verify(struct bulla_call *call, const char *const *files, size_t count,
				  const struct bulla_audit_verify_args *args, struct bulla_audit_verdict *out)
{
	struct bulla_audit_verdict verdict = { 0 };
	struct verify v = { .call = call, .args = args, .verdict = &verdict };

	for (size_t i = 0; i < count; i++)
		TRY(read_file(&v, files[i]));
	check_end(&v);
	*out = verdict;
	return BULLA_OK;
}
