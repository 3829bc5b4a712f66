#include "engineio/transport.h"

static void ignore_packet(void *owner, eio_transport *tp,
                          const eio_packet *packet)
{
    (void)owner;
    (void)tp;
    (void)packet;
}

static void ignore_drained(void *owner, eio_transport *tp)
{
    (void)owner;
    (void)tp;
}

/* A carrier that fails while nobody cares is closed all the same. */
static void close_failed(void *owner, eio_transport *tp, sio_error why)
{
    (void)owner;
    (void)why;
    tp->ops->close(tp, EIO_CLOSE_NOW);
}

static void ignore_gone(void *owner, eio_transport *tp, sio_error why)
{
    (void)owner;
    (void)tp;
    (void)why;
}

static const eio_transport_events orphan_events = {
    .packet = ignore_packet,
    .drained = ignore_drained,
    .failed = close_failed,
    .gone = ignore_gone,
};

void eio_transport_orphan(eio_transport *tp)
{
    tp->events = &orphan_events;
    tp->owner = NULL;
}
