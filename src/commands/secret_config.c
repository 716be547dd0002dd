/* secret_config.c: secrets of the configuration file, which may stand elsewhere. Owns which variable of the environment had one: it is
 * wiped and taken out when it has been read, and asked for again at each SIGHUP. One thread, at start and at SIGHUP. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "commands/config_reader.h"
#include "http/file.h"

#define SECRET_MAX 4096

static char *taken; /* from this variable; NULL: from none */

/* What follows the prefix; NULL: the text does not begin with it. */
static const char *behind(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static bool read_file(struct config_reader *r, const struct hcl *at, const char *path, struct bulla_bytes *out)
{
	struct stat st;

	if (!file_read(r->findings.call->arena, path, SECRET_MAX, out))
		return setting_fail(&r->findings, at, "%s: %s", path, strerror(errno));
	if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
		setting_warn(&r->findings, at, "the file of \"%s\", %s, can be read by others: it should have mode 0600", at->name, path);
	return true;
}

static bool read_variable(struct config_reader *r, const struct hcl *at, const char *name, struct config_secret *out)
{
	const char *value = getenv(name);

	out->gone = value == NULL && taken != NULL && strcmp(taken, name) == 0;
	if (out->gone)
		return true;
	if (value == NULL || value[0] == '\0')
		return setting_fail(&r->findings, at, "\"%s\": the environment variable %s is %s", at->name, name,
				    value == NULL ? "not set" : "empty");
	out->variable = name;
	out->value = bulla_str(value);
	return true;
}

bool secret_config_read(struct config_reader *r, const struct hcl *at, struct config_secret *out)
{
	const char *path = behind(at->text, "file://"), *name = behind(at->text, "env://"), *text = behind(at->text, "string://");

	*out = (struct config_secret){ 0 };
	if (path != NULL)
		return read_file(r, at, path, &out->value);
	if (name != NULL)
		return read_variable(r, at, name, out);
	out->value = bulla_str(text != NULL ? text : at->text);
	return true;
}

void secret_config_forget(struct config_secret *secret)
{
	config_forget(secret->value.ptr, secret->value.len);
	if (secret->variable != NULL) {
		(void)unsetenv(secret->variable);
		free(taken);
		taken = strdup(secret->variable);
	}
	*secret = (struct config_secret){ 0 };
}
