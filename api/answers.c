/* answers.c: owns the statuses of errors. Stateless: any thread. */
#include "answers.h"

#include <string.h>

#include "routes.h"
#include "view.h"

int answer_status(enum card_err err)
{
	switch (err) {
	case CARD_OK: return 200;
	case CARD_E_INVALID: return 400;
	case CARD_E_NOT_FOUND: return 404;
	case CARD_E_DUPLICATE: return 409;
	case CARD_E_REUSED: return 422;
	case CARD_E_REFUSED: return 502;
	case CARD_E_UNAVAILABLE: return 503;
	default: return 500;
	}
}

void answer_text(struct request *request, int status, char *body)
{
	struct reply *reply = &request->reply;

	reply->status = body != NULL ? status : 500;
	reply->body = body;
	reply->len = body != NULL ? strlen(body) : 0;
}

void answer_error(struct request *request, int status, const char *text)
{
	answer_text(request, status, view_error(text, NULL, NULL));
}

void answer_failure(struct request *request, enum card_err err)
{
	int status = answer_status(err);

	answer_error(request, status, card_err_text(err));
	if (status == 503)
		request->reply.retry_after_s = RETRY_AFTER_S;
}

void answer_invalid(struct request *request, const struct input_errors *errors)
{
	answer_text(request, 400, view_error("the card was not stored", errors, NULL));
}

void answer_duplicate(struct request *request, const char *id)
{
	answer_text(request, 409, view_error(card_err_text(CARD_E_DUPLICATE), NULL, id));
}

void answer_unknown(struct request *request)
{
	answer_error(request, 401, "show the token: Authorization: Bearer ...");
	request->reply.ask_for_token = true;
}
