#ifndef TP_WEBSOCKET_H
#define TP_WEBSOCKET_H

#include "base/buf.h"
#include "engineio/engine.h"
#include "engineio/protocol.h"
#include "engineio/transport.h"
#include "transport/loop.h"
#include "transport/stream.h"
#include "transport/ws_message.h"

/* An Engine.IO transport over a WebSocket: a packet is a message. */
typedef struct tp_websocket tp_websocket;

extern const eio_transport_ops tp_websocket_ops;

/* What all of them have in common. */
typedef struct tp_websocket_config {
    tp_ws_limits limits;
    uint32_t close_timeout; /* ms for the peer's half of a close */
} tp_websocket_config;

/* Where they live: the same for all of one loop that speak the same. */
typedef struct tp_websocket_home {
    tp_loop *loop;
    const eio_engine *engine;
    const eio_protocol *protocol;
    const tp_websocket_config *config;

    /* Told when a connection has ended for good. */
    void (*gone)(void *owner, tp_websocket *ws);
    void *owner;
} tp_websocket_home;

/*
 * Makes a WebSocket of `stream`, taking it in any case.  `home` has to outlive
 * it.  `response` is sent ahead of everything.  `base64` sends binary messages
 * as text.  `deflate` is what was agreed on, taken in any case.  NULL when
 * memory is short.
 */
tp_websocket *tp_websocket_new(const tp_websocket_home *home, tp_stream *stream,
                               sio_bytes response, bool base64,
                               tp_ws_deflate *deflate);
eio_transport *tp_websocket_base(tp_websocket *ws);

/* Reads what has come.  `early`: before the stream was handed over, when the
 * client could not know yet that it may compress. */
void tp_websocket_feed(tp_websocket *ws, uint8_t *data, size_t len, bool early);

/* A link for the owner's list, and the one it belongs to. */
sio_link *tp_websocket_link(tp_websocket *ws);
tp_websocket *tp_websocket_of_link(sio_link *link);

/* Ends the connection at once if all has left and only the peer's close frame,
 * or its end, is awaited. */
void tp_websocket_hurry(tp_websocket *ws);

/* Ends the connection at once. */
void tp_websocket_abort(tp_websocket *ws);

#endif
