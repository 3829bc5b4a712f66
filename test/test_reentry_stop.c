/* A server with real sockets is stopped or drained from inside each callback,
 * and used on in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/threads_rig.h"
#include "test/ws_client.h"

typedef enum where {
    MIDDLEWARE,
    CONNECTION,
    ANY,
    EVENT_MIDDLEWARE,
    EVENT,
    OUTGOING,
    ACK,
    DRAINED,
    ROOM,
    DISCONNECTING,
    DISCONNECT,
    CONN_PACKET,
    CONN_DRAINED,
    CONN_CLOSED,
    PLACES
} where;

static const char *const places[] = {
    "middleware",
    "connection",
    "any",
    "event middleware",
    "event",
    "outgoing",
    "ack",
    "drained",
    "room",
    "disconnecting",
    "disconnect",
    "packet",
    "connection drained",
    "connection closed",
};

static threads_rig rig;
static where place;
static void (*play)(sio_socket *socket);
static unsigned done, connected, disconnected; /* of the server's thread */

static void stop(sio_socket *socket)
{
    (void)socket;
    sio_server_stop(rig.server);
}

static void stop_twice(sio_socket *socket)
{
    stop(socket);
    stop(socket);
}

static void drain(sio_socket *socket)
{
    (void)socket;
    (void)sio_server_drain(rig.server, NULL);
}

static void drain_and_stop(sio_socket *socket)
{
    drain(socket);
    stop(socket);
}

static void stop_and_use(sio_socket *socket)
{
    stop(socket);
    (void)sio_broadcast_emit(sio_namespace_broadcast(rig.root), "x", "i", 1);
    (void)sio_broadcast_join(sio_namespace_broadcast(rig.root), "late");
    if (socket != NULL) {
        (void)sio_socket_join(socket, "s");
        (void)sio_socket_emit(socket, "x", "i", 1);
        sio_socket_leave(socket, "s");
    }
}

static void stop_and_close(sio_socket *socket)
{
    stop(socket);
    sio_broadcast_disconnect(sio_namespace_broadcast(rig.root), true);
    if (socket != NULL) {
        sio_socket_close(socket);
    }
}

static const struct {
    const char *label;
    void (*play)(sio_socket *socket);
} actions[] = {
    {"stop", stop},
    {"stop twice", stop_twice},
    {"drain", drain},
    {"drain and stop", drain_and_stop},
    {"stop and use", stop_and_use},
    {"stop and close", stop_and_close},
};

static void act(where at, sio_socket *socket)
{
    if (at == place && done == 0) {
        done++;
        play(socket);
    }
}

/* ----------------------------------------------------------- the callbacks --
 */

static void on_middleware(sio_socket *socket, sio_next *next, void *arg)
{
    (void)arg;
    act(MIDDLEWARE, socket);
    sio_next_allow(next);
}

static void on_ack(sio_socket *socket, sio_error err, sio_event *answer,
                   void *arg)
{
    (void)arg;
    assert_int_equal(answer != NULL, err == SIO_OK);
    act(ACK, socket);
}

static void on_connection(sio_socket *socket, void *arg)
{
    (void)arg;
    connected++;
    act(CONNECTION, socket);
    (void)sio_socket_join(socket, "r");
    (void)sio_socket_emit_ack(socket, "q", 0, on_ack, NULL, NULL);
}

static void on_any(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    act(ANY, socket);
}

static void on_event_middleware(sio_socket *socket, sio_event *event,
                                sio_event_next *next, void *arg)
{
    (void)event;
    (void)arg;
    act(EVENT_MIDDLEWARE, socket);
    sio_event_next_pass(next);
}

static void on_e(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    act(EVENT, socket);
    (void)sio_event_ack(event, NULL);
}

static void on_outgoing(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    act(OUTGOING, socket);
}

static void on_drained(sio_socket *socket, void *arg)
{
    (void)arg;
    act(DRAINED, socket);
}

static void on_room(sio_namespace *nsp, sio_room_change change,
                    const char *room, const char *id, void *arg)
{
    (void)nsp;
    (void)change;
    (void)room;
    (void)id;
    (void)arg;
    act(ROOM, NULL);
}

static void on_disconnecting(sio_socket *socket, sio_disconnect_reason reason,
                             sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    (void)arg;
    act(DISCONNECTING, socket);
}

static void on_disconnect(sio_socket *socket, sio_disconnect_reason reason,
                          sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    (void)arg;
    disconnected++;
    act(DISCONNECT, socket);
}

static void on_packet(sio_conn *conn, const sio_conn_packet *packet, void *arg)
{
    (void)packet;
    (void)arg;
    act(CONN_PACKET, sio_conn_socket(conn, "/"));
}

static void on_conn_drained(sio_conn *conn, void *arg)
{
    (void)arg;
    act(CONN_DRAINED, sio_conn_socket(conn, "/"));
}

static void on_conn_closed(sio_conn *conn, const char *id,
                           sio_disconnect_reason reason, sio_error why,
                           void *arg)
{
    (void)conn;
    (void)id;
    (void)reason;
    (void)why;
    (void)arg;
    act(CONN_CLOSED, NULL);
}

/* What the rig listens to already is left as it is. */
static void listen_to_all(sio_namespace *nsp)
{
    sio_error errors[] = {
        sio_namespace_use(nsp, on_middleware, NULL),
        sio_namespace_on_connection(nsp, on_connection, NULL),
        sio_namespace_on_any(nsp, on_any, NULL),
        sio_namespace_use_events(nsp, on_event_middleware, NULL),
        sio_namespace_on(nsp, "e", on_e, NULL),
        sio_namespace_on_any_outgoing(nsp, on_outgoing, NULL),
        sio_namespace_on_drained(nsp, on_drained, NULL),
        sio_namespace_on_room(nsp, on_room, NULL),
        sio_namespace_on_disconnecting(nsp, on_disconnecting, NULL),
        sio_namespace_on_disconnect(nsp, on_disconnect, NULL),
        sio_server_on_conn_packet(rig.server, on_packet, NULL),
        sio_server_on_conn_drained(rig.server, on_conn_drained, NULL),
        sio_server_on_conn_closed(rig.server, on_conn_closed, NULL),
    };
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        assert_int_equal(errors[i], SIO_OK);
    }
}

/* ------------------------------------------------------------ the scenario --
 */

static void hurry(sio_server_config *config)
{
    config->stop_timeout_ms = 1000;
    config->close_timeout_ms = 1000;
}

/* Answers the question of an event; whether it was one. */
static bool answer(ws_client *c, const ws_message *m)
{
    char text[32];
    int digits = 0;
    if (m->len < 4 || memcmp(m->data, "42", 2) != 0) {
        return false;
    }
    while (m->data[2 + digits] >= '0' && m->data[2 + digits] <= '9') {
        digits++;
    }
    (void)snprintf(text, sizeof(text), "43%.*s[1]", digits, m->data + 2);
    if (digits != 0) {
        ws_client_say(c, text);
    }
    return digits != 0;
}

/* Answers what is asked, and asks on, until the server ends it. */
static void live(ws_client *c)
{
    ws_message m;
    bool asked = false, answered = false;
    ws_client_say(c, "40");
    ws_client_say(c, "420[\"e\",1]");
    while (!ws_client_ended(c) && ws_client_hear(c, &m)) {
        asked |= answer(c, &m);
        answered |= m.len >= 3 && memcmp(m.data, "430", 3) == 0;
        if (asked && answered && place == CONN_CLOSED) {
            return; /* by leaving it is reached */
        }
        if (asked && answered) {
            ws_client_say(c, "42[\"e\",1]");
            ws_client_say(c, "41");
        }
    }
}

static void run(size_t action)
{
    ws_client c, other;
    done = connected = disconnected = 0;
    play = actions[action].play;
    threads_rig_prepare(&rig, 1, hurry);
    listen_to_all(rig.root);
    threads_rig_run(&rig);
    ws_client_dial(&other, rig.port, 0);
    ws_client_dial(&c, rig.port, 0);
    if (place != CONN_PACKET) {
        ws_client_say(&other, "40");
    }
    live(&c);
    ws_client_close(&c);
    ws_client_close(&other);
    threads_rig_stop(&rig);
    if (done != 1 || connected != disconnected) {
        fail_msg("%s in %s: %u, %u, %u", actions[action].label, places[place],
                 done, connected, disconnected);
    }
}

static void test_matrix(void **state)
{
    (void)state;
    for (place = MIDDLEWARE; place < PLACES; place++) {
        for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
            run(i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matrix)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
