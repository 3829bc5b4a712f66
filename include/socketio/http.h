#ifndef SOCKETIO_HTTP_H
#define SOCKETIO_HTTP_H

/* HTTP beside the protocol: the application's own pages, files and filters. */

#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Answers requests outside the server's path, on whichever loop they came in.
 * Call sio_http_respond() once, now or later, from any thread; `request` is
 * valid until then, even when the client has left. sio_server_free() ends those
 * that were not answered.
 */
typedef void sio_http_fn(sio_http_request *request, void *arg);

/*
 * Hands requests whose path begins with `prefix` to `fn`; the longest prefix
 * wins.  Bodies are gathered, up to max_payload.  Setup, like the two below.
 *
 * Returns SIO_OK, SIO_ERR_ARGUMENT for a prefix without a leading `/`,
 * SIO_ERR_STATE when it is too late, or SIO_ERR_NO_MEMORY.
 */
SIO_API sio_error sio_server_on_http(sio_server *server, const char *prefix,
                                     sio_http_fn *fn, void *arg);

/*
 * Serves the files below the folder `dir` for paths that begin with `prefix`;
 * `index.html` stands for a folder.  What is not there is asked of the next
 * shorter prefix, then answered with 404.
 *
 * Returns SIO_OK, SIO_ERR_ARGUMENT, SIO_ERR_FILE when `dir` cannot be opened,
 * SIO_ERR_STATE or SIO_ERR_NO_MEMORY.  Setup.
 */
SIO_API sio_error sio_server_serve_files(sio_server *server, const char *prefix,
                                         const char *dir);

/*
 * Has `fn` look at every request below the server's path, upgrades included,
 * before the engine does; several run in the order of registration.  It may add
 * headers to the answer by sio_http_add_header().  It returns true to let the
 * request go on; false where it has answered by sio_http_respond(), or to have
 * it refused (code 3).  `request` is valid until either.
 *
 * Returns SIO_OK, SIO_ERR_STATE or SIO_ERR_NO_MEMORY.  Setup.
 */
typedef bool sio_request_fn(sio_http_request *request, void *arg);
SIO_API sio_error sio_server_use(sio_server *server, sio_request_fn *fn,
                                 void *arg);

/* All borrowed from the request.  Any thread that has it, one at a time. */
SIO_API const char *sio_http_method(const sio_http_request *request);
SIO_API const char *sio_http_path(const sio_http_request *request);  /* as sent,
                                                       without the query */
SIO_API const char *sio_http_query(const sio_http_request *request); /* behind
                                                      the `?`, or "" */
SIO_API const char *sio_http_header(const sio_http_request *request,
                                    const char *name); /* or NULL */
SIO_API const char *sio_http_address(const sio_http_request *request); /* as
                                                      sio_handshake_address() */
SIO_API bool sio_http_secure(const sio_http_request *request);         /* as
                                                       sio_handshake_secure() */
SIO_API const char *sio_http_client_subject(
    const sio_http_request *request); /* as sio_handshake_client_subject() */
SIO_API const void *sio_http_body(const sio_http_request *request, size_t *len);

/* Adds a header to the answer; copied.  As those above.  SIO_ERR_ARGUMENT when
 * name or value holds a byte that is not allowed there, SIO_ERR_STATE after the
 * answer. Any thread. */
SIO_API sio_error sio_http_add_header(sio_http_request *request,
                                      const char *name, const char *value);

/* Answers, taking `request`; `content_type` may be NULL, `body` is copied.
 * Content-Length, Date and Connection are set by the server.  Any thread: from
 * another one than the request's it becomes 503 where memory is short. */
SIO_API void sio_http_respond(sio_http_request *request, int status,
                              const char *content_type, const void *body,
                              size_t len);

/* Let a handshake pass, or refuse it with the text of `message` ("Forbidden"
 * when NULL).  Both take `verdict`.  Any thread. */
SIO_API void sio_verdict_allow(sio_verdict *verdict);
SIO_API void sio_verdict_refuse(sio_verdict *verdict, const char *message);

#ifdef __cplusplus
}
#endif

#endif
