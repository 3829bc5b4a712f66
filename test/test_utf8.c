#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define R "\xef\xbf\xbd" /* U+FFFD */

// clang-format off
/* `repaired` is NULL where the text is valid. */
static const struct {
    const char *label;
    sio_bytes in;
    const char *repaired;
} texts[] = {
    {"empty", B(""), NULL},
    {"one letter", B("a"), NULL},
    {"NUL", B("a\0b"), NULL},
    {"DEL", B("\x7f"), NULL},
    {"sixteen", B("0123456789abcdef"), NULL},
    {"long ASCII", B("The quick brown fox jumps over the lazy dog."), NULL},
    {"least of two", B("\xc2\x80"), NULL},
    {"greatest of two", B("\xdf\xbf"), NULL},
    {"least of three", B("\xe0\xa0\x80"), NULL},
    {"before the surrogates", B("\xed\x9f\xbf"), NULL},
    {"behind the surrogates", B("\xee\x80\x80"), NULL},
    {"noncharacter", B("\xef\xbf\xbf"), NULL},
    {"byte order mark", B("\xef\xbb\xbf" "a"), NULL},
    {"least of four", B("\xf0\x90\x80\x80"), NULL},
    {"greatest of four", B("\xf4\x8f\xbf\xbf"), NULL},
    {"mixed", B("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"), NULL},
    {"late", B("0123456789abcdef0123456789abcde\xc3\xa9"), NULL},
    {"many of three", B("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"), NULL},
    {"lone continuation", B("\x80"), R},
    {"lone continuation at the end", B("abcdefgh\xbf"), "abcdefgh" R},
    {"cut after the lead", B("a\xc3"), "a" R},
    {"cut in three", B("a\xe2\x82"), "a" R},
    {"cut in four", B("a\xf0\x9f\x98"), "a" R},
    {"overlong slash", B("\xc0\xaf"), R R},
    {"C1", B("\xc1\xbf"), R R},
    {"overlong of three", B("\xe0\x9f\xbf"), R R R},
    {"overlong of four", B("\xf0\x8f\xbf\xbf"), R R R R},
    {"surrogate D800", B("\xed\xa0\x80"), R R R},
    {"surrogate DFFF", B("\xed\xbf\xbf"), R R R},
    {"surrogate pair", B("\xed\xa0\xbd\xed\xb8\x80"), R R R R R R},
    {"110000", B("\xf4\x90\x80\x80"), R R R R},
    {"F5", B("\xf5\x80\x80\x80"), R R R R},
    {"F8", B("\xf8\x88\x80\x80\x80"), R R R R R},
    {"FF", B("a\xff" "b"), "a" R "b"},
    {"lead then ASCII", B("\xc3" "a"), R "a"},
    {"lead then lead", B("\xc3\xc3\xa9"), R "\xc3\xa9"},
    {"three, cut by ASCII", B("\xe2\x82" "abcd"), R "abcd"},
    {"four, cut by ASCII", B("\xf0\x9f\x98" "abcd"), R "abcd"},
    {"one too many", B("\xc3\xa9\xa9"), "\xc3\xa9" R},
    /* The tables of The Unicode Standard, section 3.9. */
    {"non-shortest forms", B("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41"),
     R R R R R R R R "A"},
    {"surrogates", B("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41"),
     R R R R R R R R "A"},
    {"other", B("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42"),
     R R R R R "A" R R "B"},
    {"truncated", B("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), R R R R "A"},
};
// clang-format on

/* Where ASan sees a byte read too many. */
static uint8_t *copy_of(sio_bytes in)
{
    uint8_t *copy = malloc(in.len);
    if (in.len != 0) {
        memcpy(copy, in.base, in.len);
    }
    return copy;
}

static bool feed_copy(sio_utf8 *u, const uint8_t *from, size_t len)
{
    uint8_t *copy = copy_of((sio_bytes){from, len});
    bool valid = sio_utf8_feed(u, (sio_bytes){copy, len});
    free(copy);
    return valid;
}

static void check(const char *label, bool got, bool want)
{
    if (got != want) {
        fail_msg("%s: %d, not %d", label, got, want);
    }
}

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        sio_bytes in = texts[i].in;
        uint8_t *copy = copy_of(in);
        bool valid = sio_utf8_valid((sio_bytes){copy, in.len});
        check(texts[i].label, valid, texts[i].repaired == NULL);
        free(copy);
    }
}

/* However a text is cut, the verdict is the same. */
static void test_splits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        sio_bytes in = texts[i].in;
        for (size_t cut = 0; cut <= in.len; cut++) {
            sio_utf8 u = {0};
            bool valid = feed_copy(&u, in.base, cut);
            valid = feed_copy(&u, in.base + cut, in.len - cut) && valid;
            check(texts[i].label, valid && sio_utf8_done(&u),
                  texts[i].repaired == NULL);
        }
        sio_utf8 u = {0};
        bool valid = true;
        for (size_t at = 0; at < in.len; at++) {
            valid = feed_copy(&u, in.base + at, 1) && valid;
        }
        check(texts[i].label, valid && sio_utf8_done(&u),
              texts[i].repaired == NULL);
    }
}

/* The first byte that nothing could make good is noticed at once, and the
 * verdict stands. */
static void test_early(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        sio_bytes good;
        uint8_t bad;
    } rows[] = {
        {"overlong", B("\xe0"), 0x9f},        {"surrogate", B("a\xed"), 0xa0},
        {"too great", B("\xf4"), 0x90},       {"overlong", B("\xf0"), 0x8f},
        {"no lead", B("abc"), 0x80},          {"C0", B(""), 0xc0},
        {"not followed", B("\xe2\x82"), 'a'}, {"F5", B(""), 0xf5},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_utf8 u = {0};
        check(rows[i].label, sio_utf8_feed(&u, rows[i].good), true);
        check(rows[i].label, feed_copy(&u, &rows[i].bad, 1), false);
        check(rows[i].label, sio_utf8_done(&u), false);
        check(rows[i].label, sio_utf8_feed(&u, SIO_LIT("a")), false);
        check(rows[i].label, sio_utf8_feed(&u, SIO_LIT("")), false);
        check(rows[i].label, sio_utf8_done(&u), false);
    }
}

static void test_repair(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        sio_bytes in = texts[i].in;
        sio_bytes want = in;
        if (texts[i].repaired != NULL) {
            want.base = (const uint8_t *)texts[i].repaired;
            want.len = strlen(texts[i].repaired);
        }
        uint8_t *copy = copy_of(in);
        sio_bytes view = {copy, in.len};
        size_t len = sio_utf8_repair(view, NULL);
        uint8_t *out = malloc(len);
        size_t written = sio_utf8_repair(view, out);
        check(texts[i].label, written == len && len <= 3 * in.len, true);
        check(texts[i].label, sio_bytes_eq((sio_bytes){out, len}, want), true);
        free(out);
        free(copy);
    }
}

/* Decodes by arithmetic what sio_utf8_valid() knows by ranges. */
static bool valid_by_value(const uint8_t *at, size_t len)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    while (len > 0) {
        size_t tails = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
        if ((*at >= 0x80 && *at < 0xc0) || *at >= 0xf8 || tails >= len) {
            return false;
        }
        uint32_t code = tails == 0 ? *at : *at & (0x3fu >> tails);
        for (size_t i = 1; i <= tails; i++) {
            if (at[i] >> 6 != 2) {
                return false;
            }
            code = code << 6 | (at[i] & 0x3fu);
        }
        if (code < least[tails] || code > 0x10ffff ||
            (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
        at += tails + 1;
        len -= tails + 1;
    }
    return true;
}

/* All strings of up to four bytes that lie on the edge of some range, alone
 * and where the look at several bytes at once is possible. */
static void test_edges(void **state)
{
    (void)state;
    static const uint8_t edges[] = {
        0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
        0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
    uint8_t text[8] = "....    ";
    for (size_t i = 0; i < 24 * 24 * 24 * 24; i++) {
        text[0] = edges[i % 24];
        text[1] = edges[i / 24 % 24];
        text[2] = edges[i / 24 / 24 % 24];
        text[3] = edges[i / 24 / 24 / 24];
        for (size_t len = 1; len <= sizeof(text); len += len < 4 ? 1 : 4) {
            bool valid = sio_utf8_valid((sio_bytes){text, len});
            if (valid != valid_by_value(text, len)) {
                fail_msg("%02x %02x %02x %02x in %zu: %d", text[0], text[1],
                         text[2], text[3], len, valid);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts), cmocka_unit_test(test_splits),
        cmocka_unit_test(test_early), cmocka_unit_test(test_repair),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
