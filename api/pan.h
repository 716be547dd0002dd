/* pan.h: card numbers: their form (ISO/IEC 7812-1) and what may be shown of them. */
#ifndef CARD_PAN_H
#define CARD_PAN_H

#include "card.h"

/* 12 to 19 digits and nothing else. */
bool pan_has_form(const char *pan);

/* The check digit is right (ISO/IEC 7812-1 annex B, Luhn). pan is digits only. */
bool pan_luhn(const char *pan);

/* The brand by the first digits: "Visa", ... or "unknown"; static. */
const char *pan_brand(const char *pan);

/* The last four digits, which PCI DSS 3.4.1 lets be shown. */
void pan_last_four(const char *pan, char out[5]);

/* A text (UTF-8) with 12 digits or more of whatever script, and whatever is between them: somebody typed a card number there. */
bool pan_looks_like(const char *text);

/* text has the digits of that PAN in it, whatever is between them. */
bool pan_is_in(const char *text, const char *pan);

#endif
