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

#include "audit/verify_private.h"

void verify_report(struct verify *v, enum bulla_audit_finding finding, struct place place, const char *format, ...)
{
	struct bulla_audit_report report = { .finding = finding, .file = place.file, .line = place.line };
	char text[256];
	va_list args;

	if (finding != BULLA_AUDIT_TORN && finding != BULLA_AUDIT_GAP && finding != BULLA_AUDIT_DELETED)
		v->verdict->offences++;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	report.text = bulla_str(text);
	if (v->args->report != NULL)
		v->args->report(v->args->context, &report);
}

/* ---- the chain --------------------------------------------------------------------------------------------------------- */

/* Lines without a place, when the chain goes on behind them. */
static void settle_strays(struct verify *v, bool opened)
{
	if (v->stray_count == 0)
		return;
	if (v->stray_count == 1 && opened && v->stray_cut)
		verify_report(v, BULLA_AUDIT_TORN, v->strays, "cut off by a crash; the server has gone on behind it");
	else
		verify_report(v, BULLA_AUDIT_INSERTED, v->strays, "%llu line%s that the server did not write",
		       (unsigned long long)v->stray_count, v->stray_count == 1 ? "" : "s");
	v->stray_count = 0;
}

static void check_next(struct verify *v, const uint8_t previous[SHA256_BYTES], bool opened)
{
	if (memcmp(previous, v->head, SHA256_BYTES) != 0)
		verify_report(v, BULLA_AUDIT_CHANGED, v->last, "record %llu is not the one that was written",
		       (unsigned long long)v->verdict->last_record);
	settle_strays(v, opened);
}

static void check_gap(struct verify *v, uint64_t number)
{
	uint64_t missing = number - v->verdict->last_record - 1;

	if (v->stray_count == missing) {
		verify_report(v, BULLA_AUDIT_CHANGED, v->strays, "%llu line%s without its place in the chain: not as the server wrote it",
		       (unsigned long long)missing, missing == 1 ? "" : "s");
		v->stray_count = 0;
		return;
	}
	settle_strays(v, false);
	verify_report(v, BULLA_AUDIT_REMOVED, v->here, "records %llu to %llu are missing before this line",
	       (unsigned long long)v->verdict->last_record + 1, (unsigned long long)number - 1);
}

/* A number that was there already. True: the chain goes on from here. */
static bool check_repeated(struct verify *v, uint64_t number, bool opened)
{
	if (!opened) {
		verify_report(v, BULLA_AUDIT_INSERTED, v->here, "record %llu stands here out of order", (unsigned long long)number);
		return false;
	}
	verify_report(v, BULLA_AUDIT_REMOVED, v->here,
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

/* A device that failed works again. Numbers may be missing that were sent and did not arrive, and a line cut off in the middle. */
static void check_after_failure(struct verify *v, uint64_t number, const uint8_t previous[SHA256_BYTES], const struct event *event)
{
	uint64_t last = v->verdict->last_record;

	v->verdict->lost_records += event->lost;
	if (v->begun && number == last + 1)
		check_next(v, previous, true);
	else if (v->begun && last < event->after)
		check_gap(v, number);
	else
		settle_strays(v, true);
	verify_report(v, BULLA_AUDIT_GAP, v->here, "the device had failed: %llu records were not given to it, and %llu did not arrive",
	       (unsigned long long)event->lost, (unsigned long long)(v->begun && last >= event->after ? number - last - 1 : 0));
}

static void check_placed(struct verify *v, struct bulla_bytes line, uint64_t number, const uint8_t previous[SHA256_BYTES])
{
	struct bulla_audit_verdict *verdict = v->verdict;
	struct event event = { 0 };
	struct bulla_bytes rest;

	if (checkpoint_begins(line, &rest))
		verify_checkpoint(v, line, rest, number, previous, &event);
	bool opened = is_event(&event, "open");

	if (v->begun && number <= verdict->last_record) {
		if (!check_repeated(v, number, opened))
			return;
	} else if (is_event(&event, "gap")) {
		check_after_failure(v, number, previous, &event);
	} else if (!v->begun) {
		settle_strays(v, opened);
	} else if (number > verdict->last_record + 1) {
		check_gap(v, number);
	} else {
		check_next(v, previous, opened);
	}
	if (!v->begun)
		verdict->first_record = number;
	if (is_event(&event, "deleted"))
		verify_report(v, BULLA_AUDIT_DELETED, v->here, "the file that the server wrote before this one was deleted");
	v->begun = true;
	v->last = v->here;
	verdict->last_record = number;
	verdict->records++;
	verdict->closed = is_event(&event, "close");
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
		verify_report(v, BULLA_AUDIT_TRUNCATED, v->strays, v->stray_count == 1 ? "the last line is cut off in the middle, or was not "
		       "written by the server" : "the log ends with lines that the server did not write");
	if (args->expect_records > verdict->last_record)
		verify_report(v, BULLA_AUDIT_TRUNCATED, v->here, "records %llu to %llu are missing at the end",
		       (unsigned long long)verdict->last_record + 1, (unsigned long long)args->expect_records);
	if (args->expect_head != NULL && args->expect_records == verdict->last_record &&
	    memcmp(args->expect_head, v->head, SHA256_BYTES) != 0)
		verify_report(v, BULLA_AUDIT_CHANGED, v->last, "record %llu is not the one that was written",
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
