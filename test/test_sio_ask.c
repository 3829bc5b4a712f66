#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "socketio/adapter.h"
#include "test/sio_rig.h"

/* Broadcasts whose answers are told one by one, as adapters need them. */

static sio_rig rig;
static sio_peer a, b;
static sio_namespace *m;

static int setup(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    m = sio_rig_of(&rig, "/m");
    sio_peer *peers[] = {&a, &b};
    for (int i = 0; i < 2; i++) {
        *peers[i] = sio_rig_open(&rig, MEMORY_WEBSOCKET, i == 0 ? "a" : "b");
        sio_peer_send(peers[i], "0/m,");
        (void)sio_peer_said(peers[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_deinit(&rig);
    return 0;
}

static void told(const char *expected)
{
    for (int i = 0; i < 3; i++) {
        rig_turn(&rig.engine);
    }
    assert_string_equal(sio_rig_told(&rig), expected);
}

static void said(const char *to_a, const char *to_b)
{
    assert_string_equal(sio_peer_said(&a), to_a);
    assert_string_equal(sio_peer_said(&b), to_b);
}

static void on_asked(size_t expected, void *arg)
{
    (void)arg;
    sio_rig_tell(&rig, " asked(%d)", (int)expected);
}

static void on_answered(const sio_args *answer, void *arg)
{
    (void)arg;
    sio_rig_tell(&rig, " answered(%.*s)%.*s", (int)answer->json_len,
                 answer->json_len == 0 ? "" : answer->json,
                 answer->binary_count == 0 ? 0 : (int)answer->binaries[0].len,
                 answer->binary_count == 0
                     ? ""
                     : (const char *)answer->binaries[0].data);
}

static void on_ended(sio_error err, void *arg)
{
    (void)arg;
    sio_rig_tell(&rig, " ended(%d)", (int)err);
}

static const sio_ask_events events = {on_asked, on_answered, on_ended};

#define HOLE "{\"_placeholder\":true,\"num\":0}"

static void test_ad01_ask(void **state)
{
    (void)state;
    sio_broadcast all = sio_namespace_broadcast(m);
    sio_args args = {"1", 1, NULL, 0};
    assert_int_equal(sio_broadcast_ask(all, "q", &args, 20, &events, NULL),
                     SIO_OK);
    assert_string_equal(sio_rig_told(&rig), ""); /* in a later turn */
    told(" asked(2)");
    said(" 42/m,0[\"q\",1]", " 42/m,0[\"q\",1]");
    sio_peer_send(&a, "3/m,0[\"x\",2]");
    told(" answered(\"x\",2)");
    sio_peer_send(&b, "61-/m,0[" HOLE "]");
    sio_peer_send_binary(&b, SIO_LIT("xyz"));
    told(" answered(" HOLE ")xyz ended(0)");
}

static void test_ad01_ask_late(void **state)
{
    (void)state;
    sio_broadcast all = sio_namespace_broadcast(m);
    assert_int_equal(sio_broadcast_ask(all, "q", NULL, 20, &events, NULL),
                     SIO_OK);
    sio_peer_send(&b, "3/m,0[]");
    told(" asked(2) answered()");
    rig_advance(&rig.engine, 30);
    told(" ended(-304)");
    sio_peer_send(&a, "3/m,0[]");
    told("");
    assert_int_equal(sio_broadcast_ask(sio_namespace_to(m, "none"), "q", NULL,
                                       20, &events, NULL),
                     SIO_OK);
    told(" asked(0) ended(0)");
}

static void test_ad01_ask_refuses(void **state)
{
    (void)state;
    sio_broadcast all = sio_namespace_broadcast(m), many = all;
    for (int i = 0; i <= SIO_BROADCAST_ROOMS; i++) {
        many = sio_broadcast_to(many, "r");
    }
    assert_int_equal(sio_broadcast_ask(all, "q", NULL, 0, &events, NULL),
                     SIO_ERR_ARGUMENT);
    assert_int_equal(sio_broadcast_ask(all, "connect", NULL, 9, &events, NULL),
                     SIO_ERR_RESERVED);
    assert_int_equal(sio_broadcast_ask(many, "q", NULL, 9, &events, NULL),
                     SIO_ERR_ARGUMENT);
    told("");
    said("", "");
    /* Nobody is told when the server goes. */
    assert_int_equal(sio_broadcast_ask(all, "q", NULL, 20, &events, NULL),
                     SIO_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_ad01_ask),
        CASE(test_ad01_ask_late),
        CASE(test_ad01_ask_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
