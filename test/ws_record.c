#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/ws_record.h"

static void say(ws_record *rec, const char *format, unsigned value)
{
    int n = snprintf(rec->said + rec->len, sizeof(rec->said) - rec->len, format,
                     value);
    assert_true(n >= 0 && (size_t)n < sizeof(rec->said) - rec->len);
    rec->len += (size_t)n;
}

static void say_bytes(ws_record *rec, sio_bytes bytes)
{
    if (bytes.len > 200) {
        say(rec, "%u bytes", (unsigned)bytes.len);
        return;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        bool plain = bytes.base[i] > ' ' && bytes.base[i] < 0x7f;
        say(rec, plain ? "%c" : "\\%02x", bytes.base[i]);
    }
}

static bool note(ws_record *rec, const char *what, sio_bytes payload)
{
    if (rec->len + 1024 < sizeof(rec->said)) {
        say(rec, what, 0);
        say_bytes(rec, payload);
        say(rec, ") ", 0);
    }
    if (payload.base < rec->piece ||
        payload.base + payload.len > rec->piece + rec->piece_len) {
        rec->in_place = false;
    }
    rec->bytes += payload.len;
    return ++rec->events != rec->stop_at;
}

static bool on_message(void *owner, tp_ws_opcode opcode, sio_bytes payload)
{
    return note(owner, opcode == TP_WS_OP_TEXT ? "text(" : "binary(", payload);
}

static bool on_deflated(void *owner, tp_ws_opcode opcode, sio_bytes payload)
{
    return note(owner, opcode == TP_WS_OP_TEXT ? "ztext(" : "zbinary(",
                payload);
}

static bool on_ping(void *owner, sio_bytes payload)
{
    return note(owner, "ping(", payload);
}

static bool on_pong(void *owner, sio_bytes payload)
{
    return note(owner, "pong(", payload);
}

static void on_close(void *owner, uint16_t code, sio_bytes reason)
{
    ws_record *rec = owner;
    say(rec, "%u:", code);
    note(rec, "close(", reason);
}

static const tp_ws_reader_events events = {
    .message = on_message,
    .deflated = on_deflated,
    .ping = on_ping,
    .pong = on_pong,
    .close = on_close,
};

const tp_ws_limits ws_usual_limits = {
    .max_message = 1000, .max_fragments = 16384, .deflate = false};

sio_error ws_feed(tp_ws_reader *r, ws_record *rec, sio_bytes bytes,
                  const tp_ws_limits *limits)
{
    uint8_t *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
    assert_non_null(copy);
    if (bytes.len != 0) {
        memcpy(copy, bytes.base, bytes.len);
    }
    rec->piece = copy;
    rec->piece_len = bytes.len;
    sio_error err = tp_ws_reader_feed(r, copy, bytes.len, limits, &events, rec);
    free(copy);
    if (tp_ws_reader_ended(r)) {
        assert_int_equal(tp_ws_reader_memory(r), 0);
    }
    return err;
}

sio_error ws_feed_cut(ws_record *rec, sio_bytes stream, size_t cut,
                      const tp_ws_limits *limits, size_t *used)
{
    tp_ws_reader r = {0};
    sio_error err = SIO_OK;
    size_t at = 0;
    *rec = (ws_record){.stop_at = rec->stop_at, .in_place = true};

    while (at < stream.len && err == SIO_OK) {
        size_t len = cut > stream.len ? 1 : at < cut ? cut : stream.len - at;
        err = ws_feed(&r, rec, (sio_bytes){stream.base + at, len}, limits);
        at += len;
        assert_true(tp_ws_reader_memory(&r) <= 2 * at + 256 + 128);
    }
    *used = at;
    if (err != SIO_OK) {
        size_t said = rec->len;
        assert_true(tp_ws_reader_ended(&r));
        assert_int_equal(ws_feed(&r, rec, SIO_LIT("\x89\x80mask"), limits), 0);
        assert_int_equal(rec->len, said);
    }
    tp_ws_reader_deinit(&r);
    return err;
}

void ws_expect(const char *label, sio_bytes stream, const tp_ws_limits *limits,
               const char *said, sio_error err)
{
    for (size_t cut = 0; cut <= stream.len + 1; cut++) {
        size_t used;
        ws_record rec = {0};
        sio_error got = ws_feed_cut(&rec, stream, cut, limits, &used);
        if (got != err || strcmp(rec.said, said) != 0) {
            fail_msg("%s, cut at %zu of %zu: %d, %s; not %d, %s", label, cut,
                     stream.len, got, rec.said, err, said);
        }
        if (used != stream.len) {
            fail_msg("%s, cut at %zu: used %zu of %zu", label, cut, used,
                     stream.len);
        }
    }
}

void ws_add(sio_buf *stream, const void *base, size_t len)
{
    sio_bytes bytes = {base, len};
    assert_int_equal(sio_buf_append(stream, bytes), SIO_OK);
}

void ws_add_header(sio_buf *stream, uint8_t first, uint64_t payload,
                   const uint8_t mask[4])
{
    uint8_t head[TP_WS_HEADER_MAX];
    size_t size = tp_ws_header_write(head, TP_WS_OP_TEXT, false, payload);
    head[0] = first;
    head[1] |= 0x80;
    ws_add(stream, head, size);
    ws_add(stream, mask, 4);
}

void ws_add_frame(sio_buf *stream, uint8_t first, uint64_t announced,
                  sio_bytes payload, const uint8_t mask[4])
{
    ws_add_header(stream, first, announced, mask);
    size_t at = stream->len;
    if (payload.len != 0) {
        ws_add(stream, payload.base, payload.len);
    }
    for (size_t i = 0; i < payload.len; i++) {
        stream->base[at + i] ^= mask[i % 4];
    }
}

const uint8_t ws_masks[WS_MASKS][4] = {{0x37, 0xfa, 0x21, 0x3d},
                                       {0, 0, 0, 0},
                                       {0xff, 0xff, 0xff, 0xff},
                                       {0, 0, 0, 1},
                                       {0x80, 1, 2, 3}};
