#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bucket.h"

static void test_takes(void **state)
{
    (void)state;
    const sio_rate rate = {10, 5};
    sio_bucket b;
    sio_bucket_fill(&b, &rate, 1000);
    for (int i = 0; i < 5; i++) {
        assert_true(sio_bucket_take(&b, &rate, 1000, 1));
    }
    assert_false(sio_bucket_take(&b, &rate, 1000, 1));
    assert_int_equal(sio_bucket_wait(&b, &rate, 1000, 1), 100);
    assert_false(sio_bucket_take(&b, &rate, 1099, 1));
    assert_true(sio_bucket_take(&b, &rate, 1100, 1));
    assert_false(sio_bucket_take(&b, &rate, 1000, 1)); /* no time in between */
    assert_false(sio_bucket_is_full(&b, &rate, 1599));
    assert_true(sio_bucket_is_full(&b, &rate, 1600));
    assert_false(sio_bucket_take(&b, &rate, 100000, 6)); /* never there */
    assert_true(sio_bucket_take(&b, &rate, 100000, 5));
}

static void test_debt(void **state)
{
    (void)state;
    const sio_rate rate = {1000, 1000};
    sio_bucket b;
    sio_bucket_fill(&b, &rate, 0);
    assert_true(sio_bucket_charge(&b, &rate, 0, 1000));
    assert_false(sio_bucket_charge(&b, &rate, 0, 500));
    assert_int_equal(sio_bucket_wait(&b, &rate, 0, 0), 500);
    assert_int_equal(sio_bucket_wait(&b, &rate, 499, 0), 1);
    assert_int_equal(sio_bucket_wait(&b, &rate, 500, 0), 0);
    assert_true(sio_bucket_charge(&b, &rate, 501, 1));
}

/* Whatever comes, there is no overflow; UBSan would tell. */
static void test_extremes(void **state)
{
    (void)state;
    static const sio_rate rates[] = {
        {1, 1}, {UINT32_MAX, UINT32_MAX}, {1, UINT32_MAX}, {UINT32_MAX, 1}};
    static const uint64_t times[] = {0, 1, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 4; k++) {
            sio_bucket b;
            sio_bucket_fill(&b, &rates[i], 0);
            for (int n = 0; n < 3000; n++) {
                (void)sio_bucket_charge(&b, &rates[i], 0, UINT32_MAX);
            }
            assert_true(sio_bucket_wait(&b, &rates[i], 0, UINT32_MAX) != 0);
            (void)sio_bucket_take(&b, &rates[i], times[k], 1);
            (void)sio_bucket_wait(&b, &rates[i], times[k], UINT32_MAX);
            assert_true(times[k] == UINT64_MAX ||
                        sio_bucket_is_full(&b, &rates[i], UINT64_MAX));
        }
    }
}

static void test_none(void **state)
{
    (void)state;
    const sio_rate none = {0, 0};
    sio_bucket b;
    sio_bucket_fill(&b, &none, 0);
    assert_true(sio_bucket_take(&b, &none, 0, UINT32_MAX));
    assert_true(sio_bucket_charge(&b, &none, 0, UINT32_MAX));
    assert_int_equal(sio_bucket_wait(&b, &none, 0, UINT32_MAX), 0);
    assert_true(sio_bucket_is_full(&b, &none, 0));
}

/* Over a long time as many are given as the rate says, and the burst. */
static void test_average(void **state)
{
    (void)state;
    const sio_rate rate = {7, 3};
    sio_bucket b;
    unsigned given = 0;
    sio_bucket_fill(&b, &rate, 0);
    for (uint64_t now = 0; now <= 100000; now += 1 + now % 13) {
        while (sio_bucket_take(&b, &rate, now, 1)) {
            given++;
        }
    }
    assert_in_range(given, 700, 703);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes),    cmocka_unit_test(test_debt),
        cmocka_unit_test(test_extremes), cmocka_unit_test(test_none),
        cmocka_unit_test(test_average),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
