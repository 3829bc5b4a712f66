/* Limits by address, from the connection to the session. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test/front_rig.h"

#define FROM(address)                                                          \
    "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n"          \
    "X-Forwarded-For: " address "\r\n\r\n"
#define LINE(address) "PROXY TCP4 " address " 192.0.2.1 4711 80\r\n"

typedef struct admission_rig {
    front_rig front;
    tp_admission admission;
    eio_census census;
    sio_arena arena;
    tp_trusted trusted;
    sio_log log;
    char logged[256]; /* the latest */
    unsigned logs;
} admission_rig;

static void on_log(void *arg, int level, const char *event, const char *text)
{
    admission_rig *r = arg;
    assert_int_equal(level, SIO_LOG_WARN);
    (void)snprintf(r->logged, sizeof(r->logged), "%s %s", event, text);
    r->logs++;
}

static tp_address address_of(const eio_request *request)
{
    tp_address address;
    assert_true(tp_address_parse(eio_request_address(request), &address));
    return address;
}

static void on_begun(void *arg, const eio_request *request)
{
    tp_address address = address_of(request);
    tp_admission_begin(arg, &address);
}

static void on_ended(void *arg, const eio_request *request)
{
    tp_address address = address_of(request);
    tp_admission_end(arg, &address);
}

/* All peers have 192.0.2.7. */
static void init(admission_rig *r, tp_admission_limits limits)
{
    *r = (admission_rig){0};
    front_rig_init(&r->front);
    r->log = (sio_log){on_log, r, SIO_LOG_WARN};
    r->front.loop.log = &r->log;
    tp_admission_init(&r->admission, &limits, (sio_hash_key){1, 2},
                      r->front.loop.now);
    r->front.config.admission = &r->admission;
    r->census = (eio_census){on_begun, on_ended, &r->admission};
    r->front.engine.census = &r->census;
}

static void trust(admission_rig *r, const char *list)
{
    const char *why;
    sio_bytes item;
    assert_int_equal(
        tp_trusted_parse(list, &r->arena, &r->trusted, &why, &item), SIO_OK);
    r->front.config.http.trusted = &r->trusted;
}

static void deinit(admission_rig *r)
{
    front_rig_deinit(&r->front);
    assert_int_equal(r->admission.places.count, r->admission.idle_count);
    tp_admission_deinit(&r->admission);
    sio_arena_deinit(&r->arena);
}

static uint64_t count(const admission_rig *r, sio_counter counter)
{
    return sio_metric_get(&r->front.counters[counter]);
}

static void expect_limited(const admission_rig *r, sio_counter counter,
                           const char *logged)
{
    assert_int_equal(count(r, counter), 1);
    assert_int_equal(r->logs, 1);
    assert_string_equal(r->logged, logged);
}

static void test_connections(void **state)
{
    (void)state;
    admission_rig r;
    init(&r, (tp_admission_limits){.connections = 2});
    memory_stream *one = front_rig_come(&r.front);
    (void)front_rig_come(&r.front);
    memory_stream *three = &r.front.peers[2];
    tp_front_accept(&r.front.front, &three->base);
    assert_true(three->closed && three->out.len == 0);
    expect_limited(&r, SIO_COUNTER_LIMITED_CONNECTIONS,
                   "connection_limit address 192.0.2.7: too many connections");
    memory_stream_end(one, SIO_OK);
    memory_loop_turn(&r.front.loop);
    memory_stream_deinit(three);
    memory_stream_init(three);
    memory_stream *again = front_rig_come(&r.front);
    SAY(&r.front, again, POLL_OPEN);
    front_rig_expect_sent("another", again, "HTTP/1.1 200", "");
    /* A WebSocket counts as well. */
    memory_stream *more = &r.front.peers[3];
    tp_front_accept(&r.front.front, &more->base);
    assert_true(more->closed);
    deinit(&r);
}

static void test_trusted_connections(void **state)
{
    (void)state;
    admission_rig r;
    init(&r, (tp_admission_limits){.connections = 1});
    trust(&r, "192.0.2.7");
    (void)front_rig_come(&r.front);
    (void)front_rig_come(&r.front);
    assert_int_equal(count(&r, SIO_COUNTER_LIMITED_CONNECTIONS), 0);
    deinit(&r);
}

static void test_proxy_header(void **state)
{
    (void)state;
    admission_rig r;
    init(&r, (tp_admission_limits){.connections = 1});
    trust(&r, "192.0.2.7");
    for (size_t i = 0; i < FRONT_RIG_PEERS; i++) {
        r.front.peers[i].base.wants_proxy = true;
    }
    memory_stream *one = front_rig_come(&r.front);
    SAY(&r.front, one, LINE("198.51.100.1") POLL_OPEN);
    front_rig_expect_sent("one", one, "HTTP/1.1 200", "");
    memory_stream *two = front_rig_come(&r.front);
    SAY(&r.front, two, LINE("198.51.100.1"));
    assert_true(two->closed);
    expect_limited(
        &r, SIO_COUNTER_LIMITED_CONNECTIONS,
        "connection_limit address 198.51.100.1: too many connections");
    memory_stream *three = front_rig_come(&r.front);
    SAY(&r.front, three, LINE("198.51.100.2") POLL_OPEN);
    front_rig_expect_sent("three", three, "HTTP/1.1 200", "");
    deinit(&r);
}

static void test_handshakes(void **state)
{
    (void)state;
    admission_rig r;
    init(&r, (tp_admission_limits){.handshakes = {1, 2}});
    trust(&r, "192.0.2.7");
    memory_stream *ms = front_rig_come(&r.front);
    for (int i = 0; i < 2; i++) {
        SAY(&r.front, ms, FROM("203.0.113.1"));
        front_rig_expect_sent("within", ms, "HTTP/1.1 200", "");
    }
    SAY(&r.front, ms, FROM("203.0.113.2"));
    front_rig_expect_sent("another", ms, "HTTP/1.1 200", "");
    SAY(&r.front, ms, FROM("203.0.113.1"));
    front_rig_expect_sent("too many", ms, "HTTP/1.1 429 Too Many Requests",
                          "Retry-After: 1\r\n");
    expect_limited(&r, SIO_COUNTER_LIMITED_HANDSHAKES,
                   "handshake_limit address 203.0.113.1: too many handshakes");
    assert_true(ms->shut); /* it ends the connection */
    memory_stream *ws = front_rig_come(&r.front);
    SAY(&r.front, ws,
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
        "X-Forwarded-For: 203.0.113.1\r\n" WS_FIELDS "\r\n");
    front_rig_expect_sent("websocket", ws, "HTTP/1.1 429 Too Many Requests",
                          "Retry-After: 1\r\n");
    assert_int_equal(r.logs, 1); /* not again in the same second */
    memory_loop_advance(&r.front.loop, 1000);
    memory_stream *later = front_rig_come(&r.front);
    SAY(&r.front, later, FROM("203.0.113.1"));
    front_rig_expect_sent("later", later, "HTTP/1.1 200", "");
    deinit(&r);
}

static void test_all_handshakes(void **state)
{
    (void)state;
    admission_rig r;
    init(&r, (tp_admission_limits){.all_handshakes = {1, 1}});
    memory_stream *ms = front_rig_come(&r.front);
    SAY(&r.front, ms, POLL_OPEN);
    front_rig_expect_sent("the first", ms, "HTTP/1.1 200", "");
    /* What belongs to a session is not limited. */
    front_rig_say_sid(
        &r.front, ms,
        "GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
        "Host: h\r\n\r\n");
    front_rig_expect_sent("a poll", ms, "", "");
    memory_stream *two = front_rig_come(&r.front);
    SAY(&r.front, two, POLL_OPEN);
    front_rig_expect_sent("the second", two, "HTTP/1.1 503 Service Unavailable",
                          "Retry-After: 1\r\n");
    expect_limited(&r, SIO_COUNTER_LIMITED_ALL_HANDSHAKES,
                   "handshake_limit address 192.0.2.7: too many handshakes of "
                   "all");
    deinit(&r);
}

static void test_sessions(void **state)
{
    (void)state;
    admission_rig r;
    init(&r, (tp_admission_limits){.sessions = 2});
    trust(&r, "192.0.2.7");
    memory_stream *ms = front_rig_come(&r.front);
    SAY(&r.front, ms, FROM("203.0.113.1"));
    SAY(&r.front, ms, FROM("203.0.113.1"));
    front_rig_expect_sent("within", ms, "HTTP/1.1 200", "");
    SAY(&r.front, ms, FROM("203.0.113.2"));
    front_rig_expect_sent("another", ms, "HTTP/1.1 200", "");
    SAY(&r.front, ms, FROM("203.0.113.1"));
    front_rig_expect_sent("too many", ms, "HTTP/1.1 429 Too Many Requests",
                          "Retry-After: 10\r\n");
    expect_limited(&r, SIO_COUNTER_LIMITED_SESSIONS,
                   "session_limit address 203.0.113.1: too many sessions");
    eio_engine_close_all(&r.front.engine, EIO_CLOSE_NOW);
    memory_stream *later = front_rig_come(&r.front);
    SAY(&r.front, later, FROM("203.0.113.1"));
    front_rig_expect_sent("later", later, "HTTP/1.1 200", "");
    deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_trusted_connections),
        cmocka_unit_test(test_proxy_header),
        cmocka_unit_test(test_handshakes),
        cmocka_unit_test(test_all_handshakes),
        cmocka_unit_test(test_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
