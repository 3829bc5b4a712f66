#ifndef TP_FILES_H
#define TP_FILES_H

#include "transport/http_conn.h"

/* A folder whose files are served to GET and HEAD. */
typedef struct tp_files tp_files;

/* Opens the folder `dir`.  Gives the files, or fails with FILE (having logged
 * why) or NO_MEMORY. */
sio_error tp_files_new(const char *dir, const sio_log *log, tp_files **out);
void tp_files_free(tp_files *files);

/*
 * Answers `req` with the file at `path`, which is what follows the prefix in
 * the request's path, still percent-encoded.  `extra` are header lines for the
 * answer.  Returns false, having done nothing, where there is no such file.
 */
bool tp_files_serve(tp_files *files, tp_http_conn *conn,
                    const tp_http_request *req, sio_bytes path,
                    sio_bytes extra);

#endif
