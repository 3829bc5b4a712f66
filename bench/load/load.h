/*
 * What a run is told, what it counts and where it stands.  A process makes
 * one run, in one thread, so all of this is global.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum load_mode {
    LOAD_ECHO,
    LOAD_ACK,
    LOAD_POLL, /* echo over long-polling */
    LOAD_BCAST,
    LOAD_CONNECT, /* opens and closes, nothing else */
    LOAD_IDLE,    /* opens and stays */
    LOAD_RAW,     /* echo of records with a length, without WebSocket */
    LOAD_MODES
} load_mode;

extern const char *const load_mode_names[LOAD_MODES];

typedef struct load_options {
    load_mode mode;
    const char *address; /* within 127.0.0.0/8 */
    int port;
    const char *path;
    pid_t server; /* whose CPU and memory is read, 0 for nobody's */
    int conns;
    int depth;          /* events in flight per connection or sender */
    int size;           /* bytes of payload */
    const char *filler; /* what it is made of */
    int senders;        /* bcast: how many of the connections send */
    int opening_max;    /* connections being opened at once */
    int conns_per_source;
    double rate; /* events per second in all, 0 for as they come back */
    double warm_s, measure_s, hold_s, open_limit_s;
    bool unbatched;    /* a send() for each event */
    const char *label; /* copied to the output */
} load_options;

typedef enum load_phase {
    PHASE_OPEN,    /* connections are being opened */
    PHASE_WARM,    /* under load, not counted yet */
    PHASE_MEASURE, /* under load, counted */
    PHASE_DRAIN,   /* nothing new is sent; what is in flight comes back */
    PHASE_HOLD,    /* idle: all are open and stay so */
    PHASE_DONE
} load_phase;

typedef struct load_counts {
    uint64_t messages; /* that came back while measured */
    uint64_t connects; /* that were completed while measured */
    uint64_t bad;      /* wrong bytes, order or packets */
    uint64_t missed;   /* that did not come back, or could not be sent */
    uint64_t closed;   /* connections that the server has ended */
    uint64_t failed;   /* connections that could not be opened */
    uint64_t forced;   /* connect: given up after three seconds */
    uint64_t pings;    /* of Engine.IO */
    uint64_t ws_pings; /* of WebSocket */
} load_counts;

extern load_options opts;
extern load_counts counts;
extern load_phase phase;

extern int opening; /* connections on their way */
extern int running; /* connections that are open */
extern int opened;  /* connections that ever were */
extern int in_flight;

/* Under load, whether it is counted or not. */
static inline bool load_is_on(void)
{
    return phase == PHASE_WARM || phase == PHASE_MEASURE;
}

/* Nanoseconds on a monotonic clock. */
uint64_t now_ns(void);

/* Random bits; not for secrets. */
uint32_t random_bits(void);
void random_seed(void);

/* Ends the process with status 2. */
void die(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

/* Allocation that ends the process where there is none. */
void *must_alloc(size_t size);
void *must_zalloc(size_t count, size_t size);
void *must_grow(void *old, size_t size);

#endif
