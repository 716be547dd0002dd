/* bulla.h: all public headers of libbulla. */
#ifndef BULLA_H
#define BULLA_H

#include <bulla/access.h>
#include <bulla/approle.h>
#include <bulla/audit.h>
#include <bulla/bytes.h>
#include <bulla/call.h>
#include <bulla/clock.h>
#include <bulla/cors.h>
#include <bulla/cubbyhole.h>
#include <bulla/encode.h>
#include <bulla/engine.h>
#include <bulla/error.h>
#include <bulla/import.h>
#include <bulla/keys.h>
#include <bulla/leases.h>
#include <bulla/lockout.h>
#include <bulla/memory.h>
#include <bulla/mounts.h>
#include <bulla/policies.h>
#include <bulla/root_token.h>
#include <bulla/seal.h>
#include <bulla/sign.h>
#include <bulla/cert.h>
#include <bulla/fetch.h>
#include <bulla/quotas.h>
#include <bulla/jwt.h>
#include <bulla/token_params.h>
#include <bulla/token_roles.h>
#include <bulla/tools.h>
#include <bulla/transit.h>
#include <bulla/ui_headers.h>
#include <bulla/userpass.h>
#include <bulla/version.h>
#include <bulla/wrapping.h>

#endif
