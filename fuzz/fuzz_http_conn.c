#include <stdlib.h>

#include "test/http_rig.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define CONTINUE SIO_LIT("HTTP/1.1 100 Continue\r\n\r\n")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How the bytes travel: drawn from the head of the input. */
typedef struct weather {
    uint64_t state;
    bool fair; /* all at once, and no limit to what is sent */
} weather;

static size_t draw(weather *w, size_t most)
{
    w->state ^= w->state << 13;
    w->state ^= w->state >> 7;
    w->state ^= w->state << 17;
    return w->fair ? most : 1 + w->state % most;
}

static void settle(http_rig *rig, weather *w)
{
    memory_loop_turn(&rig->loop);
    for (int i = 0; rig->asked || (rig->ms.blocked && !rig->ms.closed) ||
                    !sio_list_empty(&rig->loop.dirty);
         i++) {
        REQUIRE(i < 100000);
        if (rig->asked) {
            http_rig_answer(rig);
        }
        memory_stream_drain(&rig->ms, draw(w, 700));
        memory_loop_turn(&rig->loop);
    }
}

static void run(http_rig *rig, weather *w, sio_bytes in)
{
    size_t at = 0;
    http_rig_init(rig);
    rig->how = draw(w, 2) == 1 ? HTTP_RIG_LATER : HTTP_RIG_ECHO;
    rig->config.limits.max_head = 128;
    rig->config.max_body = 64;
    rig->ms.room = w->fair ? SIZE_MAX : 0;
    while (at < in.len) {
        size_t left = in.len - at;
        size_t len = draw(w, left < 80 || w->fair ? left : 80);
        size_t n =
            memory_stream_feed(&rig->ms, (sio_bytes){in.base + at, len}, 0);
        at += n;
        if (w->fair || draw(w, 4) != 1) {
            settle(rig, w);
        }
        if (n == 0 && !memory_stream_reads(&rig->ms)) {
            settle(rig, w);
            REQUIRE(memory_stream_reads(&rig->ms) || rig->ms.closed);
        }
        REQUIRE(rig->conn == NULL || rig->conn->in.len < 512 + in.len);
    }
    settle(rig, w);
}

/* Whether a 100 is sent depends on what has come by then. */
static void drop_continues(sio_buf *out)
{
    uint8_t *at;
    while (out->len != 0 && (at = memmem(out->base, out->len, CONTINUE.base,
                                         CONTINUE.len)) != NULL) {
        size_t tail = (size_t)(out->base + out->len - at) - CONTINUE.len;
        memmove(at, at + CONTINUE.len, tail);
        out->len -= CONTINUE.len;
    }
}

/*
 * Requests in any portions, answered at once or later over a stream that takes
 * any amount: the same requests are seen, and the same answers given, as when
 * everything comes and goes at once.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    http_rig fair, foul;
    weather calm = {.fair = true, .state = 1}, storm = {.state = 1};
    if (size < 4) {
        return 0;
    }
    for (size_t i = 0; i < 4; i++) {
        storm.state = storm.state << 8 | data[i];
    }
    sio_bytes in = {data + 4, size - 4};
    run(&fair, &calm, in);
    run(&foul, &storm, in);
    drop_continues(&fair.ms.out);
    drop_continues(&foul.ms.out);
    REQUIRE(sio_bytes_eq(sio_buf_view(&fair.told), sio_buf_view(&foul.told)));
    REQUIRE(
        sio_bytes_eq(sio_buf_view(&fair.ms.out), sio_buf_view(&foul.ms.out)));
    REQUIRE(fair.ms.shut == foul.ms.shut && fair.ms.closed == foul.ms.closed);
    http_rig_deinit(&fair);
    http_rig_deinit(&foul);
    REQUIRE(fair.gone == 1 && foul.gone == 1);
    return 0;
}
