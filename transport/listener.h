#ifndef TP_LISTENER_H
#define TP_LISTENER_H

#include "transport/loop.h"
#include "transport/stream.h"

/* Addresses that one host name may stand for. */
#define TP_LISTENER_SOCKETS 4

/*
 * Accepts connections for one loop.  When descriptors or memory run out it
 * rests for a moment instead of spinning.
 */
typedef struct tp_listener {
    tp_loop *loop;
    ev_io sockets[TP_LISTENER_SOCKETS];
    int count;
    int backlog;   /* connections that the kernel keeps for each */
    uint16_t port; /* the one that was bound */
    sio_timer rest;

    /* Takes a new stream, which is of no loop yet. */
    void (*connection)(void *owner, tp_stream *stream);
    void *owner;
} tp_listener;

/* Whether others listen at the same place, each on its own loop: then the
 * kernel shares connections out.  The first of them makes sure that nobody
 * else is there. */
typedef enum tp_listener_share {
    TP_LISTENER_ALONE,
    TP_LISTENER_FIRST,
    TP_LISTENER_NEXT
} tp_listener_share;

/*
 * Binds to `host`, NULL for every address of both families, and `port`, 0 for
 * a free one, and accepts from now on.  The caller has set `loop`, `connection`
 * and `owner`, and zeroed the rest.  Fails with ADDRESS, having logged why.
 */
sio_error tp_listener_open(tp_listener *l, const char *host, uint16_t port,
                           int backlog, tp_listener_share share);

/* Stops accepting and closes the sockets; twice is the same as once. */
void tp_listener_close(tp_listener *l);

#endif
