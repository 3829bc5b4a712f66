#include <stdlib.h>

#include "test/ws_rig.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How the bytes travel: drawn from the head of the input. */
typedef struct weather {
    uint64_t state;
    bool fair; /* all at once, and no limit to what is sent */
    const eio_protocol *protocol;
} weather;

static size_t draw(weather *w, size_t most)
{
    w->state ^= w->state << 13;
    w->state ^= w->state >> 7;
    w->state ^= w->state << 17;
    return w->fair ? most : 1 + w->state % most;
}

/* The input is a list of frames: a first byte, a length and the payload.  A
 * length from 0xf0 on gives what follows as it is. */
static void make_stream(sio_bytes in, sio_buf *out)
{
    size_t at = 0;
    while (in.len - at >= 2) {
        uint8_t first = in.base[at], len = in.base[at + 1];
        size_t left = in.len - at - 2;
        size_t have = len < left ? len : left;
        sio_bytes payload = {in.base + at + 2, have};
        at += 2;
        if (len >= 0xf0) {
            payload.len = left;
            REQUIRE(sio_buf_append(out, payload) == SIO_OK);
        } else {
            ws_rig_frame(out, first, payload);
        }
        at += payload.len;
    }
}

static void run(ws_rig *rig, weather *w, sio_bytes in)
{
    size_t at = 0;
    ws_rig_init_as(rig, w->protocol, false, w->fair ? SIZE_MAX : 0);
    rig->echo = true;
    rig->config.limits.max_message = 500;
    rig->config.limits.max_fragments = 8;
    while (at < in.len && memory_stream_reads(&rig->ms)) {
        size_t left = in.len - at;
        size_t len = draw(w, left < 200 || w->fair ? left : 200);
        at += memory_stream_feed(&rig->ms, (sio_bytes){in.base + at, len}, 0);
        memory_stream_drain(&rig->ms, draw(w, 100));
        memory_loop_turn(&rig->loop);
    }
    ws_rig_settle(rig, w->fair ? SIZE_MAX : draw(w, 50));
}

static bool has_prefix(sio_bytes all, sio_bytes part)
{
    return part.len <= all.len &&
           (part.len == 0 || memcmp(all.base, part.base, part.len) == 0);
}

/* What was sent is the response, echoes of the messages that were received, in
 * their order, and at most one close frame, at the end.  Pongs stand where they
 * like.  Without a failure no echo is missing. */
static void check_sent(const ws_rig *rig, uint16_t *code)
{
    sio_bytes out = sio_buf_view(&rig->ms.out);
    size_t at = sizeof(WS_RIG_RESPONSE) - 1;
    ws_rig_seen seen;
    bool closed = false;
    REQUIRE(has_prefix(out, SIO_LIT(WS_RIG_RESPONSE)));
    sio_buf echoes = {0};
    while (ws_rig_next(out, &at, &seen)) {
        REQUIRE(!closed && seen.opcode != TP_WS_OP_PING);
        if (seen.opcode == TP_WS_OP_CLOSE) {
            REQUIRE(seen.payload.len == 0 || seen.payload.len == 2);
            closed = true;
            *code = seen.payload.len == 0
                        ? 0
                        : (uint16_t)(seen.payload.base[0] << 8 |
                                     seen.payload.base[1]);
        } else if (seen.opcode != TP_WS_OP_PONG) {
            bool text = seen.opcode == TP_WS_OP_TEXT;
            bool typed = text || rig->home.protocol->typed_binary;
            REQUIRE(!typed || seen.payload.base[0] == (text ? '4' : 4));
            sio_bytes data = seen.payload;
            REQUIRE(sio_buf_append(&echoes, text ? SIO_LIT("4[")
                                                 : SIO_LIT("b[")) == SIO_OK);
            data.base += typed;
            data.len -= typed;
            REQUIRE(sio_buf_append(&echoes, data) == SIO_OK);
            REQUIRE(sio_buf_append(&echoes, SIO_LIT("];")) == SIO_OK);
        }
    }
    REQUIRE(at == out.len);
    REQUIRE(closed == (rig->failed != 0 || rig->gone != 0));
    REQUIRE(has_prefix(sio_buf_view(&rig->echoed), sio_buf_view(&echoes)));
    REQUIRE(rig->failed != 0 || echoes.len == rig->echoed.len);
    sio_buf_deinit(&echoes);
}

/*
 * Frames in any portions, over a stream that takes any amount: the same is
 * received as when everything comes and goes at once, and what is sent is whole
 * and in order.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ws_rig fair, foul;
    weather calm = {.fair = true, .state = 1}, storm = {.state = 1};
    sio_buf in = {0};
    uint16_t codes[2] = {0, 0};
    if (size < 4) {
        return 0;
    }
    for (size_t i = 0; i < 4; i++) {
        storm.state = storm.state << 8 | data[i];
    }
    calm.protocol = storm.protocol =
        data[0] % 2 == 0 ? &eio_protocol_4 : &eio_protocol_3;
    make_stream((sio_bytes){data + 4, size - 4}, &in);
    run(&fair, &calm, sio_buf_view(&in));
    run(&foul, &storm, sio_buf_view(&in));
    REQUIRE(sio_bytes_eq(sio_buf_view(&fair.told), sio_buf_view(&foul.told)));
    REQUIRE(fair.ms.shut == foul.ms.shut && fair.ms.closed == foul.ms.closed);
    check_sent(&fair, &codes[0]);
    check_sent(&foul, &codes[1]);
    REQUIRE(codes[0] == codes[1]);
    ws_rig_deinit(&fair);
    ws_rig_deinit(&foul);
    sio_buf_deinit(&in);
    return 0;
}
