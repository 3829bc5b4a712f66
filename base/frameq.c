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

sio_error sio_frameq_push(sio_frameq *q, sio_chunk_pool *pool, sio_frame *frame,
                          uint32_t flags)
{
    sio_frameq_chunk *tail = q->tail;
    if (tail == NULL || tail->end == SIO_FRAMEQ_CHUNK) {
        tail = get_chunk(pool);
        if (tail == NULL) {
            return SIO_ERR_NO_MEMORY;
        }
        if (q->tail == NULL) {
            q->head = tail;
        } else {
            q->tail->next = tail;
        }
        q->tail = tail;
    }
    tail->entries[tail->end++] =
        (sio_frameq_entry){sio_frame_ref(frame), flags};
    q->count++;
    q->bytes += frame->len;
    pool->queued += frame->len;
    return SIO_OK;
}

void sio_frameq_pop(sio_frameq *q, sio_chunk_pool *pool)
{
    sio_frameq_chunk *head = q->head;
    assert(head != NULL);
    sio_frame *frame = head->entries[head->begin++].frame;
    q->count--;
    q->bytes -= frame->len;
    pool->queued -= frame->len;
    q->offset = 0;
    sio_frame_unref(frame);

    if (head->begin == head->end) {
        q->head = head->next;
        if (q->head == NULL) {
            q->tail = NULL;
        }
        put_chunk(pool, head);
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
    assert(dst != src && (dst->head == NULL || src->offset == 0));
    if (src->head == NULL) {
        return;
    }
    if (dst->head == NULL) {
        *dst = *src;
    } else {
        dst->tail->next = src->head;
        dst->tail = src->tail;
        dst->count += src->count;
        dst->bytes += src->bytes;
    }
    *src = (sio_frameq){0};
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
