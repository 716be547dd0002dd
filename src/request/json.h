/* json.h: the reader and printer of JSON, which the library has for key backups and src/ for bodies and replies. */
#ifndef BULLA_REQUEST_JSON_H
#define BULLA_REQUEST_JSON_H

#include <bulla.h>
#include <bulla/json.h>

#endif
