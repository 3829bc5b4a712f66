#ifndef EIO_BURST_H
#define EIO_BURST_H

#include "base/frame.h"
#include "engineio/packet.h"

/*
 * Messages that many sessions of one loop are sent in a row: the broadcasts of
 * a turn.  Carriers that can are given all of them at once, and keep in `wire`
 * what that looks like on theirs, so that it is made once for all: two forms,
 * as those of some need a byte for the type of binary messages.
 */
typedef struct eio_burst_item {
    sio_frame *frame; /* a reference */
    eio_form form;
} eio_burst_item;

typedef struct eio_burst {
    const eio_burst_item *items;
    size_t count;
    size_t bytes;       /* of the frames */
    sio_frame *wire[2]; /* references; NULL until a carrier has made them;
                           [1] has type bytes, and is used for bursts with
                           binary messages only */
    bool now;           /* the turn is over, and nobody waits for `drained`: a
                           carrier that can may write at once */
} eio_burst;

#endif
