/*
 * A user's server, in the part of C that is also C++: built with nothing but
 * what was installed and pkg-config.  Starts, stops, and says "ok".
 */
#include <stdio.h>
#include <string.h>

#include <socketio/socketio.h>

static void on_say(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    (void)sio_socket_emit(socket, "said", "s", "hello");
    (void)sio_event_ack(event, "b", 1);
}

int main(void)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    config.host = "127.0.0.1";
    config.port = 0;

    sio_server *server = sio_server_new(&config);
    if (server == NULL || strlen(sio_version()) == 0) {
        return 1;
    }
    sio_error err =
        sio_namespace_on(sio_server_of(server, "/"), "say", on_say, NULL);
    if (err == SIO_OK) {
        err = sio_server_listen(server);
    }
    int has_port = sio_server_port(server) != 0;
    sio_server_stop(server);
    if (err == SIO_OK) {
        err = sio_server_run(server);
    }
    sio_server_free(server);
    printf("%s\n", sio_error_text(err));
    return err == SIO_OK && has_port ? 0 : 1;
}
