#include "transport/websocket.h"

#include <stdlib.h>

#include "base/base64.h"

/* What is queued beyond this is written before the turn ends, and so is half of
 * what may wait: what the kernel would take does not wait. */
#define WRITE_EARLY (64 * 1024)

/* Queue entries are marked with their opcode, or as bytes that need no frame
 * around them. */
#define RAW 0xffu

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

struct tp_websocket {
    eio_transport base; /* `writable` while OPEN */
    sio_mortal mortal;
    tp_dirty dirty;
    sio_link link; /* the owner's */
    tp_loop *loop;
    const eio_engine *engine;
    tp_stream *stream; /* NULL once GONE */
    const tp_websocket_config *config;
    void (*gone)(void *owner, tp_websocket *ws);
    void *owner;
    sio_timer timer; /* the peer's time to close */
    tp_ws_reader reader;
    sio_frameq queue;
    uint8_t state;
    bool blocked; /* the stream takes no more for now */
    bool broken;  /* a write has failed; told at the end of the turn */
    bool base64;
    bool peer_closed; /* its close frame has come */
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

static void destroy(sio_mortal *mortal)
{
    tp_websocket *ws = SIO_OWNER(mortal, tp_websocket, mortal);
    sio_frameq_clear(&ws->queue, &ws->loop->chunks);
    tp_ws_reader_deinit(&ws->reader);
    free(ws);
}

/* The connection is over. */
static void bury(tp_websocket *ws)
{
    if (ws->state == GONE) {
        return;
    }
    ws->state = GONE;
    ws->base.writable = false;
    sio_wheel_cancel(&ws->loop->wheel, &ws->timer);
    sio_link_drop(&ws->dirty.link);
    sio_link_drop(&ws->link);
    ws->stream->ops->close(ws->stream);
    ws->stream = NULL;
    ws->gone(ws->owner, ws);
    sio_reap_later(&ws->loop->doomed, &ws->mortal);
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

static void on_timer(sio_timer *timer)
{
    bury_and_tell(SIO_OWNER(timer, tp_websocket, timer), SIO_OK);
}

/* -------------------------------------------------------------- writing -- */

static size_t frame_header(uint8_t *out, const sio_frameq_entry *entry)
{
    return entry->flags == RAW
               ? 0
               : tp_ws_header_write(out, (tp_ws_opcode)entry->flags, false,
                                    entry->frame->len);
}

/* Copies queued frames to the loop's buffer, from the first byte that has not
 * left, as long as whole ones fit.  Returns the bytes. */
static size_t gather(tp_websocket *ws)
{
    sio_frameq_walk walk = sio_frameq_walk_start(&ws->queue);
    const sio_frameq_entry *entry;
    uint8_t *out = ws->loop->out;
    size_t len = 0;
    while ((entry = sio_frameq_walk_next(&walk)) != NULL &&
           entry->frame->len <= TP_LOOP_OUT - TP_WS_HEADER_MAX - len) {
        len += frame_header(out + len, entry);
        memcpy(out + len, entry->frame->data, entry->frame->len);
        len += entry->frame->len;
        if (len > TP_LOOP_OUT - TP_WS_HEADER_MAX) {
            break;
        }
    }
    return len;
}

/* Takes `sent` more bytes off the queue. */
static void advance(tp_websocket *ws, size_t sent)
{
    sio_chunk_pool *chunks = &ws->loop->chunks;
    uint8_t header[TP_WS_HEADER_MAX];
    sent += ws->queue.offset;
    ws->queue.offset = 0;
    const sio_frameq_entry *entry;
    while ((entry = sio_frameq_first(&ws->queue)) != NULL) {
        size_t size = frame_header(header, entry) + entry->frame->len;
        if (sent < size) {
            ws->queue.offset = sent;
            return;
        }
        sent -= size;
        sio_frameq_pop(&ws->queue, chunks);
    }
}

/* A frame larger than the loop's buffer goes from where it is. */
static sio_error send_large(tp_websocket *ws, size_t *want, size_t *sent)
{
    const sio_frameq_entry *entry = sio_frameq_first(&ws->queue);
    uint8_t header[TP_WS_HEADER_MAX];
    size_t header_len = frame_header(header, entry);
    size_t offset = ws->queue.offset;
    struct iovec pieces[2] = {
        {header, header_len},
        {entry->frame->data, entry->frame->len},
    };
    *want = header_len + entry->frame->len - offset;
    if (offset < header_len) {
        pieces[0].iov_base = header + offset;
        pieces[0].iov_len -= offset;
        return ws->stream->ops->send(ws->stream, pieces, 2, sent);
    }
    pieces[1].iov_base = entry->frame->data + (offset - header_len);
    pieces[1].iov_len -= offset - header_len;
    return ws->stream->ops->send(ws->stream, &pieces[1], 1, sent);
}

static sio_error send_gathered(tp_websocket *ws, size_t len, size_t *want,
                               size_t *sent)
{
    struct iovec piece = {ws->loop->out + ws->queue.offset,
                          len - ws->queue.offset};
    *want = piece.iov_len;
    return ws->stream->ops->send(ws->stream, &piece, 1, sent);
}

/* Counts what waits to the byte: of the first frame, what has left does not. */
static void note_unsent(tp_websocket *ws)
{
    const sio_frameq_entry *first = sio_frameq_first(&ws->queue);
    uint8_t header[TP_WS_HEADER_MAX];
    size_t left = ws->queue.offset;
    if (left != 0) {
        size_t header_len = frame_header(header, first);
        left -= left < header_len ? left : header_len;
    }
    ws->base.unsent = ws->queue.bytes - left;
}

/* Writes what the stream takes.  Tells nobody. */
static void write_queue(tp_websocket *ws)
{
    while (ws->queue.count != 0 && !ws->blocked && !ws->broken) {
        size_t want, sent;
        size_t len = gather(ws);
        sio_error err = len != 0 ? send_gathered(ws, len, &want, &sent)
                                 : send_large(ws, &want, &sent);
        if (err != SIO_OK) {
            ws->broken = true;
            return;
        }
        ws->blocked = sent < want;
        advance(ws, sent);
    }
    note_unsent(ws);
}

static void flush(tp_dirty *dirty)
{
    tp_websocket *ws = SIO_OWNER(dirty, tp_websocket, dirty);
    write_queue(ws);
    if (ws->broken) {
        bury_and_tell(ws, SIO_OK);
    } else if (ws->queue.count != 0) {
        return; /* on_writable() goes on */
    } else if (ws->state == ENDING && ws->peer_closed) {
        bury_and_tell(ws, SIO_OK);
    } else if (ws->state == ENDING) {
        ws->state = SHUT;
        ws->stream->ops->shut(ws->stream);
        sio_wheel_arm(&ws->loop->wheel, &ws->timer, ws->loop->now + LINGER_MS);
    } else if (ws->state == OPEN) {
        ws->base.events->drained(ws->base.owner, &ws->base);
    }
}

static sio_error push(tp_websocket *ws, sio_frame *frame, uint32_t flags)
{
    sio_error err =
        sio_frameq_push(&ws->queue, &ws->loop->chunks, frame, flags);
    if (err == SIO_OK) {
        note_unsent(ws);
        tp_loop_dirty(ws->loop, &ws->dirty);
    }
    return err;
}

/* Queues a copy of `bytes`. */
static sio_error push_bytes(tp_websocket *ws, sio_bytes bytes, uint32_t flags)
{
    sio_frame *frame = sio_frame_new(&ws->loop->frames, bytes.len);
    if (frame == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    if (bytes.len != 0) {
        memcpy(frame->data, bytes.base, bytes.len);
    }
    sio_error err = push(ws, frame, flags);
    sio_frame_unref(frame);
    return err;
}

static sio_error push_base64(tp_websocket *ws, const sio_frame *binary)
{
    sio_frame *frame = sio_frame_new(&ws->loop->frames,
                                     1 + sio_base64_encoded_len(binary->len));
    if (frame == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    frame->data[0] = 'b';
    sio_base64_encode(sio_frame_view(binary), frame->data + 1);
    sio_error err = push(ws, frame, TP_WS_OP_TEXT);
    sio_frame_unref(frame);
    return err;
}

static sio_error send_frame(eio_transport *tp, sio_frame *frame, eio_form form)
{
    tp_websocket *ws = of(tp);
    sio_error err = (form & EIO_FORM_MASK) == EIO_FORM_TEXT
                        ? push(ws, frame, TP_WS_OP_TEXT)
                    : ws->base64 ? push_base64(ws, frame)
                                 : push(ws, frame, TP_WS_OP_BINARY);
    if (err == SIO_OK &&
        (ws->queue.bytes > WRITE_EARLY ||
         ws->queue.bytes > ws->engine->config->max_backlog / 2)) {
        write_queue(ws);
    }
    return err;
}

/* Queues our close frame; `code` 0 is none. */
static void push_close(tp_websocket *ws, uint16_t code)
{
    uint8_t frame[TP_WS_CLOSE_SIZE];
    size_t len = tp_ws_close_write(frame, code);
    if (push_bytes(ws, (sio_bytes){frame, len}, RAW) != SIO_OK) {
        ws->broken = true;
        tp_loop_dirty(ws->loop, &ws->dirty);
    }
}

/* Drops the packets that are queued, but not one of which a part has left, nor
 * what WebSocket itself has to say: the answer to its handshake above all. */
static void drop_queue(tp_websocket *ws)
{
    sio_frameq old = ws->queue;
    sio_frameq_walk walk = sio_frameq_walk_start(&old);
    const sio_frameq_entry *entry;
    bool started = old.offset != 0;
    ws->queue = (sio_frameq){0};
    while ((entry = sio_frameq_walk_next(&walk)) != NULL) {
        if ((started || entry->flags == RAW) &&
            push(ws, entry->frame, entry->flags) != SIO_OK) {
            ws->broken = true;
        }
        started = false;
    }
    ws->queue.offset = old.offset;
    sio_frameq_clear(&old, &ws->loop->chunks);
}

static void start_closing(tp_websocket *ws, uint16_t code)
{
    ws->state = CLOSING;
    ws->base.writable = false;
    push_close(ws, code);
    sio_wheel_arm(&ws->loop->wheel, &ws->timer,
                  ws->loop->now + ws->config->close_timeout);
}

static void close_websocket(eio_transport *tp, eio_close_mode mode)
{
    tp_websocket *ws = of(tp);
    if (ws->state != OPEN) {
        return;
    }
    if (mode == EIO_CLOSE_NOW) {
        drop_queue(ws);
    }
    start_closing(ws, 0);
}

const eio_transport_ops tp_websocket_ops = {
    .name = "websocket",
    .counter = SIO_COUNTER_SESSIONS_WEBSOCKET,
    .can_take_over = true,
    .send = send_frame,
    .close = close_websocket,
    .release = NULL,
};

/* -------------------------------------------------------------- reading -- */

static sio_error decode(tp_ws_opcode opcode, sio_bytes data, eio_packet *packet)
{
    if (opcode == TP_WS_OP_BINARY) {
        *packet = (eio_packet){EIO_PACKET_MESSAGE, EIO_FORM_BINARY, data};
        return SIO_OK;
    }
    /* The bytes are the loop's or the reader's: ours to change. */
    return eio_packet_decode_in_place((uint8_t *)(uintptr_t)data.base, data.len,
                                      packet);
}

static bool on_message(void *owner, tp_ws_opcode opcode, sio_bytes payload)
{
    tp_websocket *ws = owner;
    eio_packet packet;
    if (ws->state != OPEN) {
        return ws->state == CLOSING; /* its close frame is still to come */
    }
    sio_error err = decode(opcode, payload, &packet);
    if (err != SIO_OK) {
        ws->base.events->failed(ws->base.owner, &ws->base, err);
    } else {
        ws->base.events->packet(ws->base.owner, &ws->base, &packet);
    }
    return ws->state == OPEN || ws->state == CLOSING;
}

/* A peer that pings but does not read gets no heap of pongs. */
static bool on_ping(void *owner, sio_bytes payload)
{
    tp_websocket *ws = owner;
    uint8_t frame[TP_WS_HEADER_MAX + 125];
    if (ws->state == OPEN && !ws->blocked) {
        size_t len =
            tp_ws_header_write(frame, TP_WS_OP_PONG, false, payload.len);
        if (payload.len != 0) {
            memcpy(frame + len, payload.base, payload.len);
        }
        (void)push_bytes(ws, (sio_bytes){frame, len + payload.len}, RAW);
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
    tp_loop_dirty(ws->loop, &ws->dirty);
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
    .ping = on_ping,
    .pong = on_pong,
    .close = on_close,
};

/* The rules of WebSocket were broken: the peer is told by the code. */
static void reject(tp_websocket *ws, sio_error err)
{
    bool was_open = ws->state == OPEN;
    if (was_open) {
        drop_queue(ws);
        start_closing(ws, tp_ws_close_code_of(err));
    }
    /* Nothing it sends makes sense any more, so there is no waiting. */
    ws->state = ENDING;
    tp_loop_dirty(ws->loop, &ws->dirty);
    if (was_open) {
        ws->base.events->failed(ws->base.owner, &ws->base, err);
    }
}

void tp_websocket_feed(tp_websocket *ws, uint8_t *data, size_t len)
{
    if (ws->state != OPEN && ws->state != CLOSING) {
        return;
    }
    sio_error err = tp_ws_reader_feed(&ws->reader, data, len,
                                      &ws->config->limits, &reader_events, ws);
    if (err != SIO_OK) {
        reject(ws, err);
    }
}

static void on_input(void *owner, uint8_t *data, size_t len)
{
    tp_websocket_feed(owner, data, len);
}

static void on_writable(void *owner)
{
    tp_websocket *ws = owner;
    ws->blocked = false;
    tp_loop_dirty(ws->loop, &ws->dirty);
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

tp_websocket *tp_websocket_new(tp_loop *loop, const eio_engine *engine,
                               tp_stream *stream,
                               const tp_websocket_config *config,
                               sio_bytes response, bool base64,
                               void (*gone)(void *owner, tp_websocket *ws),
                               void *owner)
{
    tp_websocket *ws = calloc(1, sizeof(*ws));
    if (ws == NULL) {
        stream->ops->close(stream);
        return NULL;
    }
    ws->base.ops = &tp_websocket_ops;
    eio_transport_orphan(&ws->base);
    ws->base.writable = true;
    ws->mortal.destroy = destroy;
    ws->dirty.flush = flush;
    ws->timer.fire = on_timer;
    ws->loop = loop;
    ws->engine = engine;
    ws->stream = stream;
    ws->config = config;
    ws->base64 = base64;
    ws->gone = gone;
    ws->owner = owner;
    stream->events = &stream_events;
    stream->owner = ws;
    if (push_bytes(ws, response, RAW) != SIO_OK) {
        stream->ops->close(stream);
        free(ws);
        return NULL;
    }
    return ws;
}
