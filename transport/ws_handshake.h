#ifndef TP_WS_HANDSHAKE_H
#define TP_WS_HANDSHAKE_H

#include <stdbool.h>

#include "base/buf.h"
#include "transport/ws_extensions.h"

#define TP_WS_KEY_LEN 24
#define TP_WS_ACCEPT_LEN 28

/* The longest subprotocol name that is accepted, in bytes. */
#define TP_WS_SUBPROTOCOL_MAX 256

/* For the Sec-WebSocket-Version header of a refusal for VERSION. */
#define TP_WS_VERSIONS "13, 8"

/*
 * What a request says about opening a WebSocket (RFC 6455, section 4.2.1).
 * Header values are without blanks around them, several lines of one name
 * joined by commas, and empty where the header is absent.
 */
typedef struct tp_ws_handshake {
    bool method_is_get;
    bool http11;                  /* HTTP/1.1 or a later 1.x */
    sio_bytes upgrade;            /* Upgrade */
    sio_bytes connection;         /* Connection */
    sio_bytes key;                /* Sec-WebSocket-Key */
    sio_bytes version;            /* Sec-WebSocket-Version */
    sio_bytes protocol;           /* Sec-WebSocket-Protocol */
    tp_ws_negotiation extensions; /* each line of Sec-WebSocket-Extensions has
                                     been given to tp_ws_negotiate() */
} tp_ws_handshake;

typedef enum tp_ws_refusal {
    TP_WS_REFUSAL_NONE,
    TP_WS_REFUSAL_METHOD,
    TP_WS_REFUSAL_HTTP,       /* HTTP/1.0 or older */
    TP_WS_REFUSAL_UPGRADE,    /* does not list `websocket` */
    TP_WS_REFUSAL_CONNECTION, /* does not list `upgrade` */
    TP_WS_REFUSAL_KEY,        /* not the base64 form of 16 bytes */
    TP_WS_REFUSAL_VERSION,    /* neither 13 nor 8 */
    TP_WS_REFUSAL_PROTOCOL,   /* not a list of tokens, or one too long */
    TP_WS_REFUSAL_EXTENSIONS  /* not a list of extensions */
} tp_ws_refusal;

/* Says why the handshake cannot be accepted, the first reason in the order of
 * the enumeration, or NONE.  Takes time linear in the lengths of the values. */
tp_ws_refusal tp_ws_handshake_check(const tp_ws_handshake *h);

/* The HTTP status of a refusal; 101 for NONE. */
unsigned tp_ws_refusal_status(tp_ws_refusal refusal);

/* A phrase for the body of the answer, static, never NULL. */
const char *tp_ws_refusal_text(tp_ws_refusal refusal);

/* The subprotocol to accept: the first that `offered`, the value of
 * Sec-WebSocket-Protocol, lists, as a view of it.  Empty if none is offered or
 * the value would be refused. */
sio_bytes tp_ws_subprotocol(sio_bytes offered);

/* Sets `out`, not terminated, to the Sec-WebSocket-Accept that answers `key`,
 * which has passed tp_ws_handshake_check(). */
void tp_ws_accept_key(sio_bytes key, char out[TP_WS_ACCEPT_LEN]);

/* Appends the answer that accepts `h`, which has passed; `extra` are lines to
 * put in.  May fail with NO_MEMORY, having appended a part. */
sio_error tp_ws_handshake_write(sio_buf *out, const tp_ws_handshake *h,
                                sio_bytes extra);

#endif
