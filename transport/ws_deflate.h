#ifndef TP_WS_DEFLATE_H
#define TP_WS_DEFLATE_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/frame.h"
#include "transport/ws_extensions.h"
#include "transport/ws_frame.h"

/*
 * permessage-deflate on messages (RFC 7692, section 7.2).
 *
 * A direction without context takeover needs no state between messages: all
 * connections of a thread use the same one, reset for each message.  With
 * takeover a connection has one of its own, made when the first message needs
 * it.  Nothing here knows a socket.
 */

/*
 * The memory that zlib may have, for all threads of a server together.  Zero
 * it and set `cap`; it outlives what draws on it.  `used` never exceeds `cap`.
 */
typedef struct tp_deflate_budget {
    atomic_size_t used; /* bytes that are allocated or promised */
    size_t cap;
} tp_deflate_budget;

/* What one of zlib's states, or several together, may have of it. */
typedef struct tp_deflate_account {
    tp_deflate_budget *budget; /* borrowed */
    size_t taken;              /* off the budget; grows as it is needed */
    size_t held;               /* by zlib; at most `taken` */
} tp_deflate_account;

/* What a thread takes off the budget for its own states: enough for one
 * compressor of any settings, and for the decompressor. */
#define TP_DEFLATER_SHARE ((size_t)512 * 1024)

/* The frames whose compressed form is remembered within a turn. */
#define TP_DEFLATER_CACHE 32

typedef struct tp_deflater_entry {
    sio_frame *frame;    /* a reference */
    sio_frame *deflated; /* a reference; NULL: it would be no shorter */
    uint8_t bits;        /* of the window */
} tp_deflater_entry;

/*
 * What the connections of one thread have in common.  A zeroed one is switched
 * off.  What was compressed is remembered until the end of the turn, so that
 * connections without takeover share one frame of a broadcast.
 */
typedef struct tp_deflater {
    const tp_ws_deflate_config *config; /* NULL: switched off */
    tp_deflate_budget *budget;
    tp_deflate_account packing, unpacking; /* of the states below */
    struct z_stream_s *compressors[TP_WS_BITS_MOST - TP_WS_BITS_LEAST];
    struct z_stream_s *decompressor;
    sio_buf deflated, inflated; /* for one message after the other */
    tp_deflater_entry cache[TP_DEFLATER_CACHE];
    unsigned cached; /* of these are in use */
    unsigned next;   /* to be replaced when all are */
} tp_deflater;

/* Makes a deflater with the settings in `config`, switched on, that must not be
 * moved.  Both are borrowed until it ends.  Fails with LIMIT, leaving it
 * switched off, when the budget has not TP_DEFLATER_SHARE left. */
sio_error tp_deflater_init(tp_deflater *d, const tp_ws_deflate_config *config,
                           tp_deflate_budget *budget);

/* To be called at the end of each turn: forgets what was compressed, and frees
 * buffers that have become large.  Nothing is left to do where nothing was
 * compressed or inflated. */
void tp_deflater_forget(tp_deflater *d);

/* Frees all and switches off.  A zeroed one is allowed. */
void tp_deflater_deinit(tp_deflater *d);

struct tp_deflate_stream;

/*
 * One connection's part, on one thread.  Zeroed it is switched off.  It may be
 * moved.  Until a message is compressed with takeover it owns no memory.
 */
typedef struct tp_ws_deflate {
    tp_ws_deflate_params params;
    bool on;
    bool stale;                    /* `out` has to start anew */
    struct tp_deflate_stream *out; /* NULL until it is needed */
    struct tp_deflate_stream *in;  /* the same */
} tp_ws_deflate;

/*
 * Begins what a handshake has agreed on, before it is answered: `c->params` is
 * what to answer.  The memory that the client's context may come to need is
 * promised here, to be had whenever it is; where the budget is exhausted, the
 * client is told to do without (client_no_context_takeover).
 *
 * Returns false, leaving `*c` switched off, if `d` is.
 */
bool tp_ws_deflate_open(tp_ws_deflate *c, tp_deflater *d,
                        const tp_ws_deflate_params *agreed);

/* Frees what the connection has, gives back what it was promised, and switches
 * it off.  `d` is the one that opened it. */
void tp_ws_deflate_close(tp_ws_deflate *c, tp_deflater *d);

/*
 * Gives the frame whose bytes are to be sent, with RSV1 set, in place of those
 * of `frame`; or NULL to send that one as it is: it is below the threshold,
 * would become no shorter, or memory is short.  Without takeover the same
 * frame is given to all connections that ask for it in a turn.
 *
 * With takeover, what is given has to be sent, in the order of the calls; where
 * it cannot be, call tp_ws_deflate_lost().
 */
sio_frame *tp_ws_deflate_frame(tp_ws_deflate *c, tp_deflater *d,
                               sio_frame_pool *frames, sio_frame *frame);

/* A frame that was given will not reach the client: the next one does without
 * what has been sent so far. */
static inline void tp_ws_deflate_lost(tp_ws_deflate *c)
{
    c->stale = true;
}

/*
 * Inflates a whole message, the payloads of its frames in one, and sets `*out`
 * to it: bytes that the caller may change, valid until the next call for a
 * connection of this thread, or the end of the turn.  What is inflated takes
 * no more memory than `max` bytes, however much there would be.
 *
 * Fails with TOO_LARGE beyond `max` bytes, DEFLATE for what is no whole
 * compressed message, UTF8 for a TEXT that is not, or NO_MEMORY.  Nothing more
 * can be inflated then: the connection has to be closed.
 */
sio_error tp_ws_deflate_inflate(tp_ws_deflate *c, tp_deflater *d,
                                tp_ws_opcode opcode, sio_bytes payload,
                                size_t max, sio_bytes *out);

#endif
