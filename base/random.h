#ifndef SIO_BASE_RANDOM_H
#define SIO_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "socketio/error.h"

/*
 * Random bytes of the kernel, fit for secrets, fetched in portions to spare
 * system calls.  Start zeroed.  One thread at a time, and not across a fork:
 * both processes would hand out the same bytes.
 */
typedef struct sio_random {
    size_t left; /* unused bytes, at the end of `pool` */
    uint8_t pool[256];
} sio_random;

/*
 * Fills `out` with `len` random bytes, and forgets them here.  Fails with
 * RANDOM when the kernel gives none; `out` is then zeroed and must not be used.
 * There is no other source to fall back on.
 */
sio_error sio_random_fill(sio_random *random, void *out, size_t len);

/* Wipes the bytes that were not used. */
void sio_random_deinit(sio_random *random);

#endif
