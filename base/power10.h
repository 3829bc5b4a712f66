#ifndef SIO_BASE_POWER10_H
#define SIO_BASE_POWER10_H

#include <stdint.h>

/* Powers of ten to 128 bits: for number.c, which reads and writes doubles. */

#define SIO_POWER10_MIN (-292)
#define SIO_POWER10_MAX 324

/* high * 2^64 + low is 10^k / 2^(L - 127), rounded up, where L is the binary
 * logarithm of 10^k, rounded down; its highest bit is set. */
typedef struct sio_power10 {
    uint64_t high, low;
} sio_power10;

/* `k` from SIO_POWER10_MIN to SIO_POWER10_MAX. */
sio_power10 sio_power10_of(int k);

/* The binary logarithm of 10^k, rounded down, for `k` from -1233 to 1233. */
static inline int sio_power10_log2(int k)
{
    return (k * 1741647) >> 19;
}

/* a * b: returns the low half. */
static inline uint64_t sio_multiply(uint64_t a, uint64_t b, uint64_t *high)
{
    uint64_t a0 = a & UINT32_MAX, a1 = a >> 32;
    uint64_t b0 = b & UINT32_MAX, b1 = b >> 32;
    uint64_t low = a0 * b0;
    uint64_t cross = a1 * b0 + (low >> 32);
    uint64_t other = a0 * b1 + (cross & UINT32_MAX);
    *high = a1 * b1 + (cross >> 32) + (other >> 32);
    return other << 32 | (low & UINT32_MAX);
}

#endif
