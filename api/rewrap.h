/* rewrap.h: "card-api rewrap": brings every stored card to the newest version of the key. */
#ifndef CARD_REWRAP_H
#define CARD_REWRAP_H

#include "settings.h"

/* Batch by batch, each durable by itself, so that a run that was killed goes on where it stopped; card-api may serve meanwhile. Progress on
 * standard output: a bar on a terminal, lines otherwise. REFUSED: some cards could not be rewrapped (each is in the log); the others are. */
MUST_USE enum card_err rewrap_all(const struct settings *settings);

#endif
