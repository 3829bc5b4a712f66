#include "transport/websocket.h"

#include <stdlib.h>

#include "transport/ws_output.h"
#include "transport/ws_packet.h"

/* What is queued beyond this is written before the turn ends, and so is half of
 * what may wait: what the kernel would take does not wait. */
#define WRITE_EARLY (64 * 1024)

/* How long a peer that broke the rules may go on sending before it is cut
 * off; closing at once would destroy our close frame on its way. */
#define LINGER_MS 2000

typedef enum state {
    OPEN,
    CLOSING, /* our close frame is queued; waits for the peer's */
    ENDING,  /* nothing more is read; waits for the queue to leave */
    SHUT,    /* it has left; waits for the peer to end */
    GONE
} state;

/* What not every WebSocket needs: made for one that compresses, or when one
 * begins to close. */
typedef struct more {
    sio_timer timer; /* the peer's time to close */
    tp_websocket *ws;
    tp_ws_deflate deflate;
} more;

/* One for each connection: kept small, and what each message needs together. */
struct tp_websocket {
    eio_transport base; /* `writable` while OPEN */
    tp_ws_output out;
    tp_ws_reader reader;
    more *more; /* owned; or NULL */
    uint8_t state;
    bool base64;
    bool typed;       /* binary messages begin with their type */
    bool greeted;     /* its first packet has been queued */
    bool peer_closed; /* its close frame has come */
    const tp_websocket_home *home;
    tp_dirty dirty;
    union {
        sio_link link;     /* the owner's, until GONE ... */
        sio_mortal mortal; /* ... and from then on */
    };
};

static tp_websocket *of(eio_transport *tp)
{
    return SIO_OWNER(tp, tp_websocket, base);
}

eio_transport *tp_websocket_base(tp_websocket *ws)
{
    return &ws->base;
}

sio_link *tp_websocket_link(tp_websocket *ws)
{
    return &ws->link;
}

tp_websocket *tp_websocket_of_link(sio_link *link)
{
    return SIO_OWNER(link, tp_websocket, link);
}

/* -------------------------------------------------------------- the end -- */

static tp_loop *loop_of(const tp_websocket *ws)
{
    return ws->out.loop;
}

static void destroy(sio_mortal *mortal)
{
    tp_websocket *ws = SIO_OWNER(mortal, tp_websocket, mortal);
    tp_ws_output_clear(&ws->out);
    tp_ws_reader_deinit(&ws->reader);
    free(ws);
}

static void free_more(tp_websocket *ws)
{
    if (ws->more != NULL) {
        sio_wheel_cancel(&loop_of(ws)->wheel, &ws->more->timer);
        tp_ws_deflate_close(&ws->more->deflate, &loop_of(ws)->deflater);
        free(ws->more);
        ws->more = NULL;
    }
}

/* Sees that there is one; false without memory. */
static bool make_more(tp_websocket *ws)
{
    if (ws->more == NULL) {
        ws->more = calloc(1, sizeof(*ws->more));
    }
    return ws->more != NULL;
}

/* The connection is over. */
static void bury(tp_websocket *ws)
{
    if (ws->state == GONE) {
        return;
    }
    ws->state = GONE;
    ws->base.writable = false;
    free_more(ws);
    sio_link_drop(&ws->dirty.link);
    sio_link_drop(&ws->link);
    ws->out.stream->ops->close(ws->out.stream);
    ws->out.stream = NULL;
    ws->home->gone(ws->home->owner, ws);
    ws->mortal = (sio_mortal){.destroy = destroy};
    sio_reap_later(&loop_of(ws)->doomed, &ws->mortal);
}

/* Over, and the session hears of it, if it has not let go before. */
static void bury_and_tell(tp_websocket *ws, sio_error why)
{
    if (ws->state != GONE) {
        bury(ws);
        ws->base.events->gone(ws->base.owner, &ws->base, why);
    }
}

void tp_websocket_abort(tp_websocket *ws)
{
    bury_and_tell(ws, SIO_OK);
}

void tp_websocket_hurry(tp_websocket *ws)
{
    if (ws->state != OPEN && !tp_ws_has_output(&ws->out)) {
        bury_and_tell(ws, SIO_OK);
    }
}

static void on_timer(sio_timer *timer)
{
    bury_and_tell(SIO_OWNER(timer, more, timer)->ws, SIO_OK);
}

/* Gives the peer `ms` more; without memory for that it ends with the turn. */
static void set_deadline(tp_websocket *ws, uint32_t ms)
{
    tp_loop *loop = loop_of(ws);
    if (!make_more(ws)) {
        ws->out.broken = true;
        tp_loop_dirty(loop, &ws->dirty);
        return;
    }
    ws->more->ws = ws;
    ws->more->timer.fire = on_timer;
    sio_wheel_arm(&loop->wheel, &ws->more->timer, loop->now + ms);
}

/* -------------------------------------------------------------- writing -- */

static void note_unsent(tp_websocket *ws)
{
    ws->base.unsent = tp_ws_unsent(&ws->out);
    ws->base.held = (uint32_t)sio_frameq_count(&ws->out.queue);
}

/* Writes what the stream takes.  Tells nobody. */
static void write_output(tp_websocket *ws)
{
    tp_ws_write(&ws->out);
    note_unsent(ws);
}

static void flush(tp_dirty *dirty)
{
    tp_websocket *ws = SIO_OWNER(dirty, tp_websocket, dirty);
    write_output(ws);
    if (ws->out.broken) {
        bury_and_tell(ws, SIO_OK);
    } else if (tp_ws_has_output(&ws->out)) {
        return; /* on_writable() goes on */
    } else if (ws->state == ENDING && ws->peer_closed) {
        bury_and_tell(ws, SIO_OK);
    } else if (ws->state == ENDING) {
        ws->state = SHUT;
        ws->out.stream->ops->shut(ws->out.stream);
        set_deadline(ws, LINGER_MS);
    } else if (ws->state == OPEN) {
        ws->base.events->drained(ws->base.owner, &ws->base);
    }
}

/* Has the queue written before the turn ends, if `err` of adding to it is OK;
 * returns that. */
static sio_error queued(tp_websocket *ws, sio_error err)
{
    if (err != SIO_OK) {
        return err;
    }
    note_unsent(ws);
    tp_loop_dirty(loop_of(ws), &ws->dirty);
    return SIO_OK;
}

static sio_error push_bytes(tp_websocket *ws, sio_bytes bytes, uint32_t mark)
{
    return queued(ws, tp_ws_push_bytes(&ws->out, bytes, mark));
}

/* NULL where it does not compress. */
static tp_ws_deflate *deflate_of(const tp_websocket *ws)
{
    return ws->more != NULL && ws->more->deflate.on ? &ws->more->deflate : NULL;
}

/* Queues a message, compressed where that helps. */
static sio_error push_message(tp_websocket *ws, sio_frame *frame, eio_form form,
                              uint32_t opcode)
{
    tp_ws_deflate *deflate = deflate_of(ws);
    sio_frame *deflated =
        deflate == NULL || (form & EIO_FORM_PLAIN) != 0
            ? NULL
            : tp_ws_deflate_frame(deflate, &loop_of(ws)->deflater,
                                  &loop_of(ws)->frames, frame);
    if (deflated == NULL) {
        return tp_ws_push(&ws->out, frame, opcode);
    }
    sio_error err = tp_ws_push(&ws->out, deflated, opcode | TP_WS_DEFLATED);
    sio_frame_unref(deflated);
    if (err != SIO_OK) {
        tp_ws_deflate_lost(deflate);
    }
    return err;
}

/* Queues a binary message in the form that the peer takes; its type, where it
 * needs one, is only put into a copy if that is compressed. */
__attribute__((cold)) static sio_error
push_translated(tp_websocket *ws, sio_frame *binary, eio_form form)
{
    sio_frame_pool *frames = &loop_of(ws)->frames;
    if (!ws->base64 && deflate_of(ws) == NULL) {
        return tp_ws_push(&ws->out, binary, TP_WS_OP_BINARY | TP_WS_TYPED);
    }
    sio_frame *frame =
        ws->base64 ? tp_ws_packet_base64(frames, ws->home->protocol, binary)
                   : tp_ws_packet_typed(frames, binary);
    if (frame == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_error err = push_message(ws, frame, form,
                                 ws->base64 ? TP_WS_OP_TEXT : TP_WS_OP_BINARY);
    sio_frame_unref(frame);
    return err;
}

/* The first packet, of a session that opens above all, belongs to the answer to
 * the handshake: it goes out even if the session is closed in the same turn,
 * as clients would wait for it. */
static sio_error greet(tp_websocket *ws, const sio_frame *frame)
{
    uint8_t header[TP_WS_HEADER_MAX];
    size_t len = tp_ws_header_write(header, TP_WS_OP_TEXT, false, frame->len);
    sio_error err =
        tp_ws_push_bytes(&ws->out, (sio_bytes){header, len}, TP_WS_RAW);
    if (err != SIO_OK) {
        return err;
    }
    ws->greeted = true;
    err = tp_ws_push_bytes(&ws->out, sio_frame_view(frame), TP_WS_RAW);
    ws->out.broken |= err != SIO_OK; /* half a frame */
    return err;
}

static sio_error push_packet(tp_websocket *ws, sio_frame *frame, eio_form form)
{
    if ((form & EIO_FORM_MASK) != EIO_FORM_TEXT) {
        ws->greeted = true; /* what comes behind it must not outlast it */
        return ws->base64 || ws->typed
                   ? push_translated(ws, frame, form)
                   : push_message(ws, frame, form, TP_WS_OP_BINARY);
    }
    return ws->greeted ? push_message(ws, frame, form, TP_WS_OP_TEXT)
                       : greet(ws, frame);
}

static void write_early(tp_websocket *ws)
{
    size_t limit = ws->home->engine->config->max_backlog / 2;
    if (ws->base.unsent > WRITE_EARLY || ws->base.unsent > limit) {
        write_output(ws);
    }
}

static sio_error send_frame(eio_transport *tp, sio_frame *frame, eio_form form)
{
    tp_websocket *ws = of(tp);
    sio_error err = queued(ws, push_packet(ws, frame, form));
    if (err == SIO_OK) {
        write_early(ws);
    }
    return err;
}

static sio_error send_burst(eio_transport *tp, eio_burst *burst)
{
    tp_websocket *ws = of(tp);
    if (ws->base64 || !ws->greeted || deflate_of(ws) != NULL) {
        return SIO_MORE;
    }
    sio_error err = tp_ws_push_burst(&ws->out, burst, ws->typed);
    if (err == SIO_OK && !tp_ws_has_output(&ws->out) && !ws->out.broken) {
        return SIO_OK; /* it has left */
    }
    err = queued(ws, err);
    if (err == SIO_OK) {
        write_early(ws);
    }
    return err;
}

static void fetch(const eio_transport *tp)
{
    const tp_stream *stream =
        SIO_OWNER((eio_transport *)(uintptr_t)tp, tp_websocket, base)
            ->out.stream;
    __builtin_prefetch(stream);
    __builtin_prefetch((const char *)stream + 64);
}

static uint8_t *place(eio_transport *tp, size_t len)
{
    tp_websocket *ws = of(tp);
    if (deflate_of(ws) != NULL &&
        len >= loop_of(ws)->deflater.config->threshold) {
        return NULL;
    }
    uint8_t *at = tp_ws_place(&ws->out, len);
    if (at != NULL) {
        ws->base.unsent += len;
    }
    return at;
}

/* Queues our close frame; `code` 0 is none. */
static void push_close(tp_websocket *ws, uint16_t code)
{
    uint8_t frame[TP_WS_CLOSE_SIZE];
    size_t len = tp_ws_close_write(frame, code);
    if (push_bytes(ws, (sio_bytes){frame, len}, TP_WS_RAW) != SIO_OK) {
        ws->out.broken = true;
        tp_loop_dirty(loop_of(ws), &ws->dirty);
    }
}

static void start_closing(tp_websocket *ws, uint16_t code)
{
    ws->state = CLOSING;
    ws->base.writable = false;
    push_close(ws, code);
    set_deadline(ws, ws->home->config->close_timeout);
}

static void close_websocket(eio_transport *tp, eio_close_mode mode)
{
    tp_websocket *ws = of(tp);
    if (ws->state != OPEN) {
        return;
    }
    if (mode == EIO_CLOSE_NOW) {
        tp_ws_drop(&ws->out);
    }
    start_closing(ws, 0);
}

static void pause_reading(eio_transport *tp, bool paused)
{
    tp_ws_pause(&of(tp)->out, paused);
}

const eio_transport_ops tp_websocket_ops = {
    .name = "websocket",
    .counter = SIO_COUNTER_SESSIONS_WEBSOCKET,
    .can_take_over = true,
    .send = send_frame,
    .send_burst = send_burst,
    .place = place,
    .fetch = fetch,
    .close = close_websocket,
    .pause = pause_reading,
};

/* -------------------------------------------------------------- reading -- */

static bool on_message(void *owner, tp_ws_opcode opcode, sio_bytes payload)
{
    tp_websocket *ws = owner;
    eio_packet packet;
    if (ws->state != OPEN) {
        return ws->state == CLOSING; /* its close frame is still to come */
    }
    sio_error err =
        tp_ws_packet_read(ws->home, ws->typed, opcode, payload, &packet);
    if (err != SIO_OK) {
        ws->base.events->failed(ws->base.owner, &ws->base, err);
    } else {
        ws->base.events->packet(ws->base.owner, &ws->base, &packet);
    }
    return ws->state == OPEN || ws->state == CLOSING;
}

__attribute__((cold)) static void reject(tp_websocket *ws, sio_error err);

static bool on_deflated(void *owner, tp_ws_opcode opcode, sio_bytes payload)
{
    tp_websocket *ws = owner;
    sio_bytes message;
    if (ws->state != OPEN) {
        return ws->state == CLOSING;
    }
    sio_error err = tp_ws_deflate_inflate(
        deflate_of(ws), &loop_of(ws)->deflater, opcode, payload,
        ws->home->config->limits.max_message, &message);
    if (err != SIO_OK) {
        reject(ws, err);
        return false;
    }
    return on_message(ws, opcode, message);
}

/* A peer that pings but does not read gets no heap of pongs. */
static bool on_ping(void *owner, sio_bytes payload)
{
    tp_websocket *ws = owner;
    uint8_t frame[TP_WS_HEADER_MAX + 125];
    if (ws->state == OPEN && !ws->out.blocked) {
        size_t len =
            tp_ws_header_write(frame, TP_WS_OP_PONG, false, payload.len);
        if (payload.len != 0) {
            memcpy(frame + len, payload.base, payload.len);
        }
        (void)push_bytes(ws, (sio_bytes){frame, len + payload.len}, TP_WS_RAW);
    }
    return true;
}

static bool on_pong(void *owner, sio_bytes payload)
{
    (void)owner;
    (void)payload;
    return true;
}

static void on_close(void *owner, uint16_t code, sio_bytes reason)
{
    tp_websocket *ws = owner;
    bool ours_first = ws->state == CLOSING;
    (void)reason;
    if (ws->state != OPEN && ws->state != CLOSING) {
        return;
    }
    if (!ours_first) {
        start_closing(ws, code);
    }
    ws->state = ENDING;
    ws->peer_closed = true;
    tp_loop_dirty(loop_of(ws), &ws->dirty);
    if (!ours_first) {
        eio_transport *tp = &ws->base;
        const eio_transport_events *events = tp->events;
        void *session = tp->owner;
        eio_transport_orphan(tp);
        events->gone(session, tp, SIO_OK);
    }
}

static const tp_ws_reader_events reader_events = {
    .message = on_message,
    .deflated = on_deflated,
    .ping = on_ping,
    .pong = on_pong,
    .close = on_close,
};

/* The rules of WebSocket were broken: the peer is told by the code. */
__attribute__((cold)) static void reject(tp_websocket *ws, sio_error err)
{
    bool was_open = ws->state == OPEN;
    if (was_open) {
        tp_ws_drop(&ws->out);
        start_closing(ws, tp_ws_close_code_of(err));
    }
    /* Nothing it sends makes sense any more, so there is no waiting. */
    ws->state = ENDING;
    tp_loop_dirty(loop_of(ws), &ws->dirty);
    if (was_open) {
        ws->base.events->failed(ws->base.owner, &ws->base, err);
    }
}

void tp_websocket_feed(tp_websocket *ws, uint8_t *data, size_t len, bool early)
{
    if (ws->state != OPEN && ws->state != CLOSING) {
        return;
    }
    tp_ws_limits limits = ws->home->config->limits;
    limits.deflate = !early && deflate_of(ws) != NULL;
    sio_error err =
        tp_ws_reader_feed(&ws->reader, data, len, &limits, &reader_events, ws);
    if (err != SIO_OK) {
        reject(ws, err);
    }
}

/* What the input makes us send to its sender leaves before the next connection
 * is served. */
static void on_input(void *owner, uint8_t *data, size_t len)
{
    tp_websocket *ws = owner;
    tp_ws_cork(&ws->out);
    tp_websocket_feed(ws, data, len, false);
    if (tp_ws_has_output(&ws->out) || sio_link_used(&ws->dirty.link)) {
        sio_link_drop(&ws->dirty.link);
        if (ws->state != GONE) {
            flush(&ws->dirty);
        }
    }
    /* Who was told that all has left may have sent more. */
    if (tp_ws_uncork(&ws->out) && ws->state != GONE) {
        note_unsent(ws);
        tp_loop_dirty(loop_of(ws), &ws->dirty);
    }
}

static void on_writable(void *owner)
{
    tp_websocket *ws = owner;
    ws->out.blocked = false;
    tp_loop_dirty(loop_of(ws), &ws->dirty);
}

/* How it broke makes no difference: the peer is gone. */
static void on_ended(void *owner, sio_error why)
{
    (void)why;
    bury_and_tell(owner, SIO_OK);
}

static const tp_stream_events stream_events = {
    .input = on_input,
    .writable = on_writable,
    .ended = on_ended,
};

tp_websocket *tp_websocket_new(const tp_websocket_home *home, tp_stream *stream,
                               sio_bytes response, bool base64,
                               tp_ws_deflate *deflate)
{
    tp_websocket *ws = calloc(1, sizeof(*ws));
    if (ws != NULL) {
        ws->out.loop = home->loop;
    }
    if (ws == NULL || (deflate->on && !make_more(ws))) {
        tp_ws_deflate_close(deflate, &home->loop->deflater);
        stream->ops->close(stream);
        free(ws);
        return NULL;
    }
    if (deflate->on) {
        ws->more->deflate = *deflate;
        stream->ops->narrow(stream);
    }
    ws->base.ops = &tp_websocket_ops;
    eio_transport_orphan(&ws->base);
    ws->base.writable = true;
    ws->dirty.flush = flush;
    ws->home = home;
    ws->out.stream = stream;
    ws->base64 = base64;
    ws->typed = home->protocol->typed_binary;
    stream->events = &stream_events;
    stream->owner = ws;
    if (push_bytes(ws, response, TP_WS_RAW) != SIO_OK) {
        free_more(ws);
        stream->ops->close(stream);
        free(ws);
        return NULL;
    }
    return ws;
}
