#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/http_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

#define DATE "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
#define ANSWER(len, then)                                                      \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " len      \
    "\r\nX-Y: z\r\n" DATE "Connection: " then "\r\n\r\n"
#define KEPT(len) ANSWER(len, "keep-alive")
#define LAST(len) ANSWER(len, "close")
#define BARE(status)                                                           \
    "HTTP/1.1 " status "\r\nContent-Length: 0\r\n" DATE                        \
    "Connection: close\r\n\r\n"
#define A10 "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10
#define A600 A100 A100 A100 A100 A100 A100
#define A1000 A600 A100 A100 A100 A100

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

static bool is_busy(const http_rig *rig)
{
    return rig->asked || (rig->ms.blocked && !rig->ms.closed) ||
           !sio_list_empty(&rig->loop.dirty);
}

/* Turns until nothing moves.  The stream takes `room` bytes at a time, the
 * application answers in the turn after the request. */
static void settle(http_rig *rig, size_t room)
{
    memory_loop_turn(&rig->loop);
    for (int i = 0; is_busy(rig); i++) {
        assert_true(i < 1000000);
        if (rig->asked) {
            http_rig_answer(rig);
        }
        if (rig->ms.blocked) {
            memory_stream_drain(&rig->ms, room);
        }
        memory_loop_turn(&rig->loop);
    }
}

/* Feeds all, in pieces, with turns between them. */
static void feed(http_rig *rig, sio_bytes in, size_t room)
{
    size_t at = 0;
    while (at < in.len) {
        size_t n = memory_stream_feed(
            &rig->ms, (sio_bytes){in.base + at, in.len - at}, 0);
        settle(rig, room);
        if (n == 0) {
            return;
        }
        at += n;
    }
}

static void feed_text(http_rig *rig, const char *text)
{
    feed(rig, (sio_bytes){(const uint8_t *)text, strlen(text)}, SIZE_MAX);
}

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
        feed(&rig, (sio_bytes){row->in.base + at, len}, room);
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

static void expect_out(http_rig *rig, const char *text)
{
    assert_true(sio_buf_append(&rig->ms.out, SIO_LIT("\0")) == SIO_OK);
    assert_string_equal((const char *)rig->ms.out.base, text);
    sio_buf_deinit(&rig->ms.out);
}

/* -------------------------------------------------------------- expect -- */

#define EXPECTING "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

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
        feed_text(&rig, rows[i].head);
        expect_out(&rig, rows[i].first);
        feed_text(&rig, rows[i].body);
        expect_out(&rig, rows[i].second);
        http_rig_deinit(&rig);
    }
}

static void test_unwanted_body(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.how = HTTP_RIG_UNWANTED;
    feed_text(&rig, EXPECTING "Content-Length: 2\r\n\r\n");
    expect_out(&rig, BARE("400 Bad Request"));
    assert_true(rig.ms.shut);
    feed_text(&rig, "hiGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(rig.requests, 0);
    assert_int_equal(rig.begun, 1);
    memory_stream_end(&rig.ms, SIO_OK);
    assert_int_equal(rig.gone, 1);
    http_rig_deinit(&rig);
}

/* ------------------------------------------------------------- timeouts -- */

#define GET_A "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST_HALF "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nhi"
#define CHUNKED_HALF                                                           \
    "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhi"

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
        feed_text(&rig, rows[i].in);
        memory_loop_advance(&rig.loop, rows[i].ms - 1);
        assert_false(rig.ms.shut || rig.ms.closed);
        memory_loop_advance(&rig.loop, 1);
        settle(&rig, SIZE_MAX);
        assert_true(rig.ms.shut || rig.ms.closed);
        memory_loop_advance(&rig.loop, 2000);
        assert_true(rig.ms.closed);
        assert_int_equal(rig.gone, 1);
        assert_int_equal(rig.lost, rows[i].lost);
        assert_true(rig.lost == 0 || rig.why_lost == SIO_ERR_TIMEOUT);
        expect_out(&rig, rows[i].out);
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
        feed_text(&rig, rows[i].start);
        for (uint64_t t = 0; t < rows[i].ms; t += rows[i].ms / 2) {
            CHECK(rows[i].label, !rig.ms.shut);
            feed_text(&rig, t == 0 ? "x" : "");
            memory_loop_advance(&rig.loop, rows[i].ms / 2);
        }
        settle(&rig, SIZE_MAX);
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
    expect_out(&rig, KEPT("3") "/a:");
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

/* -------------------------------------------------------------- sources -- */

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
        feed(&rig, (sio_bytes)B(GET_A), rows[i].room);
        CHECK(rows[i].label, rig.source_closed == 1);
        check_source(&rig, rows[i].len);
        (void)snprintf(length, sizeof(length), "\r\nContent-Length: %d\r\n",
                       (int)rows[i].len + 1);
        CHECK(rows[i].label, memmem(rig.ms.out.base, rig.ms.out.len, length,
                                    strlen(length)) != NULL);
        rig.how = HTTP_RIG_ECHO;
        sio_buf_deinit(&rig.ms.out);
        feed(&rig, (sio_bytes)B(GET_A), SIZE_MAX);
        expect_out(&rig, KEPT("3") "/a:");
        http_rig_deinit(&rig);
    }
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
    feed_text(&rig, GET_A);
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
    feed_text(&rig, "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(rig.source_closed, 1);
    assert_int_equal(rig.source_at, 0);
    expect_out(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n" DATE
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
    settle(&rig, SIZE_MAX);
    check_source(&rig, 3000);
    http_rig_deinit(&rig);
}

/* ----------------------------------------------------------- the losses -- */

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
    feed_text(&rig, GET_A GET_A);
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
    feed_text(&rig, POST_HALF);
    feed_text(&rig, "ya" GET_A);
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
    feed_text(&rig, CHUNKED_HALF);
    feed_text(&rig, "xx");
    assert_int_equal(rig.lost, 1);
    assert_int_equal(rig.why_lost, SIO_ERR_HTTP_FRAMING);
    assert_int_equal(rig.refused, 1);
    expect_out(&rig, BARE("400 Bad Request"));
    http_rig_deinit(&rig);
    assert_int_equal(rig.lost, 1);
}

/* ------------------------------------------------------- detach, foreign -- */

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

/* -------------------------------------------------------------- finish -- */

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
    expect_out(&rig, LAST("3") "/a:");
    assert_true(rig.ms.shut);
    memory_loop_advance(&rig.loop, 2000);
    assert_int_equal(rig.gone, 1);
    assert_int_equal(rig.requests, 1);
    http_rig_deinit(&rig);
}

/* ---------------------------------------------------------------- memory -- */

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
    settle(&rig, SIZE_MAX);
    assert_int_equal(rig.requests, count);
    assert_int_equal(rig.ms.out.len, count * (sizeof(KEPT("3") "/a:") - 1));
    assert_int_equal(rig.conn->in.cap, 0);
    http_rig_deinit(&rig);
}

/* An idle connection holds nothing, and a claimed length costs nothing. */
static void test_memory(void **state)
{
    (void)state;
    http_rig rig;
    http_rig_init(&rig);
    rig.config.max_body = UINT32_MAX;
    feed_text(&rig, GET_A);
    assert_int_equal(rig.conn->in.cap + rig.conn->out.cap + rig.conn->body.cap,
                     0);
    feed_text(&rig, "POST /a HTTP/1.1\r\nHost: h\r\n"
                    "Content-Length: 4294967295\r\n\r\nhi");
    assert_true(rig.conn->in.cap < 1024);
    http_rig_deinit(&rig);

    http_rig_init(&rig);
    feed_text(&rig, "POST /a HTTP/1.1\r\nHost: h\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1000; i++) {
        feed_text(&rig, i < 30 ? "1;" A100 "\r\na\r\n" : "1\r\na\r\n");
        if (rig.conn->state != TP_HTTP_STATE_BODY) {
            fail_msg("chunk %d", i);
        }
        assert_true(rig.conn->in.cap <= 1024 && rig.conn->body.cap <= 2048);
    }
    feed_text(&rig, "0\r\n\r\n");
    assert_int_equal(rig.requests, 1);
    assert_int_equal(rig.conn->in.cap + rig.conn->out.cap + rig.conn->body.cap,
                     0);
    http_rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_expect),
        cmocka_unit_test(test_unwanted_body),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_slow_head_and_body),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_no_reader),
        cmocka_unit_test(test_no_reader_since_continue),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_broken_sources),
        cmocka_unit_test(test_source_after_halt),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_broken_send),
        cmocka_unit_test(test_abort_in_request),
        cmocka_unit_test(test_refused_body),
        cmocka_unit_test(test_detach),
        cmocka_unit_test(test_detach_paused),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
