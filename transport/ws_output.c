#include "transport/ws_output.h"

#include <string.h>

/* More than this is not worth a copy. */
#define BURST_MAX ((size_t)64 * 1024)

static tp_cork *cork_of(const tp_ws_output *o)
{
    return &o->loop->cork;
}

static bool is_corked(const tp_ws_output *o)
{
    return o->loop->cork.holder == o;
}

/* Bytes in the cork that are this one's. */
static size_t corked(const tp_ws_output *o)
{
    return is_corked(o) ? o->loop->cork.len : 0;
}

static bool is_framed(const sio_frameq_entry *entry)
{
    return entry->flags == TP_WS_RAW || entry->flags == TP_WS_PACKETS;
}

/* The header of a message whose type goes before what is in its frame. */
__attribute__((cold)) static size_t
typed_header(uint8_t *out, tp_ws_opcode opcode, size_t len)
{
    size_t header = tp_ws_header_write(out, opcode, false, len + 1);
    out[header] = EIO_PACKET_MESSAGE;
    return header + 1;
}

static size_t frame_header(uint8_t *out, const sio_frameq_entry *entry)
{
    tp_ws_opcode opcode = (tp_ws_opcode)(entry->flags & 0x0f);
    if (is_framed(entry)) {
        return 0;
    }
    return (entry->flags & TP_WS_TYPED) != 0
               ? typed_header(out, opcode, entry->frame->len)
               : tp_ws_header_write(out, opcode,
                                    (entry->flags & TP_WS_DEFLATED) != 0,
                                    entry->frame->len);
}

/* -------------------------------------------------------------- queueing --
 */

static sio_error push_copy(tp_ws_output *o, sio_bytes bytes, uint32_t mark)
{
    sio_frame *frame = sio_frame_new(&o->loop->frames, bytes.len);
    if (frame == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    if (bytes.len != 0) {
        memcpy(frame->data, bytes.base, bytes.len);
    }
    sio_error err = sio_frameq_push(&o->queue, &o->loop->chunks, frame, mark);
    sio_frame_unref(frame);
    return err;
}

/* Queues what is in the cork, so that something else can go behind it. */
static sio_error settle(tp_ws_output *o)
{
    tp_cork *cork = cork_of(o);
    if (corked(o) == 0) {
        return SIO_OK;
    }
    sio_error err =
        push_copy(o, (sio_bytes){cork->bytes, cork->len}, TP_WS_PACKETS);
    if (err == SIO_OK) {
        cork->len = 0;
    }
    return err;
}

sio_error tp_ws_push(tp_ws_output *o, sio_frame *frame, uint32_t mark)
{
    sio_error err = settle(o);
    return err == SIO_OK
               ? sio_frameq_push(&o->queue, &o->loop->chunks, frame, mark)
               : err;
}

sio_error tp_ws_push_bytes(tp_ws_output *o, sio_bytes bytes, uint32_t mark)
{
    sio_error err = settle(o);
    return err == SIO_OK ? push_copy(o, bytes, mark) : err;
}

static tp_ws_opcode opcode_of(eio_form form)
{
    return (form & EIO_FORM_MASK) == EIO_FORM_TEXT ? TP_WS_OP_TEXT
                                                   : TP_WS_OP_BINARY;
}

static bool has_binary(const eio_burst *burst)
{
    for (size_t i = 0; i < burst->count; i++) {
        if (opcode_of(burst->items[i].form) == TP_WS_OP_BINARY) {
            return true;
        }
    }
    return false;
}

static sio_error make_wire(tp_ws_output *o, eio_burst *burst, bool typed)
{
    size_t most = burst->bytes + burst->count * TP_WS_HEADER_MAX;
    sio_frame *wire = sio_frame_new(&o->loop->frames, most);
    if (wire == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    uint8_t *at = wire->data;
    for (size_t i = 0; i < burst->count; i++) {
        const eio_burst_item *item = &burst->items[i];
        tp_ws_opcode opcode = opcode_of(item->form);
        at += typed && opcode == TP_WS_OP_BINARY
                  ? typed_header(at, opcode, item->frame->len)
                  : tp_ws_header_write(at, opcode, false, item->frame->len);
        memcpy(at, item->frame->data, item->frame->len);
        at += item->frame->len;
    }
    sio_frame_trim(wire, (size_t)(at - wire->data));
    burst->wire[typed] = wire;
    return SIO_OK;
}

/* Writes framed packets without queueing them; what the stream does not take is
 * queued. */
static sio_error write_frame(tp_ws_output *o, sio_frame *frame)
{
    struct iovec piece = {frame->data, frame->len};
    size_t sent = 0;
    if (o->stream->ops->send(o->stream, &piece, 1, &sent) != SIO_OK) {
        o->broken = true;
        return SIO_OK; /* told of at the end of the turn */
    }
    if (sent == frame->len) {
        return SIO_OK;
    }
    o->blocked = true;
    sio_error err = tp_ws_push(o, frame, TP_WS_PACKETS);
    if (err == SIO_OK) {
        sio_frameq_set_offset(&o->queue, sent);
    } else {
        o->broken = true;
    }
    return err;
}

sio_error tp_ws_push_burst(tp_ws_output *o, eio_burst *burst, bool typed)
{
    sio_error err = SIO_OK;
    typed = typed && has_binary(burst);
    if (burst->wire[typed] == NULL) {
        if (burst->bytes > BURST_MAX) {
            return SIO_MORE;
        }
        err = make_wire(o, burst, typed);
    }
    if (err != SIO_OK) {
        return err;
    }
    return burst->now && !tp_ws_has_output(o) && !o->blocked && !o->broken
               ? write_frame(o, burst->wire[typed])
               : tp_ws_push(o, burst->wire[typed], TP_WS_PACKETS);
}

/* ------------------------------------------------------------- the cork -- */

void tp_ws_cork(tp_ws_output *o)
{
    tp_cork *cork = cork_of(o);
    cork->holder = o;
    cork->len = 0;
}

/* Writes what is in the cork; what the stream does not take is queued. */
static void write_cork(tp_ws_output *o)
{
    tp_cork *cork = cork_of(o);
    struct iovec piece = {cork->bytes, cork->len};
    size_t sent = 0;
    if (o->broken || o->stream->ops->send(o->stream, &piece, 1, &sent)) {
        o->broken = true;
    } else if (sent < cork->len) {
        o->blocked = true;
        sio_bytes rest = {cork->bytes, cork->len};
        if (push_copy(o, rest, TP_WS_PACKETS) == SIO_OK) {
            sio_frameq_set_offset(&o->queue, sent);
        } else {
            o->broken = true;
        }
    }
    cork->len = 0;
}

bool tp_ws_uncork(tp_ws_output *o)
{
    bool any = corked(o) != 0 && o->stream != NULL;
    if (any) {
        write_cork(o);
    }
    cork_of(o)->holder = NULL;
    return any;
}

uint8_t *tp_ws_place(tp_ws_output *o, size_t len)
{
    tp_cork *cork = cork_of(o);
    if (!is_corked(o) || len > TP_CORK_SIZE - TP_WS_HEADER_MAX) {
        return NULL;
    }
    if (cork->len > TP_CORK_SIZE - TP_WS_HEADER_MAX - len) {
        write_cork(o);
    }
    if (o->queue.head != NULL || o->blocked || o->broken) {
        return NULL;
    }
    uint8_t *at = cork->bytes + cork->len;
    at += tp_ws_header_write(at, TP_WS_OP_TEXT, false, len);
    cork->len = (size_t)(at - cork->bytes) + len;
    return at;
}

/* -------------------------------------------------------------- writing -- */

/* Copies queued frames to the loop's buffer, from the first byte that has not
 * left, as long as whole ones fit.  Returns the bytes. */
static size_t gather(tp_ws_output *o)
{
    sio_frameq_walk walk = sio_frameq_walk_start(&o->queue);
    const sio_frameq_entry *entry;
    uint8_t *out = o->loop->out;
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
static void advance(tp_ws_output *o, size_t sent)
{
    uint8_t header[TP_WS_HEADER_MAX];
    const sio_frameq_entry *entry;
    sent += sio_frameq_offset(&o->queue);
    while ((entry = sio_frameq_first(&o->queue)) != NULL) {
        size_t size = frame_header(header, entry) + entry->frame->len;
        if (sent < size) {
            sio_frameq_set_offset(&o->queue, sent);
            return;
        }
        sent -= size;
        sio_frameq_pop(&o->queue, &o->loop->chunks);
    }
}

/* The first frame goes from where it is. */
static sio_error send_first(tp_ws_output *o, size_t *want, size_t *sent)
{
    const sio_frameq_entry *entry = sio_frameq_first(&o->queue);
    uint8_t header[TP_WS_HEADER_MAX];
    size_t header_len = frame_header(header, entry);
    size_t offset = sio_frameq_offset(&o->queue);
    struct iovec pieces[2] = {
        {header, header_len},
        {entry->frame->data, entry->frame->len},
    };
    *want = header_len + entry->frame->len - offset;
    if (offset < header_len) {
        pieces[0].iov_base = header + offset;
        pieces[0].iov_len -= offset;
        return o->stream->ops->send(o->stream, pieces, 2, sent);
    }
    pieces[1].iov_base = entry->frame->data + (offset - header_len);
    pieces[1].iov_len -= offset - header_len;
    return o->stream->ops->send(o->stream, &pieces[1], 1, sent);
}

static sio_error send_gathered(tp_ws_output *o, size_t len, size_t *want,
                               size_t *sent)
{
    size_t offset = sio_frameq_offset(&o->queue);
    struct iovec piece = {o->loop->out + offset, len - offset};
    *want = piece.iov_len;
    return o->stream->ops->send(o->stream, &piece, 1, sent);
}

/* Whether nothing would be gained by gathering: there is one entry, which needs
 * no header. */
static bool goes_alone(const tp_ws_output *o)
{
    return sio_frameq_count(&o->queue) == 1 &&
           is_framed(sio_frameq_first(&o->queue));
}

/* Apart from the next one, as what is not in the cork is seldom. */
__attribute__((noinline)) static void write_queue(tp_ws_output *o)
{
    while (o->queue.head != NULL && !o->blocked && !o->broken) {
        size_t want, sent;
        size_t len = goes_alone(o) ? 0 : gather(o);
        sio_error err = len != 0 ? send_gathered(o, len, &want, &sent)
                                 : send_first(o, &want, &sent);
        if (err != SIO_OK) {
            o->broken = true;
            return;
        }
        o->blocked = sent < want;
        advance(o, sent);
    }
}

void tp_ws_write(tp_ws_output *o)
{
    if (corked(o) != 0) {
        write_cork(o);
    }
    if (o->queue.head != NULL) {
        write_queue(o);
    }
}

bool tp_ws_has_output(const tp_ws_output *o)
{
    return o->queue.head != NULL || corked(o) != 0;
}

/* How many of the first `sent` bytes of the queue are its packets'. */
__attribute__((noinline)) static size_t sent_of_packet(const tp_ws_output *o,
                                                       size_t sent)
{
    uint8_t header[TP_WS_HEADER_MAX];
    size_t header_len = frame_header(header, sio_frameq_first(&o->queue));
    return sent < header_len ? 0 : sent - header_len;
}

size_t tp_ws_unsent(const tp_ws_output *o)
{
    size_t sent = sio_frameq_offset(&o->queue);
    if (sent != 0) {
        sent = sent_of_packet(o, sent);
    }
    return sio_frameq_bytes(&o->queue) - sent + corked(o);
}

/* ------------------------------------------------------------- dropping -- */

void tp_ws_drop(tp_ws_output *o)
{
    sio_frameq old = o->queue;
    sio_frameq_walk walk = sio_frameq_walk_start(&old);
    const sio_frameq_entry *entry;
    size_t offset = sio_frameq_offset(&old);
    bool started = offset != 0;
    o->queue = (sio_frameq){0};
    if (is_corked(o)) {
        cork_of(o)->len = 0;
    }
    while ((entry = sio_frameq_walk_next(&walk)) != NULL) {
        if ((started || entry->flags == TP_WS_RAW) &&
            tp_ws_push(o, entry->frame, entry->flags) != SIO_OK) {
            o->broken = true;
        }
        started = false;
    }
    if (o->queue.head != NULL) {
        sio_frameq_set_offset(&o->queue, offset);
    }
    sio_frameq_clear(&old, &o->loop->chunks);
}

void tp_ws_output_clear(tp_ws_output *o)
{
    if (is_corked(o)) {
        cork_of(o)->len = 0;
    }
    sio_frameq_clear(&o->queue, &o->loop->chunks);
}
