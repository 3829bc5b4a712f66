#include <stdlib.h>

#include "engineio/handshake.h"
#include "engineio/session_impl.h"

/* How often a poll that holds up the upgrade is answered. */
#define RELEASE_INTERVAL_MS 100

static void destroy(sio_mortal *mortal)
{
    free(SIO_OWNER(mortal, eio_upgrade, mortal));
}

/* Parts the upgrade from its session.  The candidate stays with the caller. */
static eio_transport *detach(eio_upgrade *up)
{
    eio_session *s = up->session;
    eio_transport *candidate = up->candidate;
    sio_wheel_cancel(s->engine->wheel, &up->deadline);
    sio_wheel_cancel(s->engine->wheel, &up->release);
    s->upgrade = NULL;
    up->session = NULL;
    up->candidate = NULL;
    sio_reap_later(s->engine->doomed, &up->mortal);
    return candidate;
}

void eio_upgrade_abandon(eio_session *s)
{
    if (s->upgrade == NULL) {
        return;
    }
    eio_transport *candidate = detach(s->upgrade);
    (void)eio_session_move(s, EIO_EVENT_ABANDONED);
    eio_transport_orphan(candidate);
    candidate->ops->close(candidate, EIO_CLOSE_NOW);
}

static void refuse(eio_upgrade *up, sio_error why)
{
    eio_session *s = up->session;
    sio_log_write(s->engine->log, SIO_LOG_WARN, "upgrade_failed",
                  "sid %s, address %s: %s", eio_session_sid(s),
                  eio_request_peer(s->request), sio_error_text(why));
    eio_count_error(s->engine, why);
    eio_upgrade_abandon(s);
    if (s->state == EIO_STATE_CLOSING) {
        eio_session_close_on(s);
    }
}

static void on_deadline(sio_timer *timer)
{
    refuse(SIO_OWNER(timer, eio_upgrade, deadline), SIO_ERR_TIMEOUT);
}

/* The client waits for its poll to return before it goes on. */
static void release_poll(eio_upgrade *up)
{
    eio_session *s = up->session;
    eio_transport *tp = s->transport;
    if (tp->ops->release != NULL) {
        tp->ops->release(tp);
    }
    sio_wheel_arm(s->engine->wheel, &up->release,
                  eio_now(s->engine) + RELEASE_INTERVAL_MS);
}

static void on_release(sio_timer *timer)
{
    release_poll(SIO_OWNER(timer, eio_upgrade, release));
}

static void probe(eio_upgrade *up)
{
    eio_session *s = up->session;
    eio_transport *candidate = up->candidate;
    if (!candidate->writable ||
        candidate->unsent > s->engine->config->max_backlog ||
        candidate->held >= eio_max_held(s->engine->config)) {
        refuse(up, SIO_ERR_BACKLOG); /* it probes and does not read */
        return;
    }
    sio_error err =
        candidate->ops->send(candidate, s->engine->probe, EIO_FORM_TEXT);
    if (err != SIO_OK) {
        refuse(up, err);
        return;
    }
    if (eio_session_move(s, EIO_EVENT_PROBED)) {
        release_poll(up);
    }
}

static void take_over(eio_upgrade *up)
{
    eio_session *s = up->session;
    eio_transport *old = eio_session_uncarry(s);
    eio_transport *candidate = detach(up);

    /* Some clients do without the probe; that harms nobody. */
    (void)eio_session_move(s, EIO_EVENT_PROBED);
    (void)eio_session_move(s, EIO_EVENT_UPGRADED);
    s->upgraded = true;
    if (old->unsent != 0 && old->ops->release != NULL) {
        old->ops->release(old); /* it has taken packets with it */
    }
    eio_transport_orphan(old);
    old->ops->close(old, EIO_CLOSE_NOW);
    eio_session_carry(s, candidate);
    if (s->state == EIO_STATE_CLOSING) {
        eio_session_close_on(s);
        return;
    }
    eio_count(s->engine, SIO_COUNTER_UPGRADES);
    eio_session_flush(s);
    s->engine->events->upgraded(eio_session_user(s), s);
}

static void on_packet(void *owner, eio_transport *tp, const eio_packet *packet)
{
    eio_upgrade *up = owner;
    (void)tp;
    if (packet->type == EIO_PACKET_PING &&
        sio_bytes_eq(packet->data, SIO_LIT("probe"))) {
        probe(up);
    } else if (packet->type == EIO_PACKET_UPGRADE) {
        take_over(up);
    } else {
        refuse(up, SIO_ERR_VIOLATION);
    }
}

static void on_drained(void *owner, eio_transport *tp)
{
    (void)owner;
    (void)tp;
}

static void on_failed(void *owner, eio_transport *tp, sio_error why)
{
    (void)tp;
    refuse(owner, why);
}

static void on_gone(void *owner, eio_transport *tp, sio_error why)
{
    eio_upgrade *up = owner;
    eio_session *s = up->session;
    (void)tp;
    (void)why;
    (void)detach(up);
    (void)eio_session_move(s, EIO_EVENT_ABANDONED);
    if (s->state == EIO_STATE_CLOSING) {
        eio_session_close_on(s);
    }
}

static const eio_transport_events candidate_events = {
    .packet = on_packet,
    .drained = on_drained,
    .failed = on_failed,
    .gone = on_gone,
};

sio_error eio_session_probe(eio_session *s, eio_transport *tp)
{
    if (s->state != EIO_STATE_OPEN || s->upgrade != NULL || s->upgraded ||
        s->transport->ops->can_take_over) {
        return SIO_ERR_STATE;
    }
    eio_upgrade *up = calloc(1, sizeof(*up));
    if (up == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    up->mortal.destroy = destroy;
    up->session = s;
    up->candidate = tp;
    up->deadline.fire = on_deadline;
    up->release.fire = on_release;
    s->upgrade = up;
    tp->events = &candidate_events;
    tp->owner = up;
    sio_wheel_arm(s->engine->wheel, &up->deadline,
                  eio_now(s->engine) + s->engine->config->upgrade_timeout);
    return SIO_OK;
}
