/* tls_record.c: the gnutls_record_recv() that libmicrohttpd calls: see httpd_transport.c. Any thread; what is not a
 * loop's passes. */
#define _GNU_SOURCE
#include "http/tls_record.h"

#include <dlfcn.h>
#include <gnutls/gnutls.h>

typedef ssize_t record_recv(gnutls_session_t session, void *data, size_t len);

static record_recv *find(const char *name, void *handle)
{
	union {
		void *object;
		record_recv *function;
	} found = { .object = dlsym(handle, name) };

	return found.function;
}

static record_recv *gnutls_own; /* set by tls_record_check(), before there are threads */

static ssize_t read_records(void *session, void *buf, size_t len)
{
	ssize_t n = gnutls_own(session, buf, len);

	return n == GNUTLS_E_AGAIN ? TRANSPORT_AGAIN : n;
}

__attribute__((visibility("default"), used))
ssize_t gnutls_record_recv(gnutls_session_t session, void *data, size_t len)
{
	if (gnutls_own == NULL)
		gnutls_own = find("gnutls_record_recv", RTLD_NEXT);
	ssize_t n = transport_read_records(gnutls_session_get_ptr(session), session, read_records, data, len);

	return n == TRANSPORT_AGAIN ? GNUTLS_E_AGAIN : n == TRANSPORT_LOST ? GNUTLS_E_PULL_ERROR : n;
}

void tls_record_owner(void *session, void *owner)
{
	gnutls_session_set_ptr(session, owner);
}

bool tls_record_check(void)
{
	gnutls_own = find("gnutls_record_recv", RTLD_NEXT);
	return gnutls_own != NULL && find("gnutls_record_recv", RTLD_DEFAULT) == gnutls_record_recv;
}
