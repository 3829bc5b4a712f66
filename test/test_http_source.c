#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test/http_peer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

static void check_source(const http_rig *rig, size_t sent)
{
    const sio_buf *out = &rig->ms.out;
    const uint8_t *body = memmem(out->base, out->len, "\r\n\r\n<", 5);
    assert_non_null(body);
    body += 5;
    assert_int_equal((size_t)(out->base + out->len - body), sent);
    for (size_t i = 0; i < sent; i++) {
        assert_int_equal(body[i], http_rig_byte(i));
    }
}

static void test_sources(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        uint64_t len;
        size_t step, room;
    } rows[] = {
        {"empty", 0, 0, SIZE_MAX},        {"byte", 1, 0, SIZE_MAX},
        {"small steps", 5000, 7, 100},    {"byte by byte", 3000, 0, 1},
        {"large", 1000000, 0, 65521},     {"at once", 1000000, 0, SIZE_MAX},
        {"loop's", TP_LOOP_OUT, 0, 4096}, {"one more", TP_LOOP_OUT + 1, 0, 999},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        http_rig rig;
        char length[64];
        http_rig_init(&rig);
        rig.how = HTTP_RIG_SOURCE;
        rig.source_len = rows[i].len;
        rig.source_step = rows[i].step;
        rig.ms.room = rows[i].room == SIZE_MAX ? SIZE_MAX : 0;
        http_peer_feed(&rig, SIO_LIT(GET_A), rows[i].room);
        CHECK(rows[i].label, rig.source_closed == 1);
        check_source(&rig, rows[i].len);
        (void)snprintf(length, sizeof(length), "\r\nContent-Length: %d\r\n",
                       (int)rows[i].len + 1);
        CHECK(rows[i].label, memmem(rig.ms.out.base, rig.ms.out.len, length,
                                    strlen(length)) != NULL);
        rig.how = HTTP_RIG_ECHO;
        sio_buf_deinit(&rig.ms.out);
        http_peer_feed(&rig, SIO_LIT(GET_A), SIZE_MAX);
        http_peer_expect(&rig, KEPT("3") "/a:");
        http_rig_deinit(&rig);
    }
}

/* Whoever fetches a file has a piece of it in each turn, so that others come
 * in between. */
static void test_one_piece_a_turn(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.how = HTTP_RIG_SOURCE;
    rig.source_len = 1000000;
    memory_stream_feed(&rig.ms, SIO_LIT(GET_A), 0);
    for (uint64_t turns = 1; rig.source_closed == 0; turns++) {
        memory_loop_turn(&rig.loop);
        assert_in_range(rig.source_at, 0, turns * TP_LOOP_OUT);
    }
    http_peer_settle(&rig, SIZE_MAX);
    check_source(&rig, 1000000);
    http_rig_deinit(&rig);
}

static void test_broken_sources(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.how = HTTP_RIG_SOURCE;
    rig.source_len = 1000;
    rig.source_step = 500;
    rig.source_fails = true;
    http_peer_say(&rig, GET_A);
    assert_int_equal(rig.source_closed, 1);
    assert_int_equal(rig.gone, 1);
    assert_true(rig.ms.closed);
    check_source(&rig, 500);
    http_rig_deinit(&rig);

    http_rig_init(&rig);
    rig.how = HTTP_RIG_SOURCE;
    rig.source_len = 1000000;
    rig.ms.room = 200000;
    memory_stream_feed(&rig.ms, SIO_LIT(GET_A), 0);
    for (int i = 0; i < 5; i++) {
        memory_loop_turn(&rig.loop);
    }
    memory_stream_end(&rig.ms, SIO_ERR_IO);
    assert_int_equal(rig.source_closed, 1);
    assert_int_equal(rig.gone, 1);
    http_rig_deinit(&rig);

    http_rig_init(&rig);
    rig.how = HTTP_RIG_SOURCE;
    rig.source_len = 1000000;
    http_peer_say(&rig, "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(rig.source_closed, 1);
    assert_int_equal(rig.source_at, 0);
    http_peer_expect(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n" DATE
                           "Connection: keep-alive\r\n\r\n");
    http_rig_deinit(&rig);
}

/* A timer for one halt of the reader does not end a transfer that moves. */
static void test_source_after_halt(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.how = HTTP_RIG_SOURCE;
    rig.source_len = 3000;
    rig.source_step = 1;
    rig.ms.room = 5;
    memory_stream_feed(&rig.ms, SIO_LIT(GET_A), 0);
    memory_loop_turn(&rig.loop);
    assert_true(rig.ms.blocked);
    memory_stream_drain(&rig.ms, SIZE_MAX);
    for (int i = 0; i < 20; i++) {
        memory_loop_advance(&rig.loop, 1000);
        assert_int_equal(rig.gone, 0);
    }
    http_peer_settle(&rig, SIZE_MAX);
    check_source(&rig, 3000);
    http_rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_one_piece_a_turn),
        cmocka_unit_test(test_broken_sources),
        cmocka_unit_test(test_source_after_halt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
