/* card.h: what all parts of the two programs share: a card, its limits, and the errors. */
#ifndef CARD_H
#define CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Leaves the function with the error of expr, if it has one. */
#define TRY(expr)                                 \
	do {                                      \
		enum card_err err_ = (expr);      \
		if (err_ != CARD_OK)              \
			return err_;              \
	} while (0)

enum card_err {
	CARD_OK = 0,
	CARD_E_MEMORY,
	CARD_E_CONFIG,      /* the program is set up wrongly */
	CARD_E_INVALID,     /* the caller's input */
	CARD_E_DUPLICATE,   /* the PAN is stored already */
	CARD_E_REUSED,      /* an idempotency key came with another card */
	CARD_E_NOT_FOUND,
	CARD_E_UNAVAILABLE, /* Bulla cannot be reached, is sealed or busy: later it may work */
	CARD_E_REFUSED,     /* Bulla said no, and will again */
	CARD_E_UNBOUND,     /* the server does not bind ciphertexts to their card */
	CARD_E_STORE,       /* the database failed */
	CARD_E_OUTPUT,      /* what was printed went nowhere */
};

#define PAN_MIN_DIGITS 12
#define PAN_MAX_DIGITS 19
#define PAN_SIZE (PAN_MAX_DIGITS + 1)
#define NAME_MAX_CHARS 100
#define NAME_SIZE (4 * NAME_MAX_CHARS + 1)
#define CARD_ID_SIZE 33 /* 128 bits in hex */
#define CIPHERTEXT_SIZE 256
#define PAN_HMAC_SIZE 128
#define BRAND_SIZE 24

/* How a ciphertext is bound to its row (binding.h). The numbers are stored. */
enum binding {
	BINDING_CONTEXT = 1, /* encryption_context: Bulla */
	BINDING_AAD = 2,     /* associated_data: Vault, OpenBao */
};

/* A card as it is stored. The PAN is no part of it. Texts end with NUL. */
struct card {
	int64_t seq;    /* order of arrival */
	int64_t created_s;
	int key_version;
	enum binding binding;
	char id[CARD_ID_SIZE];
	char name[NAME_SIZE];
	char ciphertext[CIPHERTEXT_SIZE];
	char brand[BRAND_SIZE];
	char last_four[5];
	char pan_hmac[PAN_HMAC_SIZE];
};

/* A word for people; never holds data of a request. */
static inline const char *card_err_text(enum card_err err)
{
	switch (err) {
	case CARD_OK: return "ok";
	case CARD_E_MEMORY: return "out of memory";
	case CARD_E_CONFIG: return "wrong configuration";
	case CARD_E_INVALID: return "invalid input";
	case CARD_E_DUPLICATE: return "the card is stored already";
	case CARD_E_REUSED: return "the Idempotency-Key came with another card before";
	case CARD_E_NOT_FOUND: return "no such card";
	case CARD_E_UNAVAILABLE: return "the encryption service is not available";
	case CARD_E_REFUSED: return "the encryption service refused";
	case CARD_E_UNBOUND: return "the encryption service does not bind ciphertexts to their card";
	case CARD_E_STORE: return "the database failed";
	case CARD_E_OUTPUT: return "standard output cannot be written";
	}
	return "unknown";
}

#endif
