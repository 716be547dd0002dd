/* vault.c: owns the token: login, renewal, and when to try again. One thread a vault. */
#define _GNU_SOURCE
#include "vault.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "results.h"
#include "wipe.h"

#define REQUEST_TIMEOUT_MS 10000L
#define BACK_OFF_FIRST_MS 50
#define BACK_OFF_MAX_MS 2000
#define BOTH_AGAIN_MS 60000      /* after two at once that got no answer */
#define KEEP_AGAIN_MS 1000       /* after a renewal that failed */
#define END_UNKNOWN_MS 60000      /* a token with less than a second, or without an end: look again soon */
#define PATH_SIZE 512
#define HEADER_SIZE (SECRET_SIZE + 32)

struct vault {
	const struct settings *settings;
	struct client *client, *second; /* second: for what goes on at the same time */
	int64_t patience_ms;
	int64_t both_at_ms;              /* not two at once before */
	int64_t renew_at_ms, ends_at_ms; /* of the token */
	bool renewable;
	char header[HEADER_SIZE];        /* X-Vault-Token: ...; empty: not logged in */
	char said[CLIENT_ERROR_SIZE];    /* the last reason logged, so that an outage is one line and not thousands */
};

int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(int64_t ms)
{
	const struct timespec span = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&span, NULL);
}

struct vault *vault_new(const struct settings *settings, int64_t patience_ms)
{
	const struct client_config config = {
		.base = settings->vault_addr, .ca_file = settings->vault_cacert, .plain_http = settings->plain_http,
		.timeout_ms = REQUEST_TIMEOUT_MS,
	};
	struct vault *vault = calloc(1, sizeof *vault);

	if (vault == NULL)
		return NULL;
	vault->settings = settings;
	vault->patience_ms = patience_ms;
	vault->client = client_new(&config);
	vault->second = client_new(&config);
	if (vault->client == NULL || vault->second == NULL) {
		vault_free(vault);
		return NULL;
	}
	return vault;
}

void vault_free(struct vault *vault)
{
	if (vault == NULL)
		return;
	client_free(vault->client);
	client_free(vault->second);
	free(vault);
}

void vault_set_patience(struct vault *vault, int64_t patience_ms)
{
	vault->patience_ms = patience_ms;
}

/* An outage is logged when it begins, when its reason changes, and when it ends. */
static void say(struct vault *vault, const char *reason)
{
	if (strcmp(vault->said, reason) == 0)
		return;
	if (reason[0] == '\0')
		log_line("the encryption service answers again");
	else
		log_line("the encryption service: %s", reason);
	snprintf(vault->said, sizeof vault->said, "%s", reason);
}

static enum card_err judge(int status)
{
	if (status >= 200 && status < 300)
		return CARD_OK;
	return status == 429 || status >= 500 ? CARD_E_UNAVAILABLE : CARD_E_REFUSED;
}

/* When all items of a batch fail the status is 400, whatever partial_failure_response_code asks for; the results are there as ever. */
static bool has_results(const struct client_answer *answer)
{
	size_t count;

	return answer->status == 400 && results_read(answer->body, answer->len, NULL, NULL, &count);
}

static enum card_err print_target(char out[PATH_SIZE], const char *path)
{
	return snprintf(out, PATH_SIZE, "/v1/%s", path) < PATH_SIZE ? CARD_OK : CARD_E_CONFIG;
}

/* What came of a request; reason is set if it is an error. What the server says of it could repeat what it was given, so only the status is named. */
static enum card_err judge_answer(const char *method, const char *path, const struct client_answer *answer, char reason[CLIENT_ERROR_SIZE])
{
	enum card_err err = has_results(answer) ? CARD_OK : judge(answer->status);

	if (err != CARD_OK)
		snprintf(reason, CLIENT_ERROR_SIZE, "%s %s: status %d%s", method, path, answer->status,
			 answer->status == 503 ? " (sealed or busy)" : "");
	return err;
}

/* One request. status 0: no answer came. */
static enum card_err send_once(struct vault *vault, const char *method, const char *path, const char *text, struct client_answer *answer)
{
	char target[PATH_SIZE], reason[CLIENT_ERROR_SIZE] = "";

	*answer = (struct client_answer){ 0 };
	TRY(print_target(target, path));
	enum card_err err = client_send(vault->client, method, target, vault->header[0] != '\0' ? vault->header : NULL, text, answer, reason);

	if (err == CARD_OK)
		err = judge_answer(method, path, answer, reason);
	say(vault, reason);
	return err;
}

static enum card_err keep_token(struct vault *vault, const json_t *auth)
{
	const char *token = json_string_value(json_object_get(auth, "client_token"));
	int64_t ttl_ms = json_integer_value(json_object_get(auth, "lease_duration")) * 1000;

	if (token == NULL || strlen(token) >= SECRET_SIZE || strpbrk(token, "\r\n") != NULL)
		return CARD_E_REFUSED;
	snprintf(vault->header, sizeof vault->header, "X-Vault-Token: %s", token);
	vault->renewable = json_is_true(json_object_get(auth, "renewable"));
	if (ttl_ms <= 0)
		ttl_ms = END_UNKNOWN_MS;
	vault->ends_at_ms = clock_ms() + ttl_ms;
	vault->renew_at_ms = clock_ms() + ttl_ms * 2 / 3;
	return CARD_OK;
}

/* Takes the token out of an answer of login or renewal. */
static enum card_err take_token(struct vault *vault, const struct client_answer *answer)
{
	json_t *document = json_loadb(answer->body, answer->len, JSON_REJECT_DUPLICATES, NULL);
	enum card_err err = keep_token(vault, json_object_get(document, "auth"));

	json_decref(document);
	return err;
}

static json_t *credentials(const struct settings *settings)
{
	char role[SECRET_SIZE], secret[SECRET_SIZE];
	json_t *body = NULL;

	if (settings_secret(settings->role_id_file, role) == CARD_OK && settings_secret(settings->secret_id_file, secret) == CARD_OK)
		body = json_pack("{ss,ss}", "role_id", role, "secret_id", secret);
	wipe(role, sizeof role);
	wipe(secret, sizeof secret);
	return body;
}

/* The files are read anew each time: whoever renews a secret id replaces the file. */
static enum card_err login(struct vault *vault)
{
	char path[PATH_SIZE];
	json_t *body = credentials(vault->settings);
	struct client_answer answer;

	if (body == NULL)
		return CARD_E_CONFIG;
	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	if (text == NULL)
		return CARD_E_MEMORY;
	vault->header[0] = '\0';
	snprintf(path, sizeof path, "auth/%s/login", vault->settings->approle_mount);
	enum card_err err = send_once(vault, "POST", path, text, &answer);

	free(text);
	if (err == CARD_OK)
		err = take_token(vault, &answer);
	if (err == CARD_OK)
		log_line("logged in at auth/%s", vault->settings->approle_mount);
	return err;
}

static enum card_err renew(struct vault *vault)
{
	struct client_answer answer;

	TRY(send_once(vault, "POST", "auth/token/renew-self", "{}", &answer));
	return take_token(vault, &answer);
}

int64_t vault_due_ms(const struct vault *vault)
{
	int64_t left = vault->renew_at_ms - clock_ms();

	return vault->header[0] == '\0' || left < 0 ? 0 : left;
}

/* A token that cannot be renewed any further (its greatest age is near: the TTL it gets no longer grows) is replaced by a login. */
enum card_err vault_keep(struct vault *vault)
{
	if (vault_due_ms(vault) > 0)
		return CARD_OK;
	if (vault->header[0] == '\0' || clock_ms() >= vault->ends_at_ms || !vault->renewable)
		return login(vault);
	int64_t before = vault->ends_at_ms;
	enum card_err err = renew(vault);

	if (err == CARD_E_REFUSED || (err == CARD_OK && vault->ends_at_ms <= before))
		return login(vault);
	if (err == CARD_E_UNAVAILABLE)
		vault->renew_at_ms = clock_ms() + KEEP_AGAIN_MS; /* the token still serves until it ends */
	return err;
}

#define HEALTH "sys/health?standbyok=true&perfstandbyok=true" /* a standby hands requests on */

enum card_err vault_look(struct vault *vault)
{
	char reason[CLIENT_ERROR_SIZE];
	struct client_answer answer;

	TRY(vault_keep(vault));
	TRY(send_once(vault, "GET", HEALTH, NULL, &answer));
	/* what lies between may forget a connection that nobody uses */
	if (clock_ms() >= vault->both_at_ms && client_send(vault->second, "GET", "/v1/" HEALTH, NULL, NULL, &answer, reason) != CARD_OK)
		vault->both_at_ms = clock_ms() + BOTH_AGAIN_MS;
	return CARD_OK;
}

/* Asked after a refusal: a new token would be refused as well, and each login leaves one on the server. */
static bool token_is_good(struct vault *vault)
{
	char reason[CLIENT_ERROR_SIZE];
	struct client_answer got;

	return client_send(vault->client, "GET", "/v1/auth/token/lookup-self", vault->header, NULL, &got, reason) == CARD_OK && got.status == 200;
}

static enum card_err attempt(struct vault *vault, const char *method, const char *path, const char *text, struct client_answer *answer)
{
	if (vault->header[0] == '\0' || clock_ms() >= vault->ends_at_ms)
		TRY(login(vault));
	enum card_err err = send_once(vault, method, path, text, answer);

	if (answer->status != 403 || token_is_good(vault))
		return err;
	TRY(login(vault)); /* it was revoked */
	return send_once(vault, method, path, text, answer);
}

/* Half of the span and a random part of the other half, so that many callers do not come back at once. */
static int64_t jittered(int64_t ms)
{
	return ms / 2 + (int64_t)randombytes_uniform((uint32_t)(ms / 2 + 1));
}

static enum card_err try_for_a_while(struct vault *vault, const char *method, const char *path, const char *text,
				     struct client_answer *answer)
{
	int64_t end = clock_ms() + vault->patience_ms;

	for (int64_t wait_ms = BACK_OFF_FIRST_MS;; wait_ms = wait_ms < BACK_OFF_MAX_MS ? 2 * wait_ms : wait_ms) {
		enum card_err err = attempt(vault, method, path, text, answer);

		if (err != CARD_E_UNAVAILABLE || clock_ms() + wait_ms > end)
			return err;
		sleep_ms(jittered(wait_ms));
	}
}

enum card_err vault_call(struct vault *vault, const char *method, const char *path, const char *body, struct client_answer *answer)
{
	enum card_err err = vault_keep(vault);

	return err == CARD_OK || err == CARD_E_UNAVAILABLE ? try_for_a_while(vault, method, path, body, answer) : err;
}

/* Both, at the same time, once. */
static enum card_err try_both(struct vault *vault, const struct vault_post posts[2], struct client_answer answers[2], char reason[CLIENT_ERROR_SIZE])
{
	struct client *clients[2] = { vault->client, vault->second };
	enum card_err err = CARD_OK, ended;
	char target[PATH_SIZE];
	size_t begun = 0;

	for (; begun < 2 && err == CARD_OK; begun += err == CARD_OK) {
		err = print_target(target, posts[begun].path);
		if (err == CARD_OK)
			err = client_begin(clients[begun], "POST", target, vault->header, posts[begun].body, reason);
	}
	for (size_t i = 0; i < begun; i++) {
		ended = client_end(clients[i], &answers[i], reason);
		if (ended != CARD_OK)
			err = ended;
	}
	if (err == CARD_E_UNAVAILABLE) /* perhaps it takes one connection, and no other */
		vault->both_at_ms = clock_ms() + BOTH_AGAIN_MS;
	for (size_t i = 0; i < 2 && err == CARD_OK; i++)
		err = judge_answer("POST", posts[i].path, &answers[i], reason);
	return err;
}

enum card_err vault_call_both(struct vault *vault, const struct vault_post posts[2], struct client_answer answers[2])
{
	int64_t begin_ms = clock_ms();
	char reason[CLIENT_ERROR_SIZE];

	/* in an outage, which was logged, or when the token is due, one after another is soon enough */
	if (vault->said[0] != '\0' || vault_due_ms(vault) == 0 || begin_ms < vault->both_at_ms)
		return CARD_E_REFUSED;
	enum card_err err = try_both(vault, posts, answers, reason);

	if (err == CARD_OK)
		return CARD_OK;
	if (err != CARD_E_UNAVAILABLE || clock_ms() - begin_ms < vault->patience_ms)
		return CARD_E_REFUSED;
	say(vault, reason);
	return err;
}
