/* card_processor.c: main of card-processor: reads the stored cards over card-api's API and decrypts them to use them: here, to print them. */
#define _GNU_SOURCE
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "client.h"
#include "log.h"
#include "transit.h"
#include "utf8.h"
#include "wipe.h"

enum { EXIT_GOOD = 0, EXIT_BAD = 1, EXIT_USAGE = 2 };

#define PAGE 100
#define PATIENCE_MS 60000
#define TRY_AGAIN_MS 500

struct run {
	struct settings settings;
	struct client *api;
	struct vault *vault;
	char header[SECRET_SIZE + 32]; /* for card-api; empty: none */
	bool mask, failed;
};

/* One page of cards, patiently: card-api may be starting. */
static enum card_err get_page(struct run *run, int64_t after, json_t **out)
{
	const char *header = run->header[0] != '\0' ? run->header : NULL;
	char path[64], reason[CLIENT_ERROR_SIZE] = "";
	int64_t end = clock_ms() + PATIENCE_MS;
	struct client_answer answer = { 0 };
	enum card_err err;

	snprintf(path, sizeof path, "/credit-cards/?limit=%d&after=%lld", PAGE, (long long)after);
	for (;;) {
		err = client_send(run->api, "GET", path, header, NULL, &answer, reason);
		if ((err != CARD_E_UNAVAILABLE && (err != CARD_OK || answer.status < 500)) || clock_ms() > end)
			break;
		sleep_ms(TRY_AGAIN_MS);
	}
	if (err == CARD_OK && answer.status != 200)
		snprintf(reason, sizeof reason, "status %d", answer.status);
	if (err != CARD_OK || answer.status != 200) {
		log_line("card-api: %s", reason);
		return CARD_E_UNAVAILABLE;
	}
	*out = json_loadb(answer.body, answer.len, JSON_REJECT_DUPLICATES, NULL);
	return *out != NULL ? CARD_OK : CARD_E_REFUSED;
}

static const char *text_of(const json_t *card, const char *member)
{
	const char *text = json_string_value(json_object_get(card, member));

	return text != NULL ? text : "";
}

/* What a card says of itself is not trusted further than that it decrypts or not: the binding is made from its id. What is malformed does
 * not, and the other cards go on. */
static void fill_item(const json_t *card, struct transit_item *item)
{
	*item = (struct transit_item){ .id = binding_known_id(text_of(card, "id")), .purpose = "pan" };
	item->binding = strcmp(text_of(card, "binding"), "associated_data") == 0 ? BINDING_AAD : BINDING_CONTEXT;
	snprintf(item->cipher, sizeof item->cipher, "%s", text_of(card, "pan"));
}

static enum card_err print_card(const struct run *run, const char *name, const char *pan)
{
	char upper[UPPER_SIZE];
	size_t n = strlen(pan), hidden = run->mask && n > 4 ? n - 4 : 0;

	TRY(utf8_upper(name, upper));
	bool good = printf("Processing %s card with number %.*s%s\n", upper, (int)hidden, "***************", pan + hidden) > 0;

	return good && fflush(stdout) == 0 ? CARD_OK : CARD_E_OUTPUT;
}

static enum card_err print_all(struct run *run, const json_t *cards, const struct transit_item *items)
{
	for (size_t i = 0; i < json_array_size(cards); i++) {
		if (!items[i].failed) {
			TRY(print_card(run, text_of(json_array_get(cards, i), "name"), items[i].plain));
			continue;
		}
		log_line("card %s does not decrypt: its ciphertext is damaged or belongs to another card", items[i].id);
		run->failed = true;
	}
	return CARD_OK;
}

static enum card_err process(struct run *run, const json_t *cards)
{
	struct transit_item items[PAGE];
	size_t n = json_array_size(cards);

	if (!json_is_array(cards) || n > PAGE)
		return CARD_E_REFUSED;
	if (n == 0)
		return CARD_OK;
	for (size_t i = 0; i < n; i++)
		fill_item(json_array_get(cards, i), &items[i]);
	enum card_err err = transit_decrypt(run->vault, &run->settings, run->settings.key, items, n);

	if (err == CARD_OK)
		err = print_all(run, cards, items);
	wipe(items, sizeof items);
	return err;
}

static enum card_err work(struct run *run)
{
	enum binding unused;

	TRY(transit_prove_binding(run->vault, &run->settings, &unused));
	for (int64_t after = 0;;) {
		json_t *page;

		TRY(get_page(run, after, &page));
		enum card_err err = process(run, json_object_get(page, "cards"));
		int64_t next = json_integer_value(json_object_get(page, "next"));

		json_decref(page);
		TRY(err);
		if (next <= after) /* null: that was the last page */
			return CARD_OK;
		after = next;
	}
}

static enum card_err set_up(struct run *run)
{
	TRY(settings_read(PROGRAM_PROCESSOR, &run->settings));
	const struct client_config config = {
		.base = run->settings.api_url, .ca_file = run->settings.api_cacert, .plain_http = run->settings.plain_http,
		.timeout_ms = 10000,
	};
	char token[SECRET_SIZE];

	if (run->settings.api_token_file != NULL) {
		TRY(settings_secret(run->settings.api_token_file, token));
		snprintf(run->header, sizeof run->header, "Authorization: Bearer %s", token);
		wipe(token, sizeof token);
	}
	run->api = client_new(&config);
	run->vault = vault_new(&run->settings, PATIENCE_MS);
	return run->api != NULL && run->vault != NULL ? CARD_OK : CARD_E_MEMORY;
}

/* The PANs went through this buffer, which is not on the heap. */
static char output[4096];

static int run_all(bool mask)
{
	struct run run = { .mask = mask };

	setvbuf(stdout, output, _IOLBF, sizeof output);
	enum card_err err = set_up(&run);

	if (err == CARD_OK)
		err = work(&run);
	client_free(run.api);
	vault_free(run.vault);
	wipe(run.header, sizeof run.header);
	wipe(output, sizeof output);
	if (err != CARD_OK)
		log_line("stopped: %s", card_err_text(err));
	return err == CARD_OK && !run.failed ? EXIT_GOOD : EXIT_BAD;
}

static int help(FILE *out)
{
	fprintf(out, "card-processor [--mask]: decrypts the stored cards and prints them; --mask: only their last four digits\n"
		     "exit status: 0 all, 1 not all\n");
	settings_help(PROGRAM_PROCESSOR, out);
	return out == stdout ? EXIT_GOOD : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	bool mask = argc == 2 && strcmp(argv[1], "--mask") == 0;

	log_open("card-processor");
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0))
		return help(stdout);
	if (argc > 1 && !mask)
		return help(stderr);
	if (wipe_init() != CARD_OK || client_init() != CARD_OK) {
		log_line("the process could not be set up");
		return EXIT_BAD;
	}
	return run_all(mask);
}
