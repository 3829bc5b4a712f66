#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engineio/session.h"
#include "test/memory_stream.h"
#include "transport/front.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PEERS 4
#define WS_FIELDS                                                              \
    "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"                 \
    "Sec-WebSocket-Version: 13\r\n"                                            \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define WS_OPEN                                                                \
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" WS_FIELDS "\r\n"
#define POLL_OPEN                                                              \
    "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n"
#define MASKED_HI                                                              \
    "\x81\x83\0\0\0\0"                                                         \
    "4hi"
#define MASKED_PROBE                                                           \
    "\x81\x86\0\0\0\0"                                                         \
    "2probe"
#define MASKED_UPGRADE                                                         \
    "\x81\x81\0\0\0\0"                                                         \
    "5"

/* What the application says to a handshake. */
typedef enum verdict { ALLOW, REFUSE, LATER } verdict;

/* A front with all it needs, and an application that writes down what it is
 * told: `opened;`, `[message];`, `upgraded;`, `closed REASON;`,
 * `refused CODE MESSAGE CONTEXT;`, `other WHOLE;`. */
typedef struct rig {
    tp_loop loop;
    eio_config eio_config;
    eio_engine engine;
    uint64_t counters[SIO_COUNTER_COUNT];
    uint64_t errors[EIO_ERROR_CODES];
    tp_front_config config;
    tp_front_hooks hooks;
    tp_front front;
    memory_stream peers[PEERS];
    size_t accepted;
    eio_session *session; /* the latest */
    verdict verdict;
    tp_exchange *asked; /* whose verdict is awaited */
    unsigned ended, initial_headers, headers;
    bool serves_others;
    sio_buf told;
} rig;

static void put(rig *r, const char *fmt, ...)
{
    char line[256];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    assert_true(len >= 0 && (size_t)len < sizeof(line));
    assert_int_equal(sio_buf_append(&r->told, (sio_bytes){(const uint8_t *)line,
                                                          (size_t)len}),
                     SIO_OK);
}

/* ------------------------------------------------------- the application -- */

static void on_opened(void *app, eio_session *session)
{
    rig *r = app;
    r->session = session;
    eio_session_set_user(session, r);
    put(r, "opened;");
}

static void on_message(void *user, eio_session *session, eio_form form,
                       sio_bytes data)
{
    (void)session;
    (void)form;
    put(user, "[%.*s];", (int)data.len, (const char *)data.base);
}

static void on_drained(void *user, eio_session *session)
{
    (void)user;
    (void)session;
}

static void on_upgraded(void *user, eio_session *session)
{
    (void)session;
    put(user, "upgraded;");
}

static void on_closed(void *user, eio_session *session, eio_reason reason,
                      sio_error why)
{
    rig *r = user;
    (void)why;
    r->session = r->session == session ? NULL : r->session;
    put(r, "closed %s;", eio_reason_text(reason));
}

static const eio_session_events session_events = {
    .opened = on_opened,
    .message = on_message,
    .drained = on_drained,
    .upgraded = on_upgraded,
    .closed = on_closed,
};

static void on_allow(void *app, tp_exchange *x)
{
    rig *r = app;
    assert_non_null(sio_http_header(x, "host"));
    if (r->verdict == LATER) {
        r->asked = x;
    } else {
        x->verdict(x, r->verdict == ALLOW ? NULL : "not \"you\"");
    }
}

static void on_initial_headers(void *app, tp_exchange *x)
{
    ((rig *)app)->initial_headers++;
    assert_int_equal(sio_http_add_header(x, "X-Initial", "1"), SIO_OK);
    assert_int_equal(sio_http_add_header(x, "X-Bad", "1\r\nX: y"),
                     SIO_ERR_ARGUMENT);
    sio_http_respond(x, 200, NULL, NULL, 0); /* has no effect here */
}

static void on_headers(void *app, tp_exchange *x)
{
    ((rig *)app)->headers++;
    assert_int_equal(sio_http_add_header(x, "X-Each", "2"), SIO_OK);
}

static void on_refused(void *app, tp_exchange *x, int code, const char *message,
                       const char *context)
{
    assert_string_equal(sio_http_address(x), "192.0.2.7");
    put(app, "refused %d %s %s;", code, message, context);
}

static bool on_other(void *app, tp_http_conn *conn, const tp_http_request *req,
                     bool whole)
{
    rig *r = app;
    (void)req;
    if (r->serves_others && whole) {
        tp_http_answer_send(
            conn, &(tp_http_answer){.status = 200, .body = SIO_LIT("other")});
    }
    put(r, "other %d;", whole);
    return r->serves_others;
}

static void on_ended(void *app)
{
    ((rig *)app)->ended++;
}

/* ---------------------------------------------------------------- the rig --
 */

static void init_engine(rig *r)
{
    r->eio_config = (eio_config){
        .ping_interval = 25000,
        .ping_timeout = 20000,
        .upgrade_timeout = 10000,
        .close_timeout = 30000,
        .max_payload = 1000,
        .max_packets = 100,
        .max_backlog = 100000,
        .transports = SIO_TRANSPORT_POLLING | SIO_TRANSPORT_WEBSOCKET,
        .allow_upgrades = true,
    };
    r->engine = (eio_engine){
        .config = &r->eio_config,
        .wheel = &r->loop.wheel,
        .now = &r->loop.now,
        .doomed = &r->loop.doomed,
        .frames = &r->loop.frames,
        .chunks = &r->loop.chunks,
        .random = &r->loop.random,
        .counters = r->counters,
        .error_counts = r->errors,
        .events = &session_events,
        .app = r,
    };
    assert_int_equal(eio_engine_init(&r->engine), SIO_OK);
}

static void rig_init(rig *r)
{
    *r = (rig){
        .config =
            {
                .path = SIO_LIT_INIT("/socket.io"),
                .trailing_slash = true,
                .destroy_upgrade = true,
                .destroy_upgrade_timeout = 1000,
                .cors_origin = "*",
                .cors_lines =
                    SIO_LIT_INIT("Access-Control-Allow-Origin: *\r\n"),
                .http = {.limits = TP_HTTP_LIMITS_DEFAULT,
                         .header_timeout = 3000,
                         .body_timeout = 7000,
                         .keep_alive = 5000,
                         .max_body = 1000},
                .websocket = {.limits = {.max_message = 1000,
                                         .max_fragments = 100},
                              .close_timeout = 5000},
            },
        .hooks = {.refused = on_refused, .other = on_other},
    };
    memory_loop_init(&r->loop, NULL);
    init_engine(r);
    r->front = (tp_front){
        .loop = &r->loop,
        .engine = &r->engine,
        .config = &r->config,
        .hooks = &r->hooks,
        .app = r,
        .ended = on_ended,
    };
    tp_front_init(&r->front);
    for (size_t i = 0; i < PEERS; i++) {
        memory_stream_init(&r->peers[i]);
    }
}

static memory_stream *come(rig *r)
{
    memory_stream *ms = &r->peers[r->accepted++];
    tp_front_accept(&r->front, &ms->base);
    assert_int_equal(r->counters[SIO_COUNTER_CONNECTIONS], r->front.open);
    return ms;
}

/* Cuts off what is left, and sees that everything is counted down. */
static void rig_deinit(rig *r)
{
    tp_front_abort(&r->front);
    assert_int_equal(r->front.open, 0);
    assert_int_equal(r->counters[SIO_COUNTER_CONNECTIONS], 0);
    assert_int_equal(r->ended, r->accepted);
    eio_engine_close_all(&r->engine, EIO_CLOSE_NOW);
    assert_int_equal(r->counters[SIO_COUNTER_SESSIONS], 0);
    memory_loop_turn(&r->loop);
    tp_front_deinit(&r->front);
    memory_loop_deinit(&r->loop);
    eio_engine_deinit(&r->engine);
    for (size_t i = 0; i < PEERS; i++) {
        memory_stream_deinit(&r->peers[i]);
    }
    sio_buf_deinit(&r->told);
}

static void say(rig *r, memory_stream *ms, sio_bytes bytes)
{
    assert_int_equal(memory_stream_feed(ms, bytes, 0), bytes.len);
    memory_loop_turn(&r->loop);
    memory_loop_turn(&r->loop);
}

#define SAY(r, ms, literal) say((r), (ms), SIO_LIT(literal))

/* Says what holds the session's id in place of "%s". */
static void say_sid(rig *r, memory_stream *ms, const char *fmt)
{
    char line[1024];
    const char *at = strstr(fmt, "%s");
    assert_true(r->session != NULL && at != NULL);
    int len = snprintf(line, sizeof(line), "%.*s%s%s", (int)(at - fmt), fmt,
                       eio_session_sid(r->session), at + 2);
    say(r, ms, (sio_bytes){(const uint8_t *)line, (size_t)len});
}

static void expect_told(const char *label, rig *r, const char *want)
{
    put(r, "%c", 0);
    if (strcmp((const char *)r->told.base, want) != 0) {
        fail_msg("%s: told %s", label, (const char *)r->told.base);
    }
    sio_buf_deinit(&r->told);
}

/* Whether what was sent begins with `start` and has `part` in it; it is then
 * forgotten. */
static void expect_sent(const char *label, memory_stream *ms, const char *start,
                        const char *part)
{
    sio_buf *out = &ms->out;
    bool ok = out->len >= strlen(start) &&
              (out->len == 0 || memcmp(out->base, start, strlen(start)) == 0) &&
              (start[0] != '\0' || out->len == 0) &&
              (part[0] == '\0' ||
               memmem(out->base, out->len, part, strlen(part)) != NULL);
    if (!ok) {
        fail_msg("%s: sent %.*s", label, (int)out->len,
                 (const char *)out->base);
    }
    sio_buf_deinit(out);
}

/* --------------------------------------------------------------- routing -- */

#define ASK(method, target) method " " target " HTTP/1.1\r\nHost: h\r\n\r\n"
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
        rig r;
        rig_init(&r);
        memory_stream *ms = come(&r);
        say(&r, ms,
            (sio_bytes){(const uint8_t *)rows[i].in, strlen(rows[i].in)});
        if (strcmp(rows[i].told, "refused -220;") == 0) {
            /* Refused by the parser, or by the knock: either will do. */
            assert_true(r.counters[SIO_COUNTER_HTTP_ERRORS] +
                            r.counters[SIO_COUNTER_REFUSED] ==
                        1);
            sio_buf_deinit(&r.told);
        } else {
            expect_told(rows[i].in, &r, rows[i].told);
        }
        expect_sent(rows[i].in, ms, rows[i].start, rows[i].part);
        rig_deinit(&r);
    }
}

static void test_others(void **state)
{
    (void)state;
    rig r;
    rig_init(&r);
    r.serves_others = true;
    memory_stream *ms = come(&r);
    SAY(&r, ms, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n");
    SAY(&r, ms, "hi");
    expect_told("other", &r, "other 0;other 1;");
    expect_sent("other", ms, "HTTP/1.1 200 ", "other");
    assert_int_equal(r.counters[SIO_COUNTER_HTTP_REQUESTS], 1);
    rig_deinit(&r);
}

/* An upgrade that nobody wants ends without a word, or stays. */
static void test_foreign_upgrades(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        rig r;
        rig_init(&r);
        r.config.destroy_upgrade = i == 0;
        memory_stream *ms = come(&r);
        SAY(&r, ms, "GET /x HTTP/1.1\r\n" WS_FIELDS "\r\n");
        memory_loop_advance(&r.loop, 999);
        assert_false(ms->closed);
        memory_loop_advance(&r.loop, i == 0 ? 1 : 1000000);
        assert_true(ms->closed == (i == 0));
        assert_int_equal(ms->out.len, 0);
        rig_deinit(&r);
    }
}

/* -------------------------------------------------------------- sessions -- */

static void test_polling_session(void **state)
{
    (void)state;
    rig r;
    rig_init(&r);
    memory_stream *a = come(&r), *b = come(&r);
    SAY(&r, a, POLL_OPEN);
    expect_sent("open", a, "HTTP/1.1 200 ", "0{");
    say_sid(&r, a, ASK("GET", "/socket.io/?EIO=4&transport=polling&sid=%s"));
    say_sid(&r, b,
            "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
            "Host: h\r\nContent-Length: 6\r\n\r\n4hi");
    SAY(&r, b,
        "\x1e"
        "4");
    SAY(&r, b, "a");
    expect_sent("post", b, "HTTP/1.1 200 ", "ok");
    expect_told("post", &r, "opened;[hi];[a];");
    say_sid(&r, b, ASK("PUT", "/socket.io/?EIO=4&transport=polling&sid=%s"));
    expect_sent("put", b, "HTTP/1.1 500 ", "");
    say_sid(&r, b, ASK("GET", "/socket.io/?EIO=3&transport=polling&sid=%s"));
    expect_sent("protocol", b, "HTTP/1.1 400 ", "\"code\":3");
    memory_stream_end(a, SIO_OK);
    sio_buf_deinit(&r.told);
    memory_loop_turn(&r.loop);
    assert_null(r.session);
    assert_int_equal(r.counters[SIO_COUNTER_SESSIONS], 0);
    assert_int_equal(r.errors[-SIO_ERR_ABORTED], 1);
    assert_int_equal(r.front.open, 1);
    rig_deinit(&r);
}

/* Frames behind the handshake, in the same bytes and in others. */
static void test_websocket_session(void **state)
{
    (void)state;
    static const char in[] = WS_OPEN MASKED_HI;
    size_t len = sizeof(in) - 1;
    for (size_t cut = 1; cut <= len; cut++) {
        rig r;
        rig_init(&r);
        memory_stream *ms = come(&r);
        say(&r, ms, (sio_bytes){(const uint8_t *)in, cut});
        say(&r, ms, (sio_bytes){(const uint8_t *)in + cut, len - cut});
        expect_told("open", &r, "opened;[hi];");
        expect_sent("open", ms, "HTTP/1.1 101 ", "0{\"sid\":");
        assert_int_equal(r.front.open, 1);
        memory_stream_end(ms, SIO_ERR_IO);
        expect_told("end", &r, "closed transport close;");
        assert_int_equal(r.front.open, 0);
        rig_deinit(&r);
    }
}

static void test_upgrade(void **state)
{
    (void)state;
    rig r;
    rig_init(&r);
    r.hooks.headers = on_headers;
    memory_stream *a = come(&r), *b = come(&r), *c = come(&r);
    SAY(&r, a, POLL_OPEN);
    expect_sent("open", a, "HTTP/1.1 200 ", "0{");
    say_sid(&r, a, ASK("GET", "/socket.io/?EIO=4&transport=polling&sid=%s"));
    say_sid(&r, b,
            "GET /socket.io/?EIO=4&transport=websocket&sid=%s "
            "HTTP/1.1\r\n" WS_FIELDS "\r\n");
    expect_sent("upgrade", b, "HTTP/1.1 101 ", "X-Each: 2\r\n");
    SAY(&r, b, MASKED_PROBE);
    expect_sent("probe", b,
                "\x81\x06"
                "3probe",
                "");
    expect_sent("released", a, "HTTP/1.1 200 ", "\r\n\r\n6");
    SAY(&r, b, MASKED_UPGRADE MASKED_HI);
    expect_told("upgrade", &r, "opened;upgraded;[hi];");
    /* What comes by polling now is refused, a second WebSocket closed. */
    say_sid(&r, a, ASK("GET", "/socket.io/?EIO=4&transport=polling&sid=%s"));
    expect_sent("poll", a, "HTTP/1.1 400 ", "\"code\":3");
    expect_told("poll", &r, "refused 3 Bad request TRANSPORT_MISMATCH;");
    say_sid(&r, c,
            "GET /socket.io/?EIO=4&transport=websocket&sid=%s "
            "HTTP/1.1\r\n" WS_FIELDS "\r\n");
    expect_sent("second", c, "HTTP/1.1 101 ", "\r\n\r\n\x88");
    assert_int_equal(r.counters[SIO_COUNTER_UPGRADES], 1);
    assert_int_equal(r.front.open, 3);
    rig_deinit(&r);
}

/* --------------------------------------------------------------- verdicts --
 */

static void give_verdict(rig *r, bool allow)
{
    tp_exchange *x = r->asked;
    r->asked = NULL;
    x->verdict(x, allow ? NULL : "not \"you\"");
    memory_loop_turn(&r->loop);
    memory_loop_turn(&r->loop);
}

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
        rig r;
        size_t row = i / 3;
        const char *label = rows[row].label;
        /* WS_OPEN MASKED_HI has zeros in it. */
        size_t len = strlen(rows[row].in);
        bool more = strncmp(label, "websocket", 9) == 0;
        rig_init(&r);
        r.hooks.allow = on_allow;
        r.verdict = i % 3 != 0 ? LATER : rows[row].allow ? ALLOW : REFUSE;
        memory_stream *ms = come(&r);
        say(&r, ms,
            (sio_bytes){(const uint8_t *)rows[row].in,
                        more ? sizeof(WS_OPEN MASKED_HI) - 1 : len});
        if (i % 3 == 0) {
            assert_null(r.asked);
        } else {
            expect_sent(label, ms, "", "");
            assert_non_null(r.asked);
            memory_loop_advance(&r.loop, 1000000);
        }
        if (i % 3 == 2) {
            memory_stream_end(ms, SIO_OK);
            give_verdict(&r, rows[row].allow);
            expect_told(label, &r, "");
            expect_sent(label, ms, "", "");
        } else {
            if (i % 3 == 1) {
                give_verdict(&r, rows[row].allow);
            }
            expect_told(label, &r, rows[row].told);
            expect_sent(label, ms, rows[row].start, rows[row].part);
        }
        assert_true(sio_list_empty(&r.front.exchanges));
        rig_deinit(&r);
    }
}

/* More than is kept has come before the verdict: it is not lost. */
static void test_much_before_verdict(void **state)
{
    (void)state;
    rig r;
    rig_init(&r);
    r.hooks.allow = on_allow;
    r.verdict = LATER;
    memory_stream *ms = come(&r);
    SAY(&r, ms, WS_OPEN);
    unsigned sent = 0;
    while (memory_stream_reads(ms)) {
        SAY(&r, ms, MASKED_HI);
        sent++;
        assert_true(sent < 100000);
    }
    give_verdict(&r, true);
    assert_true(memory_stream_reads(ms));
    SAY(&r, ms, MASKED_HI);
    assert_int_equal(r.told.len, strlen("opened;") + (sent + 1) * 5);
    rig_deinit(&r);
}

/* The application never answers. */
static void test_no_verdict(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        rig r;
        rig_init(&r);
        r.hooks.allow = on_allow;
        r.verdict = LATER;
        memory_stream *ms = come(&r);
        SAY(&r, ms, POLL_OPEN);
        if (i == 1) {
            memory_stream_end(ms, SIO_ERR_IO);
        }
        assert_non_null(r.asked);
        rig_deinit(&r);
    }
}

/* ----------------------------------------------------------------- hooks -- */

static void test_header_hooks(void **state)
{
    (void)state;
    rig r;
    rig_init(&r);
    r.hooks.headers = on_headers;
    r.hooks.initial_headers = on_initial_headers;
    memory_stream *a = come(&r), *b = come(&r);
    SAY(&r, a, POLL_OPEN);
    assert_non_null(memmem(a->out.base, a->out.len, "X-Initial: 1\r\n", 14));
    expect_sent("open", a, "HTTP/1.1 200 ", "X-Each: 2\r\n");
    say_sid(&r, b,
            "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
            "Host: h\r\nContent-Length: 3\r\n\r\n4hi");
    assert_null(memmem(b->out.base, b->out.len, "X-Initial", 9));
    expect_sent("post", b, "HTTP/1.1 200 ", "X-Each: 2\r\n");
    assert_int_equal(r.initial_headers, 1);
    assert_int_equal(r.headers, 2);
    rig_deinit(&r);
}

static void test_error_counters(void **state)
{
    (void)state;
    rig r;
    rig_init(&r);
    memory_stream *a = come(&r);
    SAY(&r, a, "nonsense\r\n\r\n");
    expect_sent("bad", a, "HTTP/1.1 400 ", "");
    assert_int_equal(r.counters[SIO_COUNTER_HTTP_ERRORS], 1);
    assert_int_equal(r.counters[SIO_COUNTER_PEER_ERRORS], 1);
    assert_int_equal(r.errors[-SIO_ERR_HTTP_SYNTAX], 1);
    assert_int_equal(r.counters[SIO_COUNTER_REFUSED], 0);
    memory_loop_advance(&r.loop, 2000);
    assert_int_equal(r.front.open, 0);
    rig_deinit(&r);
}

/* --------------------------------------------------------------- closing -- */

static void test_closing(void **state)
{
    (void)state;
    rig r;
    rig_init(&r);
    r.hooks.allow = on_allow;
    r.verdict = LATER;
    memory_stream *idle = come(&r), *late = come(&r), *asks = come(&r);
    SAY(&r, late, POLL_OPEN);
    tp_front_close(&r.front);
    /* One that was on its way is told, one that is idle is closed. */
    SAY(&r, asks, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_sent("asks", asks, "HTTP/1.1 404 ", "Connection: close\r\n");
    memory_loop_advance(&r.loop, 200);
    assert_true(idle->closed && !late->closed && asks->shut);
    /* The application agrees too late. */
    give_verdict(&r, true);
    expect_sent("late", late, "HTTP/1.1 503 ", "Connection: close\r\n");
    expect_told("late", &r, "other 1;");
    memory_loop_advance(&r.loop, 2000);
    assert_int_equal(r.front.open, 0);
    assert_int_equal(r.ended, 3);
    rig_deinit(&r);
}

static void test_abort(void **state)
{
    (void)state;
    rig r;
    rig_init(&r);
    memory_stream *a = come(&r), *b = come(&r), *c = come(&r);
    SAY(&r, a, WS_OPEN);
    SAY(&r, b, "GET /half");
    SAY(&r, c, POLL_OPEN);
    say_sid(&r, c, ASK("GET", "/socket.io/?EIO=4&transport=polling&sid=%s"));
    tp_front_abort(&r.front);
    assert_int_equal(r.front.open, 0);
    assert_int_equal(r.ended, 3);
    assert_int_equal(r.counters[SIO_COUNTER_SESSIONS], 0);
    rig_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routing),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_foreign_upgrades),
        cmocka_unit_test(test_polling_session),
        cmocka_unit_test(test_websocket_session),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_much_before_verdict),
        cmocka_unit_test(test_no_verdict),
        cmocka_unit_test(test_header_hooks),
        cmocka_unit_test(test_error_counters),
        cmocka_unit_test(test_closing),
        cmocka_unit_test(test_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
