#ifndef TP_FRONT_IMPL_H
#define TP_FRONT_IMPL_H

/* What front.c (routing) and front_engine.c (sessions) need of each other. */

#include "transport/front.h"

/* Sets the header lines that go with whatever is answered to this request. */
void tp_front_prepare(tp_front *front, tp_http_conn *conn,
                      const tp_http_head *head);

/* A request to the engine.  Without the body (`whole` false) it returns
 * whether that may come; where it may not, an answer has been given. */
bool tp_front_knock(tp_front *front, tp_http_conn *conn,
                    const tp_http_request *req, bool whole);

/* Refuses a request, telling those who want to know.  `request` is borrowed;
 * NULL where memory is short.  `close` ends the connection. */
void tp_front_refuse(tp_front *front, tp_http_conn *conn, eio_request *request,
                     eio_refusal refusal, const char *message,
                     const char *context, bool upgrade, bool close);

void tp_front_websocket_gone(void *front, tp_websocket *ws);

#endif
