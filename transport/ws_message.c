#include "transport/ws_message.h"

#include <assert.h>
#include <stdlib.h>

/* What has been read of a message that is not whole. */
typedef struct tp_ws_partial {
    sio_buf gathered;   /* the message so far, then `taken` control bytes */
    size_t taken;       /* payload of the present frame that has arrived */
    uint32_t fragments; /* frames of the present message; 0: none is open */
    sio_utf8 utf8;      /* of the present message, if it is text */
    uint8_t opcode;     /* TEXT or BINARY, while a message is open */
    bool deflated;      /* whether that message is compressed */
    uint8_t head_len;
    uint8_t head[TP_WS_HEADER_MAX]; /* of the frame that is incomplete */
} tp_ws_partial;

/* One call of tp_ws_reader_feed(): its arguments, and what is left of them. */
typedef struct input {
    tp_ws_partial *partial;
    bool ended;
    uint8_t *data;
    size_t len;
    const tp_ws_limits *limits;
    const tp_ws_reader_events *ev;
    void *owner;
} input;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void skip(input *in, size_t count)
{
    in->data += count;
    in->len -= count;
}

/* Judges the header of a new frame, and opens a message if it starts one. */
static sio_error admit(const input *in, const tp_ws_header *h)
{
    tp_ws_partial *r = in->partial;
    const tp_ws_limits *limits = in->limits;

    if (!h->masked) {
        return SIO_ERR_FRAME_MASK;
    }
    if (tp_ws_opcode_is_control(h->opcode)) {
        return SIO_OK;
    }
    bool continues = h->opcode == TP_WS_OP_CONTINUATION;
    if (continues != (r->fragments != 0)) {
        return SIO_ERR_FRAME_ORDER;
    }
    if (h->payload > limits->max_message ||
        r->gathered.len > limits->max_message - h->payload) {
        return SIO_ERR_TOO_LARGE;
    }
    if (r->fragments >= limits->max_fragments) {
        return SIO_ERR_VIOLATION;
    }
    r->fragments++;
    if (!continues) {
        r->opcode = (uint8_t)h->opcode;
        r->deflated = h->deflated;
        r->utf8 = (sio_utf8){0};
    }
    return SIO_OK;
}

/*
 * Sets `*h` to the header of the present frame and leaves `in` at its payload.
 * Returns SIO_MORE, with `in` used up, if the header is incomplete.
 */
static sio_error read_header(input *in, tp_ws_header *h)
{
    tp_ws_partial *r = in->partial;
    size_t had = r->head_len;
    sio_bytes bytes = {in->data, in->len};

    if (had != 0) {
        size_t more = smaller(in->len, sizeof(r->head) - had);
        memcpy(r->head + had, in->data, more);
        bytes = (sio_bytes){r->head, had + more};
    }
    sio_error err = tp_ws_header_decode(bytes, in->limits->deflate, h);
    if (err == SIO_MORE) {
        assert(bytes.len < sizeof(r->head));
        if (had == 0) {
            memcpy(r->head, bytes.base, bytes.len);
        }
        r->head_len = (uint8_t)bytes.len;
        skip(in, in->len);
    }
    if (err != SIO_OK) {
        return err;
    }
    if (had == h->size) {
        return SIO_OK; /* its payload had begun: it has been admitted */
    }
    if (had != 0) {
        r->head_len = (uint8_t)h->size;
    }
    skip(in, h->size - had);
    return admit(in, h);
}

/* RFC 6455, section 7.4, and the codes registered since. */
static bool may_be_sent(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static sio_error give_close(const input *in, sio_bytes payload)
{
    if (payload.len == 0) {
        in->ev->close(in->owner, TP_WS_CLOSE_NONE, payload);
        return SIO_OK;
    }
    if (payload.len == 1) {
        return SIO_ERR_CLOSE_CODE;
    }
    unsigned code = (unsigned)payload.base[0] << 8 | payload.base[1];
    sio_bytes reason = {payload.base + 2, payload.len - 2};
    if (!may_be_sent(code)) {
        return SIO_ERR_CLOSE_CODE;
    }
    if (!sio_utf8_valid(reason)) {
        return SIO_ERR_UTF8;
    }
    in->ev->close(in->owner, (uint16_t)code, reason);
    return SIO_OK;
}

static sio_error give_control(input *in, tp_ws_opcode opcode, sio_bytes payload)
{
    bool goes_on = false;
    sio_error err = SIO_OK;

    if (opcode == TP_WS_OP_PING) {
        goes_on = in->ev->ping(in->owner, payload);
    } else if (opcode == TP_WS_OP_PONG) {
        goes_on = in->ev->pong(in->owner, payload);
    } else {
        err = give_close(in, payload);
    }
    in->ended = !goes_on;
    return err;
}

static void give_message(input *in, sio_bytes payload)
{
    tp_ws_partial *r = in->partial;
    tp_ws_opcode opcode = (tp_ws_opcode)r->opcode;

    r->fragments = 0;
    bool goes_on = r->deflated ? in->ev->deflated(in->owner, opcode, payload)
                               : in->ev->message(in->owner, opcode, payload);
    in->ended = !goes_on;
}

static bool is_text(const tp_ws_partial *r)
{
    return r->opcode == TP_WS_OP_TEXT && !r->deflated;
}

static sio_error read_whole(input *in, const tp_ws_header *h, sio_bytes payload)
{
    if (tp_ws_opcode_is_control(h->opcode)) {
        return give_control(in, h->opcode, payload);
    }
    if (is_text(in->partial) && !sio_utf8_valid(payload)) {
        return SIO_ERR_UTF8;
    }
    give_message(in, payload);
    return SIO_OK;
}

/* Called when the last of a frame has been gathered. */
static sio_error finish_frame(input *in, const tp_ws_header *h, size_t payload)
{
    tp_ws_partial *r = in->partial;
    sio_buf *buf = &r->gathered;

    if (tp_ws_opcode_is_control(h->opcode)) {
        /* Gathered behind what there is of a message, and cut off again. */
        size_t before = buf->len - payload;
        sio_bytes view = {buf->base + before, payload};
        sio_error err = give_control(in, h->opcode, view);
        if (before == 0) {
            sio_buf_deinit(buf);
        }
        buf->len = before;
        return err;
    }
    if (!h->fin) {
        return SIO_OK;
    }
    if (is_text(r) && !sio_utf8_done(&r->utf8)) {
        return SIO_ERR_UTF8;
    }
    give_message(in, sio_buf_view(buf));
    sio_buf_deinit(buf);
    return SIO_OK;
}

static sio_error gather(input *in, const tp_ws_header *h, sio_bytes piece)
{
    tp_ws_partial *r = in->partial;
    bool control = tp_ws_opcode_is_control(h->opcode);

    if (!control && is_text(r) && !sio_utf8_feed(&r->utf8, piece)) {
        return SIO_ERR_UTF8;
    }
    sio_error err = sio_buf_append(&r->gathered, piece);
    if (err != SIO_OK) {
        return err;
    }
    r->taken += piece.len;
    if (r->taken < h->payload) {
        return SIO_OK;
    }
    size_t payload = r->taken;
    r->taken = 0;
    r->head_len = 0;
    return finish_frame(in, h, payload);
}

static sio_error read_payload(input *in, const tp_ws_header *h)
{
    tp_ws_partial *r = in->partial;
    size_t left = (size_t)h->payload - r->taken;
    sio_bytes piece = {in->data, smaller(left, in->len)};

    tp_ws_unmask(in->data, piece.len, h->mask, r->taken);
    skip(in, piece.len);

    bool alone =
        tp_ws_opcode_is_control(h->opcode) || (h->fin && r->gathered.len == 0);
    if (alone && piece.len == h->payload) {
        r->head_len = 0;
        return read_whole(in, h, piece);
    }
    if (r->head_len == 0) {
        memcpy(r->head, piece.base - h->size, h->size);
        r->head_len = (uint8_t)h->size;
    }
    return gather(in, h, piece);
}

/* Whether nothing is left over from what has been read. */
static bool is_idle(const tp_ws_partial *p)
{
    return p->fragments == 0 && p->head_len == 0 && p->gathered.len == 0;
}

/*
 * Reads what is most of what comes: messages of one short frame each, as long
 * as the input holds whole ones.
 */
static sio_error read_short(input *in)
{
    while (in->len >= 6 && !in->ended) {
        uint8_t *at = in->data;
        size_t len = at[1] & 0x7f;
        bool text = at[0] == (0x80 | TP_WS_OP_TEXT);
        if ((!text && at[0] != (0x80 | TP_WS_OP_BINARY)) ||
            (at[1] & 0x80) == 0 || len > 125 || in->len - 6 < len ||
            len > in->limits->max_message) {
            break;
        }
        sio_bytes payload = {at + 6, len};
        bool ascii = tp_ws_unmask_short(at + 6, len, at + 2);
        if (text && !ascii && !sio_utf8_valid(payload)) {
            return SIO_ERR_UTF8;
        }
        skip(in, 6 + len);
        in->ended =
            !in->ev->message(in->owner, (tp_ws_opcode)(at[0] & 0x0f), payload);
    }
    return SIO_OK;
}

static sio_error read_all(input *in)
{
    sio_error err = SIO_OK;
    while (in->len != 0 && !in->ended && (err == SIO_OK || err == SIO_MORE)) {
        tp_ws_header h;
        err = is_idle(in->partial) ? read_short(in) : SIO_OK;
        if (err == SIO_OK && in->len != 0 && !in->ended) {
            err = read_header(in, &h);
            if (err == SIO_OK) {
                err = read_payload(in, &h);
            }
        }
    }
    return err == SIO_MORE ? SIO_OK : err;
}

/* Keeps what is left over for the next call. */
static sio_error keep(tp_ws_reader *r, tp_ws_partial *p)
{
    if (is_idle(p)) {
        sio_buf_deinit(&p->gathered);
        if (p == r->partial) {
            free(p);
            r->partial = NULL;
        }
        return SIO_OK;
    }
    if (p != r->partial) {
        r->partial = malloc(sizeof(*p));
        if (r->partial == NULL) {
            sio_buf_deinit(&p->gathered);
            return SIO_ERR_NO_MEMORY;
        }
        *r->partial = *p;
    }
    return SIO_OK;
}

/* The rest of tp_ws_reader_feed(), apart for the sake of its stack. */
__attribute__((noinline)) static sio_error read_rest(tp_ws_reader *r, input *in)
{
    tp_ws_partial fresh = {0};
    in->partial = r->partial == NULL ? &fresh : r->partial;
    sio_error err = read_all(in);
    if (err == SIO_OK && !in->ended) {
        err = keep(r, in->partial);
    } else {
        sio_buf_deinit(&in->partial->gathered);
    }
    return err;
}

/* What `partial` points to once reading has ended. */
static tp_ws_partial ended_mark;

bool tp_ws_reader_ended(const tp_ws_reader *r)
{
    return r->partial == &ended_mark;
}

sio_error tp_ws_reader_feed(tp_ws_reader *r, uint8_t *data, size_t len,
                            const tp_ws_limits *limits,
                            const tp_ws_reader_events *ev, void *owner)
{
    input in = {NULL, false, data, len, limits, ev, owner};
    if (tp_ws_reader_ended(r)) {
        return SIO_OK;
    }
    sio_error err = r->partial == NULL ? read_short(&in) : SIO_OK;
    if (err == SIO_OK && in.len != 0 && !in.ended) {
        err = read_rest(r, &in);
    }
    if (err != SIO_OK || in.ended) {
        tp_ws_reader_deinit(r);
        r->partial = &ended_mark;
    }
    return err;
}

void tp_ws_reader_deinit(tp_ws_reader *r)
{
    if (r->partial != NULL && !tp_ws_reader_ended(r)) {
        sio_buf_deinit(&r->partial->gathered);
        free(r->partial);
    }
    r->partial = NULL;
}

size_t tp_ws_reader_memory(const tp_ws_reader *r)
{
    const tp_ws_partial *p = r->partial;
    return p == NULL || tp_ws_reader_ended(r) ? 0
                                              : sizeof(*p) + p->gathered.cap;
}

uint16_t tp_ws_close_code_of(sio_error err)
{
    switch (err) {
    case SIO_OK:
        return TP_WS_CLOSE_NORMAL;
    case SIO_ERR_FRAME_BITS:
    case SIO_ERR_FRAME_LENGTH:
    case SIO_ERR_FRAME_MASK:
    case SIO_ERR_FRAME_ORDER:
    case SIO_ERR_CLOSE_CODE:
        return TP_WS_CLOSE_PROTOCOL;
    case SIO_ERR_UTF8:
    case SIO_ERR_DEFLATE:
        return TP_WS_CLOSE_DATA;
    case SIO_ERR_TOO_LARGE:
        return TP_WS_CLOSE_TOO_LARGE;
    default:
        return sio_error_is_peers(err) ? TP_WS_CLOSE_POLICY
                                       : TP_WS_CLOSE_INTERNAL;
    }
}

size_t tp_ws_close_write(uint8_t out[TP_WS_CLOSE_SIZE], uint16_t code)
{
    bool empty = code == 0 || code == TP_WS_CLOSE_NONE;
    out[0] = 0x80 | TP_WS_OP_CLOSE;
    out[1] = empty ? 0 : 2;
    if (empty) {
        return 2;
    }
    out[2] = (uint8_t)(code >> 8);
    out[3] = (uint8_t)code;
    return 4;
}
