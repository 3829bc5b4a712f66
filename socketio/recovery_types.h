#ifndef SIO_RECOVERY_TYPES_H
#define SIO_RECOVERY_TYPES_H

/* What core.h needs to know of recovery. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of connection state recovery, for what one loop has of one namespace. */
typedef struct sio_recovery_limits {
    uint32_t window; /* ms that a session is stored; 0: no recovery */
    bool skip_middlewares;
    size_t max_packets, max_bytes;
} sio_recovery_limits;

/*
 * Where a task for all loops comes from: the loop with that index, or, with the
 * number of loops, other threads; and its number among those of the same
 * sender, which come to each loop in that order.  0: none.
 */
typedef struct sio_origin {
    uint64_t number;
    unsigned sender;
} sio_origin;

#endif
