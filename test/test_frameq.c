#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/frameq.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static size_t chunks_of(const sio_frameq *q)
{
    size_t n = 0;
    for (const sio_frameq_chunk *c = q->head; c != NULL; c = c->next) {
        assert_true(c->begin < c->end && c->end <= SIO_FRAMEQ_CHUNK);
        assert_true(c->next != NULL || c == q->head->tail);
        n++;
    }
    return n;
}

/* The queue holds the flags `from`, `from` + 1 .. up to before `to`, each with
 * a frame of as many bytes modulo 10. */
static void check_range(const sio_frameq *q, uint32_t from, uint32_t to)
{
    size_t bytes = 0;
    sio_frameq_walk walk = sio_frameq_walk_start(q);
    const sio_frameq_entry *entry;
    for (uint32_t i = from; i < to; i++) {
        entry = sio_frameq_walk_next(&walk);
        assert_non_null(entry);
        assert_int_equal(entry->flags, i);
        assert_int_equal(entry->frame->len, i % 10);
        bytes += i % 10;
    }
    assert_null(sio_frameq_walk_next(&walk));
    assert_null(sio_frameq_walk_next(&walk));
    assert_int_equal(sio_frameq_count(q), to - from);
    assert_int_equal(sio_frameq_bytes(q), bytes);
    assert_true(sio_frameq_empty(q) == (from == to));
    if (from != to) {
        assert_int_equal(sio_frameq_first(q)->flags, from);
    } else {
        assert_null(sio_frameq_first(q));
    }
    (void)chunks_of(q);
}

static void push_range(sio_frameq *q, sio_chunk_pool *pool, uint32_t from,
                       uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        sio_frame *frame = sio_frame_new(NULL, i % 10);
        assert_int_equal(sio_frameq_push(q, pool, frame, i), SIO_OK);
        sio_frame_unref(frame); /* the queue has its own */
    }
}

static void test_first_in_first_out(void **state)
{
    (void)state;
    sio_chunk_pool pool = {0};
    for (uint32_t n = 0; n < 70; n++) {
        sio_frameq q = {0};
        push_range(&q, &pool, 0, n);
        check_range(&q, 0, n);
        for (uint32_t i = 0; i < n; i++) {
            sio_frameq_set_offset(&q, 1);
            sio_frameq_pop(&q, &pool);
            assert_int_equal(sio_frameq_offset(&q), 0);
            check_range(&q, i + 1, n);
        }
        push_range(&q, &pool, 0, n);
        sio_frameq_clear(&q, &pool);
        check_range(&q, 0, 0);
    }
    assert_true(pool.count >= 5 && pool.count < 10);
    sio_chunk_pool_deinit(&pool);
    assert_null(pool.free);
}

/* In and out in waves: with the queue never long, the chunks never become
 * more, and none is asked of the system after the first wave. */
static void test_steady_state(void **state)
{
    (void)state;
    sio_chunk_pool pool = {0};
    sio_frameq q = {0};
    uint32_t in = 0, out = 0;
    for (int wave = 0; wave < 500; wave++) {
        push_range(&q, &pool, in, in + (uint32_t)wave % 23);
        in += (uint32_t)wave % 23;
        while (out + 20 < in) {
            sio_frameq_pop(&q, &pool);
            out++;
        }
        check_range(&q, out, in);
        assert_true(chunks_of(&q) + pool.count <= 5);
    }
    sio_frameq_clear(&q, &pool);
    sio_chunk_pool_deinit(&pool);
}

static void test_moves(void **state)
{
    (void)state;
    sio_chunk_pool pool = {0};
    for (uint32_t a = 0; a < 40; a++) {
        for (uint32_t b = 0; b < 40; b++) {
            uint32_t gone = a / 2, later = a + b + 20;
            sio_frameq dst = {0}, src = {0};
            push_range(&dst, &pool, 0, a);
            push_range(&src, &pool, 90, 90 + b % 7);
            push_range(&src, &pool, a, a + b);
            for (uint32_t i = 0; i < b % 7; i++) {
                sio_frameq_pop(&src, &pool); /* its first chunk has a gap */
            }
            for (uint32_t i = 0; i < gone; i++) {
                sio_frameq_pop(&dst, &pool);
            }
            sio_frameq_move(&dst, &src);
            check_range(&src, 0, 0);
            check_range(&dst, gone, a + b);
            push_range(&dst, &pool, a + b, later);
            check_range(&dst, gone, later);
            sio_frameq_clear(&dst, &pool);
        }
    }
    sio_chunk_pool_deinit(&pool);
}

static void test_move_keeps_offset(void **state)
{
    (void)state;
    sio_chunk_pool pool = {0};
    sio_frameq dst = {0}, src = {0};
    push_range(&src, &pool, 5, 7);
    sio_frameq_set_offset(&src, 3);
    sio_frameq_move(&dst, &src);
    assert_int_equal(sio_frameq_offset(&dst), 3);
    assert_int_equal(sio_frameq_offset(&src), 0);
    sio_frameq_clear(&dst, &pool);
    sio_chunk_pool_deinit(&pool);
}

static void test_walk_meets_pushes(void **state)
{
    (void)state;
    sio_chunk_pool pool = {0};
    sio_frameq q = {0};
    push_range(&q, &pool, 0, 1);
    sio_frameq_walk walk = sio_frameq_walk_start(&q);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(sio_frameq_walk_next(&walk)->flags, i);
        assert_null(sio_frameq_walk_next(&walk));
        push_range(&q, &pool, i + 1, i + 2);
    }
    sio_frameq_clear(&q, &pool);
    sio_chunk_pool_deinit(&pool);
}

/* A frame in many queues lives until the last one lets go. */
static void test_shares(void **state)
{
    (void)state;
    sio_chunk_pool pool = {0};
    sio_frameq queues[20] = {0};
    sio_frame *frame = sio_frame_new(NULL, 4);
    memcpy(frame->data, "same", 4);
    for (size_t i = 0; i < COUNT(queues); i++) {
        assert_int_equal(sio_frameq_push(&queues[i], &pool, frame, 0), SIO_OK);
    }
    assert_int_equal(atomic_load(&frame->refs), 1 + COUNT(queues));
    sio_frame_unref(frame);
    for (size_t i = 0; i < COUNT(queues); i++) {
        const sio_frameq_entry *entry = sio_frameq_first(&queues[i]);
        assert_memory_equal(entry->frame->data, "same", 4);
        sio_frameq_pop(&queues[i], &pool);
    }
    sio_chunk_pool_deinit(&pool);
}

static void test_pool_is_bounded(void **state)
{
    (void)state;
    sio_chunk_pool pool = {0};
    sio_frameq q = {0};
    sio_frame *frame = sio_frame_new(NULL, 1);
    for (size_t i = 0; i < 2000 * SIO_FRAMEQ_CHUNK; i++) {
        assert_int_equal(sio_frameq_push(&q, &pool, frame, 0), SIO_OK);
    }
    sio_frameq_clear(&q, &pool);
    sio_frame_unref(frame);
    assert_int_equal(pool.count, 1024);
    sio_chunk_pool_deinit(&pool);
    assert_int_equal(pool.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_in_first_out),
        cmocka_unit_test(test_steady_state),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_move_keeps_offset),
        cmocka_unit_test(test_walk_meets_pushes),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_pool_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
