#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/sio_rig.h"

static sio_rig rig;
static sio_reply *held[8];
static size_t held_count;

static int setup(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    held_count = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_deinit(&rig);
    return 0;
}

static void show(sio_namespace *nsp, const char *event, const sio_args *args,
                 sio_reply *reply, void *arg)
{
    assert_ptr_equal(nsp, rig.root);
    sio_rig_tell(&rig, " %s:%s(%.*s)%s", (const char *)arg, event,
                 (int)args->json_len, args->json, reply == NULL ? "" : "?");
    if (reply != NULL) {
        assert_int_equal(sio_reply_send(reply, "si", arg, 2), SIO_OK);
    }
}

static void hold(sio_namespace *nsp, const char *event, const sio_args *args,
                 sio_reply *reply, void *arg)
{
    (void)nsp;
    (void)args;
    sio_rig_tell(&rig, " %s:%s held", (const char *)arg, event);
    held[held_count++] = reply;
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    sio_rig_tell(&rig, " %s(%d;%.*s;%d/%d)", (const char *)arg, (int)err,
                 (int)len, len == 0 ? "" : answers, (int)count, (int)expected);
}

static void on(const char *event, sio_server_event_fn *fn, char *arg)
{
    assert_int_equal(sio_namespace_on_server_event(rig.root, event, fn, arg),
                     SIO_OK);
}

static void ask(const char *event)
{
    assert_int_equal(sio_namespace_emit_server_ack(rig.root, event, 10,
                                                   on_answers, "told", "i", 1),
                     SIO_OK);
}

static void told(const char *expected)
{
    rig_turn(&rig.engine);
    assert_string_equal(sio_rig_told(&rig), expected);
}

static void test_emit(void **state)
{
    (void)state;
    on("e", show, "1");
    on("f", show, "2");
    on("e", show, "3");
    assert_int_equal(sio_namespace_emit_server(rig.root, "e", "is", 1, "x"),
                     SIO_OK);
    assert_string_equal(sio_rig_told(&rig), ""); /* in a later turn */
    told(" 1:e(1,\"x\") 3:e(1,\"x\")");
    assert_int_equal(sio_namespace_emit_server(rig.root, "none", NULL), SIO_OK);
    told("");
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"connect", "connection",
                                        "new_namespace"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            sio_namespace_on_server_event(rig.root, names[i], show, NULL),
            SIO_ERR_RESERVED);
        assert_int_equal(sio_namespace_emit_server(rig.root, names[i], NULL),
                         SIO_ERR_RESERVED);
        assert_int_equal(sio_namespace_emit_server_ack(rig.root, names[i], 1,
                                                       on_answers, "", NULL),
                         SIO_ERR_RESERVED);
    }
    assert_int_equal(
        sio_namespace_emit_server_ack(rig.root, "e", 0, on_answers, "", NULL),
        SIO_ERR_ARGUMENT);
    rig.core.fixed = true;
    assert_int_equal(sio_namespace_on_server_event(rig.root, "e", show, NULL),
                     SIO_ERR_STATE);
}

static void test_answers(void **state)
{
    (void)state;
    on("e", show, "1");
    on("e", hold, "2");
    on("e", show, "3");
    ask("e");
    told(" 1:e(1)? 2:e held 3:e(1)?");
    assert_int_equal(sio_reply_send(held[0], NULL), SIO_OK);
    told(" told(0;\"1\",\"3\",null;3/3)");
    rig_advance(&rig.engine, 20);
    told("");
    ask("none");
    told(" told(0;;0/0)");
}

static void test_late(void **state)
{
    (void)state;
    on("e", hold, "1");
    on("e", show, "2");
    ask("e");
    told(" 1:e held 2:e(1)?");
    rig_advance(&rig.engine, 20);
    told(" told(-304;\"2\";1/2)");
    assert_int_equal(sio_reply_send(held[0], "i", 1), SIO_OK);
    told("");
}

static void emit_again(sio_namespace *nsp, const char *event,
                       const sio_args *args, sio_reply *reply, void *arg)
{
    show(nsp, event, args, reply, arg);
    if (rig.root->server_handler_count < 8) {
        on("e", emit_again, arg);
        (void)sio_namespace_emit_server(nsp, "f", NULL);
        ask("f");
        (void)sio_broadcast_disconnect(sio_namespace_broadcast(nsp), true);
    }
}

static void test_changes_meanwhile(void **state)
{
    (void)state;
    (void)sio_rig_join(&rig, "a");
    on("e", emit_again, "1");
    on("f", show, "2");
    ask("e");
    told(" 1:e(1)? told(0;\"1\";1/1)");
    told(" 2:f() 2:f(1)? told(0;\"2\";1/1)");
}

/* The server ends while answers are awaited, and events are on their way. */
static void test_end(void **state)
{
    (void)state;
    on("e", hold, "1");
    on("e", hold, "2");
    ask("e");
    told(" 1:e held 2:e held");
    ask("e");
    (void)sio_namespace_emit_server(rig.root, "e", "s", "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_emit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes_meanwhile, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
