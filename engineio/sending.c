#include "engineio/session_impl.h"

/* What a session sends: to its carrier, or to wait for that. */

sio_frame *eio_message_new(sio_frame_pool *pool, size_t len)
{
    if (len == SIZE_MAX) {
        return NULL;
    }
    sio_frame *frame = sio_frame_new(pool, len + 1);
    if (frame != NULL) {
        frame->data[0] = '0' + EIO_PACKET_MESSAGE;
    }
    return frame;
}

/* Whoever sends may be in the middle of a walk over many sessions, so this one
 * is closed by its timer, which is due before the turn ends. */
__attribute__((cold)) static void doom(eio_session *s, sio_error why)
{
    s->doom = (int16_t)why;
    sio_wheel_arm(s->engine->wheel, &s->timer, eio_now(s->engine));
    sio_log_write(s->engine->log, SIO_LOG_WARN, "send_failed",
                  "sid %s, address %s: %s; %zu bytes in %zu packets wait, the "
                  "limits are %zu and %zu",
                  eio_session_sid(s), eio_request_peer(s->request),
                  sio_error_text(why), eio_session_backlog(s),
                  eio_session_held(s), s->engine->config->max_backlog,
                  eio_max_held(s->engine->config));
}

void eio_session_flush(eio_session *s)
{
    eio_transport *tp = s->transport;
    const sio_frameq_entry *first;
    while (tp != NULL && tp->writable &&
           (first = sio_frameq_first(&s->outbox)) != NULL) {
        sio_error err = tp->ops->send(tp, first->frame, (eio_form)first->flags);
        if (err != SIO_OK) {
            doom(s, err);
            return;
        }
        sio_frameq_pop(&s->outbox, s->engine->chunks);
    }
}

__attribute__((cold)) static void
tell_created(const eio_session *s, const sio_frame *frame, eio_form form)
{
    bool binary = (form & EIO_FORM_MASK) == EIO_FORM_BINARY;
    size_t head = binary ? 0 : 1;
    eio_packet packet = {
        .type = binary ? EIO_PACKET_MESSAGE
                       : (eio_packet_type)(frame->data[0] - '0'),
        .form = binary ? EIO_FORM_BINARY : EIO_FORM_TEXT,
        .data = {frame->data + head, frame->len - head},
    };
    s->engine->tap->created(eio_session_user(s), &packet);
}

sio_error eio_session_queue(eio_session *s, sio_frame *frame, eio_form form)
{
    eio_transport *tp = s->transport;
    if (s->engine->tap != NULL) {
        tell_created(s, frame, form);
    }
    eio_count(s->engine, SIO_COUNTER_PACKETS_OUT);
    if (tp->writable && sio_frameq_empty(&s->outbox)) {
        return tp->ops->send(tp, frame, form);
    }
    return sio_frameq_push(&s->outbox, s->engine->chunks, frame, form);
}

/* Whether `len` bytes more may wait.  What comes alone may be as large as it
 * likes: the limit is for what piles up. */
static bool has_room(const eio_session *s, size_t len)
{
    size_t backlog = eio_session_backlog(s);
    const eio_config *config = s->engine->config;
    size_t limit = config->max_backlog;
    return backlog == 0 || (backlog <= limit && len <= limit - backlog &&
                            eio_session_held(s) < eio_max_held(config));
}

sio_error eio_session_send(eio_session *session, sio_frame *frame,
                           eio_form form)
{
    if (!eio_session_is_open(session)) {
        return SIO_ERR_CLOSED;
    }
    sio_error err = session->doom;
    if (err != SIO_OK) {
        return err;
    }
    if (has_room(session, frame->len)) {
        err = eio_session_queue(session, frame, form);
        session->owes_drained = true;
    } else if (session->engine->config->backlog_policy == SIO_BACKLOG_REFUSE) {
        eio_count(session->engine, SIO_COUNTER_BACKLOG_REFUSED);
        return SIO_ERR_BACKLOG;
    } else {
        err = SIO_ERR_BACKLOG;
    }
    if (err != SIO_OK) {
        doom(session, err);
    }
    return err;
}

/* Whether what comes next may go to the carrier by another way than
 * eio_session_queue(). */
static bool may_go_past(const eio_session *s)
{
    return eio_session_is_open(s) && s->doom == SIO_OK &&
           s->engine->tap == NULL && s->transport->writable &&
           sio_frameq_empty(&s->outbox);
}

uint8_t *eio_session_place(eio_session *session, size_t len)
{
    eio_session *s = session;
    if (!may_go_past(s) || s->transport->ops->place == NULL ||
        !has_room(s, len + 1)) {
        return NULL;
    }
    uint8_t *at = s->transport->ops->place(s->transport, len + 1);
    if (at == NULL) {
        return NULL;
    }
    eio_count(s->engine, SIO_COUNTER_PACKETS_OUT);
    s->owes_drained = true;
    *at = '0' + EIO_PACKET_MESSAGE;
    return at + 1;
}

void eio_session_fetch_carrier(const eio_session *session)
{
    if (session->transport != NULL) {
        __builtin_prefetch(session->transport);
        __builtin_prefetch((const char *)session->transport + 64);
    }
}

void eio_session_fetch_rest(const eio_session *session)
{
    const eio_transport *tp = session->transport;
    if (tp != NULL && tp->ops->fetch != NULL) {
        tp->ops->fetch(tp);
    }
}

sio_error eio_session_send_burst(eio_session *session, eio_burst *burst)
{
    eio_session *s = session;
    sio_error err = SIO_MORE;
    if ((burst->count > 1 || burst->now) && may_go_past(s) &&
        s->transport->ops->send_burst != NULL && has_room(s, burst->bytes)) {
        err = s->transport->ops->send_burst(s->transport, burst);
    }
    if (err == SIO_OK) {
        sio_metric_add(&s->engine->counters[SIO_COUNTER_PACKETS_OUT],
                       burst->count);
        s->owes_drained |= !burst->now;
    } else if (err != SIO_MORE) {
        doom(s, err);
    }
    for (size_t i = 0; err == SIO_MORE && i < burst->count; i++) {
        sio_error one =
            eio_session_send(s, burst->items[i].frame, burst->items[i].form);
        if (one != SIO_OK && one != SIO_ERR_BACKLOG) {
            return one;
        }
    }
    return err == SIO_MORE ? SIO_OK : err;
}
