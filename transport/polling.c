#include "transport/polling.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "transport/accept_encoding.h"

#define TEXT_TYPE "text/plain; charset=UTF-8"
#define OCTETS_TYPE "application/octet-stream"
#define SCRIPT_TYPE "text/javascript; charset=UTF-8"
#define NO_STORE "cache-control: no-store\r\n"

typedef enum state {
    OPEN,
    LINGERING, /* closed, and the peer has to hear of it at its next GET */
    CLOSED
} state;

struct tp_polling {
    eio_transport base; /* `writable` while a GET waits */
    sio_mortal mortal;
    tp_dirty dirty;
    tp_loop *loop;
    const eio_engine *engine;
    const tp_polling_config *config;
    tp_http_conn *get;  /* the one that waits, or NULL */
    tp_http_conn *post; /* the one whose body is coming, or NULL */
    tp_http_conn *sent; /* the one whose answer has not left, or NULL */
    tp_http_waiter get_waiter, post_waiter, sent_waiter;
    sio_frameq queue; /* goes with the GET that waits */
    sio_timer timer;  /* in LINGERING, the end of patience */
    state state;
    tp_coding coding; /* that the GET which waits accepts */
    bool greeted;     /* the open packet, which goes alone, has been answered */
    bool octets;      /* the POST brings a body of octets */
    tp_polling_manner manner;
    bool paused; /* POSTs are answered later ... */
    bool held;   /* ... and `post` is one that waits for that */
};

static tp_polling *of(eio_transport *tp)
{
    return SIO_OWNER(tp, tp_polling, base);
}

tp_polling *tp_polling_of(eio_transport *tp)
{
    return tp != NULL && tp->ops == &tp_polling_ops ? of(tp) : NULL;
}

eio_transport *tp_polling_base(tp_polling *p)
{
    return &p->base;
}

/* ----------------------------------------------------------- the answer -- */

/* One packet that may be compressed is reason enough for all. */
static bool may_compress(const sio_frameq *queue)
{
    sio_frameq_walk walk = sio_frameq_walk_start(queue);
    const sio_frameq_entry *entry;
    while ((entry = sio_frameq_walk_next(&walk)) != NULL) {
        if ((entry->flags & EIO_FORM_PLAIN) == 0) {
            return true;
        }
    }
    return false;
}

/* A payload that is on its way out. */
typedef struct answer_body {
    const char *type;
    size_t len;
    bool octets;
    uint8_t *script; /* owned; NULL: it is written where it is wanted */
} answer_body;

/* Makes the script that JSONP has for the payload, which is text; false when
 * memory is short. */
static bool wrap(const tp_polling *p, answer_body *out)
{
    size_t len = p->manner.protocol->payload_len(&p->queue, false);
    uint8_t *payload = malloc(len);
    if (payload == NULL) {
        return false;
    }
    p->manner.protocol->payload_write(payload, &p->queue, false);
    sio_writer w = {NULL, 0, 0};
    tp_jsonp_write(&w, p->manner.index, (sio_bytes){payload, len});
    w = (sio_writer){malloc(w.len), w.len, 0};
    if (w.base != NULL) {
        tp_jsonp_write(&w, p->manner.index, (sio_bytes){payload, len});
        *out = (answer_body){SCRIPT_TYPE, w.len, false, w.base};
    }
    free(payload);
    return w.base != NULL;
}

static bool make_body(const tp_polling *p, answer_body *out)
{
    const eio_protocol *protocol = p->manner.protocol;
    if (p->manner.jsonp) {
        return wrap(p, out);
    }
    bool octets = protocol->takes_octets && !p->manner.base64 &&
                  eio_queue_has_binary(&p->queue);
    *out = (answer_body){
        .type = octets ? OCTETS_TYPE : TEXT_TYPE,
        .len = protocol->payload_len(&p->queue, octets),
        .octets = octets,
    };
    return true;
}

static void write_body(const tp_polling *p, const answer_body *b, uint8_t *at)
{
    if (b->script != NULL) {
        memcpy(at, b->script, b->len);
    } else {
        p->manner.protocol->payload_write(at, &p->queue, b->octets);
    }
}

/* Answers with the payload compressed; false, having done nothing, when memory
 * is short. */
static bool answer_coded(tp_polling *p, tp_http_conn *conn,
                         const answer_body *b)
{
    sio_buf coded = {0};
    uint8_t *payload = malloc(b->len);
    if (payload == NULL) {
        return false;
    }
    write_body(p, b, payload);
    sio_error err = tp_compress(&p->loop->compressor, p->coding,
                                (sio_bytes){payload, b->len}, &coded);
    free(payload);
    if (err == SIO_OK) {
        tp_http_answer_send(
            conn,
            &(tp_http_answer){
                .status = 200,
                .type = b->type,
                .extra = p->coding == TP_CODING_GZIP
                             ? SIO_LIT("Content-Encoding: gzip\r\n" NO_STORE)
                             : SIO_LIT("Content-Encoding: "
                                       "deflate\r\n" NO_STORE),
                .body = sio_buf_view(&coded),
            });
    }
    sio_buf_deinit(&coded);
    return err == SIO_OK;
}

static void answer_plain(tp_polling *p, tp_http_conn *conn,
                         const answer_body *b)
{
    tp_http_answer head = {
        .status = 200, .type = b->type, .extra = SIO_LIT(NO_STORE)};
    uint8_t *at = tp_http_answer_begin(conn, &head, b->len);
    if (at != NULL && !conn->no_body) {
        write_body(p, b, at);
    }
}

/* What has been answered is not counted as waiting any more.  So the peer gets
 * nothing else before it has read that. */
static void await_reader(tp_polling *p, tp_http_conn *conn)
{
    if (p->state == OPEN && conn->state == TP_HTTP_STATE_SENDING) {
        p->sent = conn;
        conn->waiter = &p->sent_waiter;
    }
}

/* Answers the GET with all that is queued. */
static void answer(tp_polling *p)
{
    tp_http_conn *conn = p->get;
    answer_body b;
    p->get = NULL;
    p->base.writable = false;
    conn->waiter = NULL;
    if (!make_body(p, &b)) {
        tp_http_conn_abort(conn);
    } else {
        if (p->coding == TP_CODING_IDENTITY ||
            b.len < p->config->compress_from || !may_compress(&p->queue) ||
            !answer_coded(p, conn, &b)) {
            answer_plain(p, conn, &b);
        }
        free(b.script);
        await_reader(p, conn);
    }
    sio_frameq_clear(&p->queue, &p->loop->chunks);
    p->base.unsent = 0;
    p->base.held = 0;
}

static void answer_with(tp_polling *p, sio_frame *frame)
{
    if (sio_frameq_push(&p->queue, &p->loop->chunks, frame, EIO_FORM_TEXT) ==
            SIO_OK ||
        !sio_frameq_empty(&p->queue)) {
        answer(p);
    } else {
        tp_http_conn_abort(p->get);
    }
}

static void flush(tp_dirty *dirty)
{
    tp_polling *p = SIO_OWNER(dirty, tp_polling, dirty);
    tp_http_conn *conn = p->get;
    if (conn != NULL && !sio_frameq_empty(&p->queue)) {
        answer(p);
        p->base.events->drained(p->base.owner, &p->base);
        tp_http_answer_hurry(conn); /* while it is at hand */
    }
}

/* ------------------------------------------------------------ operations -- */

static sio_error send_frame(eio_transport *tp, sio_frame *frame, eio_form form)
{
    tp_polling *p = of(tp);
    sio_error err = sio_frameq_push(&p->queue, &p->loop->chunks, frame, form);
    if (err == SIO_OK) {
        p->base.unsent = sio_frameq_bytes(&p->queue);
        p->base.held = (uint32_t)sio_frameq_count(&p->queue);
        tp_loop_dirty(p->loop, &p->dirty);
    }
    if (err == SIO_OK && !p->greeted) {
        p->greeted = true;
        answer(p);
    }
    return err;
}

static void destroy(sio_mortal *mortal)
{
    tp_polling *p = SIO_OWNER(mortal, tp_polling, mortal);
    sio_frameq_clear(&p->queue, &p->loop->chunks);
    free(p);
}

static void answer_post(tp_http_conn *conn)
{
    tp_http_answer_send(conn, &(tp_http_answer){.status = 200,
                                                .type = "text/html",
                                                .extra = SIO_LIT(NO_STORE),
                                                .body = SIO_LIT("ok")});
}

/* A client sends nothing more before its POST is answered. */
static void pause_posts(eio_transport *tp, bool paused)
{
    tp_polling *p = of(tp);
    p->paused = paused;
    if (!paused && p->held) {
        tp_http_conn *post = p->post;
        p->held = false;
        p->post = NULL;
        post->waiter = NULL;
        answer_post(post);
    }
}

/* Cuts off a POST whose body nobody wants any more. */
static void drop_post(tp_polling *p)
{
    pause_posts(&p->base, false);
    tp_http_conn *post = p->post;
    p->post = NULL;
    if (post != NULL) {
        post->waiter = NULL;
        tp_http_conn_abort(post);
    }
}

static void bury(tp_polling *p)
{
    p->state = CLOSED;
    p->base.writable = false;
    sio_wheel_cancel(&p->loop->wheel, &p->timer);
    sio_link_drop(&p->dirty.link);
    if (p->sent != NULL) {
        p->sent->waiter = NULL;
        p->sent = NULL;
    }
    drop_post(p);
    sio_reap_later(&p->loop->doomed, &p->mortal);
}

static void close_polling(eio_transport *tp, eio_close_mode mode)
{
    tp_polling *p = of(tp);
    if (p->state == CLOSED) {
        return;
    }
    if (p->get == NULL && mode == EIO_CLOSE_LINGER) {
        if (p->state == OPEN) {
            p->state = LINGERING;
            sio_wheel_arm(&p->loop->wheel, &p->timer,
                          p->loop->now + p->engine->config->close_timeout);
        }
        return;
    }
    bury(p);
    if (mode == EIO_CLOSE_NOW) {
        sio_frameq_clear(&p->queue, &p->loop->chunks);
    }
    if (p->get != NULL) {
        answer_with(p, p->engine->close);
    }
}

static void release(eio_transport *tp)
{
    tp_polling *p = of(tp);
    if (p->get != NULL) {
        answer_with(p, p->engine->noop);
    }
}

const eio_transport_ops tp_polling_ops = {
    .name = "polling",
    .counter = SIO_COUNTER_SESSIONS_POLLING,
    .can_take_over = false,
    .send = send_frame,
    .close = close_polling,
    .release = release,
    .pause = pause_posts,
};

static void fail(tp_polling *p, sio_error why)
{
    if (p->state == OPEN) {
        p->base.events->failed(p->base.owner, &p->base, why);
    } else if (p->state == LINGERING) {
        bury(p);
        p->base.events->gone(p->base.owner, &p->base, why);
    }
}

static void on_get_lost(tp_http_waiter *waiter, sio_error why)
{
    (void)why;
    tp_polling *p = SIO_OWNER(waiter, tp_polling, get_waiter);
    p->get = NULL;
    p->base.writable = false;
    fail(p, SIO_ERR_ABORTED);
}

static void on_left(tp_http_waiter *waiter)
{
    SIO_OWNER(waiter, tp_polling, sent_waiter)->sent = NULL;
}

static void on_sent_lost(tp_http_waiter *waiter, sio_error why)
{
    (void)why;
    on_left(waiter);
}

/* A body that is too large costs only its request. */
static void on_post_lost(tp_http_waiter *waiter, sio_error why)
{
    tp_polling *p = SIO_OWNER(waiter, tp_polling, post_waiter);
    p->post = NULL;
    p->held = false;
    if (why != SIO_ERR_TOO_LARGE) {
        fail(p, why == SIO_ERR_CLOSED ? SIO_ERR_ABORTED : why);
    }
}

static void on_timer(sio_timer *timer)
{
    tp_polling *p = SIO_OWNER(timer, tp_polling, timer);
    bury(p);
    p->base.events->gone(p->base.owner, &p->base, SIO_ERR_TIMEOUT);
}

tp_polling *tp_polling_new(tp_loop *loop, const eio_engine *engine,
                           const tp_polling_config *config,
                           const tp_polling_manner *manner)
{
    tp_polling *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    p->base.ops = &tp_polling_ops;
    eio_transport_orphan(&p->base);
    p->mortal.destroy = destroy;
    p->dirty.flush = flush;
    p->timer.fire = on_timer;
    p->get_waiter.lost = on_get_lost;
    p->post_waiter.lost = on_post_lost;
    p->sent_waiter.lost = on_sent_lost;
    p->sent_waiter.left = on_left;
    p->loop = loop;
    p->engine = engine;
    p->config = config;
    p->manner = *manner;
    return p;
}

/* -------------------------------------------------------------- requests -- */

static void answer_bad(tp_http_conn *conn)
{
    tp_http_answer_send(conn, &(tp_http_answer){.status = 400, .close = true});
}

/* The peer has come to hear that it is over. */
static void tell_closed(tp_polling *p)
{
    bury(p);
    (void)sio_frameq_push(&p->queue, &p->loop->chunks, p->engine->noop,
                          EIO_FORM_TEXT);
    answer_with(p, p->engine->close);
    p->base.events->gone(p->base.owner, &p->base, SIO_OK);
}

static tp_coding choose_coding(const tp_polling *p, const tp_http_head *head)
{
    return head != NULL && p->config->compress
               ? tp_coding_choose(head, 1u << TP_CODING_GZIP |
                                            1u << TP_CODING_DEFLATE |
                                            1u << TP_CODING_IDENTITY)
               : TP_CODING_IDENTITY;
}

void tp_polling_get(tp_polling *p, tp_http_conn *conn, const tp_http_head *head)
{
    if (p->get != NULL || p->sent != NULL) {
        answer_bad(conn);
        fail(p, SIO_ERR_OVERLAP);
        return;
    }
    p->get = conn;
    p->coding = choose_coding(p, head);
    if (p->state == LINGERING) {
        tell_closed(p);
        return;
    }
    conn->waiter = &p->get_waiter;
    p->base.writable = true;
    p->base.events->drained(p->base.owner, &p->base);
}

bool tp_polling_post_begin(tp_polling *p, tp_http_conn *conn,
                           const tp_http_head *head)
{
    sio_bytes type = tp_http_header_find(head, SIO_LIT("content-type"));
    if (p->post != NULL) {
        answer_bad(conn);
        fail(p, SIO_ERR_OVERLAP);
        return false;
    }
    bool octets = sio_bytes_eq(type, SIO_LIT(OCTETS_TYPE));
    if (octets && !p->manner.protocol->takes_octets) {
        answer_bad(conn);
        fail(p, SIO_ERR_CONTENT_TYPE);
        return false;
    }
    p->octets = octets && !p->manner.jsonp;
    p->post = conn;
    conn->waiter = &p->post_waiter;
    return true;
}

/* What is no UTF-8 is repaired, as the official server does, so that nobody
 * above has to reckon with it.  Gives a copy, or NULL when memory is short. */
static uint8_t *repair(sio_bytes text, size_t *len)
{
    *len = sio_utf8_repair(text, NULL);
    uint8_t *copy = malloc(*len == 0 ? 1 : *len);
    if (copy != NULL) {
        (void)sio_utf8_repair(text, copy);
    }
    return copy;
}

static void deliver(tp_polling *p, const eio_packet *packet)
{
    p->base.events->packet(p->base.owner, &p->base, packet);
}

/* The same for a packet out of octets. */
static sio_error deliver_unproven(tp_polling *p, eio_packet packet)
{
    if (packet.form != EIO_FORM_TEXT || sio_utf8_valid(packet.data)) {
        deliver(p, &packet);
        return SIO_OK;
    }
    uint8_t *copy = repair(packet.data, &packet.data.len);
    if (copy == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    packet.data.base = copy;
    deliver(p, &packet);
    free(copy);
    return SIO_OK;
}

static void deliver_all(tp_polling *p, eio_body body)
{
    uint32_t left = p->engine->config->max_packets;
    eio_packet packet;
    while (p->state == OPEN) {
        sio_error err = p->manner.protocol->next(&body, &packet);
        if (err == SIO_MORE) {
            return;
        }
        if (err == SIO_OK && left-- == 0) {
            err = SIO_ERR_TOO_LARGE;
        } else if (err == SIO_OK && body.octets) {
            err = deliver_unproven(p, packet);
        } else if (err == SIO_OK) {
            deliver(p, &packet);
        }
        if (err != SIO_OK) {
            fail(p, err);
            return;
        }
    }
}

static void deliver_text(tp_polling *p, uint8_t *text, size_t len)
{
    if (sio_utf8_valid((sio_bytes){text, len})) {
        deliver_all(p, (eio_body){.at = text, .left = len});
        return;
    }
    uint8_t *copy = repair((sio_bytes){text, len}, &len);
    if (copy == NULL) {
        fail(p, SIO_ERR_NO_MEMORY);
        return;
    }
    deliver_all(p, (eio_body){.at = copy, .left = len});
    free(copy);
}

void tp_polling_post(tp_polling *p, tp_http_conn *conn, uint8_t *body,
                     size_t len)
{
    p->post = NULL;
    conn->waiter = NULL;
    if (p->octets) {
        deliver_all(p, (eio_body){.at = body, .left = len, .octets = true});
    } else if (!p->manner.jsonp || tp_jsonp_read(body, len, &body, &len)) {
        deliver_text(p, body, len);
    }
    if (conn->state != TP_HTTP_STATE_ANSWER) {
        return;
    }
    if (p->paused && p->state == OPEN) {
        p->held = true;
        p->post = conn;
        conn->waiter = &p->post_waiter;
    } else {
        answer_post(conn);
    }
}
