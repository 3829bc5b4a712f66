#include "socketio/server_impl.h"

/*
 * The end, one session after the other.  Each worker ends its own, at its share
 * of the rate, and waits for those who linger; when all have done so, the
 * server stops.
 */

/* How often it is looked whether those who linger have gone. */
#define LOOK_MS 10

/* What was missed for want of a turn is made up for, up to this many us. */
#define LATE_US 10000

/* us from one session of a worker to its next, without jitter. */
static uint64_t pace(const sio_server *server)
{
    uint32_t rate = server->drain_options.rate;
    return rate == 0 ? 0 : UINT64_C(1000000) * server->config.threads / rate;
}

/* The same with jitter: as often longer as shorter. */
static uint64_t next_pause(sio_worker *worker)
{
    uint64_t plain = pace(worker->server);
    uint64_t spread = plain * worker->server->drain_options.jitter / 100;
    uint32_t chance;
    if (spread == 0 || sio_random_fill(&worker->loop.random, &chance,
                                       sizeof(chance)) != SIO_OK) {
        return plain;
    }
    return plain - spread + chance % (2 * spread + 1);
}

static void arm(sio_worker *worker, uint64_t when)
{
    sio_wheel_arm(&worker->loop.wheel, &worker->drain.timer, when);
}

/* On the thread of the first. */
static void one_over(sio_server *server)
{
    if (--server->draining == 0) {
        sio_server_stop(server);
    }
}

static void on_over(sio_message *message)
{
    one_over(SIO_OWNER(message, sio_worker, drain.over)->server);
}

/* All have been told; some may still have something to get. */
static void look_whether_over(sio_worker *worker)
{
    sio_server *server = worker->server;
    sio_worker *first = &server->workers[0];
    size_t left = worker->engine.sessions.count;
    if (left != 0 && worker->loop.now < worker->drain.patience) {
        arm(worker, worker->loop.now + LOOK_MS);
        return;
    }
    sio_log_write(&server->log, SIO_LOG_INFO, "drained",
                  "loop %u: %zu sessions had not got all in time",
                  worker->engine.index, left);
    if (worker == first) {
        one_over(server);
    } else {
        (void)sio_inbox_post(&first->loop.inbox, &worker->drain.over);
    }
}

/* The walk is at its end.  Some may have been left out, in the middle of an
 * upgrade: it begins again for them. */
static void walk_ended(sio_worker *worker)
{
    sio_drain *d = &worker->drain;
    if (eio_engine_in_use(&worker->engine)) {
        d->cursor = 0;
        d->due = (worker->loop.now + LOOK_MS) * 1000;
        return;
    }
    d->told = true;
    d->patience = worker->loop.now + worker->server->drain_options.backlog_ms;
}

/* Ends those whose turn it is. */
static void end_due(sio_worker *worker)
{
    sio_drain *d = &worker->drain;
    uint64_t now = worker->loop.now * 1000;
    if (d->due + LATE_US < now) {
        d->due = now - LATE_US;
    }
    while (d->due <= now) {
        eio_session *s = eio_engine_next(&worker->engine, &d->cursor);
        if (s == NULL) {
            walk_ended(worker);
            return;
        }
        d->due += next_pause(worker);
        sio_client_dismiss(eio_session_user(s));
    }
}

static void on_timer(sio_timer *timer)
{
    sio_worker *worker = SIO_OWNER(timer, sio_worker, drain.timer);
    if (!worker->drain.told) {
        end_due(worker);
    }
    if (worker->drain.told) {
        look_whether_over(worker);
    } else {
        arm(worker, (worker->drain.due + 999) / 1000);
    }
}

static void begin(sio_worker *worker)
{
    const sio_server *server = worker->server;
    const sio_drain_options *o = &server->drain_options;
    if (worker->state != SIO_WORKER_RUNNING) {
        return; /* it is being stopped */
    }
    tp_front_drain(&worker->front, o->retry_after_s);
    if (o->stop_listening) {
        sio_worker_stop_listening(worker);
    }
    /* The loops take turns. */
    worker->drain.due = worker->loop.now * 1000 + pace(server) *
                                                      worker->engine.index /
                                                      server->config.threads;
    worker->drain.cursor = 0;
    worker->drain.told = false;
    arm(worker, worker->loop.now);
}

static void on_begin(sio_message *message)
{
    begin(SIO_OWNER(message, sio_worker, drain.begin));
}

static void on_drain(sio_message *message)
{
    sio_server *server = SIO_OWNER(message, sio_server, drain);
    if (server->workers[0].state != SIO_WORKER_RUNNING) {
        return; /* it is being stopped */
    }
    server->draining = server->config.threads;
    for (unsigned i = 1; i < server->config.threads; i++) {
        (void)sio_inbox_post(&server->workers[i].loop.inbox,
                             &server->workers[i].drain.begin);
    }
    begin(&server->workers[0]);
}

sio_error sio_server_drain(sio_server *server, const sio_drain_options *options)
{
    sio_drain_options o = sio_drain_options_default();
    if (options != NULL) {
        /* A smaller one is of an older header: the rest keeps its defaults. */
        memcpy(&o, options,
               options->size < sizeof(o) ? options->size : sizeof(o));
    }
    if (o.jitter > 100) {
        return SIO_ERR_ARGUMENT;
    }
    if (server->closed) {
        return SIO_ERR_CLOSED;
    }
    if (atomic_flag_test_and_set(&server->drain_posted)) {
        return SIO_ERR_STATE;
    }
    server->drain_options = o;
    return sio_inbox_post(&server->workers[0].loop.inbox, &server->drain);
}

void sio_worker_end_drain(sio_worker *worker)
{
    sio_wheel_cancel(&worker->loop.wheel, &worker->drain.timer);
}

void sio_server_reset_drain(sio_server *server)
{
    for (unsigned i = 0; i < server->config.threads; i++) {
        server->workers[i].front.draining = false;
    }
    atomic_flag_clear(&server->drain_posted);
}

void sio_server_init_drain(sio_server *server)
{
    server->drain.run = on_drain;
    atomic_flag_clear(&server->drain_posted);
    for (unsigned i = 0; i < server->config.threads; i++) {
        sio_drain *d = &server->workers[i].drain;
        d->timer.fire = on_timer;
        d->begin.run = on_begin;
        d->over.run = on_over;
    }
}
