#ifndef TP_CLIENT_FILES_H
#define TP_CLIENT_FILES_H

#include "transport/http_conn.h"

/*
 * The bundles of the official client: socket.io.js, socket.io.min.js,
 * socket.io.esm.min.js, socket.io.msgpack.min.js, and a .map of each, with .gz
 * and .br beside them and their version in a file VERSION.
 */
typedef struct tp_client_files tp_client_files;

/* Looks at the folder `dir`.  What is missing there is not served, and a
 * missing VERSION means none is; the log says so.  Fails with NO_MEMORY. */
sio_error tp_client_files_new(const char *dir, const sio_log *log,
                              tp_client_files **out);
void tp_client_files_free(tp_client_files *files);

/* Answers `req` with the bundle `name`, with `extra` header lines.  Returns
 * false, having done nothing, where it is none. */
bool tp_client_files_serve(tp_client_files *files, tp_http_conn *conn,
                           const tp_http_request *req, sio_bytes name,
                           sio_bytes extra);

#endif
