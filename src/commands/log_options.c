/* log_options.c: see log_options.h. */
#include "commands/log_options.h"

#include <stdlib.h>

/* The first variable that is set, and not empty. */
static const char *first_set(const char *const *names, const char **name)
{
	for (; *names != NULL; names++) {
		const char *value = getenv(*names);

		*name = *names;
		if (value != NULL && value[0] != '\0')
			return value;
	}
	return NULL;
}

enum bulla_err log_options_apply(const struct log_options *options, struct bulla_call *call, struct server_config *config)
{
	static const char *const levels[] = { "BULLA_LOG_LEVEL", "BAO_LOG_LEVEL", "VAULT_LOG_LEVEL", NULL };
	static const char *const formats[] = { "BULLA_LOG_FORMAT", "BAO_LOG_FORMAT", "VAULT_LOG_FORMAT", NULL };
	const char *level_of = "-log-level", *format_of = "-log-format";
	const char *level = options->level != NULL ? options->level : first_set(levels, &level_of);
	const char *format = options->format != NULL ? options->format : first_set(formats, &format_of);

	if (level != NULL && !log_level_parse(level, &config->log_level))
		return bulla_fail(call, BULLA_E_CONFIG, "%s: unknown log level: " LOG_LEVEL_WORDS, level_of);
	if (format != NULL && !log_format_parse(format, &config->log_json))
		return bulla_fail(call, BULLA_E_CONFIG, "%s: unknown log format: " LOG_FORMAT_WORDS, format_of);
	if (options->file != NULL && options->file[0] != '\0')
		config->log_file = options->file;
	return BULLA_OK;
}
