#ifndef SIO_BASE_FRAMEQ_H
#define SIO_BASE_FRAMEQ_H

#include "base/frame.h"

typedef struct sio_frameq_entry {
    sio_frame *frame;
    uint32_t flags; /* the user's */
} sio_frameq_entry;

#define SIO_FRAMEQ_CHUNK 13

/* A piece of a queue: the entries from `begin` on, up to `end`.  None is empty
 * while it is in a queue.  The first one keeps the books of the whole queue. */
typedef struct sio_frameq_chunk {
    struct sio_frameq_chunk *next;
    struct sio_frameq_chunk *tail; /* in the first: the last one */
    size_t bytes;   /* in the first: of all frames in the queue */
    size_t offset;  /* in the first: see sio_frameq_offset() */
    uint32_t count; /* in the first: entries in the queue */
    uint16_t begin, end;
    sio_frameq_entry entries[SIO_FRAMEQ_CHUNK];
} sio_frameq_chunk;

/* Chunks that are not in use, for all the queues of one thread.  Start zeroed.
 * It keeps a bounded number of them (256 KiB). */
typedef struct sio_chunk_pool {
    sio_frameq_chunk *free;
    size_t count;
    size_t queued; /* bytes in all the queues */
} sio_chunk_pool;

void sio_chunk_pool_deinit(sio_chunk_pool *pool);

/*
 * References to frames, first in, first out, fewer than 2^32.  Start zeroed; an
 * empty queue holds no memory, and is one pointer.  One thread at a time.  A
 * pool given to one of these functions may be another one than last time, if
 * it is of the same thread.
 */
typedef struct sio_frameq {
    sio_frameq_chunk *head; /* NULL while empty */
} sio_frameq;

static inline bool sio_frameq_empty(const sio_frameq *q)
{
    return q->head == NULL;
}

static inline size_t sio_frameq_count(const sio_frameq *q)
{
    return q->head == NULL ? 0 : q->head->count;
}

/* The sum of `len` over all frames in the queue. */
static inline size_t sio_frameq_bytes(const sio_frameq *q)
{
    return q->head == NULL ? 0 : q->head->bytes;
}

/* The user's: how much of the first entry is done; 0 again when that one
 * leaves.  To be set only while the queue is not empty. */
static inline size_t sio_frameq_offset(const sio_frameq *q)
{
    return q->head == NULL ? 0 : q->head->offset;
}

static inline void sio_frameq_set_offset(sio_frameq *q, size_t offset)
{
    q->head->offset = offset;
}

/* Shares `frame`: the queue takes its own reference.  Fails with NO_MEMORY,
 * changing nothing. */
sio_error sio_frameq_push(sio_frameq *q, sio_chunk_pool *pool, sio_frame *frame,
                          uint32_t flags);

/* Drops the first entry and its reference.  The queue must not be empty. */
void sio_frameq_pop(sio_frameq *q, sio_chunk_pool *pool);

/* Drops all entries. */
void sio_frameq_clear(sio_frameq *q, sio_chunk_pool *pool);

/* Moves all entries of `src` behind those of `dst`, in constant time, and
 * leaves `src` empty.  The offset of `src` must be 0 unless `dst` is empty. */
void sio_frameq_move(sio_frameq *dst, sio_frameq *src);

/* Lends the first entry, or NULL. */
static inline const sio_frameq_entry *sio_frameq_first(const sio_frameq *q)
{
    return q->head == NULL ? NULL : &q->head->entries[q->head->begin];
}

/* A walk from the first entry on.  A push leaves it valid; anything else that
 * changes the queue does not. */
typedef struct sio_frameq_walk {
    const sio_frameq_chunk *chunk;
    uint32_t at;
} sio_frameq_walk;

static inline sio_frameq_walk sio_frameq_walk_start(const sio_frameq *q)
{
    return (sio_frameq_walk){q->head, q->head == NULL ? 0 : q->head->begin};
}

/* Lends the next entry, or NULL behind the last one. */
const sio_frameq_entry *sio_frameq_walk_next(sio_frameq_walk *walk);

#endif
