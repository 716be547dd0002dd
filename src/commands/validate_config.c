/* validate_config.c: "bulla operator validate-config": what the server would say of its configuration, without starting. */
#include <stdio.h>

#include "commands/commands.h"
#include "commands/flags.h"
#include "commands/server_config.h"

/* Of OpenBao's command. */
enum status { STATUS_GOOD, STATUS_ERRORS, STATUS_WARNINGS, STATUS_USAGE };

static enum status print_findings(const struct config_finding *findings)
{
	enum status status = STATUS_GOOD;

	for (; findings != NULL; findings = findings->next) {
		printf("%s: %s\n", findings->is_error ? "error" : "warning", findings->text);
		if (findings->is_error)
			status = STATUS_ERRORS;
		else if (status == STATUS_GOOD)
			status = STATUS_WARNINGS;
	}
	return status;
}

static int validate(const char *const *paths, size_t count)
{
	struct bulla_call call = { .arena = bulla_arena_new(16384), .may_block = true };
	const struct config_finding *findings = NULL;
	struct server_config config = { 0 };
	enum bulla_err err = call.arena == NULL ? BULLA_E_NO_MEMORY : server_config_read(paths, count, &call, &config, &findings);

	bulla_wipe((void *)(uintptr_t)config.seal.key.ptr, config.seal.key.len);
	enum status status = print_findings(findings);

	if (err != BULLA_OK && err != BULLA_E_CONFIG)
		fprintf(stderr, "bulla operator validate-config: %s\n", bulla_err_row(err)->text);
	if (status != STATUS_ERRORS && err == BULLA_OK)
		puts("Success! The server takes this configuration.");
	bulla_arena_free(call.arena);
	return err == BULLA_OK ? (int)status : STATUS_ERRORS;
}

int operator_validate_config(int argc, char **argv)
{
	struct flag_list paths = { 0 };
	const struct flag flags[] = {
		{ "config", FLAG_LIST, &paths, "a configuration file, or a folder with files *.hcl and *.json; may be given many times" },
		{ 0 },
	};
	const struct flag *const tables[] = { flags, NULL };

	if (bulla_memory_init(false) != BULLA_OK)
		return STATUS_ERRORS;
	enum flags_result result = flags_parse(tables, &argc, argv);

	if (result == FLAGS_HELP) {
		printf("Usage: bulla operator validate-config [options] [FILE...]\n\n"
		       "  Tells all that is wrong or doubtful in the configuration of a server that FILEs and -config make together, as the\n"
		       "  server reads it, without starting one or changing anything. Certificates and keys that it names are looked at.\n"
		       "  Exit status: 0 nothing to say, 2 warnings, 1 errors, 3 wrong usage.\n");
		flags_print(stdout, "Options", flags);
		return STATUS_GOOD;
	}
	bool fits = paths.count + (size_t)(argc - 1) <= FLAG_LIST_MAX;

	for (int i = 1; fits && i < argc; i++)
		paths.items[paths.count++] = argv[i];
	if (result == FLAGS_OK && fits && paths.count > 0)
		return validate(paths.items, paths.count);
	if (result == FLAGS_OK)
		fputs(fits ? "Must specify a configuration file.\n" : "Too many configuration files.\n", stderr);
	return STATUS_USAGE;
}
