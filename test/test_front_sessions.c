#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/front_rig.h"

static void test_polling_session(void **state)
{
    (void)state;
    front_rig r;
    front_rig_init(&r);
    memory_stream *a = front_rig_come(&r), *b = front_rig_come(&r);
    SAY(&r, a, POLL_OPEN);
    front_rig_expect_sent("open", a, "HTTP/1.1 200 ", "0{");
    front_rig_say_sid(&r, a,
                      ASK("GET", "/socket.io/?EIO=4&transport=polling&sid=%s"));
    front_rig_say_sid(
        &r, b,
        "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
        "Host: h\r\nContent-Length: 6\r\n\r\n4hi");
    SAY(&r, b,
        "\x1e"
        "4");
    SAY(&r, b, "a");
    front_rig_expect_sent("post", b, "HTTP/1.1 200 ", "ok");
    front_rig_expect_told("post", &r, "opened;[hi];[a];");
    front_rig_say_sid(&r, b,
                      ASK("PUT", "/socket.io/?EIO=4&transport=polling&sid=%s"));
    front_rig_expect_sent("put", b, "HTTP/1.1 500 ", "");
    front_rig_say_sid(&r, b,
                      ASK("GET", "/socket.io/?EIO=3&transport=polling&sid=%s"));
    front_rig_expect_sent("protocol", b, "HTTP/1.1 400 ", "\"code\":3");
    memory_stream_end(a, SIO_OK);
    sio_buf_deinit(&r.told);
    memory_loop_turn(&r.loop);
    assert_null(r.session);
    assert_int_equal(r.counters[SIO_COUNTER_SESSIONS], 0);
    assert_int_equal(r.errors[-SIO_ERR_ABORTED], 1);
    assert_int_equal(r.front.open, 1);
    front_rig_deinit(&r);
}

/* Frames behind the handshake, in the same bytes and in others. */
static void test_websocket_session(void **state)
{
    (void)state;
    static const char in[] = WS_OPEN MASKED_HI;
    size_t len = sizeof(in) - 1;
    for (size_t cut = 1; cut <= len; cut++) {
        front_rig r;
        front_rig_init(&r);
        memory_stream *ms = front_rig_come(&r);
        front_rig_say(&r, ms, (sio_bytes){(const uint8_t *)in, cut});
        front_rig_say(&r, ms,
                      (sio_bytes){(const uint8_t *)in + cut, len - cut});
        front_rig_expect_told("open", &r, "opened;[hi];");
        front_rig_expect_sent("open", ms, "HTTP/1.1 101 ", "0{\"sid\":");
        assert_int_equal(r.front.open, 1);
        memory_stream_end(ms, SIO_ERR_IO);
        front_rig_expect_told("end", &r, "closed transport close;");
        assert_int_equal(r.front.open, 0);
        front_rig_deinit(&r);
    }
}

static void test_upgrade(void **state)
{
    (void)state;
    front_rig r;
    front_rig_init(&r);
    r.hooks.headers = front_rig_on_headers;
    memory_stream *a = front_rig_come(&r), *b = front_rig_come(&r),
                  *c = front_rig_come(&r);
    SAY(&r, a, POLL_OPEN);
    front_rig_expect_sent("open", a, "HTTP/1.1 200 ", "0{");
    front_rig_say_sid(&r, a,
                      ASK("GET", "/socket.io/?EIO=4&transport=polling&sid=%s"));
    front_rig_say_sid(&r, b,
                      "GET /socket.io/?EIO=4&transport=websocket&sid=%s "
                      "HTTP/1.1\r\n" WS_FIELDS "\r\n");
    front_rig_expect_sent("upgrade", b, "HTTP/1.1 101 ", "X-Each: 2\r\n");
    SAY(&r, b, MASKED_PROBE);
    front_rig_expect_sent("probe", b,
                          "\x81\x06"
                          "3probe",
                          "");
    front_rig_expect_sent("released", a, "HTTP/1.1 200 ", "\r\n\r\n6");
    SAY(&r, b, MASKED_UPGRADE MASKED_HI);
    front_rig_expect_told("upgrade", &r, "opened;upgraded;[hi];");
    /* What comes by polling now is refused, a second WebSocket closed. */
    front_rig_say_sid(&r, a,
                      ASK("GET", "/socket.io/?EIO=4&transport=polling&sid=%s"));
    front_rig_expect_sent("poll", a, "HTTP/1.1 400 ", "\"code\":3");
    front_rig_expect_told("poll", &r,
                          "refused 3 Bad request TRANSPORT_MISMATCH;");
    front_rig_say_sid(&r, c,
                      "GET /socket.io/?EIO=4&transport=websocket&sid=%s "
                      "HTTP/1.1\r\n" WS_FIELDS "\r\n");
    front_rig_expect_sent("second", c, "HTTP/1.1 101 ", "\r\n\r\n\x88");
    assert_int_equal(r.counters[SIO_COUNTER_UPGRADES], 1);
    assert_int_equal(r.front.open, 3);
    front_rig_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_polling_session),
        cmocka_unit_test(test_websocket_session),
        cmocka_unit_test(test_upgrade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
