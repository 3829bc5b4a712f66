#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/iso_date.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What toISOString() gives in Node.js. */
static const struct {
    int64_t ms;
    const char *text;
} rows[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {-1, "1969-12-31T23:59:59.999Z"},
    {1700000000123, "2023-11-14T22:13:20.123Z"},
    {951782399999, "2000-02-28T23:59:59.999Z"},
    {951782400000, "2000-02-29T00:00:00.000Z"},
    {951868800000, "2000-03-01T00:00:00.000Z"},
    {-2203891200001, "1900-02-28T23:59:59.999Z"},
    {-2203891200000, "1900-03-01T00:00:00.000Z"},
    {4107542399999, "2100-02-28T23:59:59.999Z"},
    {4107542400000, "2100-03-01T00:00:00.000Z"},
    {1709164800000, "2024-02-29T00:00:00.000Z"},
    {1735689599999, "2024-12-31T23:59:59.999Z"},
    {-62167219200000, "0000-01-01T00:00:00.000Z"},
    {-62167219200001, "-000001-12-31T23:59:59.999Z"},
    {-62162121600000, "0000-02-29T00:00:00.000Z"},
    {253402300799999, "9999-12-31T23:59:59.999Z"},
    {253402300800000, "+010000-01-01T00:00:00.000Z"},
    {SIO_ISO_DATE_MAX, "+275760-09-13T00:00:00.000Z"},
    {-SIO_ISO_DATE_MAX, "-271821-04-20T00:00:00.000Z"},
};

static void test_dates(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[32];
        sio_writer w = {(uint8_t *)text, sizeof(text), 0};
        sio_write_iso_date(&w, rows[i].ms);
        text[w.len] = '\0';
        assert_string_equal(text, rows[i].text);
    }
}

/* Day by day through a cycle of 400 years, each follows the one before. */
static void test_days(void **state)
{
    (void)state;
    static const unsigned days[] = {31, 28, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31};
    unsigned year = 1970, month = 1, day = 1;
    for (int64_t i = 0; i < 146097 + 366; i++) {
        char text[32], want[64]; /* of three numbers of any size */
        sio_writer w = {(uint8_t *)text, sizeof(text), 0};
        sio_write_iso_date(&w, i * 86400000);
        text[w.len] = '\0';
        (void)snprintf(want, sizeof(want), "%04u-%02u-%02uT00:00:00.000Z", year,
                       month, day);
        assert_string_equal(text, want);
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (++day > days[month - 1] + (month == 2 && leap ? 1 : 0)) {
            day = 1;
            month = month % 12 + 1;
            year += month == 1;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
