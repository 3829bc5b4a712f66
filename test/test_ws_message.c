#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/ws_record.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

typedef struct piece {
    enum { PIECE_END, PIECE_FRAME, PIECE_RAW } kind;
    uint8_t first;
    uint64_t announced;
    sio_bytes bytes;
} piece;

/* A whole frame; one that is cut short; bytes as they are. */
#define F(first, s)                                                            \
    {                                                                          \
        PIECE_FRAME, first, sizeof(s) - 1, SIO_LIT_INIT(s)                     \
    }
#define CUT(first, len, s)                                                     \
    {                                                                          \
        PIECE_FRAME, first, len, SIO_LIT_INIT(s)                               \
    }
#define RAW(s)                                                                 \
    {                                                                          \
        PIECE_RAW, 0, 0, SIO_LIT_INIT(s)                                       \
    }

#define MAX_PIECES 8

static void build(sio_buf *stream, const piece pieces[MAX_PIECES],
                  const uint8_t mask[4])
{
    for (size_t i = 0; i < MAX_PIECES && pieces[i].kind != PIECE_END; i++) {
        const piece *p = &pieces[i];
        if (p->kind == PIECE_RAW) {
            ws_add(stream, p->bytes.base, p->bytes.len);
        } else {
            ws_add_frame(stream, p->first, p->announced, p->bytes, mask);
        }
    }
}

#define A25 "aaaaaaaaaaaaaaaaaaaaaaaaa"
#define A125 A25 A25 A25 A25 A25
#define A126 A125 "a"
#define KAPPA "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
#define KAPPA_SAID "\\ce\\ba\\e1\\bd\\b9\\cf\\83\\ce\\bc\\ce\\b5"
#define BAD(name) SIO_ERR_##name

// clang-format off
static const struct {
    const char *label;
    piece pieces[MAX_PIECES];
    const char *said;
    sio_error err;
} streams[] = {
    /* Whole messages. */
    {"text",             {F(0x81, "hi")}, "text(hi) ", SIO_OK},
    {"binary",           {F(0x82, "\xff\0z")}, "binary(\\ff\\00z) ", SIO_OK},
    {"empty text",       {F(0x81, "")}, "text() ", SIO_OK},
    {"empty binary",     {F(0x82, "")}, "binary() ", SIO_OK},
    {"126 bytes",        {F(0x82, A126)}, "binary(" A126 ") ", SIO_OK},
    {"several",          {F(0x81, "a"), F(0x82, "b"), F(0x81, ""), F(0x81, "c")},
     "text(a) binary(b) text() text(c) ", SIO_OK},
    {"half a header",    {F(0x81, "a"), RAW("\x81\xfe\x01")}, "text(a) ", SIO_OK},
    {"half a frame",     {F(0x81, "a"), CUT(0x82, 10, "12345")}, "text(a) ", SIO_OK},

    /* Control frames. */
    {"ping",             {F(0x89, "x")}, "ping(x) ", SIO_OK},
    {"empty ping",       {F(0x89, "")}, "ping() ", SIO_OK},
    {"binary ping",      {F(0x89, "\xff\xfe")}, "ping(\\ff\\fe) ", SIO_OK},
    {"125 byte ping",    {F(0x89, A125)}, "ping(" A125 ") ", SIO_OK},
    {"126 byte ping",    {RAW("\x89\xfe")}, "", BAD(FRAME_LENGTH)},
    {"64-bit ping",      {RAW("\x89\xff")}, "", BAD(FRAME_LENGTH)},
    {"pong unasked",     {F(0x8a, "y"), F(0x89, "x")}, "pong(y) ping(x) ", SIO_OK},
    {"ping in parts",    {RAW("\x09\x80")}, "", BAD(FRAME_LENGTH)},
    {"close in parts",   {RAW("\x08\x80")}, "", BAD(FRAME_LENGTH)},

    /* Fragments. */
    {"two fragments",    {F(0x01, "ab"), F(0x80, "cd")}, "text(abcd) ", SIO_OK},
    {"binary fragments", {F(0x02, "ab"), F(0x00, "cd"), F(0x80, "ef")},
     "binary(abcdef) ", SIO_OK},
    {"empty fragments",  {F(0x01, ""), F(0x00, ""), F(0x80, "")}, "text() ", SIO_OK},
    {"empty, then all",  {F(0x01, ""), F(0x80, "all")}, "text(all) ", SIO_OK},
    {"all, then empty",  {F(0x01, "all"), F(0x80, "")}, "text(all) ", SIO_OK},
    {"ping between",     {F(0x01, "ab"), F(0x89, "p"), F(0x00, "cd"), F(0x8a, "q"),
                          F(0x80, "ef")},
     "ping(p) pong(q) text(abcdef) ", SIO_OK},
    {"empty ping between", {F(0x01, "ab"), F(0x89, ""), F(0x80, "cd")},
     "ping() text(abcd) ", SIO_OK},
    {"ping after empty", {F(0x01, ""), F(0x89, "ping"), F(0x80, "cd")},
     "ping(ping) text(cd) ", SIO_OK},
    {"close between",    {F(0x01, "ab"), F(0x88, "\x03\xe8")}, "1000:close() ", SIO_OK},
    {"messages in turn", {F(0x01, "ab"), F(0x80, "cd"), F(0x82, "x"), F(0x02, "1"),
                          F(0x80, "2")},
     "text(abcd) binary(x) binary(12) ", SIO_OK},
    {"continues nothing, last", {RAW("\x80\x80mask")}, "", BAD(FRAME_ORDER)},
    {"continues nothing", {RAW("\x00\x80mask")}, "", BAD(FRAME_ORDER)},
    {"continues the finished", {F(0x81, "a"), RAW("\x80\x81mask")}, "text(a) ",
     BAD(FRAME_ORDER)},
    {"continues after fragments", {F(0x01, "a"), F(0x80, "b"), RAW("\x00\x80mask")},
     "text(ab) ", BAD(FRAME_ORDER)},
    {"text in text",     {F(0x01, "a"), RAW("\x81\x80mask")}, "", BAD(FRAME_ORDER)},
    {"binary in text",   {F(0x01, "a"), RAW("\x02\x80mask")}, "", BAD(FRAME_ORDER)},

    /* Headers. */
    {"unmasked",         {RAW("\x81\x00")}, "", BAD(FRAME_MASK)},
    {"unmasked ping",    {F(0x81, "a"), RAW("\x89\x01")}, "text(a) ", BAD(FRAME_MASK)},
    {"unmasked long",    {RAW("\x82\x7e\x01\x00")}, "", BAD(FRAME_MASK)},
    {"RSV1",             {RAW("\xc1\x80")}, "", BAD(FRAME_BITS)},
    {"RSV2",             {RAW("\xa1\x80")}, "", BAD(FRAME_BITS)},
    {"RSV3",             {RAW("\x91\x80")}, "", BAD(FRAME_BITS)},
    {"RSV1 ping",        {F(0x81, "a"), RAW("\xc9\x80")}, "text(a) ", BAD(FRAME_BITS)},
    {"padded 16 bits",   {RAW("\x82\xfe\x00\x7dmask")}, "", BAD(FRAME_LENGTH)},
    {"padded 64 bits",   {RAW("\x82\xff\0\0\0\0\0\0\xff\xffmask")}, "", BAD(FRAME_LENGTH)},

    /* Close frames. */
    {"close",            {F(0x88, "")}, "1005:close() ", SIO_OK},
    {"close with code",  {F(0x88, "\x03\xe9")}, "1001:close() ", SIO_OK},
    {"close with reason", {F(0x88, "\x0f\xa0so\xc3\xa9")}, "4000:close(so\\c3\\a9) ", SIO_OK},
    {"longest reason",   {F(0x88, "\x03\xe8" A25 A25 A25 A25 "12345678901234567890123")},
     "1000:close(" A25 A25 A25 A25 "12345678901234567890123) ", SIO_OK},
    {"one byte",         {F(0x88, "\x03")}, "", BAD(CLOSE_CODE)},
    {"code 1005",        {F(0x88, "\x03\xed")}, "", BAD(CLOSE_CODE)},
    {"code before reason", {F(0x88, "\x03\xed\xff")}, "", BAD(CLOSE_CODE)},
    {"bad reason",       {F(0x88, "\x03\xe8ok\xff")}, "", BAD(UTF8)},
    {"cut reason",       {F(0x88, "\x03\xe8\xc3")}, "", BAD(UTF8)},
    {"after a close",    {F(0x88, ""), F(0x81, "a"), F(0x88, ""), RAW("\xff\xff")},
     "1005:close() ", SIO_OK},

    /* UTF-8: the byte that breaks it is the last one here, though the frame
     * and the message would go on. */
    {"characters",       {F(0x81, KAPPA)}, "text(" KAPPA_SAID ") ", SIO_OK},
    {"cut by frames",    {F(0x01, "\xce"), F(0x00, "\xba\xe1\xbd"),
                          F(0x80, "\xb9\xcf\x83\xce\xbc\xce\xb5")},
     "text(" KAPPA_SAID ") ", SIO_OK},
    {"binary is free",   {F(0x02, "\xff"), F(0x80, "\xc0")}, "binary(\\ff\\c0) ", SIO_OK},
    {"ping in a character", {F(0x01, "\xce"), F(0x89, "\xff\xfe"), F(0x80, "\xba")},
     "ping(\\ff\\fe) text(\\ce\\ba) ", SIO_OK},
    {"bad in a frame",   {CUT(0x81, 100, KAPPA "\xed\xa0")}, "", BAD(UTF8)},
    {"bad in a fragment", {CUT(0x01, 100, KAPPA "\xf4\x90")}, "", BAD(UTF8)},
    {"bad, later fragment", {F(0x01, KAPPA "\xf4"), CUT(0x00, 9, "\x90")}, "", BAD(UTF8)},
    {"bad after a ping", {F(0x01, "\xf4"), F(0x89, "p"), CUT(0x80, 9, "a")},
     "ping(p) ", BAD(UTF8)},
    {"cut character",    {F(0x81, "a\xce")}, "", BAD(UTF8)},
    {"cut character, two frames", {F(0x01, "a"), F(0x80, "\xe1\xbd")}, "", BAD(UTF8)},
    {"cut, then empty",  {F(0x01, "\xce"), RAW("\x80\x80mask")}, "", BAD(UTF8)},
    {"a new start",      {F(0x01, "\xce"), F(0x80, "\xba"), F(0x02, "\xce"), F(0x80, ""),
                          F(0x01, "ok"), F(0x80, "")},
     "text(\\ce\\ba) binary(\\ce) text(ok) ", SIO_OK},
};
// clang-format on

static void test_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(streams); i++) {
        for (size_t m = 0; m < WS_MASKS; m++) {
            sio_buf stream = {0};
            build(&stream, streams[i].pieces, ws_masks[m]);
            ws_expect(streams[i].label, sio_buf_view(&stream), &ws_usual_limits,
                      streams[i].said, streams[i].err);
            sio_buf_deinit(&stream);
        }
    }
}

/* What follows a refused byte changes nothing. */
static void test_after_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(streams); i++) {
        if (streams[i].err == SIO_OK) {
            continue;
        }
        sio_buf stream = {0};
        build(&stream, streams[i].pieces, ws_masks[0]);
        size_t fatal = stream.len;
        for (int n = 0; n < 20; n++) {
            ws_add_frame(&stream, 0x89, 1, SIO_LIT("x"), ws_masks[0]);
        }
        for (size_t cut = 0; cut <= stream.len + 1; cut++) {
            ws_record rec = {0};
            size_t used;
            sio_error err = ws_feed_cut(&rec, sio_buf_view(&stream), cut,
                                        &ws_usual_limits, &used);
            assert_int_equal(err, streams[i].err);
            assert_string_equal(rec.said, streams[i].said);
            assert_true(cut <= stream.len || used == fatal);
        }
        sio_buf_deinit(&stream);
    }
}

/* Every first byte, between messages and in the middle of one. */
static void test_first_bytes(void **state)
{
    (void)state;
    static const char *const said[16] = {[1] = "text() ",
                                         [2] = "binary() ",
                                         [8] = "1005:close() ",
                                         [9] = "ping() ",
                                         [10] = "pong() "};

    for (unsigned first = 0; first < 256; first++) {
        for (int within = 0; within < 2; within++) {
            unsigned op = first & 0x0f;
            bool fin = first >= 0x80;
            bool known = op <= 2 || (op >= 8 && op <= 10);
            sio_error err = SIO_OK;
            if ((first & 0x70) != 0 || !known) {
                err = SIO_ERR_FRAME_BITS;
            } else if (op >= 8 && !fin) {
                err = SIO_ERR_FRAME_LENGTH;
            } else if (op < 8 && (op == 0) != (within == 1)) {
                err = SIO_ERR_FRAME_ORDER;
            }
            const char *want = op == 0 ? "text(a) " : said[op];
            if (err != SIO_OK || (op < 8 && !fin)) {
                want = "";
            }

            sio_buf stream = {0};
            if (within) {
                ws_add_frame(&stream, 0x01, 1, SIO_LIT("a"), ws_masks[0]);
            }
            uint8_t head[] = {(uint8_t)first, 0x80, 1, 2, 3, 4};
            bool early = err != SIO_OK && err != SIO_ERR_FRAME_ORDER;
            ws_add(&stream, head, early ? 2 : 6);
            char label[40];
            (void)snprintf(label, sizeof(label), "%#x, %d", first, within);
            ws_expect(label, sio_buf_view(&stream), &ws_usual_limits, want,
                      err);
            sio_buf_deinit(&stream);
        }
    }
}

// clang-format off
static const struct {
    sio_bytes text;
    bool valid;
} texts[] = {
    {SIO_LIT_INIT("plain"), true},
    {SIO_LIT_INIT(KAPPA), true},
    {SIO_LIT_INIT("a\0b"), true},
    {SIO_LIT_INIT("\xc2\x80\xdf\xbf"), true},
    {SIO_LIT_INIT("\xe0\xa0\x80\xef\xbf\xbf"), true},
    {SIO_LIT_INIT("\xed\x9f\xbf\xee\x80\x80"), true},
    {SIO_LIT_INIT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), true},
    {SIO_LIT_INIT("\xef\xbb\xbf!"), true},
    {SIO_LIT_INIT("\x80"), false},
    {SIO_LIT_INIT("\xbf"), false},
    {SIO_LIT_INIT("ab\xc0\x80" "cd"), false},
    {SIO_LIT_INIT("\xc1\xbf"), false},
    {SIO_LIT_INIT("\xc3" "a"), false},
    {SIO_LIT_INIT("\xe0\x9f\xbf"), false},
    {SIO_LIT_INIT("\xed\xa0\x80"), false},
    {SIO_LIT_INIT("\xed\xbf\xbf"), false},
    {SIO_LIT_INIT("\xe1\xbd" "a"), false},
    {SIO_LIT_INIT("\xf0\x8f\xbf\xbf"), false},
    {SIO_LIT_INIT("\xf4\x90\x80\x80"), false},
    {SIO_LIT_INIT("\xf5\x80\x80\x80"), false},
    {SIO_LIT_INIT("\xf8\x88\x80\x80\x80"), false},
    {SIO_LIT_INIT("\xfe"), false},
    {SIO_LIT_INIT(KAPPA "\xed\xa0\x80" "edited"), false},
    {SIO_LIT_INIT("long enough for a vector \xc3"), false},
    {SIO_LIT_INIT("long enough for a vector \xff, and more of it"), false},
};
// clang-format on

/* Each text in one frame, and in two frames cut anywhere, with or without a
 * ping between them, each fed whole and byte by byte. */
static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        sio_bytes text = texts[i].text;
        sio_error err = texts[i].valid ? SIO_OK : SIO_ERR_UTF8;
        for (size_t at = 0; at <= text.len * 2 + 1; at++) {
            size_t cut = at / 2;
            bool ping = at % 2 != 0;
            sio_bytes head = {text.base, cut};
            sio_bytes tail = {text.base + cut, text.len - cut};
            sio_buf stream = {0};
            if (cut == text.len) {
                ws_add_frame(&stream, 0x81, text.len, text, ws_masks[0]);
            } else {
                ws_add_frame(&stream, 0x01, head.len, head, ws_masks[0]);
                if (ping) {
                    ws_add_frame(&stream, 0x89, 1, SIO_LIT("\xff"),
                                 ws_masks[2]);
                }
                ws_add_frame(&stream, 0x80, tail.len, tail, ws_masks[4]);
            }
            for (size_t how = 0; how < 2; how++) {
                ws_record rec = {0};
                size_t used, bytes = (ping && cut != text.len) + text.len;
                sio_error got =
                    ws_feed_cut(&rec, sio_buf_view(&stream), how * WS_BYTEWISE,
                                &ws_usual_limits, &used);
                assert_int_equal(got, err);
                assert_true(err != SIO_OK || rec.bytes == bytes);
            }
            sio_buf_deinit(&stream);
        }
    }
}

/* Whichever event says stop, it is the last one. */
static void test_stop(void **state)
{
    (void)state;
    static const piece pieces[MAX_PIECES] = {
        F(0x81, "a"), F(0x01, "b"), F(0x89, "c"),   F(0x8a, "d"),
        F(0x80, "e"), F(0x82, "f"), RAW("\xff\xff")};
    static const char *const said[] = {
        "text(a) ",
        "text(a) ping(c) ",
        "text(a) ping(c) pong(d) ",
        "text(a) ping(c) pong(d) text(be) ",
        "text(a) ping(c) pong(d) text(be) binary(f) ",
    };
    sio_buf stream = {0};
    build(&stream, pieces, ws_masks[0]);
    for (size_t i = 0; i < COUNT(said); i++) {
        for (size_t cut = 0; cut <= stream.len + 1; cut++) {
            ws_record rec = {.stop_at = i + 1};
            size_t used;
            sio_error err = ws_feed_cut(&rec, sio_buf_view(&stream), cut,
                                        &ws_usual_limits, &used);
            assert_int_equal(err, SIO_OK);
            assert_string_equal(rec.said, said[i]);
        }
    }
    sio_buf_deinit(&stream);
}

// clang-format off
static const struct {
    const char *label;
    piece pieces[MAX_PIECES];
    const char *said;
    sio_error err;
} compressed[] = {
    {"compressed text",   {F(0xc1, "\xff")}, "ztext(\\ff) ", SIO_OK},
    {"compressed binary", {F(0xc2, "\xff")}, "zbinary(\\ff) ", SIO_OK},
    {"in fragments",      {F(0x41, "\xff"), F(0x89, "p"), F(0x80, "\xc0")},
     "ping(p) ztext(\\ff\\c0) ", SIO_OK},
    {"plain among them",  {F(0xc1, "z"), F(0x81, "a"), F(0x01, "b"), F(0x80, "c")},
     "ztext(z) text(a) text(bc) ", SIO_OK},
    {"plain is checked",  {F(0xc1, "\xff"), CUT(0x81, 9, "\xff")}, "ztext(\\ff) ", BAD(UTF8)},
    {"RSV1 goes on",      {F(0x41, "z"), RAW("\xc0\x80")}, "", BAD(FRAME_BITS)},
    {"RSV1 ping",         {RAW("\xc9\x80")}, "", BAD(FRAME_BITS)},
    {"RSV2",              {RAW("\xe1\x80")}, "", BAD(FRAME_BITS)},
};
// clang-format on

static void test_compressed(void **state)
{
    (void)state;
    tp_ws_limits limits = ws_usual_limits;
    limits.deflate = true;
    for (size_t i = 0; i < COUNT(compressed); i++) {
        sio_buf stream = {0};
        build(&stream, compressed[i].pieces, ws_masks[0]);
        ws_expect(compressed[i].label, sio_buf_view(&stream), &limits,
                  compressed[i].said, compressed[i].err);
        sio_buf_deinit(&stream);
    }
}

static const struct {
    sio_error err;
    uint16_t code;
} answers[] = {
    {SIO_OK, 1000},
    {SIO_ERR_FRAME_BITS, 1002},
    {SIO_ERR_FRAME_LENGTH, 1002},
    {SIO_ERR_FRAME_MASK, 1002},
    {SIO_ERR_FRAME_ORDER, 1002},
    {SIO_ERR_CLOSE_CODE, 1002},
    {SIO_ERR_UTF8, 1007},
    {SIO_ERR_VIOLATION, 1008},
    {SIO_ERR_PACKET_TYPE, 1008},
    {SIO_ERR_TOO_LARGE, 1009},
    {SIO_ERR_NO_MEMORY, 1011},
    {SIO_ERR_STATE, 1011},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        assert_int_equal(tp_ws_close_code_of(answers[i].err), answers[i].code);
    }
}

static void test_close_write(void **state)
{
    (void)state;
    uint8_t out[TP_WS_CLOSE_SIZE];
    assert_int_equal(tp_ws_close_write(out, 0), 2);
    assert_memory_equal(out, "\x88\x00", 2);
    assert_int_equal(tp_ws_close_write(out, TP_WS_CLOSE_NONE), 2);
    assert_memory_equal(out, "\x88\x00", 2);
    assert_int_equal(tp_ws_close_write(out, 1009), 4);
    assert_memory_equal(out, "\x88\x02\x03\xf1", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),     cmocka_unit_test(test_after_errors),
        cmocka_unit_test(test_first_bytes), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_stop),        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_answers),     cmocka_unit_test(test_close_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
