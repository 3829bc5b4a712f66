#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/utf16.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)

static const struct {
    sio_bytes text;
    size_t units;
} texts[] = {
    {B(""), 0},
    {B("a"), 1},
    {B("a\0b"), 3},
    {B("\u00e9"), 1},
    {B("\u20ac"), 1},
    {B("\uffff"), 1},
    {B("\U00010000"), 2},
    {B("\U0010ffff"), 2},
    {B("42[\"echo\",\"\u00e9\u20ac\U0001f600\"]"), 17},
};

static void test_lengths(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_int_equal(sio_utf16_len(texts[i].text), texts[i].units);
    }
}

/* Characters of one to four bytes in all orders of six, against a model that
 * knows where each of them ends in both encodings. */
static void test_cuts(void **state)
{
    static const char *const kinds[] = {"a", "\u00e9", "\u20ac", "\U0001f600"};
    (void)state;
    for (unsigned order = 0; order < 4096; order++) {
        size_t bytes[7] = {0}, units[7] = {0};
        uint8_t *text = malloc(24);
        assert_non_null(text);
        for (unsigned i = 0; i < 6; i++) {
            const char *kind = kinds[order >> 2 * i & 3];
            memcpy(text + bytes[i], kind, strlen(kind));
            bytes[i + 1] = bytes[i] + strlen(kind);
            units[i + 1] = units[i] + (strlen(kind) == 4 ? 2 : 1);
        }
        uint8_t *exact = realloc(text, bytes[6]); /* nothing behind it */
        assert_non_null(exact);
        sio_bytes all = {exact, bytes[6]};
        assert_int_equal(sio_utf16_len(all), units[6]);
        for (size_t at = 0; at <= units[6] + 2; at++) {
            size_t got = SIZE_MAX, want = SIZE_MAX;
            for (unsigned i = 0; i < 7; i++) {
                want = units[i] == at ? bytes[i] : want;
            }
            assert_int_equal(sio_utf16_cut(all, at, &got), want != SIZE_MAX);
            assert_int_equal(got, want);
        }
        assert_false(sio_utf16_cut(all, SIZE_MAX, &(size_t){0}));
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
