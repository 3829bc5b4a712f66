#include "transport/http_conn.h"

#include <stdlib.h>

#include "transport/http_impl.h"

/* How long a peer that was refused may go on sending before the connection is
 * cut; closing at once would destroy the answer on its way. */
#define LINGER_MS 2000

/* How long an idle connection stays when it is to be finished: a request may
 * be on its way. */
#define SETTLE_MS 200

static void arm(tp_http_conn *c, uint32_t ms)
{
    sio_wheel_arm(&c->loop->wheel, &c->timer, c->loop->now + ms);
}

static void disarm(tp_http_conn *c)
{
    sio_wheel_cancel(&c->loop->wheel, &c->timer);
}

void tp_http_conn_await_reader(tp_http_conn *c)
{
    arm(c, c->config->body_timeout);
}

/* ------------------------------------------------------------- the end -- */

static void destroy(sio_mortal *mortal)
{
    tp_http_conn *c = SIO_OWNER(mortal, tp_http_conn, mortal);
    sio_buf_deinit(&c->in);
    sio_buf_deinit(&c->body);
    sio_buf_deinit(&c->out);
    sio_buf_deinit(&c->extra);
    if (c->loop->spare_conn == NULL) {
        c->loop->spare_conn = c;
    } else {
        free(c);
    }
}

/* Zeroed; NULL when out of memory. */
static tp_http_conn *new_conn(tp_loop *loop)
{
    tp_http_conn *c = loop->spare_conn;
    if (c == NULL) {
        return calloc(1, sizeof(*c));
    }
    loop->spare_conn = NULL;
    *c = (tp_http_conn){0};
    return c;
}

/* Leaves nothing but memory, which goes at the end of the turn. */
static void bury(tp_http_conn *c)
{
    c->state = TP_HTTP_STATE_CLOSED;
    disarm(c);
    sio_link_drop(&c->dirty.link);
    sio_link_drop(&c->link);
    if (c->source != NULL) {
        c->source->close(c->source);
        c->source = NULL;
    }
    sio_reap_later(&c->loop->doomed, &c->mortal);
}

/* Tells the one who was to answer that there is no need to any more. */
static void tell_lost(tp_http_conn *c, sio_error why)
{
    tp_http_waiter *waiter = c->waiter;
    c->waiter = NULL;
    if (waiter != NULL) {
        waiter->lost(waiter, why);
    }
}

void tp_http_conn_close(tp_http_conn *c)
{
    if (c->state == TP_HTTP_STATE_CLOSED) {
        return;
    }
    bury(c);
    c->stream->ops->close(c->stream);
    c->stream = NULL;
    tell_lost(c, SIO_ERR_CLOSED);
    c->events->gone(c->owner, c);
}

void tp_http_conn_abort(tp_http_conn *conn)
{
    tp_http_conn_close(conn);
}

void tp_http_conn_finish(tp_http_conn *conn)
{
    conn->keep_alive = false;
    if (conn->state == TP_HTTP_STATE_HEAD) {
        arm(conn, SETTLE_MS);
    }
}

tp_stream *tp_http_conn_detach(tp_http_conn *conn, sio_buf *rest)
{
    tp_stream *stream = conn->stream;
    *rest = (sio_buf){0};
    if (!conn->in_use) {
        *rest = conn->in;
        conn->in = (sio_buf){0};
    } else if (sio_buf_append(rest, conn->rest) != SIO_OK) {
        tp_loop_lacks(conn->loop, "what came behind a request");
        return NULL;
    }
    stream->ops->pause(stream, false);
    conn->stream = NULL;
    bury(conn);
    return stream;
}

tp_stream *tp_http_conn_move(tp_http_conn *conn, const tp_http_request *req,
                             sio_buf *bytes)
{
    *bytes = (sio_buf){0};
    if (sio_buf_append(bytes, req->raw) != SIO_OK ||
        sio_buf_append(bytes, (sio_bytes){req->body, req->body_len}) !=
            SIO_OK ||
        sio_buf_append(bytes, conn->rest) != SIO_OK) {
        tp_loop_lacks(conn->loop, "a request to move");
        sio_buf_deinit(bytes);
        return NULL;
    }
    tp_stream *stream = conn->stream;
    conn->stream = NULL;
    bury(conn);
    return stream;
}

void tp_http_conn_resume(tp_http_conn *conn, bool keep_alive, sio_buf *rest,
                         sio_buf *extra)
{
    disarm(conn);
    conn->state = TP_HTTP_STATE_ANSWER;
    conn->keep_alive = keep_alive;
    conn->in = *rest;
    conn->extra = *extra;
    *rest = *extra = (sio_buf){0};
}

/* After an answer that ends the connection: what still comes is dropped. */
void tp_http_conn_linger(tp_http_conn *c)
{
    c->state = TP_HTTP_STATE_LINGER;
    sio_buf_deinit(&c->in);
    sio_buf_deinit(&c->body);
    if (c->peer_ended) {
        tp_http_conn_close(c);
        return;
    }
    c->stream->ops->shut(c->stream);
    c->stream->ops->pause(c->stream, false);
    arm(c, LINGER_MS);
}

void tp_http_conn_foreign(tp_http_conn *conn, uint32_t ms)
{
    conn->state = TP_HTTP_STATE_FOREIGN;
    sio_buf_deinit(&conn->in);
    disarm(conn);
    if (ms != 0) {
        arm(conn, ms);
    }
}

/* ------------------------------------------------------------ requests -- */

static void refuse(tp_http_conn *c, const tp_http_head *head, sio_error err,
                   int status)
{
    c->state = TP_HTTP_STATE_ANSWER;
    c->events->refused(c->owner, c, head, err);
    tp_http_answer_send(c, &(tp_http_answer){.status = status, .close = true});
}

/* Once a request is handed up, the next is not looked at before the answer
 * has left: pipelining cannot make answers pile up. */
static void hand_up(tp_http_conn *c, const tp_http_request *req, sio_bytes rest)
{
    c->state = TP_HTTP_STATE_ANSWER;
    disarm(c);
    c->in_use = true;
    c->rest = rest;
    c->events->request(c->owner, c, req);
    c->in_use = false;
}

static void note_head(tp_http_conn *c, const tp_http_head *head)
{
    c->keep_alive = head->keep_alive;
    c->no_body = head->method == TP_HTTP_METHOD_HEAD;
    c->begun = false;
}

/* Begins a body of which not all is there, but `rest`.  Returns whether to read
 * it. */
static bool begin_body(tp_http_conn *c, const tp_http_head *head, sio_bytes raw,
                       sio_bytes rest)
{
    tp_http_request req = {.head = head, .raw = raw};
    c->state = TP_HTTP_STATE_ANSWER;
    disarm(c);
    if (head->content_length > c->config->max_body) {
        /* Said at once: who waits for a 100, or has a limit of his own to
         * honour, need not send it. */
        refuse(c, head, SIO_ERR_TOO_LARGE, 413);
        return false;
    }
    c->in_use = true;
    c->rest = rest;
    bool wanted = c->events->begin(c->owner, c, &req);
    c->in_use = false;
    if (!wanted) {
        return false;
    }
    c->begun = true;
    c->state = TP_HTTP_STATE_BODY;
    c->chunked = head->chunked;
    c->chunks = (tp_http_chunked){0};
    c->head_len = raw.len;
    c->body_len = head->content_length;
    arm(c, c->config->body_timeout);
    return true;
}

static void tell_to_continue(tp_http_conn *c, const tp_http_head *head,
                             bool nothing_came)
{
    if (head->expect == TP_HTTP_EXPECT_CONTINUE && nothing_came &&
        sio_buf_append(&c->out, SIO_LIT("HTTP/1.1 100 Continue\r\n\r\n")) ==
            SIO_OK) {
        tp_loop_dirty(c->loop, &c->dirty);
    }
}

/* Looks at a request head at the start of `data`.  Returns the bytes that are
 * used up: the whole request, or, where a body is still to come, none. */
static size_t read_head(tp_http_conn *c, uint8_t *data, size_t len)
{
    const tp_http_limits *limits = &c->config->limits;
    sio_bytes in = {data, len};
    size_t head_len = 0;
    tp_http_head head;

    sio_error err = tp_http_head_end(in, c->seen, limits, &head_len);
    if (err == SIO_MORE) {
        if (c->seen == 0) {
            arm(c, c->config->header_timeout);
        }
        c->seen = len;
        return 0;
    }
    c->seen = 0;
    sio_bytes raw = {data, head_len};
    if (err == SIO_OK) {
        err = tp_http_head_parse(raw, limits, &head);
    }
    if (err != SIO_OK) {
        refuse(
            c, NULL, err,
            err == SIO_ERR_HTTP_HEADERS && head_len == 0
                ? tp_http_overflow_status((sio_bytes){data, limits->max_head})
                : tp_http_status_of(err));
        return len;
    }
    note_head(c, &head);
    if (head.expect == TP_HTTP_EXPECT_UNKNOWN) {
        refuse(c, &head, SIO_ERR_HTTP_SYNTAX, 417);
        return len;
    }
    if (!head.chunked && head.content_length <= len - head_len &&
        head.content_length <= c->config->max_body) {
        size_t body_len = (size_t)head.content_length;
        size_t total = head_len + body_len;
        hand_up(c, &(tp_http_request){&head, raw, data + head_len, body_len},
                (sio_bytes){data + total, len - total});
        return total;
    }
    if (begin_body(c, &head, raw,
                   (sio_bytes){data + head_len, len - head_len})) {
        tell_to_continue(c, &head, len == head_len);
        return 0;
    }
    return len;
}

/* A body is complete.  Its head lies before it, still unread a second time. */
static void hand_up_again(tp_http_conn *c, uint8_t *data, uint8_t *body,
                          size_t body_len, sio_bytes rest)
{
    tp_http_head head;
    sio_bytes raw = {data, c->head_len};
    if (tp_http_head_parse(raw, &c->config->limits, &head) != SIO_OK) {
        abort(); /* the same bytes have passed before */
    }
    hand_up(c, &(tp_http_request){&head, raw, body, body_len}, rest);
}

static size_t read_sized(tp_http_conn *c, uint8_t *data, size_t len)
{
    size_t total = c->head_len + (size_t)c->body_len;
    if (len < total) {
        return 0;
    }
    hand_up_again(c, data, data + c->head_len, (size_t)c->body_len,
                  (sio_bytes){data + total, len - total});
    return total;
}

/* Moves what has come of a chunked body to `body`.  The raw bytes behind the
 * head are dropped as they are read: `*used` says how many. */
static sio_error decode_chunks(tp_http_conn *c, sio_bytes raw, size_t *used,
                               bool *done)
{
    sio_bytes in = raw, piece;
    sio_error err;
    *done = false;
    while ((err = tp_http_chunked_next(&c->chunks, &in, &piece)) == SIO_OK) {
        if (piece.len == 0) {
            *done = true;
            break;
        }
        if (piece.len > c->config->max_body - c->body.len) {
            return SIO_ERR_TOO_LARGE;
        }
        err = sio_buf_append(&c->body, piece);
        if (err != SIO_OK) {
            return err;
        }
    }
    *used = raw.len - in.len;
    return err == SIO_MORE ? SIO_OK : err;
}

/* Only called with everything in c->in, as the raw bytes go from its middle. */
static size_t read_chunked(tp_http_conn *c)
{
    bool done;
    size_t used;
    sio_bytes raw = {c->in.base + c->head_len, c->in.len - c->head_len};
    sio_error err = decode_chunks(c, raw, &used, &done);
    if (err != SIO_OK) {
        disarm(c);
        tell_lost(c, err);
        refuse(c, NULL, err, tp_http_status_of(err));
        return c->in.len;
    }
    memmove(c->in.base + c->head_len, c->in.base + c->head_len + used,
            raw.len - used);
    c->in.len -= used;
    if (!done) {
        return 0;
    }
    sio_buf body = c->body;
    c->body = (sio_buf){0};
    hand_up_again(c, c->in.base, body.base, body.len,
                  (sio_bytes){c->in.base + c->head_len, raw.len - used});
    sio_buf_deinit(&body);
    return c->head_len;
}

/* ---------------------------------------------------------------- input -- */

static bool reads(const tp_http_conn *c)
{
    return c->state == TP_HTTP_STATE_HEAD || c->state == TP_HTTP_STATE_BODY;
}

/* Serves what lies in `data` as far as it goes, and returns how far. */
static size_t serve(tp_http_conn *c, uint8_t *data, size_t len)
{
    size_t used = 0;
    while (reads(c) && used < len) {
        size_t n;
        if (c->state == TP_HTTP_STATE_HEAD) {
            n = read_head(c, data + used, len - used);
        } else if (c->chunked) {
            break;
        } else {
            n = read_sized(c, data + used, len - used);
        }
        if (n == 0) {
            break;
        }
        used += n;
    }
    return used;
}

static void serve_kept(tp_http_conn *c)
{
    size_t used = 1;
    while (used != 0 && reads(c) && c->in.len != 0) {
        used = serve(c, c->in.base, c->in.len);
        if (c->state == TP_HTTP_STATE_BODY && c->chunked) {
            used = read_chunked(c);
        }
        /* In LINGER it has been freed. */
        sio_buf_consume(&c->in, used < c->in.len ? used : c->in.len);
    }
}

/* What the peer sends while it waits for an answer is kept, but not without a
 * bound: then it has to wait. */
static void bound_waiting(tp_http_conn *c)
{
    bool waits =
        c->state == TP_HTTP_STATE_ANSWER || c->state == TP_HTTP_STATE_SENDING;
    if (waits && c->in.len >= c->config->limits.max_head) {
        c->stream->ops->pause(c->stream, true);
    }
}

static void keep(tp_http_conn *c, sio_bytes bytes)
{
    if (sio_buf_append(&c->in, bytes) != SIO_OK) {
        tp_loop_lacks(c->loop, "a request");
        tp_http_conn_close(c);
    }
}

static void on_input(void *owner, uint8_t *data, size_t len)
{
    tp_http_conn *c = owner;
    size_t used = 0;
    if (c->state == TP_HTTP_STATE_LINGER || c->state == TP_HTTP_STATE_FOREIGN) {
        return;
    }
    if (c->in.len == 0) {
        used = serve(c, data, len);
    }
    if (used < len && c->state < TP_HTTP_STATE_FOREIGN) {
        keep(c, (sio_bytes){data + used, len - used});
        serve_kept(c);
    }
    bound_waiting(c);
    /* An answer that is ready leaves before the next connection is served. */
    tp_http_answer_hurry(c);
}

/* The answer has left: what comes next?  Where requests still wait in a row,
 * the peer does so too. */
void tp_http_conn_next(tp_http_conn *c)
{
    tp_http_waiter *waiter = c->waiter;
    if (waiter != NULL) {
        c->waiter = NULL;
        waiter->left(waiter);
    }
    if (!c->keep_alive || c->peer_ended) {
        tp_http_conn_linger(c);
        return;
    }
    c->state = TP_HTTP_STATE_HEAD;
    c->stream->ops->pause(c->stream, false);
    serve_kept(c);
    bound_waiting(c);
    if (c->state == TP_HTTP_STATE_HEAD && c->in.len == 0) {
        arm(c, c->config->keep_alive);
    }
}

static void on_ended(void *owner, sio_error why)
{
    tp_http_conn *c = owner;
    /* One who has asked and then ended his side still gets an answer that is
     * ready; waiting for one is given up, as those who poll leave that way. */
    if (why == SIO_OK && c->state == TP_HTTP_STATE_SENDING) {
        c->peer_ended = true;
        return;
    }
    tp_http_conn_close(c);
}

static void on_writable(void *owner)
{
    tp_http_conn *c = owner;
    c->blocked = false;
    if (c->state == TP_HTTP_STATE_SENDING) {
        disarm(c); /* it has read on */
    }
    tp_loop_dirty(c->loop, &c->dirty);
}

static const tp_stream_events stream_events = {
    .input = on_input,
    .writable = on_writable,
    .ended = on_ended,
};

static void on_timer(sio_timer *timer)
{
    tp_http_conn *c = SIO_OWNER(timer, tp_http_conn, timer);
    bool partial = c->state == TP_HTTP_STATE_BODY ||
                   (c->state == TP_HTTP_STATE_HEAD && c->in.len != 0);
    if (c->state == TP_HTTP_STATE_SENDING) {
        c->events->refused(c->owner, c, NULL, SIO_ERR_TIMEOUT);
    }
    if (!partial) {
        tp_http_conn_close(c);
        return;
    }
    tell_lost(c, SIO_ERR_TIMEOUT);
    c->no_body = false;
    refuse(c, NULL, SIO_ERR_TIMEOUT, 408);
}

tp_http_conn *tp_http_conn_new(tp_loop *loop, tp_stream *stream,
                               const tp_http_config *config,
                               const tp_http_events *events, void *owner)
{
    tp_http_conn *c = new_conn(loop);
    if (c == NULL) {
        tp_loop_lacks(loop, "a connection");
        stream->ops->close(stream);
        return NULL;
    }
    c->mortal.destroy = destroy;
    c->dirty.flush = tp_http_conn_flush;
    c->timer.fire = on_timer;
    c->loop = loop;
    c->stream = stream;
    c->config = config;
    c->events = events;
    c->owner = owner;
    stream->events = &stream_events;
    stream->owner = c;
    arm(c, config->header_timeout);
    return c;
}
