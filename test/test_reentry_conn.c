#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "socketio/parent.h"
#include "test/sio_rig.h"

/*
 * From inside the hooks of connections and those by which clients make
 * namespaces, everything is done that an application may do.  The callbacks of
 * sockets are those of test_sio_reentrancy.c.
 */

typedef enum where {
    PACKET,
    CONN_DRAINED,
    CONN_CLOSED,
    CLAIM,
    CLAIM_LATE, /* answered when the packet has gone */
    NEW_NAMESPACE,
    CHILD_CONNECTION,
    CHILD_DISCONNECT,
    PLACES
} where;

static const char *const places[] = {
    "packet",     "connection drained", "connection closed", "claim",
    "claim late", "new namespace",      "child connection",  "child disconnect",
};

static sio_rig rig;

typedef void action_fn(sio_conn *conn);

static struct play {
    where place;
    action_fn *act;
    unsigned patience; /* times that it is done yet */
    unsigned done;
    unsigned connected, disconnecting, disconnected, acks, opened, closed;
    bool deep; /* an action is under way */
} play;

/* A claim that has not been answered. */
static sio_claim *late;

/* ------------------------------------------------------------- the actions --
 */

static sio_socket *of(sio_conn *conn)
{
    return conn == NULL ? NULL : sio_conn_socket(conn, "/");
}

static sio_socket *other_than(const sio_socket *self)
{
    const sio_local *local = sio_local_of(rig.root, &rig.loop);
    for (uint32_t i = 0; local != NULL && i < local->listed; i++) {
        if (local->list[i] != self) {
            return local->list[i];
        }
    }
    return NULL;
}

static void disconnect(sio_socket *socket)
{
    if (socket != NULL) {
        sio_socket_disconnect(socket);
    }
}

static void disconnect_self(sio_conn *conn)
{
    disconnect(of(conn));
}

static void disconnect_each(sio_socket *socket, void *arg)
{
    (void)arg;
    sio_socket_disconnect(socket);
}

static void disconnect_sockets(sio_conn *conn)
{
    if (conn != NULL) {
        sio_conn_each_socket(conn, disconnect_each, NULL);
    }
}

static void disconnect_another(sio_conn *conn)
{
    disconnect(other_than(of(conn)));
}

static void on_ack(sio_socket *socket, sio_error err, sio_event *answer,
                   void *arg)
{
    (void)socket;
    (void)arg;
    assert_int_equal(answer != NULL, err == SIO_OK);
    play.acks--;
}

static void emit(sio_conn *conn)
{
    sio_socket *socket = of(conn);
    if (socket != NULL) {
        (void)sio_socket_emit(socket, "x", "i", 1);
        (void)sio_socket_emit_binary(socket, "x", "b", 1);
        if (sio_socket_emit_ack(socket, "x", 10, on_ack, NULL, NULL) ==
            SIO_OK) {
            play.acks++;
        }
    }
}

static void broadcast(sio_conn *conn)
{
    sio_socket *socket = of(conn);
    sio_broadcast all = sio_namespace_broadcast(rig.root);
    (void)sio_broadcast_emit(all, "x", "i", 1);
    (void)sio_broadcast_emit(sio_namespace_to(rig.root, "r"), "x", NULL);
    if (socket != NULL) {
        (void)sio_broadcast_emit(sio_socket_to(socket, "r"), "x", NULL);
    }
}

static void join(sio_conn *conn)
{
    sio_socket *socket = of(conn), *other = other_than(socket);
    if (socket != NULL) {
        (void)sio_socket_join(socket, "new");
    }
    if (other != NULL) {
        (void)sio_socket_join(other, "new");
    }
    (void)sio_broadcast_join(sio_namespace_broadcast(rig.root), "r");
}

static void leave(sio_conn *conn)
{
    sio_socket *socket = of(conn);
    if (socket != NULL) {
        sio_socket_leave(socket, "r");
    }
    sio_broadcast_leave(sio_namespace_broadcast(rig.root), "r");
}

static void close_client(sio_conn *conn)
{
    if (conn != NULL) {
        sio_conn_close(conn);
    }
}

static void close_another(sio_conn *conn)
{
    sio_socket *other = other_than(of(conn));
    if (other != NULL) {
        sio_socket_close(other);
    }
}

static void close_all(sio_conn *conn)
{
    (void)conn;
    sio_broadcast_disconnect(sio_namespace_broadcast(rig.root), true);
}

static void lose_all(sio_conn *conn)
{
    (void)conn;
    eio_engine_close_all(&rig.engine.engine, EIO_CLOSE_NOW);
}

static void stop(sio_conn *conn)
{
    (void)conn;
    sio_loop_close(&rig.loop);
}

static const struct action {
    const char *label;
    action_fn *act;
} actions[] = {
    {"disconnect self", disconnect_self},
    {"disconnect its sockets", disconnect_sockets},
    {"disconnect another", disconnect_another},
    {"emit", emit},
    {"broadcast", broadcast},
    {"join", join},
    {"leave", leave},
    {"close the client", close_client},
    {"close another", close_another},
    {"close all", close_all},
    {"lose all", lose_all},
    {"stop the server", stop},
};

static void act(where place, sio_conn *conn)
{
    if (place == play.place && play.patience != 0 && !play.deep) {
        play.patience--;
        play.done++;
        play.deep = true;
        play.act(conn);
        play.deep = false;
    }
}

/* ----------------------------------------------------------- the callbacks --
 */

static void on_packet(sio_conn *conn, const sio_conn_packet *packet, void *arg)
{
    (void)arg;
    assert_true(sio_conn_id(conn)[0] != '\0');
    act(PACKET, conn);
    assert_true(packet->type <= 6);
}

static void on_conn_drained(sio_conn *conn, void *arg)
{
    (void)arg;
    assert_true(sio_conn_id(conn)[0] != '\0');
    act(CONN_DRAINED, conn);
}

/* The last call: none of its sockets is connected. */
static void on_conn_closed(sio_conn *conn, const char *id,
                           sio_disconnect_reason reason, sio_error why,
                           void *arg)
{
    (void)reason;
    (void)why;
    (void)arg;
    assert_string_equal(sio_conn_id(conn), "");
    assert_null(sio_conn_socket(conn, "/"));
    play.closed++;
    act(CONN_CLOSED, conn);
    assert_int_equal(strlen(id), EIO_SID_LEN);
}

static void on_claim(sio_claim *claim, void *arg)
{
    (void)arg;
    assert_string_equal(sio_claim_auth(claim), "{}");
    if (play.place == CLAIM_LATE && late == NULL) {
        late = claim;
        return;
    }
    act(CLAIM, NULL);
    assert_int_equal(sio_claim_name(claim)[0], '/');
    sio_claim_allow(claim);
}

static void answer_late(void)
{
    sio_claim *claim = late;
    if (claim != NULL) {
        late = NULL;
        act(CLAIM_LATE, NULL);
        sio_claim_allow(claim);
    }
}

static void on_namespace(sio_namespace *nsp, void *arg)
{
    (void)arg;
    assert_int_equal(sio_namespace_name(nsp)[0], '/');
    act(NEW_NAMESPACE, NULL);
}

static void on_connection(sio_socket *socket, void *arg)
{
    (void)arg;
    play.connected++;
    (void)sio_socket_join(socket, "r");
    if (sio_socket_namespace(socket) != rig.root) {
        act(CHILD_CONNECTION, sio_socket_conn(socket));
    }
}

static void on_disconnecting(sio_socket *socket, sio_disconnect_reason reason,
                             sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    (void)arg;
    assert_true(sio_socket_connected(socket));
    play.disconnecting++;
}

static void on_disconnect(sio_socket *socket, sio_disconnect_reason reason,
                          sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    (void)arg;
    assert_int_equal(sio_socket_room_count(socket), 0);
    play.disconnected++;
    if (sio_socket_namespace(socket) != rig.root) {
        act(CHILD_DISCONNECT, sio_socket_conn(socket));
    }
}

static void listen_to(sio_hooks *hooks, void (*fn)(void))
{
    assert_int_equal(sio_core_on_conn(&rig.core, hooks, fn, NULL), SIO_OK);
}

static void listen(sio_namespace *nsp)
{
    assert_int_equal(sio_namespace_on_connection(nsp, on_connection, NULL),
                     SIO_OK);
    assert_int_equal(
        sio_namespace_on_disconnecting(nsp, on_disconnecting, NULL), SIO_OK);
    assert_int_equal(sio_namespace_on_disconnect(nsp, on_disconnect, NULL),
                     SIO_OK);
}

static void prepare(void)
{
    sio_rig_init(&rig);
    rig.core.cleanup = true;
    for (int i = 0; i < 2; i++) { /* the second is not spared the first's */
        listen_to(&rig.core.conn.packet, (void (*)(void))on_packet);
        listen_to(&rig.core.conn.drained, (void (*)(void))on_conn_drained);
    }
    listen_to(&rig.core.conn.closed, (void (*)(void))on_conn_closed);
    listen(rig.root);
    sio_namespace *parent = sio_core_of_check(&rig.core, on_claim, NULL);
    assert_non_null(parent);
    listen(parent);
    assert_int_equal(sio_core_on_namespace(&rig.core, on_namespace, NULL),
                     SIO_OK);
}

/* ------------------------------------------------------------ the scenario --
 */

static void say(sio_peer *peers, const char *packet)
{
    for (size_t i = 0; i < 3; i++) {
        sio_peer_send(&peers[i], packet);
    }
}

static void live(void)
{
    sio_peer peers[3] = {
        sio_rig_open(&rig, MEMORY_WEBSOCKET, "a"),
        sio_rig_open(&rig, MEMORY_POLLING, "b"),
        sio_rig_open(&rig, MEMORY_WEBSOCKET, "c"),
    };
    play.opened = 3;
    memory_transport_poll(peers[1].mt);
    say(peers, "0");
    rig_turn(&rig.engine);
    say(peers, "0/one,");
    say(peers, "0/two,");
    rig_turn(&rig.engine);
    memory_transport_poll(peers[1].mt);
    emit(NULL);
    for (size_t i = 0; i < 3; i++) {
        sio_socket *socket = sio_peer_socket(&peers[i], "/");
        if (socket != NULL) {
            emit(sio_socket_conn(socket));
        }
    }
    rig_turn(&rig.engine);
    say(peers, "2[\"e\",1]");
    answer_late();
    rig_turn(&rig.engine);
    say(peers, "1/two,");
    rig_receive(peers[0].mt, "3");
    memory_transport_drop(peers[2].mt, SIO_ERR_IO);
    rig_turn(&rig.engine);
    memory_transport_poll(peers[1].mt);
    rig_advance(&rig.engine, 20);
    rig_receive(peers[0].mt, "1");
    rig_advance(&rig.engine, 60000);
}

static void run(where place, const struct action *action, unsigned patience)
{
    play =
        (struct play){.place = place, .act = action->act, .patience = patience};
    prepare();
    live();
    sio_rig_close(&rig);
    rig_advance(&rig.engine, 20);
    late = NULL; /* it ends with the server */
    sio_rig_free(&rig);
    if (play.connected != play.disconnected ||
        play.connected != play.disconnecting || play.acks != 0 ||
        play.opened != play.closed || play.done == 0) {
        fail_msg("%s in %s: %u, %u, %u; %u; %u, %u; %u", action->label,
                 places[place], play.connected, play.disconnecting,
                 play.disconnected, play.acks, play.opened, play.closed,
                 play.done);
    }
}

static void test_matrix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        for (where place = PACKET; place < PLACES; place++) {
            for (unsigned patience = 1; patience <= 27; patience *= 3) {
                run(place, &actions[i], patience);
            }
        }
    }
}

/* What is done to others in a hook is told in the order of doing, before the
 * call that does it returns; what the hook's own packet asks for comes last. */
static void close_by_packet(sio_conn *conn, const sio_conn_packet *packet,
                            void *arg)
{
    (void)arg;
    if (packet->type == 4 && packet->len > 1) {
        sio_rig_tell(&rig, " [");
        disconnect_another(conn);
        sio_rig_tell(&rig, "]");
    }
}

static void told_of_closing(sio_conn *conn, const char *id,
                            sio_disconnect_reason reason, sio_error why,
                            void *arg)
{
    (void)conn;
    (void)id;
    (void)why;
    (void)arg;
    sio_rig_tell(&rig, " closed(%s)", sio_disconnect_text(reason));
}

static void on_e(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    sio_rig_tell(&rig, " e@%s", sio_rig_name(socket));
    sio_socket_close(socket);
    sio_rig_tell(&rig, " end");
}

static void test_order(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    sio_rig_listen(rig.root);
    assert_int_equal(sio_namespace_on(rig.root, "e", on_e, NULL), SIO_OK);
    sio_peer a = sio_rig_join(&rig, "a");
    (void)sio_rig_join(&rig, "b");
    listen_to(&rig.core.conn.packet, (void (*)(void))close_by_packet);
    listen_to(&rig.core.conn.closed, (void (*)(void))told_of_closing);
    sio_peer_send(&a, "2[\"e\"]");
    rig_turn(&rig.engine);
    assert_string_equal(
        sio_rig_told(&rig),
        " [ ~b(server namespace disconnect) -b(server namespace disconnect)]"
        " e@a ~a(server namespace disconnect) -a(server namespace disconnect)"
        " end closed(forced close)");
    sio_rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matrix),
                                       cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
