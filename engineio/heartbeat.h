#ifndef EIO_HEARTBEAT_H
#define EIO_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The server's half of the heartbeat.  It owns no timer and reads no clock: the
 * session asks for the deadline, sleeps however it likes, and comes back with
 * the time.  All times are in milliseconds on one monotonic clock of the
 * caller's choosing.
 *
 * In revision 4 this side pings and waits for pongs; in revision 3 the peer
 * pings, and this side does nothing but wait.
 */
typedef struct eio_heartbeat {
    uint64_t deadline; /* when eio_heartbeat_tick() has something to say */
    uint32_t interval; /* from a pong, or the start, to the next ping */
    uint32_t timeout;  /* how long a ping may stay unanswered */
    bool waiting;      /* a ping is out */
    bool extended;     /* other traffic has prolonged this wait */
    uint8_t answers;   /* to the peer's pings, not known to have left */
} eio_heartbeat;

typedef enum eio_beat { EIO_BEAT_NONE, EIO_BEAT_PING, EIO_BEAT_DEAD } eio_beat;

/* Begins the interval: at the start, and with each pong, also with one that
 * nobody asked for. */
void eio_heartbeat_start(eio_heartbeat *hb, uint64_t now);

/* Waits for the peer's ping, for interval and timeout together; to be called
 * at the start and with each.  No other traffic prolongs that, and
 * eio_heartbeat_tick() says nothing but DEAD. */
void eio_heartbeat_await(eio_heartbeat *hb, uint64_t now);

/* Says what is due at `now`.  After PING the caller has to send one; after
 * DEAD it has to close the session and not call again.  The wait for a pong
 * counts from when the ping was due, unless this call comes so late that the
 * peer would pay for it. */
eio_beat eio_heartbeat_tick(eio_heartbeat *hb, uint64_t now);

/* Notes any other packet: it shows life, so it prolongs the wait for a pong,
 * but only once, as a peer that never answers must not stay.  Returns whether
 * the deadline has moved. */
bool eio_heartbeat_traffic(eio_heartbeat *hb, uint64_t now);

#endif
