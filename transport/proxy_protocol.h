#ifndef TP_PROXY_PROTOCOL_H
#define TP_PROXY_PROTOCOL_H

#include "socketio/error.h"
#include "transport/address.h"

/* Bytes of a header; a longer one is refused.  Version 1 has 107 at most,
 * version 2 could have 65551. */
#define TP_PROXY_HEADER_MAX 4096

/* What a proxy says about a connection before its first byte. */
typedef struct tp_proxy_header {
    bool known;        /* `client` is given */
    tp_address client; /* who has connected to the proxy */
    bool secure;       /* ... by TLS; only version 2 can tell */
    size_t size;       /* bytes that the header takes */
} tp_proxy_header;

/*
 * Reads the header at the start of `in`, of version 1 or 2 of HAProxy's PROXY
 * protocol ("The PROXY protocol", sections 2.1 and 2.2).  The client is not
 * known where the header says UNKNOWN, LOCAL or UNSPEC, or speaks of
 * datagrams.  Of the TLVs, CRC32C is checked and SSL read.
 *
 * Returns SIO_OK; SIO_MORE, leaving `*out` alone, while `in` is too short to
 * tell: call again with the same start and more bytes; or PROXY.  Keeps no
 * state between calls.
 */
sio_error tp_proxy_header_decode(sio_bytes in, tp_proxy_header *out);

#endif
