/* vault.h: a logged-in caller of Bulla (or of Vault, OpenBao, whose API it has): logs in by AppRole, renews its token by itself, tries again
 * for a while when the server cannot be reached. */
#ifndef CARD_VAULT_H
#define CARD_VAULT_H

#include "client.h"
#include "settings.h"

struct vault;

/* For one thread at a time; it keeps two connections open. settings are kept. patience_ms: how long a call goes on trying. NULL: no memory. */
struct vault *vault_new(const struct settings *settings, int64_t patience_ms) MUST_USE;
void vault_free(struct vault *vault);

/* Another patience from the next call on; 0: one try. */
void vault_set_patience(struct vault *vault, int64_t patience_ms);

/* One call, path below /v1/. Logs in first where that is due, and anew when the token is refused. body: JSON, or
 * NULL. The answer is valid until the next call.
 * UNAVAILABLE: after vault's patience still no answer, 429 or 5xx. REFUSED: any other status. CONFIG: no secret file.
 * The log has the reason; nothing of body. */
MUST_USE enum card_err vault_call(struct vault *vault, const char *method, const char *path, const char *body,
				  struct client_answer *answer);

struct vault_post {
	const char *path, *body; /* below /v1/; JSON */
};

/* Two POSTs that are under way at the same time, tried once; answers are valid until the next call.
 * UNAVAILABLE: no answer, 429 or 5xx, and vault's patience is over; logged. REFUSED: not both succeeded, or it was not tried (a token is due,
 * there is an outage, or two at once got no answer a short while ago), and the log says nothing: whoever calls them one after another
 * finds out why, or succeeds. Each may have been carried out in any case. */
MUST_USE enum card_err vault_call_both(struct vault *vault, const struct vault_post posts[2], struct client_answer answers[2]);

/* Renews the token where that is due, or logs in. Errors as vault_call's, without its patience: one try. */
MUST_USE enum card_err vault_keep(struct vault *vault);

/* Whether the server is there, unsealed, and the token good: keeps the token, and asks sys/health. Errors as vault_keep's. */
MUST_USE enum card_err vault_look(struct vault *vault);

/* Milliseconds until vault_keep has something to do; 0: now. */
int64_t vault_due_ms(const struct vault *vault);

/* Milliseconds on a clock that never jumps. */
int64_t clock_ms(void);

void sleep_ms(int64_t ms);

#endif
