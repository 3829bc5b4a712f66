/* A room to join and to talk in: everything a first server needs. */

#include <stdio.h>

#include "socketio/socketio.h"

static void on_join(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const char *room;
    if (sio_event_unpack(event, "s", &room) == SIO_OK &&
        sio_socket_join(socket, room) == SIO_OK) {
        sio_event_ack(event, "s", "welcome");
    }
}

/* Room and words: the words go to everyone else in the room. */
static void on_say(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const char *room, *words;
    if (sio_event_unpack(event, "ss", &room, &words) == SIO_OK) {
        sio_broadcast_emit(sio_socket_to(socket, room), "said", "s", words);
    }
}

int main(void)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT; /* port 3000 */
    config.stop_on_signals = true;
    sio_server *io = sio_server_new(&config);
    sio_namespace *root = io == NULL ? NULL : sio_server_of(io, "/");
    if (root == NULL ||
        sio_namespace_on(root, "join", on_join, NULL) != SIO_OK ||
        sio_namespace_on(root, "say", on_say, NULL) != SIO_OK) {
        return 1;
    }
    sio_error err = sio_server_run(io);
    if (err != SIO_OK) {
        fprintf(stderr, "hello: %s\n", sio_error_text(err));
    }
    sio_server_free(io);
    return err == SIO_OK ? 0 : 1;
}
