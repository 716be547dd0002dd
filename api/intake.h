/* intake.h: the one place that changes cards: takes what the server's threads bring, many at a time, has Bulla encrypt them in one request,
 * and stores them in one transaction. */
#ifndef CARD_INTAKE_H
#define CARD_INTAKE_H

#include "input.h"
#include "settings.h"
#include "store.h"

struct intake;

enum job_kind { JOB_ADD, JOB_DELETE };

struct job {
	enum job_kind kind;
	struct input input;             /* ADD; wiped when done */
	char id[CARD_ID_SIZE];          /* DELETE: which; ADD with DUPLICATE: the card that is there */
	struct card card;               /* ADD: as it was stored, durably, when result is OK */
	enum card_err result;
	struct replay replay;           /* the rest is the intake's */
	struct job *next;
};

/* Called by the intake's thread with jobs that have their result, n > 0, each once; it does not touch them afterwards. */
typedef void intake_done(struct job **jobs, size_t n);

/* Starts the thread, which proves the binding before it encrypts. It goes on trying while Bulla cannot be reached; when Bulla refuses or does not
 * bind it ends the process by SIGTERM and intake_stop says so. CONFIG: the database. MEMORY. */
MUST_USE enum card_err intake_start(const struct settings *settings, intake_done *done, struct intake **out);

/* Finishes what was pushed, with errors where it must, and takes no more. The struct stays for those who still ask it. False: it had
 * given up. */
bool intake_stop(struct intake *intake);
void intake_free(struct intake *intake);

/* UNAVAILABLE: too many wait, or it stops; done is not called. Otherwise done will be. Any thread. */
MUST_USE enum card_err intake_push(struct intake *intake, struct job *job);

/* Logged in, binding proven, and the last contact went well. Any thread. */
bool intake_healthy(const struct intake *intake);

#endif
