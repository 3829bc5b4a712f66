#ifndef TP_POLLING_H
#define TP_POLLING_H

#include "engineio/engine.h"
#include "engineio/protocol.h"
#include "engineio/transport.h"
#include "transport/http_conn.h"
#include "transport/jsonp.h"

/*
 * HTTP long-polling: one GET that waits for packets and one POST that brings
 * some, at most, at a time.  For the session it is one transport.
 */
typedef struct tp_polling tp_polling;

extern const eio_transport_ops tp_polling_ops;

/* The polling that `tp` is, or NULL. */
tp_polling *tp_polling_of(eio_transport *tp);

/* The same for all of a server. */
typedef struct tp_polling_config {
    bool compress;
    size_t compress_from; /* bytes of payload */
} tp_polling_config;

/* What the handshake says about the bodies, for as long as the session polls.
 */
typedef struct tp_polling_manner {
    const eio_protocol *protocol;
    bool base64; /* binary messages are text, also where they need not be */
    bool jsonp;  /* ... and bodies are scripts and forms */
    char index[TP_JSONP_INDEX_MAX + 1]; /* of the scripts' function */
} tp_polling_manner;

/* NULL when memory is short.  It ends by its `close`. */
tp_polling *tp_polling_new(tp_loop *loop, const eio_engine *engine,
                           const tp_polling_config *config,
                           const tp_polling_manner *manner);
eio_transport *tp_polling_base(tp_polling *p);

/* A GET has come on `conn`, which is answered now or later; `head` tells how
 * it may be coded, and is NULL where the answer will be short.  A second one
 * beside one that waits ends the session and is answered with 400. */
void tp_polling_get(tp_polling *p, tp_http_conn *conn,
                    const tp_http_head *head);

/* The head of a POST has come.  Returns whether its body may come too; if not,
 * it has been answered, with 400, and the session closed. */
bool tp_polling_post_begin(tp_polling *p, tp_http_conn *conn,
                           const tp_http_head *head);

/* The body is there, and may be changed.  Its packets are delivered, then the
 * POST is answered. */
void tp_polling_post(tp_polling *p, tp_http_conn *conn, uint8_t *body,
                     size_t len);

#endif
