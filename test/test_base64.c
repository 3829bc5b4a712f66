#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define BAD B(""), SIO_ERR_BASE64
#define NONE B(""), SIO_OK

// clang-format off
static const struct {
    const char *label;
    sio_bytes in, out;
    sio_error err;
} rows[] = {
    {"empty", B(""), NONE},
    {"one byte", B("Zg=="), B("f"), SIO_OK},
    {"two bytes", B("Zm8="), B("fo"), SIO_OK},
    {"three bytes", B("Zm9v"), B("foo"), SIO_OK},
    {"six bytes", B("Zm9vYmFy"), B("foobar"), SIO_OK},
    {"all ones", B("////"), B("\xff\xff\xff"), SIO_OK},
    {"plus", B("++++"), B("\xfb\xef\xbe"), SIO_OK},
    {"url-safe", B("-_-_"), B("\xfb\xff\xbf"), SIO_OK},
    {"mixed alphabets", B("+_-/"), B("\xfb\xff\xbf"), SIO_OK},
    {"no padding, one byte", B("Zg"), B("f"), SIO_OK},
    {"no padding, two bytes", B("Zm8"), B("fo"), SIO_OK},
    {"half the padding", B("Zg="), B("f"), SIO_OK},
    {"loose bits", B("Zh=="), B("f"), SIO_OK},
    {"digit left over", B("Zm9vY"), B("foo"), SIO_OK},
    {"one digit", B("Z"), NONE},
    {"padding alone", B("===="), NONE},
    {"data behind padding", B("Zg==Zm9v"), B("f"), SIO_OK},
    {"anything behind padding", B("Zg==\x80\x01!"), B("f"), SIO_OK},
    {"line breaks", B("Zm9v\r\nYmFy\r\n"), B("foobar"), SIO_OK},
    {"blanks in a group", B("Z m\t9\vv"), B("foo"), SIO_OK},
    {"blanks before padding", B("Zg \f=="), B("f"), SIO_OK},
    {"blanks alone", B(" \n "), NONE},
    {"bang", B("Zm9!"), BAD},
    {"bang in the second group", B("Zm9vYm!y"), BAD},
    {"bang at the end", B("Zm9v!"), BAD},
    {"NUL", B("Zm9v\0mFy"), BAD},
    {"high byte", B("Zm9\xff"), BAD},
    {"UTF-8", B("\xc3\xa9"), BAD},
    {"comma", B("Zm,v"), BAD},
    {"dot", B("Zm.v"), BAD},
};
// clang-format on

static void check(const char *label, bool ok)
{
    if (!ok) {
        fail_msg("%s", label);
    }
}

static void test_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_bytes in = rows[i].in;
        uint8_t *copy = malloc(in.len);
        uint8_t *out = malloc(in.len / 4 * 3 + 2);
        if (in.len != 0) {
            memcpy(copy, in.base, in.len);
        }
        size_t len = 77;
        sio_error err = sio_base64_decode((sio_bytes){copy, in.len}, out, &len);
        check(rows[i].label, err == rows[i].err);
        if (err == SIO_OK) {
            check(rows[i].label, len <= in.len * 3 / 4);
            check(rows[i].label,
                  sio_bytes_eq((sio_bytes){out, len}, rows[i].out));
            /* In place, with the same result. */
            err = sio_base64_decode((sio_bytes){copy, in.len}, copy, &len);
            check(rows[i].label, err == SIO_OK);
            check(rows[i].label,
                  sio_bytes_eq((sio_bytes){copy, len}, rows[i].out));
        } else {
            check(rows[i].label, len == 77);
        }
        free(out);
        free(copy);
    }
}

/* A cut text gives what its whole groups mean, and never more. */
static void test_prefixes(void **state)
{
    (void)state;
    static const char text[] = "Zm9vYmFyIGJheg";
    static const char plain[] = "foobar baz";
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        uint8_t *copy = malloc(cut);
        memcpy(copy, text, cut);
        size_t len;
        sio_bytes in = {copy, cut};
        assert_int_equal(sio_base64_decode(in, copy, &len), SIO_OK);
        assert_int_equal(len, cut * 3 / 4);
        assert_memory_equal(copy, plain, len);
        free(copy);
    }
}

/* Every byte is a digit of one value, skipped, the end, or refused. */
static void test_alphabet(void **state)
{
    (void)state;
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t text[4] = {'A', 'A', 'A', (uint8_t)byte};
        uint8_t out[5];
        size_t len;
        sio_error err = sio_base64_decode((sio_bytes){text, 4}, out, &len);
        const char *found = byte != 0 ? strchr(digits, (int)byte) : NULL;
        ptrdiff_t value = found != NULL ? found - digits
                          : byte == '-' ? 62
                          : byte == '_' ? 63
                                        : -1;
        bool skipped = byte == ' ' || (byte >= '\t' && byte <= '\r');
        if (value >= 0) {
            assert_int_equal(err, SIO_OK);
            assert_int_equal(len, 3);
            assert_int_equal(out[2], value);
        } else if (skipped || byte == '=') {
            assert_int_equal(err, SIO_OK);
            assert_int_equal(len, 2);
        } else {
            assert_int_equal(err, SIO_ERR_BASE64);
        }
    }
}

static void test_encode(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xfe", "+//+"},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        size_t len = strlen(pairs[i][0]);
        size_t room = sio_base64_encoded_len(len);
        uint8_t *out = malloc(room);
        sio_base64_encode((sio_bytes){(const uint8_t *)pairs[i][0], len}, out);
        assert_int_equal(room, strlen(pairs[i][1]));
        check(pairs[i][0], memcmp(out, pairs[i][1], room) == 0);
        free(out);
    }
}

/* Bytes come back from every length, also when broken into lines. */
static void test_round_trip(void **state)
{
    (void)state;
    uint8_t plain[300], text[800], lines[1000], back[800];
    for (size_t i = 0; i < sizeof(plain); i++) {
        plain[i] = (uint8_t)(i * 167 + (i >> 3));
    }
    for (size_t len = 0; len <= sizeof(plain); len++) {
        size_t coded = sio_base64_encoded_len(len), to = 0, got;
        sio_base64_encode((sio_bytes){plain, len}, text);
        for (size_t i = 0; i < coded; i++) {
            if (i % 76 == 0) {
                lines[to++] = '\n';
            }
            lines[to++] = text[i];
        }
        sio_bytes in = {lines, to};
        assert_int_equal(sio_base64_decode(in, back, &got), SIO_OK);
        assert_int_equal(got, len);
        assert_memory_equal(back, plain, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),     cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_alphabet),   cmocka_unit_test(test_encode),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
