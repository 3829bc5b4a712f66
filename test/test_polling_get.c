#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/polling_rig.h"

static void test_open_packet_goes_alone(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_init(&r);
    ASK(&r, 0, GET);
    assert_int_equal(r.drained, 1);
    assert_true(r.tp->writable);
    polling_rig_send_text(&r, "0{}");
    assert_false(r.tp->writable);
    assert_int_equal(r.tp->unsent, 0);
    polling_rig_turn(&r);
    polling_rig_expect(&r, 0, 200, "0{}");
    polling_rig_deinit(&r);
}

static void test_packets_of_a_turn(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open(&r);
    polling_rig_turn(&r);
    ASK(&r, 0, GET);
    assert_int_equal(r.drained, 1);
    memory_loop_advance(&r.loop, 1000000);
    polling_rig_expect(&r, 0, 0, "");
    polling_rig_send_text(&r, "4a");
    polling_rig_send_binary(&r, SIO_LIT("\1\2\3"));
    polling_rig_send_binary(&r, SIO_LIT(""));
    polling_rig_send_text(&r, "4");
    assert_int_equal(r.tp->unsent, 6);
    assert_int_equal(r.tp->held, 4);
    assert_true(r.tp->writable);
    polling_rig_turn(&r);
    assert_false(r.tp->writable);
    assert_int_equal(r.tp->unsent, 0);
    assert_int_equal(r.tp->held, 0);
    assert_int_equal(r.drained, 2);
    polling_rig_turn(&r);
    polling_rig_expect(&r, 0, 200,
                       "4a\x1e"
                       "bAQID\x1e"
                       "b\x1e"
                       "4");
    polling_rig_deinit(&r);
}

/* Answers that leave byte by byte. */
static void test_slow_reader(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open(&r);
    r.clients[0].ms.room = 0;
    ASK(&r, 0, GET GET);
    polling_rig_send_text(&r, "4abc");
    while (r.drained < 3) {
        polling_rig_turn(&r);
        memory_stream_drain(&r.clients[0].ms, 1);
    }
    polling_rig_expect(&r, 0, 200, "4abc");
    assert_true(r.tp->writable);
    polling_rig_deinit(&r);
}

static void test_release(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open(&r);
    r.tp->ops->release(r.tp);
    polling_rig_turn(&r);
    polling_rig_expect(&r, 0, 0, "");
    ASK(&r, 0, GET);
    r.tp->ops->release(r.tp);
    assert_false(r.tp->writable);
    polling_rig_turn(&r);
    polling_rig_expect(&r, 0, 200, "6");
    ASK(&r, 0, GET);
    polling_rig_send_text(&r, "4a");
    r.tp->ops->release(r.tp);
    polling_rig_turn(&r);
    polling_rig_expect(&r, 0, 200,
                       "4a\x1e"
                       "6");
    polling_rig_deinit(&r);
}

static void test_get_overlap(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open(&r);
    ASK(&r, 0, GET);
    ASK(&r, 1, GET);
    polling_rig_expect_told(&r, "failed -218;");
    polling_rig_turn(&r);
    polling_rig_expect(&r, 0, 200, "1");
    polling_rig_expect(&r, 1, 400, "");
    assert_true(r.clients[1].ms.shut);
    assert_true(r.gone <= 1);
    polling_rig_deinit(&r);
}

/* What has been answered does not count as waiting, so another GET has to come
 * behind it: else a peer could have one answer after the other kept for it on
 * many connections that it does not read. */
static void test_get_before_the_answer_was_read(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        polling_rig r;
        polling_rig_open(&r);
        r.clients[0].ms.room = 3;
        ASK(&r, 0, GET);
        polling_rig_send_text(&r, "4abc");
        polling_rig_turn(&r);
        if (i == 1) { /* it reads */
            memory_stream_drain(&r.clients[0].ms, SIZE_MAX);
            polling_rig_turn(&r);
            polling_rig_expect(&r, 0, 200, "4abc");
        } else if (i == 2) { /* it goes */
            memory_stream_end(&r.clients[0].ms, SIO_ERR_IO);
        }
        ASK(&r, 1, GET);
        polling_rig_expect_told(&r, i == 0 ? "failed -218;" : "");
        polling_rig_turn(&r);
        if (i == 0) {
            polling_rig_expect(&r, 1, 400, "");
            memory_stream_drain(&r.clients[0].ms, SIZE_MAX);
            polling_rig_turn(&r); /* nobody hears of it any more */
            polling_rig_expect(&r, 0, 200, "4abc");
        } else {
            polling_rig_send_text(&r, "4d");
            polling_rig_turn(&r);
            polling_rig_expect(&r, 1, 200, "4d");
        }
        polling_rig_deinit(&r);
    }
}

static void test_get_lost(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        polling_rig r;
        polling_rig_open(&r);
        ASK(&r, 0, GET);
        if (i == 1) {
            polling_rig_send_text(&r, "4a");
        }
        memory_stream_end(&r.clients[0].ms, SIO_OK);
        polling_rig_expect_told(&r, "failed -219;");
        polling_rig_turn(&r);
        polling_rig_expect(&r, 0, 0, "");
        polling_rig_deinit(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_packet_goes_alone),
        cmocka_unit_test(test_packets_of_a_turn),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_release),
        cmocka_unit_test(test_get_overlap),
        cmocka_unit_test(test_get_before_the_answer_was_read),
        cmocka_unit_test(test_get_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
