#ifndef TP_REQUEST_H
#define TP_REQUEST_H

#include "engineio/request.h"
#include "transport/http_conn.h"

/* Gives a copy of what a head says, for one who needs it for longer than the
 * connection's buffers last; end it with
 * eio_request_unref().  NULL when memory is short. */
eio_request *tp_request_new(const tp_http_conn *conn, const tp_http_head *head);

#endif
