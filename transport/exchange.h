#ifndef TP_EXCHANGE_H
#define TP_EXCHANGE_H

#include "base/inbox.h"
#include "engineio/engine.h"
#include "transport/http_conn.h"
#include "transport/request.h"

/*
 * A request in the hands of the application: a copy of what came, good until
 * it is answered, however long that takes and whatever becomes of the
 * connection.  It is what the public API calls sio_http_request.
 */
typedef struct sio_http_request {
    tp_http_waiter waiter;
    sio_link link;                /* in the owner's list, while not answered */
    sio_inbox *inbox;             /* of the loop that all this belongs to */
    sio_message message;          /* for an answer from another thread ... */
    struct tp_far_answer *answer; /* ... and what that is; owned */
    tp_http_conn *conn;           /* NULL once the connection is lost */
    eio_request *request;         /* owned, unless it has been taken over */
    sio_buf body;
    sio_buf headers; /* lines for the answer */
    bool answers;    /* sio_http_respond() is allowed */
    void (*verdict)(struct sio_http_request *self, const char *refusal);
    void *arg; /* of `verdict`, owned: freed with the exchange */
} tp_exchange;

/* Makes an exchange around `request`, taking it.  NULL when memory is short;
 * `request` is freed then. */
tp_exchange *tp_exchange_new(tp_http_conn *conn, eio_request *request);

/* Has the connection wait for this exchange, which enters `list` until it is
 * freed. */
void tp_exchange_attach(tp_exchange *x, sio_link *list);
void tp_exchange_free(tp_exchange *x);

#endif
