#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/http_peer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

// clang-format off
static const struct stream_row {
    const char *label;
    sio_bytes in, out, told;
    bool ends; /* the connection */
} streams[] = {
    {"one", B("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(KEPT("3") "/a:"), B("GET /a[];"), false},
    {"pipelined",
     B("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n"
       "GET /c HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(KEPT("3") "/a:" KEPT("3") "/b:" KEPT("3") "/c:"),
     B("GET /a[];GET /b[];GET /c[];"), false},
    {"blanks", B("\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(KEPT("3") "/a:"), B("GET /a[];"), false},
    {"half a head", B("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HT"),
     B(KEPT("3") "/a:"), B("GET /a[];"), false},
    {"sized body, then a request",
     B("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
       "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(KEPT("8") "/a:hello" KEPT("3") "/b:"),
     B("POST /a[hello];GET /b[];"), false},
    {"sized body with a request in it",
     B("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 28\r\n\r\n"
       "GET /x HTTP/1.1\r\nHost: h\r\n\r\n" "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(KEPT("31") "/a:GET /x HTTP/1.1\r\nHost: h\r\n\r\n" KEPT("3") "/b:"),
     B("POST /a[GET /x HTTP/1.1\r\nHost: h\r\n\r\n];GET /b[];"), false},
    {"empty sized body",
     B("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
       "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(KEPT("3") "/a:" KEPT("3") "/b:"), B("POST /a[];GET /b[];"), false},
    {"chunked body, then requests",
     B("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: 1\r\n\r\n"
       "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
       "1\r\n!\r\n0\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(KEPT("8") "/a:hello" KEPT("4") "/b:!" KEPT("3") "/c:"),
     B("POST /a[hello];POST /b[!];GET /c[];"), false},
    {"empty chunked body",
     B("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
       "0\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(KEPT("3") "/a:" KEPT("3") "/b:"), B("POST /a[];GET /b[];"), false},
    {"HEAD", B("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n"
               "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(KEPT("3") KEPT("3") "/b:"), B("HEAD /a[];GET /b[];"), false},
    {"close, and what comes behind",
     B("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
       "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(LAST("3") "/a:"), B("GET /a[];"), true},
    {"HTTP/1.0", B("GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n"),
     B(LAST("3") "/a:"), B("GET /a[];"), true},
    {"HTTP/1.0 that keeps alive",
     B("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
       "GET /b HTTP/1.0\r\n\r\n"),
     B(KEPT("3") "/a:" LAST("3") "/b:"), B("GET /a[];GET /b[];"), true},
    {"body at the limit",
     B("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" A1000),
     B(KEPT("1003") "/a:" A1000), B("POST /a[" A1000 "];"), false},
    {"chunked body at the limit",
     B("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
       "258\r\n" A600 "\r\n190\r\n" A100 A100 A100 A100 "\r\n0\r\n\r\n"),
     B(KEPT("1003") "/a:" A1000), B("POST /a[" A1000 "];"), false},
    {"malformed", B("GET  /a HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(BARE("400 Bad Request")), B("refused -220;"), true},
    {"good, then malformed",
     B("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\n\r\n"
       "GET /c HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(KEPT("3") "/a:" BARE("400 Bad Request")), B("GET /a[];refused -220;"),
     true},
    {"TLS", B("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
     B(BARE("400 Bad Request")), B("refused -220;"), true},
    {"version", B("GET /a HTTP/2.0\r\nHost: h\r\n\r\n"),
     B(BARE("505 HTTP Version Not Supported")), B("refused -222;"), true},
    {"framing", B("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     B(BARE("400 Bad Request")), B("refused -221;"), true},
    {"coding", B("POST /a HTTP/1.1\r\nHost: h\r\n"
                 "Transfer-Encoding: gzip, chunked\r\n\r\n"),
     B(BARE("501 Not Implemented")), B("refused -224;"), true},
    {"long target", B("GET /" A600 " HTTP/1.1\r\nHost: h\r\n\r\n"),
     B(BARE("414 URI Too Long")), B("refused -223;"), true},
    {"long field", B("GET /a HTTP/1.1\r\nHost: h\r\nX: " A600 "\r\n\r\n"),
     B(BARE("431 Request Header Fields Too Large")), B("refused -223;"), true},
    {"body too large",
     B("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" A1000 "a"),
     B(BARE("413 Payload Too Large")), B("refused -205;"), true},
    {"chunked body too large",
     B("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3E8\r\n" A1000 "\r\n1\r\na\r\n0\r\n\r\n"),
     B(BARE("413 Payload Too Large")), B("refused -205;"), true},
    {"bad chunk",
     B("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
       "2\r\nabc\r\n0\r\n\r\n"),
     B(BARE("400 Bad Request")), B("refused -221;"), true},
    {"expectation", B("POST /a HTTP/1.1\r\nHost: h\r\nExpect: x\r\n"
                      "Content-Length: 1\r\n\r\na"),
     B(BARE("417 Expectation Failed")), B("refused -220;"), true},
};
// clang-format on

/* `cut` 0 is byte by byte. */
static void run_row(const struct stream_row *row, http_rig_how how, size_t cut,
                    size_t room)
{
    http_rig rig;
    http_rig_init(&rig);
    rig.how = how;
    rig.ms.room = room == SIZE_MAX ? SIZE_MAX : 0;
    for (size_t at = 0; at < row->in.len;) {
        size_t len = cut == 0 ? 1 : at == 0 ? cut : row->in.len - at;
        http_peer_feed(&rig, (sio_bytes){row->in.base + at, len}, room);
        at += len;
    }
    CHECK(row->label, sio_bytes_eq(sio_buf_view(&rig.ms.out), row->out));
    CHECK(row->label, sio_bytes_eq(sio_buf_view(&rig.told), row->told));
    CHECK(row->label, rig.ms.shut == row->ends);
    CHECK(row->label, !rig.ms.closed);
    memory_loop_advance(&rig.loop, 7000);
    CHECK(row->label, rig.ms.closed || !row->ends);
    CHECK(row->label, rig.gone == rig.ms.closed);
    http_rig_deinit(&rig);
    CHECK(row->label, rig.gone == 1);
}

static void test_streams(void **state)
{
    (void)state;
    static const size_t rooms[] = {SIZE_MAX, 1, 64};
    for (size_t i = 0; i < COUNT(streams); i++) {
        for (size_t r = 0; r < COUNT(rooms); r++) {
            run_row(&streams[i], HTTP_RIG_ECHO, 0, rooms[r]);
            run_row(&streams[i], HTTP_RIG_LATER, 0, rooms[r]);
        }
        for (size_t cut = 1; cut <= streams[i].in.len; cut++) {
            run_row(&streams[i], cut % 2 == 0 ? HTTP_RIG_ECHO : HTTP_RIG_LATER,
                    cut, SIZE_MAX);
        }
    }
}

/* --------------------------------------------------------------- expect -- */

static void test_expect(void **state)
{
    (void)state;
    static const struct {
        const char *label, *head, *body, *first, *second;
    } rows[] = {
        {"sized", EXPECTING "Content-Length: 2\r\n\r\n", "hi", CONTINUE,
         KEPT("5") "/a:hi"},
        {"chunked", EXPECTING "Transfer-Encoding: chunked\r\n\r\n",
         "2\r\nhi\r\n0\r\n\r\n", CONTINUE, KEPT("5") "/a:hi"},
        {"a part is there", EXPECTING "Content-Length: 2\r\n\r\nh", "i", "",
         KEPT("5") "/a:hi"},
        {"no body", EXPECTING "Content-Length: 0\r\n\r\n", "",
         KEPT("3") "/a:", ""},
        {"too large", EXPECTING "Content-Length: 1001\r\n\r\n", "",
         BARE("413 Payload Too Large"), ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        http_rig rig;
        http_rig_init(&rig);
        print_message("%s\n", rows[i].label);
        http_peer_say(&rig, rows[i].head);
        http_peer_expect(&rig, rows[i].first);
        http_peer_say(&rig, rows[i].body);
        http_peer_expect(&rig, rows[i].second);
        http_rig_deinit(&rig);
    }
}

static void test_unwanted_body(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.how = HTTP_RIG_UNWANTED;
    http_peer_say(&rig, EXPECTING "Content-Length: 2\r\n\r\n");
    http_peer_expect(&rig, BARE("400 Bad Request"));
    assert_true(rig.ms.shut);
    http_peer_say(&rig, "hiGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(rig.requests, 0);
    assert_int_equal(rig.begun, 1);
    memory_stream_end(&rig.ms, SIO_OK);
    assert_int_equal(rig.gone, 1);
    http_rig_deinit(&rig);
}

/* --------------------------------------------------------------- memory -- */

/* What comes while an answer is awaited is kept up to a bound; then the peer
 * has to wait, and nothing is lost. */
static void test_pause(void **state)
{
    (void)state;
    http_rig rig;
    size_t fed = 0, count = 200, len = sizeof(GET_A) - 1;
    http_rig_init(&rig);
    rig.how = HTTP_RIG_LATER;
    for (size_t i = 0; fed < count; i++) {
        assert_true(i < 10000);
        while (fed < count && memory_stream_reads(&rig.ms)) {
            fed += memory_stream_feed(&rig.ms, SIO_LIT(GET_A), 0) / len;
            assert_true(rig.conn->in.len < 512 + len);
        }
        if (rig.asked) {
            http_rig_answer(&rig);
        }
        memory_loop_turn(&rig.loop);
    }
    http_peer_settle(&rig, SIZE_MAX);
    assert_int_equal(rig.requests, count);
    assert_int_equal(rig.ms.out.len, count * (sizeof(KEPT("3") "/a:") - 1));
    assert_int_equal(rig.conn->in.cap, 0);
    http_rig_deinit(&rig);
}

/* The same with many requests in each read: one that is answered does not let
 * the next read in before its own turn. */
static void pipeline(http_rig_how how)
{
    static uint8_t many[100 * (sizeof(GET_A) - 1)];
    http_rig rig;
    size_t len = sizeof(GET_A) - 1, fed = 0, turns = 0;
    for (size_t at = 0; at < sizeof(many); at += len) {
        memcpy(many + at, GET_A, len);
    }
    http_rig_init(&rig);
    rig.how = how;
    while (rig.requests < 2000) {
        assert_true(turns++ < 10000);
        if (memory_stream_reads(&rig.ms)) {
            sio_bytes chunk = {many, sizeof(many)};
            fed += memory_stream_feed(&rig.ms, chunk, 0) / len;
        }
        assert_true(rig.conn->in.len < 512 + sizeof(many));
        if (rig.asked) {
            http_rig_answer(&rig);
        }
        memory_loop_turn(&rig.loop);
    }
    assert_true(fed < 2000 + 200);
    http_rig_deinit(&rig);
}

static void test_pipeline(void **state)
{
    (void)state;
    pipeline(HTTP_RIG_ECHO);
    pipeline(HTTP_RIG_LATER);
}

/* An idle connection holds nothing, and a claimed length costs nothing. */
static void test_memory(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.config.max_body = UINT32_MAX;
    http_peer_say(&rig, GET_A);
    assert_int_equal(rig.conn->in.cap + rig.conn->out.cap + rig.conn->body.cap,
                     0);
    http_peer_say(&rig, "POST /a HTTP/1.1\r\nHost: h\r\n"
                        "Content-Length: 4294967295\r\n\r\nhi");
    assert_true(rig.conn->in.cap < 1024);
    http_rig_deinit(&rig);

    http_rig_init(&rig);
    http_peer_say(&rig, "POST /a HTTP/1.1\r\nHost: h\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1000; i++) {
        http_peer_say(&rig, i < 30 ? "1;" A100 "\r\na\r\n" : "1\r\na\r\n");
        if (rig.conn->state != TP_HTTP_STATE_BODY) {
            fail_msg("chunk %d", i);
        }
        assert_true(rig.conn->in.cap <= 1024 && rig.conn->body.cap <= 2048);
    }
    http_peer_say(&rig, "0\r\n\r\n");
    assert_int_equal(rig.requests, 1);
    assert_int_equal(rig.conn->in.cap + rig.conn->out.cap + rig.conn->body.cap,
                     0);
    http_rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),       cmocka_unit_test(test_expect),
        cmocka_unit_test(test_unwanted_body), cmocka_unit_test(test_pause),
        cmocka_unit_test(test_pipeline),      cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
