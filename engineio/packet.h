#ifndef EIO_PACKET_H
#define EIO_PACKET_H

#include <stdbool.h>

#include "base/bytes.h"
#include "socketio/error.h"

typedef enum eio_packet_type {
    EIO_PACKET_OPEN,
    EIO_PACKET_CLOSE,
    EIO_PACKET_PING,
    EIO_PACKET_PONG,
    EIO_PACKET_MESSAGE,
    EIO_PACKET_UPGRADE,
    EIO_PACKET_NOOP
} eio_packet_type;

typedef enum eio_form {
    EIO_FORM_TEXT,
    EIO_FORM_BINARY,
    EIO_FORM_BASE64,
    EIO_FORM_MASK = 0xff,
    EIO_FORM_PLAIN = 0x100 /* or'ed to one of these when sending: the packet
                              by itself is no reason to compress */
} eio_form;

typedef struct eio_packet {
    eio_packet_type type;
    eio_form form;  /* how `data` is to be understood */
    sio_bytes data; /* borrowed from what was decoded */
} eio_packet;

/*
 * Reads the single packet that fills `in`, in the text form of protocol 4:
 * one digit and its data, or `b` and a base64 message.  UTF-8 and base64 are
 * left unchecked: the carrier has proven the one, the user of `data` meets
 * the other.
 *
 * Fails with PACKET_EMPTY or PACKET_TYPE and then leaves `*out` alone.
 */
sio_error eio_packet_decode_text(sio_bytes in, eio_packet *out);

/*
 * The same for a carrier whose bytes may be changed: base64 is decoded where it
 * lies, so that `form` is TEXT or BINARY.  Fails with BASE64, too.
 */
sio_error eio_packet_decode_in_place(uint8_t *text, size_t len,
                                     eio_packet *out);

/* Walks over the packets of a long-polling body (protocol 4). */
typedef struct eio_payload {
    sio_bytes rest;
    bool done;
} eio_payload;

/*
 * Sets `*packet` to the next undecoded packet and returns true, or returns
 * false at the end.  Start from {.rest = body}.  It splits and never judges:
 * an empty body holds one empty packet, which the decoder will refuse.
 */
bool eio_payload_next(eio_payload *it, sio_bytes *packet);

#endif
