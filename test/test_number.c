#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/number.h"
#include "base/power10.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static double of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* Sets `out` to the text; it has to fit, too, in just as much room. */
static void write_text(double value, char out[SIO_NUMBER_MAX + 1])
{
    sio_writer w = {(uint8_t *)out, SIO_NUMBER_MAX, 0};
    sio_number_write(&w, value);
    assert_true(w.len <= SIO_NUMBER_MAX);
    out[w.len] = '\0';
}

static double read_text(const char *text)
{
    size_t len = strlen(text);
    uint8_t *copy = malloc(len); /* where ASan sees a byte read too many */
    memcpy(copy, text, len);
    double value = sio_number_read((sio_bytes){copy, len});
    free(copy);
    return value;
}

/* What JSON.stringify gives. */
static void test_write(void **state)
{
    (void)state;
    static const struct {
        uint64_t bits;
        const char *text;
    } rows[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x3ff0000000000000, "1"},
        {0xbff8000000000000, "-1.5"},
        {0x3fb999999999999a, "0.1"},
        {0x3fd3333333333334, "0.30000000000000004"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x3e7ad7f29abcaf48, "1e-7"},
        {0x3e7b1caaca5d4aa3, "1.01e-7"},
        {0x433fffffffffffff, "9007199254740991"},
        {0x4340000000000000, "9007199254740992"},
        {0x4340000000000001, "9007199254740994"},
        {0x4300000000000002, "562949953421312.2"}, /* .25: to even */
        {0x4300000000000006, "562949953421312.8"}, /* .75 */
        {0x43e0000000000000, "9223372036854776000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0x0010000000000000, "2.2250738585072014e-308"},
        {0x000fffffffffffff, "2.225073858507201e-308"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000002, "-1e-323"},
        {0x3d06849b86a12b9b, "1e-14"},
        {0xbeb4b66dc01ec6fb, "-0.0000012345678901234567"},
        {0x7ff0000000000000, "null"},
        {0xfff0000000000000, "null"},
        {0x7ff8000000000000, "null"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[SIO_NUMBER_MAX + 1];
        write_text(of_bits(rows[i].bits), text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bits;
    } rows[] = {
        {"0", 0},
        {"-0", 0x8000000000000000},
        {"-0.0e99", 0x8000000000000000},
        {"0e99999999999999999999", 0},
        {"1", 0x3ff0000000000000},
        {"10.0", 0x4024000000000000},
        {"0.1", 0x3fb999999999999a},
        {"100e-3", 0x3fb999999999999a},
        {"1E+2", 0x4059000000000000},
        {"9007199254740993", 0x4340000000000000}, /* half-way: to even */
        {"9007199254740993.0000000000000000000000000000000001",
         0x4340000000000001},
        {"9007199254740995", 0x4340000000000002},
        {"18446744073709551615", 0x43f0000000000000},
        {"1.7976931348623157e308", 0x7fefffffffffffff},
        {"1.7976931348623159e308", 0x7ff0000000000000},
        {"1e400", 0x7ff0000000000000},
        {"-1e99999999999999999999", 0xfff0000000000000},
        {"5e-324", 1},
        {"2e-324", 0},
        {"1e-99999999999999999999", 0},
        {"2.2250738585072014e-308", 0x0010000000000000},
        {"2.2250738585072011e-308", 0x000fffffffffffff},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (bits_of(read_text(rows[i].text)) != rows[i].bits) {
            fail_msg("%s", rows[i].text);
        }
    }
}

/* Digits without end, and zeros that the exponent takes back. */
static void test_read_long(void **state)
{
    (void)state;
    char text[3000];
    memset(text, '0', sizeof(text));
    memcpy(text, "1.", 2);
    strcpy(text + 2000, "1");
    assert_true(read_text(text) == 1);
    memcpy(text, "0.", 2);
    strcpy(text + 1500, "15e1500"); /* 0.15 * 10 */
    assert_true(read_text(text) == 15);
    memset(text, '0', 2001);
    text[0] = '1';
    strcpy(text + 2001, "e-2000");
    assert_true(read_text(text) == 1);
    /* Half of the least double, and a little more. */
    strcpy(text, "9007199254740993.");
    memset(text + 17, '0', 2000);
    strcpy(text + 2017, "1");
    assert_true(bits_of(read_text(text)) == 0x4340000000000001);
}

static void test_is_integer(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is, negative;
        uint64_t magnitude;
    } rows[] = {
        {"0", true, false, 0},
        {"-0", true, true, 0},
        {"-12", true, true, 12},
        {"18446744073709551615", true, false, UINT64_MAX},
        {"18446744073709551616", false, false, 0},
        {"-99999999999999999999", false, false, 0},
        {"1.0", false, false, 0},
        {"1e2", false, false, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t magnitude = 0;
        bool negative;
        sio_bytes text = {(const uint8_t *)rows[i].text, strlen(rows[i].text)};
        bool is = sio_number_is_integer(text, &magnitude, &negative);
        assert_int_equal(is, rows[i].is);
        if (is) {
            assert_true(magnitude == rows[i].magnitude);
            assert_int_equal(negative, rows[i].negative);
        }
    }
}

static uint64_t next_random(void)
{
    static uint64_t x = 88172645463325252;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

/* What is written is read back, by libc as well, and no digit less would. */
static void check_round_trip(uint64_t bits)
{
    char text[SIO_NUMBER_MAX + 1], shorter[40];
    double value = of_bits(bits);
    if (value - value != 0) {
        return;
    }
    write_text(value, text);
    assert_true(read_text(text) == value && strtod(text, NULL) == value);

    int digits = 0;
    const char *at = text + strspn(text, "-0.");
    for (; *at != '\0' && *at != 'e'; at++) {
        digits += *at != '.';
    }
    while (digits > 1 && strpbrk(text, ".e") == NULL &&
           text[strlen(text) - 1] == '0') {
        return; /* zeros that are no digits of it */
    }
    if (digits > 1 && digits < 18) {
        (void)snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, value);
        assert_true(strtod(shorter, NULL) != value);
    }
}

static void test_round_trips(void **state)
{
    (void)state;
    for (uint64_t exponent = 0; exponent < 0x7ff; exponent++) {
        for (uint64_t i = 0; i < 5; i++) {
            check_round_trip((exponent << 52) + i - 2);
        }
    }
    for (int i = 0; i < 30000; i++) {
        check_round_trip(next_random());
        check_round_trip(bits_of((double)(next_random() % 1000000000) / 1e5));
        check_round_trip(next_random() >> 12);
    }
}

static void test_reads_as_libc(void **state)
{
    (void)state;
    for (int i = 0; i < 50000; i++) {
        char text[64];
        uint64_t a = next_random(), b = next_random();
        (void)snprintf(text, sizeof(text), "%llu%s%llue%d",
                       (unsigned long long)(a >> a % 64),
                       (b & 1) != 0 ? "." : "", (unsigned long long)(b % 1000),
                       (int)(b >> 32) % 340);
        assert_true(read_text(text) == strtod(text, NULL));
    }
}

/* Neighbours are ten times as large. */
static void test_powers(void **state)
{
    (void)state;
    for (int k = SIO_POWER10_MIN; k <= SIO_POWER10_MAX; k++) {
        sio_power10 power = sio_power10_of(k);
        assert_true(power.high >> 63 == 1);
        if (k < SIO_POWER10_MAX) {
            sio_power10 next = sio_power10_of(k + 1);
            int shift = sio_power10_log2(k + 1) - sio_power10_log2(k);
            uint64_t carry;
            uint64_t low = sio_multiply(power.low, 10, &carry);
            uint64_t high = power.high * 10 + carry; /* 4 bits are lost */
            low = low >> shift | high << (64 - shift);
            assert_true(low - next.low <= 10 || next.low - low <= 10);
        }
    }
}

static void test_locale(void **state)
{
    (void)state;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL &&
        setlocale(LC_ALL, "fr_FR.UTF-8") == NULL) {
        skip(); /* none with a decimal comma is installed */
    }
    char text[SIO_NUMBER_MAX + 1];
    write_text(1.5, text);
    assert_string_equal(text, "1.5");
    assert_true(read_text("1.5") == 1.5);
    assert_true(read_text("1.00000000000000011102230246251565404237") > 1);
    (void)setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_long),
        cmocka_unit_test(test_is_integer),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_reads_as_libc),
        cmocka_unit_test(test_powers),
        cmocka_unit_test(test_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
