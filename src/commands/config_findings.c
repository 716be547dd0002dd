/* config_findings.c: see config_findings.h. */
#include "commands/config_findings.h"

void findings_init(struct config_findings *findings, struct bulla_call *call)
{
	*findings = (struct config_findings){ .call = call };
	findings->end = &findings->first;
}

bool findings_no_memory(struct config_findings *findings)
{
	findings->no_memory = true;
	return false;
}

static struct bulla_bytes locate(struct config_findings *f, const struct hcl *at, struct bulla_bytes text)
{
	struct bulla_arena *arena = f->call->arena;

	if (f->file == NULL)
		return text;
	if (at == NULL)
		return bulla_arena_printf(arena, "%s: %.*s", f->file, (int)text.len, (const char *)text.ptr);
	return bulla_arena_printf(arena, "%s:%u:%u: %.*s", f->file, at->line, at->column, (int)text.len, (const char *)text.ptr);
}

static void add(struct config_findings *f, bool is_error, const struct hcl *at, struct bulla_bytes text)
{
	struct config_finding *finding = NULL;

	f->errors += is_error;
	if (f->count++ >= MAX_FINDINGS)
		return;
	if (text.ptr != NULL)
		text = locate(f, at, text);
	if (text.ptr != NULL)
		finding = bulla_arena_alloc(f->call->arena, sizeof *finding);
	if (finding == NULL) {
		f->no_memory = true;
		return;
	}
	*finding = (struct config_finding){ .is_error = is_error, .text = (const char *)text.ptr };
	*f->end = finding;
	f->end = &finding->next;
}

bool setting_fail(struct config_findings *findings, const struct hcl *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(findings, true, at, bulla_arena_vprintf(findings->call->arena, format, args));
	va_end(args);
	return false;
}

void setting_warn(struct config_findings *findings, const struct hcl *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(findings, false, at, bulla_arena_vprintf(findings->call->arena, format, args));
	va_end(args);
}

static size_t print_errors(const struct config_findings *findings, char *to)
{
	size_t n = 0;

	for (const struct config_finding *f = findings->first; f != NULL; f = f->next) {
		size_t len = f->is_error ? strlen(f->text) : 0;

		if (!f->is_error)
			continue;
		if (to != NULL) {
			memcpy(to + n, f->text, len);
			to[n + len] = '\n';
		}
		n += len + 1;
	}
	return n;
}

enum bulla_err findings_result(const struct config_findings *findings)
{
	if (findings->no_memory)
		return BULLA_E_NO_MEMORY;
	if (findings->errors == 0)
		return BULLA_OK;
	char *text = bulla_arena_alloc(findings->call->arena, print_errors(findings, NULL) + 1);

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	size_t len = print_errors(findings, text);

	text[len - (len > 0)] = '\0';
	if (findings->count <= MAX_FINDINGS)
		return bulla_fail(findings->call, BULLA_E_CONFIG, "%s", text);
	return bulla_fail(findings->call, BULLA_E_CONFIG, "%s\nand %zu more errors and warnings", text, findings->count - MAX_FINDINGS);
}
