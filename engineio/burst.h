#ifndef EIO_BURST_H
#define EIO_BURST_H

#include "base/frame.h"
#include "engineio/packet.h"

/*
 * Messages that many sessions of one loop are sent in a row: the broadcasts of
 * a turn.  Carriers that can are given all of them at once, and keep in `wire`
 * what that looks like on theirs, so that it is made once for all.
 */
typedef struct eio_burst_item {
    sio_frame *frame; /* a reference */
    eio_form form;
} eio_burst_item;

typedef struct eio_burst {
    const eio_burst_item *items;
    size_t count;
    size_t bytes;    /* of the frames */
    sio_frame *wire; /* a reference; NULL until a carrier has made it */
    bool now;        /* the turn is over, and nobody waits for `drained`: a
                        carrier that can may write at once */
} eio_burst;

#endif
