#include <stdlib.h>
#include <zlib.h>

#include "base/utf8.h"
#include "transport/ws_deflate.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define MAX ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};

typedef struct bench {
    tp_deflate_budget budget;
    tp_deflater deflater;
    sio_frame_pool frames;
    tp_ws_deflate sender, receiver; /* to which what is sent is read */
    z_stream in;                    /* zlib's own view of the same */
    bool agree; /* whether the two have to agree on what is malformed: in a
                   small window zlib sees farther the more it may write */
} bench;

/* ------------------------------------------------------------- the other -- */

/* Inflates by zlib alone, `step` bytes at a time, up to MAX.  Returns zlib's
 * last word, Z_OK where all is well, or Z_BUF_ERROR beyond MAX. */
static int inflate_piece(z_stream *z, sio_bytes in, uint8_t *out, size_t *len,
                         size_t step)
{
    z->next_in = (Bytef *)(uintptr_t)in.base;
    z->avail_in = (uInt)in.len;
    for (;;) {
        size_t room = MAX + 1 - *len < step ? MAX + 1 - *len : step;
        z->next_out = out + *len;
        z->avail_out = (uInt)room;
        int rc = inflate(z, Z_SYNC_FLUSH);
        *len += room - z->avail_out;
        if (*len > MAX) {
            return Z_BUF_ERROR;
        }
        if (rc == Z_STREAM_END) {
            (void)inflateReset(z);
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return rc;
        }
        if (z->avail_in == 0 && z->avail_out != 0) {
            return rc == Z_STREAM_END ? rc : Z_OK;
        }
    }
}

static int inflate_other(z_stream *z, sio_bytes payload, uint8_t *out,
                         size_t *len, size_t step)
{
    *len = 0;
    int rc = inflate_piece(z, payload, out, len, step);
    if (rc != Z_OK) {
        return rc == Z_STREAM_END ? Z_OK : rc;
    }
    return inflate_piece(z, (sio_bytes){tail, sizeof(tail)}, out, len, step);
}

/* -------------------------------------------------------------- messages -- */

/* What is sent is shorter, and what is read of it is what was sent. */
static void send_one(bench *b, sio_bytes message, uint8_t *scratch)
{
    sio_frame *frame = sio_frame_new(&b->frames, message.len);
    REQUIRE(frame != NULL);
    if (message.len != 0) {
        memcpy(frame->data, message.base, message.len);
    }
    sio_frame *sent =
        tp_ws_deflate_frame(&b->sender, &b->deflater, &b->frames, frame);
    if (sent != NULL) {
        sio_bytes got;
        size_t len;
        REQUIRE(sent->len < frame->len);
        REQUIRE(tp_ws_deflate_inflate(&b->receiver, &b->deflater,
                                      TP_WS_OP_BINARY, sio_frame_view(sent),
                                      MAX, &got) == SIO_OK);
        REQUIRE(sio_bytes_eq(got, message));
        REQUIRE(inflate_other(&b->in, sio_frame_view(sent), scratch, &len,
                              4096) == Z_OK);
        REQUIRE(sio_bytes_eq((sio_bytes){scratch, len}, message));
        if (b->sender.params.server_no_context_takeover) {
            REQUIRE(inflateReset(&b->in) == Z_OK);
        }
    }
    sio_frame_unref(sent);
    sio_frame_unref(frame);
    REQUIRE(b->budget.used <= b->budget.cap);
}

/* What anybody may send gives what zlib makes of it, or a reason. */
static bool receive_one(bench *b, sio_bytes payload, uint8_t *scratch,
                        size_t step)
{
    size_t len;
    sio_bytes got;
    sio_error err = tp_ws_deflate_inflate(&b->receiver, &b->deflater,
                                          TP_WS_OP_TEXT, payload, MAX, &got);
    int rc = inflate_other(&b->in, payload, scratch, &len, step);
    sio_bytes want = {scratch, len};
    REQUIRE(b->deflater.inflated.cap <= MAX);
    REQUIRE(b->budget.used <= b->budget.cap);
    if (!b->agree) {
        return err == SIO_OK;
    }
    REQUIRE((err == SIO_ERR_TOO_LARGE) == (rc == Z_BUF_ERROR));
    if (err == SIO_OK) {
        REQUIRE(rc == Z_OK && sio_bytes_eq(got, want) && sio_utf8_valid(got));
    } else if (err == SIO_ERR_UTF8) {
        REQUIRE(rc == Z_OK && !sio_utf8_valid(want));
    } else {
        REQUIRE(err == SIO_ERR_DEFLATE || err == SIO_ERR_TOO_LARGE);
    }
    if (b->receiver.params.client_no_context_takeover) {
        REQUIRE(inflateReset(&b->in) == Z_OK);
    }
    return err == SIO_OK;
}

/* Cuts what is left of the input into messages: a byte and a half of length,
 * and four bits that say how often it is repeated. */
static bool next_message(sio_bytes *rest, sio_bytes *message, unsigned *times)
{
    if (rest->len < 2) {
        return false;
    }
    size_t len = (size_t)(rest->base[0] | (rest->base[1] & 0x0f) << 8);
    *times = 1 + (rest->base[1] >> 4);
    rest->base += 2;
    rest->len -= 2;
    len = len < rest->len ? len : rest->len;
    *message = (sio_bytes){rest->base, len};
    rest->base += len;
    rest->len -= len;
    return true;
}

static void send_all(bench *b, sio_bytes rest, uint8_t *scratch)
{
    uint8_t *many = malloc(16 * 4096);
    sio_bytes message;
    unsigned times;
    REQUIRE(many != NULL);
    while (next_message(&rest, &message, &times)) {
        for (unsigned i = 0; i < times && message.len != 0; i++) {
            memcpy(many + i * message.len, message.base, message.len);
        }
        send_one(b, (sio_bytes){many, message.len * times}, scratch);
        if (times == 3) {
            tp_deflater_forget(&b->deflater);
        } else if (times == 5 && message.len != 0) {
            /* One that is lost on its way. */
            sio_frame *frame = sio_frame_new(&b->frames, 200);
            REQUIRE(frame != NULL);
            memset(frame->data, message.base[0], 200);
            sio_frame_unref(tp_ws_deflate_frame(&b->sender, &b->deflater,
                                                &b->frames, frame));
            tp_ws_deflate_lost(&b->sender);
            sio_frame_unref(frame);
        }
    }
    free(many);
}

static void receive_all(bench *b, sio_bytes rest, uint8_t *scratch)
{
    sio_bytes payload;
    unsigned times;
    while (next_message(&rest, &payload, &times)) {
        uint8_t *copy = malloc(payload.len + (payload.len == 0));
        REQUIRE(copy != NULL);
        if (payload.len != 0) {
            memcpy(copy, payload.base, payload.len);
        }
        bool good = receive_one(b, (sio_bytes){copy, payload.len}, scratch,
                                times * times * 16);
        free(copy);
        if (!good) {
            return; /* the connection is closed */
        }
    }
}

/*
 * Sends messages through permessage-deflate, or takes what anybody may send for
 * it.  What is sent has to come back, by our own inflating and by zlib's; what
 * comes in has to be read as zlib reads it, within the limit.  The budget is
 * never exceeded, and all of it is given back.  The first two bytes choose the
 * direction, the parameters and the budget.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    bool takeover = (data[0] & 1) != 0;
    uint8_t bits = (uint8_t)(9 + (data[0] >> 1) % 7);
    tp_ws_deflate_config config = {
        .enabled = true,
        .server_max_window_bits = 15,
        .client_max_window_bits = 15,
        .level = (uint8_t)(1 + (data[1] & 7)),
        .memory_level = (uint8_t)(1 + (data[1] >> 3) % 9),
        .threshold = (data[0] & 32) != 0 ? 64 : 0,
    };
    tp_ws_deflate_params params = {!takeover, !takeover, bits, bits};
    bench b = {.budget.cap = TP_DEFLATER_SHARE +
                             ((data[0] & 64) != 0 ? 128 * 1024 : 1024 * 1024)};
    sio_bytes rest = {data + 2, size - 2};
    uint8_t *scratch = malloc(MAX + 1);
    REQUIRE(scratch != NULL);
    REQUIRE(sio_frame_pool_init(&b.frames) == SIO_OK);
    REQUIRE(tp_deflater_init(&b.deflater, &config, &b.budget) == SIO_OK);
    REQUIRE(tp_ws_deflate_open(&b.receiver, &b.deflater, &params));
    REQUIRE(tp_ws_deflate_open(&b.sender, &b.deflater, &params));
    REQUIRE(b.receiver.params.client_no_context_takeover == !takeover);
    REQUIRE(inflateInit2(&b.in, takeover ? -bits : -15) == Z_OK);
    b.agree = !takeover || bits == 15;
    if ((data[0] & 128) != 0) {
        receive_all(&b, rest, scratch);
    } else {
        send_all(&b, rest, scratch);
    }
    (void)inflateEnd(&b.in);
    tp_ws_deflate_close(&b.sender, &b.deflater);
    tp_ws_deflate_close(&b.receiver, &b.deflater);
    REQUIRE(b.budget.used >= TP_DEFLATER_SHARE);
    tp_deflater_deinit(&b.deflater);
    REQUIRE(b.budget.used == 0);
    sio_frame_pool_deinit(&b.frames);
    free(scratch);
    return 0;
}
