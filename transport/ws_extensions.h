#ifndef TP_WS_EXTENSIONS_H
#define TP_WS_EXTENSIONS_H

#include "base/bytes.h"

/*
 * The header Sec-WebSocket-Extensions (RFC 6455, section 9.1), of which only
 * permessage-deflate is understood (RFC 7692, section 7.1).  Pure.
 */

/* Sizes of windows are told by their logarithm to base 2. */
#define TP_WS_BITS_LEAST 8
#define TP_WS_BITS_MOST 15

/* client_max_window_bits without a value: the client can be told one. */
#define TP_WS_BITS_ANY 1

/* The parameters of an offer, or of the answer to one. */
typedef struct tp_ws_deflate_params {
    bool server_no_context_takeover;
    bool client_no_context_takeover;
    uint8_t server_max_window_bits; /* 8 to 15; 0 is not named, hence 15 */
    uint8_t client_max_window_bits; /* the same; BITS_ANY only in an offer */
} tp_ws_deflate_params;

/* What this server is willing to do; the same for all its loops. */
typedef struct tp_ws_deflate_config {
    bool enabled;
    bool server_no_context_takeover; /* no message of ours builds on another */
    bool client_no_context_takeover; /* ... nor does one of the client's */
    uint8_t server_max_window_bits;  /* 9 to 15: zlib cannot do less */
    uint8_t client_max_window_bits;  /* 9 to 15 */
    uint8_t level;                   /* zlib's: 1 (fast) to 9 (small) */
    uint8_t memory_level;            /* zlib's: 1 to 9 */
    size_t threshold; /* messages of fewer bytes leave as they are */
} tp_ws_deflate_config;

/* A walk over the offers in one line of the header.  Start from
 * {.rest = value}. */
typedef struct tp_ws_offers {
    sio_bytes rest;
    bool malformed; /* the line is no list of extensions; nothing follows */
} tp_ws_offers;

/*
 * Sets `*offer` to the next offer of permessage-deflate and returns true, or
 * returns false at the end.  Other extensions are passed over, and so are
 * offers that have to be declined: with a parameter that is unknown, comes
 * twice, or has a value it must not have.  Takes time linear in the length.
 */
bool tp_ws_offers_next(tp_ws_offers *it, tp_ws_deflate_params *offer);

/* Sets `*agreed` to the answer to `offer`, or returns false if that cannot be
 * accepted: the client asks for a window of 8 bits, or cannot be held to the
 * one that `config` has for it. */
bool tp_ws_deflate_accept(const tp_ws_deflate_config *config,
                          const tp_ws_deflate_params *offer,
                          tp_ws_deflate_params *agreed);

#define TP_WS_DEFLATE_TEXT_MAX 128

/* Writes the header's value for `params`, an answer's or an offer's, not
 * terminated.  Returns the bytes written. */
size_t tp_ws_deflate_write(const tp_ws_deflate_params *params,
                           uint8_t out[TP_WS_DEFLATE_TEXT_MAX]);

/* How far a handshake has come with extensions.  Start zeroed. */
typedef struct tp_ws_negotiation {
    bool malformed; /* the handshake has to be refused (section 9.1) */
    bool agreed;    /* on permessage-deflate, with `params` */
    tp_ws_deflate_params params;
} tp_ws_negotiation;

/* Goes on with one more line of the header.  The first offer that can be
 * accepted is.  With `config` switched off nothing is looked at. */
void tp_ws_negotiate(tp_ws_negotiation *n, const tp_ws_deflate_config *config,
                     sio_bytes line);

#endif
