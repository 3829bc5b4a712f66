#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/random.h>

#include "base/random.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Stands in for the kernel's: a counting sequence, in portions of at most
 * `portion` bytes, interrupted each second time, and out of order on demand.
 */
static struct {
    size_t calls;
    size_t portion;
    uint8_t next;
    int broken; /* an errno; or -1 for "nothing, and no error" */
} kernel;

ssize_t getrandom(void *out, size_t len, unsigned flags)
{
    assert_int_equal(flags, 0);
    kernel.calls++;
    if (kernel.broken != 0) {
        errno = kernel.broken;
        return kernel.broken < 0 ? 0 : -1;
    }
    if (kernel.portion != 0 && kernel.calls % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    if (kernel.portion != 0 && len > kernel.portion) {
        len = kernel.portion;
    }
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)out)[i] = kernel.next++;
    }
    return (ssize_t)len;
}

static void start(sio_random *random)
{
    memset(&kernel, 0, sizeof(kernel));
    memset(random, 0, sizeof(*random));
}

/* Each length comes in full, whatever portions the kernel hands out. */
static void test_lengths(void **state)
{
    (void)state;
    static const size_t lengths[] = {0,   1,   15,  16,  100,
                                     255, 256, 257, 512, 10000};
    static const size_t portions[] = {0, 1, 7, 256};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (size_t j = 0; j < COUNT(portions); j++) {
            sio_random random;
            start(&random);
            kernel.portion = portions[j];
            size_t len = lengths[i];
            uint8_t *out = malloc(len == 0 ? 1 : len);
            assert_int_equal(sio_random_fill(&random, out, len), SIO_OK);
            for (size_t k = 0; k < len; k++) {
                assert_int_equal(out[k], (uint8_t)k);
            }
            free(out);
            assert_true(len != 0 || kernel.calls == 0);
        }
    }
}

/* Bytes are handed out once and gone afterwards; the kernel is asked once per
 * 256 of them. */
static void test_portions(void **state)
{
    (void)state;
    sio_random random;
    uint8_t out[16];
    start(&random);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(sio_random_fill(&random, out, sizeof(out)), SIO_OK);
        for (size_t k = 0; k < sizeof(out); k++) {
            assert_int_equal(out[k], (uint8_t)(i * 16 + k));
        }
        assert_int_equal(kernel.calls, i / 16 + 1);
        assert_int_equal(random.left, 240 - i % 16 * 16);
        for (size_t k = 0; k < sizeof(random.pool) - random.left; k++) {
            assert_int_equal(random.pool[k], 0);
        }
    }
    sio_random_deinit(&random);
    for (size_t k = 0; k < sizeof(random.pool); k++) {
        assert_int_equal(random.pool[k], 0);
    }
    assert_int_equal(random.left, 0);
}

static void test_failure(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 16, 256, 300};
    static const int reasons[] = {ENOSYS, EAGAIN, EFAULT, -1};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (size_t j = 0; j < COUNT(reasons); j++) {
            sio_random random;
            uint8_t out[300], zero[300] = {0};
            start(&random);
            kernel.broken = reasons[j];
            memset(out, 0xee, sizeof(out));
            sio_error err = sio_random_fill(&random, out, lengths[i]);
            assert_int_equal(err, SIO_ERR_RANDOM);
            assert_memory_equal(out, zero, lengths[i]);
            kernel.broken = 0; /* and when it comes back: */
            assert_int_equal(sio_random_fill(&random, out, lengths[i]), SIO_OK);
            assert_int_equal(out[lengths[i] - 1], (uint8_t)(lengths[i] - 1));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_portions),
        cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
