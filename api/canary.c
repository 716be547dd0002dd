/* canary.c: owns the proof that the server binds. It uses a key of its own, so that a program that may only encrypt cards can do it. One
 * thread a vault. */
#include <string.h>

#include "binding.h"
#include "log.h"
#include "transit.h"

#define CANARY_TEXT "canary"

/* Whether a ciphertext made for one id decrypts for it, and for no other. */
static enum card_err binds(struct vault *vault, const struct settings *settings, enum binding binding, bool *out)
{
	char right[CARD_ID_SIZE], wrong[CARD_ID_SIZE];
	struct transit_item items[2] = { 0 };

	binding_new_id(right);
	binding_new_id(wrong);
	items[0] = (struct transit_item){ .id = right, .purpose = "canary", .binding = binding, .plain = CANARY_TEXT };
	TRY(transit_encrypt(vault, settings, settings->canary_key, items, 1));
	if (items[0].failed)
		return CARD_E_REFUSED;
	items[1] = items[0];
	items[1].id = wrong;
	memset(items[0].plain, 0, sizeof items[0].plain);
	TRY(transit_decrypt(vault, settings, settings->canary_key, items, 2));
	if (items[0].failed || strcmp(items[0].plain, CANARY_TEXT) != 0)
		return CARD_E_REFUSED; /* the right binding must work, or the failure of the wrong one says nothing */
	*out = items[1].failed;
	return CARD_OK;
}

enum card_err transit_prove_binding(struct vault *vault, const struct settings *settings, enum binding *out)
{
	static const enum binding ways[] = { BINDING_CONTEXT, BINDING_AAD };
	bool bound = false;

	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		TRY(binds(vault, settings, ways[i], &bound));
		if (!bound)
			continue;
		log_line("the canary of another card does not decrypt: bound by %s",
			 ways[i] == BINDING_CONTEXT ? "encryption_context" : "associated_data");
		*out = ways[i];
		return CARD_OK;
	}
	log_line("the canary of another card decrypts: this server binds no ciphertext to its card");
	return CARD_E_UNBOUND;
}
