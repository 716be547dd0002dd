/* preview.c: owns -output-curl-string and -output-policy. One thread. Prints on stdout; no token is in it. */
#include "commands/preview.h"

#include <stdio.h>

#include "commands/sudo_path.h"

/* Within single quotes of a shell. */
static void put_quoted(const char *text)
{
	putchar('\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs("'\"'\"'", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

static void put_file(const char *option, const char *path)
{
	if (path == NULL || path[0] == '\0')
		return;
	printf("%s ", option);
	put_quoted(path);
	putchar(' ');
}

/* Within double quotes of a shell: nothing in it is expanded. */
static void put_double(const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("$`\"\\", *text) != NULL)
			putchar('\\');
		putchar(*text);
	}
}

static void put_header(const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	fputs("-H \"", stdout);
	put_double(name);
	fputs(": ", stdout);
	put_double(value);
	fputs("\" ", stdout);
}

static void put_body(json_t *body)
{
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY)
				  : NULL;

	if (text == NULL)
		return;
	fputs("-d ", stdout);
	put_quoted(text);
	putchar(' ');
	bulla_wiping_free(text);
}

void preview_curl(struct cli *cli, const char *method, const char *target, json_t *body)
{
	const struct client_config *config = &cli->config;

	fputs("curl ", stdout);
	if (config->tls_skip_verify)
		fputs("--insecure ", stdout);
	if (strcmp(method, "GET") != 0)
		printf("-X %s ", method);
	if (strncmp(config->address, "unix://", 7) == 0)
		put_file("--unix-socket", config->address + 7);
	put_file("--cacert", config->ca_cert);
	put_file("--capath", config->ca_path);
	put_file("--cert", config->client_cert);
	put_file("--key", config->client_key);
	put_header("X-Vault-Namespace", config->namespace_);
	put_header("X-Vault-Request", "true");
	if (config->token != NULL && config->token[0] != '\0')
		fputs("-H \"X-Vault-Token: $(bulla print token)\" ", stdout);
	put_header("X-Vault-Wrap-Ttl", config->wrap_ttl);
	for (size_t i = 0; i < config->header_count; i++) {
		size_t n = strcspn(config->headers[i], "=");

		put_header(cli_printf(cli, "%.*s", (int)n, config->headers[i]), config->headers[i] + n + 1);
	}
	if (strcmp(method, "PATCH") == 0)
		put_header("Content-Type", "application/merge-patch+json");
	put_body(body);
	putchar('"');
	put_double(client_base(cli->client));
	put_double(target);
	puts("\"");
}

static const char *capabilities_of(const char *method, bool lists)
{
	if (lists || strcmp(method, "LIST") == 0)
		return "\"list\"";
	if (strcmp(method, "GET") == 0)
		return "\"read\"";
	if (strcmp(method, "DELETE") == 0)
		return "\"delete\"";
	return strcmp(method, "PATCH") == 0 ? "\"patch\"" : "\"create\", \"update\"";
}

void preview_policy(const char *method, const char *target)
{
	const char *path = target + strlen("/v1"), *query;

	path += *path == '/';
	query = strchr(path, '?');
	int len = query != NULL ? (int)(query - path) : (int)strlen(path);
	bool lists = query != NULL && strstr(query, "list=true") != NULL;

	printf("path \"%.*s\" {\n  capabilities = [%s%s]\n}\n", len, path, capabilities_of(method, lists),
	       path_needs_sudo(bulla_mem(path, (size_t)len)) ? ", \"sudo\"" : "");
}
