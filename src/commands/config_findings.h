/* config_findings.h: what is wrong or doubtful in configuration files: all of it, not only the first. One thread. */
#ifndef BULLA_COMMANDS_CONFIG_FINDINGS_H
#define BULLA_COMMANDS_CONFIG_FINDINGS_H

#include <bulla/hcl.h>

#define MAX_FINDINGS 1000 /* what is beyond is counted */

struct config_finding {
	struct config_finding *next;
	bool is_error;     /* else a warning */
	const char *text;  /* "FILE:LINE:COLUMN: what"; never a value that may be a secret */
};

/* Texts lie in the arena of the call. */
struct config_findings {
	struct bulla_call *call;
	const char *file;  /* the one being read, which findings name; borrowed */
	struct config_finding *first, **end;
	size_t count, errors;
	bool no_memory;    /* some are missing, and the run is void */
};

void findings_init(struct config_findings *findings, struct bulla_call *call);

/* Adds an error about an attribute or block; at NULL: about the file, or all of them. Returns false, so that one writes:
 * return setting_fail(...). */
bool setting_fail(struct config_findings *findings, const struct hcl *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with a warning. */
void setting_warn(struct config_findings *findings, const struct hcl *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Returns false. */
bool findings_no_memory(struct config_findings *findings);

/* BULLA_OK: no error. CONFIG: the call's detail has all of them, a line each. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err findings_result(const struct config_findings *findings);

#endif
