#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test/front_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define EMPTY "Content-Length: 0\r\n"

/* Requests to a front without sessions. */
static void test_routing(void **state)
{
    (void)state;
    static const struct {
        const char *in, *start, *part, *told;
    } rows[] = {
        {ASK("GET", "/"), "HTTP/1.1 404 ", EMPTY, "other 1;"},
        {ASK("GET", "/socket.io"), "HTTP/1.1 404 ", EMPTY, "other 1;"},
        {ASK("GET", "/socket.iox/?EIO=4&transport=polling"), "HTTP/1.1 404 ",
         EMPTY, "other 1;"},
        {"GET http://h/socket.io/?EIO=4&transport=polling HTTP/1.1\r\n"
         "Host: h\r\n\r\n",
         "HTTP/1.1 404 ", EMPTY, "other 1;"},
        {ASK("GET", "/socket.io/"), "HTTP/1.1 400 ",
         "{\"code\":0,\"message\":\"Transport unknown\"}",
         "refused 0 Transport unknown TRANSPORT_UNKNOWN;"},
        {ASK("GET", "/socket.io/x?transport=webtransport"), "HTTP/1.1 400 ",
         "Access-Control-Allow-Origin: *\r\n",
         "refused 0 Transport unknown TRANSPORT_UNKNOWN;"},
        {ASK("GET", "/socket.io/?transport=polling&sid=x"), "HTTP/1.1 400 ",
         "{\"code\":1,\"message\":\"Session ID unknown\"}",
         "refused 1 Session ID unknown UNKNOWN_SID;"},
        {ASK("POST", "/socket.io/?EIO=4&transport=polling"), "HTTP/1.1 400 ",
         "{\"code\":2,\"message\":\"Bad handshake method\"}",
         "refused 2 Bad handshake method BAD_HANDSHAKE_METHOD;"},
        {ASK("GET", "/socket.io/?EIO=4&transport=websocket"), "HTTP/1.1 400 ",
         "{\"code\":3,\"message\":\"Bad request\"}",
         "refused 3 Bad request TRANSPORT_HANDSHAKE_ERROR;"},
        {ASK("GET", "/socket.io/?EIO=3&transport=polling"), "HTTP/1.1 400 ",
         "{\"code\":5,\"message\":\"Unsupported protocol version\"}",
         "refused 5 Unsupported protocol version "
         "UNSUPPORTED_PROTOCOL_VERSION;"},
        {"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n"
         "Origin: a\x7f\r\n\r\n",
         "HTTP/1.1 400 ", "", "refused -220;"},
        {ASK("OPTIONS", "/socket.io/"), "HTTP/1.1 204 ",
         "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n",
         ""},
        {"OPTIONS /socket.io/ HTTP/1.1\r\nHost: h\r\n"
         "Access-Control-Request-Headers: x-a, x-b\r\n\r\n",
         "HTTP/1.1 204 ", "Access-Control-Allow-Headers: x-a, x-b\r\n", ""},
        {POLL_OPEN, "HTTP/1.1 200 ", "0{\"sid\":\"", "opened;"},
        {ASK("GET", "/socket.io/a/b?EIO=3&EIO=4&transport=polling"),
         "HTTP/1.1 200 ", "\"upgrades\":[\"websocket\"]", "opened;"},
        {WS_OPEN, "HTTP/1.1 101 Switching Protocols\r\n",
         "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
         "opened;"},
        {"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n" WS_FIELDS
         "\r\n",
         "HTTP/1.1 400 ", "Bad request",
         "refused 3 Bad request TRANSPORT_HANDSHAKE_ERROR;"},
        {"GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\n" WS_FIELDS
         "\r\n",
         "HTTP/1.1 400 ", "Unsupported protocol version",
         "refused 5 Unsupported protocol version "
         "UNSUPPORTED_PROTOCOL_VERSION;"},
        {"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
         "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Version: 12\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         "HTTP/1.1 4", "Sec-WebSocket-Version: 13, 8\r\n", ""},
        {"GET /x HTTP/1.1\r\n" WS_FIELDS "\r\n", "", "", ""},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n",
         "HTTP/1.1 404 ", "Connection: close\r\n", "other 0;"},
        {"POST /socket.io/?transport=polling&sid=x HTTP/1.1\r\nHost: h\r\n"
         "Content-Length: 9\r\n\r\n",
         "HTTP/1.1 400 ", "Connection: close\r\n",
         "refused 1 Session ID unknown UNKNOWN_SID;"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        front_rig r;
        front_rig_init(&r);
        memory_stream *ms = front_rig_come(&r);
        front_rig_say(
            &r, ms,
            (sio_bytes){(const uint8_t *)rows[i].in, strlen(rows[i].in)});
        if (strcmp(rows[i].told, "refused -220;") == 0) {
            /* Refused by the parser, or by the knock: either will do. */
            assert_true(r.counters[SIO_COUNTER_HTTP_ERRORS] +
                            r.counters[SIO_COUNTER_REFUSED] ==
                        1);
            sio_buf_deinit(&r.told);
        } else {
            front_rig_expect_told(rows[i].in, &r, rows[i].told);
        }
        front_rig_expect_sent(rows[i].in, ms, rows[i].start, rows[i].part);
        front_rig_deinit(&r);
    }
}

#define EXTENSIONS "Sec-WebSocket-Extensions: "
#define DEFLATE "permessage-deflate"

/* Of what a WebSocket is offered, permessage-deflate is agreed on where it is
 * switched on; the offers may stand in several lines. */
static void test_extensions(void **state)
{
    (void)state;
    static const struct {
        bool enabled;
        const char *lines, *start, *answer;
    } rows[] = {
        {false, EXTENSIONS DEFLATE "\r\n", "HTTP/1.1 101 ", NULL},
        {false, EXTENSIONS ";\r\n", "HTTP/1.1 101 ", NULL},
        {true, "", "HTTP/1.1 101 ", NULL},
        {true, EXTENSIONS "x\r\n", "HTTP/1.1 101 ", NULL},
        {true, EXTENSIONS DEFLATE "\r\n", "HTTP/1.1 101 ",
         "\r\n" EXTENSIONS DEFLATE "; server_max_window_bits=12\r\n"},
        {true,
         EXTENSIONS "x\r\nsec-websocket-extensions: " DEFLATE
                    "; server_max_window_bits=8,\r\nA: b\r\n" EXTENSIONS DEFLATE
                    "; server_no_context_takeover\r\n",
         "HTTP/1.1 101 ",
         "\r\n" EXTENSIONS DEFLATE
         "; server_no_context_takeover; server_max_window_bits=12\r\n"},
        {true, EXTENSIONS DEFLATE "; y\r\n", "HTTP/1.1 101 ", NULL},
        {true, EXTENSIONS DEFLATE "\r\n" EXTENSIONS ";\r\n", "HTTP/1.1 400 ",
         "Sec-WebSocket-Extensions header is malformed"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char request[1024];
        front_rig r;
        front_rig_init(&r);
        r.config.deflate = (tp_ws_deflate_config){
            .enabled = rows[i].enabled,
            .server_max_window_bits = 12,
            .client_max_window_bits = 15,
        };
        tp_deflate_budget budget = {.cap = TP_DEFLATER_SHARE * 2};
        if (rows[i].enabled) {
            assert_int_equal(
                tp_deflater_init(&r.loop.deflater, &r.config.deflate, &budget),
                SIO_OK);
        }
        memory_stream *ms = front_rig_come(&r);
        int len = snprintf(request, sizeof(request),
                           "GET /socket.io/?EIO=4&transport=websocket "
                           "HTTP/1.1\r\n" WS_FIELDS "%s\r\n",
                           rows[i].lines);
        front_rig_say(&r, ms, (sio_bytes){(uint8_t *)request, (size_t)len});
        bool answered = memmem(ms->out.base, ms->out.len, EXTENSIONS,
                               strlen(EXTENSIONS)) != NULL;
        assert_true(answered ==
                    (rows[i].answer != NULL && rows[i].answer[0] == '\r'));
        front_rig_expect_sent(rows[i].lines, ms, rows[i].start,
                              rows[i].answer == NULL ? "" : rows[i].answer);
        sio_buf_deinit(&r.told);
        front_rig_deinit(&r);
    }
}

static void test_others(void **state)
{
    (void)state;
    front_rig r;
    front_rig_init(&r);
    r.serves_others = true;
    memory_stream *ms = front_rig_come(&r);
    SAY(&r, ms, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n");
    SAY(&r, ms, "hi");
    front_rig_expect_told("other", &r, "other 0;other 1;");
    front_rig_expect_sent("other", ms, "HTTP/1.1 200 ", "other");
    assert_int_equal(r.counters[SIO_COUNTER_HTTP_REQUESTS], 1);
    front_rig_deinit(&r);
}

/* An upgrade that nobody wants ends without a word, or stays. */
static void test_foreign_upgrades(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        front_rig r;
        front_rig_init(&r);
        r.config.destroy_upgrade = i == 0;
        memory_stream *ms = front_rig_come(&r);
        SAY(&r, ms, "GET /x HTTP/1.1\r\n" WS_FIELDS "\r\n");
        memory_loop_advance(&r.loop, 999);
        assert_false(ms->closed);
        memory_loop_advance(&r.loop, i == 0 ? 1 : 1000000);
        assert_true(ms->closed == (i == 0));
        assert_int_equal(ms->out.len, 0);
        front_rig_deinit(&r);
    }
}

/* ----------------------------------------------------------------- hooks -- */

static void test_header_hooks(void **state)
{
    (void)state;
    front_rig r;
    front_rig_init(&r);
    r.hooks.headers = front_rig_on_headers;
    r.hooks.initial_headers = front_rig_on_initial_headers;
    memory_stream *a = front_rig_come(&r), *b = front_rig_come(&r);
    SAY(&r, a, POLL_OPEN);
    assert_non_null(memmem(a->out.base, a->out.len, "X-Initial: 1\r\n", 14));
    front_rig_expect_sent("open", a, "HTTP/1.1 200 ", "X-Each: 2\r\n");
    front_rig_say_sid(
        &r, b,
        "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
        "Host: h\r\nContent-Length: 3\r\n\r\n4hi");
    assert_null(memmem(b->out.base, b->out.len, "X-Initial", 9));
    front_rig_expect_sent("post", b, "HTTP/1.1 200 ", "X-Each: 2\r\n");
    assert_int_equal(r.initial_headers, 1);
    assert_int_equal(r.headers, 2);
    front_rig_deinit(&r);
}

static void test_error_counters(void **state)
{
    (void)state;
    front_rig r;
    front_rig_init(&r);
    memory_stream *a = front_rig_come(&r);
    SAY(&r, a, "nonsense\r\n\r\n");
    front_rig_expect_sent("bad", a, "HTTP/1.1 400 ", "");
    assert_int_equal(r.counters[SIO_COUNTER_HTTP_ERRORS], 1);
    assert_int_equal(r.counters[SIO_COUNTER_PEER_ERRORS], 1);
    assert_int_equal(r.errors[-SIO_ERR_HTTP_SYNTAX], 1);
    assert_int_equal(r.counters[SIO_COUNTER_REFUSED], 0);
    memory_loop_advance(&r.loop, 2000);
    assert_int_equal(r.front.open, 0);
    front_rig_deinit(&r);
}

/* --------------------------------------------------------------- closing -- */

static void test_closing(void **state)
{
    (void)state;
    front_rig r;
    front_rig_init(&r);
    r.hooks.allow = front_rig_on_allow;
    r.verdict = FRONT_RIG_LATER;
    memory_stream *idle = front_rig_come(&r), *late = front_rig_come(&r),
                  *asks = front_rig_come(&r);
    SAY(&r, late, POLL_OPEN);
    tp_front_close(&r.front);
    /* One that was on its way is told, one that is idle is closed. */
    SAY(&r, asks, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    front_rig_expect_sent("asks", asks, "HTTP/1.1 404 ",
                          "Connection: close\r\n");
    memory_loop_advance(&r.loop, 200);
    assert_true(idle->closed && !late->closed && asks->shut);
    /* The application agrees too late. */
    front_rig_decide(&r, true);
    front_rig_expect_sent("late", late, "HTTP/1.1 503 ",
                          "Connection: close\r\n");
    front_rig_expect_told("late", &r, "other 1;");
    memory_loop_advance(&r.loop, 2000);
    assert_int_equal(r.front.open, 0);
    assert_int_equal(r.ended, 3);
    front_rig_deinit(&r);
}

static void test_abort(void **state)
{
    (void)state;
    front_rig r;
    front_rig_init(&r);
    memory_stream *a = front_rig_come(&r), *b = front_rig_come(&r),
                  *c = front_rig_come(&r);
    SAY(&r, a, WS_OPEN);
    SAY(&r, b, "GET /half");
    SAY(&r, c, POLL_OPEN);
    front_rig_say_sid(&r, c,
                      ASK("GET", "/socket.io/?EIO=4&transport=polling&sid=%s"));
    tp_front_abort(&r.front);
    assert_int_equal(r.front.open, 0);
    assert_int_equal(r.ended, 3);
    assert_int_equal(r.counters[SIO_COUNTER_SESSIONS], 0);
    front_rig_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routing),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_foreign_upgrades),
        cmocka_unit_test(test_header_hooks),
        cmocka_unit_test(test_error_counters),
        cmocka_unit_test(test_closing),
        cmocka_unit_test(test_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
