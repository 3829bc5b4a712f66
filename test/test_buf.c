#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void test_empty(void **state)
{
    (void)state;
    sio_buf buf = {0};
    assert_int_equal(sio_buf_append(&buf, (sio_bytes){NULL, 0}), SIO_OK);
    assert_int_equal(sio_buf_reserve(&buf, 0), SIO_OK);
    assert_null(buf.base);
    sio_buf_consume(&buf, 0);
    assert_int_equal(sio_buf_view(&buf).len, 0);
    sio_buf_deinit(&buf);
    sio_buf_deinit(&buf);
}

static void test_reserve(void **state)
{
    (void)state;
    sio_buf buf = {0};
    for (size_t more = 1; more < 100000; more = more * 3 + 1) {
        assert_int_equal(sio_buf_reserve(&buf, more), SIO_OK);
        assert_true(buf.cap - buf.len >= more);
        assert_int_equal(buf.len, 0);
        memset(buf.base, 1, buf.cap); /* all of it is there */
    }
    sio_buf_deinit(&buf);
    assert_int_equal(buf.cap, 0);
}

static void test_too_much(void **state)
{
    (void)state;
    sio_buf buf = {0};
    assert_int_equal(sio_buf_reserve(&buf, SIZE_MAX), SIO_ERR_NO_MEMORY);
    assert_null(buf.base);
    assert_int_equal(sio_buf_append(&buf, SIO_LIT("kept")), SIO_OK);
    size_t cap = buf.cap;
    assert_int_equal(sio_buf_reserve(&buf, SIZE_MAX), SIO_ERR_NO_MEMORY);
    assert_int_equal(sio_buf_reserve(&buf, SIZE_MAX / 2), SIO_ERR_NO_MEMORY);
    assert_int_equal(buf.cap, cap);
    assert_true(sio_bytes_eq(sio_buf_view(&buf), SIO_LIT("kept")));
    sio_buf_deinit(&buf);
}

/* At least doubling: a million single bytes move the memory a few times. */
static void test_growth(void **state)
{
    (void)state;
    sio_buf buf = {0};
    size_t moves = 0, cap = 0;
    for (size_t i = 0; i < 1000000; i++) {
        uint8_t byte = (uint8_t)i;
        assert_int_equal(sio_buf_append(&buf, (sio_bytes){&byte, 1}), SIO_OK);
        moves += buf.cap != cap ? 1 : 0;
        cap = buf.cap;
    }
    assert_true(moves < 20);
    for (size_t i = 0; i < buf.len; i++) {
        assert_int_equal(buf.base[i], (uint8_t)i);
    }
    sio_buf_deinit(&buf);
}

/* Bytes in, bytes out, in all portions: nothing is lost and nothing invented,
 * and an empty buf holds no memory. */
static void test_conservation(void **state)
{
    (void)state;
    for (size_t in = 1; in < 40; in++) {
        for (size_t out = 1; out < 40; out++) {
            sio_buf buf = {0};
            uint8_t written = 0, read = 0;
            for (int turn = 0; turn < 60; turn++) {
                uint8_t *piece = malloc(in);
                for (size_t i = 0; i < in; i++) {
                    piece[i] = written++;
                }
                sio_bytes bytes = {piece, in};
                assert_int_equal(sio_buf_append(&buf, bytes), SIO_OK);
                free(piece);
                size_t count = out < buf.len ? out : buf.len;
                for (size_t i = 0; i < count; i++) {
                    assert_int_equal(buf.base[i], read++);
                }
                sio_buf_consume(&buf, count);
                assert_true((buf.len == 0) == (buf.base == NULL));
            }
            sio_buf_deinit(&buf);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_too_much),     cmocka_unit_test(test_growth),
        cmocka_unit_test(test_conservation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
