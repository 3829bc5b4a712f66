#include <stdio.h>

#include "base/writer.h"
#include "transport/http_impl.h"

/* More than all that is the same in every head takes, with a date, a status and
 * a length. */
#define FIXED_MAX 192
#define DIGITS_MAX 20

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

/* The parts of a head are put into room that has been made for all of them. */
static inline uint8_t *put(uint8_t *at, sio_bytes part)
{
    if (part.len != 0) {
        memcpy(at, part.base, part.len);
    }
    return at + part.len;
}

static uint8_t *put_uint(uint8_t *at, uint64_t value)
{
    sio_writer w = {at, DIGITS_MAX, 0};
    sio_write_uint(&w, value);
    return at + w.len;
}

static uint8_t *put_status(uint8_t *at, int status, sio_bytes phrase)
{
    if (status == 200) { /* most of all answers */
        return put(at, SIO_LIT("HTTP/1.1 200 OK\r\n"));
    }
    at = put_uint(put(at, SIO_LIT("HTTP/1.1 ")), (uint64_t)status);
    at = put(put(at, SIO_LIT(" ")), phrase);
    return put(at, SIO_LIT("\r\n"));
}

/* What answers differ in. */
typedef struct head_parts {
    sio_bytes phrase, type, date;
} head_parts;

static uint8_t *put_head(uint8_t *at, const tp_http_conn *c,
                         const tp_http_answer *a, const head_parts *parts,
                         uint64_t len)
{
    at = put_status(at, a->status, parts->phrase);
    if (a->type != NULL) {
        at = put(at, SIO_LIT("Content-Type: "));
        at = put(at, parts->type);
        at = put(at, SIO_LIT("\r\n"));
    }
    if (a->status != 304) {
        at = put_uint(put(at, SIO_LIT("Content-Length: ")), len);
        at = put(at, SIO_LIT("\r\n"));
    }
    at = put(at, a->extra);
    at = put(at, sio_buf_view(&c->extra));
    at = put(put(at, SIO_LIT("Date: ")), parts->date);
    if (c->keep_alive) {
        return put(at, SIO_LIT("\r\nConnection: keep-alive\r\n\r\n"));
    }
    return put(at, SIO_LIT("\r\nConnection: close\r\n\r\n"));
}

/* An empty `out` borrows the loop's memory, and gives it back, so that answers
 * that leave at once need none of their own. */
static void borrow_out(tp_http_conn *c)
{
    if (c->out.cap == 0) {
        c->out = c->loop->spare_out;
        c->loop->spare_out = (sio_buf){0};
    }
}

static void give_out_back(tp_http_conn *c)
{
    if (c->loop->spare_out.cap == 0 && c->out.cap <= TP_LOOP_SPARE_OUT) {
        c->loop->spare_out = c->out;
        c->loop->spare_out.len = 0;
        c->out = (sio_buf){0};
    } else {
        sio_buf_deinit(&c->out);
    }
}

/* Puts the head into `out` with room for `len` more bytes behind it. */
static sio_error add_head(tp_http_conn *c, const tp_http_answer *a,
                          uint64_t announced, size_t len)
{
    head_parts parts = {
        .phrase = text(tp_http_phrase(a->status)),
        .type = text(a->type == NULL ? "" : a->type),
        .date = {(const uint8_t *)tp_loop_date(c->loop), TP_DATE_LEN},
    };
    size_t room = FIXED_MAX + parts.phrase.len + parts.type.len + a->extra.len +
                  c->extra.len;
    borrow_out(c);
    sio_error err = sio_buf_reserve(&c->out, room + len);
    if (err != SIO_OK) {
        return err;
    }
    uint8_t *at = c->out.base + c->out.len;
    c->out.len += (size_t)(put_head(at, c, a, &parts, announced) - at);
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
    if (add_head(conn, answer, announced, len) != SIO_OK) {
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
        if (sent == c->out.len) {
            give_out_back(c);
        } else {
            sio_buf_consume(&c->out, sent);
        }
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

void tp_http_answer_hurry(tp_http_conn *conn)
{
    if (sio_link_used(&conn->dirty.link) && conn->source == NULL) {
        sio_link_drop(&conn->dirty.link);
        tp_http_conn_flush(&conn->dirty);
    }
}
