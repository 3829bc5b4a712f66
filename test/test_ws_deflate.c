#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/deflate_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)

static const tp_ws_deflate_params takeover = {false, false, 0, 0};
static const tp_ws_deflate_params no_takeover = {true, true, 0, 0};

/* -------------------------------------------------------------- inflating --
 */

/* "Hello", as RFC 7692, section 7.2.3, has it. */
#define FIXED "\xf2\x48\xcd\xc9\xc9\x07\0"
#define FINAL "\xf3\x48\xcd\xc9\xc9\x07\0"
#define WORLD "\x0a\xcf\x2f\xca\x49\x01\0"

// clang-format off
static const struct {
    const char *label;
    sio_bytes payload, message;
    sio_error err;
} payloads[] = {
    {"7.2.3.1, one block", B(FIXED), B("Hello"), SIO_OK},
    {"7.2.3.3, no compression", B("\0\x05\0\xfa\xff" "Hello\0"), B("Hello"), SIO_OK},
    {"7.2.3.4, a final block", B(FINAL "\0"), B("Hello"), SIO_OK},
    {"7.2.3.5, two blocks", B("\xf2\x48\x05\0\0\0\xff\xff\xca\xc9\xc9\x07\0"), B("Hello"), SIO_OK},
    {"7.2.3.6, an empty one", B("\0"), B(""), SIO_OK},
    {"many empty blocks", B("\0\0\0\xff\xff\0\0\0\xff\xff\0"), B(""), SIO_OK},
    {"another stream behind the final block", B(FINAL WORLD), B("HelloWorld"), SIO_OK},
    {"two final blocks", B(FINAL FINAL "\0"), B("HelloHello"), SIO_OK},
    {"nothing behind the final block", B(FINAL), B("Hello"), SIO_OK},

    {"nothing", B(""), B(""), SIO_ERR_DEFLATE},
    {"a block of type 3", B("\x06"), B(""), SIO_ERR_DEFLATE},
    {"a final one of type 3", B("\x07"), B(""), SIO_ERR_DEFLATE},
    {"length and its complement differ", B("\0\x05\0\xfb\xff" "Hello\0"), B(""), SIO_ERR_DEFLATE},
    {"noise behind the final block", B(FINAL "\xff"), B(""), SIO_ERR_DEFLATE},
    {"text behind the final block", B(FINAL "Hello"), B(""), SIO_ERR_DEFLATE},
    {"half a block behind it", B(FINAL "\0\x05\0\xfa\xff" "Hel"), B(""), SIO_ERR_DEFLATE},
    {"the tail is there already", B(FIXED "\0\0\xff\xff"), B(""), SIO_ERR_DEFLATE},
    {"distance beyond the start", B("\xf2\0\x11\0\0"), B(""), SIO_ERR_DEFLATE},
    {"cut in stored bytes", B("\0\x10\0\xef\xff" "Hello"), B(""), SIO_ERR_DEFLATE},
    {"cut in a stored length", B("\0\x05\0"), B(""), SIO_ERR_DEFLATE},
    {"cut in a code", B("\xf2\x48\xcd"), B(""), SIO_ERR_DEFLATE},
    {"cut in a table", B("\x04"), B(""), SIO_ERR_DEFLATE},
    /* A code of 15 ones ends its block, so the tail does, one bit too early. */
    {"ended by half of the tail", B("\x04\xe0\x81\xb4\x6d\xdb\xb6\x6d\xdb\xc6\x94"
       "\x4b\x6d\x7d\xcc\xb5\xcf\x7d\xdf\x1f\xf7\x07"), B(""), SIO_ERR_DEFLATE},
    {"not compressed", B("2probe"), B(""), SIO_ERR_DEFLATE},
    {"zlib's wrapping", B("\x78\x9c\xf3\x48\xcd\xc9\xc9\x07\0\x05\x8c\x01\xf5"), B(""), SIO_ERR_DEFLATE},
};
// clang-format on

static void test_payloads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(payloads) * 2; i++) {
        size_t at = i / 2;
        deflate_rig r;
        deflate_peer p;
        sio_bytes got = {0};
        deflate_rig_init(&r, MIB);
        deflate_peer_init(&p, &r, i % 2 == 0 ? &takeover : &no_takeover);
        sio_error err = deflate_rig_receive(&r, &p, TP_WS_OP_TEXT,
                                            payloads[at].payload, 1000, &got);
        if (err != payloads[at].err ||
            !sio_bytes_eq(got, payloads[at].message)) {
            fail_msg("%s: %d, %zu bytes", payloads[at].label, (int)err,
                     got.len);
        }
        /* A good one leaves nothing behind that would spoil the next. */
        if (err == SIO_OK) {
            assert_int_equal(deflate_rig_receive(&r, &p, TP_WS_OP_TEXT,
                                                 (sio_bytes)B(FIXED), 1000,
                                                 &got),
                             SIO_OK);
            assert_true(sio_bytes_eq(got, SIO_LIT("Hello")));
        }
        deflate_peer_deinit(&p, &r);
        deflate_rig_deinit(&r);
    }
}

/* 7.2.3.2: the second message builds on the first, where that is allowed. */
static void test_client_takeover(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        deflate_rig r;
        deflate_peer p;
        sio_bytes got;
        deflate_rig_init(&r, MIB);
        deflate_peer_init(&p, &r, i == 0 ? &takeover : &no_takeover);
        assert_int_equal(deflate_rig_receive(&r, &p, TP_WS_OP_TEXT,
                                             (sio_bytes)B(FIXED), 5, &got),
                         SIO_OK);
        sio_error err = deflate_rig_receive(
            &r, &p, TP_WS_OP_TEXT, (sio_bytes)B("\xf2\0\x11\0\0"), 5, &got);
        assert_int_equal(err, i == 0 ? SIO_OK : SIO_ERR_DEFLATE);
        assert_true(i == 1 || sio_bytes_eq(got, SIO_LIT("Hello")));
        deflate_peer_deinit(&p, &r);
        deflate_rig_deinit(&r);
    }
}

/* A message that is cut short is none, nor is what is left of it. */
static void test_truncated(void **state)
{
    (void)state;
    deflate_rig r;
    deflate_peer p;
    sio_buf text = {0}, payload = {0};
    sio_bytes got;
    deflate_rig_init(&r, MIB);
    deflate_text(&text, 3000);
    for (int i = 0; i < 2; i++) {
        deflate_peer_init(&p, &r, i == 0 ? &takeover : &no_takeover);
        deflate_peer_pack(&p, sio_buf_view(&text), &payload);
        deflate_peer_deinit(&p, &r);
        for (size_t len = 0; len <= payload.len; len++) {
            deflate_peer_init(&p, &r, i == 0 ? &takeover : &no_takeover);
            sio_error err =
                deflate_rig_receive(&r, &p, TP_WS_OP_BINARY,
                                    (sio_bytes){payload.base, len}, MIB, &got);
            assert_int_equal(err,
                             len == payload.len ? SIO_OK : SIO_ERR_DEFLATE);
            deflate_peer_deinit(&p, &r);
        }
    }
    sio_buf_deinit(&text);
    sio_buf_deinit(&payload);
    deflate_rig_deinit(&r);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        sio_bytes text;
        bool valid;
    } rows[] = {
        {B("\xce\xba"), true}, {B("a\0b"), true}, {B("\xce"), false},
        {B("\xff"), false},    {B(""), true},     {B("\xed\xa0\x80"), false},
    };
    for (size_t i = 0; i < COUNT(rows) * 2; i++) {
        bool is_text = i % 2 == 0;
        deflate_rig r;
        deflate_peer p;
        sio_buf payload = {0};
        sio_bytes got;
        deflate_rig_init(&r, MIB);
        deflate_peer_init(&p, &r, &takeover);
        deflate_peer_pack(&p, rows[i / 2].text, &payload);
        assert_int_equal(deflate_rig_receive(
                             &r, &p, is_text ? TP_WS_OP_TEXT : TP_WS_OP_BINARY,
                             sio_buf_view(&payload), 100, &got),
                         is_text && !rows[i / 2].valid ? SIO_ERR_UTF8 : SIO_OK);
        sio_buf_deinit(&payload);
        deflate_peer_deinit(&p, &r);
        deflate_rig_deinit(&r);
    }
}

/* ------------------------------------------------------------ round trips --
 */

static const tp_ws_deflate_params agreements[] = {
    {false, false, 0, 0},  {true, true, 0, 0},   {true, false, 9, 9},
    {false, true, 9, 8},   {false, false, 9, 9}, {true, true, 12, 10},
    {false, false, 15, 8},
};

static const size_t sizes[] = {1,    2,    5,     30,    200,    1000,
                               4096, 4097, 32767, 33000, 100000, 5};

/* What is sent is what zlib at the other end reads, and the other way round,
 * message by message over a mixture of all sizes. */
static void test_round_trips(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(agreements); i++) {
        deflate_rig r;
        deflate_peer p;
        size_t shortened = 0;
        deflate_rig_init(&r, 4 * MIB);
        deflate_peer_init(&p, &r, &agreements[i]);
        for (size_t j = 0; j < COUNT(sizes) * 3; j++) {
            sio_buf message = {0};
            if (j % 3 == 1) {
                deflate_noise(&message, sizes[j / 3], (uint32_t)j);
            } else {
                deflate_text(&message, sizes[j / 3]);
            }
            sio_frame *sent = deflate_rig_send(&r, &p, sio_buf_view(&message));
            shortened += sent != NULL;
            assert_true(sent == NULL || j % 3 != 1);
            sio_frame_unref(sent);
            deflate_rig_hear(&r, &p, sio_buf_view(&message));
            if (j % 5 == 0) {
                tp_deflater_forget(&r.deflater);
            }
            sio_buf_deinit(&message);
        }
        assert_true(shortened >= 14);
        deflate_peer_deinit(&p, &r);
        deflate_rig_deinit(&r);
    }
}

/* The window that was agreed on bounds how far back a message reaches: what is
 * farther away than that is sent again. */
static void test_server_window(void **state)
{
    (void)state;
    size_t lens[2];
    for (int i = 0; i < 2; i++) {
        tp_ws_deflate_params params = {true, true, i == 0 ? 9 : 15, 0};
        deflate_rig r;
        deflate_peer p;
        sio_buf message = {0};
        deflate_rig_init(&r, MIB);
        deflate_peer_init(&p, &r, &params);
        deflate_noise(&message, 2000, 1);
        assert_int_equal(sio_buf_append(&message, (sio_bytes){message.base, 0}),
                         SIO_OK);
        uint8_t copy[2000];
        memcpy(copy, message.base, sizeof(copy));
        assert_int_equal(
            sio_buf_append(&message, (sio_bytes){copy, sizeof(copy)}), SIO_OK);
        sio_frame *sent = deflate_rig_send(&r, &p, sio_buf_view(&message));
        lens[i] = sent == NULL ? message.len : sent->len;
        sio_frame_unref(sent);
        sio_buf_deinit(&message);
        deflate_peer_deinit(&p, &r);
        deflate_rig_deinit(&r);
    }
    assert_int_equal(lens[0], 4000);
    assert_true(lens[1] < 2100);
}

/* ----------------------------------------------------------- what is sent --
 */

static void test_threshold(void **state)
{
    (void)state;
    static const struct {
        size_t threshold, len;
        bool shortened;
    } rows[] = {
        {1024, 1023, false}, {1024, 1024, true},      {0, 0, false},
        {0, 1, false},       {0, 200, true},          {1, 200, true},
        {201, 200, false},   {SIZE_MAX, 1000, false},
    };
    for (size_t i = 0; i < COUNT(rows) * 2; i++) {
        deflate_rig r;
        deflate_peer p;
        sio_buf text = {0};
        deflate_rig_init(&r, MIB);
        r.config.threshold = rows[i / 2].threshold;
        deflate_peer_init(&p, &r, i % 2 == 0 ? &takeover : &no_takeover);
        deflate_text(&text, rows[i / 2].len);
        sio_frame *sent = deflate_rig_send(&r, &p, sio_buf_view(&text));
        assert_true((sent != NULL) == rows[i / 2].shortened);
        sio_frame_unref(sent);
        sio_buf_deinit(&text);
        deflate_peer_deinit(&p, &r);
        deflate_rig_deinit(&r);
    }
}

/* With takeover the same message again is next to nothing, until one is lost
 * or left as it was: then the client has not seen what it would build on. */
static void test_server_takeover(void **state)
{
    (void)state;
    deflate_rig r;
    deflate_peer p;
    sio_buf text = {0}, noise = {0};
    deflate_rig_init(&r, MIB);
    deflate_peer_init(&p, &r, &takeover);
    deflate_text(&text, 2000);
    deflate_noise(&noise, 2000, 7);

    size_t lens[8];
    for (size_t i = 0; i < COUNT(lens); i++) {
        if (i == 2) { /* compressed, but not for the peer to see */
            sio_frame *frame = deflate_rig_frame(&r, sio_buf_view(&noise));
            memcpy(frame->data + 1000, text.base, 1000);
            sio_frame *lost =
                tp_ws_deflate_frame(&p.side, &r.deflater, &r.frames, frame);
            assert_non_null(lost);
            sio_frame_unref(lost);
            sio_frame_unref(frame);
            tp_ws_deflate_lost(&p.side);
        }
        if (i == 5) {
            assert_null(deflate_rig_send(&r, &p, sio_buf_view(&noise)));
        }
        if (i == 7) { /* nothing is nothing to be lost */
            assert_null(deflate_rig_send(&r, &p, (sio_bytes){0}));
        }
        sio_frame *sent = deflate_rig_send(&r, &p, sio_buf_view(&text));
        assert_non_null(sent);
        lens[i] = sent->len;
        sio_frame_unref(sent);
    }
    for (size_t i = 0; i < COUNT(lens); i++) {
        bool anew = i == 0 || i == 2 || i == 5;
        assert_true(anew ? lens[i] > 200 : lens[i] < 50);
    }
    sio_buf_deinit(&text);
    sio_buf_deinit(&noise);
    deflate_peer_deinit(&p, &r);
    deflate_rig_deinit(&r);
}

/* A broadcast is compressed once for all who may share it. */
static void test_broadcast(void **state)
{
    (void)state;
    static const tp_ws_deflate_params small = {true, true, 9, 0};
    deflate_rig r;
    deflate_peer p[4];
    sio_frame *sent[4];
    sio_buf text = {0};
    deflate_rig_init(&r, 2 * MIB);
    deflate_text(&text, 2000);
    deflate_peer_init(&p[0], &r, &no_takeover);
    deflate_peer_init(&p[1], &r, &no_takeover);
    deflate_peer_init(&p[2], &r, &small);
    deflate_peer_init(&p[3], &r, &takeover);

    sio_frame *frame = deflate_rig_frame(&r, sio_buf_view(&text));
    for (size_t i = 0; i < 4; i++) {
        sent[i] =
            tp_ws_deflate_frame(&p[i].side, &r.deflater, &r.frames, frame);
        assert_non_null(sent[i]);
        deflate_peer_expect(&p[i], sent[i], sio_buf_view(&text));
    }
    assert_ptr_equal(sent[0], sent[1]);
    assert_ptr_not_equal(sent[0], sent[2]);
    assert_ptr_not_equal(sent[0], sent[3]);
    assert_int_equal(sent[0]->refs, 3); /* two, and the one remembered */
    assert_int_equal(frame->refs, 3);   /* ours, and two remembered */
    tp_deflater_forget(&r.deflater);
    assert_int_equal(sent[0]->refs, 2);
    assert_int_equal(frame->refs, 1);

    sio_frame *again =
        tp_ws_deflate_frame(&p[0].side, &r.deflater, &r.frames, frame);
    assert_ptr_not_equal(again, sent[0]);
    deflate_peer_expect(&p[0], again, sio_buf_view(&text));
    sio_frame_unref(again);
    sio_frame_unref(frame);
    for (size_t i = 0; i < 4; i++) {
        sio_frame_unref(sent[i]);
        deflate_peer_deinit(&p[i], &r);
    }
    sio_buf_deinit(&text);
    deflate_rig_deinit(&r);
}

/* More frames in a turn than are remembered, several times each: all arrive,
 * and none is kept beyond the turn. */
static void test_cache_overflow(void **state)
{
    (void)state;
    enum { FRAMES = TP_DEFLATER_CACHE + 5 };
    deflate_rig r;
    deflate_peer p;
    sio_frame *frames[FRAMES];
    deflate_rig_init(&r, MIB);
    deflate_peer_init(&p, &r, &no_takeover);
    for (size_t i = 0; i < FRAMES; i++) {
        sio_buf text = {0};
        if (i % 4 == 3) {
            deflate_noise(&text, 100, (uint32_t)i);
        } else {
            deflate_text(&text, 100 + i);
        }
        frames[i] = deflate_rig_frame(&r, sio_buf_view(&text));
        sio_buf_deinit(&text);
    }
    for (size_t i = 0; i < 3 * FRAMES; i++) {
        sio_frame *frame = frames[i % FRAMES];
        sio_frame *sent =
            tp_ws_deflate_frame(&p.side, &r.deflater, &r.frames, frame);
        assert_true((sent == NULL) == (i % FRAMES % 4 == 3));
        if (sent != NULL) {
            deflate_peer_expect(&p, sent, sio_frame_view(frame));
        }
        sio_frame_unref(sent);
        assert_true(r.deflater.cached <= TP_DEFLATER_CACHE);
    }
    tp_deflater_forget(&r.deflater);
    for (size_t i = 0; i < FRAMES; i++) {
        assert_int_equal(frames[i]->refs, 1);
        sio_frame_unref(frames[i]);
    }
    deflate_peer_deinit(&p, &r);
    deflate_rig_deinit(&r);
}

static void test_switched_off(void **state)
{
    (void)state;
    tp_deflater d = {0};
    tp_ws_deflate c;
    deflate_rig r;
    deflate_rig_init(&r, MIB);
    assert_false(tp_ws_deflate_open(&c, &d, &takeover));
    sio_frame *frame = deflate_rig_frame(&r, SIO_LIT("aaaaaaaaaaaaaaaaaaaa"));
    assert_null(tp_ws_deflate_frame(&c, &d, &r.frames, frame));
    sio_frame_unref(frame);
    tp_ws_deflate_close(&c, &d);
    tp_deflater_forget(&d);
    tp_deflater_deinit(&d);
    deflate_rig_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_client_takeover),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_server_window),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_server_takeover),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_cache_overflow),
        cmocka_unit_test(test_switched_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
