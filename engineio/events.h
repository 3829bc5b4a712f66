#ifndef EIO_EVENTS_H
#define EIO_EVENTS_H

#include "base/bytes.h"
#include "engineio/packet.h"
#include "socketio/error.h"

typedef struct eio_session eio_session;

/* Why a session has ended. */
typedef enum eio_reason {
    EIO_REASON_TRANSPORT_CLOSE, /* the peer closed it, or is gone */
    EIO_REASON_TRANSPORT_ERROR, /* the carrier's rules were broken */
    EIO_REASON_PARSE_ERROR,     /* something that is no packet */
    EIO_REASON_PING_TIMEOUT,
    EIO_REASON_FORCED_CLOSE /* this side closed it */
} eio_reason;

/* The reason as the official server spells it, static. */
const char *eio_reason_text(eio_reason reason);

/* What a session tells the layer above.  Any of these may close the session or
 * send over it. */
typedef struct eio_session_events {
    /* Bytes that each session has room for, zeroed, which are its user pointer;
     * a multiple of 8.  0: there is a pointer to be set instead. */
    size_t user_size;

    /* A new session.  `app` is the engine's. */
    void (*opened)(void *app, eio_session *session);

    /* `data` is valid until the call returns; `form` is TEXT or BINARY. */
    void (*message)(void *user, eio_session *session, eio_form form,
                    sio_bytes data);

    /* Messages were sent, and nothing waits to be sent any more. */
    void (*drained)(void *user, eio_session *session);

    /* The session has moved to another transport. */
    void (*upgraded)(void *user, eio_session *session);

    /* The last call about `session`, which is freed in this turn.  `why` is
     * the error behind the reason, or SIO_OK. */
    void (*closed)(void *user, eio_session *session, eio_reason reason,
                   sio_error why);
} eio_session_events;

/* Told of each packet of all sessions.  `user` is the session's. */
typedef struct eio_tap {
    /* One has come; nothing has been done about it yet.  May do anything. */
    void (*received)(void *user, const eio_packet *packet);

    /* One was made, and is to be sent or kept: pings, pongs and messages.  It
     * must not do anything to any session. */
    void (*created)(void *user, const eio_packet *packet);
} eio_tap;

#endif
