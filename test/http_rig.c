#include "test/http_rig.h"

#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static void put(sio_buf *buf, sio_bytes bytes)
{
    REQUIRE(sio_buf_append(buf, bytes) == SIO_OK);
}

static void put_text(sio_buf *buf, const char *text)
{
    put(buf, (sio_bytes){(const uint8_t *)text, strlen(text)});
}

uint8_t http_rig_byte(uint64_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static sio_error source_read(tp_http_source *self, uint8_t *out, size_t cap,
                             size_t *len)
{
    http_rig *rig = SIO_OWNER(self, http_rig, source);
    REQUIRE(self->left != 0 && rig->source_closed == 0);
    size_t step = rig->source_step;
    size_t n = step != 0 && step < cap ? step : cap;
    n = n < self->left ? n : (size_t)self->left;
    if (rig->source_fails && self->left <= rig->source_len / 2) {
        return SIO_ERR_FILE;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = http_rig_byte(rig->source_at++);
    }
    self->left -= n;
    *len = n;
    return SIO_OK;
}

static void source_close(tp_http_source *self)
{
    SIO_OWNER(self, http_rig, source)->source_closed++;
}

static void on_lost(tp_http_waiter *waiter, sio_error why)
{
    http_rig *rig = SIO_OWNER(waiter, http_rig, waiter);
    rig->lost++;
    rig->why_lost = why;
    rig->asked = false;
}

static void answer_echo(http_rig *rig)
{
    sio_buf body = rig->echo;
    rig->echo = (sio_buf){0};
    rig->asked = false;
    tp_http_answer_send(rig->conn,
                        &(tp_http_answer){.status = 200,
                                          .type = "text/plain",
                                          .extra = SIO_LIT("X-Y: z\r\n"),
                                          .body = sio_buf_view(&body)});
    sio_buf_deinit(&body);
}

static void answer_source(http_rig *rig)
{
    rig->source = (tp_http_source){source_read, source_close, rig->source_len};
    rig->source_at = 0;
    rig->source_closed = 0;
    tp_http_answer_send(rig->conn, &(tp_http_answer){.status = 200,
                                                     .body = SIO_LIT("<"),
                                                     .source = &rig->source});
}

void http_rig_answer(http_rig *rig)
{
    REQUIRE(rig->asked);
    answer_echo(rig);
}

void http_rig_detach(http_rig *rig)
{
    tp_stream *stream = tp_http_conn_detach(rig->conn, &rig->rest);
    REQUIRE(stream == &rig->ms.base);
    rig->conn = NULL;
    rig->asked = false;
}

static bool on_begin(void *owner, tp_http_conn *conn,
                     const tp_http_request *req)
{
    http_rig *rig = owner;
    REQUIRE(conn == rig->conn && !rig->asked && req->body == NULL);
    rig->begun++;
    if (rig->how == HTTP_RIG_UNWANTED) {
        tp_http_answer_send(conn,
                            &(tp_http_answer){.status = 400, .close = true});
        return false;
    }
    conn->waiter = &rig->waiter;
    return true;
}

static void note_request(http_rig *rig, const tp_http_request *req)
{
    const tp_http_head *head = req->head;
    tp_http_head again;
    REQUIRE(tp_http_head_parse(req->raw, &rig->config.limits, &again) ==
            SIO_OK);
    REQUIRE(sio_bytes_eq(again.target, head->target));
    put(&rig->told, head->method_name);
    put_text(&rig->told, " ");
    put(&rig->told, head->target);
    put_text(&rig->told, "[");
    put(&rig->told, (sio_bytes){req->body, req->body_len});
    put_text(&rig->told, "];");
    sio_buf_deinit(&rig->echo);
    put(&rig->echo, head->target);
    put_text(&rig->echo, ":");
    put(&rig->echo, (sio_bytes){req->body, req->body_len});
}

static void on_request(void *owner, tp_http_conn *conn,
                       const tp_http_request *req)
{
    http_rig *rig = owner;
    REQUIRE(conn == rig->conn && !rig->asked);
    rig->requests++;
    note_request(rig, req);
    for (size_t i = 0; i < req->body_len; i++) {
        req->body[i] ^= 0x20; /* it may be changed */
    }
    switch (rig->how) {
    case HTTP_RIG_ECHO:
    case HTTP_RIG_UNWANTED:
        answer_echo(rig);
        break;
    case HTTP_RIG_LATER:
        conn->waiter = &rig->waiter;
        rig->asked = true;
        break;
    case HTTP_RIG_SOURCE:
        answer_source(rig);
        break;
    case HTTP_RIG_FOREIGN:
        tp_http_conn_foreign(conn, 1000);
        break;
    case HTTP_RIG_DETACH:
        http_rig_detach(rig);
        break;
    case HTTP_RIG_ABORT:
        tp_http_conn_abort(conn);
        break;
    }
}

static void on_refused(void *owner, tp_http_conn *conn,
                       const tp_http_head *head, sio_error err)
{
    (void)head;
    http_rig *rig = owner;
    char text[32];
    REQUIRE(conn == rig->conn && !rig->asked && conn->stream != NULL);
    rig->refused++;
    (void)snprintf(text, sizeof(text), "refused %d;", (int)err);
    put_text(&rig->told, text);
}

static void on_gone(void *owner, tp_http_conn *conn)
{
    http_rig *rig = owner;
    REQUIRE(conn == rig->conn && !rig->asked);
    rig->gone++;
    rig->conn = NULL;
    put_text(&rig->told, "gone;");
}

static const tp_http_events events = {
    .begin = on_begin,
    .request = on_request,
    .refused = on_refused,
    .gone = on_gone,
};

void http_rig_init(http_rig *rig)
{
    *rig = (http_rig){
        .config = {.limits = {.max_head = 512, .max_headers = 16},
                   .header_timeout = 3000,
                   .body_timeout = 7000,
                   .keep_alive = 5000,
                   .max_body = 1000},
        .waiter.lost = on_lost,
    };
    memory_loop_init(&rig->loop, NULL);
    memory_stream_init(&rig->ms);
    rig->conn =
        tp_http_conn_new(&rig->loop, &rig->ms.base, &rig->config, &events, rig);
    REQUIRE(rig->conn != NULL);
}

void http_rig_deinit(http_rig *rig)
{
    if (rig->conn != NULL) {
        tp_http_conn_abort(rig->conn);
    }
    memory_loop_deinit(&rig->loop);
    memory_stream_deinit(&rig->ms);
    sio_buf_deinit(&rig->told);
    sio_buf_deinit(&rig->echo);
    sio_buf_deinit(&rig->rest);
}
