#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/ws_rig.h"

/* WebSockets of revision 3: binary messages bear their type. */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define TEXT 0x81
#define BINARY 0x82

static void open_rig(ws_rig *rig, const eio_protocol *protocol, bool base64)
{
    ws_rig_init_as(rig, protocol, base64, SIZE_MAX);
    assert_int_equal(ws_rig_send(rig, SIO_LIT("0"), EIO_FORM_TEXT), SIO_OK);
    memory_loop_turn(&rig->loop);
}

/* What was sent behind the response and the first packet. */
static void check_sent(const ws_rig *rig, sio_bytes want)
{
    ws_rig_seen seen;
    sio_buf got = {0};
    size_t at = sizeof(WS_RIG_RESPONSE) - 1;
    sio_bytes out = sio_buf_view(&rig->ms.out);
    assert_true(ws_rig_next(out, &at, &seen));
    while (ws_rig_next(out, &at, &seen)) {
        uint8_t head[] = {(uint8_t)('0' + seen.opcode), '('};
        assert_int_equal(sio_buf_append(&got, (sio_bytes){head, 2}), SIO_OK);
        assert_int_equal(sio_buf_append(&got, seen.payload), SIO_OK);
        assert_int_equal(sio_buf_append(&got, SIO_LIT(")")), SIO_OK);
    }
    assert_int_equal(at, out.len);
    assert_true(sio_bytes_eq(sio_buf_view(&got), want));
    sio_buf_deinit(&got);
}

// clang-format off
static const struct {
    uint8_t first;
    sio_bytes payload;
    const char *told;
} inputs[] = {
    {TEXT, B("4hi"), "4[hi];"},
    {TEXT, B("2probe"), "2[probe];"},
    {TEXT, B("b4AQID"), "b[\1\2\3];"},
    {TEXT, B("b4"), "b[];"},
    {TEXT, B("4b4AQID"), "4[b4AQID];"},
    {BINARY, B("\4\1\2\3"), "b[\1\2\3];"},
    {BINARY, B("\4"), "b[];"},
    {TEXT, B(""), "failed -202;"},
    {TEXT, B("7"), "failed -201;"},
    {TEXT, B("b"), "failed -202;"},
    {TEXT, B("bAQID"), "failed -201;"},
    {TEXT, B("b4!"), "failed -210;"},
    {BINARY, B(""), "failed -202;"},
    {BINARY, B("4abc"), "failed -201;"},
    {BINARY, B("\7"), "failed -201;"},
    {BINARY, B("\xff\4"), "failed -201;"},
};
// clang-format on

static void test_inputs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(inputs); i++) {
        sio_buf in = {0};
        ws_rig_frame(&in, inputs[i].first, inputs[i].payload);
        for (size_t cut = 0; cut <= in.len; cut++) {
            ws_rig rig;
            open_rig(&rig, &eio_protocol_3, false);
            (void)memory_stream_feed(&rig.ms, (sio_bytes){in.base, cut}, 0);
            (void)memory_stream_feed(
                &rig.ms, (sio_bytes){in.base + cut, in.len - cut}, 0);
            memory_loop_turn(&rig.loop);
            print_message("input %zu\n", i);
            assert_int_equal(sio_buf_append(&rig.told, SIO_LIT("\0")), SIO_OK);
            assert_string_equal((const char *)rig.told.base, inputs[i].told);
            ws_rig_deinit(&rig);
        }
        sio_buf_deinit(&in);
    }
}

/* Lengths where the type makes the header longer, and writes that are cut
 * everywhere in the first bytes, the type among them. */
static void test_outputs(void **state)
{
    static const size_t lens[] = {0, 1, 124, 125, 126, 65534, 65535, 65536};
    (void)state;
    for (size_t i = 0; i < COUNT(lens) * 14; i++) {
        size_t len = lens[i / 14], room = i % 14;
        ws_rig rig;
        open_rig(&rig, &eio_protocol_3, false);
        uint8_t *want = malloc(len + 12);
        assert_non_null(want);
        memcpy(want, "2(\4", 3);
        for (size_t j = 0; j < len; j++) {
            want[3 + j] = (uint8_t)(j * 7);
        }
        memcpy(want + 3 + len, ")1(4hi)", 7);
        rig.ms.room = room;
        assert_int_equal(
            ws_rig_send(&rig, (sio_bytes){want + 3, len}, EIO_FORM_BINARY),
            SIO_OK);
        assert_int_equal(ws_rig_send(&rig, SIO_LIT("4hi"), EIO_FORM_TEXT),
                         SIO_OK);
        memory_loop_turn(&rig.loop);
        ws_rig_settle(&rig, len > 1000 ? 1000 : 1);
        assert_int_equal(rig.tp->unsent, 0);
        check_sent(&rig, (sio_bytes){want, len + 10});
        free(want);
        ws_rig_deinit(&rig);
    }
}

static void test_base64(void **state)
{
    (void)state;
    ws_rig rig;
    open_rig(&rig, &eio_protocol_3, true);
    assert_int_equal(ws_rig_send(&rig, SIO_LIT("\1\2\3"), EIO_FORM_BINARY),
                     SIO_OK);
    assert_int_equal(ws_rig_send(&rig, SIO_LIT(""), EIO_FORM_BINARY), SIO_OK);
    memory_loop_turn(&rig.loop);
    check_sent(&rig, SIO_LIT("1(b4AQID)1(b4)"));
    ws_rig_deinit(&rig);
}

static sio_frame *frame_of(sio_bytes bytes)
{
    sio_frame *frame = sio_frame_new(NULL, bytes.len);
    assert_non_null(frame);
    memcpy(frame->data, bytes.base, bytes.len);
    return frame;
}

/* One burst for WebSockets of both revisions: what they have in common is made
 * once, whoever comes first, and the frames are shared by all. */
static void test_bursts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        bool has_binary = (i & 1) != 0, old_first = (i & 2) != 0;
        bool now = (i & 4) != 0;
        ws_rig old, new;
        open_rig(&old, &eio_protocol_3, false);
        open_rig(&new, &eio_protocol_4, false);
        old.ms.room = (i & 8) != 0 ? 5 : SIZE_MAX;
        eio_burst_item items[] = {
            {frame_of(SIO_LIT("4ab")), EIO_FORM_TEXT},
            {frame_of(SIO_LIT("4cd")),
             has_binary ? EIO_FORM_BINARY : EIO_FORM_TEXT},
        };
        eio_burst burst = {.items = items, .count = 2, .bytes = 6, .now = now};
        for (int j = 0; j < 2; j++) {
            eio_transport *tp = (j == 0) == old_first ? old.tp : new.tp;
            assert_int_equal(tp->ops->send_burst(tp, &burst), SIO_OK);
        }
        assert_non_null(burst.wire[0]);
        assert_int_equal(burst.wire[1] != NULL, has_binary);
        memory_loop_turn(&old.loop);
        memory_loop_turn(&new.loop);
        ws_rig_settle(&old, 1);
        check_sent(&new, has_binary ? SIO_LIT("1(4ab)2(4cd)")
                                    : SIO_LIT("1(4ab)1(4cd)"));
        check_sent(&old, has_binary ? SIO_LIT("1(4ab)2(\0044cd)")
                                    : SIO_LIT("1(4ab)1(4cd)"));
        for (int j = 0; j < 2; j++) {
            sio_frame_unref(items[j].frame);
            sio_frame_unref(burst.wire[j]);
        }
        ws_rig_deinit(&old);
        ws_rig_deinit(&new);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inputs),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_bursts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
