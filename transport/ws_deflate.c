#include "transport/ws_deflate.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/utf8.h"

/* What a message ends with when it has been flushed, and is sent without
 * (RFC 7692, section 7.2.1). */
static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};

/* Buffers of up to this size are kept from turn to turn. */
#define KEEP ((size_t)64 * 1024)

/* The first size of a buffer to inflate into. */
#define SMALLEST 4096

/* What a decompressor needs for a window of that size, and then some; and what
 * is left for the thread's compressors. */
#define UNPACKING_SHARE(bits) (((size_t)12 * 1024) + ((size_t)1 << (bits)))
#define PACKING_SHARE (TP_DEFLATER_SHARE - UNPACKING_SHARE(TP_WS_BITS_MOST))

/* In front of each piece of zlib's memory stands its size. */
#define HEAD alignof(max_align_t)

/* A state of one connection. */
typedef struct tp_deflate_stream {
    z_stream z;
    tp_deflate_account account;
} stream;

/* --------------------------------------------------------------- memory -- */

/* Takes `bytes` off the budget, all or nothing. */
static bool budget_take(tp_deflate_budget *b, size_t bytes)
{
    size_t used = atomic_load_explicit(&b->used, memory_order_relaxed);
    do {
        if (used > b->cap || bytes > b->cap - used) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &b->used, &used, used + bytes, memory_order_relaxed,
        memory_order_relaxed));
    return true;
}

static void budget_give(tp_deflate_budget *b, size_t bytes)
{
    atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);
}

/* Gives back what is taken beyond `least` and not in use. */
static void account_settle(tp_deflate_account *a, size_t least)
{
    size_t needed = a->held > least ? a->held : least;
    if (a->taken > needed) {
        budget_give(a->budget, a->taken - needed);
        a->taken = needed;
    }
}

static void account_close(tp_deflate_account *a)
{
    assert(a->held == 0);
    account_settle(a, 0);
}

/* zlib's allocator.  What is freed stays with the account. */
static void *take_memory(void *opaque, unsigned items, unsigned size)
{
    tp_deflate_account *a = opaque;
    size_t bytes = (size_t)items * size + HEAD;
    size_t held = a->held + bytes;
    if (held > a->taken) {
        if (!budget_take(a->budget, held - a->taken)) {
            return NULL;
        }
        a->taken = held;
    }
    uint8_t *at = malloc(bytes);
    if (at == NULL) {
        return NULL;
    }
    a->held = held;
    memcpy(at, &bytes, sizeof(bytes));
    return at + HEAD;
}

static void give_memory(void *opaque, void *memory)
{
    tp_deflate_account *a = opaque;
    uint8_t *at = (uint8_t *)memory - HEAD;
    size_t bytes;
    memcpy(&bytes, at, sizeof(bytes));
    a->held -= bytes;
    free(at);
}

static void attach(z_stream *z, tp_deflate_account *account)
{
    *z = (z_stream){
        .zalloc = take_memory, .zfree = give_memory, .opaque = account};
}

/* --------------------------------------------------------------- states -- */

/* Negative window bits are zlib's way to say: no wrapping. */
static bool start_deflate(z_stream *z, const tp_ws_deflate_config *c, int bits)
{
    return deflateInit2(z, c->level, Z_DEFLATED, -bits, c->memory_level,
                        Z_DEFAULT_STRATEGY) == Z_OK;
}

static int server_bits(const tp_ws_deflate_params *p)
{
    return p->server_max_window_bits == 0 ? TP_WS_BITS_MOST
                                          : p->server_max_window_bits;
}

/* Clients built on zlib that agree to 8 use 9, as zlib has it. */
static int client_bits(const tp_ws_deflate_params *p)
{
    return p->client_max_window_bits == 0 ? TP_WS_BITS_MOST
           : p->client_max_window_bits == TP_WS_BITS_LEAST
               ? TP_WS_BITS_LEAST + 1
               : p->client_max_window_bits;
}

/* What a client's context is promised. */
static size_t client_share(const tp_ws_deflate_params *p)
{
    return UNPACKING_SHARE(client_bits(p));
}

/* The thread's compressor for a window of that size, or NULL. */
static z_stream *shared_compressor(tp_deflater *d, int bits)
{
    z_stream **at = &d->compressors[bits - TP_WS_BITS_LEAST - 1];
    if (*at != NULL) {
        (void)deflateReset(*at);
        return *at;
    }
    z_stream *z = malloc(sizeof(*z));
    if (z == NULL) {
        return NULL;
    }
    attach(z, &d->packing);
    if (!start_deflate(z, d->config, bits)) {
        account_settle(&d->packing, PACKING_SHARE);
        free(z);
        return NULL;
    }
    *at = z;
    return z;
}

/* The thread's decompressor, good for windows of any size, or NULL. */
static z_stream *shared_decompressor(tp_deflater *d)
{
    z_stream *z = d->decompressor;
    if (z != NULL) {
        (void)inflateReset(z);
        return z;
    }
    z = malloc(sizeof(*z));
    if (z == NULL) {
        return NULL;
    }
    attach(z, &d->unpacking);
    if (inflateInit2(z, -TP_WS_BITS_MOST) != Z_OK) {
        free(z);
        return NULL;
    }
    d->decompressor = z;
    return z;
}

static void free_stream(stream *s)
{
    account_close(&s->account);
    free(s);
}

/* The connection's own compressor; NULL if it may have none, or there is no
 * memory for one: then it does without for now. */
static z_stream *own_compressor(tp_ws_deflate *c, const tp_deflater *d)
{
    if (c->params.server_no_context_takeover) {
        return NULL;
    }
    if (c->out != NULL) {
        if (c->stale) {
            (void)deflateReset(&c->out->z);
            c->stale = false;
        }
        return &c->out->z;
    }
    stream *s = malloc(sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->account = (tp_deflate_account){.budget = d->budget};
    attach(&s->z, &s->account);
    if (!start_deflate(&s->z, d->config, server_bits(&c->params))) {
        free_stream(s);
        return NULL;
    }
    c->out = s;
    c->stale = false;
    return &s->z;
}

/* The connection's own decompressor, for which it has a promise. */
static z_stream *own_decompressor(tp_ws_deflate *c, const tp_deflater *d)
{
    if (c->in != NULL) {
        return &c->in->z;
    }
    stream *s = malloc(sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->account = (tp_deflate_account){.budget = d->budget,
                                      .taken = client_share(&c->params)};
    attach(&s->z, &s->account);
    if (inflateInit2(&s->z, -client_bits(&c->params)) != Z_OK) {
        free(s); /* and the promise stands */
        return NULL;
    }
    c->in = s;
    return &s->z;
}

/* ----------------------------------------------------------- the thread's --
 */

sio_error tp_deflater_init(tp_deflater *d, const tp_ws_deflate_config *config,
                           tp_deflate_budget *budget)
{
    *d = (tp_deflater){0};
    if (!budget_take(budget, TP_DEFLATER_SHARE)) {
        return SIO_ERR_LIMIT;
    }
    d->config = config;
    d->budget = budget;
    d->packing = (tp_deflate_account){budget, .taken = PACKING_SHARE};
    d->unpacking =
        (tp_deflate_account){budget, .taken = UNPACKING_SHARE(TP_WS_BITS_MOST)};
    return SIO_OK;
}

static void trim(sio_buf *buf)
{
    if (buf->cap > KEEP) {
        sio_buf_deinit(buf);
    }
}

void tp_deflater_forget(tp_deflater *d)
{
    for (unsigned i = 0; i < d->cached; i++) {
        sio_frame_unref(d->cache[i].frame);
        sio_frame_unref(d->cache[i].deflated);
    }
    d->cached = 0;
    d->next = 0;
    trim(&d->deflated);
    trim(&d->inflated);
}

void tp_deflater_deinit(tp_deflater *d)
{
    if (d->config == NULL) {
        return;
    }
    tp_deflater_forget(d);
    for (size_t i = 0; i < sizeof(d->compressors) / sizeof(z_stream *); i++) {
        if (d->compressors[i] != NULL) {
            (void)deflateEnd(d->compressors[i]);
            free(d->compressors[i]);
        }
    }
    if (d->decompressor != NULL) {
        (void)inflateEnd(d->decompressor);
        free(d->decompressor);
    }
    sio_buf_deinit(&d->deflated);
    sio_buf_deinit(&d->inflated);
    account_close(&d->packing);
    account_close(&d->unpacking);
    *d = (tp_deflater){0};
}

static const tp_deflater_entry *recall(const tp_deflater *d,
                                       const sio_frame *frame, int bits)
{
    for (unsigned i = 0; i < d->cached; i++) {
        const tp_deflater_entry *e = &d->cache[i];
        if (e->frame == frame && e->bits == bits) {
            return e;
        }
    }
    return NULL;
}

/* The reference keeps another frame from taking its place in memory. */
static void remember(tp_deflater *d, sio_frame *frame, int bits,
                     sio_frame *deflated)
{
    tp_deflater_entry *e = &d->cache[d->next];
    if (d->cached < TP_DEFLATER_CACHE) {
        d->cached++;
    } else {
        sio_frame_unref(e->frame);
        sio_frame_unref(e->deflated);
    }
    d->next = (d->next + 1) % TP_DEFLATER_CACHE;
    *e = (tp_deflater_entry){
        .frame = sio_frame_ref(frame),
        .deflated = deflated == NULL ? NULL : sio_frame_ref(deflated),
        .bits = (uint8_t)bits,
    };
}

/* ------------------------------------------------------- the connection's --
 */

bool tp_ws_deflate_open(tp_ws_deflate *c, tp_deflater *d,
                        const tp_ws_deflate_params *agreed)
{
    *c = (tp_ws_deflate){.params = *agreed, .on = d->config != NULL};
    if (c->on && !agreed->client_no_context_takeover &&
        !budget_take(d->budget, client_share(agreed))) {
        c->params.client_no_context_takeover = true;
    }
    return c->on;
}

void tp_ws_deflate_close(tp_ws_deflate *c, tp_deflater *d)
{
    if (c->out != NULL) {
        (void)deflateEnd(&c->out->z);
        free_stream(c->out);
    }
    if (c->in != NULL) {
        (void)inflateEnd(&c->in->z);
        free_stream(c->in);
    } else if (c->on && !c->params.client_no_context_takeover) {
        budget_give(d->budget, client_share(&c->params));
    }
    *c = (tp_ws_deflate){0};
}

/* Compresses `in` to d->deflated; false, with `z` spoilt, if that makes it no
 * shorter.  It is one call, for a flush in two would leave a second mark. */
static bool squeeze(tp_deflater *d, z_stream *z, sio_bytes in)
{
    sio_buf *buf = &d->deflated;
    size_t most = in.len + sizeof(tail); /* what fills this is too long */
    buf->len = 0;
    if (sio_buf_reserve(buf, most) != SIO_OK) {
        return false;
    }
    z->next_in = (Bytef *)(uintptr_t)in.base;
    z->avail_in = (uInt)in.len;
    z->next_out = buf->base;
    z->avail_out = (uInt)most;
    if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_out == 0) {
        return false;
    }
    buf->len = most - z->avail_out - sizeof(tail);
    assert(memcmp(buf->base + buf->len, tail, sizeof(tail)) == 0);
    return true;
}

/* A frame with the compressed bytes; NULL, with `z` spoilt, if there is none
 * that would be worth it. */
static sio_frame *pack(tp_deflater *d, z_stream *z, sio_frame_pool *frames,
                       sio_bytes in)
{
    if (!squeeze(d, z, in)) {
        return NULL;
    }
    sio_frame *frame = sio_frame_new(frames, d->deflated.len);
    if (frame != NULL) {
        memcpy(frame->data, d->deflated.base, d->deflated.len);
    }
    return frame;
}

static sio_frame *pack_shared(tp_deflater *d, int bits, sio_frame_pool *frames,
                              sio_frame *frame)
{
    const tp_deflater_entry *known = recall(d, frame, bits);
    if (known != NULL) {
        return known->deflated == NULL ? NULL : sio_frame_ref(known->deflated);
    }
    z_stream *z = shared_compressor(d, bits);
    if (z == NULL) {
        return NULL;
    }
    sio_frame *deflated = pack(d, z, frames, sio_frame_view(frame));
    remember(d, frame, bits, deflated);
    return deflated;
}

sio_frame *tp_ws_deflate_frame(tp_ws_deflate *c, tp_deflater *d,
                               sio_frame_pool *frames, sio_frame *frame)
{
    /* Nothing is shorter than an empty message; and zlib counts in 32 bits. */
    if (!c->on || frame->len == 0 || frame->len < d->config->threshold ||
        frame->len > UINT32_MAX / 2) {
        return NULL;
    }
    z_stream *z = own_compressor(c, d);
    if (z == NULL) {
        return pack_shared(d, server_bits(&c->params), frames, frame);
    }
    sio_frame *deflated = pack(d, z, frames, sio_frame_view(frame));
    c->stale = deflated == NULL;
    return deflated;
}

/* ------------------------------------------------------------- inflating -- */

/* Points `z` at room behind `buf->len`; at `*spare` once there are `max` bytes,
 * to see whether there would be more. */
static sio_error make_room(z_stream *z, sio_buf *buf, size_t max,
                           uint8_t *spare)
{
    if (buf->len == max) {
        z->next_out = spare;
        z->avail_out = 1;
        return SIO_OK;
    }
    if (buf->len == buf->cap) {
        size_t cap = buf->cap < SMALLEST / 2 ? SMALLEST : buf->cap * 2;
        cap = cap < max ? cap : max;
        uint8_t *base = realloc(buf->base, cap);
        if (base == NULL) {
            return SIO_ERR_NO_MEMORY;
        }
        buf->base = base;
        buf->cap = cap;
    }
    size_t room = (buf->cap < max ? buf->cap : max) - buf->len;
    z->next_out = buf->base + buf->len;
    z->avail_out = (uInt)room;
    return SIO_OK;
}

/* Inflates `in` to the end of `buf`.  A stream that ends is followed by another
 * one (section 7.2.1); `*ended` says whether one ends with `in`. */
static sio_error blow_up(z_stream *z, sio_buf *buf, sio_bytes in, size_t max,
                         bool *ended)
{
    *ended = false;
    z->next_in = (Bytef *)(uintptr_t)in.base;
    z->avail_in = (uInt)in.len;
    do {
        uint8_t spare;
        sio_error err = make_room(z, buf, max, &spare);
        if (err != SIO_OK) {
            return err;
        }
        const uint8_t *from = z->next_out;
        int rc = inflate(z, Z_SYNC_FLUSH);
        if (from == &spare && z->avail_out == 0) {
            return SIO_ERR_TOO_LARGE;
        }
        buf->len += from == &spare ? 0 : (size_t)(z->next_out - from);
        if (rc == Z_MEM_ERROR) {
            return SIO_ERR_NO_MEMORY;
        }
        if (rc == Z_STREAM_END) {
            *ended = z->avail_in == 0;
            (void)inflateReset(z);
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return SIO_ERR_DEFLATE;
        }
    } while (z->avail_in != 0 || z->avail_out == 0);
    return SIO_OK;
}

/* Whether all that came was whole blocks, of whole bytes. */
static bool is_between_blocks(const z_stream *z)
{
    return (z->data_type & 128) != 0 && (z->data_type & 63) == 0;
}

static sio_error inflate_whole(z_stream *z, sio_buf *buf, sio_bytes payload,
                               size_t max)
{
    bool ended;
    if (payload.len > UINT32_MAX || max > UINT32_MAX) {
        return SIO_ERR_TOO_LARGE; /* zlib counts in 32 bits */
    }
    buf->len = 0;
    sio_error err = blow_up(z, buf, payload, max, &ended);
    if (err != SIO_OK || ended) {
        return err;
    }
    err = blow_up(z, buf, (sio_bytes){tail, sizeof(tail)}, max, &ended);
    return err == SIO_OK && !is_between_blocks(z) ? SIO_ERR_DEFLATE : err;
}

sio_error tp_ws_deflate_inflate(tp_ws_deflate *c, tp_deflater *d,
                                tp_ws_opcode opcode, sio_bytes payload,
                                size_t max, sio_bytes *out)
{
    assert(c->on);
    z_stream *z = c->params.client_no_context_takeover ? shared_decompressor(d)
                                                       : own_decompressor(c, d);
    if (z == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_error err = inflate_whole(z, &d->inflated, payload, max);
    sio_bytes message = sio_buf_view(&d->inflated);
    if (err == SIO_OK && opcode == TP_WS_OP_TEXT && !sio_utf8_valid(message)) {
        err = SIO_ERR_UTF8;
    }
    if (err == SIO_OK) {
        *out = message;
    }
    return err;
}
