#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/memory_stream.h"
#include "transport/polling.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST_HEAD(len)                                                         \
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " len "\r\n\r\n"
#define A33 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define CLIENTS 3

struct rig;

/* A connection of the peer. */
typedef struct client {
    struct rig *rig;
    memory_stream ms;
    tp_http_conn *conn; /* NULL once gone */
} client;

/* A polling, its connections, and an owner that writes down what it is told
 * and closes what has failed. */
typedef struct rig {
    tp_loop loop;
    eio_config eio_config;
    eio_engine engine;
    uint64_t counters[SIO_COUNTER_COUNT];
    tp_http_config http;
    tp_polling_config config;
    tp_polling *p;
    eio_transport *tp; /* NULL once it may be freed */
    client clients[CLIENTS];
    bool closes; /* when it gets a packet */
    bool closed;
    unsigned drained, gone;
    sio_buf told; /* `TYPE[data];`, `b[data];`, `failed CODE;`, `gone CODE;` */
} rig;

static void put(sio_buf *buf, sio_bytes bytes)
{
    assert_int_equal(sio_buf_append(buf, bytes), SIO_OK);
}

static sio_bytes text(const char *s)
{
    return (sio_bytes){(const uint8_t *)s, strlen(s)};
}

static void put_code(sio_buf *buf, const char *what, sio_error err)
{
    char line[32];
    (void)snprintf(line, sizeof(line), "%s %d;", what, (int)err);
    put(buf, text(line));
}

static void close_it(rig *r, eio_close_mode mode)
{
    r->closed = true;
    r->tp->ops->close(r->tp, mode);
}

/* ------------------------------------------------------------- the owner -- */

static void on_packet(void *owner, eio_transport *tp, const eio_packet *packet)
{
    rig *r = owner;
    uint8_t type = (uint8_t)('0' + packet->type);
    assert_true(tp == r->tp && !r->closed && r->gone == 0);
    put(&r->told,
        packet->form == EIO_FORM_BINARY ? SIO_LIT("b") : (sio_bytes){&type, 1});
    put(&r->told, SIO_LIT("["));
    put(&r->told, packet->data);
    put(&r->told, SIO_LIT("];"));
    if (r->closes) {
        close_it(r, EIO_CLOSE_NOW);
    }
}

static void on_drained(void *owner, eio_transport *tp)
{
    rig *r = owner;
    assert_true(tp == r->tp && !r->closed && r->gone == 0);
    r->drained++;
}

static void on_failed(void *owner, eio_transport *tp, sio_error why)
{
    rig *r = owner;
    assert_true(tp == r->tp && !r->closed && r->gone == 0);
    put_code(&r->told, "failed", why);
    close_it(r, EIO_CLOSE_NOW);
}

static void on_gone(void *owner, eio_transport *tp, sio_error why)
{
    rig *r = owner;
    assert_true(tp == r->tp && r->gone == 0 && !tp->writable);
    put_code(&r->told, "gone", why);
    r->gone++;
}

static const eio_transport_events owner_events = {
    .packet = on_packet,
    .drained = on_drained,
    .failed = on_failed,
    .gone = on_gone,
};

/* ------------------------------------------------------- the front door -- */

static bool is_over(const rig *r)
{
    return r->tp == NULL || r->gone != 0;
}

static bool on_begin(void *owner, tp_http_conn *conn,
                     const tp_http_request *req)
{
    rig *r = ((client *)owner)->rig;
    return is_over(r) || tp_polling_post_begin(r->p, conn, req->head);
}

static void on_request(void *owner, tp_http_conn *conn,
                       const tp_http_request *req)
{
    rig *r = ((client *)owner)->rig;
    if (is_over(r)) {
        tp_http_answer_send(conn, &(tp_http_answer){.status = 404});
    } else if (req->head->method == TP_HTTP_METHOD_GET) {
        tp_polling_get(r->p, conn, req->head);
    } else if (conn->waiter != NULL ||
               tp_polling_post_begin(r->p, conn, req->head)) {
        tp_polling_post(r->p, conn, req->body, req->body_len);
    }
}

static void on_refused(void *owner, tp_http_conn *conn, sio_error err)
{
    (void)owner;
    (void)conn;
    (void)err;
}

static void on_conn_gone(void *owner, tp_http_conn *conn)
{
    client *c = owner;
    assert_true(c->conn == conn);
    c->conn = NULL;
}

static const tp_http_events http_events = {
    .begin = on_begin,
    .request = on_request,
    .refused = on_refused,
    .gone = on_conn_gone,
};

static const eio_session_events no_events = {0};

static void init_engine(rig *r)
{
    r->eio_config = (eio_config){.close_timeout = 30000, .max_packets = 4};
    r->engine = (eio_engine){
        .config = &r->eio_config,
        .wheel = &r->loop.wheel,
        .now = &r->loop.now,
        .doomed = &r->loop.doomed,
        .frames = &r->loop.frames,
        .chunks = &r->loop.chunks,
        .random = &r->loop.random,
        .counters = r->counters,
        .events = &no_events,
    };
    assert_int_equal(eio_engine_init(&r->engine), SIO_OK);
}

static void rig_init(rig *r)
{
    *r = (rig){
        .http = {.limits = TP_HTTP_LIMITS_DEFAULT,
                 .header_timeout = 60000,
                 .body_timeout = 7000,
                 .keep_alive = 60000,
                 .max_body = 100},
    };
    memory_loop_init(&r->loop, NULL);
    init_engine(r);
    for (size_t i = 0; i < CLIENTS; i++) {
        client *c = &r->clients[i];
        c->rig = r;
        memory_stream_init(&c->ms);
        c->conn =
            tp_http_conn_new(&r->loop, &c->ms.base, &r->http, &http_events, c);
        assert_non_null(c->conn);
    }
    r->p = tp_polling_new(&r->loop, &r->engine, &r->config);
    assert_non_null(r->p);
    r->tp = tp_polling_base(r->p);
    assert_ptr_equal(tp_polling_of(r->tp), r->p);
    assert_false(r->tp->writable);
    r->tp->events = &owner_events;
    r->tp->owner = r;
}

/* Ends the turn; whatever has been closed may be gone then. */
static void turn(rig *r)
{
    memory_loop_turn(&r->loop);
    if (r->gone != 0) {
        r->tp = NULL;
    }
}

static void rig_deinit(rig *r)
{
    if (r->tp != NULL && !r->closed && r->gone == 0) {
        close_it(r, EIO_CLOSE_NOW);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        if (r->clients[i].conn != NULL) {
            tp_http_conn_abort(r->clients[i].conn);
        }
    }
    turn(r);
    memory_loop_deinit(&r->loop);
    eio_engine_deinit(&r->engine);
    for (size_t i = 0; i < CLIENTS; i++) {
        memory_stream_deinit(&r->clients[i].ms);
    }
    sio_buf_deinit(&r->told);
}

static void ask(rig *r, int at, sio_bytes request)
{
    assert_int_equal(memory_stream_feed(&r->clients[at].ms, request, 0),
                     request.len);
}

static void send_text(rig *r, const char *packet)
{
    sio_frame *frame = sio_frame_new(&r->loop.frames, strlen(packet));
    memcpy(frame->data, packet, strlen(packet));
    assert_true(r->tp->writable);
    assert_int_equal(r->tp->ops->send(r->tp, frame, EIO_FORM_TEXT), SIO_OK);
    sio_frame_unref(frame);
}

static void send_binary(rig *r, sio_bytes bytes)
{
    sio_frame *frame = sio_frame_new(&r->loop.frames, bytes.len);
    if (bytes.len != 0) {
        memcpy(frame->data, bytes.base, bytes.len);
    }
    assert_int_equal(r->tp->ops->send(r->tp, frame, EIO_FORM_BINARY), SIO_OK);
    sio_frame_unref(frame);
}

/* Expects one answer at the client `at`, or nothing for a status of 0. */
static void expect(rig *r, int at, int status, const char *body)
{
    sio_buf *out = &r->clients[at].ms.out;
    char line[64];
    if (status == 0) {
        assert_int_equal(out->len, 0);
        return;
    }
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
    assert_true(out->len > strlen(line));
    assert_memory_equal(out->base, line, strlen(line));
    put(out, SIO_LIT("\0"));
    const char *end = memmem(out->base, out->len, "\r\n\r\n", 4);
    assert_non_null(end);
    assert_string_equal(end + 4, body);
    (void)snprintf(line, sizeof(line), "\r\nContent-Length: %zu\r\n",
                   strlen(body));
    assert_non_null(strstr((const char *)out->base, line));
    sio_buf_deinit(out);
}

static void expect_told(rig *r, const char *want)
{
    put(&r->told, SIO_LIT("\0"));
    assert_string_equal((const char *)r->told.base, want);
    sio_buf_deinit(&r->told);
}

/* A session whose first packet is through. */
static void open_rig(rig *r)
{
    rig_init(r);
    ask(r, 0, (sio_bytes)B(GET));
    send_text(r, "0{}");
    assert_false(r->tp->writable);
    turn(r);
    expect(r, 0, 200, "0{}");
    r->drained = 0;
}

/* ------------------------------------------------------------------- GET -- */

static void test_open_packet_goes_alone(void **state)
{
    (void)state;
    rig r;
    rig_init(&r);
    ask(&r, 0, (sio_bytes)B(GET));
    assert_int_equal(r.drained, 1);
    assert_true(r.tp->writable);
    send_text(&r, "0{}");
    assert_false(r.tp->writable);
    assert_int_equal(r.tp->unsent, 0);
    turn(&r);
    expect(&r, 0, 200, "0{}");
    rig_deinit(&r);
}

static void test_packets_of_a_turn(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    turn(&r);
    ask(&r, 0, (sio_bytes)B(GET));
    assert_int_equal(r.drained, 1);
    memory_loop_advance(&r.loop, 1000000);
    expect(&r, 0, 0, "");
    send_text(&r, "4a");
    send_binary(&r, SIO_LIT("\1\2\3"));
    send_binary(&r, SIO_LIT(""));
    send_text(&r, "4");
    assert_int_equal(r.tp->unsent, 6);
    assert_true(r.tp->writable);
    turn(&r);
    assert_false(r.tp->writable);
    assert_int_equal(r.tp->unsent, 0);
    assert_int_equal(r.drained, 2);
    turn(&r);
    expect(&r, 0, 200,
           "4a\x1e"
           "bAQID\x1e"
           "b\x1e"
           "4");
    rig_deinit(&r);
}

/* Answers that leave byte by byte. */
static void test_slow_reader(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    r.clients[0].ms.room = 0;
    ask(&r, 0, (sio_bytes)B(GET GET));
    send_text(&r, "4abc");
    while (r.drained < 3) {
        turn(&r);
        memory_stream_drain(&r.clients[0].ms, 1);
    }
    expect(&r, 0, 200, "4abc");
    assert_true(r.tp->writable);
    rig_deinit(&r);
}

static void test_release(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    r.tp->ops->release(r.tp);
    turn(&r);
    expect(&r, 0, 0, "");
    ask(&r, 0, (sio_bytes)B(GET));
    r.tp->ops->release(r.tp);
    assert_false(r.tp->writable);
    turn(&r);
    expect(&r, 0, 200, "6");
    ask(&r, 0, (sio_bytes)B(GET));
    send_text(&r, "4a");
    r.tp->ops->release(r.tp);
    turn(&r);
    expect(&r, 0, 200,
           "4a\x1e"
           "6");
    rig_deinit(&r);
}

static void test_get_overlap(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    ask(&r, 0, (sio_bytes)B(GET));
    ask(&r, 1, (sio_bytes)B(GET));
    expect_told(&r, "failed -218;");
    turn(&r);
    expect(&r, 0, 200, "1");
    expect(&r, 1, 400, "");
    assert_true(r.clients[1].ms.shut);
    assert_true(r.gone <= 1);
    rig_deinit(&r);
}

static void test_get_lost(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        rig r;
        open_rig(&r);
        ask(&r, 0, (sio_bytes)B(GET));
        if (i == 1) {
            send_text(&r, "4a");
        }
        memory_stream_end(&r.clients[0].ms, SIO_OK);
        expect_told(&r, "failed -219;");
        turn(&r);
        expect(&r, 0, 0, "");
        rig_deinit(&r);
    }
}

/* ------------------------------------------------------------------ POST -- */

// clang-format off
static const struct {
    sio_bytes body;
    const char *told;
} posts[] = {
    {B("4a"), "4[a];"},
    {B("4"), "4[];"},
    {B("4a\x1e" "3\x1e" "bAQI="), "4[a];3[];b[\1\2];"},
    {B("4a\x1e" "4b\x1e" "4c\x1e" "4d"), "4[a];4[b];4[c];4[d];"},
    {B("4a\x1e" "4b\x1e" "4c\x1e" "4d\x1e" "4e"),
     "4[a];4[b];4[c];4[d];failed -205;"},
    {B("4\xff" "a"), "4[\xef\xbf\xbd" "a];"},
    {B("4a\x1e"), "4[a];failed -202;"},
    {B("\x1e" "4a"), "failed -202;"},
    {B("4a\x1e" "x\x1e" "4b"), "4[a];failed -201;"},
    {B("7"), "failed -201;"},
};
// clang-format on

static void test_posts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(posts); i++) {
        char head[128];
        size_t len = posts[i].body.len;
        (void)snprintf(head, sizeof(head),
                       "POST / HTTP/1.1\r\nHost: h\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       len);
        for (size_t cut = 0; cut <= len; cut++) {
            rig r;
            sio_buf first = {0};
            open_rig(&r);
            put(&first, text(head));
            put(&first, (sio_bytes){posts[i].body.base, cut});
            ask(&r, 1, sio_buf_view(&first));
            ask(&r, 1, (sio_bytes){posts[i].body.base + cut, len - cut});
            turn(&r);
            print_message("post %zu\n", i);
            expect_told(&r, posts[i].told);
            expect(&r, 1, 200, "ok");
            sio_buf_deinit(&first);
            rig_deinit(&r);
        }
    }
}

static void test_empty_post(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    ask(&r, 0, (sio_bytes)B(GET));
    ask(&r, 1, (sio_bytes)B(POST_HEAD("0")));
    expect_told(&r, "failed -202;");
    turn(&r);
    expect(&r, 0, 200, "1");
    expect(&r, 1, 200, "ok");
    rig_deinit(&r);
}

/* The rest of a body is dropped once the session is closed. */
static void test_close_in_packet(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    r.closes = true;
    ask(&r, 0, (sio_bytes)B(GET));
    ask(&r, 1,
        (sio_bytes)B(POST_HEAD("5") "4a\x1e"
                                    "4b"));
    expect_told(&r, "4[a];");
    turn(&r);
    expect(&r, 0, 200, "1");
    expect(&r, 1, 200, "ok");
    rig_deinit(&r);
}

/* The first POST is cut off without an answer. */
static void test_post_overlap(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    ask(&r, 0, (sio_bytes)B(GET));
    ask(&r, 1, (sio_bytes)B(POST_HEAD("5") "4a"));
    ask(&r, 2, (sio_bytes)B(POST_HEAD("2") "4b"));
    expect_told(&r, "failed -218;");
    turn(&r);
    expect(&r, 0, 200, "1");
    expect(&r, 1, 0, "");
    assert_true(r.clients[1].ms.closed);
    expect(&r, 2, 400, "");
    rig_deinit(&r);
}

static void test_content_type(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    ask(&r, 1,
        (sio_bytes)B("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
                     "Content-Type: application/octet-stream;x=y\r\n\r\n4a"));
    expect_told(&r, "4[a];");
    turn(&r);
    expect(&r, 1, 200, "ok");
    ask(&r, 1,
        (sio_bytes)B("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
                     "Content-Type: application/octet-stream\r\n\r\n4a"));
    expect_told(&r, "failed -225;");
    turn(&r);
    expect(&r, 1, 400, "");
    rig_deinit(&r);
}

/* What becomes of the session when a body does not come as it should. */
static void test_bad_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *label, *in;
        enum { END, BREAK, WAIT, NOTHING } then;
        int status;
        const char *told;
    } rows[] = {
        {"ended", POST_HEAD("5") "4a", END, 0, "failed -219;"},
        {"broken", POST_HEAD("5") "4a", BREAK, 0, "failed -219;"},
        {"timeout", POST_HEAD("5") "4a", WAIT, 408, "failed -304;"},
        {"too large", POST_HEAD("101") "4a", NOTHING, 413, ""},
        {"chunk",
         "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n"
         "4x",
         NOTHING, 400, "failed -221;"},
        {"too many chunks",
         "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
         "64\r\n4" A33 A33 A33 "\r\n1\r\na",
         NOTHING, 413, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        rig r;
        open_rig(&r);
        print_message("%s\n", rows[i].label);
        for (size_t at = 0; rows[i].in[at] != '\0'; at++) {
            if (memory_stream_reads(&r.clients[1].ms)) {
                ask(&r, 1, (sio_bytes){(const uint8_t *)rows[i].in + at, 1});
            }
        }
        if (rows[i].then == END || rows[i].then == BREAK) {
            memory_stream_end(&r.clients[1].ms,
                              rows[i].then == END ? SIO_OK : SIO_ERR_IO);
        } else if (rows[i].then == WAIT) {
            memory_loop_advance(&r.loop, 7000);
        }
        expect_told(&r, rows[i].told);
        turn(&r);
        expect(&r, 1, rows[i].status, "");
        if (rows[i].told[0] == '\0') { /* the session lives */
            ask(&r, 0, (sio_bytes)B(GET));
            send_text(&r, "4b");
            turn(&r);
            turn(&r);
            expect(&r, 0, 200, "4b");
        }
        rig_deinit(&r);
    }
}

/* --------------------------------------------------------------- closing -- */

static void test_close_with_get(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        rig r;
        open_rig(&r);
        ask(&r, 0, (sio_bytes)B(GET));
        ask(&r, 1, (sio_bytes)B(POST_HEAD("5") "4a"));
        send_text(&r, "4x");
        close_it(&r, i == 0 ? EIO_CLOSE_NOW : EIO_CLOSE_LINGER);
        assert_true(r.clients[1].ms.closed);
        turn(&r);
        r.tp = NULL;
        expect(&r, 0, 200,
               i == 0 ? "1"
                      : "4x\x1e"
                        "1");
        ask(&r, 0, (sio_bytes)B(GET));
        turn(&r);
        expect(&r, 0, 404, "");
        rig_deinit(&r);
    }
}

static void test_close_now_without_get(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    close_it(&r, EIO_CLOSE_NOW);
    turn(&r);
    r.tp = NULL;
    expect(&r, 0, 0, "");
    rig_deinit(&r);
}

static void test_linger(void **state)
{
    (void)state;
    rig r;
    open_rig(&r); /* the peer asks */
    close_it(&r, EIO_CLOSE_LINGER);
    memory_loop_advance(&r.loop, 29999);
    assert_int_equal(r.gone, 0);
    ask(&r, 1, (sio_bytes)B(POST_HEAD("2") "4a"));
    turn(&r);
    expect(&r, 1, 200, "ok");
    ask(&r, 0, (sio_bytes)B(GET));
    expect_told(&r, "gone 0;");
    turn(&r);
    expect(&r, 0, 200,
           "6\x1e"
           "1");
    rig_deinit(&r);

    open_rig(&r); /* it does not */
    close_it(&r, EIO_CLOSE_LINGER);
    memory_loop_advance(&r.loop, 30000);
    expect_told(&r, "gone -304;");
    turn(&r);
    rig_deinit(&r);

    open_rig(&r); /* there is no more patience */
    close_it(&r, EIO_CLOSE_LINGER);
    close_it(&r, EIO_CLOSE_NOW);
    memory_loop_advance(&r.loop, 30000);
    assert_true(r.gone <= 1);
    r.tp = NULL;
    rig_deinit(&r);
}

/* A body that is under way when a lingering close ends: its connection knows
 * nothing of the polling any more. */
static void test_linger_during_post(void **state)
{
    (void)state;
    enum { BY_GET, BY_TIMER, BY_OVERLAP, WAYS };
    for (int way = 0; way < WAYS; way++) {
        rig r;
        open_rig(&r);
        r.http.body_timeout = 60000;
        close_it(&r, EIO_CLOSE_LINGER);
        ask(&r, 1, (sio_bytes)B(POST_HEAD("5") "4a"));
        if (way == BY_GET) {
            ask(&r, 0, (sio_bytes)B(GET));
        } else if (way == BY_TIMER) {
            memory_loop_advance(&r.loop, 30000);
        } else {
            ask(&r, 2, (sio_bytes)B(POST_HEAD("2") "4b"));
        }
        assert_int_equal(r.gone, 1);
        turn(&r);
        assert_true(r.clients[1].ms.closed);
        expect(&r, 1, 0, "");
        rig_deinit(&r);
    }
}

/* A body that fails under a lingering close ends it. */
static void test_linger_post_lost(void **state)
{
    (void)state;
    rig r;
    open_rig(&r);
    close_it(&r, EIO_CLOSE_LINGER);
    ask(&r, 1, (sio_bytes)B(POST_HEAD("5") "4a"));
    memory_stream_end(&r.clients[1].ms, SIO_ERR_IO);
    expect_told(&r, "gone -219;");
    turn(&r);
    rig_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_packet_goes_alone),
        cmocka_unit_test(test_packets_of_a_turn),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_release),
        cmocka_unit_test(test_get_overlap),
        cmocka_unit_test(test_get_lost),
        cmocka_unit_test(test_posts),
        cmocka_unit_test(test_empty_post),
        cmocka_unit_test(test_close_in_packet),
        cmocka_unit_test(test_post_overlap),
        cmocka_unit_test(test_content_type),
        cmocka_unit_test(test_bad_bodies),
        cmocka_unit_test(test_close_with_get),
        cmocka_unit_test(test_close_now_without_get),
        cmocka_unit_test(test_linger),
        cmocka_unit_test(test_linger_during_post),
        cmocka_unit_test(test_linger_post_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
