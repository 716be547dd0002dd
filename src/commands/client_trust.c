/* client_trust.c: owns the reading of CAs. One thread: the walk through a folder keeps its state here, as nftw gives it no other place. */
#define _GNU_SOURCE
#include "commands/client_trust.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "http/file.h"

#define PEM_MAX_BYTES ((size_t)16 << 20)
#define BEGIN "-----BEGIN CERTIFICATE-----"
#define OPEN_FOLDERS 16

static bool is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* What has been read so far. */
struct pile {
	char *text;
	size_t len;
};

static struct pile walked;

static bool add(struct pile *pile, struct bulla_bytes text)
{
	if (text.len > PEM_MAX_BYTES - pile->len) {
		errno = EFBIG;
		return false;
	}
	char *more = bulla_wiping_realloc(pile->text, pile->len + text.len + 2);

	if (more == NULL)
		return false;
	memcpy(more + pile->len, text.ptr, text.len);
	pile->len += text.len;
	more[pile->len++] = '\n';
	more[pile->len] = '\0';
	pile->text = more;
	return true;
}

/* A file's certificates, unless it has none. */
static bool add_file(struct pile *pile, const char *path)
{
	struct bulla_arena *arena = bulla_arena_new(4096);
	struct bulla_bytes text;
	bool good = arena != NULL && file_read(arena, path, PEM_MAX_BYTES, &text) &&
		    (memmem(text.ptr, text.len, BEGIN, strlen(BEGIN)) == NULL || add(pile, text));
	int why = errno;

	bulla_arena_free(arena);
	errno = why;
	return good;
}

/* For nftw. What a link leads to counts if it is a file: folders that Kubernetes mounts are made of such. */
static int visit(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	struct stat target;

	(void)where;
	if (kind == FTW_SL && (stat(path, &target) != 0 || !S_ISREG(target.st_mode)))
		return 0;
	if (kind == FTW_DNR || kind == FTW_NS)
		return -1;
	if (kind == FTW_D || (kind == FTW_F && !S_ISREG(st->st_mode)))
		return 0;
	return add_file(&walked, path) ? 0 : -1;
}

static bool read_folder(const char *path, char **pem, char error[CLIENT_ERROR_MAX])
{
	walked = (struct pile){ 0 };
	errno = 0;
	if (nftw(path, visit, OPEN_FOLDERS, FTW_PHYS) == 0 && walked.text != NULL) {
		*pem = walked.text;
		return true;
	}
	snprintf(error, CLIENT_ERROR_MAX, "failed to setup TLS config: Error loading CA Path: %s: %s", path,
		 errno != 0 ? strerror(errno) : "no file in it has a certificate");
	bulla_wiping_free(walked.text);
	return false;
}

static bool read_one_file(const char *path, char **pem, char error[CLIENT_ERROR_MAX])
{
	struct pile pile = { 0 };

	errno = 0;
	if (add_file(&pile, path) && pile.text != NULL) {
		*pem = pile.text;
		return true;
	}
	snprintf(error, CLIENT_ERROR_MAX, "failed to setup TLS config: Error loading CA File: %s: %s", path,
		 errno != 0 ? strerror(errno) : "no certificate in it");
	bulla_wiping_free(pile.text);
	return false;
}

static bool copy_text(const char *text, char **pem, char error[CLIENT_ERROR_MAX])
{
	struct pile pile = { 0 };

	if (strstr(text, BEGIN) != NULL && add(&pile, bulla_str(text))) {
		*pem = pile.text;
		return true;
	}
	snprintf(error, CLIENT_ERROR_MAX, "failed to setup TLS config: Error appending CA: Couldn't parse PEM");
	return false;
}

bool client_trust_read(const struct client_config *config, char **pem, char error[CLIENT_ERROR_MAX])
{
	*pem = NULL;
	if (is_given(config->ca_cert))
		return read_one_file(config->ca_cert, pem, error);
	if (is_given(config->ca_bytes))
		return copy_text(config->ca_bytes, pem, error);
	return !is_given(config->ca_path) || read_folder(config->ca_path, pem, error);
}

static bool is_readable(const char *path, char error[CLIENT_ERROR_MAX])
{
	FILE *file = fopen(path, "re");

	if (file == NULL)
		snprintf(error, CLIENT_ERROR_MAX, "failed to setup TLS config: %s: %s", path, strerror(errno));
	else
		fclose(file);
	return file != NULL;
}

bool client_trust_check_own(const struct client_config *config, char error[CLIENT_ERROR_MAX])
{
	bool cert = is_given(config->client_cert), key = is_given(config->client_key);

	if (cert != key) {
		snprintf(error, CLIENT_ERROR_MAX, "failed to setup TLS config: both client cert and client key must be provided");
		return false;
	}
	return !cert || (is_readable(config->client_cert, error) && is_readable(config->client_key, error));
}
