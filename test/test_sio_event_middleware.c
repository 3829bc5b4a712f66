#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "socketio/jansson.h"
#include "test/sio_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HOLE(n) "{\"_placeholder\":true,\"num\":" #n "}"

static sio_rig rig;
static sio_peer a;
static sio_socket *socket_a;

/* What waits for an answer. */
static struct held {
    sio_event_next *next;
    sio_event *event;
} held[4096];
static size_t held_count;

static int setup(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    a = sio_rig_join(&rig, "a");
    socket_a = sio_peer_socket(&a, "/");
    held_count = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_deinit(&rig);
    return 0;
}

static void tell(const sio_event *event, const char *mark)
{
    const sio_args *args = sio_event_args(event);
    sio_rig_tell(&rig, " %s:%s(%.*s)", mark, sio_event_name(event),
                 (int)args->json_len, args->json_len == 0 ? "" : args->json);
    for (size_t i = 0; i < args->binary_count; i++) {
        sio_rig_tell(&rig, "%.*s;", (int)args->binaries[i].len,
                     (const char *)args->binaries[i].data);
    }
}

static void show(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    tell(event, arg);
}

static void pass(sio_socket *socket, sio_event *event, sio_event_next *next,
                 void *arg)
{
    (void)socket;
    tell(event, arg);
    sio_event_next_pass(next);
}

static void drop(sio_socket *socket, sio_event *event, sio_event_next *next,
                 void *arg)
{
    (void)socket;
    tell(event, arg);
    sio_event_next_drop(next);
}

static void fail_it(sio_socket *socket, sio_event *event, sio_event_next *next,
                    void *arg)
{
    (void)socket;
    tell(event, arg);
    sio_event_next_fail(next, "not \"you\"", "{\"code\":1}");
}

static void hold(sio_socket *socket, sio_event *event, sio_event_next *next,
                 void *arg)
{
    (void)socket;
    tell(event, arg);
    assert_true(held_count < COUNT(held));
    held[held_count++] = (struct held){next, event};
}

static void on_error(sio_socket *socket, sio_event *event, const char *message,
                     const char *data, void *arg)
{
    (void)socket;
    sio_rig_tell(&rig, " %s%s", message, data == NULL ? "" : data);
    tell(event, arg);
}

static void use(sio_event_middleware_fn *fn, char *mark)
{
    assert_int_equal(sio_namespace_use_events(rig.root, fn, mark), SIO_OK);
}

static void on(const char *name, sio_event_fn *fn, char *mark)
{
    assert_int_equal(sio_namespace_on(rig.root, name, fn, mark), SIO_OK);
}

static void told(const char *expected)
{
    assert_string_equal(sio_rig_told(&rig), expected);
}

static void test_order(void **state)
{
    (void)state;
    use(pass, "m1");
    on("e", show, "h1");
    assert_int_equal(sio_namespace_on_any(rig.root, show, "any"), SIO_OK);
    use(pass, "m2");
    on("e", show, "h2");
    sio_peer_send(&a, "2[\"e\",1]");
    told(" any:e(1) m1:e(1) m2:e(1) h1:e(1) h2:e(1)");
    sio_peer_send(&a, "2[\"f\"]");
    told(" any:f() m1:f() m2:f()");
    sio_peer_send(&a, "2");
    told(" any:() m1:() m2:()");
    /* Those of one namespace are not for another. */
    sio_peer_send(&a, "0/b,");
    sio_peer_send(&a, "2/b,[\"e\"]");
    told("");
}

static void test_drop(void **state)
{
    (void)state;
    sio_namespace_on_event_error(rig.root, on_error, "error");
    assert_int_equal(sio_namespace_on_any(rig.root, show, "any"), SIO_OK);
    use(drop, "m1");
    use(pass, "m2");
    on("e", show, "h");
    sio_peer_send(&a, "20[\"e\"]");
    told(" any:e() m1:e()");
    assert_string_equal(sio_peer_said(&a), "");
    assert_true(sio_peer_open(&a));
}

static void test_fail(void **state)
{
    (void)state;
    use(pass, "m1");
    use(fail_it, "m2");
    use(pass, "m3");
    on("e", show, "h");
    on("error", show, "h");
    sio_peer_send(&a, "20[\"e\"]"); /* is logged */
    told(" m1:e() m2:e()");
    sio_namespace_on_event_error(rig.root, on_error, "error1");
    sio_namespace_on_event_error(rig.root, on_error, "error2");
    sio_peer_send(&a, "20[\"e\"]");
    told(" m1:e() m2:e() not \"you\"{\"code\":1} error1:e()"
         " not \"you\"{\"code\":1} error2:e()");
    assert_string_equal(sio_peer_said(&a), "");
    assert_true(sio_peer_open(&a));
}

/* Events that wait are whole when their packet has gone. */
static void test_later(void **state)
{
    (void)state;
    use(hold, "m1");
    use(hold, "m2");
    on("e", show, "h");
    sio_peer_send(&a, "51-7[\"e\",1," HOLE(0) "]");
    sio_peer_send_binary(&a, SIO_LIT("xyz"));
    sio_peer_send(&a, "28[\"\\u0065\",2]");
    told(" m1:e(1," HOLE(0) ")xyz; m1:e(2)");
    assert_ptr_not_equal(held[0].event, held[1].event);
    tell(held[0].event, "view");
    told(" view:e(1," HOLE(0) ")xyz;");
    sio_event_next_pass(held[1].next); /* overtakes */
    told(" m2:e(2)");
    sio_event_next_pass(held[0].next);
    told(" m2:e(1," HOLE(0) ")xyz;");
    assert_int_equal(sio_event_ack(held[3].event, "i", 3), SIO_OK);
    assert_false(sio_event_wants_ack(held[3].event));
    sio_event_next_pass(held[3].next);
    told(" h:e(1," HOLE(0) ")xyz;");
    sio_event_next_pass(held[2].next);
    told(" h:e(2)");
    assert_string_equal(sio_peer_said(&a), " 437[3]");
    assert_int_equal(socket_a->client->dues->kib, 0);
}

static void test_later_fails(void **state)
{
    (void)state;
    sio_namespace_on_event_error(rig.root, on_error, "error");
    use(hold, "m1");
    on("e", show, "h");
    sio_peer_send(&a, "27[\"e\",1]");
    sio_peer_send(&a, "28[\"e\",2]");
    told(" m1:e(1) m1:e(2)");
    sio_event_next_fail(held[0].next, "no", NULL);
    told(" no error:e(1)");
    sio_event_next_drop(held[1].next);
    told("");
    assert_int_equal(socket_a->client->dues->kib, 0);
}

/* No answer has an effect once the socket has left, be it for good or not. */
static void test_gone_meanwhile(void **state)
{
    (void)state;
    use(hold, "m1");
    on("e", show, "h");
    sio_namespace_on_event_error(rig.root, on_error, "error");
    for (int i = 0; i < 6; i++) {
        sio_peer_send(&a, "27[\"e\",1]");
    }
    (void)sio_rig_told(&rig);
    sio_peer_send(&a, "1");
    sio_peer_send(&a, "0");
    assert_int_not_equal(sio_peer_socket(&a, "/")->client->dues->kib, 0);
    sio_event_next_pass(held[0].next);
    sio_event_next_fail(held[1].next, "no", NULL);
    told("");
    memory_transport_drop(a.mt, SIO_OK);
    rig_turn(&rig.engine);
    assert_false(sio_peer_open(&a));
    sio_event_next_pass(held[2].next);
    sio_event_next_drop(held[3].next);
    sio_event_next_fail(held[4].next, "no", NULL);
    told(""); /* the last one ends with the server */
}

static void leave(sio_socket *socket, sio_event *event, sio_event_next *next,
                  void *arg)
{
    tell(event, arg);
    sio_socket_disconnect(socket);
    sio_event_next_pass(next);
    tell(event, "still");
}

static void leave_and_hold(sio_socket *socket, sio_event *event,
                           sio_event_next *next, void *arg)
{
    eio_session_close(socket->client->session, EIO_CLOSE_NOW);
    hold(socket, event, next, arg);
}

static void test_leaves(void **state)
{
    (void)state;
    use(leave, "m1");
    use(pass, "m2");
    on("e", show, "h");
    sio_peer_send(&a, "2[\"e\",1]");
    told(" m1:e(1) still:e(1)");
    assert_string_equal(sio_peer_said(&a), " 41");
}

static void test_leaves_and_holds(void **state)
{
    (void)state;
    use(leave_and_hold, "m1");
    on("e", show, "h");
    sio_peer_send(&a, "2[\"e\",1]");
    rig_turn(&rig.engine);
    told(" m1:e(1)");
    tell(held[0].event, "view");
    told(" view:e(1)");
    sio_event_next_pass(held[0].next);
    told("");
}

/* A client may send as much as it likes: of what waits there is a limit, and
 * what has been answered does not count. */
static void test_limit(void **state)
{
    (void)state;
    size_t most = 64 + rig.core.max_binary / 1024;
    use(hold, "m1");
    rig.muted = true;
    for (size_t i = 0; i < 3 * most; i++) {
        sio_peer_send(&a, "2[\"e\"]");
        sio_event_next_pass(held[--held_count].next);
    }
    assert_true(sio_peer_open(&a));
    for (size_t i = 0; i < most; i++) {
        assert_true(sio_peer_open(&a));
        sio_peer_send(&a, "2[\"e\"]");
    }
    assert_true(sio_peer_open(&a));
    sio_peer_send(&a, "2[\"e\",1]");
    rig_turn(&rig.engine);
    assert_false(sio_peer_open(&a));
    assert_int_equal(sio_metric_get(&rig.engine.errors[-SIO_ERR_LIMIT]), 1);
    assert_int_equal(held_count, most + 1);
    assert_int_equal(sio_event_arg_count(held[most - 1].event), 0);
    assert_int_equal(sio_event_args(held[most].event)->json_len, 0);
    while (held_count != 0) {
        sio_event_next_pass(held[--held_count].next);
    }
    rig.muted = false;
}

/* -------------------------------------------------------------- changing --
 */

static const struct row {
    const char *label, *name, *json, *told;
    sio_error err;
} rows[] = {
    {"nothing", NULL, NULL, " h:e(1,\"two\")", SIO_OK},
    {"name", "f", NULL, " h:f(1,\"two\")", SIO_OK},
    {"name with quotes", "a\"b", NULL, " h:a\"b(1,\"two\")", SIO_OK},
    {"unknown name", "x", NULL, "", SIO_OK},
    {"arguments", NULL, "[3],4,5", " h:e([3],4,5)", SIO_OK},
    {"no arguments", NULL, "", " h:e()", SIO_OK},
    {"both", "f", "null", " h:f(null)", SIO_OK},
    {"reserved", "disconnect", "7", " h:e(1,\"two\")", SIO_ERR_RESERVED},
    {"no UTF-8", "\xff", "7", " h:e(1,\"two\")", SIO_ERR_ARGUMENT},
    {"malformed", "f", "7,", " h:e(1,\"two\")", SIO_ERR_ARGUMENT},
};

static void change(sio_socket *socket, sio_event *event, sio_event_next *next,
                   void *arg)
{
    const struct row *row = arg;
    const char *two;
    int one;
    (void)socket;
    assert_int_equal(sio_event_unpack(event, "is", &one, &two), SIO_OK);
    sio_args args = {row->json, row->json == NULL ? 0 : strlen(row->json), NULL,
                     0};
    assert_int_equal(
        sio_event_set(event, row->name, row->json == NULL ? NULL : &args),
        row->err);
    sio_event_next_pass(next);
}

static void test_change(void **state)
{
    const struct row *row = &rows[(size_t)*state];
    (void)setup(NULL);
    assert_int_equal(
        sio_namespace_use_events(rig.root, change, (void *)(uintptr_t)row),
        SIO_OK);
    on("e", show, "h");
    on("f", show, "h");
    on("a\"b", show, "h");
    sio_peer_send(&a, "2[\"e\",1,\"two\"]");
    if (strcmp(row->told, sio_rig_told(&rig)) != 0) {
        fail_msg("%s", row->label);
    }
    (void)teardown(NULL);
}

/* From a part of itself, and of what waits. */
static void test_change_later(void **state)
{
    (void)state;
    use(hold, "m");
    on("e", show, "h");
    sio_peer_send(&a, "51-[\"e\",1," HOLE(0) "]");
    sio_peer_send_binary(&a, SIO_LIT("xyz"));
    told(" m:e(1," HOLE(0) ")xyz;");
    sio_args rest = sio_event_args_from(held[0].event, 1);
    assert_int_equal(sio_event_set(held[0].event, NULL, &rest), SIO_OK);
    assert_int_equal(sio_event_arg_count(held[0].event), 1);
    sio_binary binary;
    assert_int_equal(sio_event_arg_binary(held[0].event, 0, &binary), SIO_OK);
    assert_int_equal(binary.len, 3);
    sio_event_next_pass(held[0].next);
    told(" h:e(" HOLE(0) ")xyz;");
}

/* Where nobody listens it is logged: once in a second, as it costs the client
 * nothing to have it so. */
static void test_fail_is_logged(void **state)
{
    (void)state;
    use(fail_it, "m");
    for (int i = 0; i < 50; i++) {
        sio_peer_send(&a, "2[\"e\"]");
        assert_string_equal(rig_logged(&rig.engine),
                            i == 0 ? " event_refused" : "");
    }
    rig_advance(&rig.engine, 1000);
    sio_peer_send(&a, "2[\"e\"]");
    assert_string_equal(rig_logged(&rig.engine), " event_refused");
}

static void test_fixed(void **state)
{
    (void)state;
    rig.core.fixed = true;
    assert_int_equal(sio_namespace_use_events(rig.root, pass, "m"),
                     SIO_ERR_STATE);
    assert_int_equal(sio_namespace_on_event_error(rig.root, on_error, "e"),
                     SIO_ERR_STATE);
}

#define CASE(i)                                                                \
    {                                                                          \
        "change " #i, test_change, NULL, NULL, (void *)(size_t)(i)             \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_later_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaves_and_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        CASE(0),
        CASE(1),
        CASE(2),
        CASE(3),
        CASE(4),
        CASE(5),
        CASE(6),
        CASE(7),
        CASE(8),
        CASE(9),
        cmocka_unit_test_setup_teardown(test_change_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fail_is_logged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fixed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
