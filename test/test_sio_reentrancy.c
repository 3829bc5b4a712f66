#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/sio_rig.h"

/* From inside each callback, everything is done that an application may do. */

typedef enum where {
    MIDDLEWARE,
    CONNECTION,
    ANY,
    EVENT,
    ACK,
    DISCONNECTING,
    DISCONNECT,
    DRAINED,
    UPGRADE,
    ROOM,
    OUTGOING, /* from here on, listened to only where something is done */
    EVENT_MIDDLEWARE,
    EVENT_LATE, /* before it is answered, when the packet has gone */
    EVENT_ERROR,
    NOWHERE
} where;

static const char *const places[] = {
    "middleware",    "connection",       "any",        "event",      "ack",
    "disconnecting", "disconnect",       "drained",    "upgrade",    "room",
    "outgoing",      "event middleware", "event late", "event error"};

static sio_rig rig;

typedef void action_fn(sio_socket *self);

static struct play {
    where place;
    action_fn *act;
    unsigned patience; /* times that it is done yet */
    unsigned done;
    unsigned connected, disconnecting, disconnected, acks, answered;
} play;

/* ------------------------------------------------------------- the actions --
 */

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    (void)arg;
    assert_true(count <= expected);
    assert_int_equal(err == SIO_OK, count == expected);
    assert_true(len == 0 || answers != NULL);
    play.answered++;
}

static sio_socket *other_than(const sio_socket *self)
{
    const sio_local *local = sio_local_of(rig.root, &rig.loop);
    for (uint32_t i = 0; i < local->listed; i++) {
        if (local->list[i] != self) {
            return local->list[i];
        }
    }
    return NULL;
}

static void disconnect_self(sio_socket *self)
{
    if (self != NULL) {
        sio_socket_disconnect(self);
    }
}

static void close_self(sio_socket *self)
{
    if (self != NULL) {
        sio_socket_close(self);
    }
}

static void lose_self(sio_socket *self)
{
    if (self != NULL && self->client != NULL && self->client->session != NULL) {
        eio_session_close(self->client->session, EIO_CLOSE_NOW);
    }
}

static void disconnect_other(sio_socket *self)
{
    disconnect_self(other_than(self));
}

static void close_other(sio_socket *self)
{
    close_self(other_than(self));
}

static void lose_other(sio_socket *self)
{
    lose_self(other_than(self));
}

static void disconnect_all(sio_socket *self)
{
    (void)self;
    sio_broadcast_disconnect(sio_namespace_broadcast(rig.root), false);
}

static void close_all(sio_socket *self)
{
    (void)self;
    sio_broadcast_disconnect(sio_namespace_broadcast(rig.root), true);
}

static void lose_all(sio_socket *self)
{
    (void)self;
    eio_engine_close_all(&rig.engine.engine, EIO_CLOSE_NOW);
}

static void linger_all(sio_socket *self)
{
    (void)self;
    eio_engine_close_all(&rig.engine.engine, EIO_CLOSE_LINGER);
}

static void on_ack(sio_socket *socket, sio_error err, sio_event *answer,
                   void *arg);

static void emit_self(sio_socket *self)
{
    if (self != NULL) {
        (void)sio_socket_emit(self, "x", "i", 1);
        (void)sio_socket_emit_volatile(self, "x", NULL);
        (void)sio_socket_emit_binary(self, "x", "b", 1);
        if (sio_socket_emit_ack(self, "x", 10, on_ack, NULL, NULL) == SIO_OK) {
            play.acks++;
        }
    }
}

static void broadcast(sio_socket *self)
{
    sio_namespace *b = sio_rig_of(&rig, "/b");
    sio_broadcast all = sio_namespace_broadcast(rig.root);
    (void)sio_broadcast_emit(all, "x", "i", 1);
    (void)sio_broadcast_emit(sio_broadcast_volatile(all), "x", NULL);
    (void)sio_broadcast_emit(sio_broadcast_volatile(sio_namespace_broadcast(b)),
                             "x", NULL);
    (void)sio_broadcast_emit(sio_namespace_to(rig.root, "r"), "x", NULL);
    if (self != NULL) {
        (void)sio_broadcast_emit(sio_socket_to(self, "r"), "x", NULL);
    }
}

static void survey(sio_socket *self)
{
    (void)self;
    assert_int_equal(sio_broadcast_emit_ack(sio_namespace_broadcast(rig.root),
                                            "q", 10, on_answers, NULL, NULL),
                     SIO_OK);
    play.acks += 1000; /* checked by itself */
}

static void join(sio_socket *self)
{
    if (self != NULL) {
        (void)sio_socket_join(self, "r");
        (void)sio_socket_join(self, "new");
    }
    (void)sio_broadcast_join(sio_namespace_broadcast(rig.root), "new");
}

static void leave(sio_socket *self)
{
    if (self != NULL) {
        sio_socket_leave(self, "r");
        sio_socket_leave(self, "new");
    }
    sio_broadcast_leave(sio_namespace_broadcast(rig.root), "r");
}

static void join_and_leave(sio_socket *self)
{
    sio_socket *other = other_than(self);
    if (other != NULL) {
        static const char *const rooms[] = {"r", "s", "t"};
        for (size_t i = 0; i < 3; i++) {
            (void)sio_socket_join(other, rooms[i]);
            sio_socket_leave(other, rooms[i]);
        }
    }
}

static void on_e(sio_socket *socket, sio_event *event, void *arg);

static void take_off(sio_socket *self)
{
    (void)self;
    sio_namespace_off(rig.root, "e", on_e, NULL);
    sio_namespace_off(rig.root, "e", on_e, NULL);
}

static void put_on(sio_socket *self)
{
    (void)self;
    for (int i = 0; i < 9; i++) {
        assert_int_equal(sio_namespace_on(rig.root, "e", on_e, NULL), SIO_OK);
    }
}

static void shut(sio_socket *self)
{
    (void)self;
    if (play.place != DISCONNECTING && play.place != ROOM) {
        /* never nested, and never in its callbacks */
        sio_loop_close(&rig.loop);
    }
}

static void let_go(sio_socket *self)
{
    if (self != NULL) {
        sio_socket_set_data(self, NULL, NULL);
        sio_socket_unref(sio_socket_ref(self));
    }
}

static const struct action {
    const char *label;
    action_fn *act;
} actions[] = {
    {"disconnect self", disconnect_self},
    {"close self", close_self},
    {"lose self", lose_self},
    {"disconnect another", disconnect_other},
    {"close another", close_other},
    {"lose another", lose_other},
    {"disconnect all", disconnect_all},
    {"close all", close_all},
    {"lose all", lose_all},
    {"linger all", linger_all},
    {"emit", emit_self},
    {"broadcast", broadcast},
    {"survey", survey},
    {"join", join},
    {"leave", leave},
    {"join and leave", join_and_leave},
    {"take off", take_off},
    {"put on", put_on},
    {"shut", shut},
    {"let go", let_go},
};

/* ----------------------------------------------------------- the callbacks --
 */

/* How far a socket's life has got; each callback sees that it is in order. */
enum { FRESH, LIVING, LEAVING, DEAD };

static void *const stages[] = {"fresh", "living", "leaving", "dead"};

static void expect(sio_socket *socket, int stage)
{
    void *at = sio_socket_data(socket);
    if (at != NULL && at != stages[stage]) { /* NULL: let go */
        fail_msg("%s, not %s", (const char *)at, (const char *)stages[stage]);
    }
}

static void act(where place, sio_socket *self)
{
    if (place == play.place && play.patience != 0) {
        play.patience--;
        play.done++;
        play.act(self);
    }
}

static void on_middleware(sio_socket *socket, sio_next *next, void *arg)
{
    (void)arg;
    sio_socket_set_data(socket, stages[FRESH], NULL);
    act(MIDDLEWARE, socket);
    sio_next_allow(next);
}

static void on_connection(sio_socket *socket, void *arg)
{
    assert_true(sio_socket_connected(socket));
    if (arg == NULL) {
        expect(socket, FRESH);
        sio_socket_set_data(socket, stages[LIVING], NULL);
        play.connected++;
        (void)sio_socket_join(socket, "r");
    }
    act(CONNECTION, socket);
}

static void on_any(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    expect(socket, LIVING);
    act(ANY, socket);
    assert_string_equal(sio_event_name(event), "e");
}

static void on_e(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    expect(socket, LIVING);
    act(EVENT, socket);
    (void)sio_event_ack(event, NULL);
    assert_int_equal(sio_event_arg_count(event), 1);
}

static void on_ack(sio_socket *socket, sio_error err, sio_event *answer,
                   void *arg)
{
    (void)arg;
    void *stage = sio_socket_data(socket);
    assert_true(stage == NULL || stage != stages[DEAD]);
    play.acks--;
    act(ACK, socket);
    assert_int_equal(answer != NULL, err == SIO_OK);
}

static void on_disconnecting(sio_socket *socket, sio_disconnect_reason reason,
                             sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    assert_true(sio_socket_connected(socket));
    if (arg == NULL) {
        expect(socket, LIVING);
        sio_socket_set_data(socket, stages[LEAVING], NULL);
        play.disconnecting++;
    }
    act(DISCONNECTING, socket);
}

static void on_disconnect(sio_socket *socket, sio_disconnect_reason reason,
                          sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    assert_false(sio_socket_connected(socket));
    assert_int_equal(sio_socket_room_count(socket), 0);
    if (arg == NULL) {
        expect(socket, LEAVING);
        sio_socket_set_data(socket, stages[DEAD], NULL);
        play.disconnected++;
    }
    act(DISCONNECT, socket);
}

static void on_drained(sio_socket *socket, void *arg)
{
    (void)arg;
    expect(socket, LIVING);
    act(DRAINED, socket);
}

static void on_upgrade(sio_socket *socket, void *arg)
{
    (void)arg;
    expect(socket, LIVING);
    act(UPGRADE, socket);
}

static void on_room(sio_namespace *nsp, sio_room_change change,
                    const char *room, const char *id, void *arg)
{
    (void)change;
    (void)arg;
    assert_true(room[0] != '\0');
    act(ROOM, id == NULL ? NULL : sio_namespace_socket(nsp, id));
    assert_true(room[0] != '\0' && (id == NULL || id[0] != '\0'));
}

static void on_outgoing(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    assert_true(sio_socket_data(socket) != stages[DEAD]);
    assert_false(sio_event_wants_ack(event));
    act(OUTGOING, socket);
    assert_true(sio_event_name(event)[0] != '\0');
}

/* Not answered yet: the older of two passes when there is a third. */
static struct late {
    sio_event_next *next;
    sio_event *event;
    sio_socket *socket;
} late[2];

static void answer_late(void)
{
    struct late one = late[0];
    late[0] = late[1];
    late[1] = (struct late){0};
    if (one.next != NULL) {
        act(EVENT_LATE, one.socket);
        assert_true(sio_event_arg_count(one.event) <= 1);
        sio_event_next_pass(one.next);
    }
}

static void on_event(sio_socket *socket, sio_event *event, sio_event_next *next,
                     void *arg)
{
    (void)arg;
    expect(socket, LIVING);
    if (play.place == EVENT_LATE) {
        answer_late();
        late[late[0].next == NULL ? 0 : 1] = (struct late){next, event, socket};
        return;
    }
    act(EVENT_MIDDLEWARE, socket);
    assert_int_equal(sio_event_arg_count(event), 1);
    play.place == EVENT_ERROR ? sio_event_next_fail(next, "no", NULL)
                              : sio_event_next_pass(next);
}

static void on_event_error(sio_socket *socket, sio_event *event,
                           const char *message, const char *data, void *arg)
{
    (void)arg;
    expect(socket, LIVING);
    act(EVENT_ERROR, socket);
    assert_true(strcmp(message, "no") == 0 && data == NULL);
    assert_int_equal(sio_event_arg_count(event), 1);
}

static void listen_to_new(sio_namespace *nsp)
{
    if (play.place == OUTGOING) {
        assert_int_equal(sio_namespace_on_any_outgoing(nsp, on_outgoing, NULL),
                         SIO_OK);
    } else if (play.place > OUTGOING && play.place < NOWHERE) {
        (void)sio_namespace_use_events(nsp, on_event, NULL);
        (void)sio_namespace_on_event_error(nsp, on_event_error, NULL);
    }
}

/* Everything twice: what comes second is not spared what the first has done. */
static void listen_twice(sio_namespace *nsp)
{
    static int second;
    for (int i = 0; i < 2; i++) {
        void *arg = i == 0 ? NULL : &second;
        sio_error err = sio_namespace_on_connection(nsp, on_connection, arg);
        err = err == SIO_OK ? sio_namespace_on_any(nsp, on_any, arg) : err;
        err = err == SIO_OK ? sio_namespace_on(nsp, "e", on_e, NULL) : err;
        err = err == SIO_OK
                  ? sio_namespace_on_disconnecting(nsp, on_disconnecting, arg)
                  : err;
        err = err == SIO_OK
                  ? sio_namespace_on_disconnect(nsp, on_disconnect, arg)
                  : err;
        err = err == SIO_OK ? sio_namespace_on_drained(nsp, on_drained, arg)
                            : err;
        err = err == SIO_OK ? sio_namespace_on_upgrade(nsp, on_upgrade, arg)
                            : err;
        err = err == SIO_OK ? sio_namespace_on_room(nsp, on_room, arg) : err;
        assert_int_equal(err, SIO_OK);
        listen_to_new(nsp);
    }
    assert_int_equal(sio_namespace_use(nsp, on_middleware, NULL), SIO_OK);
}

/* ------------------------------------------------------------ the scenario --
 */

static void upgrade(sio_peer *peer)
{
    memory_transport *mt = rig_transport(&rig.engine, MEMORY_WEBSOCKET);
    if (!sio_peer_open(peer) ||
        eio_session_probe(peer->session, memory_transport_base(mt)) != SIO_OK) {
        memory_transport_drop(mt, SIO_OK);
        return;
    }
    rig_receive(mt, "2probe");
    rig_turn(&rig.engine);
    rig_receive(mt, "5");
    peer->mt = mt;
}

static void say(sio_peer *peers, const char *packet)
{
    for (size_t i = 0; i < 4; i++) {
        sio_peer_send(&peers[i], packet);
    }
}

static void live(void)
{
    sio_peer peers[4] = {
        sio_rig_open(&rig, MEMORY_WEBSOCKET, "a"),
        sio_rig_open(&rig, MEMORY_POLLING, "b"),
        sio_rig_open(&rig, MEMORY_WEBSOCKET, "c"),
        sio_rig_open(&rig, MEMORY_POLLING, "d"),
    };
    memory_transport_poll(peers[1].mt);
    say(peers, "0");
    say(peers, "0/b,");
    rig_turn(&rig.engine);
    for (size_t i = 0; i < 4; i++) {
        sio_socket *socket = sio_peer_socket(&peers[i], "/");
        if (socket != NULL && sio_socket_connected(socket)) {
            emit_self(socket);
        }
    }
    memory_transport_poll(peers[3].mt);
    say(peers, "30[1]");
    say(peers, "31[1]");
    say(peers, "2[\"e\",1]");
    say(peers, "21[\"e\",2]");
    say(peers, "2/b,[\"e\",1]");
    rig_turn(&rig.engine);
    upgrade(&peers[1]);
    rig_turn(&rig.engine);
    sio_peer_send(&peers[0], "1");
    sio_peer_send(&peers[1], "1/b,");
    say(peers, "2[\"e\",1]");
    sio_socket *c = sio_peer_socket(&peers[2], "/");
    if (c != NULL) {
        sio_socket_leave(c, "r");
        sio_socket_disconnect(c);
    }
    rig_advance(&rig.engine, 10);
    memory_transport_drop(peers[2].mt, SIO_ERR_IO);
    sio_peer_send(&peers[3], "9");
    memory_transport_poll(peers[3].mt);
    rig_advance(&rig.engine, 10);
    disconnect_self(sio_peer_socket(&peers[1], "/"));
    memory_transport_fail(peers[1].mt, SIO_ERR_OVERLAP);
    rig_advance(&rig.engine, 60000);
    answer_late(); /* one of two; the other ends with the server */
    late[0] = (struct late){0};
}

static void run(where place, const struct action *action, unsigned patience)
{
    play =
        (struct play){.place = place, .act = action->act, .patience = patience};
    sio_rig_init(&rig);
    rig.engine.config.max_backlog = 400;
    listen_twice(rig.root);
    listen_twice(sio_rig_of(&rig, "/b"));
    live();
    sio_rig_close(&rig);
    rig_advance(&rig.engine, 20);
    sio_rig_free(&rig);
    if (play.connected != play.disconnected ||
        play.connected != play.disconnecting || play.acks % 1000 != 0 ||
        play.acks / 1000 != play.answered) {
        fail_msg("%s in %s: %u, %u, %u; %u, %u", action->label, places[place],
                 play.connected, play.disconnecting, play.disconnected,
                 play.acks, play.answered);
    }
    assert_true(play.done != 0 || place == NOWHERE);
}

static void test_matrix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        for (where place = MIDDLEWARE; place < NOWHERE; place++) {
            for (unsigned patience = 1; patience <= 27; patience *= 3) {
                run(place, &actions[i], patience);
            }
        }
    }
}

/* Without any of it, all of the places are reached. */
static void test_nothing(void **state)
{
    (void)state;
    for (where place = MIDDLEWARE; place < NOWHERE; place++) {
        run(place, &(struct action){"nothing", let_go}, 1000);
    }
    assert_in_range(play.connected, 8, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing),
                                       cmocka_unit_test(test_matrix)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
