#ifndef TP_HTTP_IMPL_H
#define TP_HTTP_IMPL_H

/* What http_conn.c (input) and http_answer.c (output) need of each other. */

#include "transport/http_conn.h"

/* Sends what there is; the connection's tp_dirty function. */
void tp_http_conn_flush(tp_dirty *dirty);

/* The answer has left: goes on with the next request, or ends. */
void tp_http_conn_next(tp_http_conn *c);

/* Gives the peer time to read on. */
void tp_http_conn_await_reader(tp_http_conn *c);

/* Ends the connection, telling the owner. */
void tp_http_conn_close(tp_http_conn *c);

/* Drops what still comes until the peer ends, or patience does. */
void tp_http_conn_linger(tp_http_conn *c);

#endif
