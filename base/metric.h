#ifndef SIO_BASE_METRIC_H
#define SIO_BASE_METRIC_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * A number that one thread, the owner, changes and any thread may read.  The
 * owner needs no locked instruction, as nobody else writes; that is why it is
 * changed by these functions and never by an operator.
 */
typedef _Atomic uint64_t sio_metric;

static inline uint64_t sio_metric_get(const sio_metric *metric)
{
    return atomic_load_explicit(metric, memory_order_relaxed);
}

static inline void sio_metric_set(sio_metric *metric, uint64_t value)
{
    atomic_store_explicit(metric, value, memory_order_relaxed);
}

static inline void sio_metric_add(sio_metric *metric, uint64_t count)
{
    sio_metric_set(metric, sio_metric_get(metric) + count);
}

static inline void sio_metric_sub(sio_metric *metric, uint64_t count)
{
    sio_metric_set(metric, sio_metric_get(metric) - count);
}

#endif
