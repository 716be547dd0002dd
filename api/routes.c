/* routes.c: owns the table of routes and the meaning of each. Reading is done here, by the server's thread; what changes cards goes to the
 * intake, whose thread answers. */
#define _GNU_SOURCE
#include "routes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answers.h"
#include "binding.h"
#include "log.h"
#include "view.h"
#include "wipe.h"

#define LIST_STANDARD 50
#define LIST_MAX 250

static const char cards_path[] = "/credit-cards/";

/* A job, and the request that waits for it. */
struct pending {
	struct job job;  /* first: a job is its pending */
	struct request *request;
	bool browser;
	struct app *app;
};

/* A number without sign; fallback where there is none. False: not a number. */
static bool read_number(const char *text, int64_t fallback, int64_t max, int64_t *out)
{
	*out = fallback;
	if (text == NULL)
		return true;
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 18 || text[n] != '\0')
		return false;
	*out = strtoll(text, NULL, 10);
	return *out <= max;
}

/* ---- reading ------------------------------------------------------------------- */

struct list {
	struct card *cards; /* malloc'ed */
	size_t count;
	bool more;
};

static enum card_err read_list(struct app *app, int64_t after, size_t limit, struct list *out)
{
	struct card *cards = malloc((limit + 1) * sizeof *cards);
	size_t count = 0;

	if (cards == NULL)
		return CARD_E_MEMORY;
	pthread_mutex_lock(&app->lock);
	enum card_err err = store_list(app->reader, after, 0, cards, limit + 1, &count);

	pthread_mutex_unlock(&app->lock);
	if (err != CARD_OK) {
		free(cards);
		return err;
	}
	*out = (struct list){ cards, count > limit ? limit : count, count > limit };
	return CARD_OK;
}

static void list_cards(struct app *app, struct request *request)
{
	struct list list;
	int64_t limit, after;

	if (!read_number(http_parameter(request, "limit"), LIST_STANDARD, LIST_MAX, &limit) || limit == 0 ||
	    !read_number(http_parameter(request, "after"), 0, INT64_MAX, &after)) {
		answer_error(request, 400, "limit is a number from 1 to 250, after is the \"next\" of the page before");
		return;
	}
	enum card_err err = read_list(app, after, (size_t)limit, &list);

	if (err != CARD_OK) {
		answer_failure(request, err);
		return;
	}
	answer_text(request, 200, view_list(list.cards, list.count, list.more));
	free(list.cards);
}

static void get_card(struct app *app, struct request *request)
{
	struct card card;

	pthread_mutex_lock(&app->lock);
	enum card_err err = store_get(app->reader, request->path + strlen(cards_path), &card);

	pthread_mutex_unlock(&app->lock);
	if (err != CARD_OK)
		answer_failure(request, err);
	else
		answer_text(request, 200, view_card(&card));
}

/* status, error, errors: of a form that was sent before. */
static void show_page(struct app *app, struct request *request, int status, const char *error, const struct input_errors *errors)
{
	struct list list;
	int64_t after;

	if (!read_number(http_parameter(request, "after"), 0, INT64_MAX, &after))
		after = 0;
	enum card_err err = read_list(app, after, LIST_STANDARD, &list);

	if (err != CARD_OK) {
		answer_failure(request, err);
		return;
	}
	answer_text(request, status, view_page(list.cards, list.count, list.more, error, errors));
	request->reply.type = "text/html; charset=utf-8";
	free(list.cards);
}

static void get_page(struct app *app, struct request *request)
{
	show_page(app, request, 200, NULL, NULL);
}

static void get_style(struct app *app, struct request *request)
{
	(void)app;
	answer_text(request, 200, strdup(view_style));
	request->reply.type = "text/css";
}

static void get_health(struct app *app, struct request *request)
{
	struct card card;

	pthread_mutex_lock(&app->lock);
	enum card_err err = store_get(app->reader, "", &card);

	pthread_mutex_unlock(&app->lock);
	if (err == CARD_E_NOT_FOUND && intake_healthy(app->intake))
		answer_text(request, 200, strdup("{\"status\":\"ok\"}"));
	else
		answer_failure(request, err == CARD_E_NOT_FOUND ? CARD_E_UNAVAILABLE : err);
}

/* ---- changing ------------------------------------------------------------------ */

static void answer_added(struct pending *pending)
{
	struct request *request = pending->request;
	struct job *job = &pending->job;

	if (job->result == CARD_OK) {
		answer_text(request, pending->browser ? 303 : 201, view_card(&job->card));
		snprintf(request->reply.location, sizeof request->reply.location, "%s%s", pending->browser ? "/" : cards_path,
			 pending->browser ? "" : job->card.id);
	} else if (pending->browser) {
		int status = answer_status(job->result);

		show_page(pending->app, request, status, card_err_text(job->result), NULL);
		request->reply.retry_after_s = status == 503 ? RETRY_AFTER_S : 0;
	} else if (job->result == CARD_E_DUPLICATE) {
		answer_duplicate(request, job->id);
	} else {
		answer_failure(request, job->result);
	}
}

static struct pending *pending_of(struct job *job)
{
	return (struct pending *)(void *)job;
}

static void answer(struct job *job, struct log_lines *lines)
{
	struct pending *pending = pending_of(job);
	struct request *request = pending->request;

	if (job->kind == JOB_ADD)
		answer_added(pending);
	else if (job->result == CARD_OK)
		request->reply.status = 204;
	else
		answer_failure(request, job->result);
	log_add(lines, "%s %s %d %s", request->method, cards_path, request->reply.status,
		job->result != CARD_OK ? "-" : job->kind == JOB_ADD ? job->card.id : job->id);
}

/* First all answers and one write to the log, then the requests go on. */
void routes_done(struct job **jobs, size_t n)
{
	struct log_lines lines = { 0 };

	for (size_t i = 0; i < n; i++)
		answer(jobs[i], &lines);
	log_write(&lines);
	for (size_t i = 0; i < n; i++)
		http_resume(pending_of(jobs[i])->request);
}

static struct pending *new_pending(struct app *app, struct request *request, enum job_kind kind)
{
	struct pending *pending = calloc(1, sizeof *pending);

	if (pending == NULL)
		return NULL;
	*pending = (struct pending){ .job = { .kind = kind }, .request = request, .app = app };
	request->extra = pending;
	return pending;
}

/* From here on another thread may have the request. */
static void push(struct app *app, struct pending *pending)
{
	struct job *job = &pending->job;

	http_suspend(pending->request);
	if (intake_push(app->intake, job) == CARD_OK)
		return;
	job->result = CARD_E_UNAVAILABLE;
	routes_done(&job, 1);
}

static bool is_type(const char *header, const char *type)
{
	size_t n = strlen(type);

	return header != NULL && strncasecmp(header, type, n) == 0 && (header[n] == '\0' || header[n] == ';' || header[n] == ' ');
}

static void add_card(struct app *app, struct request *request)
{
	const char *type = http_header(request, "Content-Type"), *accept = http_header(request, "Accept");
	bool form = is_type(type, "application/x-www-form-urlencoded");
	struct pending *pending = new_pending(app, request, JOB_ADD);
	struct input_errors errors;

	if (!form && !is_type(type, "application/json")) {
		answer_error(request, 415, "the body is application/json or application/x-www-form-urlencoded");
		return;
	}
	if (pending == NULL) {
		answer_failure(request, CARD_E_MEMORY);
		return;
	}
	pending->browser = form && accept != NULL && strstr(accept, "text/html") != NULL;
	enum card_err err = input_read(form ? INPUT_FORM : INPUT_JSON, request->body, request->len, http_header(request, "Idempotency-Key"),
				       &pending->job.input, &errors);

	wipe(request->body, sizeof request->body);
	if (err == CARD_OK)
		push(app, pending);
	else if (pending->browser)
		show_page(app, request, 400, "the card was not stored", &errors);
	else
		answer_invalid(request, &errors);
}

static void delete_card(struct app *app, struct request *request)
{
	struct pending *pending = new_pending(app, request, JOB_DELETE);

	if (pending == NULL) {
		answer_failure(request, CARD_E_MEMORY);
		return;
	}
	strcpy(pending->job.id, request->path + strlen(cards_path));
	push(app, pending);
}

/* ---- which --------------------------------------------------------------------- */

enum place { PLACE_NONE, PLACE_PAGE, PLACE_STYLE, PLACE_HEALTH, PLACE_CARDS, PLACE_CARD };

static const struct route {
	enum place place;
	const char *method;
	void (*handle)(struct app *app, struct request *request);
	bool anyone; /* without a token */
} routes[] = {
	{ PLACE_PAGE, "GET", get_page, false },
	{ PLACE_STYLE, "GET", get_style, true },
	{ PLACE_HEALTH, "GET", get_health, true },
	{ PLACE_CARDS, "GET", list_cards, false },
	{ PLACE_CARDS, "POST", add_card, false },
	{ PLACE_CARD, "GET", get_card, false },
	{ PLACE_CARD, "DELETE", delete_card, false },
};

/* What follows the path's first part is checked before anything looks it up or repeats it. */
static enum place find_place(const char *path)
{
	size_t n = strlen(cards_path);

	if (strcmp(path, "/") == 0)
		return PLACE_PAGE;
	if (strcmp(path, "/style.css") == 0)
		return PLACE_STYLE;
	if (strcmp(path, "/health") == 0)
		return PLACE_HEALTH;
	if (strcmp(path, cards_path) == 0 || strcmp(path, "/credit-cards") == 0)
		return PLACE_CARDS;
	return strncmp(path, cards_path, n) == 0 && binding_is_id(path + n) ? PLACE_CARD : PLACE_NONE;
}

static const struct route *find_route(const struct request *request, enum place place, const char **allow)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
		if (routes[i].place == place && strcmp(routes[i].method, request->method) == 0)
			return &routes[i];
	if (place == PLACE_NONE)
		return NULL;
	*allow = place == PLACE_CARDS ? "GET, HEAD, POST" : place == PLACE_CARD ? "GET, HEAD, DELETE" : "GET, HEAD";
	return NULL;
}

void routes_handle(void *cls, struct request *request)
{
	struct app *app = cls;
	enum place place = request->too_big ? PLACE_NONE : find_place(request->path);
	const struct route *route = find_route(request, place, &request->reply.allow);

	if (request->malformed)
		answer_error(request, 400, "where the body ends is not clear: one Content-Length, or Transfer-Encoding: chunked");
	else if (request->too_big)
		answer_error(request, 413, "the request is too long");
	else if (place == PLACE_NONE)
		answer_error(request, 404, "no such path");
	else if (route == NULL)
		answer_error(request, 405, "this method is not for this path");
	else if (!route->anyone && !guard_knows(&app->guard, request))
		answer_unknown(request);
	else if (strcmp(request->method, "GET") != 0 && guard_is_foreign(request))
		answer_error(request, 403, "a page of another site sent this");
	else
		route->handle(app, request);
}
