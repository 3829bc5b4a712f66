#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/ws_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

#define TEXT 0x81
#define BINARY 0x82
#define CLOSE 0x88
#define PING 0x89
#define PONG 0x8a

static void append(sio_buf *buf, sio_bytes bytes)
{
    assert_int_equal(sio_buf_append(buf, bytes), SIO_OK);
}

/* What was sent behind the response, in words: `81(payload)`. */
static void say_sent(const ws_rig *rig, sio_buf *words)
{
    ws_rig_seen seen;
    sio_bytes out = sio_buf_view(&rig->ms.out);
    size_t at = sizeof(WS_RIG_RESPONSE) - 1;
    assert_true(out.len >= at);
    assert_memory_equal(out.base, WS_RIG_RESPONSE, at);
    while (ws_rig_next(out, &at, &seen)) {
        char opcode[8];
        int len = snprintf(opcode, sizeof(opcode), "%x(", seen.opcode);
        append(words, (sio_bytes){(const uint8_t *)opcode, (size_t)len});
        append(words, seen.payload);
        append(words, SIO_LIT(")"));
    }
    assert_int_equal(at, out.len);
}

static void check_sent(const char *label, const ws_rig *rig, sio_bytes want)
{
    sio_buf words = {0};
    say_sent(rig, &words);
    if (!sio_bytes_eq(sio_buf_view(&words), want)) {
        append(&words, SIO_LIT("\0"));
        fail_msg("%s: sent %s", label, (const char *)words.base);
    }
    sio_buf_deinit(&words);
}

static void check_told(const char *label, ws_rig *rig, sio_bytes want)
{
    if (!sio_bytes_eq(sio_buf_view(&rig->told), want)) {
        append(&rig->told, SIO_LIT("\0"));
        fail_msg("%s: told %s", label, (const char *)rig->told.base);
    }
    sio_buf_deinit(&rig->told);
}

static void feed_frame(ws_rig *rig, uint8_t first, sio_bytes payload)
{
    sio_buf in = {0};
    ws_rig_frame(&in, first, payload);
    (void)memory_stream_feed(&rig->ms, sio_buf_view(&in), 0);
    sio_buf_deinit(&in);
}

/* ------------------------------------------------------------- receiving -- */

// clang-format off
static const struct receive_row {
    const char *label;
    sio_bytes raw; /* in place of frames, where given */
    struct {
        uint8_t first;
        sio_bytes payload;
    } frames[4];
    sio_bytes told, sent;
    enum { STAYS, SHUTS, ENDS } then;
} receives[] = {
    {"text", B(""), {{TEXT, B("4hi")}, {TEXT, B("4")}}, B("4[hi];4[];"),
     B("1(4hi)1(4)"), STAYS},
    {"binary", B(""), {{BINARY, B("\1\2")}, {BINARY, B("")}},
     B("b[\1\2];b[];"), B("2(\1\2)2()"), STAYS},
    {"base64", B(""), {{TEXT, B("bAQID")}, {TEXT, B("b")}},
     B("b[\1\2\3];b[];"), B("2(\1\2\3)2()"), STAYS},
    {"separator", B(""), {{TEXT, B("4a\x1e" "4b")}}, B("4[a\x1e" "4b];"),
     B("1(4a\x1e" "4b)"), STAYS},
    {"all types", B(""), {{TEXT, B("2probe")}, {TEXT, B("5")}, {TEXT, B("3")},
                   {TEXT, B("1")}},
     B("2[probe];5[];3[];1[];"), B(""), STAYS},
    {"fragments", B(""), {{0x01, B("4a")}, {PING, B("x")}, {0x00, B("b")},
                   {0x80, B("c")}},
     B("4[abc];"), B("a(x)1(4abc)"), STAYS},
    {"pings", B(""), {{PING, B("")}, {PONG, B("y")}, {PING, B("z")}}, B(""),
     B("a()a(z)"), STAYS},
    {"close without code", B(""), {{TEXT, B("4a")}, {CLOSE, B("")},
                            {TEXT, B("4b")}},
     B("4[a];gone 0;"), B("1(4a)8()"), ENDS},
    {"close with code", B(""), {{CLOSE, B("\x03\xe9why")}},
     B("gone 0;"), B("8(\x03\xe9)"), ENDS},
    {"empty text", B(""), {{TEXT, B("")}, {TEXT, B("4a")}}, B("failed -202;"),
     B("8()"), STAYS},
    {"unknown type", B(""), {{TEXT, B("7")}}, B("failed -201;"), B("8()"), STAYS},
    {"too large", B("\x81\xfe\x03\xe9" "mask"), {{0, B("")}}, B("failed -205;"),
     B("8(\x03\xf1)"), SHUTS},
    {"not UTF-8", B(""), {{TEXT, B("4\xff")}, {TEXT, B("4a")}}, B("failed -209;"),
     B("8(\x03\xef)"), SHUTS},
    {"not masked", B("\x81\x01" "4"), {{0, B("")}}, B("failed -206;"),
     B("8(\x03\xea)"), SHUTS},
    {"reserved bits", B("\xc1\x81" "mask"), {{0, B("")}}, B("failed -203;"),
     B("8(\x03\xea)"), SHUTS},
    {"bad close code", B(""), {{CLOSE, B("\x03\xed")}}, B("failed -208;"),
     B("8(\x03\xea)"), SHUTS},
};
// clang-format on

static void make_stream(const struct receive_row *row, sio_buf *in)
{
    append(in, row->raw);
    for (size_t i = 0; i < COUNT(row->frames); i++) {
        if (row->frames[i].first != 0 || row->frames[i].payload.len != 0) {
            ws_rig_frame(in, row->frames[i].first, row->frames[i].payload);
        }
    }
}

/* `cut` 0 is byte by byte. */
static void receive_as(const struct receive_row *row, sio_bytes in, size_t cut,
                       size_t room, bool in_place)
{
    ws_rig rig;
    ws_rig_init(&rig, false, room == SIZE_MAX ? SIZE_MAX : 0);
    rig.echo = true;
    rig.in_place = in_place;
    for (size_t at = 0; at < in.len && memory_stream_reads(&rig.ms);) {
        size_t len = cut == 0 ? 1 : at == 0 ? cut : in.len - at;
        (void)memory_stream_feed(&rig.ms, (sio_bytes){in.base + at, len}, 0);
        ws_rig_settle(&rig, room);
        at += len;
    }
    ws_rig_settle(&rig, room);
    check_told(row->label, &rig, row->told);
    check_sent(row->label, &rig, row->sent);
    CHECK(row->label, rig.ms.closed == (row->then == ENDS));
    CHECK(row->label, rig.ms.shut == (row->then == SHUTS));
    ws_rig_deinit(&rig);
}

static void receive(const struct receive_row *row, sio_bytes in, size_t cut,
                    size_t room)
{
    receive_as(row, in, cut, room, false);
    receive_as(row, in, cut, room, true);
}

static void test_receive(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(receives); i++) {
        sio_buf in = {0};
        make_stream(&receives[i], &in);
        receive(&receives[i], sio_buf_view(&in), 0, SIZE_MAX);
        receive(&receives[i], sio_buf_view(&in), 0, 1);
        for (size_t cut = 1; cut < in.len; cut++) {
            receive(&receives[i], sio_buf_view(&in), cut, SIZE_MAX);
        }
        sio_buf_deinit(&in);
    }
}

/* What came behind the handshake is read as well. */
static void test_feed(void **state)
{
    (void)state;
    ws_rig rig;
    sio_buf in = {0};
    ws_rig_init(&rig, false, SIZE_MAX);
    tp_websocket_feed(rig.ws, NULL, 0, true);
    ws_rig_frame(&in, TEXT, (sio_bytes)B("4hi"));
    tp_websocket_feed(rig.ws, in.base, in.len, true);
    check_told("feed", &rig, (sio_bytes)B("4[hi];"));
    sio_buf_deinit(&in);
    ws_rig_deinit(&rig);
}

static void ignore_gone(void *owner, tp_websocket *ws)
{
    (void)owner;
    (void)ws;
}

/* From a peer that compresses less is read at once. */
static void test_narrow(void **state)
{
    (void)state;
    ws_rig rig;
    memory_stream stream;
    tp_ws_deflate deflate = {.on = true,
                             .params.client_no_context_takeover = true};
    ws_rig_init(&rig, false, SIZE_MAX);
    assert_false(rig.ms.narrow);
    tp_websocket_home home = rig.home;
    home.gone = ignore_gone;
    memory_stream_init(&stream);
    tp_websocket *ws = tp_websocket_new(
        &home, &stream.base, SIO_LIT(WS_RIG_RESPONSE), false, &deflate);
    assert_true(stream.narrow);
    tp_websocket_abort(ws);
    memory_stream_deinit(&stream);
    ws_rig_deinit(&rig);
}

/* --------------------------------------------------------------- sending -- */

static void fill(uint8_t *at, size_t len, size_t seed)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)(i * 7 + (i >> 8) + seed);
    }
}

static void send_sized(ws_rig *rig, size_t len, size_t seed)
{
    uint8_t *bytes = malloc(len + 1);
    fill(bytes, len, seed);
    assert_int_equal(ws_rig_send(rig, (sio_bytes){bytes, len}, EIO_FORM_BINARY),
                     SIO_OK);
    free(bytes);
}

static void check_sizes(const ws_rig *rig, const size_t *sizes, size_t count)
{
    sio_bytes out = sio_buf_view(&rig->ms.out);
    size_t at = sizeof(WS_RIG_RESPONSE) - 1;
    ws_rig_seen seen;
    for (size_t i = 0; i < count; i++) {
        uint8_t *want = malloc(sizes[i] + 1);
        assert_true(ws_rig_next(out, &at, &seen));
        assert_int_equal(seen.opcode, TP_WS_OP_BINARY);
        assert_int_equal(seen.payload.len, sizes[i]);
        fill(want, sizes[i], i);
        assert_memory_equal(seen.payload.base, want, sizes[i]);
        free(want);
    }
    assert_int_equal(at, out.len);
}

/* `first` bytes are taken, then `room` at a time. */
static void send_all(const size_t *sizes, size_t count, size_t first,
                     size_t room)
{
    ws_rig rig;
    ws_rig_init(&rig, false, first);
    for (size_t i = 0; i < count; i++) {
        send_sized(&rig, sizes[i], i);
    }
    ws_rig_settle(&rig, room);
    check_sizes(&rig, sizes, count);
    assert_int_equal(rig.tp->unsent, 0);
    assert_int_equal(rig.drained, 1);
    ws_rig_deinit(&rig);
}

static void test_short_writes(void **state)
{
    (void)state;
    static const size_t small[] = {0, 1, 125, 126, 300, 0, 7, 0};
    static const size_t large[] = {
        200000,      1, TP_LOOP_OUT - 14, 65535, 65536, TP_LOOP_OUT - 13, 0,
        TP_LOOP_OUT, 3, TP_LOOP_OUT + 1,  65526, 60000};
    static const size_t rooms[] = {SIZE_MAX, 9973, 65536, 131072, 199999};
    size_t total = sizeof(WS_RIG_RESPONSE) - 1;
    for (size_t i = 0; i < COUNT(small); i++) {
        total += small[i] + (small[i] < 126 ? 2 : 4);
    }
    for (size_t first = 0; first <= total + 1; first++) {
        send_all(small, COUNT(small), first, SIZE_MAX);
    }
    send_all(small, COUNT(small), 0, 1);
    for (size_t i = 0; i < COUNT(rooms); i++) {
        send_all(large, COUNT(large), rooms[i] == SIZE_MAX ? SIZE_MAX : 0,
                 rooms[i]);
    }
    /* Around the ends of headers and frames. */
    size_t edge = sizeof(WS_RIG_RESPONSE) - 1;
    for (size_t i = 0; i < COUNT(large); i++) {
        size_t head = large[i] < 126 ? 2 : large[i] <= UINT16_MAX ? 4 : 10;
        for (size_t at = edge; at <= edge + head + 1; at++) {
            send_all(large, COUNT(large), at, SIZE_MAX);
        }
        edge += head + large[i];
    }
}

static void test_base64(void **state)
{
    (void)state;
    ws_rig rig;
    ws_rig_init(&rig, true, SIZE_MAX);
    assert_int_equal(ws_rig_send(&rig, SIO_LIT("\1\2\3"), EIO_FORM_BINARY),
                     SIO_OK);
    assert_int_equal(ws_rig_send(&rig, SIO_LIT(""), EIO_FORM_BINARY), SIO_OK);
    assert_int_equal(ws_rig_send(&rig, SIO_LIT("4hi"), EIO_FORM_TEXT), SIO_OK);
    memory_loop_turn(&rig.loop);
    check_sent("base64", &rig, (sio_bytes)B("1(bAQID)1(b)1(4hi)"));
    ws_rig_deinit(&rig);
}

/* All of a turn leaves in one write, at its end, unless it is much. */
static void test_gathering(void **state)
{
    (void)state;
    ws_rig rig;
    ws_rig_init(&rig, false, SIZE_MAX);
    for (size_t i = 0; i < 100; i++) {
        send_sized(&rig, 100, i);
    }
    assert_int_equal(rig.ms.sends, 0);
    memory_loop_turn(&rig.loop);
    assert_int_equal(rig.ms.sends, 1);
    assert_int_equal(rig.drained, 1);

    send_sized(&rig, 65536, 0);
    assert_int_equal(rig.tp->unsent, 65536);
    assert_int_equal(rig.ms.sends, 1);
    send_sized(&rig, 1, 0);
    assert_int_equal(rig.ms.sends, 2);
    assert_int_equal(rig.tp->unsent, 0);
    assert_int_equal(rig.drained, 1);
    memory_loop_turn(&rig.loop);
    assert_int_equal(rig.drained, 2);
    memory_loop_turn(&rig.loop);
    assert_int_equal(rig.drained, 2);
    ws_rig_deinit(&rig);
}

static void test_unsent(void **state)
{
    (void)state;
    ws_rig rig;
    ws_rig_init(&rig, false, 108);
    send_sized(&rig, 98, 0);
    send_sized(&rig, 200, 1);
    assert_int_equal(rig.tp->unsent, 306);
    assert_int_equal(rig.tp->held, 3); /* with the answer to the handshake */
    memory_loop_turn(&rig.loop);
    assert_true(rig.ms.blocked && rig.tp->writable);
    assert_int_equal(rig.tp->unsent, 200);
    memory_stream_drain(&rig.ms, 203);
    memory_loop_turn(&rig.loop);
    assert_int_equal(rig.tp->unsent, 1);
    assert_int_equal(rig.drained, 0);
    unsigned sends = rig.ms.sends;
    memory_loop_turn(&rig.loop);
    assert_int_equal(rig.ms.sends, sends);
    memory_stream_drain(&rig.ms, 1);
    memory_loop_turn(&rig.loop);
    assert_int_equal(rig.tp->unsent, 0);
    assert_int_equal(rig.tp->held, 0);
    assert_int_equal(rig.drained, 1);
    ws_rig_deinit(&rig);
}

/* A peer that pings but does not read gets no heap of pongs. */
static void test_blocked_pings(void **state)
{
    (void)state;
    ws_rig rig;
    ws_rig_init(&rig, false, 0);
    memory_loop_turn(&rig.loop);
    for (int i = 0; i < 100; i++) {
        feed_frame(&rig, PING, (sio_bytes)B("p"));
        memory_loop_turn(&rig.loop);
    }
    assert_int_equal(rig.tp->unsent, sizeof(WS_RIG_RESPONSE) - 1);
    memory_stream_drain(&rig.ms, SIZE_MAX);
    memory_loop_turn(&rig.loop);
    feed_frame(&rig, PING, (sio_bytes)B("q"));
    memory_loop_turn(&rig.loop);
    check_sent("pings", &rig, (sio_bytes)B("a(q)"));
    ws_rig_deinit(&rig);
}

/* --------------------------------------------------------------- closing -- */

/* The room there is when NOW is asked for decides what of the queue stays:
 * a frame of which a part has left, WebSocket's own, and the first packet, with
 * which a session opens. */
static void test_drop_queue(void **state)
{
    (void)state;
    size_t start = sizeof(WS_RIG_RESPONSE) - 1, frame = 5;
    for (size_t room = 0; room <= start + 2 * frame + 2; room++) {
        ws_rig rig;
        ws_rig_init(&rig, false, room);
        assert_int_equal(ws_rig_send(&rig, SIO_LIT("4aa"), EIO_FORM_TEXT),
                         SIO_OK);
        assert_int_equal(ws_rig_send(&rig, SIO_LIT("4bb"), EIO_FORM_TEXT),
                         SIO_OK);
        feed_frame(&rig, PING, (sio_bytes)B(""));
        memory_loop_turn(&rig.loop);
        ws_rig_close(&rig, EIO_CLOSE_NOW);
        assert_false(rig.tp->writable);
        ws_rig_settle(&rig, SIZE_MAX);
        const char *want =
            room <= start + frame ? "1(4aa)a()8()" : "1(4aa)1(4bb)a()8()";
        check_sent("drop", &rig,
                   (sio_bytes){(const uint8_t *)want, strlen(want)});
        feed_frame(&rig, CLOSE, (sio_bytes)B(""));
        memory_loop_turn(&rig.loop);
        assert_int_equal(rig.ended, 1);
        assert_int_equal(rig.gone, 1);
        ws_rig_deinit(&rig);
    }
}

/* A text is not sent without the binary message before it. */
static void test_drop_first(void **state)
{
    (void)state;
    ws_rig rig;
    ws_rig_init(&rig, false, 0);
    assert_int_equal(ws_rig_send(&rig, SIO_LIT("x"), EIO_FORM_BINARY), SIO_OK);
    assert_int_equal(ws_rig_send(&rig, SIO_LIT("4a"), EIO_FORM_TEXT), SIO_OK);
    ws_rig_close(&rig, EIO_CLOSE_NOW);
    ws_rig_settle(&rig, SIZE_MAX);
    check_sent("drop first", &rig, (sio_bytes)B("8()"));
    ws_rig_deinit(&rig);
}

static void test_close(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        ws_rig rig;
        bool answers = i % 2 == 0, slow = i / 2 == 1;
        ws_rig_init(&rig, false, slow ? 3 : SIZE_MAX);
        assert_int_equal(ws_rig_send(&rig, SIO_LIT("4aa"), EIO_FORM_TEXT),
                         SIO_OK);
        ws_rig_close(&rig, EIO_CLOSE_LINGER);
        ws_rig_close(&rig, EIO_CLOSE_NOW); /* too late: it is final */
        memory_loop_advance(&rig.loop, 4999);
        feed_frame(&rig, TEXT, (sio_bytes)B("4too late"));
        feed_frame(&rig, PING, (sio_bytes)B("too late"));
        assert_int_equal(rig.gone, 0);
        if (answers) {
            feed_frame(&rig, CLOSE, (sio_bytes)B("\x03\xe8"));
            ws_rig_settle(&rig, 1);
        } else {
            memory_loop_advance(&rig.loop, 1);
        }
        assert_int_equal(rig.ended, 1);
        check_told("close", &rig, (sio_bytes)B("gone 0;"));
        if (!slow || answers) {
            check_sent("close", &rig, (sio_bytes)B("1(4aa)8()"));
        }
        ws_rig_deinit(&rig);
    }
}

/* The peer closes first and does not read the answer. */
static void test_closed_by_slow_peer(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        ws_rig rig;
        ws_rig_init(&rig, false, 3);
        assert_int_equal(ws_rig_send(&rig, SIO_LIT("4aa"), EIO_FORM_TEXT),
                         SIO_OK);
        memory_loop_turn(&rig.loop);
        feed_frame(&rig, CLOSE, (sio_bytes)B("\x03\xe8"));
        check_told("slow", &rig, (sio_bytes)B("gone 0;"));
        assert_false(rig.tp->writable);
        memory_loop_advance(&rig.loop, 4999);
        assert_int_equal(rig.ended, 0);
        if (i == 0) {
            ws_rig_settle(&rig, 1);
            check_sent("slow", &rig, (sio_bytes)B("1(4aa)8(\x03\xe8)"));
        } else {
            memory_loop_advance(&rig.loop, 1);
        }
        assert_int_equal(rig.ended, 1);
        ws_rig_deinit(&rig);
    }
}

/* After a broken rule nothing is read; the peer has a moment to end. */
static void test_reject(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        ws_rig rig;
        ws_rig_init(&rig, false, SIZE_MAX);
        assert_int_equal(ws_rig_send(&rig, SIO_LIT("0"), EIO_FORM_TEXT),
                         SIO_OK);
        memory_loop_turn(&rig.loop);
        assert_int_equal(ws_rig_send(&rig, SIO_LIT("4aa"), EIO_FORM_TEXT),
                         SIO_OK);
        (void)memory_stream_feed(&rig.ms, SIO_LIT("\x81\x01xy"), 0);
        check_told("reject", &rig, (sio_bytes)B("failed -206;"));
        memory_loop_turn(&rig.loop);
        check_sent("reject", &rig, (sio_bytes)B("1(0)8(\x03\xea)"));
        assert_true(rig.ms.shut);
        feed_frame(&rig, TEXT, (sio_bytes)B("4more"));
        memory_loop_advance(&rig.loop, 1999);
        assert_int_equal(rig.ended, 0);
        if (i == 0) {
            memory_loop_advance(&rig.loop, 1);
        } else {
            memory_stream_end(&rig.ms, SIO_OK);
        }
        check_told("reject", &rig, (sio_bytes)B("gone 0;"));
        ws_rig_deinit(&rig);
    }
}

/* The connection breaks in each state, by reading and by writing. */
static void test_breaks(void **state)
{
    (void)state;
    static const char *const labels[] = {"open", "closing", "ending", "shut"};
    for (size_t i = 0; i < 3 * COUNT(labels); i++) {
        ws_rig rig;
        const char *label = labels[i / 3];
        ws_rig_init(&rig, false, SIZE_MAX);
        memory_loop_turn(&rig.loop);
        if (i / 3 == 1) {
            ws_rig_close(&rig, EIO_CLOSE_LINGER);
        } else if (i / 3 != 0) {
            rig.ms.room = i / 3 == 3 ? SIZE_MAX : 0;
            (void)memory_stream_feed(&rig.ms, SIO_LIT("\x81\x01"), 0);
            memory_loop_turn(&rig.loop);
        } else {
            assert_int_equal(ws_rig_send(&rig, SIO_LIT("4"), EIO_FORM_TEXT),
                             SIO_OK);
        }
        if (i % 3 < 2) {
            memory_stream_end(&rig.ms, i % 3 == 0 ? SIO_OK : SIO_ERR_IO);
        } else if (i / 3 != 3) {
            rig.ms.failing = true;
            if (rig.ms.blocked) {
                memory_stream_drain(&rig.ms, 1);
            }
            memory_loop_turn(&rig.loop);
        } else {
            tp_websocket_abort(rig.ws);
        }
        CHECK(label, rig.ended == 1 && rig.gone == 1 && rig.ms.closed);
        ws_rig_deinit(&rig);
    }
}

/* A write that fails before the turn's end is told at its end. */
static void test_broken_early_write(void **state)
{
    (void)state;
    ws_rig rig;
    ws_rig_init(&rig, false, SIZE_MAX);
    rig.ms.failing = true;
    send_sized(&rig, 100000, 0);
    send_sized(&rig, 100000, 0);
    assert_int_equal(rig.gone, 0);
    memory_loop_turn(&rig.loop);
    assert_int_equal(rig.gone, 1);
    ws_rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receive),
        cmocka_unit_test(test_feed),
        cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_short_writes),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_gathering),
        cmocka_unit_test(test_unsent),
        cmocka_unit_test(test_blocked_pings),
        cmocka_unit_test(test_drop_queue),
        cmocka_unit_test(test_drop_first),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_closed_by_slow_peer),
        cmocka_unit_test(test_reject),
        cmocka_unit_test(test_breaks),
        cmocka_unit_test(test_broken_early_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
