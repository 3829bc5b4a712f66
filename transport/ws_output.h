#ifndef TP_WS_OUTPUT_H
#define TP_WS_OUTPUT_H

#include "base/frameq.h"
#include "engineio/burst.h"
#include "transport/loop.h"
#include "transport/stream.h"
#include "transport/ws_frame.h"

/*
 * The sending half of a WebSocket: what is queued, and how it is written.
 *
 * While a connection's own input is handled it may hold the loop's cork: then
 * packets are written where they will be sent from, and leave in one piece
 * when the input has been read.  Only what the kernel does not take, and what
 * is made at other times, is queued.
 */
typedef struct tp_ws_output {
    tp_loop *loop;
    tp_stream *stream; /* NULL once it is closed */
    sio_frameq queue;  /* entries are marked with their opcode, or as below */
    bool blocked;      /* the stream takes no more for now */
    bool broken;       /* a write has failed, or memory was short */
} tp_ws_output;

/* Marks of queue entries that need no frame around them: what WebSocket itself
 * has to say, the answer to its handshake above all, and packets, framed. */
#define TP_WS_RAW 0xffu
#define TP_WS_PACKETS 0xfeu

/* Or'ed to an opcode: the message is compressed; its type, as a byte, goes
 * before what is in the frame, so that all can share that. */
#define TP_WS_DEFLATED 0x40u
#define TP_WS_TYPED 0x20u

/* Queues `frame`, sharing it.  `mark` is an opcode, RAW or PACKETS.  May fail
 * with NO_MEMORY. */
sio_error tp_ws_push(tp_ws_output *o, sio_frame *frame, uint32_t mark);

/* Queues a copy of `bytes`. */
sio_error tp_ws_push_bytes(tp_ws_output *o, sio_bytes bytes, uint32_t mark);

/* Queues all packets of a burst as one; with `typed` binary ones bear a byte
 * for their type.  Returns SIO_MORE, having done nothing, where it has to be
 * sent one by one.  May fail with NO_MEMORY. */
sio_error tp_ws_push_burst(tp_ws_output *o, eio_burst *burst, bool typed);

/* Room for a text packet of `len` bytes behind all there is, for the caller to
 * fill at once; NULL where there is none and it has to be queued. */
uint8_t *tp_ws_place(tp_ws_output *o, size_t len);

/* Takes the cork, and gives it back.  What is in it is written by
 * tp_ws_write(), or by the latter, which then returns true. */
void tp_ws_cork(tp_ws_output *o);
bool tp_ws_uncork(tp_ws_output *o);

/* Writes what the stream takes.  Tells nobody. */
void tp_ws_write(tp_ws_output *o);

/* Whether anything waits to be written. */
bool tp_ws_has_output(const tp_ws_output *o);

/* How many bytes wait: those of the packets, not of the headers that are still
 * to be written. */
size_t tp_ws_unsent(const tp_ws_output *o);

/* Drops the packets, but not one of which a part has left, nor RAW bytes. */
void tp_ws_drop(tp_ws_output *o);

/* Drops everything. */
void tp_ws_output_clear(tp_ws_output *o);

/* Stops reading from the peer, or goes on; once the stream is gone it does
 * nothing. */
static inline void tp_ws_pause(const tp_ws_output *out, bool paused)
{
    if (out->stream != NULL) {
        out->stream->ops->pause(out->stream, paused);
    }
}

#endif
