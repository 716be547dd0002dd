/* settings.c: owns the table of environment variables. Called from main, before threads start; settings_secret from any thread. */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "wipe.h"

enum {
	API = PROGRAM_API, PROCESSOR = PROGRAM_PROCESSOR, REWRAP = PROGRAM_REWRAP, HEALTH = PROGRAM_HEALTH,
	VAULT = API | PROCESSOR | REWRAP,
	ALL = VAULT | HEALTH,
};

enum form { FORM_ANY, FORM_PATH_PART, FORM_URL };

static const struct row {
	const char *name, *standard, *help;
	size_t offset;
	int programs, required; /* sets of enum program */
	enum form form;
} rows[] = {
#define AT(member) offsetof(struct settings, member)
	{ "CARD_LISTEN", "127.0.0.1:8443", "address and port to listen on", AT(listen), API, API, FORM_ANY },
	{ "CARD_TLS_CERT", NULL, "file: certificate chain, PEM", AT(tls_cert), API, 0, FORM_ANY },
	{ "CARD_TLS_KEY", NULL, "file: its private key, PEM", AT(tls_key), API, 0, FORM_ANY },
	{ "CARD_DB", NULL, "file: the SQLite database of cards", AT(db), API | REWRAP, API | REWRAP, FORM_ANY },
	{ "CARD_VAULT_ADDR", NULL, "https:// address of Bulla, Vault or OpenBao", AT(vault_addr), VAULT, VAULT, FORM_URL },
	{ "CARD_VAULT_CACERT", NULL, "file: CA that signed its certificate (otherwise the system's)", AT(vault_cacert), VAULT, 0, FORM_ANY },
	{ "CARD_ROLE_ID_FILE", NULL, "file: the AppRole's role id", AT(role_id_file), VAULT, VAULT, FORM_ANY },
	{ "CARD_SECRET_ID_FILE", NULL, "file: the AppRole's secret id", AT(secret_id_file), VAULT, VAULT, FORM_ANY },
	{ "CARD_APPROLE_MOUNT", "approle", "mount of the AppRole method, below auth/", AT(approle_mount), VAULT, VAULT, FORM_PATH_PART },
	{ "CARD_TRANSIT_MOUNT", "transit", "mount of the transit engine", AT(transit_mount), VAULT, VAULT, FORM_PATH_PART },
	{ "CARD_KEY", "cards", "transit key that encrypts PANs", AT(key), VAULT, VAULT, FORM_PATH_PART },
	{ "CARD_HMAC_KEY", "card-index", "transit key of the HMAC that finds duplicates", AT(hmac_key), API, API, FORM_PATH_PART },
	{ "CARD_CANARY_KEY", "card-canary", "transit key of the canary, which never sees a card", AT(canary_key), VAULT, VAULT, FORM_PATH_PART },
	{ "CARD_API_TOKEN_FILE", NULL, "file: bearer token that callers of card-api must show; none: whoever reaches the port may call",
	  AT(api_token_file), API | PROCESSOR, 0, FORM_ANY },
	{ "CARD_API_URL", NULL, "https:// address of card-api", AT(api_url), PROCESSOR | HEALTH, PROCESSOR | HEALTH, FORM_URL },
	{ "CARD_API_CACERT", NULL, "file: CA that signed its certificate (otherwise the system's)", AT(api_cacert), PROCESSOR | HEALTH, 0, FORM_ANY },
	{ "CARD_PLAIN_HTTP", "no", "yes: HTTP without TLS is allowed, to listen and to call; never outside of a test",
	  AT(plain_http_text), ALL, ALL, FORM_ANY },
#undef AT
};

#define ROWS (sizeof rows / sizeof rows[0])

void settings_help(enum program program, FILE *out)
{
	fprintf(out, "environment:\n");
	for (size_t i = 0; i < ROWS; i++) {
		if (!(rows[i].programs & (int)program))
			continue;
		fprintf(out, "  %-20s %s", rows[i].name, rows[i].help);
		if (rows[i].standard != NULL)
			fprintf(out, " (%s)", rows[i].standard);
		else if (rows[i].required & (int)program)
			fprintf(out, " (required)");
		fputc('\n', out);
	}
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* What becomes part of a URL's path is not escaped, so it must not need it. */
static bool is_path_part(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/";

	return text[0] != '\0' && text[strspn(text, plain)] == '\0';
}

static enum card_err check(const struct row *row, const char *value, bool plain_http)
{
	if (row->form == FORM_PATH_PART && !is_path_part(value)) {
		log_line("%s may hold letters, digits, '-', '_' and '/'", row->name);
		return CARD_E_CONFIG;
	}
	if (row->form != FORM_URL || starts_with(value, "https://"))
		return CARD_OK;
	if (!starts_with(value, "http://")) {
		log_line("%s does not begin with https://", row->name);
		return CARD_E_CONFIG;
	}
	if (!plain_http) {
		log_line("%s is plain HTTP, which would show card numbers to the network: use https://", row->name);
		return CARD_E_CONFIG;
	}
	return CARD_OK;
}

static const char *lookup(const struct row *row)
{
	const char *value = getenv(row->name);

	return value != NULL && value[0] != '\0' ? value : row->standard;
}

static enum card_err read_plain_http(struct settings *out)
{
	const char *value = getenv("CARD_PLAIN_HTTP");

	out->plain_http = value != NULL && strcmp(value, "yes") == 0;
	if (value == NULL || value[0] == '\0' || out->plain_http || strcmp(value, "no") == 0)
		return CARD_OK;
	log_line("CARD_PLAIN_HTTP is neither yes nor no");
	return CARD_E_CONFIG;
}

enum card_err settings_read(enum program program, struct settings *out)
{
	struct settings settings = { 0 };

	TRY(read_plain_http(&settings));
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];

		if (!(row->programs & (int)program))
			continue;
		const char *value = lookup(row);

		if (value == NULL && (row->required & (int)program)) {
			log_line("%s is not set (-h lists what is needed)", row->name);
			return CARD_E_CONFIG;
		}
		if (value != NULL)
			TRY(check(row, value, settings.plain_http));
		*(const char **)((char *)&settings + row->offset) = value;
	}
	if (program == PROGRAM_API && !settings.plain_http && (settings.tls_cert == NULL || settings.tls_key == NULL)) {
		log_line("CARD_TLS_CERT and CARD_TLS_KEY are not set, and plain HTTP is not served unless CARD_PLAIN_HTTP=yes");
		return CARD_E_CONFIG;
	}
	*out = settings;
	return CARD_OK;
}

static size_t trim(char *text, size_t n)
{
	text[n] = '\0';
	n = strcspn(text, "\r\n");
	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	text[n] = '\0';
	return n;
}

enum card_err settings_secret(const char *path, char out[SECRET_SIZE])
{
	char text[SECRET_SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		log_line("%s: %s", path, strerror(errno));
		return CARD_E_CONFIG;
	}
	ssize_t got = read(fd, text, sizeof text);

	close(fd);
	bool good = got > 0 && got < (ssize_t)sizeof text;

	if (good) {
		size_t n = trim(text, (size_t)got);

		good = n > 0;
		for (size_t i = 0; i < n; i++)
			good = good && text[i] > 0x20 && text[i] < 0x7f;
	}
	if (good)
		memcpy(out, text, sizeof text);
	else
		log_line("%s: holds no secret of 1 to %d printable characters", path, SECRET_SIZE - 1);
	wipe(text, sizeof text);
	return good ? CARD_OK : CARD_E_CONFIG;
}
