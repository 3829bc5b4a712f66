#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/sio_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CONNECTED " 40{\"sid\":\"*\"}"

static sio_rig rig;
static sio_next *held; /* the latest that was not answered at once */

static int setup(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    sio_rig_listen(rig.root);
    held = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_deinit(&rig);
    return 0;
}

static void allow(sio_socket *socket, sio_next *next, void *arg)
{
    assert_false(sio_socket_connected(socket));
    assert_null(sio_namespace_socket(rig.root, sio_socket_id(socket)));
    sio_rig_tell(&rig, " %s?", arg == NULL ? "" : (const char *)arg);
    sio_next_allow(next);
}

static void hold(sio_socket *socket, sio_next *next, void *arg)
{
    (void)socket;
    (void)arg;
    sio_rig_tell(&rig, " hold");
    held = next;
}

static void use(sio_middleware_fn *fn, void *arg)
{
    assert_int_equal(sio_namespace_use(rig.root, fn, arg), SIO_OK);
}

static sio_peer knock(const char *name)
{
    sio_peer peer = sio_rig_open(&rig, MEMORY_WEBSOCKET, name);
    sio_peer_send(&peer, "0{\"k\":1}");
    return peer;
}

/* ------------------------------------------------------------------ order --
 */

static void test_order(void **state)
{
    (void)state;
    use(allow, "1");
    use(allow, "2");
    use(hold, NULL);
    use(allow, "3");
    sio_peer a = knock("a");
    assert_string_equal(sio_rig_told(&rig), " 1? 2? hold");
    assert_string_equal(sio_peer_said(&a), "");
    assert_int_equal(sio_namespace_count(rig.root), 0);
    rig_advance(&rig.engine, 1000);
    sio_next_allow(held);
    assert_string_equal(sio_rig_told(&rig), " 3? +a");
    assert_string_equal(sio_peer_said(&a), CONNECTED);
    assert_int_equal(sio_namespace_count(rig.root), 1);
}

/* One that waits holds up nobody else. */
static void test_answers_out_of_order(void **state)
{
    (void)state;
    use(hold, NULL);
    sio_peer a = knock("a");
    sio_next *first = held;
    sio_peer b = knock("b");
    sio_next_allow(held);
    assert_string_equal(sio_peer_said(&b), CONNECTED);
    sio_next_allow(first);
    assert_string_equal(sio_peer_said(&a), CONNECTED);
    assert_string_equal(sio_rig_told(&rig), " hold hold +b +a");
}

/* ---------------------------------------------------------------- refusals --
 */

static const struct row {
    const char *label, *message, *data, *said;
} rows[] = {
    {"plain", "no", NULL, " 44{\"message\":\"no\"}"},
    {"empty", "", NULL, " 44{\"message\":\"\"}"},
    {"escapes", "a\"b\\\n", NULL, " 44{\"message\":\"a\\\"b\\\\\\n\"}"},
    {"data", "no", "{\"code\":[1,null]}",
     " 44{\"message\":\"no\",\"data\":{\"code\":[1,null]}}"},
    {"a number", "no", "7", " 44{\"message\":\"no\",\"data\":7}"},
    {"no data", "no", "", " 44{\"message\":\"no\"}"},
    {"malformed", "no", "{", " 44{\"message\":\"no\"}"},
    {"two values", "no", "1,\"x\":2", " 44{\"message\":\"no\"}"},
    {"too deep", "no", "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",
     " 44{\"message\":\"no\"}"},
};

static void test_refusals(void **state)
{
    (void)state;
    use(hold, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_peer a = knock("a");
        rig.muted = true;
        sio_next_refuse(held, rows[i].message, rows[i].data);
        rig.muted = false;
        const char *said = sio_peer_said(&a);
        if (strcmp(said, rows[i].said) != 0) {
            fail_msg("%s:%s", rows[i].label, said);
        }
        assert_null(sio_peer_socket(&a, "/"));
        /* It may try again. */
        sio_peer_send(&a, "0");
        sio_next_allow(held);
        assert_string_equal(sio_peer_said(&a), CONNECTED);
    }
    assert_non_null(strstr(rig_logged(&rig.engine), " bad_error_data"));
}

static void join_some(sio_socket *socket, sio_next *next, void *arg)
{
    (void)arg;
    assert_int_equal(sio_socket_join(socket, "r"), SIO_OK);
    assert_int_equal(sio_socket_join(socket, "s"), SIO_OK);
    assert_true(sio_socket_in_room(socket, "r"));
    assert_false(sio_socket_in_room(socket, sio_socket_id(socket)));
    assert_int_equal(sio_socket_room_count(socket), 2);
    sio_next_allow(next);
}

static void test_rooms_go(void **state)
{
    (void)state;
    sio_rig_listen_rooms(rig.root);
    use(join_some, NULL);
    use(hold, NULL);
    sio_peer a = knock("a");
    assert_int_equal(sio_namespace_room_count(rig.root, "r"), 1);
    /* It is no recipient yet. */
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_to(rig.root, "r"), "e", NULL), SIO_OK);
    assert_string_equal(sio_peer_said(&a), "");
    sio_next_refuse(held, "no", NULL);
    assert_string_equal(sio_rig_told(&rig), " *r >r *s >s hold <r /r <s /s");
    assert_int_equal(sio_namespace_rooms(rig.root), 0);

    sio_peer b = knock("b");
    sio_next_allow(held);
    (void)sio_peer_said(&b);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_to(rig.root, "r"), "e", NULL), SIO_OK);
    assert_string_equal(sio_peer_said(&b), " 42[\"e\"]");
}

/* ------------------------------------------------------------ before CONNECT
 * -- */

static void on_ack(sio_socket *socket, sio_error err, sio_event *answer,
                   void *arg)
{
    (void)answer;
    (void)arg;
    sio_rig_tell(&rig, " ack(%s,%s)", sio_rig_name(socket),
                 sio_error_text(err));
}

static void emit_early(sio_socket *socket, sio_next *next, void *arg)
{
    (void)arg;
    assert_int_equal(sio_socket_emit(socket, "early", NULL), SIO_OK);
    assert_int_equal(
        sio_socket_emit_ack(socket, "ask", 100, on_ack, NULL, NULL), SIO_OK);
    held = next;
}

static void test_emit_early(void **state)
{
    (void)state;
    use(emit_early, NULL);
    sio_peer a = knock("a");
    assert_string_equal(sio_peer_said(&a), " 42[\"early\"] 420[\"ask\"]");
    sio_next_allow(held);
    sio_peer_send(&a, "30[]");
    assert_string_equal(sio_peer_said(&a), CONNECTED);
    assert_string_equal(sio_rig_told(&rig), " +a ack(a,success)");
}

/* What a socket that never connects has asked is answered all the same. */
static void test_ask_early(void **state)
{
    (void)state;
    use(emit_early, NULL);
    (void)knock("a");
    sio_next_refuse(held, "no", NULL);
    assert_string_equal(sio_rig_told(&rig),
                        " ack(a,closed before it was done)");
    rig_advance(&rig.engine, 1000);
    sio_peer b = knock("b");
    memory_transport_drop(b.mt, SIO_OK);
    rig_turn(&rig.engine);
    assert_string_equal(sio_rig_told(&rig),
                        " ack(b,closed before it was done)");
    sio_next_allow(held);
    (void)knock("c");
    rig_advance(&rig.engine, 100);
    assert_string_equal(sio_rig_told(&rig), " ack(c,not answered in time)");
    sio_next_allow(held);
    assert_string_equal(sio_rig_told(&rig), " +c");
}

/* ------------------------------------------------------------- never, late --
 */

static void test_event_while_waiting(void **state)
{
    (void)state;
    use(hold, NULL);
    sio_peer a = knock("a");
    sio_peer_send(&a, "2[\"eager\"]");
    (void)sio_peer_said(&a);
    assert_false(sio_peer_open(&a));
    sio_next_allow(held);
    assert_string_equal(sio_rig_told(&rig), " hold");
}

static void test_late(void **state)
{
    (void)state;
    use(hold, NULL);
    for (int i = 0; i < 6; i++) {
        sio_peer a =
            sio_rig_open(&rig, i == 5 ? MEMORY_POLLING : MEMORY_WEBSOCKET, "a");
        sio_peer_send(&a, "0");
        if (i == 0) {
            memory_transport_drop(a.mt, SIO_ERR_IO);
        } else if (i == 1) {
            sio_peer_send(&a, "0"); /* twice is a violation */
        } else if (i == 2) {
            eio_session_close(a.session, EIO_CLOSE_NOW);
        } else {
            rig_advance(&rig.engine, 5000);
        }
        rig_turn(&rig.engine);
        if (i % 2 == 0) {
            sio_next_allow(held);
        } else {
            sio_next_refuse(held, "late", "{}");
        }
        memory_transport_poll(a.mt);
        (void)sio_peer_said(&a);
        assert_false(sio_peer_open(&a));
    }
    assert_string_equal(sio_rig_told(&rig), " hold hold hold hold hold hold");
}

/* The socket is in the middle of its end. */
static void answer_held(sio_socket *socket, sio_disconnect_reason reason,
                        sio_error why, void *arg)
{
    sio_next *next = held;
    (void)socket;
    (void)reason;
    (void)why;
    held = NULL;
    if (next != NULL && arg != NULL) {
        sio_next_allow(next);
    } else if (next != NULL) {
        sio_next_refuse(next, "no", NULL);
    }
}

static void test_answer_while_closing(void **state)
{
    (void)state;
    static int yes;
    for (int allowed = 0; allowed < 2; allowed++) {
        sio_namespace *b = sio_rig_of(&rig, allowed != 0 ? "/b" : "/c");
        sio_rig_listen(b);
        assert_int_equal(sio_namespace_on_disconnect(
                             b, answer_held, allowed != 0 ? &yes : NULL),
                         SIO_OK);
        if (allowed == 0) {
            use(hold, NULL);
        }
        sio_peer a = sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
        sio_peer_send(&a, allowed != 0 ? "0/b," : "0/c,");
        sio_peer_send(&a, "0");
        (void)sio_rig_told(&rig);
        memory_transport_drop(a.mt, SIO_OK);
        rig_turn(&rig.engine);
        assert_null(held);
        assert_null(strchr(sio_rig_told(&rig), '+'));
    }
}

static void test_never(void **state)
{
    (void)state;
    use(hold, NULL);
    (void)knock("a");
    sio_peer b = knock("b");
    memory_transport_drop(b.mt, SIO_OK);
    assert_string_equal(sio_rig_told(&rig), " hold hold");
    /* The teardown sees that nothing is left. */
}

static void close_it(sio_socket *socket, sio_next *next, void *arg)
{
    (void)arg;
    sio_socket_close(socket);
    sio_next_allow(next);
}

static void test_close_inside(void **state)
{
    (void)state;
    use(close_it, NULL);
    for (memory_kind kind = MEMORY_POLLING; kind <= MEMORY_WEBSOCKET; kind++) {
        sio_peer a = sio_rig_open(&rig, kind, "a");
        sio_peer_send(&a, "0");
        rig_turn(&rig.engine);
        assert_null(sio_peer_socket(&a, "/"));
        assert_string_equal(sio_rig_told(&rig), "");
    }
}

static void test_many(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        use(allow, NULL);
    }
    rig.muted = true;
    sio_peer a = knock("a");
    assert_string_equal(sio_peer_said(&a), CONNECTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_answers_out_of_order),
        TEST(test_refusals),
        TEST(test_rooms_go),
        TEST(test_emit_early),
        TEST(test_ask_early),
        TEST(test_event_while_waiting),
        TEST(test_late),
        TEST(test_answer_while_closing),
        TEST(test_never),
        TEST(test_close_inside),
        TEST(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
