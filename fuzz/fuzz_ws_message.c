#include <stdlib.h>

#include "transport/ws_message.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything a reader said: per event a kind, a length and the bytes. */
typedef struct tale {
    sio_buf told;
    size_t events;
    size_t stop_at; /* the event that ends the reading; 0: none */
} tale;

static bool tell(tale *t, uint32_t kind, sio_bytes payload)
{
    sio_bytes head = {(const uint8_t *)&kind, sizeof(kind)};
    sio_bytes len = {(const uint8_t *)&payload.len, sizeof(payload.len)};
    REQUIRE(sio_buf_append(&t->told, head) == SIO_OK);
    REQUIRE(sio_buf_append(&t->told, len) == SIO_OK);
    REQUIRE(sio_buf_append(&t->told, payload) == SIO_OK);
    return ++t->events != t->stop_at;
}

static bool on_message(void *owner, tp_ws_opcode opcode, sio_bytes payload)
{
    REQUIRE(opcode == TP_WS_OP_TEXT || opcode == TP_WS_OP_BINARY);
    REQUIRE(opcode == TP_WS_OP_BINARY || sio_utf8_valid(payload));
    return tell(owner, opcode, payload);
}

static bool on_deflated(void *owner, tp_ws_opcode opcode, sio_bytes payload)
{
    return tell(owner, 0x100u | opcode, payload);
}

static bool on_ping(void *owner, sio_bytes payload)
{
    REQUIRE(payload.len <= 125);
    return tell(owner, TP_WS_OP_PING, payload);
}

static bool on_pong(void *owner, sio_bytes payload)
{
    REQUIRE(payload.len <= 125);
    return tell(owner, TP_WS_OP_PONG, payload);
}

static void on_close(void *owner, uint16_t code, sio_bytes reason)
{
    REQUIRE(reason.len <= 123 && sio_utf8_valid(reason));
    tell(owner, (uint32_t)code << 16 | TP_WS_OP_CLOSE, reason);
}

static const tp_ws_reader_events events = {
    .message = on_message,
    .deflated = on_deflated,
    .ping = on_ping,
    .pong = on_pong,
    .close = on_close,
};

/* Feeds `stream` in pieces of 1 to `longest` bytes, as `seed` has it. */
static sio_error read_in(tale *t, sio_bytes stream, size_t longest,
                         uint32_t seed, const tp_ws_limits *limits)
{
    tp_ws_reader r = {0};
    sio_error err = SIO_OK;

    for (size_t at = 0; at < stream.len && err == SIO_OK;) {
        seed = seed * 1664525u + 1013904223u;
        size_t len =
            longest == SIZE_MAX ? stream.len : 1 + (seed >> 8) % longest;
        if (len > stream.len - at) {
            len = stream.len - at;
        }
        uint8_t *piece = malloc(len);
        REQUIRE(piece != NULL);
        memcpy(piece, stream.base + at, len);
        err = tp_ws_reader_feed(&r, piece, len, limits, &events, t);
        free(piece);
        at += len;

        REQUIRE(tp_ws_reader_memory(&r) <= 2 * at + 256 + 128);
        REQUIRE(!tp_ws_reader_ended(&r) || tp_ws_reader_memory(&r) == 0);
    }
    REQUIRE(err == SIO_OK || tp_ws_close_code_of(err) != 1000);
    tp_ws_reader_deinit(&r);
    return err;
}

/*
 * Reads a stream of frames.  However it is cut, the reader has to say the
 * same and come to the same end; it never holds more than has arrived, and
 * nothing between messages.  The first two bytes choose the limits, the event
 * that stops, and the cuts.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    tp_ws_limits limits = {
        .max_message = (data[0] & 2) != 0 ? 16 : 1000000,
        .max_fragments = (data[0] & 4) != 0 ? 3 : 16384,
        .deflate = (data[0] & 1) != 0,
    };
    sio_bytes stream = {data + 2, size - 2};
    size_t stop_at = data[0] >> 5;
    const size_t longest[] = {1, 5, 40};

    tale whole = {.stop_at = stop_at};
    sio_error err = read_in(&whole, stream, SIZE_MAX, 0, &limits);
    for (size_t i = 0; i < sizeof(longest) / sizeof(longest[0]); i++) {
        tale again = {.stop_at = stop_at};
        REQUIRE(read_in(&again, stream, longest[i], data[1], &limits) == err);
        REQUIRE(again.events == whole.events);
        REQUIRE(
            sio_bytes_eq(sio_buf_view(&again.told), sio_buf_view(&whole.told)));
        sio_buf_deinit(&again.told);
    }
    sio_buf_deinit(&whole.told);
    return 0;
}
