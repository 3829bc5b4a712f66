#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/ws_record.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
    uint64_t announced;
    size_t max_message;
    sio_error err;
} lengths[] = {
    {UINT64_MAX, SIZE_MAX, SIO_ERR_FRAME_LENGTH},
    {UINT64_MAX - 3, SIZE_MAX, SIO_ERR_FRAME_LENGTH},
    {UINT64_MAX - 7, SIZE_MAX, SIO_ERR_FRAME_LENGTH},
    {UINT64_MAX - 13, SIZE_MAX, SIO_ERR_FRAME_LENGTH},
    {(uint64_t)1 << 63, SIZE_MAX, SIO_ERR_FRAME_LENGTH},
    {INT64_MAX, INT64_MAX - 1, SIO_ERR_TOO_LARGE},
    {INT64_MAX, 1000000, SIO_ERR_TOO_LARGE},
    {((uint64_t)1 << 32) + 1, 1000000, SIO_ERR_TOO_LARGE},
    {((uint64_t)1 << 32) + 1, UINT32_MAX, SIO_ERR_TOO_LARGE},
    {(uint64_t)1 << 32, UINT32_MAX, SIO_ERR_TOO_LARGE},
    {256000000, 1000000, SIO_ERR_TOO_LARGE},
    {1000001, 1000000, SIO_ERR_TOO_LARGE},
    {1000000, 1000000, SIO_OK},
    {65536, 65535, SIO_ERR_TOO_LARGE},
    {126, 125, SIO_ERR_TOO_LARGE},
    {1, 0, SIO_ERR_TOO_LARGE},
    {0, 0, SIO_OK},
    {INT64_MAX, SIZE_MAX, SIO_OK},
};

/* Lengths are refused at the header, and never allocated. */
static void test_announced_lengths(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        tp_ws_limits limits = ws_usual_limits;
        limits.max_message = lengths[i].max_message;
        sio_buf stream = {0};
        ws_add_header(&stream, 0x82, lengths[i].announced, ws_masks[0]);
        const char *said = lengths[i].announced == 0 ? "binary() " : "";
        ws_expect("length", sio_buf_view(&stream), &limits, said,
                  lengths[i].err);

        tp_ws_reader r = {0};
        ws_record rec = {0};
        (void)ws_feed(&r, &rec, sio_buf_view(&stream), &limits);
        assert_true(tp_ws_reader_memory(&r) <= 128);
        if (lengths[i].err == SIO_OK && lengths[i].announced != 0) {
            assert_int_equal(ws_feed(&r, &rec, SIO_LIT("abc"), &limits),
                             SIO_OK);
            assert_true(tp_ws_reader_memory(&r) <= 256 + 128);
        }
        tp_ws_reader_deinit(&r);
        sio_buf_deinit(&stream);
    }
}

/* The limit counts all fragments together, and no control frames. */
static void test_gathered_length(void **state)
{
    (void)state;
    tp_ws_limits limits = ws_usual_limits;
    limits.max_message = 4;
    sio_buf stream = {0};
    ws_add_frame(&stream, 0x01, 3, SIO_LIT("abc"), ws_masks[0]);
    ws_add_frame(&stream, 0x89, 5, SIO_LIT("12345"), ws_masks[0]);
    size_t start = stream.len;
    ws_add_frame(&stream, 0x80, 1, SIO_LIT("d"), ws_masks[0]);
    ws_add_frame(&stream, 0x82, 4, SIO_LIT("wxyz"), ws_masks[0]);
    ws_expect("exactly", sio_buf_view(&stream), &limits,
              "ping(12345) text(abcd) binary(wxyz) ", SIO_OK);

    stream.len = start;
    ws_add_header(&stream, 0x80, 2, ws_masks[0]);
    ws_expect("one more", sio_buf_view(&stream), &limits, "ping(12345) ",
              SIO_ERR_TOO_LARGE);
    sio_buf_deinit(&stream);
}

static const struct {
    uint32_t max_fragments;
    uint32_t frames; /* none of them the last */
    size_t payload;
    bool fits;
} floods[] = {
    {16384, 40000, 1, false}, {16384, 200000, 0, false},
    {16384, 16383, 1, true},  {16384, 16383, 0, true},
    {1, 1, 1, false},         {2, 1, 1, true},
    {1, 0, 1, true},
};

static void test_fragment_floods(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(floods); i++) {
        tp_ws_limits limits = {.max_message = 1000000,
                               .max_fragments = floods[i].max_fragments};
        sio_bytes payload = {(const uint8_t *)"x", floods[i].payload};
        tp_ws_reader r = {0};
        ws_record rec = {.in_place = true};
        sio_error err = SIO_OK;
        uint32_t n = 0;
        for (; n <= floods[i].frames && err == SIO_OK; n++) {
            sio_buf frame = {0};
            bool last = n == floods[i].frames;
            uint8_t first = (uint8_t)((last ? 0x80 : 0) | (n == 0 ? 1 : 0));
            ws_add_frame(&frame, first, payload.len, payload, ws_masks[0]);
            err = ws_feed(&r, &rec, sio_buf_view(&frame), &limits);
            sio_buf_deinit(&frame);
            assert_true(tp_ws_reader_memory(&r) <= (size_t)n * 2 + 4096);
        }
        if (floods[i].fits) {
            assert_int_equal(err, SIO_OK);
            assert_int_equal(rec.events, 1);
            assert_int_equal(rec.bytes, (floods[i].frames + 1) * payload.len);
            assert_int_equal(tp_ws_reader_memory(&r), 0);
        } else {
            assert_int_equal(err, SIO_ERR_VIOLATION);
            assert_int_equal(n, floods[i].max_fragments + 1);
            assert_int_equal(rec.events, 0);
        }
        tp_ws_reader_deinit(&r);
    }
}

static bool code_allowed(unsigned code)
{
    static const struct {
        unsigned from, to;
    } ranges[] = {{1000, 1003}, {1007, 1014}, {3000, 4999}};

    for (size_t i = 0; i < COUNT(ranges); i++) {
        if (code >= ranges[i].from && code <= ranges[i].to) {
            return true;
        }
    }
    return false;
}

static void test_close_codes(void **state)
{
    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        uint8_t payload[] = {(uint8_t)(code >> 8), (uint8_t)code, 'b'};
        sio_buf stream = {0};
        ws_add_frame(&stream, 0x88, 3, (sio_bytes){payload, 3}, ws_masks[0]);
        ws_record rec = {0};
        size_t used;
        sio_error err = ws_feed_cut(&rec, sio_buf_view(&stream), 0,
                                    &ws_usual_limits, &used);
        char said[40] = "";
        if (code_allowed(code)) {
            (void)snprintf(said, sizeof(said), "%u:close(b) ", code);
        }
        assert_string_equal(rec.said, said);
        assert_int_equal(err, said[0] ? SIO_OK : SIO_ERR_CLOSE_CODE);
        sio_buf_deinit(&stream);
    }
}

/* A frame that is wholly there is handed on where it lies; a cut anywhere but
 * in a payload costs no copy. */
static void test_in_place(void **state)
{
    (void)state;
    static const struct {
        uint8_t first;
        sio_bytes payload;
    } frames[] = {
        {0x81, SIO_LIT_INIT("one")},   {0x89, SIO_LIT_INIT("two")},
        {0x82, SIO_LIT_INIT("three")}, {0x01, SIO_LIT_INIT("")},
        {0x80, SIO_LIT_INIT("four")},
    };
    sio_buf stream = {0};
    bool copied[64] = {false};
    for (size_t i = 0; i < COUNT(frames); i++) {
        sio_bytes payload = frames[i].payload;
        ws_add_frame(&stream, frames[i].first, payload.len, payload,
                     ws_masks[0]);
        for (size_t n = 1; n < payload.len; n++) {
            copied[stream.len - n] = true;
        }
    }
    assert_true(stream.len < COUNT(copied));

    for (size_t cut = 0; cut <= stream.len; cut++) {
        ws_record rec = {0};
        size_t used;
        assert_int_equal(ws_feed_cut(&rec, sio_buf_view(&stream), cut,
                                     &ws_usual_limits, &used),
                         SIO_OK);
        assert_string_equal(rec.said,
                            "text(one) ping(two) binary(three) text(four) ");
        assert_int_equal(rec.in_place, !copied[cut]);
    }
    sio_buf_deinit(&stream);
}

/* Long payloads in reads of many sizes come out as they went in. */
static void test_long_messages(void **state)
{
    (void)state;
    static const size_t sizes[] = {125, 126, 127, 65535, 65536, 65537, 300000};
    static const size_t reads[] = {SIZE_MAX, 65536, 4096, 1000, 7};
    static const tp_ws_limits limits = {.max_message = 300000,
                                        .max_fragments = 1};
    uint8_t *text = malloc(300000);
    assert_non_null(text);
    for (size_t i = 0; i < 300000; i++) {
        text[i] = (uint8_t)('!' + i % 89);
    }
    for (size_t i = 0; i < COUNT(sizes) * COUNT(reads); i++) {
        size_t size = sizes[i % COUNT(sizes)];
        size_t step = reads[i / COUNT(sizes)];
        sio_buf stream = {0};
        ws_add_frame(&stream, 0x81, size, (sio_bytes){text, size}, ws_masks[0]);
        ws_add_frame(&stream, 0x89, 1, SIO_LIT("p"), ws_masks[0]);
        tp_ws_reader r = {0};
        ws_record rec = {.in_place = true};
        for (size_t at = 0; at < stream.len;) {
            size_t len = stream.len - at < step ? stream.len - at : step;
            sio_bytes read = {stream.base + at, len};
            assert_int_equal(ws_feed(&r, &rec, read, &limits), SIO_OK);
            at += len;
        }
        assert_int_equal(rec.events, 2);
        assert_int_equal(rec.bytes, size + 1);
        tp_ws_reader_deinit(&r);
        sio_buf_deinit(&stream);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_announced_lengths),
        cmocka_unit_test(test_gathered_length),
        cmocka_unit_test(test_fragment_floods),
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_long_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
