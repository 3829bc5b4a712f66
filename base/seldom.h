#ifndef SIO_BASE_SELDOM_H
#define SIO_BASE_SELDOM_H

#include <stdbool.h>
#include <stdint.h>

/* What many may cause is logged no more often than once in so many ms. */
#define SIO_SELDOM_MS 1000

/* Whether it is to be logged at `now`, in ms of a clock that does not go back;
 * if so, it is not again before `*next`.  That starts as zero. */
static inline bool sio_seldom(uint64_t *next, uint64_t now)
{
    if (now < *next) {
        return false;
    }
    *next = now + SIO_SELDOM_MS;
    return true;
}

#endif
