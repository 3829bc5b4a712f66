#include "base/frame.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/thread.h"

/* A frame of a class takes, with its head and the allocator's, 144, 528, 2064
 * or 8208 bytes: multiples of 16, so that none are wasted. */
static const size_t capacities[SIO_FRAME_CLASSES] = {112, 496, 2032, 8176};

#define UNPOOLED SIO_FRAME_CLASSES

/* Kept by the owner, and as much again in what others have returned. */
#define CACHE_MAX ((size_t)512 * 1024)

/*
 * The part of a pool that its frames can reach on any thread, and that lives
 * as long as either of them.
 *
 * `returned` is a stack.  Everybody pushes; the owner takes all of it at once,
 * so a node can't leave and come back between a look and a swap (no ABA).
 * Pushes release, the taking acquires: the memory is passed on with whatever
 * was done to it.
 *
 * `live` is what the last one alive frees the home by.  Until the pool ends
 * it counts, downwards from 0, frames that others have freed for good.  At
 * the end the owner adds the number of those it has not seen again.  Whoever
 * makes it 0 from then on is the last.
 */
typedef struct sio_frame_home {
    sio_frame_pool *pool; /* for the owner only */
    sio_owner owner;      /* nobody once the pool has ended */
    _Atomic(sio_frame *) returned;
    atomic_size_t returned_bytes;
    atomic_long live;
} sio_frame_home;

/* In `returned`: the pool has ended.  Never a frame's address. */
#define ENDED ((sio_frame *)(uintptr_t)1)

static size_t footprint(uint32_t size_class)
{
    return sizeof(sio_frame) + capacities[size_class];
}

sio_error sio_frame_pool_init(sio_frame_pool *pool)
{
    sio_frame_home *home = malloc(sizeof(*home));
    if (home == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    home->pool = pool;
    sio_owner_take(&home->owner);
    atomic_init(&home->returned, NULL);
    atomic_init(&home->returned_bytes, 0);
    atomic_init(&home->live, 0);
    *pool = (sio_frame_pool){.home = home};
    return SIO_OK;
}

void sio_frame_pool_adopt(sio_frame_pool *pool)
{
    sio_owner_take(&pool->home->owner);
}

/* Keeps a dead frame for later, on the owner thread. */
static void keep(sio_frame_pool *pool, sio_frame *frame)
{
    uint32_t size_class = frame->size_class;
    size_t size = footprint(size_class);

    pool->out--;
    if (pool->cached + size > CACHE_MAX) {
        free(frame);
        return;
    }
    pool->cached += size;
    frame->next_free = pool->free[size_class];
    pool->free[size_class] = frame;
}

/* Takes in what others have returned, up to the mark, leaving `mark`. */
static void take_returned(sio_frame_pool *pool, sio_frame *mark)
{
    sio_frame_home *home = pool->home;
    sio_frame *frame =
        atomic_exchange_explicit(&home->returned, mark, memory_order_acquire);
    size_t bytes = 0;
    while (frame != NULL) {
        sio_frame *next = frame->next_free;
        bytes += footprint(frame->size_class);
        keep(pool, frame);
        frame = next;
    }
    atomic_fetch_sub_explicit(&home->returned_bytes, bytes,
                              memory_order_relaxed);
}

void sio_frame_pool_deinit(sio_frame_pool *pool)
{
    sio_frame_home *home = pool->home;
    if (home == NULL) {
        return;
    }
    sio_owner_leave(&home->owner);
    take_returned(pool, ENDED);
    for (size_t i = 0; i < SIO_FRAME_CLASSES; i++) {
        while (pool->free[i] != NULL) {
            sio_frame *frame = pool->free[i];
            pool->free[i] = frame->next_free;
            free(frame);
        }
    }
    long out = pool->out;
    *pool = (sio_frame_pool){0};
    if (atomic_fetch_add_explicit(&home->live, out, memory_order_acq_rel) +
            out ==
        0) {
        free(home);
    }
}

static uint16_t class_for(size_t len)
{
    uint16_t size_class = 0;
    while (size_class < UNPOOLED && len > capacities[size_class]) {
        size_class++;
    }
    return size_class;
}

/* A frame of that class that is not in use, or NULL. */
static sio_frame *reuse(sio_frame_pool *pool, uint32_t size_class)
{
    if (pool->free[size_class] == NULL &&
        atomic_load_explicit(&pool->home->returned, memory_order_relaxed) !=
            NULL) {
        take_returned(pool, NULL);
    }
    sio_frame *frame = pool->free[size_class];
    if (frame != NULL) {
        pool->free[size_class] = frame->next_free;
        pool->cached -= footprint(size_class);
    }
    return frame;
}

sio_frame *sio_frame_new(sio_frame_pool *pool, size_t len)
{
    uint16_t size_class = pool == NULL ? UNPOOLED : class_for(len);
    sio_frame *frame = NULL;
    size_t capacity = len;

    if (size_class != UNPOOLED) {
        assert(sio_owner_is_me(&pool->home->owner));
        frame = reuse(pool, size_class);
        capacity = capacities[size_class];
    }
    if (frame == NULL) {
        if (capacity > PTRDIFF_MAX - sizeof(*frame)) {
            return NULL;
        }
        frame = malloc(sizeof(*frame) + capacity);
        if (frame == NULL) {
            return NULL;
        }
        frame->size_class = size_class;
        frame->home = size_class == UNPOOLED ? NULL : pool->home;
    }
    if (size_class != UNPOOLED) {
        pool->out++;
    }
    atomic_init(&frame->refs, 1);
    frame->shared = false;
    frame->len = len;
    return frame;
}

void sio_frame_trim(sio_frame *frame, size_t len)
{
    assert(len <= frame->len && atomic_load(&frame->refs) == 1);
    frame->len = len;
}

/* Frees a frame that its pool will not see again. */
static void lose(sio_frame *frame)
{
    sio_frame_home *home = frame->home;
    free(frame);
    if (atomic_fetch_sub_explicit(&home->live, 1, memory_order_acq_rel) == 1) {
        free(home);
    }
}

/* Returns a dead frame from a thread that is not the owner. */
static void send_home(sio_frame *frame)
{
    sio_frame_home *home = frame->home;
    size_t size = footprint(frame->size_class);
    size_t waiting = atomic_fetch_add_explicit(&home->returned_bytes, size,
                                               memory_order_relaxed);
    bool full = waiting + size > CACHE_MAX;
    sio_frame *top =
        atomic_load_explicit(&home->returned, memory_order_relaxed);
    do {
        if (full || top == ENDED) {
            atomic_fetch_sub_explicit(&home->returned_bytes, size,
                                      memory_order_relaxed);
            lose(frame);
            return;
        }
        frame->next_free = top;
    } while (!atomic_compare_exchange_weak_explicit(&home->returned, &top,
                                                    frame, memory_order_release,
                                                    memory_order_relaxed));
}

/*
 * Whether the caller gives back the last reference.  If it holds the only one,
 * nobody else can take or give one, and the swap is spared.  Release publishes
 * our reads to whoever frees; acquire is the freer's half of that bargain, in
 * either way of finding out.
 */
static bool is_last(sio_frame *frame)
{
    unsigned refs = atomic_load_explicit(&frame->refs, memory_order_acquire);
    if (refs == 1) {
        return true;
    }
    if (!frame->shared) {
        atomic_store_explicit(&frame->refs, refs - 1, memory_order_relaxed);
        return false;
    }
    return atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_acq_rel) ==
           1;
}

void sio_frame_unref(sio_frame *frame)
{
    if (frame == NULL || !is_last(frame)) {
        return;
    }
    sio_frame_home *home = frame->home;
    if (home == NULL) {
        free(frame);
    } else if (sio_owner_is_me(&home->owner)) {
        /* Only this thread can have made it so, and the pool is here. */
        keep(home->pool, frame);
    } else {
        send_home(frame);
    }
}
