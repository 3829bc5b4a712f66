#include "test/front_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void put(front_rig *r, const char *fmt, ...)
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
    front_rig *r = app;
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
    front_rig *r = user;
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

void front_rig_on_allow(void *app, tp_exchange *x)
{
    front_rig *r = app;
    assert_non_null(sio_http_header(x, "host"));
    if (r->verdict == FRONT_RIG_LATER) {
        r->asked = x;
    } else {
        x->verdict(x, r->verdict == FRONT_RIG_ALLOW ? NULL : "not \"you\"");
    }
}

void front_rig_on_initial_headers(void *app, tp_exchange *x)
{
    ((front_rig *)app)->initial_headers++;
    assert_int_equal(sio_http_add_header(x, "X-Initial", "1"), SIO_OK);
    assert_int_equal(sio_http_add_header(x, "X-Bad", "1\r\nX: y"),
                     SIO_ERR_ARGUMENT);
    sio_http_respond(x, 200, NULL, NULL, 0); /* has no effect here */
}

void front_rig_on_headers(void *app, tp_exchange *x)
{
    ((front_rig *)app)->headers++;
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
    front_rig *r = app;
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
    ((front_rig *)app)->ended++;
}

/* -------------------------------------------------------------- the rig -- */

static void init_engine(front_rig *r)
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

void front_rig_init(front_rig *r)
{
    *r = (front_rig){
        .config =
            {
                .path = SIO_LIT_INIT("/socket.io"),
                .trailing_slash = true,
                .destroy_upgrade = true,
                .destroy_upgrade_timeout = 1000,
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
    sio_server_config config = sio_server_config_default();
    config.cors_origin = "*";
    front_rig_configure(r, &config);
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
    for (size_t i = 0; i < FRONT_RIG_PEERS; i++) {
        memory_stream_init(&r->peers[i]);
    }
}

void front_rig_configure(front_rig *r, const sio_server_config *config)
{
    assert_int_equal(tp_cors_init(&r->config.cors, config, &r->strings, NULL),
                     SIO_OK);
    assert_int_equal(
        tp_cookie_init(&r->config.cookie, config, &r->strings, NULL), SIO_OK);
}

void front_rig_deinit(front_rig *r)
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
    for (size_t i = 0; i < FRONT_RIG_PEERS; i++) {
        memory_stream_deinit(&r->peers[i]);
    }
    sio_buf_deinit(&r->told);
    sio_arena_deinit(&r->strings);
}

/* ------------------------------------------------------------ the peers -- */

memory_stream *front_rig_come(front_rig *r)
{
    memory_stream *ms = &r->peers[r->accepted++];
    tp_front_accept(&r->front, &ms->base);
    assert_int_equal(r->counters[SIO_COUNTER_CONNECTIONS], r->front.open);
    return ms;
}

void front_rig_say(front_rig *r, memory_stream *ms, sio_bytes bytes)
{
    assert_int_equal(memory_stream_feed(ms, bytes, 0), bytes.len);
    memory_loop_turn(&r->loop);
    memory_loop_turn(&r->loop);
}

void front_rig_say_sid(front_rig *r, memory_stream *ms, const char *fmt)
{
    char line[1024];
    const char *at = strstr(fmt, "%s");
    assert_true(r->session != NULL && at != NULL);
    int len = snprintf(line, sizeof(line), "%.*s%s%s", (int)(at - fmt), fmt,
                       eio_session_sid(r->session), at + 2);
    front_rig_say(r, ms, (sio_bytes){(const uint8_t *)line, (size_t)len});
}

void front_rig_decide(front_rig *r, bool allow)
{
    tp_exchange *x = r->asked;
    r->asked = NULL;
    x->verdict(x, allow ? NULL : "not \"you\"");
    memory_loop_turn(&r->loop);
    memory_loop_turn(&r->loop);
}

void front_rig_expect_told(const char *label, front_rig *r, const char *want)
{
    put(r, "%c", 0);
    if (strcmp((const char *)r->told.base, want) != 0) {
        fail_msg("%s: told %s", label, (const char *)r->told.base);
    }
    sio_buf_deinit(&r->told);
}

void front_rig_expect_sent(const char *label, memory_stream *ms,
                           const char *start, const char *part)
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
