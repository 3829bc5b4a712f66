#ifndef SIO_BATCH_H
#define SIO_BATCH_H

#include "base/wheel.h"
#include "engineio/session.h"

/*
 * Broadcasts of a turn, on one loop, to all of a namespace or to one room: they
 * wait for the end of the turn, and go to each recipient in one piece.  Whoever
 * is sent something else, or left out of one, is given first what there is;
 * whatever changes who the recipients are has all of it go out first.
 */
#define SIO_BATCH_MAX 64

typedef struct sio_batch {
    struct sio_local *local; /* whose sockets are meant */
    struct sio_room *room;   /* of them those in here; NULL: all */
    uint64_t number;         /* of this batch, no other's of the loop */
    uint64_t newest;         /* of the latest item in the log; 0: none */
    size_t bytes;
    unsigned count;
    eio_burst_item items[SIO_BATCH_MAX];
    sio_timer timer; /* due while there are items */
} sio_batch;

#endif
