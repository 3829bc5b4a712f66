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

#define TEXT 0x81
#define BINARY 0x82
#define CLOSE 0x88
#define PING 0x89

/* What was sent behind the response, in words: `1(payload)`. */
static void check_sent(const ws_rig *rig, const char *want)
{
    ws_rig_seen seen;
    char words[256];
    size_t len = 0, at = sizeof(WS_RIG_RESPONSE) - 1;
    sio_bytes out = sio_buf_view(&rig->ms.out);
    while (ws_rig_next(out, &at, &seen)) {
        len += (size_t)snprintf(words + len, sizeof(words) - len, "%x(%.*s)",
                                seen.opcode, (int)seen.payload.len,
                                (const char *)seen.payload.base);
        assert_true(len < sizeof(words));
    }
    assert_int_equal(at, out.len);
    assert_string_equal(words, want);
}

/* Echoes of `count` messages of `len` bytes that come at once, written in
 * place, while the stream takes `room` bytes and then `more` at a time. */
static void echo_in_place(size_t count, size_t len, size_t room, size_t more)
{
    ws_rig rig;
    sio_buf in = {0};
    uint8_t *text = malloc(len);
    memset(text, 'x', len);
    text[0] = '4';
    ws_rig_init(&rig, false, SIZE_MAX);
    assert_int_equal(ws_rig_send(&rig, SIO_LIT("0"), EIO_FORM_TEXT), SIO_OK);
    memory_loop_turn(&rig.loop);
    rig.config.limits.max_message = len;
    rig.echo = rig.in_place = true;
    rig.ms.room = room;
    for (size_t i = 0; i < count; i++) {
        text[1] = (uint8_t)('a' + i % 26);
        ws_rig_frame(&in, TEXT, (sio_bytes){text, len});
    }
    (void)memory_stream_feed(&rig.ms, sio_buf_view(&in), 0);
    assert_true(rig.placed > 0);
    size_t whole =
        sizeof(WS_RIG_RESPONSE) - 1 + 3 + count * (len + (len < 126 ? 2 : 4));
    assert_int_equal(rig.tp->unsent != 0, rig.ms.out.len < whole);
    ws_rig_settle(&rig, more);
    assert_int_equal(rig.tp->unsent, 0);

    ws_rig_seen seen;
    sio_bytes out = sio_buf_view(&rig.ms.out);
    size_t at = sizeof(WS_RIG_RESPONSE) - 1;
    assert_true(ws_rig_next(out, &at, &seen)); /* the first packet */
    for (size_t i = 0; i < count; i++) {
        assert_true(ws_rig_next(out, &at, &seen));
        text[1] = (uint8_t)('a' + i % 26);
        assert_int_equal(seen.payload.len, len);
        assert_memory_equal(seen.payload.base, text, len);
    }
    assert_int_equal(at, out.len);
    free(text);
    sio_buf_deinit(&in);
    ws_rig_deinit(&rig);
}

static void test_in_place(void **state)
{
    (void)state;
    for (size_t room = 0; room <= 3 * 12 + 1; room++) {
        echo_in_place(3, 10, room, 1);
        echo_in_place(3, 10, room, SIZE_MAX);
    }
    /* More than the cork holds. */
    static const size_t rooms[] = {0, 1000, TP_CORK_SIZE, 100000, SIZE_MAX};
    for (size_t i = 0; i < COUNT(rooms); i++) {
        echo_in_place(50, 3000, rooms[i], SIZE_MAX);
        echo_in_place(50, 3000, rooms[i], 4999);
        echo_in_place(2, TP_CORK_SIZE - TP_WS_HEADER_MAX, rooms[i], SIZE_MAX);
    }
}

/* What is written in place, queued, and dropped keeps its order. */
static void test_in_place_mixed(void **state)
{
    (void)state;
    ws_rig rig;
    sio_buf in = {0};
    ws_rig_init(&rig, false, SIZE_MAX);
    assert_int_equal(ws_rig_send(&rig, SIO_LIT("0"), EIO_FORM_TEXT), SIO_OK);
    rig.echo = rig.in_place = true;
    memory_loop_turn(&rig.loop);
    ws_rig_frame(&in, TEXT, (sio_bytes)B("4a"));
    ws_rig_frame(&in, TEXT, (sio_bytes)B("4b"));
    ws_rig_frame(&in, BINARY, (sio_bytes)B("c"));
    ws_rig_frame(&in, TEXT, (sio_bytes)B("4d"));
    ws_rig_frame(&in, PING, (sio_bytes)B("e"));
    ws_rig_frame(&in, CLOSE, (sio_bytes)B(""));
    (void)memory_stream_feed(&rig.ms, sio_buf_view(&in), 0);
    memory_loop_turn(&rig.loop);
    assert_int_equal(rig.placed, 2);
    check_sent(&rig, "1(0)1(4a)1(4b)2(c)1(4d)a(e)8()");
    sio_buf_deinit(&in);
    ws_rig_deinit(&rig);
}

/* A burst goes out as its messages would, and waits as one; with `now` it is
 * written before the turn ends. */
static void test_burst(void **state)
{
    (void)state;
    for (size_t i = 0; i < 80; i++) {
        size_t room = i / 2;
        bool now = i % 2 == 1;
        ws_rig rig;
        ws_rig_init(&rig, false, SIZE_MAX);
        assert_int_equal(ws_rig_send(&rig, SIO_LIT("0"), EIO_FORM_TEXT),
                         SIO_OK);
        memory_loop_turn(&rig.loop);
        rig.ms.room = room;
        eio_burst_item items[] = {
            {sio_frame_new(NULL, 3), EIO_FORM_TEXT},
            {sio_frame_new(NULL, 2), EIO_FORM_BINARY},
        };
        memcpy(items[0].frame->data, "4ab", 3);
        memcpy(items[1].frame->data, "cd", 2);
        eio_burst burst = {.items = items, .count = 2, .bytes = 5, .now = now};
        assert_int_equal(rig.tp->ops->send_burst(rig.tp, &burst), SIO_OK);
        assert_int_equal(rig.tp->ops->send_burst(rig.tp, &burst), SIO_OK);
        size_t left = room < 2 * 9 ? 2 * 9 - room : 0;
        assert_int_equal(rig.tp->unsent, now ? left : 2 * 9);
        ws_rig_settle(&rig, 1);
        assert_int_equal(rig.tp->unsent, 0);
        check_sent(&rig, "1(0)1(4ab)2(cd)1(4ab)2(cd)");
        sio_frame_unref(items[0].frame);
        sio_frame_unref(items[1].frame);
        assert_null(burst.wire[1]);
        sio_frame_unref(burst.wire[0]);
        ws_rig_deinit(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_in_place_mixed),
        cmocka_unit_test(test_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
