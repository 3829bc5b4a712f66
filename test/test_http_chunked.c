#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/http_chunked.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

/* What came of a body. */
typedef struct outcome {
    sio_error err; /* SIO_OK: it is over */
    size_t used;   /* bytes of the input */
    size_t len;
    uint8_t body[256];
} outcome;

/* Feeds one piece, from where ASan sees a byte read too many. */
static void feed(tp_http_chunked *c, sio_bytes piece, outcome *out)
{
    uint8_t *copy = malloc(piece.len);
    memcpy(copy, piece.base, piece.len);
    sio_bytes in = {copy, piece.len}, data;
    do {
        out->err = tp_http_chunked_next(c, &in, &data);
        if (data.len != 0) {
            assert_int_equal(out->err, SIO_OK);
            assert_true(data.base >= copy && data.base + data.len == in.base);
            assert_true(out->len + data.len <= sizeof(out->body));
            memcpy(out->body + out->len, data.base, data.len);
            out->len += data.len;
        }
    } while (out->err == SIO_OK && data.len != 0);
    if (out->err == SIO_MORE) {
        assert_int_equal(in.len, 0);
    }
    out->used += piece.len - in.len;
    free(copy);
}

/* Decodes in two pieces, or byte by byte if `cut` is 0. */
static outcome decode(sio_bytes in, size_t cut)
{
    tp_http_chunked c = {0};
    outcome out = {.err = SIO_MORE};
    for (size_t at = 0; at < in.len && out.err == SIO_MORE;) {
        size_t len = cut == 0 ? 1 : at == 0 ? cut : in.len - at;
        feed(&c, (sio_bytes){in.base + at, len}, &out);
        at += len;
    }
    return out;
}

// clang-format off
static const struct {
    const char *label;
    sio_bytes in;
    sio_bytes body;
} goods[] = {
    {"empty", B("0\r\n\r\n"), B("")},
    {"one chunk", B("5\r\nhello\r\n0\r\n\r\n"), B("hello")},
    {"two chunks", B("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), B("abc")},
    {"both cases of hex", B("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
     B("01234567890123456789")},
    {"two digits", B("10\r\n0123456789abcdef\r\n0\r\n\r\n"),
     B("0123456789abcdef")},
    {"leading zeros", B("0000000000000003\r\nabc\r\n000\r\n\r\n"), B("abc")},
    {"line ends as data", B("8\r\n\r\n0\r\n\r\n\n\r\n0\r\n\r\n"),
     B("\r\n0\r\n\r\n\n")},
    {"extensions", B("2;a\r\nab\r\n1;b=c;d=\"e;\xff\t\"\r\nc\r\n0;z\r\n\r\n"),
     B("abc")},
    {"trailer", B("1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\n"), B("a")},
    {"framing in a trailer",
     B("0\r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\n\r\n"), B("")},
};
// clang-format on

/* Pipelined bytes behind the body are left where they are. */
static void test_goods(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(goods); i++) {
        char text[128];
        size_t len = goods[i].in.len;
        memcpy(text, goods[i].in.base, len);
        memcpy(text + len, "GET", 3);
        sio_bytes in = {(const uint8_t *)text, len + 3};
        for (size_t cut = 0; cut <= in.len; cut++) {
            outcome got = decode(in, cut);
            CHECK(goods[i].label, got.err == SIO_OK);
            CHECK(goods[i].label, got.used == len);
            CHECK(goods[i].label, got.len == goods[i].body.len);
            CHECK(goods[i].label,
                  memcmp(got.body, goods[i].body.base, got.len) == 0);
        }
        for (size_t have = 1; have < len; have++) {
            outcome got = decode((sio_bytes){in.base, have}, 0);
            CHECK(goods[i].label, got.err == SIO_MORE);
        }
    }
}

#define FRAMING SIO_ERR_HTTP_FRAMING

// clang-format off
static const struct {
    const char *label;
    sio_bytes in;
    size_t used; /* bytes before the one that is refused */
} bads[] = {
    {"no size", B("\r\n\r\n"), 0},
    {"size of no digits", B(";a\r\n"), 0},
    {"no hex digit", B("g\r\n"), 0},
    {"sign", B("+5\r\n"), 0},
    {"minus", B("-1\r\n"), 0},
    {"hex prefix", B("0x5\r\n"), 1},
    {"space in front", B(" 5\r\n"), 0},
    {"space behind", B("5 \r\n"), 1},
    {"space before an extension", B("5 ;a\r\n"), 1},
    {"tab behind", B("5\t\r\n"), 1},
    {"underscore", B("1_0\r\n"), 1},
    {"NUL", B("5\0\r\n"), 1},
    {"seventeen digits", B("00000000000000005\r\n"), 16},
    {"size of 2^63", B("8000000000000000\r\n"), 15},
    {"size of 2^64 - 1", B("ffffffffffffffff\r\n"), 15},
    {"size of 2^64 + 5", B("10000000000000005\r\n"), 16},
    {"CVE-2021-22960 bare LF behind the size", B("5\nhello\r\n"), 1},
    {"CVE-2021-22960 extension with bare LF", B("5;a\nhello\r\n"), 3},
    {"CVE-2022-32214 bare CR behind the size", B("5\rhello\r\n"), 2},
    {"CR CR LF behind the size", B("5\r\r\nhello\r\n"), 2},
    {"bare CR in an extension", B("5;a\rb\r\n"), 4},
    {"NUL in an extension", B("5;\0\r\n"), 2},
    {"data too long", B("2\r\nabc\r\n"), 5},
    {"data too short", B("3\r\nab\r\n0\r\n\r\n"), 6},
    {"bare LF behind the data", B("1\r\na\n0\r\n\r\n"), 4},
    {"bare CR behind the data", B("1\r\na\r0\r\n\r\n"), 5},
    {"no line end behind the data", B("1\r\na0\r\n\r\n"), 4},
    {"bare LF as the end", B("0\r\n\n"), 3},
    {"bare CR as the end", B("0\r\n\rG"), 4},
    {"trailer without a name", B("0\r\n: a\r\n\r\n"), 3},
    {"trailer without a colon", B("0\r\nab\r\n\r\n"), 5},
    {"space before a trailer's colon", B("0\r\na : b\r\n\r\n"), 4},
    {"folded trailer", B("0\r\na: b\r\n c\r\n\r\n"), 9},
    {"bare LF behind a trailer", B("0\r\na: b\n\r\n"), 7},
    {"bare CR in a trailer", B("0\r\na: b\rc\r\n\r\n"), 8},
    {"NUL in a trailer", B("0\r\na: \0\r\n\r\n"), 6},
    {"request for a trailer", B("0\r\nGET / HTTP/1.1\r\n"), 6},
};
// clang-format on

/* Refused at the very byte, and for good. */
static void test_bads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bads); i++) {
        for (size_t cut = 0; cut <= bads[i].in.len; cut++) {
            outcome got = decode(bads[i].in, cut);
            CHECK(bads[i].label, got.err == FRAMING);
            CHECK(bads[i].label, got.used == bads[i].used);
        }
    }
    tp_http_chunked c = {0};
    outcome out = {0};
    feed(&c, SIO_LIT("x"), &out);
    feed(&c, SIO_LIT("0\r\n\r\n"), &out);
    assert_int_equal(out.err, FRAMING);
}

static void test_largest(void **state)
{
    (void)state;
    tp_http_chunked c = {0};
    outcome out = {0};
    feed(&c, SIO_LIT("7fffffffffffffff\r\nab"), &out);
    assert_int_equal(out.err, SIO_MORE);
    assert_int_equal(out.len, 2);
    assert_true(c.left == INT64_MAX - 2);
}

/* Once over, it stays over. */
static void test_over(void **state)
{
    (void)state;
    tp_http_chunked c = {0};
    outcome out = {0};
    feed(&c, SIO_LIT("0\r\n\r\n"), &out);
    assert_int_equal(out.err, SIO_OK);
    feed(&c, SIO_LIT("1\r\na\r\n"), &out);
    assert_int_equal(out.err, SIO_OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(out.used, 5);
}

/* CVE-2024-22019: what is dropped is bounded, in sum. */
static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        const char *before, *unit, *after;
        size_t units;
        sio_error err;
    } rows[] = {
        {"extension that fits", "1;", "x", "\r\na\r\n0\r\n\r\n",
         TP_HTTP_CHUNK_EXTENSIONS_MAX, SIO_OK},
        {"CVE-2024-22019 extension of 4097", "1;", "x", "\r\na\r\n0\r\n\r\n",
         TP_HTTP_CHUNK_EXTENSIONS_MAX + 1, SIO_ERR_HTTP_HEADERS},
        {"CVE-2024-22019 extension of 1 MB", "1;", "x", "", 1000000,
         SIO_ERR_HTTP_HEADERS},
        {"empty extensions cost nothing", "", "1;\r\na\r\n", "0\r\n\r\n", 100,
         SIO_OK},
        {"many extensions that fit", "", "1;abcdefghijklmnop\r\na\r\n",
         "0\r\n\r\n", TP_HTTP_CHUNK_EXTENSIONS_MAX / 16, SIO_OK},
        {"many extensions", "", "1;abcdefghijklmnop\r\na\r\n", "0;b\r\n\r\n",
         TP_HTTP_CHUNK_EXTENSIONS_MAX / 16, SIO_ERR_HTTP_HEADERS},
        {"full trailer", "0\r\n", "abc:\tg\r\n", "\r\n",
         TP_HTTP_TRAILERS_MAX / 8, SIO_OK},
        {"overfull trailer", "0\r\n", "abc:\tg\r\n", "h",
         TP_HTTP_TRAILERS_MAX / 8, SIO_ERR_HTTP_HEADERS},
        {"endless trailer", "0\r\n", "x", "", 1000000, SIO_ERR_HTTP_HEADERS},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        tp_http_chunked c = {0};
        outcome out = {.err = SIO_MORE};
        const char *parts[] = {rows[i].before, rows[i].unit, rows[i].after};
        size_t counts[] = {1, rows[i].units, 1};
        for (size_t part = 0; part < 3; part++) {
            sio_bytes text = {(const uint8_t *)parts[part],
                              strlen(parts[part])};
            for (size_t n = 0; n < counts[part] && out.err == SIO_MORE; n++) {
                out.len = 0;
                feed(&c, text, &out);
            }
        }
        CHECK(rows[i].label, out.err == rows[i].err);
        CHECK(rows[i].label, out.used < 32768);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goods),   cmocka_unit_test(test_bads),
        cmocka_unit_test(test_largest), cmocka_unit_test(test_over),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
