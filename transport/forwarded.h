#ifndef TP_FORWARDED_H
#define TP_FORWARDED_H

#include "socketio/socketio.h"
#include "transport/http1.h"
#include "transport/stream.h"
#include "transport/trusted.h"

/* Whom a request comes from. */
typedef struct tp_client {
    tp_address address;
    bool secure; /* it reached the first proxy, or us, over TLS */
} tp_client;

/*
 * Finds out who has sent a request that came over `s`: its peer, unless that is
 * one of `trusted`, and `headers` are there and say more.  Each proxy adds
 * whom it got the request from, so the list is believed from its end on, up
 * to the first address that is not trusted; that one is the client.  What is no
 * address ends it too: the client is then the proxy that wrote so.
 *
 * X-Forwarded-Proto counts at the client's place where it has as many elements
 * as X-Forwarded-For, by its last element otherwise.  Of the Forwarded header
 * (RFC 7239) `for` and `proto` are read; a field that is malformed says
 * nothing.
 *
 * `trusted` may be NULL: nobody.
 */
tp_client tp_client_of(const tp_stream *s, const tp_http_head *head,
                       const tp_trusted *trusted, sio_proxy_headers headers);

#endif
