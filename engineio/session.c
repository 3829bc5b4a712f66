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

unsigned eio_session_revision(const eio_session *session)
{
    return session->protocol->revision;
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

/* ------------------------------------------------------------- closing -- */

static void close_doomed(eio_session *s)
{
    if (s->doom == SIO_ERR_BACKLOG) {
        eio_count(s->engine, SIO_COUNTER_BACKLOG_CLOSED);
    }
    eio_count_error(s->engine, s->doom);
    eio_session_finish(s, EIO_CLOSE_NOW, EIO_REASON_TRANSPORT_ERROR, s->doom);
}

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
    if (s->upgrade != NULL) {
        return; /* it may ask there, or never here again; see is_between() */
    }
    /* The peer will only hear of it when it asks; the transport waits for
     * that, and `gone` ends the session. */
    tp->ops->close(tp, EIO_CLOSE_LINGER);
}

void eio_session_close_on(eio_session *s)
{
    eio_session_flush(s);
    if (sio_frameq_empty(&s->outbox)) {
        close_flushed(s);
    }
}

/* Whether the client may have gone over to the other transport already: then it
 * does not ask the one that carries the session any more, and has to be told by
 * the one that will. */
static bool is_between(const eio_session *s)
{
    return s->state == EIO_STATE_UPGRADING && !s->transport->writable;
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
    bool waits = is_between(s);
    if (!eio_session_move(s, EIO_EVENT_CLOSE)) {
        return;
    }
    if (s->doom == SIO_OK) {
        sio_wheel_arm(s->engine->wheel, &s->timer,
                      eio_now(s->engine) + s->engine->config->close_timeout);
    }
    if (!waits) {
        eio_upgrade_abandon(s);
        eio_session_close_on(s);
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
    if (!eio_session_is_open(session)) {
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
                      why == SIO_ERR_PACKET_EMPTY || why == SIO_ERR_BASE64 ||
                      why == SIO_ERR_PACKET_LENGTH;
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

/* Not more answers than this wait for a peer that pings and does not read. */
#define ANSWERS_MAX UINT8_MAX

static void on_beat(eio_session *s, eio_packet_type type)
{
    eio_heartbeat *hb = &s->heartbeat;
    if (type != s->protocol->beat) {
        fail(s, SIO_ERR_HEARTBEAT);
        return;
    }
    s->protocol->beaten(hb, eio_now(s->engine));
    rearm(s);
    if (!s->protocol->answers_beat || hb->answers == ANSWERS_MAX) {
        return;
    }
    hb->answers++;
    if (eio_session_queue(s, s->engine->pong, EIO_FORM_TEXT) != SIO_OK) {
        fail(s, SIO_ERR_NO_MEMORY);
    }
}

static void peer_closes(eio_session *s)
{
    eio_transport *tp = s->transport;
    if (tp->ops->release != NULL) {
        tp->ops->release(tp);
    }
    eio_session_finish(s, EIO_CLOSE_NOW, EIO_REASON_TRANSPORT_CLOSE, SIO_OK);
}

static void give_message(eio_session *s, const eio_packet *packet)
{
    s->engine->events->message(eio_session_user(s), s, packet->form,
                               packet->data);
}

/* A packet of an open session, with all that may have to be done for it.
 * Apart from the next one, which mostly has to keep nothing. */
__attribute__((noinline)) static void take_packet(eio_session *s,
                                                  const eio_packet *packet)
{
    if (s->rate != NULL && !eio_rate_admit(s, packet)) {
        return;
    }
    if (s->engine->tap != NULL) {
        s->engine->tap->received(eio_session_user(s), packet);
        if (!eio_session_is_open(s)) {
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
        give_message(s, packet);
        break;
    case EIO_PACKET_PING:
    case EIO_PACKET_PONG:
        on_beat(s, packet->type);
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

static void on_packet(void *owner, eio_transport *tp, const eio_packet *packet)
{
    eio_session *s = owner;
    (void)tp;
    if (!eio_session_is_open(s)) {
        return;
    }
    if (packet->type != EIO_PACKET_MESSAGE || s->heartbeat.waiting ||
        s->rate != NULL || s->engine->tap != NULL) {
        take_packet(s, packet);
        return;
    }
    eio_count(s->engine, SIO_COUNTER_PACKETS_IN);
    give_message(s, packet);
}

static void on_drained(void *owner, eio_transport *tp)
{
    eio_session *s = owner;
    (void)tp;
    if (!sio_frameq_empty(&s->outbox)) {
        eio_session_flush(s);
    }
    if (!sio_frameq_empty(&s->outbox)) {
        return;
    }
    s->heartbeat.answers = 0;
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

sio_error eio_session_new(eio_engine *engine, const eio_protocol *protocol,
                          eio_request *request, sio_bytes sid,
                          eio_session **out)
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
    s->protocol = protocol;
    protocol->beaten(&s->heartbeat, eio_now(engine));
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
