#ifndef SIO_BASE_BUCKET_H
#define SIO_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* How much of something there may be in a second. */
typedef struct sio_rate {
    uint32_t per_second; /* 0: as much as one likes */
    uint32_t burst;      /* what may come at once after a rest; at least 1 */
} sio_rate;

/*
 * A bucket of tokens that `rate` fills: what comes takes some.  It has no
 * clock: `now` is in milliseconds on one monotonic clock of the caller's, and
 * a time before the latest one counts as that.
 */
typedef struct sio_bucket {
    int64_t level; /* in thousandths of a token; below 0: a debt */
    uint64_t at;   /* when it was so */
} sio_bucket;

/* Makes it full. */
void sio_bucket_fill(sio_bucket *bucket, const sio_rate *rate, uint64_t now);

/* Takes `count` tokens if they are there, or nothing; more than `burst` never
 * are. */
bool sio_bucket_take(sio_bucket *bucket, const sio_rate *rate, uint64_t now,
                     uint32_t count);

/* Takes them in any case; whether there is no debt. */
bool sio_bucket_charge(sio_bucket *bucket, const sio_rate *rate, uint64_t now,
                       uint32_t count);

/* Milliseconds until `count` tokens will be there, at most `burst`; with 0,
 * until a debt is paid. */
uint64_t sio_bucket_wait(sio_bucket *bucket, const sio_rate *rate, uint64_t now,
                         uint32_t count);

/* Whether it holds all that it can. */
bool sio_bucket_is_full(sio_bucket *bucket, const sio_rate *rate, uint64_t now);

#endif
