#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/ws_frame.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define BAD(why) SIO_ERR_FRAME_##why, 0, 0, 0

// clang-format off
static const struct {
    const char *label;
    sio_bytes in;
    sio_error err;
    tp_ws_opcode opcode;
    uint64_t payload;
    size_t size;
} headers[] = {
    {"masked text",    B("\x81\x85mask"),   SIO_OK, TP_WS_OP_TEXT, 5, 6},
    {"125 is short",   B("\x82\x7d"),       SIO_OK, TP_WS_OP_BINARY, 125, 2},
    {"126 is medium",  B("\x82\x7e\0\x7e"), SIO_OK, TP_WS_OP_BINARY, 126, 4},
    {"65535 is medium", B("\x82\x7e\xff\xff"),
                                            SIO_OK, TP_WS_OP_BINARY, 65535, 4},
    {"64 KiB is long", B("\x82\x7f\0\0\0\0\0\1\0\0"),
                                            SIO_OK, TP_WS_OP_BINARY, 65536, 10},
    {"longest of all", B("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask"),
                                            SIO_OK, TP_WS_OP_BINARY, INT64_MAX, 14},
    {"empty ping",     B("\x89\x80mask"),   SIO_OK, TP_WS_OP_PING, 0, 6},
    {"longest pong",   B("\x8a\xfdmask"),   SIO_OK, TP_WS_OP_PONG, 125, 6},
    {"close",          B("\x88\x82mask"),   SIO_OK, TP_WS_OP_CLOSE, 2, 6},
    {"continuation",   B("\x00\x81mask"),   SIO_OK, TP_WS_OP_CONTINUATION, 1, 6},
    {"padded length",  B("\x82\x7e\0\x7d"), BAD(LENGTH)},
    {"padded to 64",   B("\x82\x7f\0\0\0\0\0\0\xff\xff"), BAD(LENGTH)},
    {"bit 63 set",     B("\x82\x7f\x80\0\0\0\0\0\0\0"), BAD(LENGTH)},
    {"all bits set",   B("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xffmask"), BAD(LENGTH)},
    {"split ping",     B("\x09\x00"),       BAD(LENGTH)},
    {"126 byte ping",  B("\x89\x7e"),       BAD(LENGTH)},
    {"opcode 3",       B("\x83\x00"),       BAD(BITS)},
    {"opcode 11",      B("\x8b\x00"),       BAD(BITS)},
    {"opcode 15",      B("\x8f\x00"),       BAD(BITS)},
    {"unasked RSV1",   B("\xc1\x00"),       BAD(BITS)},
    {"RSV2",           B("\xa1\x00"),       BAD(BITS)},
    {"RSV3",           B("\x91\x00"),       BAD(BITS)},
};
// clang-format on

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++) {
        tp_ws_header got = {0};
        sio_bytes in = headers[i].in;
        sio_error err = tp_ws_header_decode(in, false, &got);
        if (err != headers[i].err || got.opcode != headers[i].opcode ||
            got.payload != headers[i].payload || got.size != headers[i].size) {
            fail_msg("%s: %d, opcode %u, payload %llu, size %zu",
                     headers[i].label, err, (unsigned)got.opcode,
                     (unsigned long long)got.payload, got.size);
        }
        if (err == SIO_OK) {
            assert_int_equal(got.fin, (in.base[0] & 0x80) != 0);
            assert_int_equal(got.masked, (in.base[1] & 0x80) != 0);
            assert_memory_equal(got.mask, got.masked ? "mask" : "\0\0\0\0", 4);
        }
    }
}

/* Bytes arrive in any portions: every proper prefix of a good header must
 * ask for more.  Each is copied to where ASan sees a byte read too many. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++) {
        for (size_t len = 1; len < headers[i].size; len++) {
            uint8_t *copy = malloc(len);
            assert_non_null(copy);
            memcpy(copy, headers[i].in.base, len);
            tp_ws_header got;
            sio_bytes prefix = {copy, len};
            sio_error err = tp_ws_header_decode(prefix, false, &got);
            if (err != SIO_MORE) {
                fail_msg("%s, %zu bytes: %d", headers[i].label, len, err);
            }
            free(copy);
        }
    }
}

static const struct {
    const char *label;
    tp_ws_opcode opcode;
    bool deflated;
    uint64_t payload;
    sio_bytes out;
} written[] = {
    {"empty text", TP_WS_OP_TEXT, false, 0, B("\x81\x00")},
    {"125", TP_WS_OP_BINARY, false, 125, B("\x82\x7d")},
    {"126", TP_WS_OP_BINARY, false, 126, B("\x82\x7e\x00\x7e")},
    {"258", TP_WS_OP_TEXT, true, 258, B("\xc1\x7e\x01\x02")},
    {"65535", TP_WS_OP_TEXT, false, 65535, B("\x81\x7e\xff\xff")},
    {"65536", TP_WS_OP_TEXT, false, 65536, B("\x81\x7f\0\0\0\0\0\1\0\0")},
    {"all bytes", TP_WS_OP_BINARY, true, 0x0102030405060708,
     B("\xc2\x7f\1\2\3\4\5\6\7\x08")},
    {"pong", TP_WS_OP_PONG, false, 125, B("\x8a\x7d")},
    {"close", TP_WS_OP_CLOSE, false, 2, B("\x88\x02")},
};

static void test_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(written); i++) {
        uint8_t out[TP_WS_HEADER_MAX];
        size_t size = tp_ws_header_write(
            out, written[i].opcode, written[i].deflated, written[i].payload);
        if (!sio_bytes_eq((sio_bytes){out, size}, written[i].out)) {
            fail_msg("%s: %zu bytes", written[i].label, size);
        }
        tp_ws_header back;
        sio_bytes in = {out, size};
        assert_int_equal(tp_ws_header_decode(in, true, &back), SIO_OK);
        assert_int_equal(back.opcode, written[i].opcode);
        assert_int_equal(back.deflated, written[i].deflated);
        assert_int_equal(back.payload, written[i].payload);
        assert_int_equal(back.size, size);
        assert_true(back.fin && !back.masked);
    }
}

/* Equal to the loop of RFC 6455, section 5.3, and no byte beyond, for every
 * alignment, length and position in the payload. */
static void test_unmask(void **state)
{
    (void)state;
    enum { ALIGNMENTS = 16, LENGTHS = 301, OFFSETS = 5 };
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

    for (size_t i = 0; i < ALIGNMENTS * LENGTHS * OFFSETS; i++) {
        size_t shift = i % ALIGNMENTS;
        size_t len = i / ALIGNMENTS % LENGTHS;
        size_t offset = i / ALIGNMENTS / LENGTHS;
        uint8_t *block = malloc(shift + len + 1);
        assert_non_null(block);
        for (size_t n = 0; n < shift + len + 1; n++) {
            block[n] = (uint8_t)(n * 7);
        }
        tp_ws_unmask(block + shift, len, mask, offset);
        for (size_t n = 0; n < shift + len + 1; n++) {
            uint8_t want = (uint8_t)(n * 7);
            if (n >= shift && n < shift + len) {
                want ^= mask[(n - shift + offset) % 4];
            }
            if (block[n] != want) {
                fail_msg("shift %zu, %zu bytes, offset %zu: at %zu", shift, len,
                         offset, n);
            }
        }
        free(block);
    }
}

/* All lengths, in memory of exactly those, and a byte beyond ASCII at each
 * place. */
static void test_unmask_short(void **state)
{
    (void)state;
    enum { LEN = 126 };
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    for (size_t i = 0; i < (size_t)LEN * LEN; i++) {
        size_t len = i % LEN, high = i / LEN; /* none if it is no place */
        uint8_t *data = malloc(len == 0 ? 1 : len);
        assert_non_null(data);
        for (size_t n = 0; n < len; n++) {
            data[n] = (uint8_t)(n | (n == high ? 0x80 : 0)) ^ mask[n % 4];
        }
        assert_int_equal(tp_ws_unmask_short(data, len, mask), high >= len);
        for (size_t n = 0; n < len; n++) {
            assert_int_equal(data[n], n | (n == high ? 0x80 : 0));
        }
        free(data);
    }
}

/* A payload may be unmasked in pieces. */
static void test_unmask_pieces(void **state)
{
    (void)state;
    static const uint8_t mask[4] = {1, 2, 4, 8};
    for (size_t cut = 0; cut <= 100; cut++) {
        uint8_t *data = calloc(1, 100);
        assert_non_null(data);
        tp_ws_unmask(data, cut, mask, 0);
        tp_ws_unmask(data + cut, 100 - cut, mask, cut);
        for (size_t n = 0; n < 100; n++) {
            assert_int_equal(data[n], mask[n % 4]);
        }
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_unmask),
        cmocka_unit_test(test_unmask_pieces),
        cmocka_unit_test(test_unmask_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
