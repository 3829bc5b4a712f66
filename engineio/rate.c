#include "engineio/rate.h"

#include <stdlib.h>

#include "base/seldom.h"
#include "engineio/session_impl.h"

static const eio_rate_limits *limits_of(const eio_session *s)
{
    return &s->engine->config->rate;
}

/* Milliseconds until all that was taken too much is paid for. */
static uint64_t wait_of(eio_session *s)
{
    const eio_rate_limits *limits = limits_of(s);
    uint64_t now = eio_now(s->engine);
    uint64_t packets =
        sio_bucket_wait(&s->rate->packets, &limits->packets, now, 0);
    uint64_t bytes = sio_bucket_wait(&s->rate->bytes, &limits->bytes, now, 0);
    return packets > bytes ? packets : bytes;
}

static void set_paused(eio_session *s, bool paused)
{
    eio_transport *tp = s->transport;
    s->rate->paused = paused;
    if (tp != NULL && tp->ops->pause != NULL) {
        tp->ops->pause(tp, paused);
    }
}

static void on_timer(sio_timer *timer)
{
    eio_rate *rate = SIO_OWNER(timer, eio_rate, timer);
    eio_session *s = rate->session;
    uint64_t wait = wait_of(s);
    if (wait != 0) {
        sio_wheel_arm(s->engine->wheel, timer, eio_now(s->engine) + wait);
    } else {
        set_paused(s, false);
    }
}

sio_error eio_rate_begin(eio_session *s)
{
    const eio_rate_limits *limits = limits_of(s);
    uint64_t now = eio_now(s->engine);
    if (!eio_rate_is_limited(limits)) {
        return SIO_OK;
    }
    s->rate = calloc(1, sizeof(*s->rate));
    if (s->rate == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    s->rate->session = s;
    s->rate->timer.fire = on_timer;
    sio_bucket_fill(&s->rate->packets, &limits->packets, now);
    sio_bucket_fill(&s->rate->bytes, &limits->bytes, now);
    return SIO_OK;
}

void eio_rate_end(eio_session *s)
{
    eio_rate *rate = s->rate;
    if (rate == NULL) {
        return;
    }
    if (rate->paused) {
        set_paused(s, false);
    }
    sio_wheel_cancel(s->engine->wheel, &rate->timer);
    s->rate = NULL;
    free(rate);
}

void eio_rate_carried(const eio_session *s)
{
    if (s->rate->paused && s->transport->ops->pause != NULL) {
        s->transport->ops->pause(s->transport, true);
    }
}

bool eio_rate_excuses(eio_session *s)
{
    if (!s->rate->paused || !s->heartbeat.waiting) {
        return false;
    }
    s->heartbeat.deadline =
        eio_now(s->engine) + wait_of(s) + s->heartbeat.timeout;
    return true;
}

/* ------------------------------------------------------- over the limit -- */

static void tell(eio_session *s, const char *what)
{
    eio_rate *rate = s->rate;
    if (!sio_seldom(&rate->next_told, eio_now(s->engine))) {
        return;
    }
    sio_log_write(s->engine->log, SIO_LOG_WARN, "rate_limit",
                  "sid %s, address %s: more than %u packets or %u bytes in a "
                  "second; %s",
                  eio_session_sid(s), eio_request_peer(s->request),
                  limits_of(s)->packets.per_second,
                  limits_of(s)->bytes.per_second, what);
}

static bool disconnect(eio_session *s)
{
    tell(s, "closed");
    eio_count(s->engine, SIO_COUNTER_RATE_CLOSED);
    eio_session_blame(s, SIO_ERR_RATE);
    return false;
}

static bool throttle(eio_session *s)
{
    eio_rate *rate = s->rate;
    uint64_t wait = wait_of(s);
    if (wait > EIO_RATE_PATIENCE_MS) {
        return disconnect(s);
    }
    if (!rate->paused) {
        tell(s, "throttled");
        eio_count(s->engine, SIO_COUNTER_RATE_THROTTLED);
        set_paused(s, true);
        sio_wheel_arm(s->engine->wheel, &rate->timer,
                      eio_now(s->engine) + wait);
    }
    return true;
}

/* Takes what was sent from both buckets; whether it was there. */
static bool take(eio_session *s, uint32_t bytes)
{
    const eio_rate_limits *limits = limits_of(s);
    uint64_t now = eio_now(s->engine);
    eio_rate *rate = s->rate;
    bool fine;
    if (limits->policy == SIO_RATE_THROTTLE) {
        fine = sio_bucket_charge(&rate->packets, &limits->packets, now, 1);
        return sio_bucket_charge(&rate->bytes, &limits->bytes, now, bytes) &&
               fine;
    }
    fine = sio_bucket_take(&rate->packets, &limits->packets, now, 1);
    return sio_bucket_take(&rate->bytes, &limits->bytes, now, bytes) && fine;
}

bool eio_rate_admit(eio_session *s, const eio_packet *packet)
{
    size_t len = packet->data.len + 1;
    if (take(s, len < UINT32_MAX ? (uint32_t)len : UINT32_MAX)) {
        return true;
    }
    switch (limits_of(s)->policy) {
    case SIO_RATE_WARN:
        eio_count(s->engine, SIO_COUNTER_RATE_WARNED);
        tell(s, "let through");
        return true;
    case SIO_RATE_THROTTLE:
        return throttle(s);
    case SIO_RATE_DISCONNECT:
        break;
    }
    return disconnect(s);
}
