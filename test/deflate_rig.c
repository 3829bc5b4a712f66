#include "test/deflate_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TAIL "\0\0\xff\xff"
#define TAIL_LEN 4

void deflate_rig_init(deflate_rig *r, size_t cap)
{
    *r = (deflate_rig){
        .config = {.enabled = true,
                   .server_max_window_bits = 15,
                   .client_max_window_bits = 15,
                   .level = 6,
                   .memory_level = 8},
        .budget = {.cap = cap},
    };
    assert_int_equal(sio_frame_pool_init(&r->frames), SIO_OK);
    assert_int_equal(tp_deflater_init(&r->deflater, &r->config, &r->budget),
                     SIO_OK);
    assert_int_equal(r->budget.used, TP_DEFLATER_SHARE);
}

void deflate_rig_deinit(deflate_rig *r)
{
    tp_deflater_deinit(&r->deflater);
    tp_deflater_deinit(&r->deflater);
    assert_int_equal(r->budget.used, 0);
    sio_frame_pool_deinit(&r->frames);
}

static int window(uint8_t bits)
{
    return bits == 0 ? 15 : bits < 9 ? 9 : bits;
}

void deflate_peer_init(deflate_peer *p, deflate_rig *r,
                       const tp_ws_deflate_params *params)
{
    *p = (deflate_peer){0};
    assert_true(tp_ws_deflate_open(&p->side, &r->deflater, params));
    const tp_ws_deflate_params *agreed = &p->side.params;
    assert_int_equal(deflateInit2(&p->out, 6, Z_DEFLATED,
                                  -window(agreed->client_max_window_bits), 8,
                                  Z_DEFAULT_STRATEGY),
                     Z_OK);
    assert_int_equal(
        inflateInit2(&p->in, -window(agreed->server_max_window_bits)), Z_OK);
}

void deflate_peer_deinit(deflate_peer *p, deflate_rig *r)
{
    tp_ws_deflate_close(&p->side, &r->deflater);
    assert_false(p->side.on);
    (void)deflateEnd(&p->out);
    (void)inflateEnd(&p->in);
}

void deflate_peer_pack(deflate_peer *p, sio_bytes message, sio_buf *out)
{
    z_stream *z = &p->out;
    sio_buf_deinit(out);
    size_t most = deflateBound(z, (uLong)message.len) + 16;
    assert_int_equal(sio_buf_reserve(out, most), SIO_OK);
    z->next_in = (Bytef *)(uintptr_t)message.base;
    z->avail_in = (uInt)message.len;
    z->next_out = out->base;
    z->avail_out = (uInt)most;
    assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(z->avail_in, 0);
    out->len = most - z->avail_out - TAIL_LEN;
    assert_memory_equal(out->base + out->len, TAIL, TAIL_LEN);
    if (p->side.params.client_no_context_takeover) {
        assert_int_equal(deflateReset(z), Z_OK);
    }
}

static void inflate_piece(z_stream *z, sio_bytes piece)
{
    z->next_in = (Bytef *)(uintptr_t)piece.base;
    z->avail_in = (uInt)piece.len;
    int rc = inflate(z, Z_SYNC_FLUSH);
    assert_true(rc == Z_OK || rc == Z_BUF_ERROR);
    assert_int_equal(z->avail_in, 0);
}

void deflate_peer_expect(deflate_peer *p, const sio_frame *frame,
                         sio_bytes want)
{
    z_stream *z = &p->in;
    uint8_t *got = malloc(want.len + 1);
    assert_non_null(got);
    z->next_out = got;
    z->avail_out = (uInt)want.len + 1;
    inflate_piece(z, sio_frame_view(frame));
    inflate_piece(z, (sio_bytes){(const uint8_t *)TAIL, TAIL_LEN});
    assert_int_equal(z->avail_out, 1);
    assert_memory_equal(got, want.base, want.len);
    free(got);
    if (p->side.params.server_no_context_takeover) {
        assert_int_equal(inflateReset(z), Z_OK);
    }
}

sio_frame *deflate_rig_frame(deflate_rig *r, sio_bytes bytes)
{
    sio_frame *frame = sio_frame_new(&r->frames, bytes.len);
    assert_non_null(frame);
    if (bytes.len != 0) {
        memcpy(frame->data, bytes.base, bytes.len);
    }
    return frame;
}

sio_frame *deflate_rig_send(deflate_rig *r, deflate_peer *p, sio_bytes bytes)
{
    sio_frame *frame = deflate_rig_frame(r, bytes);
    sio_frame *deflated =
        tp_ws_deflate_frame(&p->side, &r->deflater, &r->frames, frame);
    if (deflated != NULL) {
        assert_true(deflated->len < frame->len);
        deflate_peer_expect(p, deflated, bytes);
    }
    assert_true(r->budget.used <= r->budget.cap);
    sio_frame_unref(frame);
    return deflated;
}

sio_error deflate_rig_receive(deflate_rig *r, deflate_peer *p,
                              tp_ws_opcode opcode, sio_bytes payload,
                              size_t max, sio_bytes *out)
{
    uint8_t *copy = malloc(payload.len + (payload.len == 0));
    assert_non_null(copy);
    if (payload.len != 0) {
        memcpy(copy, payload.base, payload.len);
    }
    sio_error err =
        tp_ws_deflate_inflate(&p->side, &r->deflater, opcode,
                              (sio_bytes){copy, payload.len}, max, out);
    free(copy);
    assert_true(r->deflater.inflated.cap <= max);
    assert_true(r->budget.used <= r->budget.cap);
    return err;
}

void deflate_rig_hear(deflate_rig *r, deflate_peer *p, sio_bytes message)
{
    sio_buf payload = {0};
    sio_bytes got;
    deflate_peer_pack(p, message, &payload);
    assert_int_equal(
        deflate_rig_receive(r, p, TP_WS_OP_BINARY, sio_buf_view(&payload),
                            message.len < MIB ? MIB : message.len, &got),
        SIO_OK);
    assert_true(sio_bytes_eq(got, message));
    sio_buf_deinit(&payload);
}

void deflate_text(sio_buf *buf, size_t len)
{
    for (unsigned n = 0; buf->len < len; n++) {
        char line[64];
        size_t left = len - buf->len;
        size_t most = (size_t)snprintf(line, sizeof(line),
                                       "42[\"said\",{\"n\":%u,\"at\":%u}]", n,
                                       n * 7919u % 1000u);
        assert_int_equal(
            sio_buf_append(buf, (sio_bytes){(const uint8_t *)line,
                                            most < left ? most : left}),
            SIO_OK);
    }
}

void deflate_noise(sio_buf *buf, size_t len, uint32_t seed)
{
    while (buf->len < len) {
        seed = seed * 1664525u + 1013904223u;
        uint8_t byte = (uint8_t)(seed >> 24);
        assert_int_equal(sio_buf_append(buf, (sio_bytes){&byte, 1}), SIO_OK);
    }
}
