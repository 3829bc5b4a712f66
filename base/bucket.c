#include "base/bucket.h"

#define THOUSAND 1000

/* No debt is deeper: far more than anybody can read at once, and far from what
 * would overflow. */
#define DEEPEST (-INT64_C(0x100000000) * THOUSAND * THOUSAND)

static int64_t brim(const sio_rate *rate)
{
    return (int64_t)rate->burst * THOUSAND;
}

static void refill(sio_bucket *bucket, const sio_rate *rate, uint64_t now)
{
    if (now <= bucket->at) {
        return;
    }
    uint64_t ms = now - bucket->at;
    uint64_t missing = (uint64_t)(brim(rate) - bucket->level);
    bucket->at = now;
    /* A thousandth of a token per millisecond is one per second. */
    if (rate->per_second == 0 || ms >= missing / rate->per_second + 1) {
        bucket->level = brim(rate);
    } else {
        bucket->level += (int64_t)(ms * rate->per_second);
    }
}

void sio_bucket_fill(sio_bucket *bucket, const sio_rate *rate, uint64_t now)
{
    *bucket = (sio_bucket){brim(rate), now};
}

bool sio_bucket_take(sio_bucket *bucket, const sio_rate *rate, uint64_t now,
                     uint32_t count)
{
    int64_t price = (int64_t)count * THOUSAND;
    if (rate->per_second == 0) {
        return true;
    }
    refill(bucket, rate, now);
    if (bucket->level < price) {
        return false;
    }
    bucket->level -= price;
    return true;
}

bool sio_bucket_charge(sio_bucket *bucket, const sio_rate *rate, uint64_t now,
                       uint32_t count)
{
    if (rate->per_second == 0) {
        return true;
    }
    refill(bucket, rate, now);
    bucket->level -= (int64_t)count * THOUSAND;
    bucket->level = bucket->level < DEEPEST ? DEEPEST : bucket->level;
    return bucket->level >= 0;
}

uint64_t sio_bucket_wait(sio_bucket *bucket, const sio_rate *rate, uint64_t now,
                         uint32_t count)
{
    int64_t want = (int64_t)(count < rate->burst ? count : rate->burst);
    if (rate->per_second == 0) {
        return 0;
    }
    refill(bucket, rate, now);
    want = want * THOUSAND - bucket->level;
    return want <= 0
               ? 0
               : ((uint64_t)want + rate->per_second - 1) / rate->per_second;
}

bool sio_bucket_is_full(sio_bucket *bucket, const sio_rate *rate, uint64_t now)
{
    refill(bucket, rate, now);
    return bucket->level >= brim(rate);
}
