#include "engineio/heartbeat.h"

void eio_heartbeat_start(eio_heartbeat *hb, uint64_t now)
{
    hb->waiting = false;
    hb->extended = false;
    hb->deadline = now + hb->interval;
}

void eio_heartbeat_await(eio_heartbeat *hb, uint64_t now)
{
    hb->waiting = true;
    hb->extended = true;
    hb->deadline = now + hb->interval + hb->timeout;
}

eio_beat eio_heartbeat_tick(eio_heartbeat *hb, uint64_t now)
{
    if (now < hb->deadline) {
        return EIO_BEAT_NONE;
    }
    if (hb->waiting) {
        return EIO_BEAT_DEAD;
    }
    uint64_t late = now - hb->deadline;
    uint64_t from = late > hb->timeout / 8 ? now : hb->deadline;
    hb->waiting = true;
    hb->deadline = from + hb->timeout;
    return EIO_BEAT_PING;
}

bool eio_heartbeat_traffic(eio_heartbeat *hb, uint64_t now)
{
    if (!hb->waiting || hb->extended) {
        return false;
    }
    hb->extended = true;
    hb->deadline = now + hb->timeout;
    return true;
}
