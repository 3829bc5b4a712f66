#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/jsonp.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)

// clang-format off
static const struct {
    sio_bytes value;
    const char *index; /* NULL: refused */
} indices[] = {
    {B("0"), "0"}, {B("17"), "17"}, {B(""), ""}, {B("abc"), ""},
    {B("alert(1)"), "1"}, {B("1]+alert(2)//"), "12"}, {B("%31"), "31"},
    {B("-1.5e3"), "153"}, {B("\0" "4\xff"), "4"},
    {B("1234567890"), "1234567890"}, {B("12345678901"), NULL},
    {B("x1234567890x"), "1234567890"}, {B("a1b2c3d4e5f6g7h8i9j0k1"), NULL},
};

static const struct {
    sio_bytes payload;
    const char *script;
} scripts[] = {
    {B("1:6"), "___eio[7](\"1:6\");"},
    {B("9:42[\"a\\\"\"]"), "___eio[7](\"9:42[\\\"a\\\\\\\"\\\"]\");"},
    {B("\u2028\u2029\u2027\u202a\u20a8"), "___eio[7](\"\\u2028\\u2029\u2027\u202a\u20a8\");"},
    {B("</script></"), "___eio[7](\"<\\/script><\\/\");"},
    {B("<<//<"), "___eio[7](\"<<\\//<\");"},
    {B("a\nb\r\t\x1e\0\x1f"), "___eio[7](\"a\\nb\\u000d\\u0009\\u001e\\u0000\\u001f\");"},
    {B("\u00e9\U0001f600"), "___eio[7](\"\u00e9\U0001f600\");"},
};

static const struct {
    sio_bytes form, payload; /* without a base: refused */
} forms[] = {
    {B("d=1:2"), B("1:2")},
    {B("d=1%3A2"), B("1:2")},
    {B("%64=1%3A2"), B("1:2")},
    {B("a=1&d=2%3A4+&b"), B("2:4 ")},
    {B("d=a%2Bb+c%20d"), B("a+b c d")},
    {B("d="), B("")},
    {B("d"), B("")},
    {B("d=a=b"), B("a=b")},
    {B("d=%"), B("%")},
    {B("d=%4"), B("%4")},
    {B("d=%zz%41"), B("%zzA")},
    {B("d=%ff"), B("\xff")},
    {B("d=%00"), B("\0")},
    /* What stands for a line feed, and what for a backslash and an n. */
    {B("d=a%5Cnb"), B("a\nb")},
    {B("d=a\\nb"), B("a\nb")},
    {B("d=a%5C%5Cnb"), B("a\\nb")},
    {B("d=a%5C%5C%5Cnb"), B("a\\\\nb")},
    {B("d=%5Cn%5Cn"), B("\n\n")},
    {B("d=%5C%5C"), B("\\\\")},
    {B("d=%5C"), B("\\")},
    {B("d=%5Cm%5C%22"), B("\\m\\\"")},
    {B("d=%0A%0D"), B("\n\r")},
    {B("d=%5C%5Cn%5Cn%5C%5Cn"), B("\\n\n\\n")},
    {B(""), {NULL, 0}},
    {B("&&"), {NULL, 0}},
    {B("e=1"), {NULL, 0}},
    {B("D=1"), {NULL, 0}},
    {B("dd=1"), {NULL, 0}},
    {B("=1"), {NULL, 0}},
    {B("1:2"), {NULL, 0}},
    {B("d=1&d=2"), {NULL, 0}},
    {B("d&d"), {NULL, 0}},
    {B("d=1&%64=2"), {NULL, 0}},
    {B("d[]=1"), {NULL, 0}},
};
// clang-format on

static void test_indices(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(indices); i++) {
        char index[TP_JSONP_INDEX_MAX + 1];
        bool good = tp_jsonp_index(indices[i].value, index);
        print_message("index %zu\n", i);
        assert_int_equal(good, indices[i].index != NULL);
        if (good) {
            assert_string_equal(index, indices[i].index);
        }
    }
}

static void test_scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        char out[256];
        sio_writer measure = {NULL, 0, 0};
        tp_jsonp_write(&measure, "7", scripts[i].payload);
        assert_true(measure.len < sizeof(out));
        sio_writer w = {(uint8_t *)out, measure.len, 0};
        tp_jsonp_write(&w, "7", scripts[i].payload);
        assert_int_equal(w.len, measure.len);
        out[w.len] = '\0';
        assert_string_equal(out, scripts[i].script);
    }
}

/* Any prefix of a payload gives a script in which nothing is left that ends the
 * string, the line, or a script element. */
static void test_no_way_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        for (size_t len = 0; len <= scripts[i].payload.len; len++) {
            char out[256];
            sio_writer w = {(uint8_t *)out, sizeof(out) - 1, 0};
            tp_jsonp_write(&w, "7", (sio_bytes){scripts[i].payload.base, len});
            out[w.len] = '\0';
            size_t at = sizeof("___eio[7](\"") - 1;
            for (; out[at] != '"'; at++) {
                assert_true((uint8_t)out[at] >= 0x20);
                at += out[at] == '\\' ? 1 : 0;
            }
            assert_string_equal(out + at, "\");");
            assert_null(strstr(out, "</"));
            assert_null(strstr(out, "\u2028"));
            assert_null(strstr(out, "\u2029"));
        }
    }
}

static bool read_copy(sio_bytes form, uint8_t **copy, sio_bytes *payload)
{
    uint8_t *text;
    *copy = malloc(form.len == 0 ? 1 : form.len);
    assert_non_null(*copy);
    if (form.len != 0) {
        memcpy(*copy, form.base, form.len);
    }
    bool found = tp_jsonp_read(*copy, form.len, &text, &payload->len);
    payload->base = text;
    return found;
}

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        sio_bytes got;
        uint8_t *copy;
        bool found = read_copy(forms[i].form, &copy, &got);
        print_message("form %zu\n", i);
        assert_int_equal(found, forms[i].payload.base != NULL);
        if (found) {
            assert_true(sio_bytes_eq(got, forms[i].payload));
        }
        free(copy);
    }
}

/* No prefix reads or writes beyond itself; a `d` at the front stays one. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        for (size_t len = 0; len <= forms[i].form.len; len++) {
            sio_bytes got;
            uint8_t *copy;
            if (read_copy((sio_bytes){forms[i].form.base, len}, &copy, &got)) {
                assert_true(got.base >= copy && got.len <= len);
            }
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_indices),    cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_no_way_out), cmocka_unit_test(test_forms),
        cmocka_unit_test(test_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
