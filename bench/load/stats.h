/* Latencies, and what the server used. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* 64 equal steps within each power of two: at most 1.6 % off. */
#define HISTOGRAM_STEPS 64
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * 60)

typedef struct histogram {
    uint64_t count, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram;

void histogram_add(histogram *h, uint64_t value);

/* The value that `percent` of all do not exceed; 0 when there is none. */
double histogram_percentile(const histogram *h, double percent);

/* A reading of /proc, summed over a process and its children. */
typedef struct usage {
    double user_s, sys_s;
    long rss_kb, pss_kb;
    long switches, forced_switches;
    double steal_s; /* of the machine */
    long slab_kb;   /* of the machine */
} usage;

/* Reads what `server` has used so far, and its memory too if asked to: that
 * takes the kernel some time.  0 is nobody. */
usage usage_read(pid_t server, bool with_memory);

/* CPU seconds of this process. */
double usage_own_cpu(void);

#endif
