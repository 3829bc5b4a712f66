#ifndef EIO_TRANSPORT_H
#define EIO_TRANSPORT_H

#include <stdbool.h>

#include "base/frame.h"
#include "engineio/burst.h"
#include "engineio/packet.h"
#include "socketio/socketio.h"

/*
 * The seam between a session and whatever carries its packets.  The engine
 * owns this file; transport/ implements it.  Calls go down through `ops`,
 * news comes up through `events`, and neither side knows the other's type.
 */
typedef struct eio_transport eio_transport;

typedef enum eio_close_mode {
    EIO_CLOSE_LINGER, /* send what is queued, see that the peer learns of it */
    EIO_CLOSE_NOW     /* drop what is queued, tell the peer if it listens */
} eio_close_mode;

typedef struct eio_transport_ops {
    const char *name;    /* as clients spell it in `transport=` */
    sio_counter counter; /* of the sessions that it carries */

    /* Whether the peer sends whole messages over it at any time, so that it
     * can take over a session from another transport. */
    bool can_take_over;

    /* Queues one encoded packet, sharing `frame`; `form` may have PLAIN.  A
     * TEXT frame holds the packet with its type digit, a BINARY one the bare
     * bytes of a message; base64, where a carrier needs it, is the carrier's
     * affair.  Call it only while `writable`.  Never calls back into the
     * session before returning. May fail with NO_MEMORY. */
    sio_error (*send)(eio_transport *tp, sio_frame *frame, eio_form form);

    /* As `send`, of all messages of a burst.  Returns SIO_MORE, having done
     * nothing, where they have to be sent one by one.  May be NULL. */
    sio_error (*send_burst)(eio_transport *tp, eio_burst *burst);

    /* Room for the text packet of `len` bytes that leaves next, where the
     * carrier will send it from.  The caller fills it, the type digit first,
     * before it calls anything else, and so has sent it.  NULL where that
     * cannot be now; then `send` it.  May be NULL. */
    uint8_t *(*place)(eio_transport *tp, size_t len);

    /* Has the processor fetch what `send` will need behind `tp` itself.  May be
     * NULL. */
    void (*fetch)(const eio_transport *tp);

    /* Ends the transport, which is final: no event but `gone` follows, in a
     * later loop turn, exactly once. */
    void (*close)(eio_transport *tp, eio_close_mode mode);

    /* Answers a request that waits for packets, if there is one, with a noop.
     * NULL where nothing ever waits. */
    void (*release)(eio_transport *tp);

    /* Stops reading from the peer, or goes on; what has been read already may
     * still come.  May be NULL: what is read cannot be held back. */
    void (*pause)(eio_transport *tp, bool paused);
} eio_transport_ops;

typedef struct eio_transport_events {
    /* `packet` and its data are valid until the call returns; its form is TEXT
     * or BINARY. */
    void (*packet)(void *owner, eio_transport *tp, const eio_packet *packet);

    /* `writable` has become true, or all that was queued has left. */
    void (*drained)(void *owner, eio_transport *tp);

    /* The peer broke a rule, or the carrier broke.  The owner has to close the
     * transport before the call returns. */
    void (*failed)(void *owner, eio_transport *tp, sio_error why);

    /* The last call about `tp`: it is freed in this turn.  `why` is SIO_OK for
     * an orderly end. */
    void (*gone)(void *owner, eio_transport *tp, sio_error why);
} eio_transport_events;

/* The first member of every transport. */
struct eio_transport {
    const eio_transport_ops *ops;
    const eio_transport_events *events;
    void *owner;   /* handed back with every event; not owned */
    size_t unsent; /* bytes queued that have not left ... */
    bool writable; /* whether `send` may be called now */
    uint32_t held; /* ... and the frames that they are in */
};

/* Takes `tp` from its owner, who will hear nothing more of it: it ends by
 * itself.  Use it together with `close`. */
void eio_transport_orphan(eio_transport *tp);

#endif
