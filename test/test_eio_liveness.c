#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/engine_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define POLLING MEMORY_POLLING
#define SOCKET MEMORY_WEBSOCKET
#define CLOSED(reason, why) " closed(" reason ", " why ")"

static void test_heartbeat(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, SOCKET);
    rig_run(&rig, 24999);
    assert_string_equal(memory_transport_said(client->mt), "");
    rig_run(&rig, 1);
    assert_string_equal(memory_transport_said(client->mt), " 2");
    rig_run(&rig, 19999);
    rig_receive(client->mt, "3");
    rig_run(&rig, 24999);
    assert_string_equal(memory_transport_said(client->mt), "");
    rig_run(&rig, 1);
    assert_string_equal(memory_transport_said(client->mt), " 2");
    (void)rig_told(client);
    rig_run(&rig, 19999);
    assert_string_equal(rig_told(client), "");
    rig_run(&rig, 1);
    assert_string_equal(rig_told(client),
                        CLOSED("ping timeout", "not answered in time"));
    assert_string_equal(memory_transport_said(client->mt), " close");
    assert_int_equal(rig.counters[SIO_COUNTER_PING_TIMEOUTS], 1);
    assert_int_equal(rig.errors[-SIO_ERR_TIMEOUT], 1);
    assert_string_equal(rig_logged(&rig), " session_closed");
    rig_deinit(&rig);
}

/* Six hours; the peer answers after a while. */
static void test_heartbeat_for_hours(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *sock = rig_open(&rig, SOCKET);
    rig_client *poll = rig_open(&rig, POLLING);
    for (unsigned i = 0; i < 6 * 3600 / 25; i++) {
        memory_transport_poll(poll->mt);
        rig_run(&rig, 25000);
        assert_string_equal(memory_transport_said(sock->mt), " 2");
        assert_string_equal(memory_transport_said(poll->mt), " [2]");
        rig_run(&rig, i * 271 % 20000);
        rig_receive(sock->mt, "3");
        rig_receive(poll->mt, "3");
    }
    assert_int_equal(sock->events[RIG_CLOSED] + poll->events[RIG_CLOSED], 0);
    rig_deinit(&rig);
}

/* A loop that has slept too long gives the peer its whole time. */
static void test_heartbeat_late(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, SOCKET);
    for (int i = 0; i < 3; i++) {
        rig_advance(&rig, 3600000);
        assert_string_equal(memory_transport_said(client->mt), " 2");
        rig_advance(&rig, 19999);
        assert_int_equal(client->events[RIG_CLOSED], 0);
        rig_receive(client->mt, "3");
    }
    rig_advance(&rig, 3600000);
    rig_advance(&rig, 20000);
    assert_int_equal(client->reason, EIO_REASON_PING_TIMEOUT);
    rig_deinit(&rig);
}

static void test_heartbeat_extended(void **state)
{
    (void)state;
    static const char *const signs[] = {"4x", "6", "bAQ==", "0"};
    for (size_t i = 0; i < COUNT(signs); i++) {
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, SOCKET);
        rig_receive(client->mt, signs[i]); /* changes nothing yet */
        rig_run(&rig, 40000);
        rig_receive(client->mt, signs[i]);
        rig_run(&rig, 10000);
        rig_receive(client->mt, signs[i]); /* not a second time */
        rig_run(&rig, 9999);
        assert_int_equal(client->events[RIG_CLOSED], 0);
        rig_run(&rig, 1);
        assert_int_equal(client->events[RIG_CLOSED], 1);
        assert_int_equal(client->reason, EIO_REASON_PING_TIMEOUT);
        rig_deinit(&rig);
    }
}

/* The ping waits for a poll; the time does not. */
static void test_heartbeat_polling(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    rig_run(&rig, 30000);
    memory_transport_poll(client->mt);
    rig_turn(&rig);
    assert_string_equal(memory_transport_said(client->mt), " [2]");
    rig_run(&rig, 14999);
    rig_receive(client->mt, "3");
    rig_run(&rig, 25000 + 19999);
    assert_int_equal(client->events[RIG_CLOSED], 0);
    rig_run(&rig, 1);
    assert_int_equal(client->reason, EIO_REASON_PING_TIMEOUT);
    assert_string_equal(memory_transport_said(client->mt), "");
    rig_deinit(&rig);
}

/* The loop wakes up and hears peers before it looks at its timers: what they
 * say counts from then, and nobody dies whose answer is there. */
static void test_heard_first(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_sleep(&rig, 60000);
    rig_client *pong = rig_open(&rig, SOCKET);
    rig_client *sign = rig_open(&rig, SOCKET);
    rig_client *mute = rig_open(&rig, SOCKET);
    rig_run(&rig, 25000); /* since they were opened */
    assert_string_equal(memory_transport_said(pong->mt), " 2");
    rig_sleep(&rig, 20000);
    rig_receive(pong->mt, "3");
    rig_receive(sign->mt, "6");
    rig_turn(&rig);
    assert_int_equal(mute->reason, EIO_REASON_PING_TIMEOUT);
    rig_run(&rig, 19999);
    assert_int_equal(sign->events[RIG_CLOSED], 0);
    rig_run(&rig, 1);
    assert_int_equal(sign->reason, EIO_REASON_PING_TIMEOUT);
    rig_run(&rig, 4999);
    assert_string_equal(memory_transport_said(pong->mt), "");
    rig_run(&rig, 1);
    assert_string_equal(memory_transport_said(pong->mt), " 2");
    rig_deinit(&rig);
}

/* A ping is no reason to fall over the backlog; want of memory is one. */
static void test_ping_queued(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig.config.max_backlog = 0;
    rig_client *client = rig_open(&rig, SOCKET);
    client->mt->slow = true;
    assert_int_equal(rig_send(client, "a"), SIO_OK);
    rig_run(&rig, 25000);
    assert_int_equal(client->events[RIG_CLOSED], 0);
    client->mt->slow = false;
    rig_turn(&rig);
    assert_string_equal(memory_transport_said(client->mt), " 4a 2");

    client = rig_open(&rig, SOCKET);
    client->mt->failing = 1;
    rig_run(&rig, 25000);
    assert_string_equal(rig_told(client),
                        CLOSED("transport error", "out of memory"));
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heartbeat),
        cmocka_unit_test(test_heartbeat_for_hours),
        cmocka_unit_test(test_heartbeat_late),
        cmocka_unit_test(test_heartbeat_extended),
        cmocka_unit_test(test_heartbeat_polling),
        cmocka_unit_test(test_heard_first),
        cmocka_unit_test(test_ping_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
