#ifndef FUZZ_WIRE_CHECK_H
#define FUZZ_WIRE_CHECK_H

/*
 * A checker of what a server sends to one client: HTTP/1.1 answers
 * (RFC 9112), then, behind a 101, frames of a WebSocket (RFC 6455, RFC 7692).
 * It shares no code with the library; abort() is its verdict.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zlib.h>

#include "fuzz/packet_check.h"

/* A message of a WebSocket, inflated; `data` until the call returns. */
typedef void wire_message_fn(void *arg, bool text, const uint8_t *data,
                             size_t len);

typedef enum wire_state {
    WIRE_HEAD,
    WIRE_BODY,
    WIRE_CHUNK_SIZE,
    WIRE_CHUNK,
    WIRE_CHUNK_END,
    WIRE_REST, /* a body until the end of the connection */
    WIRE_FRAME_HEAD,
    WIRE_FRAME,
    WIRE_OVER /* a Close frame has come */
} wire_state;

enum { WIRE_MESSAGE = 65536, WIRE_LINE = 4096 };

typedef struct wire_check {
    wire_state state;
    wire_message_fn *message;
    void *arg;
    uint8_t line[WIRE_LINE]; /* a head, or what may be one */
    size_t line_len;
    uint64_t left; /* bytes of a body, chunk or frame */
    bool fresh;    /* none of that body has come: it may be of a HEAD */
    bool last_chunk;
    bool deflate, fresh_window; /* negotiated; each message by itself */
    uint8_t opcode;             /* of the frame */
    bool fin, packed;           /* of the frame; of the message */
    bool text, within;          /* of the message; it goes on */
    uint8_t control[125];
    size_t control_len;
    uint8_t body[WIRE_MESSAGE];
    size_t body_len;
    z_stream zlib;
    packet_check packets;       /* of a WebSocket */
    unsigned answers, messages; /* how many were whole */
} wire_check;

/* Zeroes `w`.  wire_check_deinit() frees what it has got since. */
void wire_check_init(wire_check *w, wire_message_fn *message, void *arg);
void wire_check_deinit(wire_check *w);

/* The next bytes, in any pieces. */
void wire_check_feed(wire_check *w, const uint8_t *data, size_t len);

#endif
