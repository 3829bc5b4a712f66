/* What the protocol suite of Socket.IO 5 asks for. */

#include <string.h>

#include "profiles.h"

static void on_connection(sio_socket *socket, void *arg)
{
    (void)arg;
    const char *auth = sio_socket_auth(socket);
    sio_socket_emit_json(socket, "auth", auth, strlen(auth));
}

static void on_message(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_socket_emit_args(socket, "message-back", sio_event_args(event), 0);
}

static void on_message_with_ack(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    sio_event_ack_args(event, sio_event_args(event));
}

void profile_sio5_defaults(options *opts)
{
    opts->config.ping_interval_ms = 300;
    opts->config.ping_timeout_ms = 200;
    opts->config.connect_timeout_ms = 1000;
}

bool profile_sio5_setup(testserver *ts)
{
    sio_namespace *root = sio_server_of(ts->server, "/");
    sio_namespace *custom = sio_server_of(ts->server, "/custom");
    return root != NULL && custom != NULL &&
           sio_namespace_on_connection(root, on_connection, NULL) == SIO_OK &&
           sio_namespace_on_connection(custom, on_connection, NULL) == SIO_OK &&
           sio_namespace_on(root, "message", on_message, NULL) == SIO_OK &&
           sio_namespace_on(root, "message-with-ack", on_message_with_ack,
                            NULL) == SIO_OK;
}
