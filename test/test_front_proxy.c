/* Connections that begin with a PROXY header, up to the session. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test/front_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define LINE "PROXY TCP4 198.51.100.7 192.0.2.1 4711 80\r\n"
#define IPV4 "\xc6\x33\x64\x07\xc0\x00\x02\x01\x12\x34\x00\x50"
#define V2(command) "\r\n\r\n\0\r\nQUIT\n" command
#define LOCAL V2("\x20\x00\x00\x00")
#define TCP4 V2("\x21\x11\x00\x0c" IPV4)
#define TCP4_TLS V2("\x21\x11\x00\x14" IPV4 "\x20\0\x05\x01\0\0\0\x01")
#define X27 "0123456789abcdefghijklmnopq"
#define X216 X27 X27 X27 X27 X27 X27 X27 X27
#define UNIX V2("\x21\x31\x00\xd8" X216)

typedef struct proxy_rig {
    front_rig front;
    sio_arena arena;
    tp_trusted trusted;
    sio_log log;
    char logged[256]; /* the latest */
    unsigned logs;
} proxy_rig;

static void on_log(void *arg, int level, const char *event, const char *text)
{
    proxy_rig *r = arg;
    assert_int_equal(level, SIO_LOG_WARN);
    (void)snprintf(r->logged, sizeof(r->logged), "%s %s", event, text);
    r->logs++;
}

/* Trusted is what is in the list; all peers have 192.0.2.7. */
static void init(proxy_rig *r, const char *list)
{
    const char *why;
    sio_bytes item;
    *r = (proxy_rig){0};
    front_rig_init(&r->front);
    r->log = (sio_log){on_log, r, SIO_LOG_WARN};
    r->front.loop.log = &r->log;
    assert_int_equal(
        tp_trusted_parse(list, &r->arena, &r->trusted, &why, &item), SIO_OK);
    r->front.config.http.trusted = &r->trusted;
    for (size_t i = 0; i < FRONT_RIG_PEERS; i++) {
        r->front.peers[i].base.wants_proxy = true;
    }
}

static void deinit(proxy_rig *r)
{
    front_rig_deinit(&r->front);
    sio_arena_deinit(&r->arena);
}

static uint64_t count(const proxy_rig *r, sio_counter counter)
{
    return sio_metric_get(&r->front.counters[counter]);
}

static void expect_refused(proxy_rig *r, memory_stream *ms, sio_error err,
                           const char *why)
{
    char want[128];
    (void)snprintf(want, sizeof(want), "proxy_refused address 192.0.2.7: %s",
                   why);
    assert_true(ms->closed);
    assert_int_equal(ms->out.len, 0);
    assert_int_equal(r->logs, 1);
    assert_string_equal(r->logged, want);
    assert_int_equal(count(r, SIO_COUNTER_PROXY_ERRORS), 1);
    assert_int_equal(sio_metric_get(&r->front.errors[-err]), 1);
}

static void expect_silence(const proxy_rig *r, const memory_stream *ms)
{
    assert_true(ms->closed);
    assert_int_equal(ms->out.len, 0);
    assert_int_equal(r->logs, 0);
    assert_int_equal(count(r, SIO_COUNTER_PROXY_ERRORS), 0);
}

/* --------------------------------------------------------------- addresses --
 */

#define ASK_FOR(lines)                                                         \
    "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n" lines    \
    "\r\n"
#define FORWARDED                                                              \
    ASK_FOR("X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https\r\n")

static const struct {
    const char *label, *trusted;
    sio_bytes in;
    const char *address;
    bool secure;
} clients[] = {
    {"a line", "192.0.2.0/24", SIO_LIT_INIT(LINE POLL_OPEN), "198.51.100.7",
     false},
    {"binary", "192.0.2.7", SIO_LIT_INIT(TCP4 POLL_OPEN), "198.51.100.7",
     false},
    {"binary, with TLS", "192.0.2.7", SIO_LIT_INIT(TCP4_TLS POLL_OPEN),
     "198.51.100.7", true},
    {"a socket of the proxy's machine",
     "192.0.2.7 unix:", SIO_LIT_INIT(UNIX POLL_OPEN), "unix:", false},
    {"the proxy itself", "192.0.2.7", SIO_LIT_INIT(LOCAL POLL_OPEN),
     "192.0.2.7", false},
    {"unknown", "192.0.2.7", SIO_LIT_INIT("PROXY UNKNOWN\r\n" POLL_OPEN),
     "192.0.2.7", false},
    /* Requests are believed as far as the connection's client is. */
    {"a client's claim", "192.0.2.7", SIO_LIT_INIT(LINE FORWARDED),
     "198.51.100.7", false},
    {"a proxy behind the proxy", "192.0.2.7 198.51.100.7",
     SIO_LIT_INIT(LINE FORWARDED), "203.0.113.5", true},
    {"the claim of who is not named", "192.0.2.7 unix:",
     SIO_LIT_INIT("PROXY UNKNOWN\r\n" FORWARDED), "192.0.2.7", false},
    {"the claim of one on its machine",
     "192.0.2.7 unix:", SIO_LIT_INIT(UNIX FORWARDED), "unix:", false},
};

/* Cut everywhere, and in one piece. */
static void test_clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(clients); i++) {
        for (size_t piece = 0; piece <= clients[i].in.len; piece++) {
            proxy_rig r;
            init(&r, clients[i].trusted);
            memory_stream *ms = front_rig_come(&r.front);
            assert_int_equal(memory_stream_feed(ms, clients[i].in, piece),
                             clients[i].in.len);
            memory_loop_turn(&r.front.loop);
            if (r.front.session == NULL) {
                fail_msg("%s: no session", clients[i].label);
            }
            const eio_request *request = eio_session_request(r.front.session);
            if (strcmp(eio_request_peer(request), clients[i].address) != 0 ||
                request->secure != clients[i].secure) {
                fail_msg("%s: %s, secure %d", clients[i].label,
                         eio_request_peer(request), request->secure);
            }
            front_rig_expect_sent(clients[i].label, ms, "HTTP/1.1 200 ",
                                  "0{\"sid\":");
            assert_int_equal(r.logs, 0);
            deinit(&r);
        }
    }
}

/* It stands before the first request, and only there. */
static void test_once(void **state)
{
    proxy_rig r;
    (void)state;
    init(&r, "192.0.2.7");
    memory_stream *ms = front_rig_come(&r.front);
    SAY(&r.front, ms, LINE ASK("GET", "/x"));
    front_rig_expect_sent("first", ms, "HTTP/1.1 404 ", "");
    SAY(&r.front, ms, LINE "\r\n");
    front_rig_expect_sent("second", ms, "HTTP/1.1 ", "Connection: close\r\n");
    assert_string_equal(r.logged, "http_refused address 198.51.100.7: "
                                  "malformed HTTP request");
    deinit(&r);
}

/* -------------------------------------------------------------- refusals -- */

static void test_refused(void **state)
{
    static const sio_bytes rows[] = {
        SIO_LIT_INIT(POLL_OPEN),
        SIO_LIT_INIT("PROXY TCP4 198.51.100.7 192.0.2.1 4711\r\n" POLL_OPEN),
        SIO_LIT_INIT("\x16\x03\x01\x02\x00"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t piece = 0; piece <= rows[i].len; piece++) {
            proxy_rig r;
            init(&r, "192.0.2.7");
            memory_stream *ms = front_rig_come(&r.front);
            (void)memory_stream_feed(ms, rows[i], piece);
            expect_refused(&r, ms, SIO_ERR_PROXY,
                           sio_error_text(SIO_ERR_PROXY));
            assert_int_equal(count(&r, SIO_COUNTER_HTTP_REQUESTS), 0);
            deinit(&r);
        }
    }
}

/* Whoever is no proxy is not listened to. */
static void test_not_trusted(void **state)
{
    proxy_rig r;
    (void)state;
    init(&r, "192.0.2.8 198.51.100.7");
    memory_stream *ms = &r.front.peers[0];
    tp_front_accept(&r.front.front, &ms->base);
    expect_refused(&r, ms, SIO_ERR_PROXY, "not a trusted proxy");
    assert_int_equal(count(&r, SIO_COUNTER_CONNECTIONS), 0);
    deinit(&r);
}

/* Elsewhere a header is no header. */
static void test_not_wanted(void **state)
{
    proxy_rig r;
    (void)state;
    init(&r, "192.0.2.7");
    r.front.peers[0].base.wants_proxy = false;
    memory_stream *ms = front_rig_come(&r.front);
    SAY(&r.front, ms, "PROXY TCP4 198.51.100.7 192.0.2.1 4711 80\r\n\r\n");
    front_rig_expect_sent("400", ms, "HTTP/1.1 400 ", "");
    deinit(&r);
}

static void test_time(void **state)
{
    proxy_rig r;
    (void)state;
    init(&r, "192.0.2.7");
    memory_stream *silent = front_rig_come(&r.front);
    memory_loop_advance(&r.front.loop, 2999);
    assert_false(silent->closed);
    memory_loop_advance(&r.front.loop, 1);
    expect_silence(&r, silent);

    memory_stream *slow = front_rig_come(&r.front);
    memory_loop_advance(&r.front.loop, 2000);
    SAY(&r.front, slow, "PROXY ");
    memory_loop_advance(&r.front.loop, 999);
    SAY(&r.front, slow, "TCP4 ");
    assert_false(slow->closed);
    memory_loop_advance(&r.front.loop, 1);
    expect_refused(&r, slow, SIO_ERR_TIMEOUT, sio_error_text(SIO_ERR_TIMEOUT));
    deinit(&r);
}

static void test_ended(void **state)
{
    proxy_rig r;
    (void)state;
    init(&r, "192.0.2.7");
    memory_stream *silent = front_rig_come(&r.front);
    memory_stream_end(silent, SIO_OK);
    expect_silence(&r, silent);
    memory_stream *broken = front_rig_come(&r.front);
    memory_stream_end(broken, SIO_ERR_IO);
    expect_silence(&r, broken);
    memory_stream *begun = front_rig_come(&r.front);
    SAY(&r.front, begun, "PROXY TCP4");
    memory_stream_end(begun, SIO_OK);
    expect_refused(&r, begun, SIO_ERR_PROXY, sio_error_text(SIO_ERR_PROXY));
    deinit(&r);
}

/* --------------------------------------------------------------- closing -- */

static void test_closing(void **state)
{
    proxy_rig r;
    (void)state;
    init(&r, "192.0.2.7");
    memory_stream *late = front_rig_come(&r.front);
    memory_stream *early = front_rig_come(&r.front);
    memory_stream *quiet = front_rig_come(&r.front);
    assert_int_equal(r.front.front.open, 3);
    tp_front_close(&r.front.front);
    memory_loop_advance(&r.front.loop, 199);
    SAY(&r.front, early, LINE ASK("GET", "/x"));
    front_rig_expect_sent("early", early, "HTTP/1.1 404 ",
                          "Connection: close\r\n");
    SAY(&r.front, quiet, LINE);
    assert_false(late->closed || quiet->closed);
    memory_loop_advance(&r.front.loop, 1);
    expect_silence(&r, late);
    assert_false(quiet->closed);
    memory_loop_advance(&r.front.loop, 200);
    expect_silence(&r, quiet);
    /* Nor does one that comes now get more. */
    memory_stream *last = front_rig_come(&r.front);
    memory_loop_advance(&r.front.loop, 200);
    expect_silence(&r, last);
    deinit(&r);
}

static void test_abort(void **state)
{
    proxy_rig r;
    (void)state;
    init(&r, "192.0.2.7");
    memory_stream *silent = front_rig_come(&r.front);
    memory_stream *begun = front_rig_come(&r.front);
    SAY(&r.front, begun, "PROXY ");
    tp_front_abort(&r.front.front);
    assert_true(silent->closed && begun->closed);
    assert_int_equal(r.front.front.open, 0);
    deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients),    cmocka_unit_test(test_once),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_not_trusted),
        cmocka_unit_test(test_not_wanted), cmocka_unit_test(test_time),
        cmocka_unit_test(test_ended),      cmocka_unit_test(test_closing),
        cmocka_unit_test(test_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
