#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/engine_rig.h"

/* Sessions of revision 3: the peer pings. */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define POLLING MEMORY_POLLING
#define SOCKET MEMORY_WEBSOCKET
#define TIMED_OUT " closed(ping timeout, not answered in time)"
#define WHOLE 45000 /* ms: interval and timeout */

static engine_rig rig;

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    rig.protocol = &eio_protocol_3;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_deinit(&rig);
    return 0;
}

/* Who says nothing ends at the deadline, and not before; nothing is sent. */
static void test_silent(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        rig_client *client = rig_open(&rig, i == 0 ? SOCKET : POLLING);
        assert_int_equal(eio_session_revision(client->session), 3);
        rig_run(&rig, WHOLE - 1);
        assert_string_equal(rig_told(client), "");
        assert_string_equal(memory_transport_said(client->mt), "");
        rig_run(&rig, 1);
        assert_string_equal(rig_told(client), TIMED_OUT);
    }
    assert_int_equal(rig.counters[SIO_COUNTER_PING_TIMEOUTS], 2);
}

/* Pings are answered without what they carry; only they count. */
static void test_pings(void **state)
{
    (void)state;
    rig_client *client = rig_open(&rig, SOCKET);
    for (int i = 0; i < 5; i++) {
        rig_run(&rig, WHOLE - 1);
        rig_receive(client->mt, "2hi");
        rig_turn(&rig);
        assert_string_equal(memory_transport_said(client->mt), " 3");
    }
    rig_run(&rig, WHOLE - 1);
    rig_receive(client->mt, "4a");
    assert_string_equal(rig_told(client), " text(a)");
    rig_run(&rig, 1);
    assert_string_equal(rig_told(client), TIMED_OUT);
}

static void test_pings_while_polling(void **state)
{
    (void)state;
    rig_client *client = rig_open(&rig, POLLING);
    for (int i = 0; i < 5; i++) {
        memory_transport_poll(client->mt);
        rig_run(&rig, 44000);
        rig_receive(client->mt, "2");
        rig_turn(&rig);
        assert_string_equal(memory_transport_said(client->mt), " [3]");
    }
    /* The answer waits for a poll. */
    rig_receive(client->mt, "2");
    rig_turn(&rig);
    memory_transport_poll(client->mt);
    rig_turn(&rig);
    assert_string_equal(memory_transport_said(client->mt), " [3]");
}

static void test_direction(void **state)
{
    (void)state;
    rig_client *client = rig_open(&rig, SOCKET);
    rig_receive(client->mt, "3");
    assert_string_equal(rig_told(client),
                        " closed(transport error, heartbeat in the wrong "
                        "direction)");
    rig.protocol = &eio_protocol_4;
    client = rig_open(&rig, SOCKET);
    rig_receive(client->mt, "2");
    assert_string_equal(rig_told(client),
                        " closed(transport error, heartbeat in the wrong "
                        "direction)");
}

/* A peer that pings and never polls has a bounded heap of answers. */
static void test_heap(void **state)
{
    (void)state;
    rig_client *client = rig_open(&rig, POLLING);
    for (int i = 0; i < 2000; i++) {
        rig_receive(client->mt, "2");
    }
    assert_int_equal(eio_session_backlog(client->session), 255);
    memory_transport_poll(client->mt);
    rig_turn(&rig);
    assert_int_equal(eio_session_backlog(client->session), 0);
    (void)memory_transport_said(client->mt);
    rig_receive(client->mt, "2");
    memory_transport_poll(client->mt);
    rig_turn(&rig);
    assert_string_equal(memory_transport_said(client->mt), " [3]");
    assert_string_equal(rig_told(client), "");
}

/* Whenever it upgrades, the deadline stays what the last ping made it. */
static void test_upgrade(void **state)
{
    static const unsigned at[] = {0, 1, 25000, 44000, 44999};
    (void)state;
    for (size_t i = 0; i < COUNT(at); i++) {
        rig_client *client = rig_open(&rig, POLLING);
        rig_run(&rig, 500);
        rig_receive(client->mt, "2");
        rig_run(&rig, at[i]);
        memory_transport *mt = rig_probe(client);
        assert_non_null(mt);
        rig_receive(mt, "2probe");
        rig_turn(&rig);
        assert_string_equal(memory_transport_said(mt), " 3probe");
        rig_receive(mt, "5");
        rig_turn(&rig);
        assert_string_equal(rig_told(client), " upgraded");
        rig_run(&rig, WHOLE - at[i] - 1);
        assert_string_equal(rig_told(client), "");
        if (i % 2 == 0) {
            (void)memory_transport_said(mt);
            rig_receive(mt, "2");
            rig_turn(&rig);
            assert_string_equal(memory_transport_said(mt), " 3");
            rig_run(&rig, WHOLE - 1);
            assert_string_equal(rig_told(client), "");
        }
        rig_run(&rig, 1);
        assert_string_equal(rig_told(client), TIMED_OUT);
        assert_string_equal(memory_transport_said(mt),
                            i % 2 == 0 ? " close" : " 3 close");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pings_while_polling, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_direction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upgrade, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
