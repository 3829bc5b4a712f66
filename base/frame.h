#ifndef SIO_BASE_FRAME_H
#define SIO_BASE_FRAME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "socketio/error.h"

struct sio_frame_home;

/*
 * Outgoing bytes, encoded once and shared by everyone who has to send them.
 *
 * The maker fills `data` while it holds the only reference.  From the first
 * sio_frame_ref() on, or once it is in a queue, the bytes and `len` are frozen.
 * It may be handed to another thread as a whole, with all its references, or,
 * after sio_frame_share(), be held by several.
 */
typedef struct sio_frame {
    atomic_uint refs;
    uint16_t size_class;         /* the pool's business */
    bool shared;                 /* more than one thread has it; see below */
    struct sio_frame_home *home; /* where the memory goes back to, or NULL */
    union {
        size_t len;
        struct sio_frame *next_free; /* only while nobody holds a reference */
    };
    uint8_t data[];
} sio_frame;

#define SIO_FRAME_CLASSES 4

/*
 * Keeps the memory of frames that have died for those to come.  It belongs to
 * one thread, the owner, which alone makes frames from it; the last reference
 * may be given back on any thread.  What it keeps is bounded (1 MiB).  Frames
 * may outlive their pool.
 */
typedef struct sio_frame_pool {
    struct sio_frame_home *home;        /* shared with the frames */
    sio_frame *free[SIO_FRAME_CLASSES]; /* by size class; owner only */
    size_t cached;                      /* bytes in `free` */
    long out; /* frames made, less those the owner has seen again */
} sio_frame_pool;

/* Makes an empty pool, owned by the calling thread.  Frames point to it: it
 * must not be moved afterwards.  May fail with NO_MEMORY. */
sio_error sio_frame_pool_init(sio_frame_pool *pool);

/* Makes the calling thread the owner.  No other thread may use the pool, or
 * give back a reference to a frame of it, at the same time: call it at the
 * start of the thread for which another one has initialised the pool. */
void sio_frame_pool_adopt(sio_frame_pool *pool);

/* Frees what is kept.  Frames that still have references stay valid and free
 * themselves later.  On the owner thread, or when that one has ended. */
void sio_frame_pool_deinit(sio_frame_pool *pool);

/* Gives a frame of `len` uninitialised bytes and one reference to it; NULL
 * when out of memory.  `pool` may be NULL, and then this may be called on any
 * thread. */
sio_frame *sio_frame_new(sio_frame_pool *pool, size_t len);

/* Shortens `len`, which the maker may do until the frame is shared. */
void sio_frame_trim(sio_frame *frame, size_t len);

/* Makes it a frame that several threads may hold at a time: from here on its
 * references are counted by locked instructions, which others are spared.  The
 * maker's business, before any other thread knows of it. */
static inline void sio_frame_share(sio_frame *frame)
{
    frame->shared = true;
}

/* Takes one more reference.  Returns `frame`, so that it reads as a copy. */
static inline sio_frame *sio_frame_ref(sio_frame *frame)
{
    if (frame->shared) {
        atomic_fetch_add_explicit(&frame->refs, 1, memory_order_relaxed);
    } else {
        unsigned refs =
            atomic_load_explicit(&frame->refs, memory_order_relaxed);
        atomic_store_explicit(&frame->refs, refs + 1, memory_order_relaxed);
    }
    return frame;
}

/* Gives a reference back; the last one frees.  NULL is allowed. */
void sio_frame_unref(sio_frame *frame);

static inline sio_bytes sio_frame_view(const sio_frame *frame)
{
    return (sio_bytes){frame->data, frame->len};
}

#endif
