/* routes.h: what card-api answers to which request. */
#ifndef CARD_ROUTES_H
#define CARD_ROUTES_H

#include <pthread.h>

#include "guard.h"
#include "intake.h"
#include "store.h"

#define RETRY_AFTER_S 5

struct app {
	struct guard guard;
	struct intake *intake;
	struct store *reader;        /* under the lock */
	pthread_mutex_t lock;
};

/* An http_handler; app is a struct app. */
void routes_handle(void *app, struct request *request);

/* Answers the requests of which these are the jobs; an intake_done. */
void routes_done(struct job **jobs, size_t n);

#endif
