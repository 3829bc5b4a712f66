#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define ALIGNMENT alignof(max_align_t)

typedef struct sio_arena_block {
    struct sio_arena_block *next;
    size_t size; /* of `data` */
    alignas(max_align_t) uint8_t data[];
} sio_arena_block;

/* A block with its head, and the allocator's, is a page. */
#define ORDINARY (4096 - 16 - sizeof(sio_arena_block))

static sio_arena_block *new_block(size_t size)
{
    sio_arena_block *block = malloc(sizeof(*block) + size);
    if (block != NULL) {
        block->size = size;
    }
    return block;
}

/* What is larger than a quarter of a block gets one of its own, behind the one
 * being filled, whose rest stays in use: at most a quarter is ever wasted. */
static void *alloc_own(sio_arena *arena, size_t size)
{
    sio_arena_block *block = new_block(size);
    if (block == NULL) {
        return NULL;
    }
    if (arena->blocks == NULL) {
        block->next = NULL;
        arena->blocks = block;
    } else {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    }
    return block->data;
}

void *sio_arena_alloc(sio_arena *arena, size_t size)
{
    if (size > PTRDIFF_MAX - 2 * ORDINARY) {
        return NULL;
    }
    size = size == 0 ? 1 : size; /* so that there is a block to point into */
    size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (size > arena->left) {
        if (size > ORDINARY / 4) {
            return alloc_own(arena, size);
        }
        sio_arena_block *block = new_block(ORDINARY);
        if (block == NULL) {
            return NULL;
        }
        block->next = arena->blocks;
        arena->blocks = block;
        arena->left = ORDINARY;
    }
    uint8_t *end = arena->blocks->data + arena->blocks->size;
    void *at = end - arena->left;
    arena->left -= size;
    return at;
}

char *sio_arena_copy(sio_arena *arena, sio_bytes bytes)
{
    if (bytes.len == SIZE_MAX) {
        return NULL;
    }
    char *copy = sio_arena_alloc(arena, bytes.len + 1);
    if (copy == NULL) {
        return NULL;
    }
    if (bytes.len != 0) {
        memcpy(copy, bytes.base, bytes.len);
    }
    copy[bytes.len] = '\0';
    return copy;
}

void sio_arena_reset(sio_arena *arena)
{
    sio_arena_block *kept = NULL;
    while (arena->blocks != NULL) {
        sio_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        if (kept == NULL && block->size == ORDINARY) {
            kept = block;
        } else {
            free(block);
        }
    }
    if (kept != NULL) {
        kept->next = NULL;
    }
    arena->blocks = kept;
    arena->left = kept == NULL ? 0 : kept->size;
}

void sio_arena_deinit(sio_arena *arena)
{
    while (arena->blocks != NULL) {
        sio_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    arena->left = 0;
}
