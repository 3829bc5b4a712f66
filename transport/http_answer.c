#include <stdio.h>

#include "base/writer.h"
#include "transport/http_impl.h"

const char *tp_http_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } table[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Payload Too Large"},
        {414, "URI Too Long"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == status) {
            return table[i].phrase;
        }
    }
    return "Unknown";
}

static sio_bytes text(const char *s)
{
    return (sio_bytes){(const uint8_t *)s, strlen(s)};
}

static void write_field(sio_writer *w, sio_bytes name, sio_bytes value)
{
    sio_write_bytes(w, name);
    sio_write_bytes(w, value);
    sio_write_bytes(w, SIO_LIT("\r\n"));
}

static void write_head(sio_writer *w, tp_http_conn *c, const tp_http_answer *a,
                       uint64_t len)
{
    sio_write_bytes(w, SIO_LIT("HTTP/1.1 "));
    sio_write_uint(w, (uint64_t)a->status);
    sio_write_byte(w, ' ');
    write_field(w, text(tp_http_phrase(a->status)), SIO_LIT(""));
    if (a->type != NULL) {
        write_field(w, SIO_LIT("Content-Type: "), text(a->type));
    }
    if (a->status != 304) {
        sio_write_bytes(w, SIO_LIT("Content-Length: "));
        sio_write_uint(w, len);
        sio_write_bytes(w, SIO_LIT("\r\n"));
    }
    sio_write_bytes(w, a->extra);
    sio_write_bytes(w, sio_buf_view(&c->extra));
    write_field(w, SIO_LIT("Date: "), text(tp_loop_date(c->loop)));
    write_field(w, SIO_LIT("Connection: "),
                c->keep_alive ? SIO_LIT("keep-alive") : SIO_LIT("close"));
    sio_write_bytes(w, SIO_LIT("\r\n"));
}

/* Puts the head into `out` with room for `len` more bytes behind it. */
static sio_error put_head(tp_http_conn *c, const tp_http_answer *a,
                          uint64_t announced, size_t len)
{
    /* The fixed parts of a head are far below this; `extra` and `type` are
     * counted by themselves. */
    size_t room = 256 + a->extra.len + c->extra.len +
                  (a->type == NULL ? 0 : strlen(a->type));
    sio_error err = sio_buf_reserve(&c->out, room + len);
    if (err != SIO_OK) {
        return err;
    }
    sio_writer w = {c->out.base + c->out.len, room, 0};
    write_head(&w, c, a, announced);
    c->out.len += w.len;
    c->waiter = NULL;
    sio_buf_deinit(&c->extra);
    return SIO_OK;
}

uint8_t *tp_http_answer_begin(tp_http_conn *conn, const tp_http_answer *answer,
                              size_t len)
{
    uint64_t announced = len + (answer->source ? answer->source->left : 0);
    if (answer->close) {
        conn->keep_alive = false;
    }
    if (conn->no_body) {
        len = 0;
    }
    if (put_head(conn, answer, announced, len) != SIO_OK) {
        tp_loop_lacks(conn->loop, "an answer");
        if (answer->source != NULL) {
            answer->source->close(answer->source);
        }
        tp_http_conn_close(conn);
        return NULL;
    }
    if (answer->source != NULL && conn->no_body) {
        answer->source->close(answer->source);
    } else {
        conn->source = answer->source;
    }
    uint8_t *body = conn->out.base + conn->out.len;
    conn->out.len += len;
    conn->state = TP_HTTP_STATE_SENDING;
    if (conn->blocked) {
        tp_http_conn_await_reader(conn); /* of what came before: a 100 */
    }
    tp_loop_dirty(conn->loop, &conn->dirty);
    return body;
}

void tp_http_answer_send(tp_http_conn *conn, const tp_http_answer *answer)
{
    uint8_t *body = tp_http_answer_begin(conn, answer, answer->body.len);
    if (body != NULL && !conn->no_body && answer->body.len != 0) {
        memcpy(body, answer->body.base, answer->body.len);
    }
}

void tp_http_answer_refusal(tp_http_conn *conn, int status, sio_bytes extra,
                            const char *message)
{
    tp_http_answer_send(conn, &(tp_http_answer){.status = status,
                                                .type = "text/html",
                                                .extra = extra,
                                                .body = text(message),
                                                .close = true});
}

/* -------------------------------------------------------------- sending -- */

/* Sends from `out`.  Returns whether it is empty now. */
static bool send_out(tp_http_conn *c)
{
    while (c->out.len != 0 && !c->blocked) {
        struct iovec piece = {c->out.base, c->out.len};
        size_t sent;
        if (c->stream->ops->send(c->stream, &piece, 1, &sent) != SIO_OK) {
            tp_http_conn_close(c);
            return false;
        }
        c->blocked = sent < c->out.len;
        if (c->blocked) {
            tp_http_conn_await_reader(c);
        }
        sio_buf_consume(&c->out, sent);
    }
    return c->out.len == 0;
}

/* Less goes out than was announced: only the end of the connection can say
 * so. */
static void cut_short(tp_http_conn *c, sio_error err)
{
    if (err == SIO_ERR_NO_MEMORY) {
        tp_loop_lacks(c->loop, "an answer");
    } else {
        sio_log_write(c->loop->log, SIO_LOG_ERROR, "files_read",
                      "an answer is cut short: %s", sio_error_text(err));
    }
    tp_http_conn_close(c);
}

/* Puts the next piece of the source into `out`.  Returns whether there was
 * one. */
static bool refill(tp_http_conn *c)
{
    size_t len = 0;
    if (c->source == NULL) {
        return false;
    }
    if (c->source->left != 0) {
        sio_error err =
            c->source->read(c->source, c->loop->out, TP_LOOP_OUT, &len);
        if (err == SIO_OK && len == 0) {
            err = SIO_ERR_FILE;
        }
        if (err == SIO_OK) {
            err = sio_buf_append(&c->out, (sio_bytes){c->loop->out, len});
        }
        if (err != SIO_OK) {
            cut_short(c, err);
            return false;
        }
    }
    if (c->source->left == 0) {
        c->source->close(c->source);
        c->source = NULL;
    }
    return true;
}

void tp_http_conn_flush(tp_dirty *dirty)
{
    tp_http_conn *c = SIO_OWNER(dirty, tp_http_conn, dirty);
    if (!send_out(c)) {
        return;
    }
    if (c->source != NULL) {
        /* One piece a turn, and not too many of all together, so that files
         * do not hold the loop. */
        if (c->loop->pieces == 0) {
            tp_loop_dirty(c->loop, &c->dirty);
            return;
        }
        c->loop->pieces--;
        if (refill(c)) {
            tp_loop_dirty_later(c->loop, &c->dirty);
        }
    } else if (c->state == TP_HTTP_STATE_SENDING) {
        tp_http_conn_next(c);
    }
}
