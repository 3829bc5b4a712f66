#include "engineio/session_impl.h"

#include <assert.h>
#include <stdlib.h>

bool eio_session_move(eio_session *s, eio_event event)
{
    eio_state next = eio_state_after((eio_state)s->state, event);
    if (next == EIO_STATE_NONE) {
        return false;
    }
    s->state = (uint8_t)next;
    return true;
}

static bool is_open(const eio_session *s)
{
    return s->state == EIO_STATE_OPENING || s->state == EIO_STATE_OPEN ||
           s->state == EIO_STATE_UPGRADING;
}

static size_t user_size(const eio_engine *engine)
{
    size_t size = engine->events->user_size;
    return size == 0 ? sizeof(void *) : size;
}

const char *eio_session_sid(const eio_session *session)
{
    return (const char *)session->user + user_size(session->engine);
}

void eio_session_set_user(eio_session *session, void *user)
{
    assert(session->engine->events->user_size == 0);
    session->user[0] = user;
}

void *eio_session_user(const eio_session *session)
{
    return session->engine->events->user_size == 0
               ? session->user[0]
               : (void *)(uintptr_t)session->user;
}

eio_engine *eio_session_engine(const eio_session *session)
{
    return session->engine;
}

const eio_request *eio_session_request(const eio_session *session)
{
    return session->request;
}

const char *eio_session_transport_name(const eio_session *session)
{
    return session->transport == NULL ? "" : session->transport->ops->name;
}

size_t eio_session_backlog(const eio_session *session)
{
    size_t held = session->transport == NULL ? 0 : session->transport->unsent;
    return held + sio_frameq_bytes(&session->outbox);
}

bool eio_session_idle(const eio_session *session)
{
    return session->transport != NULL && session->transport->writable &&
           eio_session_backlog(session) == 0;
}

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

/* ------------------------------------------------------------- sending -- */

/* Whoever sends may be in the middle of a walk over many sessions, so this one
 * is closed by its timer, which is due before the turn ends. */
__attribute__((cold)) static void doom(eio_session *s, sio_error why)
{
    s->doom = (int16_t)why;
    sio_wheel_arm(s->engine->wheel, &s->timer, eio_now(s->engine));
    sio_log_write(s->engine->log, SIO_LOG_WARN, "send_failed",
                  "sid %s, address %s: %s; %zu bytes wait, the limit is %zu",
                  eio_session_sid(s), eio_request_peer(s->request),
                  sio_error_text(why), eio_session_backlog(s),
                  s->engine->config->max_backlog);
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

static void close_doomed(eio_session *s)
{
    if (s->doom == SIO_ERR_BACKLOG) {
        eio_count(s->engine, SIO_COUNTER_BACKLOG_CLOSED);
    }
    eio_count_error(s->engine, s->doom);
    eio_session_finish(s, EIO_CLOSE_NOW, EIO_REASON_TRANSPORT_ERROR, s->doom);
}

/* Whether `len` bytes more may wait.  What comes alone may be as large as it
 * likes: the limit is for what piles up. */
static bool has_room(const eio_session *s, size_t len)
{
    size_t backlog = eio_session_backlog(s);
    size_t limit = s->engine->config->max_backlog;
    return backlog == 0 || (backlog <= limit && len <= limit - backlog);
}

sio_error eio_session_send(eio_session *session, sio_frame *frame,
                           eio_form form)
{
    if (!is_open(session)) {
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
    return is_open(s) && s->doom == SIO_OK && s->engine->tap == NULL &&
           s->transport->writable && sio_frameq_empty(&s->outbox);
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

/* ------------------------------------------------------------- closing -- */

static void destroy(sio_mortal *mortal)
{
    eio_session *s = SIO_OWNER(mortal, eio_session, mortal);
    sio_frameq_clear(&s->outbox, s->engine->chunks);
    eio_request_unref(s->request);
    free(s);
}

void eio_session_unlist(eio_session *s)
{
    sio_map_remove(&s->engine->sessions, &s->node);
    s->mortal = (sio_mortal){.destroy = destroy};
    sio_reap_later(s->engine->doomed, &s->mortal);
}

void eio_session_finish(eio_session *s, eio_close_mode mode, eio_reason reason,
                        sio_error why)
{
    eio_engine *engine = s->engine;
    eio_rate_end(s);
    eio_transport *tp = eio_session_uncarry(s);

    assert(s->state != EIO_STATE_CLOSED);
    why = why == SIO_OK ? s->blame : why;
    s->state = EIO_STATE_CLOSED;
    eio_upgrade_abandon(s);
    sio_wheel_cancel(engine->wheel, &s->timer);
    eio_uncount(engine, SIO_COUNTER_SESSIONS);
    if (tp != NULL) {
        eio_transport_orphan(tp);
        tp->ops->close(tp, mode);
    }
    sio_log_write(engine->log, SIO_LOG_INFO, "session_closed",
                  "sid %s, address %s: %s%s%s", eio_session_sid(s),
                  eio_request_peer(s->request), eio_reason_text(reason),
                  why == SIO_OK ? "" : ", ",
                  why == SIO_OK ? "" : sio_error_text(why));
    eio_session_unlist(s);
    if (engine->census != NULL) {
        engine->census->ended(engine->census->arg, s->request);
    }
    engine->events->closed(eio_session_user(s), s, reason, why);
}

/* What is left to do in CLOSING once the outbox is empty. */
static void close_flushed(eio_session *s)
{
    eio_transport *tp = s->transport;
    if (tp->unsent != 0) {
        return; /* `drained` brings us back */
    }
    if (tp->writable) {
        eio_session_finish(s, EIO_CLOSE_LINGER, EIO_REASON_FORCED_CLOSE,
                           SIO_OK);
        return;
    }
    /* The peer will only hear of it when it asks; the transport waits for
     * that, and `gone` ends the session. */
    tp->ops->close(tp, EIO_CLOSE_LINGER);
}

void eio_session_close(eio_session *session, eio_close_mode mode)
{
    eio_session *s = session;
    if (s->state == EIO_STATE_CLOSED) {
        return;
    }
    if (mode == EIO_CLOSE_NOW) {
        eio_session_finish(s, EIO_CLOSE_NOW, EIO_REASON_FORCED_CLOSE, SIO_OK);
        return;
    }
    if (!eio_session_move(s, EIO_EVENT_CLOSE)) {
        return;
    }
    eio_upgrade_abandon(s);
    if (s->doom == SIO_OK) {
        sio_wheel_arm(s->engine->wheel, &s->timer,
                      eio_now(s->engine) + s->engine->config->close_timeout);
    }
    eio_session_flush(s);
    if (sio_frameq_empty(&s->outbox)) {
        close_flushed(s);
    }
}

void eio_session_shut(eio_session *s, eio_close_mode mode)
{
    if (mode == EIO_CLOSE_LINGER && s->transport != NULL &&
        !s->transport->writable && s->state != EIO_STATE_CLOSED) {
        sio_frameq_clear(&s->outbox, s->engine->chunks);
        eio_session_close(s, EIO_CLOSE_LINGER);
    } else {
        eio_session_close(s, EIO_CLOSE_NOW);
    }
}

void eio_session_blame(eio_session *session, sio_error why)
{
    if (!is_open(session)) {
        return;
    }
    sio_log_write(session->engine->log, SIO_LOG_WARN, "protocol_violation",
                  "sid %s, address %s: %s", eio_session_sid(session),
                  eio_request_peer(session->request), sio_error_text(why));
    eio_count_error(session->engine, why);
    session->blame = (int16_t)why;
    eio_session_close(session, EIO_CLOSE_LINGER);
}

/* --------------------------------------------------- the transport's news --
 */

__attribute__((cold)) static void fail(eio_session *s, sio_error why)
{
    bool unreadable = why == SIO_ERR_PACKET_TYPE ||
                      why == SIO_ERR_PACKET_EMPTY || why == SIO_ERR_BASE64;
    sio_log_write(s->engine->log, SIO_LOG_WARN, "transport_failed",
                  "sid %s, address %s, %s: %s", eio_session_sid(s),
                  eio_request_peer(s->request), eio_session_transport_name(s),
                  sio_error_text(why));
    eio_count_error(s->engine, why);
    eio_session_finish(
        s, EIO_CLOSE_NOW,
        unreadable ? EIO_REASON_PARSE_ERROR : EIO_REASON_TRANSPORT_ERROR, why);
}

static void rearm(eio_session *s)
{
    if (s->doom != SIO_OK) {
        return; /* the timer has something else to do */
    }
    sio_wheel_arm(s->engine->wheel, &s->timer, s->heartbeat.deadline);
}

static void peer_closes(eio_session *s)
{
    eio_transport *tp = s->transport;
    if (tp->ops->release != NULL) {
        tp->ops->release(tp);
    }
    eio_session_finish(s, EIO_CLOSE_NOW, EIO_REASON_TRANSPORT_CLOSE, SIO_OK);
}

static void on_packet(void *owner, eio_transport *tp, const eio_packet *packet)
{
    eio_session *s = owner;
    (void)tp;
    if (!is_open(s)) {
        return;
    }
    if (s->rate != NULL && !eio_rate_admit(s, packet)) {
        return;
    }
    if (s->engine->tap != NULL) {
        s->engine->tap->received(eio_session_user(s), packet);
        if (!is_open(s)) {
            return;
        }
    }
    eio_count(s->engine, SIO_COUNTER_PACKETS_IN);
    if (packet->type != EIO_PACKET_PONG &&
        eio_heartbeat_traffic(&s->heartbeat, eio_now(s->engine))) {
        rearm(s);
    }
    switch (packet->type) {
    case EIO_PACKET_MESSAGE:
        s->engine->events->message(eio_session_user(s), s, packet->form,
                                   packet->data);
        break;
    case EIO_PACKET_PONG:
        eio_heartbeat_pong(&s->heartbeat, eio_now(s->engine));
        rearm(s);
        break;
    case EIO_PACKET_PING:
        fail(s, SIO_ERR_HEARTBEAT);
        break;
    case EIO_PACKET_CLOSE:
        peer_closes(s);
        break;
    case EIO_PACKET_OPEN:
    case EIO_PACKET_UPGRADE:
    case EIO_PACKET_NOOP:
        break; /* without meaning here, and without harm */
    }
}

static void on_drained(void *owner, eio_transport *tp)
{
    eio_session *s = owner;
    (void)tp;
    eio_session_flush(s);
    if (!sio_frameq_empty(&s->outbox)) {
        return;
    }
    if (s->state == EIO_STATE_CLOSING) {
        close_flushed(s);
    } else if (s->owes_drained && eio_session_backlog(s) == 0) {
        s->owes_drained = false;
        s->engine->events->drained(eio_session_user(s), s);
    }
}

static void on_failed(void *owner, eio_transport *tp, sio_error why)
{
    (void)tp;
    fail(owner, why);
}

static void on_gone(void *owner, eio_transport *tp, sio_error why)
{
    eio_session *s = owner;
    eio_reason reason = s->state == EIO_STATE_CLOSING ? EIO_REASON_FORCED_CLOSE
                        : why == SIO_OK ? EIO_REASON_TRANSPORT_CLOSE
                                        : EIO_REASON_TRANSPORT_ERROR;
    (void)tp;
    (void)eio_session_uncarry(s);
    eio_session_finish(s, EIO_CLOSE_NOW, reason, why);
}

static const eio_transport_events carrier_events = {
    .packet = on_packet,
    .drained = on_drained,
    .failed = on_failed,
    .gone = on_gone,
};

void eio_session_carry(eio_session *s, eio_transport *tp)
{
    s->transport = tp;
    tp->events = &carrier_events;
    tp->owner = s;
    eio_count(s->engine, tp->ops->counter);
    if (s->rate != NULL) {
        eio_rate_carried(s);
    }
}

eio_transport *eio_session_uncarry(eio_session *s)
{
    eio_transport *tp = s->transport;
    s->transport = NULL;
    if (tp != NULL) {
        eio_uncount(s->engine, tp->ops->counter);
    }
    return tp;
}

/* ------------------------------------------------------------- opening -- */

static void send_ping(eio_session *s)
{
    if (eio_session_queue(s, s->engine->ping, EIO_FORM_TEXT) == SIO_OK) {
        rearm(s);
    } else {
        fail(s, SIO_ERR_NO_MEMORY);
    }
}

static void on_timer(sio_timer *timer)
{
    eio_session *s = SIO_OWNER(timer, eio_session, timer);
    if (s->doom != SIO_OK) {
        close_doomed(s);
        return;
    }
    if (s->state == EIO_STATE_CLOSING) {
        eio_session_finish(s, EIO_CLOSE_NOW, EIO_REASON_FORCED_CLOSE,
                           s->blame != SIO_OK ? s->blame : SIO_ERR_TIMEOUT);
        return;
    }
    if (s->rate != NULL && eio_rate_excuses(s)) {
        rearm(s);
        return;
    }
    switch (eio_heartbeat_tick(&s->heartbeat, eio_now(s->engine))) {
    case EIO_BEAT_NONE:
        rearm(s);
        break;
    case EIO_BEAT_PING:
        send_ping(s);
        break;
    case EIO_BEAT_DEAD:
        eio_count(s->engine, SIO_COUNTER_PING_TIMEOUTS);
        eio_count_error(s->engine, SIO_ERR_TIMEOUT);
        eio_session_finish(s, EIO_CLOSE_NOW, EIO_REASON_PING_TIMEOUT,
                           SIO_ERR_TIMEOUT);
        break;
    }
}

/* A random id that belongs to this engine: what is drawn is counted up until
 * it does, which takes as many steps as there are engines, on average. */
sio_error eio_sid_make(const eio_engine *engine, char out[SIO_TOKEN_LEN + 1])
{
    sio_error err = sio_token_make(engine->random, out);
    sio_bytes sid = {(const uint8_t *)out, EIO_SID_LEN};
    while (err == SIO_OK && eio_engine_home(engine, sid) != engine->index) {
        sio_token_next(out);
    }
    return err;
}

sio_error eio_session_new(eio_engine *engine, eio_request *request,
                          sio_bytes sid, eio_session **out)
{
    size_t len = sid.len == 0 ? EIO_SID_LEN : sid.len;
    eio_session *s = calloc(1, sizeof(*s) + user_size(engine) + len + 1);
    if (s == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    s->engine = engine;
    s->request = request;
    s->state = EIO_STATE_OPENING;
    s->timer.fire = on_timer;
    s->heartbeat.interval = engine->config->ping_interval;
    s->heartbeat.timeout = engine->config->ping_timeout;
    eio_heartbeat_start(&s->heartbeat, eio_now(engine));
    s->sid_len = (uint8_t)len;
    char *own = (char *)(uintptr_t)eio_session_sid(s);
    sio_error err = SIO_OK;
    if (sid.len == 0) {
        err = eio_sid_make(engine, own);
    } else {
        memcpy(own, sid.base, len);
    }
    if (err == SIO_OK) {
        err = eio_rate_begin(s);
    }
    if (err == SIO_OK) {
        err = sio_map_insert(&engine->sessions, &s->node);
    }
    if (err != SIO_OK) {
        eio_rate_end(s);
        free(s);
        return err;
    }
    rearm(s);
    *out = s;
    return SIO_OK;
}
