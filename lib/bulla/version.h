/* version.h: what this is, as clients are told: the level of the API, by which they choose what to send, and behind it the build. */
#ifndef BULLA_VERSION_H
#define BULLA_VERSION_H

#include "decls.h"

BULLA_DECLS_BEGIN

#define BULLA_API_VERSION "2.7.2" /* of OpenBao */

/* "2.7.2+bulla.0.2.0": a semantic version, which has the rank of the API's: what stands behind the plus does not count. Static text. */
const char *bulla_version(void);

/* "v2.7.2+builtin.bulla.0.2.0": the same of an engine or auth method, which here are all built in. Static text. */
const char *bulla_plugin_version(void);

BULLA_DECLS_END

#endif
