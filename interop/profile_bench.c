/* What the load generators ask for: events on "/", and a part of them on
 * "/n1" to "/n4". */

#include <stdlib.h>

#include "profiles.h"

static void on_echo(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_socket_emit_args(socket, "echo", sio_event_args(event), 0);
}

static void on_ack(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    sio_event_ack_args(event, sio_event_args(event));
}

static void on_broadcast(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_broadcast all = sio_namespace_broadcast(sio_socket_namespace(socket));
    sio_broadcast_emit_args(all, "broadcast", sio_event_args(event));
}

static void on_join(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const char *room;
    if (sio_event_unpack(event, "s", &room) == SIO_OK) {
        sio_socket_join(socket, room);
        sio_event_ack(event, NULL);
    }
}

static void on_room(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const char *room;
    if (sio_event_unpack(event, "s", &room) != SIO_OK) {
        return;
    }
    sio_args rest = sio_event_args_from(event, 1);
    sio_broadcast to = sio_namespace_to(sio_socket_namespace(socket), room);
    sio_broadcast_emit_args(to, "room", &rest);
}

void profile_bench_defaults(options *opts)
{
    (void)opts;
}

static bool add_echo(sio_namespace *nsp)
{
    return nsp != NULL &&
           sio_namespace_on(nsp, "echo", on_echo, NULL) == SIO_OK &&
           sio_namespace_on(nsp, "ack", on_ack, NULL) == SIO_OK;
}

bool profile_bench_setup(testserver *ts)
{
    static const char *const names[] = {"/", "/n1", "/n2", "/n3", "/n4"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!add_echo(sio_server_of(ts->server, names[i]))) {
            return false;
        }
    }
    sio_namespace *root = sio_server_of(ts->server, "/");
    return sio_namespace_on(root, "broadcast", on_broadcast, NULL) == SIO_OK &&
           sio_namespace_on(root, "join", on_join, NULL) == SIO_OK &&
           sio_namespace_on(root, "room", on_room, NULL) == SIO_OK;
}
