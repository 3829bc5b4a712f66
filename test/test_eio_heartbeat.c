#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engineio/heartbeat.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define INTERVAL 250
#define TIMEOUT 200 /* an eighth is 25 */

typedef enum act { TICK, PONG, TRAFFIC } act;

typedef struct step {
    act act;
    uint64_t at;
    int result; /* eio_beat of a tick, bool of traffic */
    uint64_t deadline;
} step;

#define NONE EIO_BEAT_NONE
#define PING EIO_BEAT_PING
#define DEAD EIO_BEAT_DEAD

// clang-format off
static const struct {
    const char *label;
    uint64_t start;
    step steps[8];
} scripts[] = {
    {"answered, again and again", 1000, {
        {TICK, 1249, NONE, 1250}, {TICK, 1250, PING, 1450},
        {TICK, 1449, NONE, 1450}, {PONG, 1449, 0, 1699},
        {TICK, 1698, NONE, 1699}, {TICK, 1699, PING, 1899},
        {PONG, 1700, 0, 1950}, {TICK, 1950, PING, 2150}}},
    {"never answered", 1000, {
        {TICK, 1250, PING, 1450}, {TICK, 1449, NONE, 1450},
        {TICK, 1450, DEAD, 1450}}},
    {"answered too late to matter", 0, {
        {TICK, 250, PING, 450}, {TICK, 9999, DEAD, 450}}},
    {"unasked pong", 1000, {
        {PONG, 1100, 0, 1350}, {TICK, 1250, NONE, 1350},
        {TICK, 1350, PING, 1550}}},
    {"second pong", 1000, {
        {TICK, 1250, PING, 1450}, {PONG, 1260, 0, 1510}, {PONG, 1270, 0, 1520},
        {TICK, 1520, PING, 1720}}},
    {"a little late: the ping counts from when due", 1000, {
        {TICK, 1275, PING, 1450}, {TICK, 1450, DEAD, 1450}}},
    {"very late: it counts from now", 1000, {
        {TICK, 1276, PING, 1476}, {TICK, 1475, NONE, 1476},
        {TICK, 1476, DEAD, 1476}}},
    {"hours late: one ping", 1000, {
        {TICK, 36001000, PING, 36001200}, {TICK, 36001000, NONE, 36001200},
        {PONG, 36001100, 0, 36001350}}},
    {"traffic prolongs once", 1000, {
        {TICK, 1250, PING, 1450}, {TRAFFIC, 1400, true, 1600},
        {TRAFFIC, 1500, false, 1600}, {TICK, 1599, NONE, 1600},
        {TICK, 1600, DEAD, 1600}}},
    {"traffic at once", 1000, {
        {TICK, 1250, PING, 1450}, {TRAFFIC, 1250, true, 1450},
        {TRAFFIC, 1449, false, 1450}, {TICK, 1450, DEAD, 1450}}},
    {"traffic with no ping out", 1000, {
        {TRAFFIC, 1100, false, 1250}, {TICK, 1250, PING, 1450},
        {TRAFFIC, 1300, true, 1500}, {PONG, 1499, 0, 1749},
        {TRAFFIC, 1600, false, 1749}}},
    {"prolonged once in each round", 1000, {
        {TICK, 1250, PING, 1450}, {TRAFFIC, 1300, true, 1500},
        {PONG, 1350, 0, 1600}, {TICK, 1600, PING, 1800},
        {TRAFFIC, 1700, true, 1900}, {TRAFFIC, 1800, false, 1900},
        {TICK, 1900, DEAD, 1900}}},
};
// clang-format on

static void test_scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        eio_heartbeat hb = {.interval = INTERVAL, .timeout = TIMEOUT};
        eio_heartbeat_start(&hb, scripts[i].start);
        assert_int_equal(hb.deadline, scripts[i].start + INTERVAL);

        const step *steps = scripts[i].steps;
        for (size_t j = 0; j < 8 && steps[j].deadline != 0; j++) {
            int result = 0;
            if (steps[j].act == TICK) {
                result = (int)eio_heartbeat_tick(&hb, steps[j].at);
            } else if (steps[j].act == TRAFFIC) {
                result = eio_heartbeat_traffic(&hb, steps[j].at);
            } else {
                eio_heartbeat_start(&hb, steps[j].at);
            }
            if (result != steps[j].result || hb.deadline != steps[j].deadline) {
                fail_msg("%s, step %zu: %d, until %ju", scripts[i].label, j,
                         result, (uintmax_t)hb.deadline);
            }
        }
    }
}

/* A start forgets what was before. */
static void test_start(void **state)
{
    (void)state;
    eio_heartbeat hb = {.interval = INTERVAL, .timeout = TIMEOUT};
    eio_heartbeat_start(&hb, 0);
    assert_int_equal(eio_heartbeat_tick(&hb, 250), EIO_BEAT_PING);
    assert_true(eio_heartbeat_traffic(&hb, 260));
    eio_heartbeat_start(&hb, 300);
    assert_int_equal(eio_heartbeat_tick(&hb, 549), EIO_BEAT_NONE);
    assert_int_equal(eio_heartbeat_tick(&hb, 550), EIO_BEAT_PING);
    assert_true(eio_heartbeat_traffic(&hb, 560));
}

/* Where the peer pings, there is one deadline, which only that moves. */
static void test_await(void **state)
{
    (void)state;
    eio_heartbeat hb = {.interval = INTERVAL, .timeout = TIMEOUT};
    uint64_t now = 7;
    eio_heartbeat_await(&hb, now);
    for (int i = 0; i < 5; i++) {
        uint64_t end = now + INTERVAL + TIMEOUT;
        assert_true(hb.deadline == end);
        for (uint64_t at = now; at < end; at++) {
            assert_int_equal(eio_heartbeat_tick(&hb, at), EIO_BEAT_NONE);
            assert_false(eio_heartbeat_traffic(&hb, at));
        }
        now = end - 1;
        eio_heartbeat_await(&hb, now);
    }
    assert_int_equal(eio_heartbeat_tick(&hb, now + INTERVAL + TIMEOUT - 1),
                     EIO_BEAT_NONE);
    assert_int_equal(eio_heartbeat_tick(&hb, now + INTERVAL + TIMEOUT),
                     EIO_BEAT_DEAD);

    eio_heartbeat most = {.interval = UINT32_MAX, .timeout = UINT32_MAX};
    eio_heartbeat_await(&most, UINT64_C(1) << 60);
    assert_true(most.deadline ==
                (UINT64_C(1) << 60) + 2 * (uint64_t)UINT32_MAX);
}

/* A day, in which the peer needs a moment to answer and the loop is never
 * quite on time.  The rounds do not drift into death. */
static void test_a_day(void **state)
{
    (void)state;
    eio_heartbeat hb = {.interval = 25000, .timeout = 20000};
    uint64_t now = 5, pings = 0;
    eio_heartbeat_start(&hb, now);
    while (now < UINT64_C(24) * 3600 * 1000) {
        now = hb.deadline + pings % 50;
        assert_int_equal(eio_heartbeat_tick(&hb, now), EIO_BEAT_PING);
        pings++;
        now += pings * 977 % 19900;
        assert_int_equal(eio_heartbeat_tick(&hb, now), EIO_BEAT_NONE);
        eio_heartbeat_start(&hb, now);
        assert_int_equal(hb.deadline, now + 25000);
    }
    assert_in_range(pings, 24 * 3600 / 45, 24 * 3600 / 25);
}

/* The greatest settings do not overflow. */
static void test_extremes(void **state)
{
    (void)state;
    eio_heartbeat hb = {.interval = UINT32_MAX, .timeout = UINT32_MAX};
    uint64_t now = UINT64_C(1) << 60;
    eio_heartbeat_start(&hb, now);
    assert_int_equal(eio_heartbeat_tick(&hb, now + UINT32_MAX), EIO_BEAT_PING);
    assert_true(hb.deadline == now + 2 * (uint64_t)UINT32_MAX);

    eio_heartbeat least = {.interval = 1, .timeout = 1};
    eio_heartbeat_start(&least, 0);
    assert_int_equal(eio_heartbeat_tick(&least, 0), EIO_BEAT_NONE);
    assert_int_equal(eio_heartbeat_tick(&least, 1), EIO_BEAT_PING);
    assert_int_equal(eio_heartbeat_tick(&least, 1), EIO_BEAT_NONE);
    assert_int_equal(eio_heartbeat_tick(&least, 2), EIO_BEAT_DEAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),  cmocka_unit_test(test_start),
        cmocka_unit_test(test_await),    cmocka_unit_test(test_a_day),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
