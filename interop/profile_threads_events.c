/* The namespace "/events" of the profile `threads`; see profile_threads.c. */

#include <stdatomic.h>
#include <string.h>

#include "profiles.h"

static void pass_far(void *arg)
{
    sio_event_next_pass(arg);
}

static void fail_far(void *arg)
{
    sio_event_next_fail(arg, "no", "{}");
}

static void on_event(sio_socket *socket, sio_event *event, sio_event_next *next,
                     void *arg)
{
    (void)socket;
    later_fn *fn =
        strcmp(sio_event_name(event), "no") == 0 ? fail_far : pass_far;
    if (!later_start(arg, 1, fn, next)) {
        fn(next);
    }
}

static void on_event_error(sio_socket *socket, sio_event *event,
                           const char *message, const char *data, void *arg)
{
    (void)event;
    (void)arg;
    sio_socket_emit(socket, "failed", "ss", message, data);
}

static void on_passed(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    sio_event_ack_args(event, sio_event_args(event));
}

static atomic_int went_out;

static void on_out(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    (void)socket;
    if (strcmp(sio_event_name(event), "all") == 0) {
        atomic_fetch_add(&went_out, 1);
    }
}

static void on_all(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_broadcast_emit_args(
        sio_namespace_broadcast(sio_socket_namespace(socket)), "all",
        sio_event_args(event));
}

static void on_out_count(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    sio_event_ack(event, "i", atomic_load(&went_out));
}

bool profile_threads_events_add(testserver *ts)
{
    sio_namespace *nsp = sio_server_of(ts->server, "/events");
    return nsp != NULL &&
           sio_namespace_use_events(nsp, on_event, ts) == SIO_OK &&
           sio_namespace_on_event_error(nsp, on_event_error, ts) == SIO_OK &&
           sio_namespace_on_any_outgoing(nsp, on_out, ts) == SIO_OK &&
           sio_namespace_on(nsp, "yes", on_passed, ts) == SIO_OK &&
           sio_namespace_on(nsp, "all", on_all, ts) == SIO_OK &&
           sio_namespace_on(nsp, "out-count", on_out_count, ts) == SIO_OK;
}
