#ifndef SIO_BASE_ARENA_H
#define SIO_BASE_ARENA_H

#include "base/bytes.h"

struct sio_arena_block;

/*
 * Memory for things that end together.  Start zeroed: an arena owns nothing
 * until something is allocated.
 */
typedef struct sio_arena {
    struct sio_arena_block *blocks; /* the one being filled comes first */
    size_t left;                    /* bytes free at the end of that one */
} sio_arena;

/* Gives `size` uninitialised bytes, aligned for any type, valid until reset or
 * deinit; NULL when out of memory.  Never NULL for size 0 otherwise. */
void *sio_arena_alloc(sio_arena *arena, size_t size);

/* Gives a copy of `bytes` with a NUL behind it; NULL when out of memory. */
char *sio_arena_copy(sio_arena *arena, sio_bytes bytes);

/* Ends everything in the arena but keeps one block of ordinary size (4 KiB), so
 * that small uses in turn cost no system memory. */
void sio_arena_reset(sio_arena *arena);

/* Frees all memory and leaves an empty arena. */
void sio_arena_deinit(sio_arena *arena);

#endif
