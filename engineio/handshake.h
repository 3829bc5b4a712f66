#ifndef EIO_HANDSHAKE_H
#define EIO_HANDSHAKE_H

#include "engineio/engine.h"
#include "engineio/protocol.h"
#include "engineio/request.h"
#include "engineio/transport.h"

/* What transport/ needs of the engine to let clients in. */

/* The reasons to refuse a request, with the codes that clients see. */
typedef enum eio_refusal {
    EIO_REFUSAL_TRANSPORT, /* unknown, or not offered */
    EIO_REFUSAL_SESSION,   /* no session with this id */
    EIO_REFUSAL_METHOD,    /* a session is not opened by this method */
    EIO_REFUSAL_REQUEST,   /* the request contradicts the session or itself */
    EIO_REFUSAL_FORBIDDEN, /* the application says no */
    EIO_REFUSAL_PROTOCOL,  /* a revision that is not spoken */
    EIO_REFUSAL_NONE
} eio_refusal;

/* The message that goes with the code, static. */
const char *eio_refusal_text(eio_refusal refusal);

/* What a request says about the session it wants or belongs to. */
typedef struct eio_knock {
    sio_bytes transport; /* decoded; empty when absent */
    sio_bytes sid;       /* the same */
    unsigned protocol;   /* the revision: 3, 4, or 0 for all else */
    bool is_get;
    bool upgrade;        /* asks for another protocol on this connection */
    bool origin_allowed; /* no illegal byte in the Origin header */
} eio_knock;

/*
 * Judges a request in the official server's order.  Without a refusal,
 * `*session` is the session it belongs to, or NULL where it asks for a new
 * one; then eio_knock_protocol() is still to be asked, after the application.
 * `*context` is a short reason for logs, static.
 */
eio_refusal eio_knock_check(const eio_engine *engine, const eio_knock *knock,
                            eio_session **session, const char **context);

/* The revision that a request asks for: `value` is its `EIO`, decoded, and
 * without a base where there is none.  Exactly `3` and `4` are known. */
unsigned eio_knock_revision(const eio_config *config, sio_bytes value);

/* Judges what comes last: the revision.  Its table, or NULL to refuse. */
const eio_protocol *eio_knock_protocol(const eio_config *config,
                                       unsigned revision);

/*
 * Opens a session of revision 4 over `tp`, which has to be writable: the open
 * packet is queued and the layer above told.  Takes `request`, also on failure,
 * and `tp` on success only.  `tp` may be closed when this returns.
 *
 * Fails with NO_MEMORY, or RANDOM.
 */
sio_error eio_session_open(eio_engine *engine, eio_transport *tp,
                           eio_request *request);

/* The same of any revision, under an id that the application has chosen, and
 * which has passed eio_sid_is_good(), or, where `sid` is empty, a random one.
 */
sio_error eio_session_open_as(eio_engine *engine, const eio_protocol *protocol,
                              eio_transport *tp, eio_request *request,
                              sio_bytes sid);

/* Whether `sid` may be a session's id: 1 to EIO_SID_MAX characters that need no
 * escape in a query, and not in use. */
bool eio_sid_is_good(const eio_engine *engine, sio_bytes sid);

/* Offers `tp` as the next carrier of a session.  Takes `tp`, unless it fails:
 * with STATE where the session cannot be upgraded (now), or NO_MEMORY. */
sio_error eio_session_probe(eio_session *session, eio_transport *tp);

/* What it speaks. */
const eio_protocol *eio_session_protocol(const eio_session *session);

/* The transport that carries the session, lent; NULL when it is gone. */
eio_transport *eio_session_carrier(const eio_session *session);

#endif
