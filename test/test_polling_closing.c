#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/polling_rig.h"

static void test_close_with_get(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        polling_rig r;
        polling_rig_open(&r);
        ASK(&r, 0, GET);
        ASK(&r, 1, POST_HEAD("5") "4a");
        polling_rig_send_text(&r, "4x");
        polling_rig_close(&r, i == 0 ? EIO_CLOSE_NOW : EIO_CLOSE_LINGER);
        assert_true(r.clients[1].ms.closed);
        polling_rig_turn(&r);
        r.tp = NULL;
        polling_rig_expect(&r, 0, 200,
                           i == 0 ? "1"
                                  : "4x\x1e"
                                    "1");
        ASK(&r, 0, GET);
        polling_rig_turn(&r);
        polling_rig_expect(&r, 0, 404, "");
        polling_rig_deinit(&r);
    }
}

static void test_close_now_without_get(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open(&r);
    polling_rig_close(&r, EIO_CLOSE_NOW);
    polling_rig_turn(&r);
    r.tp = NULL;
    polling_rig_expect(&r, 0, 0, "");
    polling_rig_deinit(&r);
}

static void test_linger(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open(&r); /* the peer asks */
    polling_rig_close(&r, EIO_CLOSE_LINGER);
    memory_loop_advance(&r.loop, 29999);
    assert_int_equal(r.gone, 0);
    ASK(&r, 1, POST_HEAD("2") "4a");
    polling_rig_turn(&r);
    polling_rig_expect(&r, 1, 200, "ok");
    ASK(&r, 0, GET);
    polling_rig_expect_told(&r, "gone 0;");
    polling_rig_turn(&r);
    polling_rig_expect(&r, 0, 200,
                       "6\x1e"
                       "1");
    polling_rig_deinit(&r);

    polling_rig_open(&r); /* it does not */
    polling_rig_close(&r, EIO_CLOSE_LINGER);
    memory_loop_advance(&r.loop, 30000);
    polling_rig_expect_told(&r, "gone -304;");
    polling_rig_turn(&r);
    polling_rig_deinit(&r);

    polling_rig_open(&r); /* there is no more patience */
    polling_rig_close(&r, EIO_CLOSE_LINGER);
    polling_rig_close(&r, EIO_CLOSE_NOW);
    memory_loop_advance(&r.loop, 30000);
    assert_true(r.gone <= 1);
    r.tp = NULL;
    polling_rig_deinit(&r);
}

/* A body that is under way when a lingering close ends: its connection knows
 * nothing of the polling any more. */
static void test_linger_during_post(void **state)
{
    (void)state;
    enum { BY_GET, BY_TIMER, BY_OVERLAP, WAYS };
    for (int way = 0; way < WAYS; way++) {
        polling_rig r;
        polling_rig_open(&r);
        r.http.body_timeout = 60000;
        polling_rig_close(&r, EIO_CLOSE_LINGER);
        ASK(&r, 1, POST_HEAD("5") "4a");
        if (way == BY_GET) {
            ASK(&r, 0, GET);
        } else if (way == BY_TIMER) {
            memory_loop_advance(&r.loop, 30000);
        } else {
            ASK(&r, 2, POST_HEAD("2") "4b");
        }
        assert_int_equal(r.gone, 1);
        polling_rig_turn(&r);
        assert_true(r.clients[1].ms.closed);
        polling_rig_expect(&r, 1, 0, "");
        polling_rig_deinit(&r);
    }
}

/* A body that fails under a lingering close ends it. */
static void test_linger_post_lost(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open(&r);
    polling_rig_close(&r, EIO_CLOSE_LINGER);
    ASK(&r, 1, POST_HEAD("5") "4a");
    memory_stream_end(&r.clients[1].ms, SIO_ERR_IO);
    polling_rig_expect_told(&r, "gone -219;");
    polling_rig_turn(&r);
    polling_rig_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_with_get),
        cmocka_unit_test(test_close_now_without_get),
        cmocka_unit_test(test_linger),
        cmocka_unit_test(test_linger_during_post),
        cmocka_unit_test(test_linger_post_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
