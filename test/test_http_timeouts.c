#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/http_peer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

/* What is reached after `in` ends `ms` later, with `out` and `lost`. */
static void test_timeouts(void **state)
{
    (void)state;
    static const struct {
        const char *label, *in, *out;
        uint64_t ms;
        unsigned lost;
    } rows[] = {
        {"nothing came", "", "", 3000, 0},
        {"half a head", "GET /a", BARE("408 Request Timeout"), 3000, 0},
        {"half a body", POST_HALF, BARE("408 Request Timeout"), 7000, 1},
        {"half a HEAD", "HEAD /a HTTP/1.1\r\n", BARE("408 Request Timeout"),
         3000, 0},
        {"half a chunked body", CHUNKED_HALF, BARE("408 Request Timeout"), 7000,
         1},
        {"idle", GET_A, KEPT("3") "/a:", 5000, 0},
        {"half a second head", GET_A "G",
         KEPT("3") "/a:" BARE("408 Request Timeout"), 3000, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        http_rig rig;
        http_rig_init(&rig);
        print_message("%s\n", rows[i].label);
        http_peer_say(&rig, rows[i].in);
        memory_loop_advance(&rig.loop, rows[i].ms - 1);
        assert_false(rig.ms.shut || rig.ms.closed);
        memory_loop_advance(&rig.loop, 1);
        http_peer_settle(&rig, SIZE_MAX);
        assert_true(rig.ms.shut || rig.ms.closed);
        memory_loop_advance(&rig.loop, 2000);
        assert_true(rig.ms.closed);
        assert_int_equal(rig.gone, 1);
        assert_int_equal(rig.lost, rows[i].lost);
        assert_true(rig.lost == 0 || rig.why_lost == SIO_ERR_TIMEOUT);
        http_peer_expect(&rig, rows[i].out);
        http_rig_deinit(&rig);
    }
}

/* More bytes do not buy more time. */
static void test_slow_head_and_body(void **state)
{
    (void)state;
    static const struct {
        const char *label, *start;
        uint64_t ms;
    } rows[] = {
        {"head", "GET /aaaaaaaa", 3000},
        {"body", POST_HALF, 7000},
        {"chunked", CHUNKED_HALF, 7000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        http_rig rig;
        http_rig_init(&rig);
        http_peer_say(&rig, rows[i].start);
        for (uint64_t t = 0; t < rows[i].ms; t += rows[i].ms / 2) {
            CHECK(rows[i].label, !rig.ms.shut);
            http_peer_say(&rig, t == 0 ? "x" : "");
            memory_loop_advance(&rig.loop, rows[i].ms / 2);
        }
        http_peer_settle(&rig, SIZE_MAX);
        CHECK(rows[i].label, rig.ms.shut);
        CHECK(rows[i].label, rig.requests == 0);
        http_rig_deinit(&rig);
    }
}

/* While the application thinks, no timer runs. */
static void test_late_answer(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.how = HTTP_RIG_LATER;
    memory_stream_feed(&rig.ms, SIO_LIT(GET_A GET_A), 0);
    memory_loop_advance(&rig.loop, 1000000);
    assert_int_equal(rig.requests, 1);
    assert_int_equal(rig.ms.out.len, 0);
    http_rig_answer(&rig);
    memory_loop_turn(&rig.loop);
    http_peer_expect(&rig, KEPT("3") "/a:");
    assert_int_equal(rig.requests, 2);
    memory_loop_advance(&rig.loop, 1000000);
    assert_int_equal(rig.gone, 0);
    http_rig_answer(&rig);
    memory_loop_turn(&rig.loop);
    memory_loop_advance(&rig.loop, 5000);
    assert_int_equal(rig.gone, 1);
    assert_int_equal(rig.lost, 0);
    http_rig_deinit(&rig);
}

/* Whoever reads a little gets more time, whoever reads nothing does not. */
static void test_no_reader(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.ms.room = 10;
    memory_stream_feed(&rig.ms, SIO_LIT(GET_A), 0);
    memory_loop_turn(&rig.loop);
    for (int i = 0; i < 5; i++) {
        memory_loop_advance(&rig.loop, 6999);
        assert_int_equal(rig.gone, 0);
        memory_stream_drain(&rig.ms, 1);
        memory_loop_turn(&rig.loop);
    }
    memory_loop_advance(&rig.loop, 7000);
    assert_int_equal(rig.gone, 1);
    assert_int_equal(rig.refused, 1);
    assert_int_equal(rig.ms.out.len, 15);
    http_rig_deinit(&rig);
}

/* The stream is full already when the answer comes. */
static void test_no_reader_since_continue(void **state)
{
    (void)state;
    static const struct {
        const char *label, *body;
    } rows[] = {{"body comes", "hi"}, {"body does not", ""}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        http_rig rig;
        http_rig_init(&rig);
        rig.ms.room = 3;
        memory_stream_feed(&rig.ms,
                           SIO_LIT(EXPECTING "Content-Length: 2\r\n\r\n"), 0);
        memory_loop_turn(&rig.loop);
        CHECK(rows[i].label, rig.ms.blocked);
        memory_stream_feed(
            &rig.ms,
            (sio_bytes){(const uint8_t *)rows[i].body, strlen(rows[i].body)},
            0);
        memory_loop_advance(&rig.loop, 1);
        memory_loop_advance(&rig.loop, 7000);
        memory_loop_advance(&rig.loop, 7000);
        CHECK(rows[i].label, rig.gone == 1);
        http_rig_deinit(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_slow_head_and_body),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_no_reader),
        cmocka_unit_test(test_no_reader_since_continue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
