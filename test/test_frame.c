#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "base/frame.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const size_t lengths[] = {0,    1,    111,   112,    113,  495,
                                 496,  497,  2031,  2032,   2033, 8175,
                                 8176, 8177, 65536, 1000000};

/* Every byte of a frame is there to be written, wherever it comes from; the
 * second round is served from what the first has given back. */
static void fill_all(sio_frame_pool *pool)
{
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT(lengths); i++) {
            sio_frame *frame = sio_frame_new(pool, lengths[i]);
            assert_non_null(frame);
            assert_int_equal(frame->len, lengths[i]);
            memset(frame->data, round, frame->len);
            assert_ptr_equal(sio_frame_ref(frame), frame);
            sio_frame_unref(frame);
            sio_bytes view = sio_frame_view(frame);
            assert_int_equal(view.len, lengths[i]);
            assert_true(view.len == 0 || view.base[view.len - 1] == round);
            sio_frame_unref(frame);
        }
    }
}

static void test_lengths(void **state)
{
    (void)state;
    sio_frame_pool pool;
    assert_int_equal(sio_frame_pool_init(&pool), SIO_OK);
    fill_all(NULL);
    fill_all(&pool);
    assert_int_equal(pool.out, 0);
    assert_null(sio_frame_new(&pool, SIZE_MAX));
    assert_null(sio_frame_new(NULL, SIZE_MAX - 10));
    sio_frame_unref(NULL);
    sio_frame_pool_deinit(&pool);
    sio_frame_pool_deinit(&pool);
}

static void test_steady_state(void **state)
{
    (void)state;
    sio_frame_pool pool;
    assert_int_equal(sio_frame_pool_init(&pool), SIO_OK);
    sio_frame *first = sio_frame_new(&pool, 100);
    sio_frame_unref(first);
    for (int i = 0; i < 100; i++) {
        sio_frame *frame = sio_frame_new(&pool, 50);
        assert_ptr_equal(frame, first);
        sio_frame_trim(frame, 20);
        assert_int_equal(frame->len, 20);
        sio_frame_unref(frame);
    }
    sio_frame_pool_deinit(&pool);
}

static void test_bound(void **state)
{
    (void)state;
    enum { MANY = 400 };
    sio_frame *frames[MANY];
    sio_frame_pool pool;
    assert_int_equal(sio_frame_pool_init(&pool), SIO_OK);
    for (size_t i = 0; i < MANY; i++) {
        frames[i] = sio_frame_new(&pool, 8000);
    }
    for (size_t i = 0; i < MANY; i++) {
        sio_frame_unref(frames[i]);
    }
    assert_int_equal(pool.out, 0);
    assert_true(pool.cached > 256 * 1024 && pool.cached <= 512 * 1024);
    sio_frame_pool_deinit(&pool);
}

/* A batch of references that another thread gives back. */
typedef struct batch {
    sio_frame **frames;
    size_t count;
} batch;

static void *give_back(void *arg)
{
    batch *b = arg;
    for (size_t i = 0; i < b->count; i++) {
        sio_frame_unref(b->frames[i]);
    }
    return NULL;
}

static void give_back_elsewhere(sio_frame **frames, size_t count)
{
    pthread_t thread;
    batch b = {frames, count};
    assert_int_equal(pthread_create(&thread, NULL, give_back, &b), 0);
    pthread_join(thread, NULL);
}

static void test_returns(void **state)
{
    (void)state;
    enum { MANY = 400 };
    sio_frame *frames[MANY];
    sio_frame_pool pool;
    assert_int_equal(sio_frame_pool_init(&pool), SIO_OK);

    frames[0] = sio_frame_new(&pool, 10);
    sio_frame *first = frames[0];
    give_back_elsewhere(frames, 1);
    assert_int_equal(pool.out, 1); /* not seen yet */
    frames[0] = sio_frame_new(&pool, 10);
    assert_ptr_equal(frames[0], first);
    sio_frame_unref(frames[0]);
    assert_int_equal(pool.out, 0);

    /* More than is kept: the rest is freed over there. */
    for (size_t i = 0; i < MANY; i++) {
        frames[i] = sio_frame_new(&pool, 8000);
    }
    give_back_elsewhere(frames, MANY);
    sio_frame *frame = sio_frame_new(&pool, 8000);
    assert_true(pool.cached > 256 * 1024 && pool.cached <= 512 * 1024);
    assert_true(pool.out > MANY - 70 && pool.out < MANY); /* not seen again */
    sio_frame_unref(frame);
    sio_frame_pool_deinit(&pool);
}

/* Frames outlive the pool; LeakSanitizer sees whether all memory goes. */
static void test_outliving(void **state)
{
    (void)state;
    sio_frame *frames[6];
    sio_frame_pool pool;
    assert_int_equal(sio_frame_pool_init(&pool), SIO_OK);
    for (size_t i = 0; i < COUNT(frames); i++) {
        frames[i] = sio_frame_new(&pool, 100 * i);
        memset(frames[i]->data, 7, frames[i]->len);
    }
    give_back_elsewhere(frames, 2); /* waits in the pool when it ends */
    sio_frame_unref(frames[2]);
    sio_frame_pool_deinit(&pool);
    memset(&pool, 0xa5, sizeof(pool));
    assert_int_equal(frames[5]->data[499], 7);
    sio_frame_unref(frames[3]);
    give_back_elsewhere(frames + 4, 2);
}

/* The owner makes, shares with all the others and ends, while they give back:
 * everything meets under ThreadSanitizer.  Who waits yields, for there may be
 * fewer processors than threads. */
#define SHARERS 3
#define PER_SHARER 20000

typedef struct exchange {
    _Atomic(sio_frame *) slot;
    unsigned sum;
} exchange;

static void *consume(void *arg)
{
    exchange *x = arg;
    for (int i = 0; i < PER_SHARER; i++) {
        sio_frame *frame;
        while ((frame = atomic_exchange(&x->slot, NULL)) == NULL) {
            sched_yield();
        }
        x->sum += frame->data[frame->len - 1];
        sio_frame_unref(frame);
    }
    return NULL;
}

static void *own(void *arg)
{
    exchange *exchanges = arg;
    sio_frame_pool pool;
    assert_int_equal(sio_frame_pool_init(&pool), SIO_OK);
    for (size_t i = 0; i < PER_SHARER; i++) {
        sio_frame *frame = sio_frame_new(&pool, lengths[1 + i % 10]);
        memset(frame->data, (int)(i % 7), frame->len);
        sio_frame_share(frame);
        for (size_t j = 0; j < SHARERS; j++) {
            sio_frame *empty = NULL;
            sio_frame_ref(frame);
            while (!atomic_compare_exchange_weak(&exchanges[j].slot, &empty,
                                                 frame)) {
                empty = NULL;
                sched_yield();
            }
        }
        sio_frame_unref(frame);
    }
    sio_frame_pool_deinit(&pool);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    static exchange exchanges[SHARERS];
    pthread_t owner, threads[SHARERS];
    unsigned want = 0;
    for (size_t i = 0; i < PER_SHARER; i++) {
        want += (unsigned)(i % 7);
    }
    pthread_create(&owner, NULL, own, exchanges);
    for (size_t i = 0; i < SHARERS; i++) {
        pthread_create(&threads[i], NULL, consume, &exchanges[i]);
    }
    for (size_t i = 0; i < SHARERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(exchanges[i].sum, want);
    }
    pthread_join(owner, NULL);
}

static void *adopt(void *arg)
{
    sio_frame_pool *pool = arg;
    sio_frame_pool_adopt(pool);
    sio_frame *frame = sio_frame_new(pool, 10);
    sio_frame_unref(frame);
    assert_int_equal(pool->out, 0); /* at once, so this is the owner */
    return frame;
}

static void test_adoption(void **state)
{
    (void)state;
    sio_frame_pool pool;
    assert_int_equal(sio_frame_pool_init(&pool), SIO_OK);
    sio_frame *frame = sio_frame_new(&pool, 10);
    sio_frame_unref(frame);
    pthread_t thread;
    void *reused;
    pthread_create(&thread, NULL, adopt, &pool);
    pthread_join(thread, &reused);
    assert_ptr_equal(frame, reused);
    sio_frame_pool_deinit(&pool); /* the owner has ended */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),   cmocka_unit_test(test_steady_state),
        cmocka_unit_test(test_bound),     cmocka_unit_test(test_returns),
        cmocka_unit_test(test_outliving), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_adoption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
