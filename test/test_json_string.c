#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)

static void check(const char *label, intmax_t got, intmax_t want)
{
    if (got != want) {
        fail_msg("%s: %jd, not %jd", label, got, want);
    }
}

/* Where ASan sees a byte read too many. */
static sio_bytes copy_of(sio_bytes in)
{
    uint8_t *copy = malloc(in.len);
    if (in.len != 0) {
        memcpy(copy, in.base, in.len);
    }
    return (sio_bytes){copy, in.len};
}

static void drop(sio_bytes copy)
{
    free((void *)(uintptr_t)copy.base);
}

// clang-format off
/* `means` is NULL where the string is refused. */
static const struct {
    const char *label;
    sio_bytes in;
    const char *means;
    size_t len;
} strings[] = {
    {"empty", B("\"\""), "", 0},
    {"letters", B("\"abc\""), "abc", 3},
    {"long", B("\"0123456789abcdef0123456789abcdef\\n\""),
     "0123456789abcdef0123456789abcdef\n", 33},
    {"short escapes", B("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\/\b\f\n\r\t", 8},
    {"ASCII", B("\"\\u0041\\u007f\""), "A\x7f", 2},
    {"NUL", B("\"a\\u0000b\""), "a\0b", 3},
    {"two bytes", B("\"\\u00e9\\u0080\\u07FF\""), "\xc3\xa9\xc2\x80\xdf\xbf", 6},
    {"three bytes", B("\"\\u20ac\\u0800\\uffff\""),
     "\xe2\x82\xac\xe0\xa0\x80\xef\xbf\xbf", 9},
    {"pair", B("\"\\ud83d\\uDE00\""), "\xf0\x9f\x98\x80", 4},
    {"least pair", B("\"\\ud800\\udc00\""), "\xf0\x90\x80\x80", 4},
    {"greatest pair", B("\"\\udbff\\udfff\""), "\xf4\x8f\xbf\xbf", 4},
    {"lone high", B("\"\\ud83d\""), "\xef\xbf\xbd", 3},
    {"lone high, then letter", B("\"\\ud83da\""), "\xef\xbf\xbd" "a", 4},
    {"lone high, then escape", B("\"\\ud83d\\n\""), "\xef\xbf\xbd\n", 4},
    {"lone high, then no low", B("\"\\ud83d\\u0041\""), "\xef\xbf\xbd" "A", 4},
    {"lone low", B("\"\\ude00\""), "\xef\xbf\xbd", 3},
    {"two high, low", B("\"\\ud83d\\ud83d\\ude00\""),
     "\xef\xbf\xbd\xf0\x9f\x98\x80", 7},
    {"swapped", B("\"\\ude00\\ud83d\""), "\xef\xbf\xbd\xef\xbf\xbd", 6},
    {"UTF-8", B("\"\xc3\xa9\\u00e9\""), "\xc3\xa9\xc3\xa9", 4},
    {"no quotes", B("abc"), NULL, 0},
    {"one quote", B("\""), NULL, 0},
    {"nothing", B(""), NULL, 0},
    {"no end", B("\"abc"), NULL, 0},
    {"more behind", B("\"abc\"d"), NULL, 0},
    {"quote inside", B("\"ab\"c\""), NULL, 0},
    {"control", B("\"a\nb\""), NULL, 0},
    {"bad escape", B("\"a\\qb\""), NULL, 0},
    {"bad hex", B("\"\\u12g4\""), NULL, 0},
    {"escape cut short", B("\"\\u12\""), NULL, 0},
    {"end escaped", B("\"abc\\\""), NULL, 0},
};
// clang-format on

static void test_unescape(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        const char *label = strings[i].label;
        sio_bytes in = copy_of(strings[i].in);
        uint8_t *out = malloc(in.len);
        size_t len = 77;
        sio_error err = sio_json_unescape(in, out, &len);
        if (strings[i].means == NULL) {
            check(label, err, SIO_ERR_JSON);
            check(label, (intmax_t)len, 77);
        } else {
            sio_bytes want = {(const uint8_t *)strings[i].means,
                              strings[i].len};
            sio_bytes less = {want.base, want.len - (want.len != 0)};
            check(label, err, SIO_OK);
            check(label, sio_bytes_eq((sio_bytes){out, len}, want), true);
            check(label, sio_json_string_is(in, want), true);
            check(label, sio_json_string_is(in, less), want.len == 0);
            check(label, sio_json_string_is(in, SIO_LIT("other")), false);
            err = sio_json_unescape(in, (uint8_t *)(uintptr_t)in.base, &len);
            check(label, err, SIO_OK);
            check(label, sio_bytes_eq((sio_bytes){in.base, len}, want), true);
        }
        free(out);
        drop(in);
    }
}

/* What JSON.stringify gives. */
static void test_write_string(void **state)
{
    (void)state;
    static const struct {
        sio_bytes in;
        const char *out;
    } rows[] = {
        {B(""), "\"\""},
        {B("abc"), "\"abc\""},
        {B("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {B("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\""},
        {B("\0\x01\x07\x0b\x0e\x1f"),
         "\"\\u0000\\u0001\\u0007\\u000b\\u000e\\u001f\""},
        {B("\x7f"), "\"\x7f\""},
        {B("\xe2\x80\xa8\xf0\x9f\x98\x80"), "\"\xe2\x80\xa8\xf0\x9f\x98\x80\""},
        {B("0123456789abcdef\"0123456789abcdef"),
         "\"0123456789abcdef\\\"0123456789abcdef\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_bytes in = copy_of(rows[i].in);
        sio_writer measured = {0};
        sio_json_write_string(&measured, in);
        sio_writer w = {malloc(measured.len), measured.len, 0};
        sio_json_write_string(&w, in);
        check(rows[i].out, (intmax_t)w.len, (intmax_t)strlen(rows[i].out));
        check(rows[i].out, memcmp(w.base, rows[i].out, w.len), 0);
        free(w.base);
        drop(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_write_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
