#ifndef EIO_SESSION_H
#define EIO_SESSION_H

#include "base/frame.h"
#include "engineio/events.h"
#include "engineio/request.h"
#include "engineio/transport.h"

struct eio_engine;

/* Characters of a session id: one of ours, and one of the application's. */
#define EIO_SID_LEN 20
#define EIO_SID_MAX 64

/*
 * What the layer above may do with a session.  All of it belongs to the thread
 * of the session's loop.
 */

/* NUL-terminated, lent as long as the session lives. */
const char *eio_session_sid(const eio_session *session);

/* Where the layer above has asked for no room of its own. */
void eio_session_set_user(eio_session *session, void *user);
void *eio_session_user(const eio_session *session);

struct eio_engine *eio_session_engine(const eio_session *session);

/* The request that opened the session, lent as long as the session lives. */
const eio_request *eio_session_request(const eio_session *session);

/* The revision of Engine.IO that it speaks: 3 or 4. */
unsigned eio_session_revision(const eio_session *session);

/* The name of the transport that carries the session now, static. */
const char *eio_session_transport_name(const eio_session *session);

/* Bytes queued that have not left. */
size_t eio_session_backlog(const eio_session *session);

/* Whether nothing waits to be sent, and a packet could leave at once. */
bool eio_session_idle(const eio_session *session);

/* Makes a frame for a text message of `len` bytes.  The text goes behind the
 * byte which the engine needs: fill eio_message_text(). */
sio_frame *eio_message_new(sio_frame_pool *pool, size_t len);

static inline uint8_t *eio_message_text(sio_frame *frame)
{
    return frame->data + 1;
}

/*
 * Sends a message, sharing `frame`: TEXT from eio_message_new(), BINARY any.
 *
 * Fails with CLOSED when the session is closing or closed; with BACKLOG when
 * more than the configured maximum would wait; with NO_MEMORY.  The last two
 * cost the session: it is closed before the turn ends, not in this call.
 */
sio_error eio_session_send(eio_session *session, sio_frame *frame,
                           eio_form form);

/* The two halves of that, for a packet of several messages, of which the peer
 * must get all or none: whether `len` bytes in so many frames may be sent, and
 * then each of them. */
sio_error eio_session_admit(eio_session *session, size_t len, size_t frames);
sio_error eio_session_put(eio_session *session, sio_frame *frame,
                          eio_form form);

/* Sends messages in a row.  A text and what is binary behind it are one
 * packet; one for which there is no room costs none of the others. */
sio_error eio_session_send_each(eio_session *session,
                                const eio_burst_item *items, size_t count);

/*
 * Room for a text message of `len` bytes, without the engine's byte, that is
 * sent by this: where the carrier will send it from, for the caller to fill
 * before it calls anything else.  NULL where that cannot be now; make a frame
 * then, and send that.
 */
uint8_t *eio_session_place(eio_session *session, size_t len);

/* For whoever is about to send to many: have the processor fetch, ahead of
 * time and one after the other, the carrier of a session, and what that
 * needs. */
void eio_session_fetch_carrier(const eio_session *session);
void eio_session_fetch_rest(const eio_session *session);

/* Sends all messages of a burst, as eio_session_send_each() does.  The carrier
 * may leave something in `burst->wire`, for the caller to give back. */
sio_error eio_session_send_burst(eio_session *session, eio_burst *burst);

/*
 * Closes from this side.  LINGER lets out what is queued first, so `closed`
 * may come later: when the transport can take all of it, it comes before this
 * returns.  NOW never waits.  On a closed session nothing happens.
 */
void eio_session_close(eio_session *session, eio_close_mode mode);

/* Closes because the peer broke a rule of the layer above: as NOW does, but
 * what is queued is let out.  The error is logged and counted. */
void eio_session_blame(eio_session *session, sio_error why);

#endif
