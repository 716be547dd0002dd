/* client_trust.h: whom the client trusts: the CAs of a file, of a text, or of all files of a folder. */
#ifndef BULLA_COMMANDS_CLIENT_TRUST_H
#define BULLA_COMMANDS_CLIENT_TRUST_H

#include "commands/client.h"

/* The PEM text of the CAs that config names, NUL-terminated, to be freed with bulla_wiping_free; NULL: it names none, and the system's
 * go. The file goes before the text, and that before the folder, as with Vault. Of a folder all files count, whatever their names, in
 * its folders too; those without a certificate are passed over, and one at least must have one. False: error says why. */
bool client_trust_read(const struct client_config *config, char **pem, char error[CLIENT_ERROR_MAX]);

/* Whether certificate and key of the client are both there and can be read, or neither is asked for. False: error says why. */
bool client_trust_check_own(const struct client_config *config, char error[CLIENT_ERROR_MAX]);

#endif
