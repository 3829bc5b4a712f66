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

/* Whether `len` bytes more, in so many frames, may wait.  What comes alone may
 * be as large as it likes: the limit is for what piles up. */
static bool has_room(const eio_session *s, size_t len, size_t frames)
{
    size_t backlog = eio_session_backlog(s);
    const eio_config *config = s->engine->config;
    size_t limit = config->max_backlog;
    return backlog == 0 ||
           (backlog <= limit && len <= limit - backlog &&
            eio_session_held(s) + frames <= eio_max_held(config));
}

sio_error eio_session_admit(eio_session *session, size_t len, size_t frames)
{
    if (!eio_session_is_open(session)) {
        return SIO_ERR_CLOSED;
    }
    if (session->doom != SIO_OK) {
        return session->doom;
    }
    if (has_room(session, len, frames)) {
        return SIO_OK;
    }
    if (session->engine->config->backlog_policy == SIO_BACKLOG_REFUSE) {
        eio_count(session->engine, SIO_COUNTER_BACKLOG_REFUSED);
    } else {
        doom(session, SIO_ERR_BACKLOG);
    }
    return SIO_ERR_BACKLOG;
}

sio_error eio_session_put(eio_session *session, sio_frame *frame, eio_form form)
{
    if (!eio_session_is_open(session)) {
        return SIO_ERR_CLOSED; /* by who was told of the one before */
    }
    sio_error err = eio_session_queue(session, frame, form);
    session->owes_drained = true;
    if (err != SIO_OK) {
        doom(session, err);
    }
    return err;
}

sio_error eio_session_send(eio_session *session, sio_frame *frame,
                           eio_form form)
{
    sio_error err = eio_session_admit(session, frame->len, 1);
    return err == SIO_OK ? eio_session_put(session, frame, form) : err;
}

static bool is_binary(const eio_burst_item *item)
{
    return (item->form & EIO_FORM_MASK) == EIO_FORM_BINARY;
}

/* How many at the start of the row are one packet: a text and what is binary
 * behind it, or else one. */
static size_t packet_of(const eio_burst_item *items, size_t count)
{
    size_t n = 1;
    while (n < count && !is_binary(&items[0]) && is_binary(&items[n])) {
        n++;
    }
    return n;
}

sio_error eio_session_send_each(eio_session *session,
                                const eio_burst_item *items, size_t count)
{
    size_t n;
    for (; count != 0; items += n, count -= n) {
        size_t len = 0;
        n = packet_of(items, count);
        for (size_t i = 0; i < n; i++) {
            len += items[i].frame->len;
        }
        sio_error err = eio_session_admit(session, len, n);
        for (size_t i = 0; i < n && err == SIO_OK; i++) {
            err = eio_session_put(session, items[i].frame, items[i].form);
        }
        if (err != SIO_OK && err != SIO_ERR_BACKLOG) {
            return err;
        }
    }
    return SIO_OK;
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
        !has_room(s, len + 1, 1)) {
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
        s->transport->ops->send_burst != NULL && has_room(s, burst->bytes, 1)) {
        err = s->transport->ops->send_burst(s->transport, burst);
    }
    if (err == SIO_OK) {
        sio_metric_add(&s->engine->counters[SIO_COUNTER_PACKETS_OUT],
                       burst->count);
        s->owes_drained |= !burst->now;
    } else if (err != SIO_MORE) {
        doom(s, err);
    }
    return err == SIO_MORE
               ? eio_session_send_each(s, burst->items, burst->count)
               : err;
}
