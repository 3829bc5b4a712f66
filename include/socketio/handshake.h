#ifndef SOCKETIO_HANDSHAKE_H
#define SOCKETIO_HANDSHAKE_H

/* What a client said when it came. */

#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The first HTTP request of the session and the client's auth.  Borrowed:
 * valid as long as the socket.  Loop, with all that reads it: values are
 * decoded when they are asked for. */
SIO_API const sio_handshake *sio_socket_handshake(const sio_socket *socket);

/* A header by its lower-case name; values of a repeated header are joined by
 * ", ".  NULL when absent.  Loop. */
SIO_API const char *sio_handshake_header(const sio_handshake *handshake,
                                         const char *name);

/* A decoded query parameter, the last of its name; NULL when absent.  Loop. */
SIO_API const char *sio_handshake_query(const sio_handshake *handshake,
                                        const char *name);
SIO_API const char *sio_handshake_url(const sio_handshake *handshake);

/* The client's address: numeric, without its port, or "unix:" for who came by a
 * unix socket.  Behind trusted proxies it is what these say.  Loop. */
SIO_API const char *sio_handshake_address(const sio_handshake *handshake);
SIO_API int64_t sio_handshake_issued(const sio_handshake *handshake); /* ms
                                                     since 1970-01-01 UTC */
SIO_API bool sio_handshake_xdomain(const sio_handshake *handshake);

/* The request's method.  Loop. */
SIO_API const char *sio_handshake_method(const sio_handshake *handshake);

/* Visits all headers in the order in which they came, repeated ones each by
 * itself; names are in lower case.  Loop. */
typedef void sio_header_fn(const char *name, const char *value, void *arg);
SIO_API void sio_handshake_each_header(const sio_handshake *handshake,
                                       sio_header_fn *fn, void *arg);

/* Whether the client uses TLS, be it to a trusted proxy that says so.  Loop. */
SIO_API bool sio_handshake_secure(const sio_handshake *handshake);

/* Whom the certificate names that the client has shown, and that has been found
 * in order: its subject, such as "O=Acme, CN=anna"; NULL when it has shown
 * none. Behind a proxy it is the proxy's.  Loop. */
SIO_API const char *
sio_handshake_client_subject(const sio_handshake *handshake);

/* The auth the client sent with its CONNECT: JSON text, "{}" when none.
 * Loop. */
SIO_API const char *sio_socket_auth(const sio_socket *socket);

/* Unpacks the auth object by a jansson format such as "{s:s}".  Strings live
 * as long as the socket.  SIO_ERR_MISMATCH when it does not fit.  Loop. */
SIO_API SIO_CHECK sio_error sio_socket_auth_unpack(sio_socket *socket,
                                                   const char *format, ...);

/* Writes the whole handshake object as JSON, with the members headers, time,
 * address, xdomain, secure, issued, url, query and auth, and clientSubject
 * where the client has shown a certificate.  Writes at most
 * `cap` bytes, not terminated, and returns how many there are.  Loop. */
SIO_API size_t sio_socket_handshake_json(const sio_socket *socket, char *out,
                                         size_t cap);

#ifdef __cplusplus
}
#endif

#endif
