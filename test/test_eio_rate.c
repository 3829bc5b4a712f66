#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/engine_rig.h"

/* What a session may send in a second. */

static engine_rig rig;

static void init(sio_rate packets, sio_rate bytes, sio_rate_policy policy)
{
    rig_init(&rig);
    rig.config.rate = (eio_rate_limits){packets, bytes, policy};
}

static void say(const rig_client *client, unsigned times)
{
    for (unsigned i = 0; i < times && client->session != NULL; i++) {
        rig_receive(client->mt, "4x");
    }
}

static uint64_t count(sio_counter counter)
{
    return sio_metric_get(&rig.counters[counter]);
}

static void test_off(void **state)
{
    (void)state;
    init((sio_rate){0, 0}, (sio_rate){0, 0}, SIO_RATE_DISCONNECT);
    rig_client *a = rig_open(&rig, MEMORY_WEBSOCKET);
    say(a, 5000);
    assert_int_equal(a->events[RIG_MESSAGE], 5000);
    rig_deinit(&rig);
}

static void test_warn(void **state)
{
    (void)state;
    init((sio_rate){10, 10}, (sio_rate){0, 0}, SIO_RATE_WARN);
    rig_client *a = rig_open(&rig, MEMORY_WEBSOCKET);
    (void)rig_logged(&rig);
    say(a, 10);
    assert_int_equal(count(SIO_COUNTER_RATE_WARNED), 0);
    say(a, 90);
    assert_int_equal(count(SIO_COUNTER_RATE_WARNED), 90);
    assert_int_equal(a->events[RIG_MESSAGE], 100); /* all come all the same */
    assert_string_equal(rig_logged(&rig), " rate_limit");
    rig_advance(&rig, 999);
    say(a, 20);
    assert_string_equal(rig_logged(&rig), "");
    rig_advance(&rig, 1);
    say(a, 20);
    assert_string_equal(rig_logged(&rig), " rate_limit");
    assert_false(a->mt->paused);
    rig_deinit(&rig);
}

static void test_disconnect(void **state)
{
    (void)state;
    for (int bytes = 0; bytes < 2; bytes++) {
        init(bytes ? (sio_rate){0, 0} : (sio_rate){10, 20},
             bytes ? (sio_rate){20, 40} : (sio_rate){0, 0},
             SIO_RATE_DISCONNECT);
        rig_client *a = rig_open(&rig, MEMORY_WEBSOCKET);
        rig_client *b = rig_open(&rig, MEMORY_POLLING);
        (void)rig_logged(&rig);
        say(a, 20);
        rig_advance(&rig, 1000);
        say(a, 10);
        assert_non_null(a->session);
        say(a, 1);
        assert_null(a->session);
        assert_int_equal(a->reason, EIO_REASON_FORCED_CLOSE);
        assert_int_equal(a->why, SIO_ERR_RATE);
        assert_int_equal(a->events[RIG_MESSAGE], 30);
        assert_int_equal(count(SIO_COUNTER_RATE_CLOSED), 1);
        assert_int_equal(rig.errors[-SIO_ERR_RATE], 1);
        assert_string_equal(rig_logged(&rig),
                            " rate_limit protocol_violation session_closed");
        say(b, 20); /* each has its own */
        assert_non_null(b->session);
        say(b, 1);
        rig_deinit(&rig);
    }
}

static void test_throttle(void **state)
{
    (void)state;
    init((sio_rate){100, 10}, (sio_rate){0, 0}, SIO_RATE_THROTTLE);
    rig_client *a = rig_open(&rig, MEMORY_WEBSOCKET);
    say(a, 10);
    assert_false(a->mt->paused);
    say(a, 50); /* what was read already comes all the same */
    assert_true(a->mt->paused);
    assert_int_equal(a->events[RIG_MESSAGE], 60);
    assert_int_equal(count(SIO_COUNTER_RATE_THROTTLED), 1);
    rig_run(&rig, 499);
    assert_true(a->mt->paused);
    rig_run(&rig, 2);
    assert_false(a->mt->paused);
    say(a, 3);
    assert_true(a->mt->paused);
    assert_int_equal(a->mt->pauses, 2);
    rig_run(&rig, 1000);
    assert_false(a->mt->paused);
    rig_deinit(&rig);
}

/* What would have to wait for too long ends the session. */
static void test_far_too_much(void **state)
{
    (void)state;
    init((sio_rate){10, 10}, (sio_rate){0, 0}, SIO_RATE_THROTTLE);
    rig_client *a = rig_open(&rig, MEMORY_WEBSOCKET);
    say(a, 160);
    assert_non_null(a->session);
    say(a, 1);
    assert_null(a->session);
    assert_false(a->mt->paused); /* so that the end is seen */
    assert_int_equal(a->why, SIO_ERR_RATE);
    rig_deinit(&rig);
}

/* Over a long time no more is read than the rate allows and a buffer holds. */
static void test_average(void **state)
{
    (void)state;
    enum { BUFFER = 7 };
    init((sio_rate){50, 50}, (sio_rate){0, 0}, SIO_RATE_THROTTLE);
    rig.config.ping_interval = 600000;
    rig_client *a = rig_open(&rig, MEMORY_WEBSOCKET);
    for (int i = 0; i < 10000; i++) {
        if (!a->mt->paused) {
            say(a, BUFFER);
        }
        rig_run(&rig, 10);
    }
    assert_non_null(a->session);
    assert_in_range(a->events[RIG_MESSAGE], 5000, 5050 + 2 * BUFFER);
    rig_deinit(&rig);
}

/* A peer that is not heard does not pay for it with its session. */
static void test_heartbeat(void **state)
{
    (void)state;
    init((sio_rate){10, 10}, (sio_rate){0, 0}, SIO_RATE_THROTTLE);
    rig.config.ping_interval = 1000;
    rig.config.ping_timeout = 2000;
    rig_client *a = rig_open(&rig, MEMORY_WEBSOCKET);
    rig_run(&rig, 1001); /* a ping is out */
    say(a, 150);
    assert_true(a->mt->paused);
    rig_run(&rig, 13900);
    assert_true(a->mt->paused);
    assert_non_null(a->session);
    rig_run(&rig, 200);
    assert_false(a->mt->paused);
    rig_run(&rig, 1000);
    assert_non_null(a->session);
    rig_receive(a->mt, "3");
    rig_run(&rig, 2900);
    assert_non_null(a->session);
    rig_run(&rig, 200);
    assert_null(a->session); /* silence is what it was */
    assert_int_equal(a->reason, EIO_REASON_PING_TIMEOUT);
    rig_deinit(&rig);
}

/* The transport that takes over is held back as the first one was. */
static void test_upgrade(void **state)
{
    (void)state;
    init((sio_rate){10, 10}, (sio_rate){0, 0}, SIO_RATE_THROTTLE);
    rig_client *a = rig_open(&rig, MEMORY_POLLING);
    memory_transport *old = a->mt;
    memory_transport *ws = rig_probe(a);
    rig_receive(ws, "2probe");
    rig_turn(&rig);
    say(a, 30);
    assert_true(old->paused);
    rig_receive(ws, "5");
    assert_true(ws->paused);
    rig_run(&rig, 2100);
    assert_false(ws->paused);
    rig_deinit(&rig);
}

/* Whatever ends a session that is held back leaves nothing. */
static void test_ends(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        init((sio_rate){10, 10}, (sio_rate){0, 0}, SIO_RATE_THROTTLE);
        rig_client *a =
            rig_open(&rig, how % 2 == 0 ? MEMORY_WEBSOCKET : MEMORY_POLLING);
        say(a, 20);
        assert_true(a->mt->paused);
        if (how < 2) {
            eio_session_close(a->session,
                              how == 0 ? EIO_CLOSE_LINGER : EIO_CLOSE_NOW);
        } else {
            memory_transport_drop(a->mt, SIO_ERR_IO);
        }
        rig_run(&rig, 60000);
        rig_deinit(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),          cmocka_unit_test(test_warn),
        cmocka_unit_test(test_disconnect),   cmocka_unit_test(test_throttle),
        cmocka_unit_test(test_far_too_much), cmocka_unit_test(test_average),
        cmocka_unit_test(test_heartbeat),    cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
