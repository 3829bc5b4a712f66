/*
 * With --beside PATH, in any profile: a second server in the same process, at
 * that path and on a port of its own, or, with --mounted, behind that of the
 * first; it is printed as "beside on PORT".  It runs on the same loop as the
 * first one where that has one thread, otherwise on threads of its own.
 *
 * It says `beside` on connection, and to all who are connected `said` ... when
 * one says `say` ...
 */

#include <stdio.h>
#include <stdlib.h>

#include "profiles.h"

typedef struct beside {
    testserver *ts;
    sio_server *server;
    pthread_t thread;
    bool threaded; /* `thread` runs */
    atomic_bool closed;
} beside;

static void on_connection(sio_socket *socket, void *arg)
{
    (void)arg;
    (void)sio_socket_emit(socket, "beside", NULL);
}

static void on_say(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    (void)sio_broadcast_emit_args(
        sio_namespace_broadcast(sio_socket_namespace(socket)), "said",
        sio_event_args(event));
}

static void on_closed(sio_server *server, void *arg)
{
    (void)server;
    beside *b = arg;
    b->closed = true;
    ev_async_send(b->ts->loop, &b->ts->wake);
}

static void *run(void *arg)
{
    beside *b = arg;
    if (sio_server_run(b->server) != SIO_OK) {
        on_closed(b->server, b);
    }
    return NULL;
}

static bool set_up(const beside *b)
{
    sio_namespace *root = sio_server_of(b->server, "/");
    return (!b->ts->options->mounted ||
            sio_server_mount(b->ts->server, b->server) == SIO_OK) &&
           sio_namespace_on_connection(root, on_connection, NULL) == SIO_OK &&
           sio_namespace_on(root, "say", on_say, NULL) == SIO_OK;
}

bool beside_make(testserver *ts)
{
    sio_server_config config = ts->options->config;
    if (ts->options->beside == NULL) {
        return true;
    }
    beside *b = calloc(1, sizeof(*b));
    if (b == NULL) {
        return false;
    }
    b->ts = ts;
    ts->beside = b;
    config.path = ts->options->beside;
    config.port = 0;
    config.loop = config.threads > 1 ? NULL : ts->loop;
    config.on_closed = on_closed;
    config.arg = b;
    b->server = sio_server_new(&config);
    return b->server != NULL && set_up(b);
}

bool beside_start(testserver *ts)
{
    beside *b = ts->beside;
    if (b == NULL) {
        return true;
    }
    if (sio_server_listen(b->server) != SIO_OK) {
        return false;
    }
    b->threaded = ts->options->config.threads > 1;
    if (b->threaded && pthread_create(&b->thread, NULL, run, b) != 0) {
        b->threaded = false;
        return false;
    }
    printf("beside on %u\n", (unsigned)sio_server_port(b->server));
    return true;
}

void beside_stop(testserver *ts)
{
    if (ts->beside != NULL) {
        sio_server_stop(ts->beside->server);
    }
}

bool beside_is_over(const testserver *ts)
{
    return ts->beside == NULL || ts->beside->closed;
}

void beside_free(testserver *ts)
{
    beside *b = ts->beside;
    if (b == NULL) {
        return;
    }
    if (b->threaded) {
        sio_server_stop(b->server);
        (void)pthread_join(b->thread, NULL);
    }
    sio_server_free(b->server);
    free(b);
}
