#ifndef TEST_MEMORY_TRANSPORT_H
#define TEST_MEMORY_TRANSPORT_H

#include "base/frameq.h"
#include "base/list.h"
#include "engineio/transport.h"

/*
 * A transport that goes nowhere: sessions are tested over it, without sockets,
 * threads or sleeping.  It keeps the rules of engineio/transport.h and aborts
 * when the engine breaks one.
 */
typedef enum memory_kind {
    MEMORY_POLLING,  /* writable while a poll waits */
    MEMORY_WEBSOCKET /* always writable */
} memory_kind;

struct memory_shell; /* the eio_transport, which dies before its record */

typedef struct memory_transport {
    sio_link link; /* in the list of all, for its maker */
    struct memory_shell *shell;
    memory_kind kind;
    sio_chunk_pool *chunks; /* borrowed */
    sio_frameq queue;       /* what was sent and has not left */
    bool polled;            /* polling: a request waits */
    bool greeted;           /* polling: the first packet has gone, alone */
    bool paused;            /* the engine reads nothing for now */
    unsigned pauses;        /* calls of `pause` that began that */
    bool slow;              /* nothing leaves: the peer does not read */
    bool closed;            /* the engine has closed it */
    bool lingering;         /* it waits for a poll to tell of that */
    bool gone;              /* it has ended, and said so */
    bool owes;              /* the queue left without `drained` */
    unsigned passing;       /* so many sends succeed, and then */
    unsigned failing;       /* so many fail for want of memory */
    unsigned lingers, nows; /* calls of `close`, by mode */
    unsigned releases;      /* calls of `release` */
    bool was_read;          /* the next byte starts `said` over */
    size_t len;
    char said[2048]; /* what the peer saw, in words */
} memory_transport;

/* Makes a transport without an owner.  NULL when out of memory. */
memory_transport *memory_transport_new(memory_kind kind,
                                       sio_chunk_pool *chunks);

/* Frees it, whatever its state; nothing is reported. */
void memory_transport_free(memory_transport *mt);

/* The transport, lent until it is gone; then NULL. */
eio_transport *memory_transport_base(const memory_transport *mt);

/* Whether the peer can still be heard. */
bool memory_transport_alive(const memory_transport *mt);

/* What the peer has seen since the last call, lent until it sees more: packets
 * behind a space each, those of one polling answer in brackets and divided by
 * `|`; binary as `b` and hex; `close` for the end of a websocket. */
const char *memory_transport_said(memory_transport *mt);

/* The peer asks for packets; over a websocket it never does. */
void memory_transport_poll(memory_transport *mt);

/* What comes from the peer: for polling a body of packets, for a websocket one
 * text message.  Both are ignored when the transport is closed. */
void memory_transport_text(memory_transport *mt, sio_bytes text);

/* A binary message; polling has none. */
void memory_transport_binary(memory_transport *mt, sio_bytes bytes);

/* The carrier finds fault with the peer, or breaks. */
void memory_transport_fail(memory_transport *mt, sio_error why);

/* The peer goes without a word. */
void memory_transport_drop(memory_transport *mt, sio_error why);

/* What the loop would do in its next turn: lets go of what was sent, then
 * reports. */
void memory_transport_turn(memory_transport *mt);

#endif
