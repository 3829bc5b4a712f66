#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

const char *const load_mode_names[LOAD_MODES] = {
    "echo", "ack", "poll", "bcast", "connect", "idle", "raw",
};

load_options opts = {
    .mode = LOAD_ECHO,
    .address = "127.0.0.1",
    .port = 3000,
    .path = "/socket.io/",
    .conns = 100,
    .depth = 1,
    .size = 32,
    .filler = "plain",
    .senders = 1,
    .opening_max = 64,
    .conns_per_source = 2000,
    .warm_s = 1,
    .measure_s = 4,
    .hold_s = 5,
    .open_limit_s = 120,
    .label = "",
};
load_counts counts;
load_phase phase = PHASE_OPEN;
int opening, running, opened, in_flight;

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t random_state = 0x9e3779b97f4a7c15;

void random_seed(void)
{
    random_state ^= (uint64_t)getpid() << 32 ^ now_ns();
    random_state |= 1; /* it must not be 0 */
}

/* xorshift64* */
uint32_t random_bits(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * 2685821657736338717u) >> 32);
}

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("sioload: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

void *must_alloc(size_t size)
{
    return must_grow(NULL, size);
}

void *must_zalloc(size_t count, size_t size)
{
    void *made = calloc(count, size);
    if (made == NULL) {
        die("out of memory");
    }
    return made;
}

void *must_grow(void *old, size_t size)
{
    void *made = realloc(old, size);
    if (made == NULL) {
        die("out of memory");
    }
    return made;
}
