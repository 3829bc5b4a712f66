#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Pieces of all sizes are aligned, lie apart, and keep what is in them. */
static void test_pieces(void **state)
{
    (void)state;
    enum { PIECES = 600 };
    static const size_t sizes[] = {0,    1,    7,    16,   17,
                                   100,  1000, 1016, 1017, 2000,
                                   4063, 4064, 4096, 5000, 20000};
    sio_arena arena = {0};
    for (int round = 0; round < 3; round++) {
        uint8_t *pieces[PIECES];
        for (size_t i = 0; i < PIECES; i++) {
            size_t size = sizes[i * 7 % COUNT(sizes)];
            pieces[i] = sio_arena_alloc(&arena, size);
            assert_non_null(pieces[i]);
            assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
            memset(pieces[i], (int)(i % 251), size);
        }
        for (size_t i = 0; i < PIECES; i++) {
            size_t size = sizes[i * 7 % COUNT(sizes)];
            for (size_t j = 0; j < size; j++) {
                assert_int_equal(pieces[i][j], i % 251);
            }
        }
        sio_arena_reset(&arena);
    }
    sio_arena_deinit(&arena);
    assert_null(arena.blocks);
    sio_arena_deinit(&arena);
}

static void test_empty_pieces(void **state)
{
    (void)state;
    sio_arena arena = {0};
    void *a = sio_arena_alloc(&arena, 0);
    void *b = sio_arena_alloc(&arena, 0);
    assert_true(a != NULL && b != NULL && a != b);
    sio_arena_deinit(&arena);
}

static void test_too_large(void **state)
{
    (void)state;
    sio_arena arena = {0};
    uint8_t byte = 0;
    assert_null(sio_arena_alloc(&arena, SIZE_MAX));
    assert_null(sio_arena_alloc(&arena, SIZE_MAX - 15));
    assert_null(sio_arena_alloc(&arena, (size_t)PTRDIFF_MAX));
    assert_null(sio_arena_copy(&arena, (sio_bytes){&byte, SIZE_MAX}));
    assert_null(arena.blocks);
    assert_non_null(sio_arena_alloc(&arena, 10));
    sio_arena_deinit(&arena);
}

static void test_copies(void **state)
{
    (void)state;
    sio_arena arena = {0};
    char *copy = sio_arena_copy(&arena, SIO_LIT("room\0one"));
    assert_memory_equal(copy, "room\0one", 9);
    char *empty = sio_arena_copy(&arena, (sio_bytes){NULL, 0});
    assert_string_equal(empty, "");
    size_t len = 100000;
    uint8_t *large = malloc(len);
    memset(large, 'x', len);
    copy = sio_arena_copy(&arena, (sio_bytes){large, len});
    assert_memory_equal(copy, large, len);
    assert_int_equal(copy[len], '\0');
    free(large);
    sio_arena_deinit(&arena);
}

/* Small uses in turn live in one block; a large piece between them goes and
 * leaves that block; a reset of nothing is nothing. */
static void test_reset(void **state)
{
    (void)state;
    sio_arena arena = {0};
    sio_arena_reset(&arena);
    assert_null(arena.blocks);
    void *first = sio_arena_alloc(&arena, 32);
    for (int i = 0; i < 10; i++) {
        sio_arena_reset(&arena);
        assert_ptr_equal(sio_arena_alloc(&arena, 32), first);
        assert_non_null(sio_arena_alloc(&arena, 10000));
        char *next = sio_arena_alloc(&arena, 1);
        assert_ptr_equal(next, (char *)first + 32);
    }
    sio_arena_deinit(&arena);

    assert_non_null(sio_arena_alloc(&arena, 10000)); /* nothing to keep */
    sio_arena_reset(&arena);
    assert_null(arena.blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),    cmocka_unit_test(test_empty_pieces),
        cmocka_unit_test(test_too_large), cmocka_unit_test(test_copies),
        cmocka_unit_test(test_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
