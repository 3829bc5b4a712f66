#ifndef EIO_RATE_H
#define EIO_RATE_H

#include "base/bucket.h"
#include "base/wheel.h"
#include "engineio/session.h"
#include "socketio/socketio.h"

/* How much the peer of one session may send. */
typedef struct eio_rate_limits {
    sio_rate packets;
    sio_rate bytes; /* of packets, without what carries them */
    sio_rate_policy policy;
} eio_rate_limits;

/* A session that is to be throttled for longer than this has sent far too much
 * at once; it is closed. */
#define EIO_RATE_PATIENCE_MS 15000

/* What a session with such limits has sent; owned by it. */
typedef struct eio_rate {
    sio_bucket packets, bytes;
    sio_timer timer; /* while paused: the end of that */
    eio_session *session;
    uint64_t next_told; /* of a warning; see sio_seldom() */
    bool paused;        /* nothing is read from the peer */
} eio_rate;

static inline bool eio_rate_is_limited(const eio_rate_limits *limits)
{
    return limits->packets.per_second != 0 || limits->bytes.per_second != 0;
}

/* Makes a session one that is limited.  May fail with NO_MEMORY. */
sio_error eio_rate_begin(eio_session *s);

/* Lets go of it, and has the transport read again. */
void eio_rate_end(eio_session *s);

/* Counts a packet.  False: the session was closed for it. */
bool eio_rate_admit(eio_session *s, const eio_packet *packet);

/* The session has got another transport. */
void eio_rate_carried(const eio_session *s);

/* Whether the peer's pong cannot be heard, as nothing is read; the wait for it
 * is then prolonged. */
bool eio_rate_excuses(eio_session *s);

#endif
