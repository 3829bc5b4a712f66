#include "test/polling_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

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

void polling_rig_close(polling_rig *r, eio_close_mode mode)
{
    r->closed = true;
    r->tp->ops->close(r->tp, mode);
}

/* ----------------------------------------------------------- the owner -- */

static void on_packet(void *owner, eio_transport *tp, const eio_packet *packet)
{
    polling_rig *r = owner;
    uint8_t type = (uint8_t)('0' + packet->type);
    assert_true(tp == r->tp && !r->closed && r->gone == 0);
    put(&r->told,
        packet->form == EIO_FORM_BINARY ? SIO_LIT("b") : (sio_bytes){&type, 1});
    put(&r->told, SIO_LIT("["));
    put(&r->told, packet->data);
    put(&r->told, SIO_LIT("];"));
    if (r->closes) {
        polling_rig_close(r, EIO_CLOSE_NOW);
    }
}

static void on_drained(void *owner, eio_transport *tp)
{
    polling_rig *r = owner;
    assert_true(tp == r->tp && !r->closed && r->gone == 0);
    r->drained++;
}

static void on_failed(void *owner, eio_transport *tp, sio_error why)
{
    polling_rig *r = owner;
    assert_true(tp == r->tp && !r->closed && r->gone == 0);
    put_code(&r->told, "failed", why);
    polling_rig_close(r, EIO_CLOSE_NOW);
}

static void on_gone(void *owner, eio_transport *tp, sio_error why)
{
    polling_rig *r = owner;
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

/* ------------------------------------------------------ the front door -- */

static bool is_over(const polling_rig *r)
{
    return r->tp == NULL || r->gone != 0;
}

static bool on_begin(void *owner, tp_http_conn *conn,
                     const tp_http_request *req)
{
    polling_rig *r = ((polling_rig_client *)owner)->rig;
    return is_over(r) || tp_polling_post_begin(r->p, conn, req->head);
}

static void on_request(void *owner, tp_http_conn *conn,
                       const tp_http_request *req)
{
    polling_rig *r = ((polling_rig_client *)owner)->rig;
    if (is_over(r)) {
        tp_http_answer_send(conn, &(tp_http_answer){.status = 404});
    } else if (req->head->method == TP_HTTP_METHOD_GET) {
        tp_polling_get(r->p, conn, req->head);
    } else if (conn->waiter != NULL ||
               tp_polling_post_begin(r->p, conn, req->head)) {
        tp_polling_post(r->p, conn, req->body, req->body_len);
    }
}

static void on_refused(void *owner, tp_http_conn *conn,
                       const tp_http_head *head, sio_error err)
{
    (void)head;
    (void)owner;
    (void)conn;
    (void)err;
}

static void on_conn_gone(void *owner, tp_http_conn *conn)
{
    polling_rig_client *c = owner;
    assert_true(c->conn == conn);
    c->conn = NULL;
}

static const tp_http_events http_events = {
    .begin = on_begin,
    .request = on_request,
    .refused = on_refused,
    .gone = on_conn_gone,
};

/* ------------------------------------------------------------- the rig -- */

static const eio_session_events no_events = {0};

static void init_engine(polling_rig *r)
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

void polling_rig_init(polling_rig *r)
{
    polling_rig_init_as(r, &(tp_polling_manner){.protocol = &eio_protocol_4});
}

void polling_rig_init_as(polling_rig *r, const tp_polling_manner *manner)
{
    *r = (polling_rig){
        .http = {.limits = TP_HTTP_LIMITS_DEFAULT,
                 .header_timeout = 60000,
                 .body_timeout = 7000,
                 .keep_alive = 60000,
                 .max_body = 100},
    };
    memory_loop_init(&r->loop, NULL);
    init_engine(r);
    for (size_t i = 0; i < POLLING_RIG_CLIENTS; i++) {
        polling_rig_client *c = &r->clients[i];
        c->rig = r;
        memory_stream_init(&c->ms);
        c->conn =
            tp_http_conn_new(&r->loop, &c->ms.base, &r->http, &http_events, c);
        assert_non_null(c->conn);
    }
    r->p = tp_polling_new(&r->loop, &r->engine, &r->config, manner);
    assert_non_null(r->p);
    r->tp = tp_polling_base(r->p);
    assert_ptr_equal(tp_polling_of(r->tp), r->p);
    assert_false(r->tp->writable);
    r->tp->events = &owner_events;
    r->tp->owner = r;
}

void polling_rig_turn(polling_rig *r)
{
    memory_loop_turn(&r->loop);
    if (r->gone != 0) {
        r->tp = NULL;
    }
}

void polling_rig_deinit(polling_rig *r)
{
    if (r->tp != NULL && !r->closed && r->gone == 0) {
        polling_rig_close(r, EIO_CLOSE_NOW);
    }
    for (size_t i = 0; i < POLLING_RIG_CLIENTS; i++) {
        if (r->clients[i].conn != NULL) {
            tp_http_conn_abort(r->clients[i].conn);
        }
    }
    polling_rig_turn(r);
    memory_loop_deinit(&r->loop);
    eio_engine_deinit(&r->engine);
    for (size_t i = 0; i < POLLING_RIG_CLIENTS; i++) {
        memory_stream_deinit(&r->clients[i].ms);
    }
    sio_buf_deinit(&r->told);
}

/* Sends the first packet, and leaves the answer with it to be read. */
static void send_first(polling_rig *r)
{
    ASK(r, 0, GET);
    polling_rig_send_text(r, "0{}");
    assert_false(r->tp->writable);
    polling_rig_turn(r);
    r->drained = 0;
}

void polling_rig_open(polling_rig *r)
{
    polling_rig_init(r);
    send_first(r);
    polling_rig_expect(r, 0, 200, "0{}");
}

void polling_rig_open_as(polling_rig *r, const tp_polling_manner *manner)
{
    polling_rig_init_as(r, manner);
    send_first(r);
    sio_buf_deinit(&r->clients[0].ms.out);
}

void polling_rig_post_cut(const tp_polling_manner *manner, const char *lines,
                          sio_bytes body, const char *told)
{
    uint8_t all[512];
    int head = snprintf((char *)all, sizeof(all),
                        "POST / HTTP/1.1\r\nHost: h\r\n%s"
                        "Content-Length: %zu\r\n\r\n",
                        lines, body.len);
    assert_in_range(head, 1, (int)(sizeof(all) - body.len));
    memcpy(all + head, body.base, body.len);
    for (size_t cut = 0; cut <= body.len; cut++) {
        polling_rig r;
        size_t first = (size_t)head + cut;
        polling_rig_open_as(&r, manner);
        polling_rig_ask(&r, 1, (sio_bytes){all, first});
        polling_rig_ask(&r, 1, (sio_bytes){all + first, body.len - cut});
        polling_rig_turn(&r);
        polling_rig_expect_told(&r, told);
        polling_rig_expect(&r, 1, 200, "ok");
        polling_rig_deinit(&r);
    }
}

/* --------------------------------------------------- the conversation -- */

void polling_rig_ask(polling_rig *r, int at, sio_bytes request)
{
    assert_int_equal(memory_stream_feed(&r->clients[at].ms, request, 0),
                     request.len);
}

void polling_rig_send_text(polling_rig *r, const char *packet)
{
    sio_frame *frame = sio_frame_new(&r->loop.frames, strlen(packet));
    memcpy(frame->data, packet, strlen(packet));
    assert_true(r->tp->writable);
    assert_int_equal(r->tp->ops->send(r->tp, frame, EIO_FORM_TEXT), SIO_OK);
    sio_frame_unref(frame);
}

void polling_rig_send_binary(polling_rig *r, sio_bytes bytes)
{
    sio_frame *frame = sio_frame_new(&r->loop.frames, bytes.len);
    if (bytes.len != 0) {
        memcpy(frame->data, bytes.base, bytes.len);
    }
    assert_int_equal(r->tp->ops->send(r->tp, frame, EIO_FORM_BINARY), SIO_OK);
    sio_frame_unref(frame);
}

void polling_rig_expect(polling_rig *r, int at, int status, const char *body)
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

void polling_rig_expect_told(polling_rig *r, const char *want)
{
    put(&r->told, SIO_LIT("\0"));
    assert_string_equal((const char *)r->told.base, want);
    sio_buf_deinit(&r->told);
}
