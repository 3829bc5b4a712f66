#include "base/frameq.h"

#include <assert.h>
#include <stdlib.h>

#define KEEP_MAX 1024 /* chunks of 256 bytes */

void sio_chunk_pool_deinit(sio_chunk_pool *pool)
{
    while (pool->free != NULL) {
        sio_frameq_chunk *chunk = pool->free;
        pool->free = chunk->next;
        free(chunk);
    }
    pool->count = 0;
}

static sio_frameq_chunk *get_chunk(sio_chunk_pool *pool)
{
    sio_frameq_chunk *chunk = pool->free;
    if (chunk != NULL) {
        pool->free = chunk->next;
        pool->count--;
    } else {
        chunk = malloc(sizeof(*chunk));
        if (chunk == NULL) {
            return NULL;
        }
    }
    chunk->next = NULL;
    chunk->begin = chunk->end = 0;
    return chunk;
}

static void put_chunk(sio_chunk_pool *pool, sio_frameq_chunk *chunk)
{
    if (pool->count == KEEP_MAX) {
        free(chunk);
        return;
    }
    chunk->next = pool->free;
    pool->free = chunk;
    pool->count++;
}

/* Makes `chunk` the first of an empty queue, or else the last. */
static void add_chunk(sio_frameq *q, sio_frameq_chunk *chunk)
{
    if (q->head == NULL) {
        chunk->bytes = chunk->offset = 0;
        chunk->count = 0;
        q->head = chunk;
    } else {
        assert(q->head->tail != NULL);
        q->head->tail->next = chunk;
    }
    q->head->tail = chunk;
}

sio_error sio_frameq_push(sio_frameq *q, sio_chunk_pool *pool, sio_frame *frame,
                          uint32_t flags)
{
    sio_frameq_chunk *tail = q->head == NULL ? NULL : q->head->tail;
    if (tail == NULL || tail->end == SIO_FRAMEQ_CHUNK) {
        tail = get_chunk(pool);
        if (tail == NULL) {
            return SIO_ERR_NO_MEMORY;
        }
        add_chunk(q, tail);
    }
    tail->entries[tail->end++] =
        (sio_frameq_entry){sio_frame_ref(frame), flags};
    q->head->count++;
    q->head->bytes += frame->len;
    pool->queued += frame->len;
    return SIO_OK;
}

/* Takes the first chunk, which is used up, off the queue. */
static void drop_chunk(sio_frameq *q, sio_chunk_pool *pool)
{
    sio_frameq_chunk *old = q->head, *next = old->next;
    if (next != NULL) {
        next->tail = old->tail;
        next->bytes = old->bytes;
        next->offset = old->offset;
        next->count = old->count;
    }
    q->head = next;
    put_chunk(pool, old);
}

void sio_frameq_pop(sio_frameq *q, sio_chunk_pool *pool)
{
    sio_frameq_chunk *head = q->head;
    assert(head != NULL);
    sio_frame *frame = head->entries[head->begin++].frame;
    head->count--;
    head->bytes -= frame->len;
    head->offset = 0;
    pool->queued -= frame->len;
    sio_frame_unref(frame);
    if (head->begin == head->end) {
        drop_chunk(q, pool);
    }
}

void sio_frameq_clear(sio_frameq *q, sio_chunk_pool *pool)
{
    while (q->head != NULL) {
        sio_frameq_pop(q, pool);
    }
}

void sio_frameq_move(sio_frameq *dst, sio_frameq *src)
{
    sio_frameq_chunk *to = dst->head, *from = src->head;
    assert(dst != src && (to == NULL || sio_frameq_offset(src) == 0));
    src->head = NULL;
    if (from == NULL) {
        return;
    }
    if (to == NULL) {
        dst->head = from;
        return;
    }
    to->tail->next = from;
    to->tail = from->tail;
    to->count += from->count;
    to->bytes += from->bytes;
}

const sio_frameq_entry *sio_frameq_walk_next(sio_frameq_walk *walk)
{
    /* A push since the last step may have added to the chunk, or behind it. */
    if (walk->chunk != NULL && walk->at == walk->chunk->end &&
        walk->chunk->next != NULL) {
        walk->chunk = walk->chunk->next;
        walk->at = walk->chunk->begin;
    }
    if (walk->chunk == NULL || walk->at == walk->chunk->end) {
        return NULL;
    }
    return &walk->chunk->entries[walk->at++];
}
