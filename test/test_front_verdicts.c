#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/front_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_verdicts(void **state)
{
    (void)state;
    static const struct {
        const char *label, *in;
        bool allow;
        const char *start, *part, *told;
    } rows[] = {
        {"polling", POLL_OPEN, true, "HTTP/1.1 200 ", "0{\"sid\"", "opened;"},
        {"websocket", WS_OPEN MASKED_HI, true, "HTTP/1.1 101 ", "0{\"sid\"",
         "opened;[hi];"},
        {"polling refused", POLL_OPEN, false, "HTTP/1.1 403 ",
         "{\"code\":4,\"message\":\"not \\\"you\\\"\"}",
         "refused 4 not \"you\" FORBIDDEN;"},
        {"websocket refused", WS_OPEN MASKED_HI, false, "HTTP/1.1 400 ",
         "\r\n\r\nnot \"you\"", "refused 4 not \"you\" FORBIDDEN;"},
    };
    for (size_t i = 0; i < 3 * COUNT(rows); i++) {
        front_rig r;
        size_t row = i / 3;
        const char *label = rows[row].label;
        /* WS_OPEN MASKED_HI has zeros in it. */
        size_t len = strlen(rows[row].in);
        bool more = strncmp(label, "websocket", 9) == 0;
        front_rig_init(&r);
        r.hooks.allow = front_rig_on_allow;
        r.verdict = i % 3 != 0        ? FRONT_RIG_LATER
                    : rows[row].allow ? FRONT_RIG_ALLOW
                                      : FRONT_RIG_REFUSE;
        memory_stream *ms = front_rig_come(&r);
        front_rig_say(&r, ms,
                      (sio_bytes){(const uint8_t *)rows[row].in,
                                  more ? sizeof(WS_OPEN MASKED_HI) - 1 : len});
        if (i % 3 == 0) {
            assert_null(r.asked);
        } else {
            front_rig_expect_sent(label, ms, "", "");
            assert_non_null(r.asked);
            memory_loop_advance(&r.loop, 1000000);
        }
        if (i % 3 == 2) {
            memory_stream_end(ms, SIO_OK);
            front_rig_decide(&r, rows[row].allow);
            front_rig_expect_told(label, &r, "");
            front_rig_expect_sent(label, ms, "", "");
        } else {
            if (i % 3 == 1) {
                front_rig_decide(&r, rows[row].allow);
            }
            front_rig_expect_told(label, &r, rows[row].told);
            front_rig_expect_sent(label, ms, rows[row].start, rows[row].part);
        }
        assert_true(sio_list_empty(&r.front.exchanges));
        front_rig_deinit(&r);
    }
}

/* More than is kept has come before the verdict: it is not lost. */
static void test_much_before_verdict(void **state)
{
    (void)state;
    front_rig r;
    front_rig_init(&r);
    r.hooks.allow = front_rig_on_allow;
    r.verdict = FRONT_RIG_LATER;
    memory_stream *ms = front_rig_come(&r);
    SAY(&r, ms, WS_OPEN);
    unsigned sent = 0;
    while (memory_stream_reads(ms)) {
        SAY(&r, ms, MASKED_HI);
        sent++;
        assert_true(sent < 100000);
    }
    front_rig_decide(&r, true);
    assert_true(memory_stream_reads(ms));
    SAY(&r, ms, MASKED_HI);
    assert_int_equal(r.told.len, strlen("opened;") + (sent + 1) * 5);
    front_rig_deinit(&r);
}

/* The application never answers. */
static void test_no_verdict(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        front_rig r;
        front_rig_init(&r);
        r.hooks.allow = front_rig_on_allow;
        r.verdict = FRONT_RIG_LATER;
        memory_stream *ms = front_rig_come(&r);
        SAY(&r, ms, POLL_OPEN);
        if (i == 1) {
            memory_stream_end(ms, SIO_ERR_IO);
        }
        assert_non_null(r.asked);
        front_rig_deinit(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_much_before_verdict),
        cmocka_unit_test(test_no_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
