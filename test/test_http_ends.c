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

static void test_losses(void **state)
{
    (void)state;
    static const struct {
        const char *label, *in;
        http_rig_how how;
        size_t room;
        unsigned lost;
        bool orderly_survives; /* an orderly end, until all has left */
    } rows[] = {
        {"nothing came", "", HTTP_RIG_ECHO, SIZE_MAX, 0, false},
        {"head", "GET", HTTP_RIG_ECHO, SIZE_MAX, 0, false},
        {"body", POST_HALF, HTTP_RIG_ECHO, SIZE_MAX, 1, false},
        {"chunked", CHUNKED_HALF, HTTP_RIG_ECHO, SIZE_MAX, 1, false},
        {"answer", GET_A, HTTP_RIG_LATER, SIZE_MAX, 1, false},
        {"sending", GET_A, HTTP_RIG_ECHO, 9, 0, true},
        {"idle", GET_A, HTTP_RIG_ECHO, SIZE_MAX, 0, false},
        {"foreign", GET_A, HTTP_RIG_FOREIGN, SIZE_MAX, 0, false},
        {"linger", "GET\r\n\r\n", HTTP_RIG_ECHO, SIZE_MAX, 0, false},
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        http_rig rig;
        sio_error why = i % 2 == 0 ? SIO_OK : SIO_ERR_IO;
        const char *label = rows[i / 2].label;
        http_rig_init(&rig);
        rig.how = rows[i / 2].how;
        rig.ms.room = rows[i / 2].room;
        memory_stream_feed(&rig.ms,
                           (sio_bytes){(const uint8_t *)rows[i / 2].in,
                                       strlen(rows[i / 2].in)},
                           0);
        memory_loop_turn(&rig.loop);
        memory_stream_end(&rig.ms, why);
        if (why == SIO_OK && rows[i / 2].orderly_survives) {
            CHECK(label, rig.gone == 0);
            memory_stream_drain(&rig.ms, SIZE_MAX);
            memory_loop_turn(&rig.loop);
            CHECK(label, rig.ms.out.len == sizeof(KEPT("3") "/a:") - 1);
        }
        CHECK(label, rig.gone == 1);
        CHECK(label, rig.ms.closed);
        CHECK(label, rig.lost == rows[i / 2].lost);
        CHECK(label, rig.lost == 0 || rig.why_lost == SIO_ERR_CLOSED);
        http_rig_deinit(&rig);
        CHECK(label, rig.gone == 1 && rig.lost == rows[i / 2].lost);
    }
}

static void test_broken_send(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.ms.failing = true;
    http_peer_say(&rig, GET_A GET_A);
    assert_int_equal(rig.gone, 1);
    assert_int_equal(rig.requests, 1);
    http_rig_deinit(&rig);
}

static void test_abort_in_request(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.how = HTTP_RIG_ABORT;
    http_peer_say(&rig, POST_HALF);
    http_peer_say(&rig, "ya" GET_A);
    assert_int_equal(rig.gone, 1);
    assert_int_equal(rig.requests, 1);
    assert_int_equal(rig.lost, 1);
    http_rig_deinit(&rig);
}

/* A body that is refused midway: the one who waits for it hears why. */
static void test_refused_body(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    http_peer_say(&rig, CHUNKED_HALF);
    http_peer_say(&rig, "xx");
    assert_int_equal(rig.lost, 1);
    assert_int_equal(rig.why_lost, SIO_ERR_HTTP_FRAMING);
    assert_int_equal(rig.refused, 1);
    http_peer_expect(&rig, BARE("400 Bad Request"));
    http_rig_deinit(&rig);
    assert_int_equal(rig.lost, 1);
}

/* ------------------------------------------------------ detach, foreign -- */

static void test_detach(void **state)
{
    (void)state;
    static const struct {
        const char *label, *in;
        bool later;
    } rows[] = {
        {"at once", GET_A "rest", false},
        {"from a body", POST_HALF "yarest", false},
        {"from chunks", CHUNKED_HALF "!\r\n0\r\n\r\nrest", false},
        {"later", GET_A "rest", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].in);
        for (size_t cut = 1; cut <= len; cut++) {
            http_rig rig;
            sio_bytes in = {(const uint8_t *)rows[i].in, len};
            http_rig_init(&rig);
            rig.how = rows[i].later ? HTTP_RIG_LATER : HTTP_RIG_DETACH;
            memory_stream_feed(&rig.ms, (sio_bytes){in.base, cut}, 0);
            if (rig.conn != NULL && cut < len) {
                memory_stream_feed(&rig.ms,
                                   (sio_bytes){in.base + cut, len - cut}, 0);
                cut = rig.conn == NULL || rows[i].later ? cut : len;
            }
            if (rows[i].later) {
                http_rig_detach(&rig);
            }
            CHECK(rows[i].label, rig.conn == NULL && !rig.ms.closed);
            sio_bytes rest = sio_buf_view(&rig.rest);
            CHECK(rows[i].label, rest.len <= 4);
            CHECK(rows[i].label,
                  rest.len == 0 || memcmp(rest.base, "rest", rest.len) == 0);
            CHECK(rows[i].label,
                  cut < len - 4 ? rest.len == 4 : rest.len != 0 || cut <= len);
            memory_loop_advance(&rig.loop, 100000);
            CHECK(rows[i].label, rig.gone == 0 && rig.ms.out.len == 0);
            http_rig_deinit(&rig);
        }
    }
}

/* The next holder of the stream finds it reading. */
static void test_detach_paused(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.how = HTTP_RIG_LATER;
    memory_stream_feed(&rig.ms, SIO_LIT(GET_A A600), 0);
    assert_true(rig.ms.paused);
    http_rig_detach(&rig);
    assert_false(rig.ms.paused);
    assert_int_equal(rig.rest.len, 600);
    http_rig_deinit(&rig);
}

static void test_foreign(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.how = HTTP_RIG_FOREIGN;
    memory_stream_feed(&rig.ms, SIO_LIT(GET_A GET_A), 1);
    memory_loop_advance(&rig.loop, 999);
    memory_stream_feed(&rig.ms, SIO_LIT(GET_A), 0);
    assert_int_equal(rig.gone, 0);
    assert_int_equal(rig.conn->in.cap, 0);
    memory_loop_advance(&rig.loop, 1);
    assert_int_equal(rig.gone, 1);
    assert_int_equal(rig.requests, 1);
    assert_int_equal(rig.ms.out.len, 0);
    http_rig_deinit(&rig);
}

/* --------------------------------------------------------------- finish -- */

static void test_finish(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig); /* idle */
    tp_http_conn_finish(rig.conn);
    memory_loop_advance(&rig.loop, 199);
    assert_int_equal(rig.gone, 0);
    memory_loop_advance(&rig.loop, 1);
    assert_int_equal(rig.gone, 1);
    http_rig_deinit(&rig);

    http_rig_init(&rig); /* with a request at hand */
    rig.how = HTTP_RIG_LATER;
    memory_stream_feed(&rig.ms, SIO_LIT(GET_A GET_A), 0);
    tp_http_conn_finish(rig.conn);
    memory_loop_advance(&rig.loop, 10000);
    assert_int_equal(rig.gone, 0);
    http_rig_answer(&rig);
    memory_loop_turn(&rig.loop);
    http_peer_expect(&rig, LAST("3") "/a:");
    assert_true(rig.ms.shut);
    memory_loop_advance(&rig.loop, 2000);
    assert_int_equal(rig.gone, 1);
    assert_int_equal(rig.requests, 1);
    http_rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_broken_send),
        cmocka_unit_test(test_abort_in_request),
        cmocka_unit_test(test_refused_body),
        cmocka_unit_test(test_detach),
        cmocka_unit_test(test_detach_paused),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
