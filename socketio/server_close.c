#include "socketio/adapter_impl.h"
#include "socketio/server_impl.h"

/*
 * The end, in steps that go by message between the first worker and the
 * others, and by a call within the first:
 *
 *   stop    to the first worker, from anywhere
 *   close   to each: stops accepting, disconnects, answers what waits
 *   closed  to the first: no connection is left
 *   end     to each, once all are closed: until then they still pass on what
 *           they get for each other
 */

/* How long a peer that has got all has to end its side, before it is cut off.
 */
#define MOMENT_MS 250

static bool is_first(const sio_worker *worker)
{
    return worker == &worker->server->workers[0];
}

void sio_server_tell_closed(sio_server *server)
{
    server->closed = true;
    if (server->config.on_closed != NULL) {
        server->config.on_closed(server, server->config.arg);
    }
}

/* A loop of the application is left as it was; our own ends. */
static void end_worker(sio_worker *worker)
{
    tp_front_abort(&worker->front);
    /* Some wait for a client to ask, and hear of the end: none can any more. */
    eio_engine_close_all(&worker->engine, EIO_CLOSE_NOW);
    sio_wheel_cancel(&worker->loop.wheel, &worker->grace);
    sio_inbox_close(&worker->loop.inbox);
    if (worker->loop.own) {
        ev_break(worker->loop.ev, EVBREAK_ALL);
    } else {
        sio_server_tell_closed(worker->server);
    }
}

void sio_worker_end(sio_worker *worker)
{
    (void)sio_inbox_post(&worker->loop.inbox, &worker->end);
}

static void on_end(sio_message *message)
{
    end_worker(SIO_OWNER(message, sio_worker, end));
}

static void one_closed(sio_server *server)
{
    if (--server->open != 0) {
        return;
    }
    sio_adapters_stop(&server->core);
    for (unsigned i = 1; i < server->config.threads; i++) {
        sio_worker_end(&server->workers[i]);
    }
    end_worker(&server->workers[0]);
}

static void on_closed(sio_message *message)
{
    one_closed(SIO_OWNER(message, sio_worker, closed)->server);
}

static void report_closed(sio_worker *worker)
{
    worker->state = SIO_WORKER_CLOSED;
    if (is_first(worker)) {
        one_closed(worker->server);
    } else {
        (void)sio_inbox_post(&worker->server->workers[0].loop.inbox,
                             &worker->closed);
    }
}

/* Runs at the end of a turn in which a connection has ended. */
static void look_whether_over(tp_dirty *dirty)
{
    sio_worker *worker = SIO_OWNER(dirty, sio_worker, empty);
    if (worker->front.open == 0 && worker->state == SIO_WORKER_CLOSING) {
        report_closed(worker);
    }
}

/* At the next look, or at the end of patience. */
static void arm_grace(sio_worker *worker)
{
    uint64_t look = worker->loop.now + MOMENT_MS;
    sio_wheel_arm(&worker->loop.wheel, &worker->grace,
                  look < worker->patience ? look : worker->patience);
}

static void on_grace(sio_timer *timer)
{
    sio_worker *worker = SIO_OWNER(timer, sio_worker, grace);
    if (worker->loop.now < worker->patience) {
        tp_front_hurry(&worker->front);
        arm_grace(worker);
        return;
    }
    tp_front_abort(&worker->front);
    if (worker->state == SIO_WORKER_CLOSING) {
        report_closed(worker);
    }
}

void sio_worker_connection_ended(void *owner)
{
    sio_worker *worker = owner;
    if (worker->state == SIO_WORKER_CLOSING) {
        tp_loop_dirty(&worker->loop, &worker->empty);
    }
}

void sio_worker_close(sio_worker *worker)
{
    if (worker->state != SIO_WORKER_RUNNING) {
        return;
    }
    worker->state = SIO_WORKER_CLOSING;
    sio_worker_end_drain(worker);
    sio_worker_stop_listening(worker);
    sio_loop_close(&worker->sio);
    eio_engine_close_all(&worker->engine, EIO_CLOSE_LINGER);
    tp_front_close(&worker->front);
    worker->patience =
        worker->loop.now + worker->server->config.stop_timeout_ms;
    arm_grace(worker);
    tp_loop_dirty(&worker->loop, &worker->empty);
}

static void on_close(sio_message *message)
{
    sio_worker_close(SIO_OWNER(message, sio_worker, close));
}

static void on_stop(sio_message *message)
{
    sio_server *server = SIO_OWNER(message, sio_server, stop);
    sio_worker *first = &server->workers[0];
    sio_server_forget_signals(server);
    for (unsigned i = 1; i < server->config.threads; i++) {
        (void)sio_inbox_post(&server->workers[i].loop.inbox,
                             &server->workers[i].close);
    }
    sio_worker_close(first);
}

void sio_server_stop(sio_server *server)
{
    if (!atomic_flag_test_and_set(&server->stop_posted)) {
        (void)sio_inbox_post(&server->workers[0].loop.inbox, &server->stop);
    }
}

bool sio_server_closed(const sio_server *server)
{
    return server->closed;
}

void sio_server_reopen(sio_server *server)
{
    for (unsigned i = 0; i < server->config.threads; i++) {
        sio_worker *worker = &server->workers[i];
        tp_loop_adopt(&worker->loop);
        worker->sio.closed = false;
        sio_inbox_reopen(&worker->loop.inbox);
        worker->front.closing = false;
        worker->state = SIO_WORKER_RUNNING;
    }
    sio_server_reset_drain(server);
    sio_server_reopen_tls(server);
    server->open = server->config.threads;
    server->bound = false;
    server->started = false;
    atomic_flag_clear(&server->stop_posted);
    server->closed = false; /* from here on stopping stops this life */
}

void sio_server_init_closing(sio_server *server)
{
    server->stop.run = on_stop;
    atomic_flag_clear(&server->stop_posted);
    atomic_init(&server->closed, false);
    sio_server_init_drain(server);
    server->open = server->config.threads;
    for (unsigned i = 0; i < server->config.threads; i++) {
        sio_worker *worker = &server->workers[i];
        worker->grace.fire = on_grace;
        worker->empty.flush = look_whether_over;
        worker->close.run = on_close;
        worker->closed.run = on_closed;
        worker->end.run = on_end;
    }
}
