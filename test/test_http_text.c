#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/http1.h"
#include "transport/http_scan.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

#define H11 " HTTP/1.1\r\nHost: a\r\n"

/* Every byte, in each place where only some may stand. */
static void test_alphabets(void **state)
{
    (void)state;
    const tp_http_limits lim = TP_HTTP_LIMITS_DEFAULT;
    static const struct {
        const char *label;
        const char *before, *after;
        const char *allowed; /* beside letters and digits */
        bool high;           /* bytes from 0x80 */
    } places[] = {
        {"method", "G", " /" H11 "\r\n", "!#$%&'*+-.^_`|~", false},
        {"target", "GET /", H11 "\r\n", "!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
         true},
        {"name", "GET /" H11 "X", "Y: z\r\n\r\n", "!#$%&'*+-.^_`|~:", false},
        {"value", "GET /" H11 "X: y", "z\r\n\r\n",
         "\t !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", true},
        {"host", "GET / HTTP/1.1\r\nHost: a", "\r\n\r\n",
         "\t -._~!$&'()*+,;=:", false},
    };
    for (size_t i = 0; i < COUNT(places); i++) {
        for (unsigned c = 0; c < 256; c++) {
            char text[128];
            int len = snprintf(text, sizeof(text), "%s%c%s", places[i].before,
                               (int)c, places[i].after);
            bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z');
            bool want = alnum || (c >= 0x80 && places[i].high) ||
                        (c != 0 && c < 0x80 &&
                         strchr(places[i].allowed, (int)c) != NULL);
            tp_http_head got;
            sio_bytes in = {(const uint8_t *)text, (size_t)len};
            sio_error err = tp_http_head_parse(in, &lim, &got);
            if ((err == SIO_OK) != want) {
                fail_msg("%s: byte 0x%02x gives %d", places[i].label, c, err);
            }
        }
    }
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        sio_bytes list, token;
        bool has;
    } rows[] = {
        {"alone", B("gzip"), B("gzip"), true},
        {"other case", B("GZip"), B("gzIP"), true},
        {"first", B("gzip,br"), B("gzip"), true},
        {"last", B("br ,\t gzip \t"), B("gzip"), true},
        {"among empty ones", B(",, gzip,,"), B("gzip"), true},
        {"part of a word", B("gzipx, xgzip"), B("gzip"), false},
        {"word with a space", B("gzip x"), B("gzip"), false},
        {"with a parameter", B("gzip;q=1"), B("gzip"), false},
        {"case of no letter", B("a\x7f"), B("a_"), false},
        {"empty list", B(""), B("gzip"), false},
        {"only commas", B(",,"), B("gzip"), false},
        {"absent", {NULL, 0}, B("gzip"), false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK(rows[i].label, tp_http_list_has_token(
                                 rows[i].list, rows[i].token) == rows[i].has);
    }
}

static void test_list_elements(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        sio_bytes list;
        size_t count;
        sio_bytes elements[3];
    } rows[] = {
        {"absent", {NULL, 0}, 0, {B("")}},
        {"empty", B(""), 1, {B("")}},
        {"blank", B(" \t "), 1, {B("")}},
        {"one", B(" a b "), 1, {B("a b")}},
        {"three", B("a ,\tb, c"), 3, {B("a"), B("b"), B("c")}},
        {"empty ones", B(", ,"), 3, {B(""), B(""), B("")}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t *copy = malloc(rows[i].list.len);
        sio_bytes rest = {NULL, 0}, element;
        if (rows[i].list.base != NULL) {
            memcpy(copy, rows[i].list.base, rows[i].list.len);
            rest = (sio_bytes){copy, rows[i].list.len};
        }
        for (size_t n = 0; n < rows[i].count; n++) {
            CHECK(rows[i].label, tp_http_list_next(&rest, &element));
            CHECK(rows[i].label, sio_bytes_eq(element, rows[i].elements[n]));
        }
        CHECK(rows[i].label, !tp_http_list_next(&rest, &element));
        CHECK(rows[i].label, !tp_http_list_next(&rest, &element));
        free(copy);
    }
}

static void test_hosts(void **state)
{
    (void)state;
    static const struct {
        sio_bytes text;
        bool ok;
    } rows[] = {
        {B(""), true},       {B("a"), true},      {B("a.b-c:80"), true},
        {B("a:"), true},     {B(":80"), true},    {B("127.0.0.1:1"), true},
        {B("[::]"), true},   {B("[::]:1"), true}, {B("%41%fF"), true},
        {B("["), false},     {B("[:"), false},    {B("[:]"), false},
        {B("[::g]"), false}, {B("[::]1"), false}, {B("[::]:a"), false},
        {B("%"), false},     {B("%4"), false},    {B("%4g"), false},
        {B("a::"), false},   {B("a:-1"), false},  {B("a]"), false},
        {B("a\0"), false},   {B("a\\b"), false},  {B("a,b:1,2"), false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t *copy = malloc(rows[i].text.len);
        memcpy(copy, rows[i].text.base, rows[i].text.len);
        sio_bytes text = {copy, rows[i].text.len};
        if (tp_http_is_host(text) != rows[i].ok) {
            fail_msg("host '%.*s'", (int)text.len, (const char *)copy);
        }
        free(copy);
    }
}

/* ASCII letters have two cases, and nothing else has. */
static void test_equals(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            uint8_t x = (uint8_t)a, y = (uint8_t)b;
            bool letter = (a >= 'A' && a <= 'Z') || (a >= 'a' && a <= 'z');
            bool want = a == b || (letter && (a ^ 0x20) == b);
            sio_bytes one = {&x, 1}, other = {&y, 1};
            assert_int_equal(tp_http_equals(one, other), want);
        }
    }
    assert_false(tp_http_equals(SIO_LIT("ab"), SIO_LIT("a")));
    assert_true(tp_http_equals(SIO_LIT(""), (sio_bytes){NULL, 0}));
}

/* Every byte at every place of words and what is left of them. */
static void test_equals_at(void **state)
{
    (void)state;
    enum { LEN = 20 };
    for (size_t i = 0; i < (size_t)LEN * LEN * 256; i++) {
        size_t len = i % LEN + 1, at = i / LEN % LEN;
        uint8_t c = (uint8_t)(i / LEN / LEN);
        if (at >= len) {
            continue;
        }
        uint8_t *a = malloc(len), *b = malloc(len);
        assert_true(a != NULL && b != NULL);
        memset(a, 'x', len);
        memset(b, 'X', len);
        a[at] = c;
        bool want = c == 'x' || c == 'X';
        assert_int_equal(
            tp_http_equals((sio_bytes){a, len}, (sio_bytes){b, len}), want);
        free(a);
        free(b);
    }
}

/* Blocks stop where the table does, wherever a byte stands. */
static void test_skips(void **state)
{
    (void)state;
    enum { LEN = 40 };
    for (size_t i = 0; i < (size_t)LEN * 256; i++) {
        size_t at = i % LEN;
        uint8_t *text = malloc(LEN + 1); /* with its line feed */
        assert_non_null(text);
        memset(text, 'a', LEN);
        text[at] = (uint8_t)(i / LEN);
        text[LEN] = '\n';
        const uint8_t *end = text + LEN + 1;
        assert_ptr_equal(tp_http_skip_token(text, end),
                         tp_http_skip(text, TP_HTTP_CLASS_TOKEN));
        assert_ptr_equal(tp_http_skip_target(text, end),
                         tp_http_skip(text, TP_HTTP_CLASS_TARGET));
        assert_ptr_equal(tp_http_skip_value(text, end),
                         tp_http_skip(text, TP_HTTP_CLASS_VALUE));
        free(text);
    }
}

static void test_empty_lines(void **state)
{
    (void)state;
    enum { LEN = 40 };
    static const char *const ends[] = {"\n\n", "\n\r\n", "\r\n\r\n"};
    for (size_t i = 0; i < COUNT(ends) * LEN; i++) {
        const char *end = ends[i % COUNT(ends)];
        size_t at = i / COUNT(ends) + 1, size = strlen(end);
        size_t len = at + size + 1, cut = at + size - 1;
        uint8_t *text = malloc(len);
        assert_non_null(text);
        memset(text, at % 2 == 0 ? 'a' : '\r', len);
        memcpy(text + at, end, size);
        assert_int_equal(tp_http_find_empty_line(text, 2, len), cut);
        assert_int_equal(tp_http_find_empty_line(text, cut, len), cut);
        assert_int_equal(tp_http_find_empty_line(text, 2, cut), cut);
        assert_int_equal(tp_http_find_empty_line(text, cut + 1, len), len);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alphabets),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_list_elements),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_equals),
        cmocka_unit_test(test_equals_at),
        cmocka_unit_test(test_skips),
        cmocka_unit_test(test_empty_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
