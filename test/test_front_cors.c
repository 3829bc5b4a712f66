/* Other origins and the cookie, on their way through the front. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test/front_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define REQUEST(method, target, fields)                                        \
    method " " target " HTTP/1.1\r\nHost: h\r\n" fields "\r\n"
#define OPEN "/socket.io/?EIO=4&transport=polling"
#define FROM_A "Origin: https://a\r\n"
#define FROM_B "Origin: https://b\r\n"
#define ALLOW_A "Access-Control-Allow-Origin: https://a\r\nVary: Origin\r\n"

static bool has(const memory_stream *ms, const char *part)
{
    return ms->out.len != 0 &&
           memmem(ms->out.base, ms->out.len, part, strlen(part)) != NULL;
}

static void say(front_rig *r, memory_stream *ms, const char *text)
{
    front_rig_say(r, ms, (sio_bytes){(const uint8_t *)text, strlen(text)});
}

static void init(front_rig *r, const char *origin, bool enforce)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    config.cors_origin = origin;
    config.cors_enforce = enforce;
    front_rig_init(r);
    front_rig_configure(r, &config);
}

/* Each of these, with the headers and without. */
static void test_headers_are_everywhere(void **state)
{
    (void)state;
    static const struct {
        const char *in, *start;
    } rows[] = {
        {REQUEST("GET", OPEN, FROM_A), "HTTP/1.1 200 "},
        {REQUEST("GET", "/socket.io/?transport=x", FROM_A), "HTTP/1.1 400 "},
        {REQUEST("GET", OPEN "&sid=x", FROM_A), "HTTP/1.1 400 "},
        {REQUEST("OPTIONS", OPEN, FROM_A), "HTTP/1.1 204 "},
        {REQUEST("GET", "/socket.io/?EIO=4&transport=websocket",
                 FROM_A WS_FIELDS_BUT_HOST),
         "HTTP/1.1 101 "},
        {REQUEST("GET", "/socket.io/?EIO=3&transport=websocket",
                 FROM_A WS_FIELDS_BUT_HOST),
         "HTTP/1.1 400 "},
        {REQUEST("POST", OPEN "&sid=x", FROM_A "Content-Length: 1001\r\n"),
         "HTTP/1.1 413 "},
        {REQUEST("POST", OPEN "&sid=x", FROM_A "Content-Length: 9\r\n"),
         "HTTP/1.1 400 "},
        {REQUEST("POST", OPEN, FROM_A "Expect: x\r\nContent-Length: 1\r\n"),
         "HTTP/1.1 417 "},
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        front_rig r;
        bool on = i % 2 == 0;
        init(&r, on ? "https://a https://c" : NULL, false);
        memory_stream *ms = front_rig_come(&r);
        say(&r, ms, rows[i / 2].in);
        bool preflight = strncmp(rows[i / 2].in, "OPTIONS", 7) == 0;
        if (has(ms, ALLOW_A) != on || has(ms, "Vary") != on) {
            fail_msg("%s: %.*s", rows[i / 2].in, (int)ms->out.len,
                     (const char *)ms->out.base);
        }
        front_rig_expect_sent(
            rows[i / 2].in, ms,
            on || !preflight ? rows[i / 2].start : "HTTP/1.1 400 ", "");
        front_rig_deinit(&r);
    }
}

/* What fails while a body comes has been through the rules before. */
static void test_late_errors(void **state)
{
    (void)state;
    front_rig r;
    init(&r, "https://a https://c", false);
    memory_stream *open = front_rig_come(&r), *post = front_rig_come(&r),
                  *slow = front_rig_come(&r);
    SAY(&r, open, POLL_OPEN);
    front_rig_say_sid(&r, post,
                      "POST " OPEN "&sid=%s HTTP/1.1\r\nHost: h\r\n" FROM_A
                      "Transfer-Encoding: chunked\r\n\r\n");
    SAY(&r, post, "nonsense\r\n");
    assert_true(has(post, ALLOW_A));
    front_rig_expect_sent("chunk", post, "HTTP/1.1 400 ", "");
    SAY(&r, open, POLL_OPEN);
    front_rig_say_sid(&r, slow,
                      "POST " OPEN "&sid=%s HTTP/1.1\r\nHost: h\r\n" FROM_A
                      "Content-Length: 5\r\n\r\n");
    memory_loop_advance(&r.loop, 7000);
    assert_true(has(slow, ALLOW_A));
    front_rig_expect_sent("timeout", slow, "HTTP/1.1 408 ", "");
    front_rig_deinit(&r);
}

/* Headers are of the request at hand, not of the one before. */
static void test_one_connection(void **state)
{
    (void)state;
    front_rig r;
    init(&r, "https://a https://b", false);
    memory_stream *ms = front_rig_come(&r);
    SAY(&r, ms, REQUEST("GET", "/socket.io/", FROM_A));
    assert_true(has(ms, "https://a"));
    sio_buf_deinit(&ms->out);
    SAY(&r, ms, REQUEST("GET", "/socket.io/", FROM_B));
    assert_true(has(ms, "https://b") && !has(ms, "https://a"));
    sio_buf_deinit(&ms->out);
    SAY(&r, ms, REQUEST("GET", "/socket.io/", ""));
    assert_true(has(ms, "Vary: Origin") && !has(ms, "Access-Control"));
    sio_buf_deinit(&ms->out);
    SAY(&r, ms, REQUEST("GET", "/other", FROM_A));
    assert_true(!has(ms, "Vary") && !has(ms, "Access-Control"));
    front_rig_deinit(&r);
}

/* ------------------------------------------------------------- preflights --
 */

static bool never_look(void *app, tp_http_conn *conn,
                       const tp_http_request *req)
{
    (void)app;
    (void)conn;
    (void)req;
    fail_msg("an engine middleware has seen a preflight");
    return false;
}

static void test_preflights(void **state)
{
    (void)state;
    front_rig r;
    init(&r, "https://a https://c", true);
    r.hooks.look = never_look;
    memory_stream *ms = front_rig_come(&r);
    SAY(&r, ms, REQUEST("OPTIONS", OPEN "&sid=x", FROM_A));
    assert_true(has(ms, "Content-Length: 0\r\n"));
    assert_true(has(ms, ALLOW_A));
    front_rig_expect_sent("allowed", ms, "HTTP/1.1 204 ", "-Methods: ");
    SAY(&r, ms, REQUEST("OPTIONS", OPEN, FROM_B));
    assert_false(has(ms, "Access-Control-Allow-Origin"));
    front_rig_expect_sent("another", ms, "HTTP/1.1 204 ", "Vary: Origin\r\n");
    /* One with a body, all of which is read first. */
    SAY(&r, ms, REQUEST("OPTIONS", OPEN, FROM_A "Content-Length: 5\r\n"));
    front_rig_expect_sent("half", ms, "", "");
    SAY(&r, ms, "hello" REQUEST("OPTIONS", OPEN, FROM_A));
    front_rig_expect_sent("whole", ms, "HTTP/1.1 204 ", ALLOW_A);
    front_rig_expect_told("all", &r, "");
    front_rig_deinit(&r);
}

/* -------------------------------------------------------------- enforcing --
 */

static void test_enforcing(void **state)
{
    (void)state;
    static const struct {
        const char *in, *start, *told;
    } rows[] = {
        {REQUEST("GET", OPEN, FROM_A), "HTTP/1.1 200 ", "opened;"},
        {REQUEST("GET", OPEN, ""), "HTTP/1.1 200 ", "opened;"},
        {REQUEST("GET", OPEN, FROM_B), "HTTP/1.1 403 ", NULL},
        {REQUEST("GET", OPEN, "Origin: null\r\n"), "HTTP/1.1 403 ", NULL},
        {REQUEST("GET", OPEN, "Origin:\r\n"), "HTTP/1.1 403 ", NULL},
        {REQUEST("GET", OPEN, FROM_A FROM_B), "HTTP/1.1 403 ", NULL},
        {REQUEST("GET", OPEN, FROM_A FROM_A), "HTTP/1.1 403 ", NULL},
        {REQUEST("GET", OPEN "&sid=x", FROM_B), "HTTP/1.1 403 ", NULL},
        {REQUEST("POST", OPEN, FROM_B "Content-Length: 5\r\n"), "HTTP/1.1 403 ",
         NULL},
        {REQUEST("GET", "/socket.io/?EIO=4&transport=websocket",
                 FROM_A WS_FIELDS_BUT_HOST),
         "HTTP/1.1 101 ", "opened;"},
        {REQUEST("GET", "/socket.io/?EIO=4&transport=websocket",
                 WS_FIELDS_BUT_HOST),
         "HTTP/1.1 101 ", "opened;"},
        {REQUEST("GET", "/socket.io/?EIO=4&transport=websocket",
                 FROM_B WS_FIELDS_BUT_HOST),
         "HTTP/1.1 400 ", NULL},
        {REQUEST("GET", "/other", FROM_B), "HTTP/1.1 404 ", "other 1;"},
    };
    /* A list, and one origin that is always named. */
    static const char *const origins[] = {"https://a https://c", "https://a"};
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        front_rig r;
        init(&r, origins[i % 2], true);
        memory_stream *ms = front_rig_come(&r);
        say(&r, ms, rows[i / 2].in);
        front_rig_expect_told(rows[i / 2].in, &r,
                              rows[i / 2].told == NULL
                                  ? "refused 4 Forbidden ORIGIN_NOT_ALLOWED;"
                                  : rows[i / 2].told);
        assert_int_equal(r.counters[SIO_COUNTER_REFUSED_FORBIDDEN],
                         rows[i / 2].told == NULL);
        front_rig_expect_sent(rows[i / 2].in, ms, rows[i / 2].start, "");
        front_rig_deinit(&r);
    }
}

/* Without that, other origins are served; they may not read it. */
static void test_not_enforcing(void **state)
{
    (void)state;
    static const char *const rows[] = {
        REQUEST("GET", OPEN, FROM_B),
        REQUEST("GET", "/socket.io/?EIO=4&transport=websocket",
                FROM_B WS_FIELDS_BUT_HOST),
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        front_rig r;
        init(&r, "https://a https://c", false);
        memory_stream *ms = front_rig_come(&r);
        say(&r, ms, rows[i]);
        assert_true(has(ms, "Vary: Origin") && !has(ms, "Access-Control"));
        front_rig_expect_told(rows[i], &r, "opened;");
        front_rig_deinit(&r);
    }
}

/* --------------------------------------------------------- the application --
 */

static unsigned asked;

static bool on_cors(void *app, tp_exchange *x, const char *origin)
{
    (void)app;
    asked++;
    assert_string_equal(sio_http_header(x, "origin"), origin);
    assert_non_null(sio_http_method(x));
    assert_int_equal(sio_http_add_header(x, "X-Not", "sent"), SIO_OK);
    sio_http_respond(x, 200, NULL, NULL, 0); /* has no effect here */
    return strcmp(origin, "https://a") == 0;
}

static bool no_origin_is_meant(sio_http_request *request, const char *origin,
                               void *arg)
{
    (void)request;
    (void)origin;
    (void)arg;
    fail_msg("the hook is asked");
    return false;
}

static void test_asking(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool allowed;
        unsigned asked;
    } rows[] = {
        {REQUEST("GET", "/socket.io/", FROM_A), true, 1},
        {REQUEST("GET", "/socket.io/", FROM_B), false, 1},
        {REQUEST("OPTIONS", OPEN, FROM_A), true, 1},
        {REQUEST("OPTIONS", OPEN, FROM_B), false, 1},
        {REQUEST("GET", "/socket.io/", ""), false, 0},
        {REQUEST("GET", "/socket.io/", FROM_A FROM_A), false, 0},
        {REQUEST("GET", "/socket.io/", "Origin: https://\xff\r\n"), false, 0},
        {REQUEST("POST", "/socket.io/", FROM_A "Content-Length: 2\r\n") "hi",
         true, 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
        front_rig r;
        config.on_cors_origin = no_origin_is_meant;
        front_rig_init(&r);
        front_rig_configure(&r, &config);
        r.hooks.cors = on_cors;
        asked = 0;
        memory_stream *ms = front_rig_come(&r);
        say(&r, ms, rows[i].in);
        assert_int_equal(asked, rows[i].asked);
        assert_true(has(ms, "Vary: Origin\r\n") && !has(ms, "X-Not"));
        if (has(ms, ALLOW_A) != rows[i].allowed) {
            fail_msg("%s", rows[i].in);
        }
        front_rig_deinit(&r);
    }
}

/* A request whose body comes late is asked about once. */
static void test_asking_once(void **state)
{
    (void)state;
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    front_rig r;
    config.on_cors_origin = no_origin_is_meant;
    front_rig_init(&r);
    front_rig_configure(&r, &config);
    r.hooks.cors = on_cors;
    memory_stream *open = front_rig_come(&r), *post = front_rig_come(&r);
    SAY(&r, open, POLL_OPEN);
    asked = 0;
    front_rig_say_sid(&r, post,
                      "POST " OPEN "&sid=%s HTTP/1.1\r\nHost: h\r\n" FROM_A
                      "Content-Length: 3\r\n\r\n");
    SAY(&r, post, "4hi");
    assert_int_equal(asked, 1);
    front_rig_expect_sent("post", post, "HTTP/1.1 200 ", ALLOW_A);
    front_rig_deinit(&r);
}

/* ----------------------------------------------------------------- cookie --
 */

static bool choose_id(void *app, tp_exchange *x, char id[SIO_SESSION_ID_SIZE])
{
    (void)app;
    (void)x;
    strcpy(id, "chosen~1");
    return true;
}

static void init_cookie(front_rig *r)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    config.cookie_name = "io";
    front_rig_init(r);
    front_rig_configure(r, &config);
}

/* It tells the id that the open packet tells, and comes with that alone. */
static void test_cookie(void **state)
{
    (void)state;
    for (int chosen = 0; chosen < 2; chosen++) {
        front_rig r;
        init_cookie(&r);
        r.hooks.generate_id = chosen ? choose_id : NULL;
        r.hooks.initial_headers = front_rig_on_initial_headers;
        memory_stream *a = front_rig_come(&r), *b = front_rig_come(&r);
        SAY(&r, a, POLL_OPEN);
        char want[128], id[64];
        const char *sid = eio_session_sid(r.session);
        assert_int_equal(strlen(sid), chosen ? 8 : 20);
        snprintf(want, sizeof(want),
                 "\r\nSet-Cookie: io=%s; Path=/; HttpOnly; SameSite=Lax\r\n",
                 sid);
        snprintf(id, sizeof(id), "\"sid\":\"%s\"", sid);
        assert_true(has(a, id));
        assert_true(has(a, "X-Initial: 1\r\n"));
        front_rig_expect_sent("open", a, "HTTP/1.1 200 ", want);
        front_rig_say_sid(&r, b,
                          "POST " OPEN "&sid=%s HTTP/1.1\r\nHost: h\r\n"
                          "Content-Length: 3\r\n\r\n4hi");
        assert_false(has(b, "Set-Cookie"));
        front_rig_expect_sent("post", b, "HTTP/1.1 200 ", "");
        front_rig_deinit(&r);
    }
}

static void test_no_cookie(void **state)
{
    (void)state;
    static const char *const rows[] = {
        WS_OPEN,
        ASK("GET", "/socket.io/?EIO=3&transport=polling"),
        ASK("GET", OPEN "&sid=x"),
        ASK("OPTIONS", OPEN),
        ASK("GET", "/other"),
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        front_rig r;
        init_cookie(&r);
        memory_stream *ms = front_rig_come(&r);
        say(&r, ms, rows[i]);
        assert_true(ms->out.len != 0 && !has(ms, "Set-Cookie"));
        front_rig_deinit(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_are_everywhere),
        cmocka_unit_test(test_late_errors),
        cmocka_unit_test(test_one_connection),
        cmocka_unit_test(test_preflights),
        cmocka_unit_test(test_enforcing),
        cmocka_unit_test(test_not_enforcing),
        cmocka_unit_test(test_asking),
        cmocka_unit_test(test_asking_once),
        cmocka_unit_test(test_cookie),
        cmocka_unit_test(test_no_cookie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
