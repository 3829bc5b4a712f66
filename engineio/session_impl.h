#ifndef EIO_SESSION_IMPL_H
#define EIO_SESSION_IMPL_H

/* The inside of a session, for the files that make it up: session.c,
 * sending.c, upgrade.c, engine.c, handshake.c. */

#include "base/token.h"
#include "engineio/engine.h"
#include "engineio/heartbeat.h"
#include "engineio/protocol.h"
#include "engineio/session.h"
#include "engineio/state.h"

/* An upgrade that is under way: a candidate beside the carrying transport. */
typedef struct eio_upgrade {
    sio_mortal mortal;
    eio_session *session; /* NULL once it is over */
    eio_transport *candidate;
    sio_timer deadline; /* the whole of it */
    sio_timer release;  /* the next look at a waiting poll, once probed */
} eio_upgrade;

/* One for each client: kept small.  What each message needs stands together,
 * next to what the layer above has. */
struct eio_session {
    union {
        sio_map_node node; /* in engine->sessions, until closed ... */
        sio_mortal mortal; /* ... and from then on */
    };
    eio_upgrade *upgrade; /* NULL unless one is under way */
    eio_request *request; /* owned */
    const eio_protocol *protocol;
    sio_timer timer; /* the heartbeat's; in CLOSING the end of patience */
    eio_heartbeat heartbeat;
    eio_rate *rate; /* owned; NULL where it may send as much as it likes */
    eio_engine *engine;
    eio_transport *transport; /* NULL once it is gone */
    sio_frameq outbox;        /* what the transport could not take yet */
    int16_t doom;      /* sio_error: a send has failed; closed before the turn
                          ends */
    int16_t blame;     /* sio_error: why this side closes, where the peer is to
                          blame */
    uint8_t state;     /* eio_state */
    bool upgraded;     /* no second time */
    bool owes_drained; /* messages were sent since the last `drained` */
    uint8_t sid_len;

    /* Behind it what the layer above has asked for, or else a pointer of its
     * own, then the id, NUL-terminated. */
    void *user[];
};

/* Whether it takes packets, and sends them. */
static inline bool eio_session_is_open(const eio_session *s)
{
    return s->state == EIO_STATE_OPENING || s->state == EIO_STATE_OPEN ||
           s->state == EIO_STATE_UPGRADING;
}

/* The frames that wait to be sent. */
static inline size_t eio_session_held(const eio_session *s)
{
    size_t held = s->transport == NULL ? 0 : s->transport->held;
    return held + sio_frameq_count(&s->outbox);
}

/* Makes a session, unheard of, that owns `request`, under `sid` or, where that
 * is empty, a random id; it speaks `protocol`.  Fails with NO_MEMORY, RANDOM,
 * or STATE when the id is in use, leaving `request` alone. */
sio_error eio_session_new(eio_engine *engine, const eio_protocol *protocol,
                          eio_request *request, sio_bytes sid,
                          eio_session **out);

/* Makes the move that `event` stands for; false where it is not allowed. */
bool eio_session_move(eio_session *s, eio_event event);

/* Hands the transport what it can take from the outbox. */
void eio_session_flush(eio_session *s);

/* Sends a packet however much waits, sharing `frame`.  The session has to have
 * a transport.  May fail with NO_MEMORY. */
sio_error eio_session_queue(eio_session *s, sio_frame *frame, eio_form form);

/* Makes `tp` the one that carries the session, which has to have none. */
void eio_session_carry(eio_session *s, eio_transport *tp);

/* Leaves the session without one and returns it; NULL when there was none. */
eio_transport *eio_session_uncarry(eio_session *s);

/* Ends the session: closes the transport, reports, and dooms the memory. */
void eio_session_finish(eio_session *s, eio_close_mode mode, eio_reason reason,
                        sio_error why);

/* Goes on with a close that has waited for the end of an upgrade. */
void eio_session_close_on(eio_session *s);

/* Closes without waiting for what is queued.  LINGER waits for a peer that can
 * only be told when it asks. */
void eio_session_shut(eio_session *s, eio_close_mode mode);

/* Takes the session out of the engine's and dooms its memory. */
void eio_session_unlist(eio_session *s);

/* Ends an upgrade, if one is under way, without a change of transport. */
void eio_upgrade_abandon(eio_session *s);

#endif
