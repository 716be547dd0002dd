/* card_api.c: main of card-api: takes card numbers, stores ciphertexts. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "client.h"
#include "http.h"
#include "log.h"
#include "rewrap.h"
#include "routes.h"
#include "wipe.h"

enum { EXIT_GOOD = 0, EXIT_BAD = 1, EXIT_USAGE = 2 };

/* Until SIGTERM or SIGINT, which the intake sends too when it gives up. */
static void wait_for_end(const sigset_t *ends)
{
	int sig;

	sigwait(ends, &sig);
}

static enum card_err serve(const struct settings *settings, struct app *app, const sigset_t *ends)
{
	struct http *http;

	TRY(guard_init(&app->guard, settings->api_token_file));
	TRY(store_open(settings->db, &app->reader));
	TRY(intake_start(settings, routes_done, &app->intake));
	enum card_err err = http_start(settings, routes_handle, app, &http);

	if (err == CARD_OK)
		wait_for_end(ends);
	bool good = intake_stop(app->intake);

	if (err == CARD_OK)
		http_stop(http);
	log_line("stopped");
	return err == CARD_OK && !good ? CARD_E_CONFIG : err;
}

static int run_server(void)
{
	struct app app = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct settings settings;
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	/* before threads start: they inherit it */
	if (pthread_sigmask(SIG_BLOCK, &ends, NULL) != 0 || settings_read(PROGRAM_API, &settings) != CARD_OK)
		return EXIT_BAD;
	enum card_err err = serve(&settings, &app, &ends);

	intake_free(app.intake);
	store_close(app.reader);
	return err == CARD_OK ? EXIT_GOOD : EXIT_BAD;
}

static int run_rewrap(void)
{
	struct settings settings;

	if (settings_read(PROGRAM_REWRAP, &settings) != CARD_OK)
		return EXIT_BAD;
	enum card_err err = rewrap_all(&settings);

	if (err != CARD_OK)
		log_line("rewrap: %s", card_err_text(err));
	return err == CARD_OK ? EXIT_GOOD : EXIT_BAD;
}

static enum card_err ask_health(const struct settings *settings)
{
	const struct client_config config = {
		.base = settings->api_url, .ca_file = settings->api_cacert, .plain_http = settings->plain_http, .timeout_ms = 5000,
	};
	char reason[CLIENT_ERROR_SIZE];
	struct client_answer answer = { 0 };
	struct client *client = client_new(&config);

	if (client == NULL)
		return CARD_E_MEMORY;
	enum card_err err = client_send(client, "GET", "/health", NULL, NULL, &answer, reason);

	if (err != CARD_OK)
		log_line("health: %s", reason);
	else if (answer.status != 200)
		log_line("health: status %d", answer.status);
	client_free(client);
	return err == CARD_OK && answer.status != 200 ? CARD_E_UNAVAILABLE : err;
}

static int run_health(void)
{
	struct settings settings;

	return settings_read(PROGRAM_HEALTH, &settings) == CARD_OK && ask_health(&settings) == CARD_OK ? EXIT_GOOD : EXIT_BAD;
}

static const struct subcommand {
	const char *name, *help;
	enum program program;
	int (*run)(void);
} subcommands[] = {
	{ "", "serves the API and the page until SIGTERM", PROGRAM_API, run_server },
	{ "rewrap", "brings every stored card to the newest version of the key", PROGRAM_REWRAP, run_rewrap },
	{ "health", "asks a running card-api; status 0: it can take cards", PROGRAM_HEALTH, run_health },
};

static int help(FILE *out)
{
	for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
		fprintf(out, "%scard-api %s: %s\n", i > 0 ? "\n" : "", subcommands[i].name, subcommands[i].help);
		settings_help(subcommands[i].program, out);
	}
	return out == stdout ? EXIT_GOOD : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	log_open("card-api");
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0)
		return help(stdout);
	if (wipe_init() != CARD_OK || client_init() != CARD_OK) {
		log_line("the process could not be set up");
		return EXIT_BAD;
	}
	for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++)
		if (argc <= 2 && strcmp(name, subcommands[i].name) == 0)
			return subcommands[i].run();
	return help(stderr);
}
