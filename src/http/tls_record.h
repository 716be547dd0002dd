/* tls_record.h: between tls_record.c, which knows GnuTLS, and httpd_transport.c, which knows connections. */
#ifndef BULLA_HTTP_TLS_RECORD_H
#define BULLA_HTTP_TLS_RECORD_H

#include <bulla.h>
#include <sys/types.h>

/* What reading may come to besides what the source says: nothing now, nothing ever. */
#define TRANSPORT_AGAIN ((ssize_t)-1000001)
#define TRANSPORT_LOST ((ssize_t)-1000002)

/* Reads of a session's records; as gnutls_record_recv(), but TRANSPORT_AGAIN for GNUTLS_E_AGAIN. */
typedef ssize_t transport_records(void *session, void *buf, size_t len);

/* httpd_transport.c: the same through the framing of the session's owner, if it has one and this thread is a loop. */
ssize_t transport_read_records(void *owner, void *session, transport_records *read, void *buf, size_t len);

/* From now on what the session receives goes through its owner's framing. */
void tls_record_owner(void *session, void *owner);

/* Whether the dynamic linker takes this program's gnutls_record_recv() for everybody. Call once, before any TLS. */
bool tls_record_check(void);

#endif
